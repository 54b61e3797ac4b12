//! What must hold after every move.

use std::collections::BTreeSet;
use std::fmt;
use std::time::Duration;

use moorline::manager::{ManagedSession, SessionKey};

use crate::world::{Fault, Folded, Standing, World};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Rule {
    /// Keys are unique, and whom the sessions act for.
    Keys,
    /// The active session is one of the sessions, as a whole.
    Active,
    /// A request reaches a wallet only under the account it was made for.
    Traffic,
    /// Who was logged out is not connected again without a login.
    Final,
    /// Who was logged in and not logged out is there, or comes back.
    Forgotten,
    /// Events are numbered without gaps.
    Numbers,
    /// The state is what the events say.
    Told,
    /// Nothing runs after the end.
    Quiet,
}

#[derive(Debug)]
pub(crate) struct Violation {
    pub(crate) rule: Rule,
    what: String,
    pub(crate) path: Vec<String>,
}

impl Violation {
    fn new(rule: Rule, what: impl Into<String>) -> Self {
        Self {
            rule,
            what: what.into(),
            path: Vec::new(),
        }
    }
}

impl fmt::Display for Violation {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let path = self.path.join(" > ");
        write!(f, "{:?}: {}\nafter: {path}", self.rule, self.what)
    }
}

/// Checks everything, and learns what could not be known before.
pub(crate) fn check(world: &mut World) -> Result<(), Violation> {
    let mut sessions = world.manager.sessions();
    if world.fault == Some(Fault::SharedKey) {
        sessions.extend(sessions.first().cloned());
    }
    keys(&sessions)?;
    active(world, &sessions)?;
    traffic(world)?;
    told(&world.folded, &sessions, world)?;
    standings(world, &sessions)
}

fn keys(sessions: &[ManagedSession]) -> Result<(), Violation> {
    let unique: BTreeSet<_> = sessions
        .iter()
        .map(|it| (it.account(), &it.key().network))
        .collect();
    if unique.len() != sessions.len() {
        return Err(Violation::new(Rule::Keys, format!("{sessions:?}")));
    }
    for session in sessions {
        let live = session.session().identity();
        let said = session.identity();
        if live.is_some_and(|live| *live != said) {
            let what = format!("{} acts for {:?}", said, session.session().identity());
            return Err(Violation::new(Rule::Keys, what));
        }
    }
    Ok(())
}

fn active(world: &mut World, sessions: &[ManagedSession]) -> Result<(), Violation> {
    let mut active = world.manager.active().ok();
    if world.fault == Some(Fault::OtherActive) && sessions.len() > 1 {
        active = sessions
            .iter()
            .find(|it| Some(*it) != active.as_ref())
            .cloned();
    }
    let watched = world.watch.current();
    let broken = |what: String| Err(Violation::new(Rule::Active, what));
    if active != watched {
        return broken(format!("active is {active:?}, watched {watched:?}"));
    }
    match active {
        Some(active) if !sessions.contains(&active) => broken(format!("nobody's: {active:?}")),
        _ => Ok(()),
    }
}

fn traffic(world: &World) -> Result<(), Violation> {
    let wrong = world
        .arrived
        .iter()
        .find(|(meant, said, wallet)| meant != said || said != wallet);
    match wrong {
        Some((meant, said, wallet)) => Err(Violation::new(
            Rule::Traffic,
            format!("a request for {meant} arrived for {said} at the wallet of {wallet}"),
        )),
        None => Ok(()),
    }
}

fn told(folded: &Folded, sessions: &[ManagedSession], world: &World) -> Result<(), Violation> {
    if let Some((last, next)) = folded.gap {
        let what = format!("{next} came after {last}");
        return Err(Violation::new(Rule::Numbers, what));
    }
    let there: BTreeSet<&SessionKey> = sessions.iter().map(|it| &**it.key()).collect();
    let said: BTreeSet<&SessionKey> = folded.keys.values().map(|it| &**it).collect();
    if there != said || folded.keys.len() != said.len() {
        let what = format!("{there:?} are there, {said:?} were told");
        return Err(Violation::new(Rule::Told, what));
    }
    let active = world.manager.active().ok().map(|it| it.key().clone());
    if active != folded.active {
        let what = format!("{active:?} is active, {:?} was told", folded.active);
        return Err(Violation::new(Rule::Told, what));
    }
    Ok(())
}

fn standings(world: &mut World, sessions: &[ManagedSession]) -> Result<(), Violation> {
    let there: BTreeSet<String> = sessions.iter().map(|it| it.account().to_string()).collect();
    let restored = world.restarted && !world.store.is_held();
    // One that took a room may have turned out to be another since.
    let unsure = world.standing.values().any(|it| *it == Standing::Unsure);
    let full = world
        .setup
        .max
        .is_some_and(|max| unsure || there.len() >= max);
    let no_room = restored && full;
    let opened = match world.restarted {
        true => world.wallets.opened_since(world.own),
        false => Vec::new(),
    };
    for (account, standing) in &mut world.standing {
        let here = there.contains(*account);
        match *standing {
            Standing::Out | Standing::Leaving if here || opened.iter().any(|it| it == account) => {
                let what = format!("{account} was logged out, and is back");
                return Err(Violation::new(Rule::Final, what));
            }
            Standing::Ended if restored && here => {
                let what = format!("{account} was ended, and is back");
                return Err(Violation::new(Rule::Final, what));
            }
            // One that is being restored beside others waits for its turn.
            Standing::In if !here && !no_room && world.restoring.is_none() => {
                let what = format!("{account} was logged in, and is not there");
                return Err(Violation::new(Rule::Forgotten, what));
            }
            Standing::Stored if restored && !here && !full => {
                let what = format!("{account} was stored, and does not come back");
                return Err(Violation::new(Rule::Forgotten, what));
            }
            _ => {}
        }
        *standing = match *standing {
            Standing::In if !here && world.restoring.is_none() => Standing::Stored,
            Standing::Stored if here => Standing::In,
            Standing::Ended | Standing::Unsure if restored && here => Standing::In,
            Standing::Ended | Standing::Unsure if restored => Standing::Out,
            other => other,
        };
    }
    Ok(())
}

/// Ends everything: nothing runs afterwards.
pub(crate) async fn end(mut world: World) -> Result<(), Violation> {
    let broken = |what: String| Err(Violation::new(Rule::Quiet, what));
    let closed = tokio::time::timeout(Duration::from_secs(3600), world.manager.close()).await;
    if closed.is_err() {
        return broken("the manager does not close".into());
    }
    if world.fault == Some(Fault::LeftTask) {
        tokio::spawn(std::future::pending::<()>());
    }
    let pending = world.wallets.pending(world.own);
    if pending > 0 {
        return broken(format!("{pending} calls wait for their wallets"));
    }
    for login in world.logins.drain(..) {
        // Whoever waits is answered.
        let answered = tokio::time::timeout(Duration::from_secs(3600), login.task).await;
        if !matches!(answered, Ok(Ok(Err(_)))) {
            return broken(format!("a login of {} is not refused", login.account));
        }
    }
    let wallets = world.wallets.clone();
    drop(world);
    // What a manager that was cut off had begun ends at its deadlines.
    tokio::time::sleep(Duration::from_secs(60)).await;
    let pending = wallets.pending(0);
    if pending > 0 {
        return broken(format!("{pending} calls wait for ever"));
    }
    let alive = tokio::runtime::Handle::current()
        .metrics()
        .num_alive_tasks();
    match alive {
        0 => Ok(()),
        alive => broken(format!("{alive} tasks are left")),
    }
}
