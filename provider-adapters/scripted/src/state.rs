//! What the wallet remembers, shared by the provider and the control.

use std::collections::{BTreeMap, VecDeque};
use std::fmt;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use moorline::provider::{ErrorKind, EventSink, Live, ProviderEvent, ProviderPayload};
use moorline::sync::Fence;
use moorline::{Account, Epoch, NetworkId, NetworkLink, ProviderError, Timestamp};
use tokio::sync::oneshot;
use tokio::time::Instant;

use crate::behaviour::{Behaviour, On, Script};
use crate::traffic::{Call, Ending, What};

/// The wallet, shared.
#[derive(Clone)]
pub(crate) struct Wallet {
    origin: Instant,
    state: Arc<Mutex<State>>,
}

pub(crate) struct State {
    pub(crate) accounts: Vec<Account>,
    pub(crate) network: Option<NetworkId>,
    pub(crate) link: NetworkLink,
    pub(crate) expires_at: Option<Timestamp>,
    /// What the provider needs to be built again.
    pub(crate) payload: Result<Option<ProviderPayload>, ProviderError>,
    /// Whether the wallet no longer knows the session.
    pub(crate) revoked: bool,
    /// Whether a person has something to do.
    pub(crate) awaiting_user: bool,
    /// What every call fails with while the wallet is away.
    pub(crate) away: Option<ProviderError>,
    pub(crate) calls: Vec<Call>,
    pub(crate) executions: BTreeMap<String, u64>,
    /// What the session acts under.
    pub(crate) fence: Option<Fence>,
    /// The sinks of all epochs, oldest first.
    pub(crate) sinks: Vec<EventSink>,
    scripts: BTreeMap<On, VecDeque<(Behaviour, Option<u32>)>>,
    /// Calls that are not answered yet, by their place in `calls`.
    waiting: Vec<(usize, oneshot::Sender<Behaviour>)>,
}

/// A call that has begun: how it is to be treated, and who could change that.
pub(crate) struct Begun {
    pub(crate) behaviour: Behaviour,
    pub(crate) overruled: oneshot::Receiver<Behaviour>,
    pub(crate) live: Live,
    pub(crate) guard: Guard,
}

/// Records how a call ended; if nothing else did, its future was dropped.
pub(crate) struct Guard {
    wallet: Wallet,
    index: usize,
}

impl Wallet {
    pub(crate) fn new(state: State) -> Self {
        Self {
            origin: Instant::now(),
            state: Arc::new(Mutex::new(state)),
        }
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Says something through the latest connection. Nothing is locked meanwhile: whoever hears it
    /// may ask the wallet.
    pub(crate) fn push(&self, event: ProviderEvent) -> bool {
        let sink = self.lock().sinks.last().cloned();
        sink.is_some_and(|sink| sink.send(event))
    }

    /// The provider needs something else to be built again, and says so.
    pub(crate) fn change_payload(&self, payload: ProviderPayload) -> bool {
        self.lock().payload = Ok(Some(payload));
        self.push(ProviderEvent::PayloadChanged)
    }

    /// A call reached the wallet.
    pub(crate) fn begin(&self, what: What, epoch: Option<Epoch>) -> Begun {
        let at = self.origin.elapsed();
        let mut state = self.lock();
        let behaviour = state.next_behaviour(&what);
        if let What::Request { method, .. } = &what
            && behaviour.executes()
            && state.refusal().is_none()
        {
            *state.executions.entry(method.clone()).or_default() += 1;
        }
        let known = state.sinks.last().map(EventSink::epoch);
        let epoch = epoch.or(known).unwrap_or_default();
        let index = state.calls.len();
        let fence = state.fence.clone();
        state.calls.push(Call {
            number: index + 1,
            at,
            epoch,
            fence,
            what,
            ended: None,
        });
        let (overrule, overruled) = oneshot::channel();
        state.waiting.push((index, overrule));
        Begun {
            behaviour,
            overruled,
            live: state.live(),
            guard: Guard {
                wallet: self.clone(),
                index,
            },
        }
    }

    /// Has the oldest unanswered call of this kind treated so, now. `false` if there is none.
    pub(crate) fn overrule(&self, on: &On, behaviour: Behaviour) -> bool {
        let mut state = self.lock();
        let found = state
            .waiting
            .iter()
            .position(|(index, _)| state.calls[*index].what.is(on));
        let Some(found) = found else { return false };
        let (_, waiting) = state.waiting.remove(found);
        drop(state);
        waiting.send(behaviour).is_ok()
    }
}

impl fmt::Debug for Wallet {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Wallet").finish_non_exhaustive()
    }
}

