//! Stands between the kit and a wallet over HTTP, and swaps bytes for others of the same number.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};

/// What is swapped, in answers to requests that hold these texts.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Swap {
    /// The request holds all of these.
    pub(crate) asked: &'static [&'static str],
    /// In answers: this, by that, of the same length.
    pub(crate) from: &'static str,
    pub(crate) to: &'static str,
}

/// A port to be a proxy at.
pub(crate) async fn listen() -> (TcpListener, SocketAddr) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let here = listener.local_addr().unwrap();
    (listener, here)
}

/// Begins to pass on to the wallet at `address`.
pub(crate) fn pass_on(listener: TcpListener, address: SocketAddr, swap: Swap) {
    assert_eq!(swap.from.len(), swap.to.len(), "{swap:?}");
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            tokio::spawn(between(socket, address, swap));
        }
    });
}

async fn between(kit: TcpStream, address: SocketAddr, swap: Swap) -> Option<()> {
    let wallet = TcpStream::connect(address).await.ok()?;
    let (mut from_kit, mut to_kit) = kit.into_split();
    let (mut from_wallet, mut to_wallet) = wallet.into_split();
    let (mut up, mut down) = (vec![0; 65_536], vec![0; 65_536]);
    // The request that is being answered.
    let mut asked = String::new();
    loop {
        tokio::select! {
            read = from_kit.read(&mut up) => {
                let bytes = up.get(..read.ok().filter(|it| *it > 0)?)?;
                let text = String::from_utf8_lossy(bytes);
                if ["POST ", "GET ", "OPTIONS "].iter().any(|it| text.starts_with(it)) {
                    asked.clear();
                }
                asked.push_str(&text);
                to_wallet.write_all(bytes).await.ok()?;
            }
            read = from_wallet.read(&mut down) => {
                let bytes = down.get(..read.ok().filter(|it| *it > 0)?)?;
                let swapped = match swap.asked.iter().all(|it| asked.contains(it)) {
                    true => replace(bytes, swap.from.as_bytes(), swap.to.as_bytes()),
                    false => bytes.to_vec(),
                };
                to_kit.write_all(&swapped).await.ok()?;
            }
        }
    }
}

fn replace(bytes: &[u8], from: &[u8], to: &[u8]) -> Vec<u8> {
    let mut out = bytes.to_vec();
    let mut at = 0;
    while at + from.len() <= out.len() {
        if out[at..at + from.len()].eq_ignore_ascii_case(from) {
            out[at..at + from.len()].copy_from_slice(to);
        }
        at += 1;
    }
    out
}
