//! Doors that speak TLS, in front of a wallet that does not.

use std::convert::Infallible;
use std::net::SocketAddr;
use std::sync::Arc;

use bytes::Bytes;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::{Frame, Incoming};
use hyper::service::service_fn;
use hyper::{Request, Response, StatusCode};
use hyper_util::rt::{TokioExecutor, TokioIo};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};
use tokio_rustls::server::TlsStream;

pub(crate) const H2: &[u8] = b"h2";

/// A door with a certificate for `localhost` that nobody knows.
pub(crate) struct Door {
    pub(crate) port: u16,
    certificate: CertificateDer<'static>,
    /// Of each connection that came to be: whether it speaks HTTP/2.
    #[allow(dead_code, reason = "not every test asks")]
    pub(crate) spoken: watch::Receiver<Vec<bool>>,
}

impl Door {
    /// A door to the wallet at this address, for whatever is carried: HTTP/1.1, or a WebSocket.
    pub(crate) async fn to(wallet: SocketAddr) -> Self {
        Self::speaking(wallet, &[]).await
    }

    /// A door that offers these protocols; behind `h2` each request is passed on by itself.
    pub(crate) async fn speaking(wallet: SocketAddr, protocols: &[&[u8]]) -> Self {
        let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let certificate = made.cert.der().clone();
        let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
        let mut config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
            .with_safe_default_protocol_versions()
            .unwrap()
            .with_no_client_auth()
            .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key))
            .unwrap();
        config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
        let acceptor = TlsAcceptor::from(Arc::new(config));
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let (tell, spoken) = watch::channel(Vec::new());
        tokio::spawn(async move {
            while let Ok((socket, _)) = listener.accept().await {
                let (acceptor, tell) = (acceptor.clone(), tell.clone());
                tokio::spawn(async move {
                    // A client that does not trust the certificate goes away here.
                    let Ok(outside) = acceptor.accept(socket).await else {
                        return;
                    };
                    let h2 = outside.get_ref().1.alpn_protocol() == Some(H2);
                    tell.send_modify(|spoken| spoken.push(h2));
                    if h2 {
                        pass_requests_on(outside, wallet).await;
                    } else {
                        pass_bytes_on(outside, wallet).await;
                    }
                });
            }
        });
        Self {
            port,
            certificate,
            spoken,
        }
    }

    /// What a client has that knows the certificate and speaks these protocols.
    pub(crate) fn trust(&self, protocols: &[&[u8]]) -> Arc<ClientConfig> {
        Arc::new(trust(&[&self.certificate], protocols))
    }
}

fn trust(certificates: &[&CertificateDer<'static>], protocols: &[&[u8]]) -> ClientConfig {
    let mut roots = RootCertStore::empty();
    for certificate in certificates {
        roots.add((*certificate).clone()).unwrap();
    }
    let mut config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    config.alpn_protocols = protocols.iter().map(|it| it.to_vec()).collect();
    config
}

async fn pass_bytes_on(mut outside: TlsStream<TcpStream>, wallet: SocketAddr) {
    if let Ok(mut inside) = TcpStream::connect(wallet).await {
        tokio::io::copy_bidirectional(&mut outside, &mut inside)
            .await
            .ok();
    }
}

async fn pass_requests_on(outside: TlsStream<TcpStream>, wallet: SocketAddr) {
    // The client wants to know whom to trust, though it asks nobody for a certificate.
    let nobody = trust(&[], &[]);
    let client = reqwest::Client::builder().tls_backend_preconfigured(nobody);
    let client = client.build().unwrap();
    let service = service_fn(move |request| pass_on(client.clone(), request, wallet));
    hyper::server::conn::http2::Builder::new(TokioExecutor::new())
        .serve_connection(TokioIo::new(outside), service)
        .await
        .ok();
}

type Passed = StreamBody<
    std::pin::Pin<
        Box<dyn futures_util::Stream<Item = Result<Frame<Bytes>, reqwest::Error>> + Send>,
    >,
>;

/// Passes one request on over HTTP/1.1, and its answer back as it comes.
async fn pass_on(
    client: reqwest::Client,
    request: Request<Incoming>,
    wallet: SocketAddr,
) -> Result<Response<Passed>, Infallible> {
    use futures_util::StreamExt;

    let (head, body) = request.into_parts();
    let target = head.uri.path_and_query().map_or("/", |it| it.as_str());
    let mut headers = head.headers;
    headers.remove("host");
    let body = body.collect().await.unwrap().to_bytes();
    let answer = client
        .request(head.method, format!("http://{wallet}{target}"))
        .headers(headers)
        .body(body)
        .send()
        .await;
    let mut passed = Response::builder();
    let Ok(answer) = answer else {
        let nothing = futures_util::stream::empty().boxed();
        let passed = passed.status(StatusCode::BAD_GATEWAY);
        return Ok(passed.body(StreamBody::new(nothing)).unwrap());
    };
    passed = passed.status(answer.status());
    for (name, value) in answer.headers() {
        // What belongs to the connection stays with it.
        if !["connection", "transfer-encoding", "keep-alive"].contains(&name.as_str()) {
            passed = passed.header(name, value);
        }
    }
    let chunks = answer.bytes_stream().map(|chunk| chunk.map(Frame::data));
    Ok(passed.body(StreamBody::new(chunks.boxed())).unwrap())
}
