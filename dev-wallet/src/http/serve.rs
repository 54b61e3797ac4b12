//! One connection: HTTP/1.1 until it ends or becomes a WebSocket.

use std::net::IpAddr;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use hyper::body::Incoming;
use hyper::header::{CONNECTION, HeaderName, HeaderValue};
use hyper::server::conn::http1;
use hyper::service::service_fn;
use hyper::upgrade::OnUpgrade;
use hyper::{Request, Response};
use hyper_util::rt::TokioIo;
use jsonrpsee::Methods;
use soketto::handshake::http::{Server as Handshake, is_upgrade_request};
use tokio::net::TcpStream;
use tokio::sync::Notify;
use tokio::time::Instant;

use super::reply::{Broken, Busy, Payload, Reply};
use super::wire::{Meddling, Wire};
use crate::connection::{self, Client};
use crate::fences::{self, Fence, Malformed};
use crate::state::DevWalletState;

/// How long a new client may take to say what it wants.
const PATIENCE: Duration = Duration::from_secs(10);

/// What happens on a connection.
#[derive(Debug)]
pub(crate) struct Activity {
    state: Mutex<Progress>,
    changed: Notify,
}

#[derive(Debug)]
struct Progress {
    requests: u64,
    running: usize,
    since: Instant,
    close: bool,
}

impl Activity {
    fn new() -> Self {
        Self {
            state: Mutex::new(Progress {
                requests: 0,
                running: 0,
                since: Instant::now(),
                close: false,
            }),
            changed: Notify::new(),
        }
    }

    fn begun(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running += 1;
        state.requests += 1;
        drop(state);
        self.changed.notify_one();
    }

    /// An answer is out.
    pub(crate) fn done(&self, close: bool) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running = state.running.saturating_sub(1);
        state.since = Instant::now();
        state.close |= close;
        drop(state);
        self.changed.notify_one();
    }

    fn close(&self) {
        let mut state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.close = true;
        drop(state);
        self.changed.notify_one();
    }

    fn is_idle(&self) -> bool {
        let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
        state.running == 0
    }

    /// Returns when the connection is to be closed: idle for too long, or told to.
    async fn over(&self, keep_alive: Duration, steering: &AtomicBool) {
        loop {
            let wait = {
                let state = self.state.lock().unwrap_or_else(PoisonError::into_inner);
                if state.close && state.running == 0 {
                    return;
                }
                let patience = if steering.load(Ordering::Relaxed) {
                    Duration::MAX
                } else if state.requests == 0 {
                    PATIENCE.max(keep_alive)
                } else {
                    keep_alive
                };
                (state.running == 0)
                    .then(|| state.since.checked_add(patience))
                    .flatten()
            };
            let Some(wait) = wait else {
                self.changed.notified().await;
                continue;
            };
            tokio::select! {
                () = self.changed.notified() => {}
                () = tokio::time::sleep_until(wait) => return,
            }
        }
    }
}

/// What a connection has, besides its socket.
#[derive(Clone)]
pub(crate) struct Line {
    pub(crate) number: u64,
    pub(crate) meddling: Arc<Meddling>,
    /// Where the client is, if it is still there.
    pub(crate) peer: Option<IpAddr>,
    activity: Arc<Activity>,
    /// A WebSocket, once it was asked for.
    upgrade: Arc<Mutex<Option<Upgrade>>>,
    /// It came to the admin endpoint.
    pub(crate) steering: Arc<AtomicBool>,
}

/// A WebSocket that was asked for.
struct Upgrade {
    upgrade: OnUpgrade,
    _busy: Busy,
    fence: Option<Fence>,
}

