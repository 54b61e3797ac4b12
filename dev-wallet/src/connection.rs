//! One connection: a WebSocket, read until it ends, written to in order.

use std::sync::Arc;

use futures_util::io::{BufReader, BufWriter};
use jsonrpsee::Methods;
use soketto::connection::{Builder, Error, Mode};
use soketto::{Incoming, Receiver, Sender};
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::sync::mpsc;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

use crate::fences::Fence;
use crate::rpc;
use crate::state::DevWalletState;

/// How many messages may wait for a client that does not read, before it is cut.
const BACKLOG: usize = 65_536;
/// The longest message a client may send.
const LONGEST: usize = 10 * 1024 * 1024;

type Socket<S> = BufReader<BufWriter<Compat<S>>>;

/// Something to write.
#[derive(Clone, Debug)]
pub(crate) enum Outgoing {
    /// A text frame.
    Text(String),
    /// A binary frame.
    Bytes(Vec<u8>),
}

/// Who is at the other end.
pub(crate) struct Client {
    /// The number of the connection.
    pub(crate) number: u64,
    /// What everything on it is done under.
    pub(crate) fence: Option<Fence>,
}

/// Serves one client, whose handshake is done, until it goes or this future is dropped.
pub(crate) async fn serve<S>(
    socket: S,
    client: Client,
    state: DevWalletState,
    methods: Arc<Methods>,
) where
    S: AsyncRead + AsyncWrite + Unpin,
{
    let socket = BufReader::new(BufWriter::new(socket.compat()));
    let mut builder = Builder::new(socket, Mode::Server);
    builder.set_max_message_size(LONGEST);
    builder.set_max_frame_size(LONGEST);
    let (sender, receiver) = builder.finish();
    converse(sender, receiver, client, state, methods).await;
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

async fn converse<S: AsyncRead + AsyncWrite + Unpin>(
    sender: Sender<Socket<S>>,
    receiver: Receiver<Socket<S>>,
    client: Client,
    state: DevWalletState,
    methods: Arc<Methods>,
) {
    let number = client.number;
    let (outgoing, queue) = mpsc::channel(BACKLOG);
    state.change(|inner| inner.connections.insert(number, outgoing.clone()));
    let _registered = Registered {
        state: state.clone(),
        number,
    };
    // Answers are sent through a weak handle: a client dropped from the state is cut, even while
    // requests of it are being executed.
    let answers = outgoing.downgrade();
    drop(outgoing);
    tokio::select! {
        () = read(receiver, &client, &state, &methods, &answers) => {}
        () = write(sender, queue, &state) => {}
    }
}

async fn read<S: AsyncRead + AsyncWrite + Unpin>(
    mut receiver: Receiver<Socket<S>>,
    client: &Client,
    state: &DevWalletState,
    methods: &Arc<Methods>,
    answers: &mpsc::WeakSender<Outgoing>,
) {
    let mut frame = Vec::new();
    loop {
        state.until_frozen(false).await;
        frame.clear();
        let received = tokio::select! {
            received = receiver.receive(&mut frame) => received,
            // Never polled again after this: the frame it was in is lost with the connection,
            // which the client takes for dead by then.
            () = state.until_frozen(true) => {
                state.until_frozen(false).await;
                return;
            }
        };
        match received {
            Ok(Incoming::Data(_)) => {}
            Ok(Incoming::Pong(_)) => continue,
            Ok(Incoming::Closed(_)) | Err(Error::Closed) => return,
            Err(problem) => {
                tracing::debug!(%problem, connection = client.number, "connection broke");
                return;
            }
        }
        match rpc::read(state, client, &frame) {
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

async fn write<S: AsyncRead + AsyncWrite + Unpin>(
    mut sender: Sender<Socket<S>>,
    mut queue: mpsc::Receiver<Outgoing>,
    state: &DevWalletState,
) {
    while let Some(message) = queue.recv().await {
        state.until_frozen(false).await;
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
