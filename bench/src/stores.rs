//! Stored sessions: sealing them, writing them durably, restoring many.

mod baseline;

use std::error::Error;
use std::path::{Path, PathBuf};
use std::sync::Mutex;
use std::time::{Duration, Instant};

use futures_util::stream::{self, StreamExt};
use moorline::machine::RestoreOutcome;
use moorline::store::backend::{Backend, BackendFuture, Blob, Files, Redb, Slot};
use moorline::store::{EncryptedStore, KeyFile, Record, RecordName, Revision, Store};
use moorline::{Account, Session, Timestamp};
use tokio::runtime::{Builder, Runtime};

use self::baseline::Bare;
use crate::Measured;
use crate::report::Row;
use crate::rounds;
use crate::wallet::{Answers, Immediate, NETWORK, party};

type Failure = Box<dyn Error + Send + Sync>;

const APPLICATION: &str = "bench";
const ROUNDS: usize = 60;
const OPERATIONS: usize = 500;
const COMMITS: u64 = 300;
const SESSIONS: usize = 10_000;
/// How many sessions are restored at a time.
const AT_ONCE: usize = 256;

pub(crate) fn measure() -> Measured {
    let runtime = Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()?;
    let folder = Folder::new()?;
    let mut rows = sealing(&runtime, &folder.0)?;
    rows.extend(commits(&runtime, &folder.0)?);
    rows.push(restoring(&runtime, &folder.0)?);
    Ok(rows)
}

/// A record of about 1 KiB.
fn record() -> Record {
    let accounts: Vec<Account> = (0..8).map(|n| Account::new(party(n))).collect();
    Record::new("cip0103", accounts, Some(NETWORK.into()), Timestamp::EPOCH)
}

fn sealing(runtime: &Runtime, folder: &Path) -> Measured {
    let record = record();
    let size = serde_json::to_vec(&record)?.len();
    let keys = KeyFile::new(folder.join("key")).without_marks();
    let store = EncryptedStore::new(Slate::default(), keys, APPLICATION);
    let name = RecordName::from("session");
    let bare = Bare::new()?;

    let seal = rounds::compare(
        ROUNDS,
        OPERATIONS,
        || -> Result<Duration, Failure> {
            let begun = Instant::now();
            runtime.block_on(async {
                for _ in 0..OPERATIONS {
                    store.backend().wipe();
                    store.save(&name, record.clone(), Revision::NONE).await?;
                }
                Ok(begun.elapsed())
            })
        },
        || {
            let begun = Instant::now();
            for _ in 0..OPERATIONS {
                std::hint::black_box(bare.seal(&record.clone())?);
            }
            Ok(begun.elapsed())
        },
    )?;
    let sealed = bare.seal(&record)?;
    let open = rounds::compare(
        ROUNDS,
        OPERATIONS,
        || -> Result<Duration, Failure> {
            let begun = Instant::now();
            runtime.block_on(async {
                for _ in 0..OPERATIONS {
                    std::hint::black_box(store.load(&name).await?);
                }
                Ok(begun.elapsed())
            })
        },
        || {
            let begun = Instant::now();
            for _ in 0..OPERATIONS {
                std::hint::black_box(bare.open(&sealed)?);
            }
            Ok(begun.elapsed())
        },
    )?;
    let row = |what: &str, it: rounds::Compared| {
        Row::new(format!("{what} a record of {size} B"), it.subject.show())
            .against(it.baseline.show(), it.ratio)
            .goal("at most 1.5x", it.ratio <= 1.5)
    };
    Ok(vec![
        row("encode and seal", seal),
        row("open and decode", open),
    ])
}

fn commits(runtime: &Runtime, folder: &Path) -> Measured {
    let keys = || KeyFile::new(folder.join("key")).without_marks();
    let files = EncryptedStore::new(Files::open(folder.join("commits"))?, keys(), APPLICATION);
    let marked = EncryptedStore::new(
        Files::open(folder.join("marked"))?,
        KeyFile::new(folder.join("key")),
        APPLICATION,
    );
    let redb = EncryptedStore::new(Redb::open(folder.join("redb"))?, keys(), APPLICATION);
    let mut rows = Vec::new();
    for (what, store) in [
        ("files", &files as &dyn Store),
        ("files, revisions remembered", &marked),
        ("redb", &redb),
    ] {
        // In turn, so that both meet the same disk.
        let (mut ours, mut theirs) = (Vec::new(), Vec::new());
        for _ in 0..3 {
            ours.push(COMMITS as f64 / runtime.block_on(commit(store))?.as_secs_f64());
            theirs.push(COMMITS as f64 / baseline::commits(folder, COMMITS)?.as_secs_f64());
        }
        let (ours, theirs) = (rounds::median(ours), rounds::median(theirs));
        rows.push(
            Row::new(
                format!("durable commits a second: {what}"),
                format!("{ours:.0}"),
            )
            .against(format!("{theirs:.0}"), ours / theirs),
        );
    }
    Ok(rows)
}