impl Guard {
    pub(crate) fn end(&self, ending: Ending) {
        let at = self.wallet.origin.elapsed();
        let mut state = self.wallet.lock();
        state.waiting.retain(|(index, _)| *index != self.index);
        if let Some(call) = state.calls.get_mut(self.index) {
            call.ended.get_or_insert((ending, at));
        }
    }
}

impl Drop for Guard {
    fn drop(&mut self) {
        self.end(Ending::Dropped);
    }
}

impl State {
    pub(crate) fn new() -> Self {
        Self {
            accounts: vec![Account::primary("alice")],
            network: Some("canton:scripted".into()),
            link: NetworkLink::Up,
            expires_at: None,
            payload: Ok(None),
            revoked: false,
            awaiting_user: false,
            away: None,
            calls: Vec::new(),
            executions: BTreeMap::new(),
            fence: None,
            sinks: Vec::new(),
            scripts: BTreeMap::new(),
            waiting: Vec::new(),
        }
    }

    pub(crate) fn script(&mut self, on: On, script: Script) {
        self.scripts.insert(on, script.0.into());
    }

    pub(crate) fn forget_scripts(&mut self) {
        self.scripts.clear();
    }

    fn next_behaviour(&mut self, what: &What) -> Behaviour {
        let names = match what {
            What::Open { .. } => vec![On::Open],
            What::Probe => vec![On::Probe],
            What::Request { method, .. } => {
                vec![On::Method(method.clone().into()), On::Request]
            }
            What::Close(_) => vec![On::Close],
            What::Reauthenticate => vec![On::Reauthenticate],
        };
        names
            .iter()
            .find_map(|on| self.take(on))
            .unwrap_or_else(Behaviour::answer)
    }

    fn take(&mut self, on: &On) -> Option<Behaviour> {
        let script = self.scripts.get_mut(on)?;
        while let Some((behaviour, times)) = script.front_mut() {
            match times {
                None => return Some(behaviour.clone()),
                Some(0) => {
                    script.pop_front();
                }
                Some(times) => {
                    *times -= 1;
                    return Some(behaviour.clone());
                }
            }
        }
        None
    }

    /// What a wallet in this state says to anything but an interactive open, if it is "no".
    pub(crate) fn refusal(&self) -> Option<ProviderError> {
        if let Some(error) = &self.away {
            return Some(error.clone());
        }
        self.revoked.then(session_gone)
    }

    /// The truth.
    pub(crate) fn live(&self) -> Live {
        let mut live = Live::new(self.accounts.clone()).with_link(self.link);
        live.network.clone_from(&self.network);
        live.expires_at = self.expires_at;
        live
    }

    pub(crate) fn pending(&self) -> usize {
        self.calls
            .iter()
            .filter(|call| call.ended.is_none())
            .count()
    }
}

impl fmt::Debug for State {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("State")
            .field("accounts", &self.accounts)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

pub(crate) fn session_gone() -> ProviderError {
    ProviderError::new(
        ErrorKind::SessionGone,
        "the wallet does not know this session any more",
    )
    .answered()
}

pub(crate) fn waited(duration: Duration) -> bool {
    !duration.is_zero()
}
