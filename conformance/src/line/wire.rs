//! A connection, encrypted or not, and what becomes of one.

use std::io;
use std::sync::Arc;
use std::time::Duration;

use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::TcpStream;
use url::Url;

use crate::evidence::Trouble;

/// Bytes in both directions, encrypted or not.
pub(crate) trait Wire: AsyncRead + AsyncWrite + Unpin + Send {}
impl<T: AsyncRead + AsyncWrite + Unpin + Send> Wire for T {}

/// The longest answer that is read.
const LONGEST: usize = 64 * 1024;
/// How long a wallet that closes the connection after its answer may take for that.
const SETTLES: Duration = Duration::from_millis(200);

/// Connects to where an address points.
pub(crate) async fn dial(url: &Url) -> Result<Box<dyn Wire>, String> {
    let (host, port) = super::http::host_and_port(url);
    let io = |problem: io::Error| problem.to_string();
    let socket = TcpStream::connect((host.as_str(), port))
        .await
        .map_err(io)?;
    socket.set_nodelay(true).map_err(io)?;
    if !matches!(url.scheme(), "wss" | "https") {
        return Ok(Box::new(socket));
    }
    let config = super::tls::config().map_err(|problem| problem.to_string())?;
    let name = tokio_rustls::rustls::pki_types::ServerName::try_from(host)
        .map_err(|_| "its name cannot be on a certificate".to_owned())?;
    let connector = tokio_rustls::TlsConnector::from(Arc::new(config));
    Ok(Box::new(connector.connect(name, socket).await.map_err(io)?))
}

/// Whether a connection that carried one request of HTTP/1.1 carries another.
pub(crate) async fn is_kept(
    url: &Url,
    first: &str,
    second: &str,
    at_most: Duration,
) -> Result<bool, Trouble> {
    let both = async {
        let mut wire = dial(url).await?;
        let sent = wire.write_all(post(url, first).as_bytes()).await;
        sent.map_err(|problem| problem.to_string())?;
        let Some(head) = answer(&mut wire).await? else {
            return Err("the first request was not answered".to_owned());
        };
        if head.to_ascii_lowercase().contains("\r\nconnection: close") {
            return Ok(false);
        }
        tokio::time::sleep(SETTLES).await;
        if wire.write_all(post(url, second).as_bytes()).await.is_err() {
            return Ok(false);
        }
        Ok(matches!(answer(&mut wire).await, Ok(Some(_))))
    };
    match tokio::time::timeout(at_most, both).await {
        Ok(kept) => kept.map_err(Trouble::Broken),
        Err(_) => Err(Trouble::Silent),
    }
}

fn post(url: &Url, body: &str) -> String {
    let (host, port) = super::http::host_and_port(url);
    format!(
        "POST {} HTTP/1.1\r\nHost: {host}:{port}\r\nContent-Type: application/json\r\n\
         Accept: application/json\r\nContent-Length: {}\r\n\r\n{body}",
        &url[url::Position::BeforePath..url::Position::AfterQuery],
        body.len()
    )
}

/// The head of an answer, once all of the answer has come; `None` if the connection ends first.
async fn answer(wire: &mut Box<dyn Wire>) -> Result<Option<String>, String> {
    let mut seen = Vec::new();
    let mut chunk = [0; 4096];
    loop {
        let text = String::from_utf8_lossy(&seen);
        if let Some((head, body)) = text.split_once("\r\n\r\n")
            && is_whole(head, body)
        {
            return Ok(Some(head.to_owned()));
        }
        match wire.read(&mut chunk).await {
            Ok(0) | Err(_) => return Ok(None),
            Ok(read) => seen.extend_from_slice(chunk.get(..read).unwrap_or_default()),
        }
        if seen.len() > LONGEST {
            return Err("the answer is too long".to_owned());
        }
    }
}

fn is_whole(head: &str, body: &str) -> bool {
    let header = |wanted: &str| {
        head.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case(wanted).then(|| value.trim())
        })
    };
    match header("content-length").and_then(|length| length.parse::<usize>().ok()) {
        Some(length) => body.len() >= length,
        None if header("transfer-encoding").is_some() => body.ends_with("0\r\n\r\n"),
        None => false,
    }
}