/// Serves one client until it goes, or this future is dropped.
pub(crate) async fn serve(
    socket: TcpStream,
    state: DevWalletState,
    methods: Arc<Methods>,
    steering: Arc<AtomicBool>,
) {
    state.until_frozen(false).await;
    if socket.set_nodelay(true).is_err() {
        return;
    }
    let (number, keep_alive, meddling) = state.change(|inner| {
        inner.connections_made += 1;
        let meddling = inner.faults.meddling();
        (inner.connections_made, inner.gateway.keep_alive, meddling)
    });
    let line = Line {
        number,
        meddling: Arc::new(meddling),
        peer: socket.peer_addr().ok().map(|it| it.ip().to_canonical()),
        activity: Arc::new(Activity::new()),
        upgrade: Arc::default(),
        steering,
    };
    let _open = Open::new(&state, &line);
    let wire = Wire::new(socket, Arc::clone(&line.meddling));
    let service = service_fn(|request| answer(request, state.clone(), line.clone(), keep_alive));
    {
        let connection = http1::Builder::new()
            .keep_alive(true)
            .header_read_timeout(None)
            .serve_connection(TokioIo::new(wire), service)
            .with_upgrades();
        let mut connection = pin!(connection);
        tokio::select! {
            ended = connection.as_mut() => {
                if let Err(problem) = ended {
                    tracing::debug!(%problem, connection = number, "connection broke");
                }
            }
            // Never polled again: sockets are neither read nor written. Once it is lifted, the
            // connection ends.
            () = state.until_frozen(true) => {
                state.until_frozen(false).await;
                return;
            }
            () = line.activity.over(keep_alive, &line.steering) => {
                connection.as_mut().graceful_shutdown();
                connection.await.ok();
            }
        }
    }
    let upgrade = {
        let mut upgrade = line.upgrade.lock().unwrap_or_else(PoisonError::into_inner);
        upgrade.take()
    };
    let Some(Upgrade {
        upgrade,
        _busy,
        fence,
    }) = upgrade
    else {
        return;
    };
    match upgrade.await {
        Ok(upgraded) => {
            state.lock().opens_under(fence.as_ref());
            let client = Client { number, fence };
            connection::serve(TokioIo::new(upgraded), client, state, methods).await;
        }
        Err(problem) => tracing::debug!(%problem, "no handshake"),
    }
}

/// A connection as others see it, for as long as it stands.
struct Open {
    state: DevWalletState,
    number: u64,
}

impl Open {
    fn new(state: &DevWalletState, line: &Line) -> Self {
        let handle = Handle {
            meddling: Arc::clone(&line.meddling),
            activity: Arc::clone(&line.activity),
        };
        state.change(|inner| inner.lines.insert(line.number, handle));
        Self {
            state: state.clone(),
            number: line.number,
        }
    }
}

impl Drop for Open {
    fn drop(&mut self) {
        self.state.change(|inner| inner.lines.remove(&self.number));
    }
}

/// What others may do to a connection.
#[derive(Clone, Debug)]
pub(crate) struct Handle {
    pub(crate) meddling: Arc<Meddling>,
    activity: Arc<Activity>,
}

impl Handle {
    /// Closes it as soon as nothing is being answered.
    pub(crate) fn close(&self) {
        self.activity.close();
    }

    /// Whether nothing is being answered.
    pub(crate) fn is_idle(&self) -> bool {
        self.activity.is_idle()
    }
}

async fn answer(
    request: Request<Incoming>,
    state: DevWalletState,
    line: Line,
    keep_alive: Duration,
) -> Result<Response<Payload>, Broken> {
    line.activity.begun();
    let mut busy = Busy {
        activity: Arc::clone(&line.activity),
        then_close: false,
    };
    if is_upgrade_request(&request) && !super::is_taken(request.uri().path()) {
        return Ok(shake_hands(request, &line, busy));
    }
    // Goes on when the connection breaks: a wallet executes what it has.
    let answering = tokio::spawn(super::route(request, state, line));
    let reply = answering.await.map_err(|_| Broken)??;
    let Reply {
        mut response,
        then_close,
    } = reply;
    busy.then_close = then_close;
    let seconds = keep_alive.as_secs();
    if !response.headers().contains_key(CONNECTION)
        && let Ok(timeout) = HeaderValue::from_str(&format!("timeout={seconds}"))
    {
        let name = HeaderName::from_static("keep-alive");
        response.headers_mut().insert(name, timeout);
    }
    response.body_mut().busy = Some(busy);
    Ok(*response)
}

fn shake_hands(mut request: Request<Incoming>, line: &Line, busy: Busy) -> Response<Payload> {
    let fence = request.headers().get(fences::HEADER);
    let Ok(fence) = Fence::read(fence.map(HeaderValue::as_bytes)) else {
        return *Reply::text(400, format!("{}\n", Malformed::TEXT)).response;
    };
    match Handshake::new().receive_request(&request) {
        Ok(accepted) => {
            let upgrade = hyper::upgrade::on(&mut request);
            let mut slot = line.upgrade.lock().unwrap_or_else(PoisonError::into_inner);
            *slot = Some(Upgrade {
                upgrade,
                _busy: busy,
                fence,
            });
            accepted.map(|()| Payload::whole(""))
        }
        Err(problem) => {
            tracing::debug!(%problem, "no handshake");
            *Reply::text(400, "this is no WebSocket handshake\n").response
        }
    }
}
