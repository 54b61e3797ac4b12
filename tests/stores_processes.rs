//! Stores and processes: killed while they write (H67), and writing at once (H64, H68).
//!
//! No test harness: this program is its own child. `MOORLINE_KILLS` sets how often a writer is
//! killed for each backend (default 150; `scripts/stores` does 2000). With `MOORLINE_SMALL_DISK`,
//! the path of a file system of a megabyte or less, a full disk is tried, too (H66).

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

#[path = "support/folder.rs"]
mod folder;

use std::env;
use std::io::{BufRead, BufReader, Write};
use std::path::{Path, PathBuf};
use std::process::{Child, Command, ExitCode, Stdio};
use std::time::{Duration, Instant};

use moorline::store::backend::{Files, Redb};
use moorline::store::keys::KeyFile;
use moorline::store::{
    EncryptedStore, KeySource, PlaintextStore, Record, RecordName, Revision, Store, StoreError,
    Stored,
};
use moorline::{Account, Timestamp};

use self::folder::Folder;

const ROLE: &str = "MOORLINE_TEST_ROLE";
const FOLDER: &str = "MOORLINE_TEST_FOLDER";
const BACKEND: &str = "MOORLINE_TEST_BACKEND";

/// How many processes write at once, and how often each.
const PROCESSES: [u64; 3] = [2, 4, 8];
const WRITES: u64 = 60;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_all()
        .build()
        .unwrap();
    match env::var(ROLE).as_deref() {
        Ok("writer") => runtime.block_on(write_for_ever()),
        Ok("counter") => runtime.block_on(count()),
        _ => runtime.block_on(all()),
    }
}

async fn all() -> ExitCode {
    let kills = env::var("MOORLINE_KILLS").map_or(150, |kills| kills.parse().unwrap());
    let mut passed = 0;
    for backend in ["files", "plaintext-files", "redb"] {
        h67_killed_at_any_moment(backend, kills).await;
        passed += 1;
    }
    for processes in PROCESSES {
        h68_many_writers_lose_no_update(processes).await;
        passed += 1;
    }
    if let Ok(disk) = env::var("MOORLINE_SMALL_DISK") {
        for backend in ["files", "plaintext-files", "redb"] {
            h66_a_full_disk(backend, Path::new(&disk)).await;
            passed += 1;
        }
    }
    println!("{passed} passed, 0 failed");
    ExitCode::SUCCESS
}

/// The store of a test, in a folder.
fn open(backend: &str, folder: &Path) -> Box<dyn Store> {
    // Marks are a second file a write: the test is about the first.
    let keys = || KeyFile::new(folder.join("key")).without_marks();
    let files = || Files::open(folder.join("records")).unwrap();
    match backend {
        "files" => Box::new(EncryptedStore::new(files(), keys(), "test")),
        "plaintext-files" => Box::new(PlaintextStore::new(files())),
        "redb" => {
            let redb = loop {
                // The lock of a process that was killed is gone a moment later.
                match Redb::open(folder.join("records.redb")) {
                    Ok(redb) => break redb,
                    Err(error) if error.to_string().contains("has it open") => {
                        std::thread::sleep(Duration::from_millis(1));
                    }
                    Err(error) => panic!("{error}"),
                }
            };
            Box::new(EncryptedStore::new(redb, keys(), "test"))
        }
        other => panic!("{other}"),
    }
}

fn name() -> RecordName {
    RecordName::from("s")
}

/// A record that shows whether it is whole.
fn record(generation: u64) -> Record {
    let label = format!("{generation}").repeat(1 + (generation % 50) as usize);
    let account = Account::primary(format!("party-{generation}")).with_label(label);
    let mut record = Record::new("test", vec![account], None, Timestamp::EPOCH);
    record.generation = generation;
    record
}

async fn read(store: &dyn Store) -> (u64, Revision) {
    match store.load(&name()).await.unwrap() {
        Stored::Nothing => (0, Revision::NONE),
        Stored::Record {
            record: found,
            revision,
        } => {
            assert_eq!(found, record(found.generation), "a record is not whole");
            (found.generation, revision)
        }
        other => panic!("{other:?}"),
    }
}

/// Writes one record after another and says so after each, until it is killed.
async fn write_for_ever() -> ExitCode {
    let folder = PathBuf::from(env::var(FOLDER).unwrap());
    let store = open(&env::var(BACKEND).unwrap(), &folder);
    let (mut generation, mut revision) = read(&*store).await;
    let mut out = std::io::stdout();
    loop {
        generation += 1;
        revision = store
            .save(&name(), record(generation), revision)
            .await
            .unwrap();
        writeln!(out, "{generation}").unwrap();
        out.flush().unwrap();
    }
}

