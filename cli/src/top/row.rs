//! One session as the live view knows it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{ManagerEvent, ManagerEventKind, SessionKey};
use moorline::store::RecordName;
use moorline::{EventKind, Snapshot, Status, Timestamp};

use super::words;
use crate::describe::short;

/// How many of its last events a session keeps.
const EVENTS: usize = 50;

/// Over how many seconds a rate is taken.
const RATE_SECONDS: u64 = 10;

/// What sessions are told apart by.
#[derive(Clone, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum RowId {
    /// A session of a manager.
    Key(Arc<SessionKey>),
    /// A session whose account is not known yet, by its number.
    Pending(u64),
    /// A record.
    Record(RecordName),
}

/// What a session is up to, the most urgent first.
#[derive(Clone, Copy, Debug, Eq, Hash, Ord, PartialEq, PartialOrd)]
pub(crate) enum Phase {
    Reconnecting,
    Connecting,
    Unreadable,
    Disconnected,
    Expired,
    Connected,
    /// Another process acts for it.
    Elsewhere,
    /// A record of a session that the user wants connected.
    Stored,
    Ended,
}

impl Phase {
    pub(crate) const ALL: [Self; 9] = [
        Self::Connected,
        Self::Reconnecting,
        Self::Connecting,
        Self::Disconnected,
        Self::Elsewhere,
        Self::Stored,
        Self::Expired,
        Self::Ended,
        Self::Unreadable,
    ];

    pub(crate) fn name(self) -> &'static str {
        match self {
            Self::Connected => "connected",
            Self::Connecting => "connecting",
            Self::Reconnecting => "reconnecting",
            Self::Disconnected => "disconnected",
            Self::Elsewhere => "elsewhere",
            Self::Stored => "stored",
            Self::Expired => "expired",
            Self::Ended => "ended",
            Self::Unreadable => "unreadable",
        }
    }
}

/// What is known of a session now.
#[derive(Clone, Debug)]
pub(crate) struct Facts {
    pub(crate) phase: Phase,
    /// Why it is in this phase, where there is something to say.
    pub(crate) why: String,
    /// Whom it acts for, or what it is called where that is not known.
    pub(crate) account: String,
    pub(crate) label: Option<String>,
    pub(crate) network: Option<String>,
    pub(crate) provider: Option<String>,
    /// Where its wallet is.
    pub(crate) place: Option<String>,
    /// How many operations wait for the connection.
    pub(crate) queue: usize,
    pub(crate) expires_at: Option<Timestamp>,
    pub(crate) last_active: Option<Timestamp>,
    pub(crate) revision: Option<u64>,
    pub(crate) active: bool,
    pub(crate) snapshot: Option<Arc<Snapshot>>,
}

impl Facts {
    /// Nothing but a name.
    pub(crate) fn named(account: impl Into<String>) -> Self {
        Self {
            phase: Phase::Connecting,
            why: String::new(),
            account: account.into(),
            label: None,
            network: None,
            provider: None,
            place: None,
            queue: 0,
            expires_at: None,
            last_active: None,
            revision: None,
            active: false,
            snapshot: None,
        }
    }

    pub(crate) fn with_snapshot(mut self, snapshot: Arc<Snapshot>) -> Self {
        let (phase, why) = match snapshot.status {
            Status::Connected => (Phase::Connected, ""),
            Status::Connecting => (Phase::Connecting, ""),
            Status::Reconnecting { cause } => (Phase::Reconnecting, cause.as_str()),
            Status::Disconnected { reason } => (Phase::Disconnected, reason.as_str()),
            _ => (Phase::Unreadable, ""),
        };
        (self.phase, self.why) = (phase, why.to_owned());
        self.expires_at = snapshot.expires_at;
        self.snapshot = Some(snapshot);
        self
    }

    /// What people call it.
    pub(crate) fn title(&self) -> String {
        match &self.label {
            Some(label) => label.clone(),
            None => short(&self.account),
        }
    }
}

/// Something that happened.
#[derive(Clone, Debug)]
pub(crate) struct Happening {
    pub(crate) at: Timestamp,
    /// To which session.
    pub(crate) row: Option<RowId>,
    pub(crate) what: What,
}

/// What happened. Put into words when it is shown.
#[derive(Clone, Debug)]
pub(crate) enum What {
    Event(Arc<ManagerEvent>),
    Text(&'static str, String),
}

impl Happening {
    pub(crate) fn name(&self) -> &str {
        match &self.what {
            What::Text(name, _) => name,
            What::Event(event) => words::name(&event.kind),
        }
    }

    pub(crate) fn text(&self) -> String {
        match &self.what {
            What::Text(_, text) => text.clone(),
            What::Event(event) => words::text(&event.kind),
        }
    }
}

/// The next attempt, and when it begins.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) struct Wait {
    pub(crate) attempt: u32,
    pub(crate) until: Timestamp,
}

/// One session.
#[derive(Clone, Debug)]
pub(crate) struct Row {
    pub(crate) facts: Facts,
    /// Its title as it is sorted: put down, as thousands are sorted at a time.
    order: String,
    pub(crate) wait: Option<Wait>,
    pub(crate) rate: Rate,
    pub(crate) events: VecDeque<Happening>,
}

