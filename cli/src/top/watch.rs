//! What a store that other programs use tells the live view.

mod records;

use std::collections::{HashMap, HashSet};
use std::sync::Arc;
use std::time::Duration;

use moorline::Timestamp;
use moorline::store::RecordName;
use tokio::sync::Notify;
use tokio::sync::mpsc::Sender;
use tokio::time::{Instant, sleep};

pub(super) use self::records::Records;
use super::live::text;
use super::model::Input;
use super::row::{Facts, Happening, Phase, RowId, What};
use crate::accounts::stored::{Content, StoredSession};
use crate::sessions::person;

/// How often a store that does not tell what changes is read, and how often time is looked at.
const INTERVAL: Duration = Duration::from_secs(1);

/// How long is waited for more changes after one.
const PAUSE: Duration = Duration::from_millis(100);

/// Reading takes no more than this part of the time.
const SHARE: u32 = 10;

/// What was told of a record.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
struct Told {
    revision: u64,
    phase: Phase,
    active: bool,
    last_active: Option<Timestamp>,
}

impl Told {
    fn of(session: &StoredSession, now: Timestamp) -> Self {
        let (phase, last_active) = match &session.content {
            Content::Unreadable(_) => (Phase::Unreadable, session.last_used),
            Content::Ended(tombstone) => (Phase::Ended, Some(tombstone.at)),
            Content::Session(record) => {
                let is_over = record.expires_at.is_some_and(|at| at <= now);
                let phase = match is_over {
                    _ if session.has_ended() => Phase::Ended,
                    true => Phase::Expired,
                    false => Phase::Stored,
                };
                let last_active = session.last_used.unwrap_or(record.connected_at);
                (phase, Some(last_active))
            }
        };
        Self {
            revision: session.revision.number(),
            phase,
            active: session.active,
            last_active,
        }
    }
}

/// Tells what the records say, whenever they say something else, until nobody listens.
pub(super) async fn follow(mut records: Records, inputs: Sender<Vec<Input>>, resync: Arc<Notify>) {
    let mut told = HashMap::new();
    let mut first = true;
    let mut failing = false;
    loop {
        let begun = Instant::now();
        let mut news = Vec::new();
        match records.read().await {
            Ok(()) => failing = false,
            // Said once, and tried again.
            Err(error) if !failing => {
                failing = true;
                news.push(text("store:unavailable", error.to_string()));
            }
            Err(_) => {}
        }
        news.extend(compare(records.sessions(), &mut told, person::now(), first));
        first = false;
        if !news.is_empty() && inputs.send(news).await.is_err() {
            return;
        }
        let took = begun.elapsed();
        sleep((took * SHARE).max(PAUSE)).await;
        tokio::select! {
            () = records.wait(begun + INTERVAL.max(took * SHARE)) => {}
            () = resync.notified() => {
                told.clear();
                first = true;
                records.doubt();
            }
            () = inputs.closed() => return,
        }
    }
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
        // Of thousands nearly all say what they said.
        let is = Told::of(session, now);
        let was = told.get(&session.name).copied();
        if was == Some(is) {
            continue;
        }
        told.insert(session.name.clone(), is);
        let facts = facts(session, is);
        let id = RowId::Record(session.name.clone());
        let name = match was {
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
    // All that are there were told.
    if told.len() > sessions.len() {
        let there: HashSet<_> = sessions.iter().map(|it| &it.name).collect();
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
    }
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

fn facts(session: &StoredSession, is: Told) -> Facts {
    let why = match &session.content {
        Content::Unreadable(why) => why.clone(),
        Content::Ended(tombstone) => tombstone.reason.to_string(),
        Content::Session(_) => String::new(),
    };
    let key = session.key.as_ref();
    let account = match key {
        Some(key) => key.account.to_string(),
        None => session.name.to_string(),
    };
    let network = key.and_then(|key| key.network.as_ref());
    Facts {
        phase: is.phase,
        why,
        label: session.label.clone(),
        network: network.map(|network| network.to_string()),
        provider: key.map(|key| key.provider.to_string()),
        place: session.place.clone(),
        expires_at: session.record().and_then(|record| record.expires_at),
        last_active: is.last_active,
        revision: Some(is.revision),
        active: is.active,
        ..Facts::named(account)
    }
}
