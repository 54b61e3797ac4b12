//! Everything that surrounds a session while a scenario is played.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::clock::{Clock, SystemClock, VirtualClock};
use moorline::policy::ReconnectBudget;
use moorline::session::EventStream;
use moorline::sync::{Bus, LocalBus, Notice, StoreBus};
use moorline::{Provider, Session, Snapshot, Timestamp};
use moorline_scripted::{Arranged, Arrangement, Control, Flying, ScriptedWallet, What, Wire};
use serde_json::Value;
use tokio::task::AbortHandle;
use tokio::time::Instant;

use super::command::{WalletCommand, WalletControl};
use super::hooks::ScriptedHook;
use super::live::ProviderFactory;
use super::matching::Times;
use super::named::Named;
use super::pace::{Pace, Stillness};
use super::recorder::{Log, record};
use super::second::Second;
use super::store::{RECORD, ScriptedStore};
use crate::model::{Check, Expect, Restart, Scenario};

/// When virtual time begins.
const START: u64 = 1_767_225_600_000;

pub(super) struct World<'s> {
    pub(super) scenario: &'s Scenario,
    pub(super) pace: Pace,
    pub(super) start: Timestamp,
    pub(super) clock: Option<Arc<VirtualClock>>,
    pub(super) side: Side<'s>,
    pub(super) store: ScriptedStore,
    /// A second process on the same store and wallet, where the store is shared.
    pub(super) second: Option<Second>,
    pub(super) other: Box<dyn Bus>,
    pub(super) notices: Arc<Mutex<Vec<Notice>>>,
    pub(super) reauth: Option<ScriptedHook>,
    pub(super) invalidate: Option<ScriptedHook>,
    pub(super) session: Option<Session>,
    pub(super) log: Log,
    pub(super) started: Vec<Started>,
    pub(super) subscribers: BTreeMap<String, Subscriber>,
    pub(super) kept: BTreeMap<String, (Arc<Snapshot>, Value)>,
    pub(super) looked: Looked,
    /// What the provider calls itself.
    pub(super) kind: String,
    /// Whether time may pass after the end, to see that nothing happens then.
    pub(super) watched_afterwards: bool,
    /// Operations submitted to the present session.
    pub(super) submitted: u64,
    sessions: usize,
    seed: u64,
    origin: Instant,
    bus: LocalBus,
    budget: Option<ReconnectBudget>,
}

/// The wallet's side of the world.
pub(super) enum Side<'s> {
    Scripted(Arc<dyn Provider>, Control),
    Live(Live<'s>),
}

/// A live wallet: who makes providers for it, who controls it, and what keeps count of calls.
pub(super) struct Live<'s> {
    factory: &'s ProviderFactory,
    pub(super) control: Option<Arc<dyn WalletControl>>,
    front: Control,
    flying: Flying,
    /// What it said it has executed, by method.
    executed: BTreeMap<String, u64>,
}

/// Arranges with a live wallet what scripts say.
struct ByControl(Arc<dyn WalletControl>);

impl Wire for ByControl {
    fn arrange<'a>(&'a self, call: &'a What, how: Arrangement) -> Arranged<'a> {
        self.0.carry_out(WalletCommand::Arrange(call.clone(), how))
    }
}

/// A subscriber that reads only when it is looked at.
pub(super) struct Subscriber {
    pub(super) events: EventStream,
    pub(super) missed: u64,
}

/// How far the expectations before have looked.
#[derive(Clone, Copy, Debug, Default)]
pub(super) struct Looked {
    pub(super) events: usize,
    pub(super) calls: usize,
    pub(super) notices: usize,
    pub(super) invalidations: usize,
}

/// A command or an operation that was started.
pub(super) struct Started {
    /// As the scenario calls it; nothing if the step waited for it itself.
    pub(super) name: Option<String>,
    /// What it is, for people.
    pub(super) what: String,
    /// The number of the operation, and of the session it was submitted to.
    pub(super) operation: Option<(usize, u64)>,
    pub(super) result: Arc<Mutex<Option<(Value, Duration)>>>,
    pub(super) task: AbortHandle,
}

impl Started {
    pub(super) fn result(&self) -> Option<(Value, Duration)> {
        let result = self.result.lock().unwrap_or_else(PoisonError::into_inner);
        result.clone()
    }
}

fn scripted_wallet(scenario: &Scenario, start: Timestamp) -> ScriptedWallet {
    let setup = &scenario.wallet;
    ScriptedWallet::new()
        .account_list(setup.accounts.clone())
        .network(setup.network.clone())
        .link(setup.link)
        .expires_at(setup.expires_in.map(|after| start.saturating_add(after)))
        .capabilities(setup.capabilities)
}