async fn h67_killed_at_any_moment(backend: &str, kills: u32) {
    let folder = Folder::new();
    let begun = Instant::now();
    let mut random = fastrand::Rng::with_seed(67);
    let (mut last, mut unseen) = (0, 0);
    for kill in 0..kills {
        let mut child = spawn("writer", backend, &folder);
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        // At least one write, then somewhere within the next few.
        let mut acknowledged: u64 = lines.next().unwrap().unwrap().parse().unwrap();
        std::thread::sleep(Duration::from_micros(random.u64(0..4_000)));
        child.kill().unwrap();
        child.wait().unwrap();
        // What it said before it died counts.
        while let Some(Ok(line)) = lines.next() {
            acknowledged = line.parse().unwrap_or(acknowledged);
        }
        assert!(acknowledged > last, "{backend}: nothing was written");
        let (found, _) = read(&*open(backend, &folder)).await;
        assert!(
            (acknowledged..=acknowledged + 1).contains(&found),
            "{backend}, kill {kill}: {acknowledged} was acknowledged, {found} is there"
        );
        unseen += u32::from(found > acknowledged);
        last = found;
    }
    println!(
        "ok: {backend}: killed {kills} times over {last} writes, {unseen} of them between the disk \
         and the answer, in {:.1} s: the last acknowledged record was there each time",
        begun.elapsed().as_secs_f64()
    );
}

/// Adds one to the record many times, whoever else does.
async fn count() -> ExitCode {
    let folder = PathBuf::from(env::var(FOLDER).unwrap());
    let store = open("files", &folder);
    for _ in 0..WRITES {
        loop {
            let (generation, revision) = read(&*store).await;
            match store.save(&name(), record(generation + 1), revision).await {
                Ok(_) => break,
                Err(StoreError::Conflict { .. }) => {}
                Err(error) => panic!("{error}"),
            }
        }
    }
    ExitCode::SUCCESS
}

async fn h68_many_writers_lose_no_update(processes: u64) {
    let folder = Folder::new();
    let begun = Instant::now();
    let children: Vec<Child> = (0..processes)
        .map(|_| spawn("counter", "files", &folder))
        .collect();
    for mut child in children {
        assert!(child.wait().unwrap().success());
    }
    let (found, revision) = read(&*open("files", &folder)).await;
    assert_eq!(found, processes * WRITES, "an update was lost");
    assert_eq!(revision.number(), found);
    let keys = KeyFile::new(folder.join("key")).load().await.unwrap();
    assert_eq!(keys.unwrap().ids().count(), 1);
    println!(
        "ok: {processes} processes made one key and {found} updates of one record in {:.1} s, \
         none was lost",
        begun.elapsed().as_secs_f64()
    );
}

/// Fills the disk, has writes fail, and makes room again.
async fn h66_a_full_disk(backend: &str, disk: &Path) {
    let folder = disk.join(backend);
    std::fs::create_dir_all(&folder).unwrap();
    let store = open(backend, &folder);
    let mut revision = store
        .save(&name(), record(1), Revision::NONE)
        .await
        .unwrap();
    let filler = disk.join("filler");
    fill(&filler);
    // Some may still fit into room that is reserved; then none does.
    let (mut good, mut failures) = (1, 0);
    for generation in 2..200 {
        match store.save(&name(), record(generation), revision).await {
            Ok(next) => (good, revision) = (generation, next),
            Err(StoreError::Unavailable { .. }) => failures += 1,
            Err(error) => panic!("{backend}: {error}"),
        }
        fill(&filler);
    }
    assert!(failures > 100, "{backend}: the disk was not full");
    // As another process sees it, with no room still.
    if backend != "redb" {
        assert_eq!(read(&*open(backend, &folder)).await.0, good, "{backend}");
    }
    drop(store);
    std::fs::remove_file(&filler).unwrap();
    let store = open(backend, &folder);
    let (found, revision) = read(&*store).await;
    assert_eq!(found, good, "{backend}");
    store.save(&name(), record(500), revision).await.unwrap();
    println!(
        "ok: {backend}: {failures} writes failed on a full disk, and the last good record stayed"
    );
}

/// Takes all the room there is.
fn fill(path: &Path) {
    let mut file = std::fs::File::options()
        .create(true)
        .append(true)
        .open(path)
        .unwrap();
    for size in [65_536, 4096, 1] {
        let block = vec![b'x'; size];
        while file.write_all(&block).is_ok() {}
    }
}

fn spawn(role: &str, backend: &str, folder: &Path) -> Child {
    Command::new(env::current_exe().unwrap())
        .env(ROLE, role)
        .env(BACKEND, backend)
        .env(FOLDER, folder)
        .stdin(Stdio::null())
        .stdout(Stdio::piped())
        .spawn()
        .unwrap()
}
