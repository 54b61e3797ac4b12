//! The connection: whether it stands, and calls over it that end in time.

use std::future::Future;
use std::pin::pin;
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use async_nats::jetstream::{self, Context};
use async_nats::{Client, ConnectOptions, Event};
use futures_util::future::{Either, select};
use secrecy::ExposeSecret;
use tokio::sync::watch;
use tokio::time::{Instant, timeout, timeout_at};
use tokio_rustls::rustls::ClientConfig;

use super::address::{Address, Credentials};
use crate::store::backend::BackendError;
use crate::sync::engine::{Liveness, explain, retry_delay};

/// After this much silence the server is asked whether it is there.
const PING: Duration = Duration::from_secs(5);

/// How many acknowledgements may be awaited at once; more writes wait for theirs.
const IN_FLIGHT: usize = 4096;

/// Whether the connection stands, and how often it was lost.
#[derive(Clone, Copy, Debug)]
struct State {
    up: bool,
    losses: u64,
}

/// One connection that is kept: the client makes it again when it is lost.
pub(super) struct Link {
    client: Client,
    pub(super) context: Context,
    pub(super) timeout: Duration,
    /// The servers, for people.
    pub(super) place: String,
    state: watch::Receiver<State>,
    trouble: Arc<Mutex<String>>,
    liveness: Liveness,
    /// A connection that does not answer is given up once.
    giving_up: Arc<AtomicBool>,
}

impl Link {
    pub(super) async fn connect(
        address: Address,
        tls: ClientConfig,
        limit: Duration,
    ) -> Result<Self, BackendError> {
        let (sender, state) = watch::channel(State {
            up: true,
            losses: 0,
        });
        let trouble = Arc::new(Mutex::new(String::from("the connection was lost")));
        let giving_up = Arc::new(AtomicBool::new(false));
        let (tell, note, again) = (sender, trouble.clone(), giving_up.clone());
        let on_event = move |event: Event| {
            match event {
                Event::Connected => {
                    again.store(false, Ordering::Relaxed);
                    tell.send_modify(|state| state.up = true);
                }
                Event::Disconnected | Event::Closed => {
                    tell.send_modify(|state| {
                        state.up = false;
                        state.losses += 1;
                    });
                }
                Event::ServerError(_) | Event::ClientError(_) => {
                    *note.lock().unwrap_or_else(PoisonError::into_inner) = event.to_string();
                }
                _ => {}
            }
            std::future::ready(())
        };
        // The client's own limits are wider than ours, so that there is one that decides.
        let options = ConnectOptions::new()
            .name("moorline")
            .connection_timeout(limit)
            .request_timeout(Some(limit * 2))
            .ping_interval(PING)
            .tls_client_config(tls)
            .reconnect_delay_callback(|attempt| {
                retry_delay(u32::try_from(attempt).unwrap_or(u32::MAX))
            })
            .event_callback(on_event);
        let options = match &address.credentials {
            Credentials::None => options,
            Credentials::Token(token) => options.token(token.expose_secret().into()),
            Credentials::Password { user, password } => {
                options.user_and_password(user.clone(), password.expose_secret().into())
            }
        };
        let place = address.place;
        let connecting = options.connect(address.servers);
        let client = match timeout(limit, connecting).await {
            Ok(Ok(client)) => client,
            Ok(Err(error)) => {
                let reason = format!("{place} cannot be had: {}", explain(&error));
                return Err(BackendError::unavailable(reason));
            }
            Err(_) => {
                let reason = format!("{place} did not answer in time");
                return Err(BackendError::unavailable(reason));
            }
        };
        let context = jetstream::ContextBuilder::new()
            .timeout(limit * 2)
            .ack_timeout(limit * 2)
            .max_ack_inflight(IN_FLIGHT)
            .build(client.clone());
        Ok(Self {
            client,
            context,
            timeout: limit,
            place,
            state,
            trouble,
            liveness: Liveness::new(),
            giving_up,
        })
    }

    pub(super) fn deadline(&self) -> Instant {
        Instant::now() + self.timeout
    }

    /// The largest message that the server takes.
    pub(super) fn largest(&self) -> usize {
        self.client.max_payload()
    }

    pub(super) fn inbox(&self) -> String {
        self.client.new_inbox()
    }

    /// Waits until the connection stands, as long as it takes. Returns how often it was lost: what
    /// [`lost`](Self::lost) wants to know.
    pub(super) async fn up(&self) -> u64 {
        let mut state = self.state.clone();
        loop {
            let now = *state.borrow_and_update();
            if now.up {
                return now.losses;
            }
            if state.changed().await.is_err() {
                // The client ended with its runtime: nothing will come.
                std::future::pending::<()>().await;
            }
        }
    }

    /// Waits until the connection is lost that stood when it had been lost `losses` times.
    pub(super) async fn lost(&self, losses: u64) {
        let mut state = self.state.clone();
        while state.borrow_and_update().losses == losses {
            if state.changed().await.is_err() {
                std::future::pending::<()>().await;
            }
        }
    }

    /// Does something over the connection once it stands, until the deadline or until it is lost.
    /// `doubt` is said when the outcome is not known.
    pub(super) async fn call<T>(
        &self,
        deadline: Instant,
        doubt: &str,
        work: impl Future<Output = Result<T, BackendError>>,
    ) -> Result<T, BackendError> {
        let Ok(losses) = timeout_at(deadline, self.up()).await else {
            let trouble = self.trouble.lock().unwrap_or_else(PoisonError::into_inner);
            let reason = format!("there is no connection: {}: {trouble}", self.place);
            return Err(BackendError::unavailable(reason));
        };
        let asked = self.liveness.now();
        let (work, lost) = (pin!(work), pin!(self.lost(losses)));
        match timeout_at(deadline, select(work, lost)).await {
            Ok(Either::Left((result, _))) => {
                if !matches!(result, Err(BackendError::Unavailable { .. })) {
                    self.liveness.answer();
                }
                result
            }
            Ok(Either::Right(((), _))) => Err(BackendError::unavailable(format!(
                "the connection to {} was lost{doubt}",
                self.place
            ))),
            Err(_) => {
                self.suspect(asked).await;
                Err(BackendError::unavailable(format!(
                    "{} did not answer in time{doubt}",
                    self.place
                )))
            }
        }
    }

    /// Gives up a connection that answered nobody since a question, and makes another.
    async fn suspect(&self, asked: u64) {
        if self.liveness.silent_since(asked) && !self.giving_up.swap(true, Ordering::Relaxed) {
            tracing::debug!(
                place = self.place,
                "no answer: the connection is made again"
            );
            // If it cannot be asked to, it is gone.
            let _gone = self.client.force_reconnect().await;
        }
    }
}
