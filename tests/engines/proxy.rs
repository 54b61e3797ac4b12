//! A network that can be cut.

use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Network {
    /// Everything goes through.
    Whole,
    /// Nothing goes through, and nobody is told.
    Stalled,
    /// Connections are closed, new ones at once.
    Cut,
}

#[derive(Clone, Copy)]
struct State {
    network: Network,
    /// How often it was cut: a connection never outlives a cut, however short that was.
    cuts: u64,
}

/// Carries bytes to a server, as its network allows.
pub(crate) struct Proxy {
    address: SocketAddr,
    state: watch::Sender<State>,
    task: JoinHandle<()>,
}

impl Proxy {
    pub(crate) async fn to(server: String) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let (sender, state) = watch::channel(State {
            network: Network::Whole,
            cuts: 0,
        });
        let task = tokio::spawn(async move {
            let mut carriers = JoinSet::new();
            while let Ok((client, _)) = listener.accept().await {
                carriers.spawn(carry(client, server.clone(), state.clone()));
            }
        });
        Self {
            address,
            state: sender,
            task,
        }
    }

    pub(crate) fn place(&self) -> String {
        self.address.to_string()
    }

    pub(crate) fn set(&self, network: Network) {
        self.state.send_modify(|state| {
            state.network = network;
            state.cuts += u64::from(network == Network::Cut);
        });
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(client: TcpStream, server: String, mut state: watch::Receiver<State>) {
    let State { network, cuts } = *state.borrow();
    if network == Network::Cut {
        return;
    }
    let (one, other) = (state.clone(), state.clone());
    let work = async {
        let Ok(server) = TcpStream::connect(server).await else {
            return;
        };
        let (from_client, to_client) = client.into_split();
        let (from_server, to_server) = server.into_split();
        tokio::select! {
            () = pump(from_client, to_server, one, cuts) => {}
            () = pump(from_server, to_client, other, cuts) => {}
        }
    };
    tokio::select! {
        () = work => {}
        _ = state.wait_for(|it| it.cuts != cuts) => {}
    }
}

async fn pump(
    mut from: OwnedReadHalf,
    mut to: OwnedWriteHalf,
    mut state: watch::Receiver<State>,
    cuts: u64,
) {
    let mut buffer = vec![0; 16 << 10];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let whole = |it: &State| it.network == Network::Whole && it.cuts == cuts;
        if state.wait_for(whole).await.is_err() {
            return;
        }
        if to.write_all(&buffer[..length]).await.is_err() {
            return;
        }
    }
}
