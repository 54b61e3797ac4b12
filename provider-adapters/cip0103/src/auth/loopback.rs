//! The end of a login with a browser: a request to a port of this computer.

use std::time::Duration;

use secrecy::SecretString;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use url::Url;

use super::{AuthError, AuthErrorKind};

/// The longest request that is read, in bytes.
const LONGEST: usize = 16 * 1024;
/// How long one request may take: a connection that says nothing must not hold the others up.
const PATIENCE: Duration = Duration::from_secs(5);
const PATH: &str = "/callback";

/// A port of this computer that waits for one redirect.
#[derive(Debug)]
pub(super) struct Loopback {
    listener: TcpListener,
    port: u16,
}

/// What a request to the port turned out to be.
#[derive(Debug)]
enum Visit {
    /// Not the redirect.
    Other,
    /// The redirect, with a state that is not ours: somebody else's, or a forgery.
    Foreign,
    /// The login.
    Code(SecretString),
    /// The identity provider sends an error.
    Refused(AuthError),
}

impl Loopback {
    pub(super) async fn bind() -> Result<Self, AuthError> {
        let failed = |problem: std::io::Error| {
            AuthError::unavailable("no port of this computer is free for the login")
                .with_source(problem)
        };
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.map_err(failed)?;
        let port = listener.local_addr().map_err(failed)?.port();
        Ok(Self { listener, port })
    }

    /// Where the browser is to be sent back to.
    pub(super) fn address(&self) -> String {
        format!("http://127.0.0.1:{}{PATH}", self.port)
    }

    /// Waits for the code of the login that has this state.
    ///
    /// Cancel safe: dropping it closes the port.
    pub(super) async fn code(self, state: &str, issuer: &str) -> Result<SecretString, AuthError> {
        loop {
            let Ok((mut socket, _)) = self.listener.accept().await else {
                // Too many open files, for one: it passes.
                tokio::time::sleep(Duration::from_millis(100)).await;
                continue;
            };
            let visit = tokio::time::timeout(PATIENCE, async {
                let visit = read(&mut socket, state, issuer).await;
                answer(&mut socket, &visit).await;
                visit
            });
            match visit.await {
                Ok(Visit::Code(code)) => return Ok(code),
                Ok(Visit::Refused(error)) => return Err(error),
                Ok(Visit::Other | Visit::Foreign) | Err(_) => {}
            }
        }
    }
}

async fn read(socket: &mut TcpStream, state: &str, issuer: &str) -> Visit {
    let mut request = Vec::new();
    let mut buffer = [0; 2048];
    loop {
        match socket.read(&mut buffer).await {
            Ok(0) | Err(_) => return Visit::Other,
            Ok(length) => request.extend_from_slice(&buffer[..length]),
        }
        if request.windows(4).any(|end| end == b"\r\n\r\n") {
            break;
        }
        if request.len() > LONGEST {
            return Visit::Other;
        }
    }
    let head = String::from_utf8_lossy(&request);
    understand(head.lines().next().unwrap_or_default(), state, issuer)
}

/// What the first line of a request says.
fn understand(line: &str, state: &str, issuer: &str) -> Visit {
    let mut words = line.split(' ');
    let (Some("GET"), Some(target)) = (words.next(), words.next()) else {
        return Visit::Other;
    };
    let Ok(url) = Url::parse("http://127.0.0.1").and_then(|base| base.join(target)) else {
        return Visit::Other;
    };
    if url.path() != PATH {
        return Visit::Other;
    }
    let value = |name: &str| {
        let mut pairs = url.query_pairs().filter(|(key, _)| key == name);
        pairs.next().map(|(_, value)| value.into_owned())
    };
    if value("state").as_deref() != Some(state) {
        return Visit::Foreign;
    }
    // Another issuer's answer must not be taken for this one's (RFC 9207).
    let plain = |issuer: &str| issuer.trim_end_matches('/').to_owned();
    if value("iss").is_some_and(|iss| plain(&iss) != plain(issuer)) {
        return Visit::Foreign;
    }
    match (value("error"), value("code")) {
        (Some(error), _) if error == "access_denied" => Visit::Refused(AuthError::new(
            AuthErrorKind::UserRefused,
            "the person refused to log in",
        )),
        (Some(error), _) => {
            let error: String = error.chars().take(60).collect();
            Visit::Refused(AuthError::new(
                AuthErrorKind::Refused,
                format!("the identity provider refuses the login: {error}"),
            ))
        }
        (None, Some(code)) if !code.is_empty() => Visit::Code(code.into()),
        (None, _) => Visit::Other,
    }
}

