//! The listener: takes connections in, refuses them, cuts them.

use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use jsonrpsee::Methods;
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinSet};

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
    let mut connections = Connections::default();
    // What the plan has for certain times; ends with the server.
    let _timers = timers(&state);
    loop {
        tokio::select! {
            biased;
            command = commands.recv() => match command {
                Some(Command::CutAll(done)) => {
                    done.send(connections.cut(false).await).ok();
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
                    connections.cut(true).await;
                    done.send(()).ok();
                    return;
                }
                None => return,
            },
            Some(_ended) = connections.tasks.join_next() => {}
            socket = accept(listener.as_ref()) => {
                connections.serve(socket, &state, &methods);
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

/// The connections that stand.
#[derive(Default)]
struct Connections {
    tasks: JoinSet<()>,
    /// Each with whether it is that of who steers the wallet.
    handles: Vec<(AbortHandle, Arc<AtomicBool>)>,
}

impl Connections {
    fn serve(&mut self, socket: TcpStream, state: &DevWalletState, methods: &Arc<Methods>) {
        self.handles.retain(|(handle, _)| !handle.is_finished());
        let steering = Arc::<AtomicBool>::default();
        let serving = http::serve(
            socket,
            state.clone(),
            Arc::clone(methods),
            Arc::clone(&steering),
        );
        self.handles.push((self.tasks.spawn(serving), steering));
    }

    /// Drops every connection. Those that came to the admin endpoint stay, unless the wallet ends:
    /// who cuts everybody else off wants to hear how many that were, and to go on.
    async fn cut(&mut self, ending: bool) -> usize {
        let handles = std::mem::take(&mut self.handles);
        let (spared, cut): (Vec<_>, Vec<_>) = handles
            .into_iter()
            .filter(|(handle, _)| !handle.is_finished())
            .partition(|(_, steering)| !ending && steering.load(Ordering::Relaxed));
        self.handles = spared;
        cut.iter().for_each(|(handle, _)| handle.abort());
        while cut.iter().any(|(handle, _)| !handle.is_finished()) {
            if self.tasks.join_next().await.is_none() {
                break;
            }
        }
        cut.len()
    }
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
