//! Stands between the kit and a wallet that is well, and plants a fault.

use std::sync::{Arc, Mutex};

use serde_json::Value;
use soketto::handshake::server::Response;
use soketto::handshake::{Client, Server, ServerResponse};
use tokio::net::{TcpListener, TcpStream};
use tokio_util::compat::TokioAsyncReadCompatExt;

/// A request that passed.
#[derive(Clone, Debug)]
pub(crate) struct Asked {
    /// The method, or nothing.
    pub(crate) method: String,
    pub(crate) id: Value,
    pub(crate) params: Value,
    /// The body as it was sent.
    pub(crate) raw: String,
    /// Whether the session stands when it was asked, as far as the answers so far tell.
    pub(crate) connected: bool,
    /// How many requests of the method there were before, in all.
    pub(crate) nth: usize,
}

/// What passes.
#[derive(Clone, Debug)]
pub(crate) enum Passing {
    /// A request on its way to the wallet.
    Request(Asked),
    /// The answer to a request.
    Answer(Asked, Value),
    /// An event: its name, its payload, and the connection it goes to.
    Event(String, Value, usize),
}

/// What becomes of it: nothing is changed, or these frames are sent on instead. Frames in the place
/// of a request go back to the kit.
pub(crate) type Fault = fn(&Passing) -> Option<Vec<String>>;

#[derive(Default)]
struct Book {
    asked: Vec<Asked>,
    connected: bool,
    links: usize,
}

/// Starts a proxy in front of the wallet at `address`.
pub(crate) async fn start(address: std::net::SocketAddr, fault: Fault) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let url = format!("ws://{}", listener.local_addr().unwrap());
    let book = Arc::new(Mutex::new(Book::default()));
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let link = {
                let mut book = book.lock().unwrap();
                book.links += 1;
                book.links
            };
            tokio::spawn(between(socket, address, fault, Arc::clone(&book), link));
        }
    });
    url
}

async fn between(
    socket: TcpStream,
    address: std::net::SocketAddr,
    fault: Fault,
    book: Arc<Mutex<Book>>,
    link: usize,
) -> Option<()> {
    let mut server = Server::new(socket.compat());
    let key = server.receive_request().await.ok()?.key();
    let accept = Response::Accept {
        key,
        protocol: None,
    };
    server.send_response(&accept).await.ok()?;
    let (to_kit, mut from_kit) = server.into_builder().finish();
    let host = address.to_string();
    let mut client = Client::new(TcpStream::connect(address).await.ok()?.compat(), &host, "/");
    let ServerResponse::Accepted { .. } = client.handshake().await.ok()? else {
        return None;
    };
    let (mut to_wallet, mut from_wallet) = client.into_builder().finish();
    let to_kit = Arc::new(tokio::sync::Mutex::new(to_kit));
    let back = Arc::clone(&to_kit);
    let noted = Arc::clone(&book);
    let up = async move {
        let mut frame = Vec::new();
        loop {
            frame.clear();
            from_kit.receive_data(&mut frame).await.ok()?;
            let raw = String::from_utf8_lossy(&frame).into_owned();
            let asked = note(&noted, raw.clone());
            match fault(&Passing::Request(asked)) {
                Some(frames) => send(&back, frames).await?,
                None => {
                    to_wallet.send_text(&raw).await.ok()?;
                    to_wallet.flush().await.ok()?;
                }
            }
        }
        #[allow(unreachable_code)]
        Some(())
    };
    let down = async move {
        let mut frame = Vec::new();
        loop {
            frame.clear();
            from_wallet.receive_data(&mut frame).await.ok()?;
            let raw = String::from_utf8_lossy(&frame).into_owned();
            let frames = passing(&book, &raw, link).and_then(|it| fault(&it));
            send(&to_kit, frames.unwrap_or_else(|| vec![raw])).await?;
        }
        #[allow(unreachable_code)]
        Some(())
    };
    tokio::select! {
        _ = up => {}
        _ = down => {}
    }
    Some(())
}

type ToKit = tokio::sync::Mutex<soketto::Sender<tokio_util::compat::Compat<TcpStream>>>;

async fn send(to_kit: &ToKit, frames: Vec<String>) -> Option<()> {
    let mut sender = to_kit.lock().await;
    for frame in frames {
        sender.send_text(frame).await.ok()?;
    }
    sender.flush().await.ok()
}

fn note(book: &Mutex<Book>, raw: String) -> Asked {
    let value: Value = serde_json::from_str(&raw).unwrap_or_default();
    let method = value["method"].as_str().unwrap_or_default().to_owned();
    let mut book = book.lock().unwrap();
    let asked = Asked {
        nth: book.asked.iter().filter(|it| it.method == method).count(),
        method,
        id: value.get("id").cloned().unwrap_or_default(),
        params: value.get("params").cloned().unwrap_or_default(),
        raw,
        connected: book.connected,
    };
    book.asked.push(asked.clone());
    asked
}

/// What a frame of the wallet is.
fn passing(book: &Mutex<Book>, raw: &str, link: usize) -> Option<Passing> {
    let value: Value = serde_json::from_str(raw).ok()?;
    if let Some(name) = value["method"].as_str() {
        let payload = value["params"][0].clone();
        return Some(Passing::Event(name.to_owned(), payload, link));
    }
    let mut book = book.lock().unwrap();
    let id = value.get("id").cloned().unwrap_or_default();
    let asked = if id.is_null() {
        book.asked.last().cloned()
    } else {
        book.asked.iter().rev().find(|it| it.id == id).cloned()
    }?;
    if let Some(connected) = value["result"]["isConnected"].as_bool() {
        book.connected = connected;
    }
    if asked.method == "disconnect" {
        book.connected = false;
    }
    Some(Passing::Answer(asked, value))
}