impl<'s> World<'s> {
    /// A world in virtual time. Call it on the paused runtime.
    pub(super) fn scripted(scenario: &'s Scenario, seed: u64, stillness: Stillness) -> Self {
        let start = Timestamp::from_millis(START);
        let mut wallet = scripted_wallet(scenario, start);
        for (call, script) in &scenario.wallet.on {
            wallet = wallet.on(call.clone(), script.clone());
        }
        let (provider, control) = wallet.build();
        let side = Side::Scripted(Arc::new(provider), control);
        let clock = Arc::new(VirtualClock::starting_at(start));
        let mut world = Self::new(
            scenario,
            seed,
            Pace::Virtual(stillness),
            start,
            Some(clock),
            side,
        );
        if scenario.session.shared {
            let (provider, control) = scripted_wallet(scenario, start).build();
            let store = world.store.elsewhere();
            world.second = Some(Second::new(Arc::new(provider), control, store));
        }
        world
    }

    /// A world around a live wallet.
    pub(super) fn live(
        scenario: &'s Scenario,
        seed: u64,
        pace: Pace,
        stepped: bool,
        factory: &'s ProviderFactory,
        control: Option<Arc<dyn WalletControl>>,
    ) -> Self {
        let start = SystemClock.wall();
        let mut wallet = ScriptedWallet::new();
        for (call, script) in &scenario.wallet.on {
            wallet = wallet.on(call.clone(), script.clone());
        }
        let flying = match &pace {
            Pace::Stepped { flying, .. } => flying.clone(),
            _ => Flying::default(),
        };
        let side = Side::Live(Live {
            factory,
            control,
            front: wallet.build().1,
            flying,
            executed: BTreeMap::new(),
        });
        let clock = Arc::new(VirtualClock::starting_at(start));
        let mut world = Self::new(scenario, seed, pace, start, Some(clock), side);
        world.watched_afterwards = stepped;
        world
    }

    fn new(
        scenario: &'s Scenario,
        seed: u64,
        pace: Pace,
        start: Timestamp,
        clock: Option<Arc<VirtualClock>>,
        side: Side<'s>,
    ) -> Self {
        let setup = &scenario.session;
        let bus = LocalBus::new();
        let other: Box<dyn Bus> = Box::new(bus.member());
        let notices = Arc::new(Mutex::new(Vec::new()));
        let heard = notices.clone();
        other.subscribe(Box::new(move |notice| {
            heard
                .lock()
                .unwrap_or_else(PoisonError::into_inner)
                .push(notice);
            true
        }));
        Self {
            scenario,
            pace,
            start,
            clock,
            side,
            store: ScriptedStore::default(),
            second: None,
            other,
            notices,
            reauth: setup.reauth.as_ref().map(ScriptedHook::new),
            invalidate: setup.invalidate.as_ref().map(ScriptedHook::new),
            session: None,
            log: Log::default(),
            started: Vec::new(),
            subscribers: BTreeMap::new(),
            kept: BTreeMap::new(),
            looked: Looked::default(),
            kind: "scripted".into(),
            watched_afterwards: true,
            submitted: 0,
            sessions: 0,
            seed,
            origin: Instant::now(),
            bus,
            budget: setup
                .budget
                .map(|(rate, burst)| ReconnectBudget::per_second(rate, burst)),
        }
    }

    /// The time since the start.
    pub(super) fn elapsed(&self) -> Duration {
        self.origin.elapsed()
    }

    pub(super) fn origin(&self) -> Instant {
        self.origin
    }

    /// The wall clock.
    pub(super) fn now(&self) -> Timestamp {
        match &self.clock {
            Some(clock) => clock.wall(),
            None => SystemClock.wall(),
        }
    }

    pub(super) fn control(&self) -> Option<&Control> {
        match &self.side {
            Side::Scripted(_, control) => Some(control),
            Side::Live(live) => Some(&live.front),
        }
    }

    /// Who controls the wallet, where it is a live one.
    pub(super) fn live_control(&self) -> Option<Arc<dyn WalletControl>> {
        match &self.side {
            Side::Scripted(..) => None,
            Side::Live(live) => live.control.clone(),
        }
    }

    /// How far times may be from what is expected.
    pub(super) fn tolerance(&self) -> Duration {
        match self.live_control() {
            Some(control) if !control.lag().is_zero() => Duration::from_millis(100),
            _ => Duration::ZERO,
        }
    }

    /// Whether a time is as expected.
    pub(super) fn is_time(&self, wanted: Duration, seen: Duration) -> bool {
        wanted.abs_diff(seen) <= self.tolerance()
    }

    /// What times in expectations are counted from.
    pub(super) fn times(&self) -> Times {
        Times {
            start: self.start,
            tolerance: self.tolerance(),
        }
    }

    pub(super) fn is_live(&self) -> bool {
        matches!(self.side, Side::Live(_))
    }

