//! What a manager of this process tells the live view.

use std::collections::{BTreeSet, HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use futures_util::future::join_all;
use moorline::manager::{
    CloseReason, ManagedSession, ManagerEvent, ManagerEventKind, ManagerItem, RestoreReport,
    Restored, SessionKey,
};
use moorline::{EventKind, Provider, SessionManager};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;

use super::model::Input;
use super::row::{Facts, Happening, Phase, RowId, What};
use crate::accounts::stored::StoredSession;
use crate::sessions::person;

/// How many events a manager keeps for the view: it reads them many at a time.
pub(super) const CAPACITY: usize = 16 * 1024;

/// The most that is told at a time, and how long is waited for more.
const BATCH: usize = 8 * 1024;
const PAUSE: Duration = Duration::from_millis(50);

/// What users call accounts, and where their wallets are.
pub(super) type Names = HashMap<SessionKey, (Option<String>, Option<String>)>;

pub(super) fn names(stored: &[StoredSession]) -> Names {
    let named = stored.iter().filter_map(|it| {
        let name = (it.label.clone(), it.place.clone());
        Some((it.key.clone()?, name))
    });
    named.collect()
}

/// Something to be read in the list of events.
pub(super) fn text(name: &'static str, text: String) -> Input {
    Input::Happened(Happening {
        at: person::now(),
        row: None,
        what: What::Text(name, text),
    })
}

/// Stored accounts that are not there after a restore.
pub(super) fn not_restored(report: &RestoreReport, stored: &[StoredSession]) -> Vec<Input> {
    let there = |session: &StoredSession| {
        let key = session.key.clone().map(Arc::new);
        let mut found = report.sessions.iter();
        let found = found.find(|it| it.record == session.name)?;
        match &found.restored {
            Restored::Session { .. } => None,
            Restored::HeldElsewhere { holder } => {
                Some((key, Phase::Elsewhere, format!("held by {holder}")))
            }
            restored => {
                let why = crate::accounts::describe_restored(restored);
                Some((key, Phase::Unreadable, why))
            }
        }
    };
    let missing = stored.iter().filter_map(|it| Some((it, there(it)?)));
    let inputs = missing.map(|(session, (key, phase, why))| {
        let id = match key {
            Some(key) => RowId::Key(key),
            None => RowId::Record(session.name.clone()),
        };
        let account = match &session.key {
            Some(key) => key.account.to_string(),
            None => session.name.to_string(),
        };
        let facts = Facts {
            phase,
            why,
            label: session.label.clone(),
            ..Facts::named(account)
        };
        Input::Session(id, Box::new(facts))
    });
    inputs.collect()
}

/// Logs in everywhere at once.
pub(super) async fn log_in(
    manager: &SessionManager,
    providers: Vec<(String, Arc<dyn Provider>)>,
) -> Vec<Input> {
    let logins = providers.into_iter().map(|(place, provider)| async move {
        let error = manager.login_dyn(provider, false).await.err()?;
        Some(text("login:failed", format!("{place}: {error}")))
    });
    let failed = join_all(logins).await.into_iter().flatten();
    let mut news: Vec<_> = failed.collect();
    news.push(Input::LoginsOver);
    news
}

/// Tells all that happens, and what each session is after it, until nobody listens.
pub(super) async fn follow(
    manager: SessionManager,
    names: Names,
    inputs: Sender<Vec<Input>>,
    resync: Arc<Notify>,
) {
    let mut events = manager.events();
    let mut batch = Batch::new(&manager, &names);
    batch.everything = true;
    loop {
        while batch.inputs.len() < BATCH
            && let Some(item) = events.try_next()
        {
            batch.take(item);
        }
        if inputs.send(batch.finish()).await.is_err() {
            return;
        }
        tokio::time::sleep(PAUSE).await;
        tokio::select! {
            item = events.next() => match item {
                Some(item) => batch.take(item),
                None => return,
            },
            () = resync.notified() => batch.everything = true,
            () = inputs.closed() => return,
        }
    }
}

/// What is told at a time.
struct Batch<'a> {
    manager: &'a SessionManager,
    names: &'a Names,
    inputs: Vec<Input>,
    touched: BTreeSet<Arc<SessionKey>>,
    everything: bool,
    /// Sessions whose account is not known yet.
    pending: HashSet<u64>,
    /// Sessions that another process holds.
    elsewhere: BTreeSet<Arc<SessionKey>>,
}

impl<'a> Batch<'a> {
    fn new(manager: &'a SessionManager, names: &'a Names) -> Self {
        Self {
            manager,
            names,
            inputs: Vec::new(),
            touched: BTreeSet::new(),
            everything: false,
            pending: HashSet::new(),
            elsewhere: BTreeSet::new(),
        }
    }