async fn commit(store: &dyn Store) -> Result<Duration, Failure> {
    let (name, record) = (RecordName::from("session"), record());
    let mut revision = store.load(&name).await?.revision();
    let begun = Instant::now();
    for _ in 0..COMMITS {
        revision = store.save(&name, record.clone(), revision).await?;
    }
    Ok(begun.elapsed())
}

fn restoring(runtime: &Runtime, folder: &Path) -> Result<Row, Failure> {
    let open = || -> Result<_, Failure> {
        let files = Files::open(folder.join("many"))?;
        let keys = KeyFile::new(folder.join("key"));
        Ok(EncryptedStore::new(files, keys, APPLICATION))
    };
    let name = |number: usize| RecordName::from(format!("session-{number}"));
    runtime.block_on(async {
        let store = open()?;
        let mut saved = stream::iter(0..SESSIONS)
            .map(|number| {
                let accounts = vec![Account::primary(party(number))];
                let now = Timestamp::EPOCH;
                let record = Record::new("immediate", accounts, Some(NETWORK.into()), now);
                let store = &store;
                async move { store.save(&name(number), record, Revision::NONE).await }
            })
            .buffer_unordered(64);
        while let Some(saved) = saved.next().await {
            saved?;
        }
        Ok::<_, Failure>(())
    })?;
    // As a process that has just started: nothing is in memory yet.
    let store = open()?;
    let begun = Instant::now();
    let restored = runtime.block_on(async {
        let sessions: Result<Vec<Session>, _> = (0..SESSIONS)
            .map(|number| {
                Session::builder(Immediate::new(number, Answers::AtOnce))
                    .store(store.clone(), name(number))
                    .build()
            })
            .collect();
        let sessions = sessions?;
        let restored = stream::iter(&sessions)
            .map(|session| session.restore())
            .buffer_unordered(AT_ONCE)
            .filter(|outcome| std::future::ready(*outcome == RestoreOutcome::Restored))
            .count()
            .await;
        Ok::<_, Failure>(restored)
    })?;
    let took = begun.elapsed();
    if restored != SESSIONS {
        return Err(format!("{restored} of {SESSIONS} sessions were restored").into());
    }
    Ok(Row::new(
        format!("restore of {SESSIONS} sealed sessions, all verified"),
        format!("{:.2} s", took.as_secs_f64()),
    )
    .goal("under 2 s", took < Duration::from_secs(2)))
}

/// Room for one blob, and nothing durable about it.
#[derive(Default)]
struct Slate(Mutex<Option<Blob>>);

impl Slate {
    fn wipe(&self) {
        self.with(|slate| *slate = None);
    }

    fn with<T>(&self, look: impl FnOnce(&mut Option<Blob>) -> T) -> T {
        let mut slate = self
            .0
            .lock()
            .unwrap_or_else(std::sync::PoisonError::into_inner);
        look(&mut slate)
    }
}

impl Backend for Slate {
    fn describe(&self) -> String {
        "a slate".into()
    }

    fn get(&self, _: Slot) -> BackendFuture<'_, Option<Blob>> {
        Box::pin(async { Ok(self.with(|slate| slate.clone())) })
    }

    fn put(&self, _: Slot, blob: Blob, _: Revision) -> BackendFuture<'_, ()> {
        self.with(|slate| *slate = Some(blob));
        Box::pin(async { Ok(()) })
    }

    fn set_aside(&self, _: Slot) -> BackendFuture<'_, Option<String>> {
        Box::pin(async { Ok(None) })
    }

    fn remove(&self, _: Slot, _: Revision) -> BackendFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new() -> std::io::Result<Self> {
        let path = std::env::temp_dir().join(format!("moorline-bench-{}", std::process::id()));
        std::fs::create_dir_all(&path)?;
        Ok(Self(path))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}
