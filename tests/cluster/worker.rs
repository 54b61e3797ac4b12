//! One process of the cluster.

use std::io::{BufRead, Write};
use std::path::PathBuf;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use futures_util::StreamExt;
use moorline::manager::{
    ManagedSession, ManagerError, ManagerEventKind, ManagerItem, SessionKey, SessionManager,
    TakeOver,
};
use moorline::policy::Backoff;
use moorline::store::{EncryptedStore, KeyFile};
use moorline::sync::lease::Leases;
use moorline::{Identity, Policy};
use serde_json::{Value, json};
use tokio::sync::mpsc::{self, UnboundedSender};

use crate::engine::Engine;
use crate::wallet::{KIND, Numbered};
use crate::words::{Holding, account};

pub(crate) const ROLE: &str = "MOORLINE_CLUSTER_ROLE";
/// How many requests a process has under way at once.
pub(crate) const AT_ONCE: usize = 4;
/// How long a process waits between two of one row of requests.
const PAUSE: Duration = Duration::from_millis(50);

/// The longest delay before a session is taken over.
pub(crate) const SPREAD: Duration = Duration::from_millis(500);

fn variable(name: &str) -> String {
    std::env::var(format!("MOORLINE_CLUSTER_{name}")).unwrap()
}

#[derive(Default)]
struct Load {
    answered: AtomicU64,
    failed: AtomicU64,
}

pub(crate) async fn work() {
    let engine = Engine::named(&variable("ENGINE"));
    let (address, folder) = (variable("ADDRESS"), PathBuf::from(variable("FOLDER")));
    let name = variable("NAME");
    let (records, leases) = (format!("{name}_records"), format!("{name}_leases"));
    let records = engine.open(&address, &folder, &records).await;
    let leases = engine.open(&address, &folder, &leases).await;
    let ttl = Duration::from_millis(variable("TTL_MS").parse().unwrap());
    let builder = Leases::builder_dyn(leases.into()).member(variable("MEMBER"));
    let leases = builder.ttl(ttl).join().await.unwrap();
    let keys = KeyFile::new(folder.join("key")).without_marks();
    let store = EncryptedStore::new(Boxed(records), keys, "cluster");
    let policy = Policy {
        reconnect: Backoff {
            max_attempts: None,
            ..Backoff::default()
        },
        ..Policy::default()
    };
    let manager = SessionManager::builder()
        .store(store)
        .policy(policy)
        .provider(KIND, Numbered::again)
        .leases(leases.clone())
        .take_over(TakeOver::Orphans { spread: SPREAD })
        .restore_at_once(16, Duration::from_secs(10))
        .event_capacity(65_536)
        .build()
        .unwrap();
    let (say, said) = mpsc::unbounded_channel();
    std::thread::spawn(move || speak(said));
    tokio::spawn(tell_events(manager.clone(), say.clone()));
    let load = Arc::new(Load::default());
    for row in 0..AT_ONCE {
        tokio::spawn(ask_on(manager.clone(), load.clone(), row));
    }
    say.send(json!({ "event": "ready" })).unwrap();
    let (heard, mut orders) = mpsc::unbounded_channel();
    std::thread::spawn(move || {
        for line in std::io::stdin().lock().lines() {
            let order: Value = serde_json::from_str(&line.unwrap()).unwrap();
            if heard.send(order).is_err() {
                return;
            }
        }
    });
    while let Some(order) = orders.recv().await {
        let (manager, say, load) = (manager.clone(), say.clone(), load.clone());
        if order["do"] == "close" {
            manager.close().await;
            leases.leave().await;
            say.send(json!({ "reply": order["number"], "result": null }))
                .unwrap();
            tokio::time::sleep(Duration::from_millis(200)).await;
            return;
        }
        tokio::spawn(async move {
            let result = obey(&manager, &load, &order).await;
            let reply = json!({ "reply": order["number"], "result": result });
            say.send(reply).ok();
        });
    }
}

fn speak(mut said: mpsc::UnboundedReceiver<Value>) {
    let mut out = std::io::stdout();
    while let Some(what) = said.blocking_recv() {
        // Nobody listens any more: the end is near.
        if writeln!(out, "{what}").and_then(|()| out.flush()).is_err() {
            return;
        }
    }
}