    fn take(&mut self, item: ManagerItem) {
        match item {
            ManagerItem::Event(event) => self.event(event),
            ManagerItem::Missed(missed) => {
                self.inputs.push(Input::Missed(missed));
                self.everything = true;
            }
        }
    }

    fn event(&mut self, event: Arc<ManagerEvent>) {
        let number = event.session;
        let row = match &event.key {
            Some(key) => {
                let to = RowId::Key(key.clone());
                if self.pending.remove(&number) {
                    let from = RowId::Pending(number);
                    self.rename(from, to.clone());
                }
                if let ManagerEventKind::Rekeyed { previous } = &event.kind {
                    self.rename(RowId::Key(previous.clone()), to.clone());
                }
                match &event.kind {
                    ManagerEventKind::Closed {
                        reason: CloseReason::LeaseLost,
                        ..
                    } => {
                        self.elsewhere.insert(key.clone());
                    }
                    ManagerEventKind::Revoked { .. } => {
                        self.elsewhere.remove(key);
                    }
                    _ => {}
                }
                self.touched.insert(key.clone());
                Some(to)
            }
            None if number == 0 => None,
            None => Some(self.pending(number, &event)),
        };
        let active = match &event.kind {
            ManagerEventKind::ActiveChanged { current, .. } => Some(current.clone()),
            _ => None,
        };
        self.inputs.push(Input::Happened(Happening {
            at: event.at,
            row,
            what: What::Event(event),
        }));
        if let Some(active) = active {
            self.inputs.push(Input::Active(active.map(RowId::Key)));
        }
    }

    fn rename(&mut self, from: RowId, to: RowId) {
        self.inputs.push(Input::Renamed { from, to });
    }

    /// A login that is under way; all that is known of it is what it tells.
    fn pending(&mut self, number: u64, event: &ManagerEvent) -> RowId {
        self.pending.insert(number);
        let id = RowId::Pending(number);
        if let ManagerEventKind::Session { event } = &event.kind
            && let EventKind::Disconnected { reason, .. } = event.kind
        {
            let facts = Facts {
                phase: Phase::Disconnected,
                why: reason.as_str().to_owned(),
                ..Facts::named(format!("(login {number})"))
            };
            self.inputs
                .push(Input::Session(id.clone(), Box::new(facts)));
        }
        id
    }

    fn finish(&mut self) -> Vec<Input> {
        let active = self.manager.active().ok();
        let active = active.as_ref().map(ManagedSession::key);
        let facts = |session: &ManagedSession| {
            let facts = facts(session, self.names, active == Some(session.key()));
            Input::Session(RowId::Key(session.key().clone()), Box::new(facts))
        };
        if std::mem::take(&mut self.everything) {
            self.touched.clear();
            let sessions = self.manager.sessions();
            let keys = sessions.iter().map(|it| RowId::Key(it.key().clone()));
            let pending = self.pending.iter().map(|number| RowId::Pending(*number));
            let elsewhere = self.elsewhere.iter().cloned().map(RowId::Key);
            let all = keys.chain(pending).chain(elsewhere);
            self.inputs.push(Input::Only(all.collect()));
            self.inputs.extend(sessions.iter().map(facts));
        }
        for key in std::mem::take(&mut self.touched) {
            self.inputs.push(match self.manager.get(&*key) {
                Ok(session) => {
                    self.elsewhere.remove(&key);
                    facts(&session)
                }
                Err(_) if self.elsewhere.contains(&key) => {
                    let facts = Facts {
                        phase: Phase::Elsewhere,
                        ..known(&key, self.names)
                    };
                    Input::Session(RowId::Key(key), Box::new(facts))
                }
                Err(_) => Input::Gone(RowId::Key(key)),
            });
        }
        std::mem::take(&mut self.inputs)
    }
}

fn facts(session: &ManagedSession, names: &Names, active: bool) -> Facts {
    let known = known(session.key(), names);
    let label = session.about().label;
    let facts = Facts {
        label: label.map(|label| label.to_string()).or(known.label),
        queue: session.session().held_operations(),
        last_active: Some(session.last_active()),
        active,
        ..known
    };
    facts.with_snapshot(session.snapshot())
}

/// What is known of a session that is not here.
fn known(key: &SessionKey, names: &Names) -> Facts {
    let (label, place) = names.get(key).cloned().unwrap_or_default();
    Facts {
        label,
        place,
        network: key.network.as_ref().map(|network| network.to_string()),
        provider: Some(key.provider.to_string()),
        ..Facts::named(key.account.as_str())
    }
}
