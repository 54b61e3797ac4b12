//! Wallets that do nothing fail nearly everything, in bounded time.

use std::time::{Duration, Instant};

use futures_util::future::join_all;
use moorline_conformance::{CheckError, Level, Login, Options, Report, Verdict, check};
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// What a null wallet does.
#[derive(Clone, Copy, Debug)]
enum Null {
    /// Closes every connection.
    Closes,
    /// Takes connections and says nothing.
    Silent,
    /// Answers every HTTP request, a handshake too, with this.
    Http(u16, &'static str),
    /// Answers every frame with this.
    Frames(&'static str),
    /// Takes the handshake and says nothing.
    SilentFrames,
}

const FIXED: &str = r#"{"jsonrpc":"2.0","id":1,"result":null}"#;

async fn start(null: Null) -> std::net::SocketAddr {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(serve(socket, null));
        }
    });
    address
}

async fn serve(mut socket: TcpStream, null: Null) {
    match null {
        Null::Closes => {}
        Null::Silent => std::future::pending().await,
        Null::Http(status, body) => {
            let mut start = [0; 65_536];
            let _read = socket.read(&mut start).await;
            let answer = format!(
                "HTTP/1.1 {status} Null\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\
                 Connection: close\r\n\r\n{body}",
                body.len()
            );
            socket.write_all(answer.as_bytes()).await.ok();
            socket.shutdown().await.ok();
            // What is still being sent is read, or the answer is lost with a reset.
            let mut rest = Vec::new();
            let reading = socket.read_to_end(&mut rest);
            tokio::time::timeout(Duration::from_millis(200), reading)
                .await
                .ok();
        }
        Null::Frames(_) | Null::SilentFrames => {
            let mut server = Server::new(socket.compat());
            let Ok(request) = server.receive_request().await else {
                return;
            };
            let key = request.key();
            let accept = Response::Accept {
                key,
                protocol: None,
            };
            server.send_response(&accept).await.unwrap();
            let (mut sender, mut receiver) = server.into_builder().finish();
            let mut frame = Vec::new();
            while receiver.receive_data(&mut frame).await.is_ok() {
                frame.clear();
                if let Null::Frames(text) = null {
                    sender.send_text(text).await.ok();
                    sender.flush().await.ok();
                }
            }
        }
    }
}

/// The ids of MUSTs that pass, and the share of those that do not.
fn passing(report: &Report) -> (Vec<&'static str>, f64) {
    let musts = report
        .outcomes
        .iter()
        .filter(|it| it.check.level == Level::Must);
    let passing = musts
        .filter(|it| it.verdict.holds())
        .map(|it| it.check.id)
        .collect();
    let tally = report.tally(Level::Must);
    let share = tally.failed as f64 / (tally.total - tally.not_checked) as f64;
    (passing, share)
}

async fn fails_nearly_everything(null: Null, scheme: &str) {
    let address = start(null).await;
    let mut options = Options::new(format!("{scheme}://{address}/api"));
    options.timeout = Duration::from_millis(500);
    let begun = Instant::now();
    let report = check(options).await.unwrap();
    assert!(
        begun.elapsed() < Duration::from_secs(50),
        "{null:?}: {:?}",
        begun.elapsed()
    );
    let (passing, share) = passing(&report);
    assert_eq!(
        passing, [""; 0],
        "{null:?} over {scheme} passes other MUSTs"
    );
    assert!(
        share > 0.95,
        "{null:?} over {scheme}: {share}\n{}",
        report.text()
    );
    let tally = report.tally(Level::Must);
    let excused = tally.not_checked as f64 / tally.total as f64;
    assert!(
        excused < 0.05,
        "{null:?} over {scheme}: {excused} not checked\n{}",
        report.text()
    );
    assert!(!report.conforms());
    // SHOULDs are no consolation.
    let shoulds = report
        .outcomes
        .iter()
        .filter(|it| it.check.level == Level::Should);
    let kept: Vec<&str> = shoulds
        .filter(|it| matches!(it.verdict, Verdict::Passed))
        .map(|it| it.check.id)
        .collect();
    assert!(kept.len() < 3, "{null:?}: {kept:?}");
}

#[tokio::test]
async fn nothing_over_websockets() {
    let nulls = [
        Null::Closes,
        Null::Http(404, "{}"),
        Null::Http(200, FIXED),
        Null::Frames("{}"),
        Null::Frames(FIXED),
        Null::SilentFrames,
    ];
    join_all(nulls.map(|null| fails_nearly_everything(null, "ws"))).await;
}

#[tokio::test]
async fn nothing_over_http() {
    let nulls = [
        Null::Closes,
        Null::Http(404, "{}"),
        Null::Http(404, "not found"),
        Null::Http(200, "{}"),
        Null::Http(200, FIXED),
    ];
    join_all(nulls.map(|null| fails_nearly_everything(null, "http"))).await;
}

#[tokio::test]
async fn nobody_answers() {
    let begun = Instant::now();
    let silence = async |scheme| {
        let address = start(Null::Silent).await;
        let options = Options::new(format!("{scheme}://{address}/"));
        let report = check(options).await.unwrap();
        assert_eq!(report.tally(Level::Must).passed, 0, "{}", report.text());
    };
    tokio::join!(silence("ws"), silence("http"));
    // With the default patience.
    assert!(
        begun.elapsed() < Duration::from_secs(30),
        "{:?}",
        begun.elapsed()
    );
}

#[tokio::test]
async fn what_cannot_be_checked_is_told_from_what_fails() {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let address = listener.local_addr().unwrap();
    drop(listener);
    let nobody = check(Options::new(format!("http://{address}"))).await;
    assert!(
        matches!(nobody, Err(CheckError::Unreachable { .. })),
        "{nobody:?}"
    );
    for bad in [
        "",
        "wallet",
        "ftp://127.0.0.1/",
        "ws://user:pass@127.0.0.1/",
    ] {
        let refused = check(Options::new(bad)).await.unwrap_err();
        assert!(
            matches!(refused, CheckError::Address { .. }),
            "{bad}: {refused:?}"
        );
        assert!(!refused.to_string().contains("pass@"), "{refused}");
    }
    let mut options = Options::new("ws://127.0.0.1:1/");
    options.only = vec!["no.such".into()];
    assert!(matches!(
        check(options).await,
        Err(CheckError::UnknownCheck(_))
    ));
    // A secret leaves this computer over TLS only: refused before anything is dialled.
    let mut options = Options::new("http://wallet.example/api/v0/dapp");
    options.login = Login::Token("t0ken".into());
    let refused = check(options).await.unwrap_err();
    assert!(matches!(refused, CheckError::Insecure(_)), "{refused:?}");
}