async fn answer(socket: &mut TcpStream, visit: &Visit) {
    let (status, text) = match visit {
        Visit::Code(_) => ("200 OK", "You are logged in. You can close this page."),
        Visit::Refused(_) => (
            "200 OK",
            "The login did not succeed. You can close this page.",
        ),
        Visit::Foreign => ("400 Bad Request", "This login was not asked for here."),
        Visit::Other => ("404 Not Found", "There is nothing here."),
    };
    let page = format!(
        "<!doctype html><html lang=\"en\"><meta charset=\"utf-8\"><title>moorline</title><p>{text}</p></html>"
    );
    let head = format!(
        "HTTP/1.1 {status}\r\ncontent-type: text/html; charset=utf-8\r\ncontent-length: {}\r\n\
         cache-control: no-store\r\nreferrer-policy: no-referrer\r\nconnection: close\r\n\r\n",
        page.len()
    );
    // Whether the browser reads it changes nothing.
    let _written = socket.write_all(format!("{head}{page}").as_bytes()).await;
    let _closed = socket.shutdown().await;
}

#[cfg(test)]
mod tests {
    use super::*;
    use secrecy::ExposeSecret;

    #[test]
    fn only_the_login_that_was_asked_for_counts() {
        let visit = |target: &str| understand(&format!("GET {target} HTTP/1.1"), "s1", "http://i");
        assert!(
            matches!(visit("/callback?code=c%2F1&state=s1"), Visit::Code(code) if code.expose_secret() == "c/1")
        );
        assert!(matches!(visit("/callback?code=c&state=s2"), Visit::Foreign));
        assert!(matches!(visit("/callback?code=c"), Visit::Foreign));
        assert!(matches!(
            visit("/callback?code=c&state=s1&iss=http://j"),
            Visit::Foreign
        ));
        assert!(matches!(
            visit("/callback?code=c&state=s1&iss=http://i/"),
            Visit::Code(_)
        ));
        assert!(matches!(visit("/favicon.ico"), Visit::Other));
        assert!(matches!(visit("/callback?state=s1"), Visit::Other));
        let denied = visit("/callback?error=access_denied&state=s1");
        assert!(
            matches!(denied, Visit::Refused(error) if error.kind() == AuthErrorKind::UserRefused)
        );
        assert!(matches!(
            understand("POST /callback?code=c&state=s1", "s1", "http://i"),
            Visit::Other
        ));
    }

    #[tokio::test]
    async fn noise_on_the_port_does_not_end_the_login() {
        let loopback = Loopback::bind().await.unwrap();
        let port = loopback.port;
        let code = tokio::spawn(async move { loopback.code("s1", "http://i").await });
        for request in [
            "",
            "nonsense\r\n\r\n",
            "GET /callback?code=evil&state=guess HTTP/1.1\r\n\r\n",
            "GET /callback?code=right&state=s1 HTTP/1.1\r\nhost: x\r\n\r\n",
        ] {
            let mut socket = TcpStream::connect(("127.0.0.1", port)).await.unwrap();
            socket.write_all(request.as_bytes()).await.unwrap();
            socket.shutdown().await.unwrap();
            let mut answer = String::new();
            socket.read_to_string(&mut answer).await.ok();
            assert!(!answer.contains("right"), "{answer}");
        }
        let code = code.await.unwrap().unwrap();
        assert_eq!(code.expose_secret(), "right");
    }
}