async fn tell_events(manager: SessionManager, say: UnboundedSender<Value>) {
    let mut events = manager.events();
    drop(manager);
    while let Some(item) = events.next().await {
        let ManagerItem::Event(event) = item else {
            say.send(json!({ "event": "missed" })).ok();
            continue;
        };
        let Some(key) = &event.key else { continue };
        let told = match &event.kind {
            ManagerEventKind::TakenOver { epoch, .. } => {
                json!({ "event": "taken-over", "account": key.account, "epoch": epoch })
            }
            ManagerEventKind::Closed { reason, .. } => {
                json!({ "event": "closed", "account": key.account, "reason": reason })
            }
            _ => continue,
        };
        say.send(told).ok();
    }
}

/// One request after another, for one session after another.
async fn ask_on(manager: SessionManager, load: Arc<Load>, row: usize) {
    loop {
        let sessions = manager.sessions();
        for session in sessions.iter().skip(row).step_by(AT_ONCE) {
            match ask(session).await {
                Ok(()) => load.answered.fetch_add(1, Ordering::Relaxed),
                Err(_) => load.failed.fetch_add(1, Ordering::Relaxed),
            };
            tokio::time::sleep(PAUSE).await;
        }
        tokio::time::sleep(PAUSE).await;
    }
}

async fn ask(session: &ManagedSession) -> Result<(), String> {
    let params = json!({ "message": session.account() });
    let asking = session.request("signMessage", params);
    match tokio::time::timeout(Duration::from_secs(10), asking).await {
        Ok(Ok(_)) => Ok(()),
        Ok(Err(error)) => Err(error.to_string()),
        Err(_) => Err("no answer".into()),
    }
}

fn key(account: &str, network: &str) -> SessionKey {
    SessionKey::new(Identity::new(account, Some(network.into())), KIND)
}

async fn obey(manager: &SessionManager, load: &Load, order: &Value) -> Value {
    let network = variable("NETWORK");
    let text = |name: &str| order[name].as_str().unwrap().to_owned();
    let range = || {
        let number = |name: &str| order[name].as_u64().unwrap() as usize;
        futures_util::stream::iter(number("from")..number("to"))
    };
    let refused = |error: ManagerError| error.to_string();
    match text("do").as_str() {
        "login" => {
            let url = variable("WALLET");
            let logins = range().map(|number| {
                let provider = Numbered::new(&url, &account(number));
                async move { manager.login_dyn(Arc::new(provider), false).await }
            });
            let failed: Vec<String> = logins
                .buffer_unordered(8)
                .filter_map(|login| async { login.err().map(refused) })
                .collect()
                .await;
            json!(failed)
        }
        "claim" => {
            let claims = range().map(|number| {
                let key = key(&account(number), &network);
                async move { manager.claim(key).await }
            });
            let failed: Vec<String> = claims
                .buffer_unordered(16)
                .filter_map(|claim| async {
                    match claim {
                        // Who was there first has heard that those before have gone.
                        Ok(_) | Err(ManagerError::HeldElsewhere { .. }) => None,
                        Err(error) => Some(refused(error)),
                    }
                })
                .collect()
                .await;
            json!(failed)
        }
        "logout" => match manager.logout(key(&text("account"), &network)).await {
            Ok(_) => json!("done"),
            Err(error) => json!(error.to_string()),
        },
        "state" => {
            let sessions = manager
                .sessions()
                .into_iter()
                .map(|it| (it.account().to_string(), it.snapshot().is_connected()));
            Holding {
                sessions: sessions.collect(),
                answered: load.answered.load(Ordering::Relaxed),
                failed: load.failed.load(Ordering::Relaxed),
            }
            .to_json()
        }
        "check" => {
            let sessions = manager.sessions();
            let asks = sessions.into_iter().map(|session| async move {
                let asked = ask(&session).await;
                asked
                    .err()
                    .map(|error| format!("{}: {error}", session.account()))
            });
            let failed: Vec<String> = futures_util::stream::iter(asks)
                .buffer_unordered(8)
                .filter_map(|failed| async { failed })
                .collect()
                .await;
            json!(failed)
        }
        other => panic!("{other}"),
    }
}

/// A backend chosen at run time.
struct Boxed(Box<dyn moorline::store::backend::Backend>);

mod boxed {
    use moorline::store::backend::{Backend, BackendFuture, Blob};
    use moorline::store::{Changes, Revision, Slot};

    impl Backend for super::Boxed {
        fn describe(&self) -> String {
            self.0.describe()
        }
        fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
            self.0.get(slot)
        }
        fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
            self.0.put(slot, blob, expected)
        }
        fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
            self.0.set_aside(slot)
        }
        fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
            self.0.remove(slot, expected)
        }
        fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
            self.0.list()
        }
        fn changes(&self) -> Option<Changes> {
            self.0.changes()
        }
    }
}