impl Row {
    pub(crate) fn new(facts: Facts) -> Self {
        Self {
            order: facts.title().to_lowercase(),
            facts,
            wait: None,
            rate: Rate::default(),
            events: VecDeque::new(),
        }
    }

    /// What it stands by in the order of accounts.
    pub(crate) fn order(&self) -> &str {
        &self.order
    }

    /// What is known of it now.
    pub(crate) fn update(&mut self, facts: Facts) {
        let last = self.facts.last_active.max(facts.last_active);
        self.order = facts.title().to_lowercase();
        self.facts = facts;
        self.facts.last_active = last;
        self.settle();
    }

    /// It acts for somebody else from now on.
    pub(crate) fn rename(&mut self, account: String) {
        self.facts.account = account;
        self.order = self.facts.title().to_lowercase();
    }

    pub(crate) fn happened(&mut self, happening: Happening) {
        if let What::Event(event) = &happening.what
            && let ManagerEventKind::Session { event } = &event.kind
        {
            self.follow(&event.kind, happening.at);
        }
        self.rate.count(happening.at);
        let last = self.facts.last_active.unwrap_or(Timestamp::EPOCH);
        self.facts.last_active = Some(last.max(happening.at));
        if self.events.len() == EVENTS {
            self.events.pop_front();
        }
        self.events.push_back(happening);
    }

    /// What an event says of the next attempt. What does not concern it leaves it as it is.
    fn follow(&mut self, kind: &EventKind, at: Timestamp) {
        match kind {
            EventKind::ReconnectScheduled { attempt, delay_ms }
            | EventKind::ReconnectDeferred { attempt, delay_ms } => {
                self.wait = Some(Wait {
                    attempt: *attempt,
                    until: at.saturating_add(Duration::from_millis(*delay_ms)),
                });
            }
            EventKind::ReconnectAttempt { .. }
            | EventKind::ReconnectSucceeded { .. }
            | EventKind::ReconnectGaveUp { .. }
            | EventKind::Connecting
            | EventKind::Connected { .. }
            | EventKind::Disconnected { .. }
            | EventKind::ReauthStarted { .. } => self.wait = None,
            _ => {}
        }
    }

    /// What was missed may have ended the wait.
    fn settle(&mut self) {
        if !matches!(self.facts.phase, Phase::Connecting | Phase::Reconnecting) {
            self.wait = None;
        }
    }

    /// What is to be known beside the phase.
    pub(crate) fn note(&self, now: Timestamp) -> String {
        match self.wait {
            Some(wait) if wait.until <= now => format!("try {} now", wait.attempt),
            Some(wait) => {
                let left = wait.until.saturating_since(now);
                format!("try {} in {}", wait.attempt, countdown(left))
            }
            None => self.facts.why.clone(),
        }
    }
}

/// How often something happens.
#[derive(Clone, Copy, Debug, Default)]
pub(crate) struct Rate {
    second: u64,
    counts: [u32; RATE_SECONDS as usize],
}

impl Rate {
    pub(crate) fn count(&mut self, at: Timestamp) {
        let second = at.as_millis() / 1000;
        if second > self.second {
            let passed = (second - self.second).min(RATE_SECONDS);
            for later in second + 1 - passed..=second {
                self.counts[(later % RATE_SECONDS) as usize] = 0;
            }
            self.second = second;
        }
        if second + RATE_SECONDS > self.second {
            let count = &mut self.counts[(second % RATE_SECONDS) as usize];
            *count = count.saturating_add(1);
        }
    }

    /// Events a second, over the last ten.
    pub(crate) fn per_second(&self, now: Timestamp) -> f64 {
        let now = (now.as_millis() / 1000).max(self.second);
        let first = (now + 1).saturating_sub(RATE_SECONDS);
        let seconds = first..=self.second;
        let count: u64 = seconds
            .map(|second| u64::from(self.counts[(second % RATE_SECONDS) as usize]))
            .sum();
        count as f64 / RATE_SECONDS as f64
    }
}

/// From how many seconds on a wait is no longer shown to a tenth of one.
const TENTHS: u64 = 10;

impl Wait {
    /// Whether it is shown to a tenth of a second, now or by the next second.
    pub(crate) fn is_soon(self, now: Timestamp) -> bool {
        self.until > now && self.until.saturating_since(now).as_secs() <= TENTHS
    }
}

/// How long it is until something happens, to a tenth of a second when it is soon.
pub(crate) fn countdown(left: Duration) -> String {
    match left.as_secs() {
        0..TENTHS => format!("{:.1}s", left.as_secs_f64()),
        _ => brief(left),
    }
}

/// A time in its largest unit.
pub(crate) fn brief(time: Duration) -> String {
    match time.as_secs() {
        seconds @ 0..100 => format!("{seconds}s"),
        seconds @ 100..6_000 => format!("{}m", seconds / 60),
        seconds @ 6_000..172_800 => format!("{}h", seconds / 3_600),
        seconds => format!("{}d", seconds / 86_400),
    }
}
