//! A second process: its own session, way to the wallet and bus, on the same store.

use std::sync::Arc;
use std::time::Duration;

use moorline::sync::StoreBus;
use moorline::{Provider, Session};
use moorline_scripted::{Control, On};

use super::check::{Rows, one, status_name};
use super::deeds::command_work;
use super::recorder::{Log, record};
use super::store::{RECORD, ScriptedStore};
use super::world::World;
use crate::model::{Command, SecondPattern, Utterance, WalletDeed};

/// How long a step waits for what it did itself.
const PATIENCE: Duration = Duration::from_secs(600);

pub(super) struct Second {
    /// Its connection to the wallet, and what is known of it there.
    provider: Arc<dyn Provider>,
    control: Control,
    store: ScriptedStore,
    session: Option<Session>,
    /// How often it was started.
    starts: usize,
    /// How its last command ended.
    result: String,
    log: Log,
}

impl Second {
    pub(super) fn new(provider: Arc<dyn Provider>, control: Control, store: ScriptedStore) -> Self {
        Self {
            provider,
            control,
            store,
            session: None,
            starts: 0,
            result: "none".into(),
            log: Log::default(),
        }
    }

    /// Its wallet is the same: what that has become shows here, too, to who asks.
    pub(super) fn wallet(&self, deed: &WalletDeed) {
        let utterance = match deed {
            WalletDeed::Set(utterance) => utterance,
            WalletDeed::Say(utterance, target, _) if !target.falsely => utterance,
            _ => return,
        };
        match utterance {
            Utterance::Accounts(accounts) => self.control.set_accounts(accounts.clone()),
            Utterance::Network(network) => self.control.set_network(Some(network.clone())),
            _ => {}
        }
    }

    pub(super) fn rows(&self, wanted: &SecondPattern) -> Rows {
        let Some(session) = &self.session else {
            return one(false, "a second process", "none: it has ended");
        };
        let snapshot = session.snapshot();
        let mut rows = Rows::new();
        if let Some(wanted) = &wanted.status {
            let seen = status_name(snapshot.status);
            rows.extend(one(seen == wanted, wanted, snapshot.status.to_string()));
        }
        if let Some(wanted) = &wanted.reason {
            let seen = match snapshot.status {
                moorline::Status::Disconnected { reason } => reason.as_str(),
                _ => "none",
            };
            rows.extend(one(seen == wanted, wanted, seen));
        }
        if let Some(wanted) = &wanted.identity {
            let seen = snapshot.identity().map(|identity| identity.to_string());
            let seen = seen.unwrap_or_else(|| "none".into());
            rows.extend(one(seen == *wanted, wanted, seen));
        }
        if let Some(wanted) = wanted.probes {
            let seen = self.control.count(&On::Probe);
            let text = |probes: usize| format!("{probes} probes");
            rows.extend(one(seen == wanted, text(wanted), text(seen)));
        }
        if let Some(wanted) = &wanted.result {
            rows.extend(one(self.result == *wanted, wanted, &self.result));
        }
        rows
    }

    /// Laws that it broke.
    pub(super) fn broken(&self) -> Vec<String> {
        let broken = self.log.broken().into_iter();
        broken
            .map(|it| format!("the second process: {it}"))
            .collect()
    }

    /// What it has done so far, to see that it rests.
    pub(super) fn activity(&self) -> (usize, usize) {
        (self.control.calls().len(), self.log.len())
    }
}

impl World<'_> {
    /// Its user gives a command, which starts it if it does not run.
    pub(super) async fn second(&mut self, command: Command) -> Result<(), String> {
        let session = self.second_session()?;
        let work = tokio::spawn(command_work(command, session));
        if !self.pace.until(PATIENCE, || work.is_finished()).await {
            return Err(format!(
                "`{}` of the second process was not answered within 10m",
                command.name()
            ));
        }
        let result = work.await.map_err(|_| "the second process panicked")?;
        if let Some(second) = &mut self.second {
            second.result = result["is"].as_str().unwrap_or("unknown").into();
            if command == Command::Close {
                second.session = None;
            }
        }
        self.pace.settle().await;
        Ok(())
    }

    fn second_session(&mut self) -> Result<Session, String> {
        let (clock, pace, origin) = (self.clock.clone(), self.pace.clone(), self.origin());
        let second = self.second.as_mut().ok_or("the store is not shared")?;
        if let Some(session) = &second.session {
            return Ok(session.clone());
        }
        let failed = |error: moorline::BuildError| error.to_string();
        let bus = StoreBus::new(Arc::new(second.store.clone())).map_err(failed)?;
        let mut builder = Session::builder_dyn(second.provider.clone())
            .policy(self.scenario.policy.clone())
            // Apart from that of the first.
            .seed(!self.scenario.seed)
            .label("second")
            .shared(&bus, RECORD);
        if let Some(clock) = clock {
            builder = builder.clock_dyn(clock);
        }
        let session = builder.build().map_err(failed)?;
        second.starts += 1;
        record(&session, &second.log, &pace, second.starts, origin);
        second.session = Some(session.clone());
        Ok(session)
    }

    /// Ends it with the scenario. The error says that it does not.
    pub(super) async fn close_second(&mut self) -> Result<(), String> {
        let running = self.second.as_ref().is_some_and(|it| it.session.is_some());
        if running {
            self.second(Command::Close).await?;
        }
        Ok(())
    }
}
