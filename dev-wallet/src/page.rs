//! The page a `userUrl` leads to: where a person says yes or no.

use std::time::Duration;

use tokio::io::AsyncWriteExt;
use tokio::net::TcpStream;

use crate::state::DevWalletState;

/// How long a client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// Answers a plain HTTP request, or returns the socket untouched if it wants a WebSocket.
pub(crate) async fn serve_or_return(
    mut socket: TcpStream,
    state: &DevWalletState,
) -> Option<TcpStream> {
    let mut start = [0; 512];
    let peeked = tokio::time::timeout(PATIENCE, socket.peek(&mut start)).await;
    let length = peeked.ok()?.ok()?;
    let start = String::from_utf8_lossy(start.get(..length)?);
    let line = start.lines().next()?;
    let mut words = line.split(' ');
    let (method, path) = (words.next()?, words.next()?);
    let answer = match (method, path) {
        ("GET", "/login") => respond("200 OK", &login_page(state)),
        ("POST", "/login/approve") => decide(state, true),
        ("POST", "/login/reject") => decide(state, false),
        ("GET", _) => return Some(socket),
        _ => respond("405 Method Not Allowed", "only GET, and POST to decide"),
    };
    // What the client wrote is read before the socket closes, or the answer may be lost.
    let mut rest = [0; 4096];
    socket.try_read(&mut rest).ok();
    socket.write_all(answer.as_bytes()).await.ok();
    socket.shutdown().await.ok();
    None
}

fn decide(state: &DevWalletState, yes: bool) -> String {
    let decided = state.answer_all(yes);
    respond(
        "200 OK",
        &format!("<p>{decided} decided. You may close this page.</p>"),
    )
}

fn login_page(state: &DevWalletState) -> String {
    let waiting: String = state
        .pending()
        .iter()
        .map(|pending| format!("<li>{:?}: {}</li>", pending.kind, escape(&pending.summary)))
        .collect();
    format!(
        "<h1>moorline development wallet</h1><ul>{waiting}</ul>\
         <form method=post action=/login/approve><button>Approve all</button></form>\
         <form method=post action=/login/reject><button>Reject all</button></form>"
    )
}

fn respond(status: &str, body: &str) -> String {
    format!(
        "HTTP/1.1 {status}\r\nContent-Type: text/html; charset=utf-8\r\nContent-Length: {}\r\n\
         Connection: close\r\n\r\n{body}",
        body.len()
    )
}

fn escape(text: &str) -> String {
    text.replace('&', "&amp;").replace('<', "&lt;")
}
