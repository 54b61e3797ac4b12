//! What a store that other programs use tells the live view.

use std::collections::HashMap;
use std::pin::pin;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use moorline::Timestamp;
use moorline::store::{Changes, RecordName, Store};
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep, sleep_until};

use super::live::text;
use super::model::Input;
use super::row::{Facts, Happening, Phase, RowId, What};
use crate::accounts::stored::{self, Content, StoredSession};
use crate::sessions::person;

/// How often a store that does not tell what changes is read, and how often time is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long is waited for more changes after one.
const PAUSE: Duration = Duration::from_millis(100);

/// Reading takes no more than this part of the time.
const SHARE: u32 = 10;

/// What was told of a record.
#[derive(Clone, Debug, Eq, PartialEq)]
struct Told {
    revision: u64,
    phase: Phase,
    active: bool,
    last_active: Option<Timestamp>,
}

/// Tells what the records say, whenever they say something else, until nobody listens.
pub(super) async fn follow(store: Arc<dyn Store>, inputs: Sender<Vec<Input>>, resync: Arc<Notify>) {
    let mut changes = store.changes();
    let mut told = HashMap::new();
    let mut sessions = Vec::new();
    let mut first = true;
    let mut failing = false;
    let mut read = true;
    loop {
        let begun = Instant::now();
        let mut news = Vec::new();
        if read {
            match stored::sessions(&*store, None).await {
                Ok(now) => {
                    sessions = now;
                    failing = false;
                }
                // Said once, and tried again.
                Err(error) if !failing => {
                    failing = true;
                    news.push(text("store:unavailable", error.to_string()));
                }
                Err(_) => {}
            }
        }
        news.extend(compare(&sessions, &mut told, person::now(), first));
        first = false;
        if !news.is_empty() && inputs.send(news).await.is_err() {
            return;
        }
        let took = begun.elapsed();
        sleep((took * SHARE).max(PAUSE)).await;
        let next = pin!(wait(&mut changes, begun + INTERVAL.max(took * SHARE)));
        read = tokio::select! {
            changed = next => changed || failing,
            () = resync.notified() => {
                told.clear();
                first = true;
                true
            }
            () = inputs.closed() => return,
        };
    }
}

/// Until the store says that something changed, or it is time to look. Returns whether to read.
async fn wait(changes: &mut Option<Changes>, until: Instant) -> bool {
    let Some(stream) = changes else {
        sleep_until(until).await;
        return true;
    };
    let heard = tokio::select! {
        heard = stream.next() => heard,
        () = sleep_until(until) => return false,
    };
    if heard.is_none() {
        *changes = None;
        return true;
    }
    // All that is there already is one change.
    while let Some(more) = futures_util::FutureExt::now_or_never(stream.next()) {
        if more.is_none() {
            *changes = None;
            break;
        }
    }
    true
}

/// What is to be told of the records. The `first` time nothing has happened: it is there.
fn compare(
    sessions: &[StoredSession],
    told: &mut HashMap<RecordName, Told>,
    now: Timestamp,
    first: bool,
) -> Vec<Input> {
    let mut news = Vec::new();
    for session in sessions {
        let facts = facts(session, now);
        let is = Told {
            revision: session.revision.number(),
            phase: facts.phase,
            active: facts.active,
            last_active: facts.last_active,
        };
        let was = told.insert(session.name.clone(), is.clone());
        if was.as_ref() == Some(&is) {
            continue;
        }
        let id = RowId::Record(session.name.clone());
        let name = match &was {
            None => Some("record:appeared"),
            Some(was) if was.revision != is.revision => Some("record:written"),
            Some(was) if was.phase != is.phase => Some("record:expired"),
            Some(_) => None,
        };
        let why = if facts.why.is_empty() { "" } else { ": " };
        let text = format!(
            "revision {}, {}{why}{}",
            is.revision,
            facts.phase.name(),
            facts.why
        );
        news.push(Input::Session(id.clone(), Box::new(facts)));
        if let Some(name) = name.filter(|_| !first) {
            news.push(happened(id, now, name, text));
        }
    }
    let there: std::collections::HashSet<_> = sessions.iter().map(|it| &it.name).collect();
    told.retain(|name, _| {
        let stays = there.contains(name);
        if !stays {
            let id = RowId::Record(name.clone());
            let gone = format!("{name} is gone");
            news.push(Input::Gone(id));
            news.push(text("record:removed", gone));
        }
        stays
    });
    if first {
        let all = sessions.iter().map(|it| RowId::Record(it.name.clone()));
        news.push(Input::Only(all.collect()));
    }
    news
}

fn happened(id: RowId, at: Timestamp, name: &'static str, text: String) -> Input {
    Input::Happened(Happening {
        at,
        row: Some(id),
        what: What::Text(name, text),
    })
}

fn facts(session: &StoredSession, now: Timestamp) -> Facts {
    let record = session.record();
    let expires_at = record.and_then(|record| record.expires_at);
    let (phase, why) = match &session.content {
        Content::Unreadable(why) => (Phase::Unreadable, why.clone()),
        Content::Ended(tombstone) => (Phase::Ended, tombstone.reason.to_string()),
        Content::Session(_) if session.has_ended() => (Phase::Ended, String::new()),
        Content::Session(_) if expires_at.is_some_and(|at| at <= now) => {
            (Phase::Expired, String::new())
        }
        Content::Session(_) => (Phase::Stored, String::new()),
    };
    let last_active = match &session.content {
        Content::Ended(tombstone) => Some(tombstone.at),
        Content::Session(record) => Some(session.last_used.unwrap_or(record.connected_at)),
        Content::Unreadable(_) => session.last_used,
    };
    let key = session.key.as_ref();
    let account = match key {
        Some(key) => key.account.to_string(),
        None => session.name.to_string(),
    };
    let network = key.and_then(|key| key.network.as_ref());
    Facts {
        phase,
        why,
        label: session.label.clone(),
        network: network.map(|network| network.to_string()),
        provider: key.map(|key| key.provider.to_string()),
        place: session.place.clone(),
        expires_at,
        last_active,
        revision: Some(session.revision.number()),
        active: session.active,
        ..Facts::named(account)
    }
}
