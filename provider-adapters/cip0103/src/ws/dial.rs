//! From an address to a WebSocket.

use jsonrpsee::client_transport::ws::{
    EitherStream, HeaderMap, HeaderValue, Receiver, Sender, WsHandshakeError,
    WsTransportClientBuilder,
};
use moorline::ProviderError;
use moorline::provider::ErrorKind;
use secrecy::ExposeSecret;
use tokio::net::TcpStream;
use tokio_util::compat::Compat;
use tracing::instrument::WithSubscriber;
use tracing::subscriber::NoSubscriber;

use super::options::Options;

/// A WebSocket, not yet spoken on.
pub(super) type Halves = (Sender<Compat<EitherStream>>, Receiver<Compat<EitherStream>>);

/// Dials. jsonrpsee could do this by itself, but resolves names on the runtime's own thread and
/// follows redirects to anywhere.
///
/// Cancel safe: dropping the future closes the socket.
pub(super) async fn dial(
    options: &Options,
    fence: Option<HeaderValue>,
) -> Result<Halves, ProviderError> {
    let timeout = options.connect_timeout;
    match tokio::time::timeout(timeout, connect(options, fence)).await {
        Ok(result) => result,
        Err(_) => Err(failed(
            options,
            ErrorKind::TimedOut,
            &format!("no connection within {} ms", timeout.as_millis()),
        )),
    }
}

async fn connect(options: &Options, fence: Option<HeaderValue>) -> Result<Halves, ProviderError> {
    let unreachable = |problem: std::io::Error| unreachable(options, &problem).with_source(problem);
    let host = match options.url.host() {
        Some(url::Host::Domain(name)) => name.to_owned(),
        Some(url::Host::Ipv4(ip)) => ip.to_string(),
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        None => String::new(),
    };
    let port = options.url.port_or_known_default().unwrap_or(80);
    let socket = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(unreachable)?;
    socket.set_nodelay(true).map_err(unreachable)?;
    let stream = match options.url.scheme() {
        "wss" => secure(options, host, socket).await?,
        _ => EitherStream::Plain(socket),
    };
    let mut headers = HeaderMap::new();
    if let Some(authorization) = &options.authorization {
        let mut value = HeaderValue::from_str(authorization.expose_secret()).map_err(|_| {
            failed(
                options,
                ErrorKind::InvalidRequest,
                "the authorization is no header value",
            )
        })?;
        value.set_sensitive(true);
        headers.insert("authorization", value);
    }
    if let Some(fence) = fence {
        headers.insert(crate::fence::HEADER, fence);
    }
    WsTransportClientBuilder {
        connection_timeout: options.connect_timeout,
        headers,
        max_request_size: options.max_message_size,
        max_response_size: options.max_message_size,
        max_frame_size: Some(options.max_message_size),
        ..WsTransportClientBuilder::default()
    }
    .build_with_stream(options.url.clone(), stream)
    // It logs the path and the query of the address, where some wallets want a token.
    .with_subscriber(NoSubscriber::default())
    .await
    .map_err(|problem| refused(options, &problem))
}

#[cfg(feature = "tls")]
async fn secure(
    options: &Options,
    host: String,
    socket: TcpStream,
) -> Result<EitherStream, ProviderError> {
    use tokio_rustls::rustls::pki_types::ServerName;

    let config = match &options.tls {
        Some(config) => std::sync::Arc::clone(config),
        None => std::sync::Arc::new(crate::tls::system().map_err(|problem| {
            failed(options, ErrorKind::Unsupported, "TLS cannot be set up").with_source(problem)
        })?),
    };
    let name = ServerName::try_from(host).map_err(|problem| {
        failed(
            options,
            ErrorKind::InvalidRequest,
            "its name cannot be on a certificate",
        )
        .with_source(problem)
    })?;
    tokio_rustls::TlsConnector::from(config)
        .connect(name, socket)
        .await
        .map(EitherStream::Tls)
        .map_err(|problem| {
            let error = match crate::tls::distrust(&problem) {
                Some(why) => failed(options, ErrorKind::Unreachable, &why),
                None => unreachable(options, &problem),
            };
            error.with_source(problem)
        })
}

#[cfg(not(feature = "tls"))]
async fn secure(
    options: &Options,
    _host: String,
    _socket: TcpStream,
) -> Result<EitherStream, ProviderError> {
    // Refused when the provider was built.
    Err(failed(
        options,
        ErrorKind::Unsupported,
        "TLS is not built in",
    ))
}

fn unreachable(options: &Options, problem: &std::io::Error) -> ProviderError {
    failed(options, ErrorKind::Unreachable, &problem.to_string())
}

/// The handshake failed.
fn refused(options: &Options, problem: &WsHandshakeError) -> ProviderError {
    let kind = match problem {
        WsHandshakeError::Rejected {
            status_code: 401 | 403,
        } => ErrorKind::Unauthorized,
        WsHandshakeError::Rejected { status_code: 429 } => ErrorKind::RateLimited,
        WsHandshakeError::Timeout(_) => ErrorKind::TimedOut,
        _ => ErrorKind::Unreachable,
    };
    let said = match problem {
        // Where it redirects to is not shown: it may hold secrets.
        WsHandshakeError::Redirected { status_code, .. } => {
            format!("it redirects (status {status_code}); use the address it redirects to")
        }
        other => other.to_string(),
    };
    failed(options, kind, &said)
}

fn failed(options: &Options, kind: ErrorKind, problem: &str) -> ProviderError {
    ProviderError::new(
        kind,
        format!(
            "the wallet at {} cannot be reached: {problem}",
            options.shown
        ),
    )
    .not_sent()
}
