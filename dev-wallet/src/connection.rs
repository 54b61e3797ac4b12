//! One connection: a WebSocket, read until it ends, written to in order.

use std::sync::Arc;
use std::time::Duration;

use futures_util::io::{BufReader, BufWriter};
use jsonrpsee::Methods;
use soketto::connection::Error;
use soketto::handshake::Server;
use soketto::handshake::server::Response;
use soketto::{Incoming, Receiver, Sender};
use tokio::net::TcpStream;
use tokio::sync::mpsc;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::page;
use crate::rpc;
use crate::state::DevWalletState;

/// How many messages may wait for a client that does not read, before it is cut.
const BACKLOG: usize = 65_536;
/// The longest message a client may send.
const LONGEST: usize = 10 * 1024 * 1024;
/// How long the handshake may take.
const HANDSHAKE: Duration = Duration::from_secs(10);

type Socket = BufReader<BufWriter<Compat<TcpStream>>>;

/// Something to write.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Bytes(Vec<u8>),
}

/// Serves one client until it goes, or this future is dropped.
pub(crate) async fn serve(socket: TcpStream, state: DevWalletState, methods: Arc<Methods>) {
    state.until(|inner| !inner.faults.freeze).await;
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let Some(socket) = page::serve_or_return(socket, &state).await else {
        return;
    };
    match tokio::time::timeout(HANDSHAKE, handshake(socket)).await {
        Ok(Ok((sender, receiver))) => converse(sender, receiver, state, methods).await,
        Ok(Err(problem)) => tracing::debug!(%problem, "no handshake"),
        Err(_) => tracing::debug!("no handshake in time"),
    }
}

async fn handshake(
    socket: TcpStream,
) -> Result<(Sender<Socket>, Receiver<Socket>), soketto::handshake::Error> {
    let mut server = Server::new(BufReader::new(BufWriter::new(socket.compat())));
    let key = server.receive_request().await?.key();
    let accept = Response::Accept {
        key,
        protocol: None,
    };
    server.send_response(&accept).await?;
    let mut builder = server.into_builder();
    builder.set_max_message_size(LONGEST);
    builder.set_max_frame_size(LONGEST);
    Ok(builder.finish())
}

/// Removes a connection from the state however it ends.
struct Registered {
    state: DevWalletState,
    number: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        self.state
            .change(|inner| inner.connections.remove(&self.number));
    }
}

async fn converse(
    sender: Sender<Socket>,
    receiver: Receiver<Socket>,
    state: DevWalletState,
    methods: Arc<Methods>,
) {
    let (outgoing, queue) = mpsc::channel(BACKLOG);
    let number = state.change(|inner| {
        inner.connections_made += 1;
        let number = inner.connections_made;
        inner.connections.insert(number, outgoing.clone());
        number
    });
    let _registered = Registered {
        state: state.clone(),
        number,
    };
    // Answers are sent through a weak handle: a client dropped from the state is cut, even while
    // requests of it are being executed.
    let answers = outgoing.downgrade();
    drop(outgoing);
    tokio::select! {
        () = read(receiver, number, &state, &methods, &answers) => {}
        () = write(sender, queue, &state) => {}
    }
}

async fn read(
    mut receiver: Receiver<Socket>,
    number: u64,
    state: &DevWalletState,
    methods: &Arc<Methods>,
    answers: &mpsc::WeakSender<Outgoing>,
) {
    let mut frame = Vec::new();
    loop {
        state.until(|inner| !inner.faults.freeze).await;
        frame.clear();
        let received = tokio::select! {
            received = receiver.receive(&mut frame) => received,
            // Never polled again after this: the frame it was in is lost with the connection,
            // which the client takes for dead by then.
            () = state.until(|inner| inner.faults.freeze) => {
                state.until(|inner| !inner.faults.freeze).await;
                return;
            }
        };
        match received {
            Ok(Incoming::Data(_)) => {}
            Ok(Incoming::Pong(_)) => continue,
            Ok(Incoming::Closed(_)) | Err(Error::Closed) => return,
            Err(problem) => {
                tracing::debug!(%problem, connection = number, "connection broke");
                return;
            }
        }
        match rpc::read(state, number, &frame) {
            rpc::Incoming::Nothing => {}
            rpc::Incoming::Refused(answer) => respond(answers, answer),
            rpc::Incoming::Call(call) => {
                let execution = rpc::execute(state.clone(), Arc::clone(methods), call);
                let answers = answers.clone();
                tokio::spawn(async move { respond(&answers, execution.await) });
            }
        }
    }
}

fn respond(answers: &mpsc::WeakSender<Outgoing>, answer: String) {
    // Nobody is there any more: the answer is lost, as in life.
    if let Some(outgoing) = answers.upgrade() {
        outgoing.try_send(Outgoing::Text(answer)).ok();
    }
}

async fn write(
    mut sender: Sender<Socket>,
    mut queue: mpsc::Receiver<Outgoing>,
    state: &DevWalletState,
) {
    while let Some(message) = queue.recv().await {
        state.until(|inner| !inner.faults.freeze).await;
        let sent = match message {
            Outgoing::Text(text) => sender.send_text_owned(text).await,
            Outgoing::Bytes(bytes) => sender.send_binary(bytes).await,
        };
        let sent = match sent {
            Ok(()) if queue.is_empty() => sender.flush().await,
            sent => sent,
        };
        if sent.is_err() {
            return;
        }
    }
}
