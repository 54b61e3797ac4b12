//! The listener: takes connections in, refuses them, cuts them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Duration;

use jsonrpsee::Methods;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::JoinSet;

use crate::admin::When;
use crate::control::Control;
use crate::http;
use crate::state::DevWalletState;

/// How long to wait before an address is listened on again that is not free yet.
const RETRY: Duration = Duration::from_millis(20);

/// What the listener is told to do; it answers when that is done.
pub(crate) enum Command {
    /// Drop every connection; answers how many there were.
    CutAll(oneshot::Sender<usize>),
    /// Stop or begin to listen.
    Refuse(bool, oneshot::Sender<()>),
    /// Drop everything and end.
    Stop(oneshot::Sender<()>),
}

/// Serves until told to stop.
pub(crate) async fn run(
    listener: TcpListener,
    address: SocketAddr,
    state: DevWalletState,
    methods: Arc<Methods>,
    mut commands: mpsc::Receiver<Command>,
) {
    let mut listener = Some(listener);
    let mut connections = JoinSet::new();
    // What the plan has for certain times; ends with the server.
    let _timers = timers(&state);
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::CutAll(done)) => {
                    done.send(cut_all(&mut connections).await).ok();
                }
                Some(Command::Refuse(true, done)) => {
                    listener = None;
                    done.send(()).ok();
                }
                Some(Command::Refuse(false, done)) => {
                    if listener.is_none() {
                        listener = Some(listen_again(address).await);
                    }
                    done.send(()).ok();
                }
                Some(Command::Stop(done)) => {
                    drop(listener.take());
                    cut_all(&mut connections).await;
                    done.send(()).ok();
                    return;
                }
                None => return,
            },
            Some(_ended) = connections.join_next() => {}
            socket = accept(listener.as_ref()) => {
                connections.spawn(http::serve(socket, state.clone(), Arc::clone(&methods)));
            }
        }
    }
}

fn timers(state: &DevWalletState) -> JoinSet<()> {
    let (steps, clock) = {
        let inner = state.lock();
        (inner.plan.steps.clone(), inner.gateway.clock)
    };
    let mut timers = JoinSet::new();
    for step in steps {
        let control = Control::new(state.clone());
        let act = step.act;
        match step.when {
            When::After(time) => timers.spawn(async move {
                tokio::time::sleep(clock.real(time)).await;
                control.act_within(act);
            }),
            When::Every(time) => timers.spawn(async move {
                loop {
                    tokio::time::sleep(clock.real(time)).await;
                    control.act_within(act.clone());
                }
            }),
            When::Request { .. } | When::Event { .. } => continue,
        };
    }
    timers
}

async fn cut_all(connections: &mut JoinSet<()>) -> usize {
    connections.abort_all();
    let mut cut = 0;
    while let Some(ended) = connections.join_next().await {
        cut += usize::from(ended.is_err());
    }
    cut
}

/// The next connection; never comes if nothing is listened on.
async fn accept(listener: Option<&TcpListener>) -> TcpStream {
    let Some(listener) = listener else {
        return std::future::pending().await;
    };
    loop {
        match listener.accept().await {
            Ok((socket, _)) => return socket,
            // Out of file descriptors, most likely: passes.
            Err(problem) => {
                tracing::warn!(%problem, "a connection could not be taken in");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}

async fn listen_again(address: SocketAddr) -> TcpListener {
    loop {
        match TcpListener::bind(address).await {
            Ok(listener) => return listener,
            Err(problem) => {
                tracing::warn!(%problem, %address, "cannot listen yet");
                tokio::time::sleep(RETRY).await;
            }
        }
    }
}