    /// How often the wallet executed requests of a method.
    pub(super) fn executions(&self, method: &str) -> u64 {
        match &self.side {
            Side::Scripted(_, control) => control.executions(method),
            Side::Live(live) => live.executed.get(method).copied().unwrap_or_default(),
        }
    }

    /// Asks a live wallet what it has executed, as far as that is expected.
    pub(super) async fn ask_what_was_executed(&mut self, expect: &[Expect]) -> Result<(), String> {
        let Side::Live(live) = &mut self.side else {
            return Ok(());
        };
        for expect in expect {
            if let Check::Executed(method, _) = &expect.check {
                let control = live.control.clone().ok_or("nobody controls this wallet")?;
                let executed = control.executed(method).await?;
                let executed = executed.ok_or("the wallet does not tell what it executed")?;
                live.executed.insert(method.clone(), executed);
            }
        }
        Ok(())
    }

    pub(super) fn find(&self, name: &str) -> Option<&Started> {
        self.started
            .iter()
            .find(|started| started.name.as_deref() == Some(name))
    }

    /// Which session object this is, counted from 1.
    pub(super) fn session_number(&self) -> usize {
        self.sessions
    }

    /// Builds a session in the place of the one before.
    pub(super) fn build_session(&mut self) -> Result<(), String> {
        let provider = match &self.side {
            Side::Scripted(provider, _) => provider.clone(),
            Side::Live(live) => {
                let mut provider = (live.factory)()?;
                provider.kind().clone_into(&mut self.kind);
                if let Some(control) = &live.control {
                    provider = Arc::new(Named::new(provider, control.clone()));
                }
                let wire = live
                    .control
                    .clone()
                    .map(|it| Arc::new(ByControl(it)) as Arc<dyn Wire>);
                Arc::new(live.front.in_front_of(provider, wire, &live.flying))
            }
        };
        let setup = &self.scenario.session;
        let mut builder = Session::builder_dyn(provider)
            .policy(self.scenario.policy.clone())
            .seed(self.seed.wrapping_add(self.sessions as u64))
            .label(self.scenario.name.as_str())
            .event_capacity(setup.event_capacity);
        if let Some(clock) = &self.clock {
            builder = builder.clock_dyn(clock.clone());
        }
        if setup.shared {
            let bus = StoreBus::new(Arc::new(self.store.clone()));
            builder = builder.shared(&bus.map_err(|error| error.to_string())?, RECORD);
        } else if setup.store {
            builder = builder.store(self.store.clone(), RECORD);
        }
        if setup.bus {
            builder = builder.bus(self.bus.member());
        }
        if let Some(budget) = &self.budget {
            builder = builder.budget(budget.clone());
        }
        if let Some(hook) = &self.reauth {
            let (hook, control) = (hook.clone(), self.control().cloned());
            let (clock, live) = (self.clock.clone(), self.live_control());
            builder = builder.on_reauth(move |reauth| {
                let (control, clock, live) = (control.clone(), clock.clone(), live.clone());
                hook.clone()
                    .reauthenticate(reauth, async move |credentials| {
                        let at = |after| {
                            clock
                                .as_ref()
                                .map(|clock| clock.wall().saturating_add(after))
                        };
                        let until = credentials.and_then(at);
                        if let Some(live) = live {
                            // A session that was not ended comes to no harm.
                            live.carry_out(WalletCommand::Admit(until)).await.ok();
                        } else if let Some(control) = control {
                            control.set_revoked(false);
                            if until.is_some() {
                                control.set_expiry(until);
                            }
                        }
                    })
            });
        }
        if let Some(hook) = &self.invalidate {
            let hook = hook.clone();
            builder = builder.on_invalidate(move |what| hook.clone().invalidate(what));
        }
        let session = builder.build().map_err(|error| error.to_string())?;
        self.sessions += 1;
        self.submitted = 0;
        record(&session, &self.log, &self.pace, self.sessions, self.origin);
        self.session = Some(session);
        Ok(())
    }

    /// Drops the last handle and the futures of everything that is under way.
    pub(super) async fn drop_session(&mut self) {
        for started in &self.started {
            if started.result().is_none() {
                started.task.abort();
            }
        }
        self.pace.settle().await;
        self.session = None;
        self.pace.settle().await;
    }

    pub(super) async fn restart(&mut self, how: Restart) -> Result<(), String> {
        if how == Restart::Close
            && let Some(session) = &self.session
        {
            let close = tokio::time::timeout(Duration::from_secs(600), session.close());
            let closed = self.pace.guard(close).await;
            if !matches!(closed, Some(Ok(()))) {
                return Err("`close` was not answered within 10m".into());
            }
            self.pace.settle().await;
        }
        self.drop_session().await;
        self.store.reopen();
        self.build_session()
    }
}
