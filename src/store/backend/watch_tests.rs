use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Instant;

use futures_util::StreamExt;

use super::super::{Backend, Blob, Files};
use super::*;

/// Longer than anything takes; nothing waits for it but a failure.
const PATIENCE: Duration = Duration::from_secs(20);
const OFTEN: Duration = Duration::from_millis(20);

struct Place(PathBuf);

impl Place {
    fn new() -> Self {
        static NEXT: AtomicU64 = AtomicU64::new(0);
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("moorline-watch-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Place {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

/// Both ways to watch.
const WAYS: [Option<Duration>; 2] = [None, Some(OFTEN)];

fn open(place: &Place, way: Option<Duration>) -> Files {
    let files = Files::open(&place.0).unwrap();
    match way {
        Some(interval) => files.polling(interval),
        None => files,
    }
}

fn slot(number: u8) -> Slot {
    Slot::new([number; 32])
}

fn blob(revision: u64) -> Blob {
    Blob {
        revision: Revision::new(revision),
        bytes: b"anything".to_vec(),
    }
}

async fn put(files: &Files, number: u8, revision: u64) {
    let expected = Revision::new(revision - 1);
    files
        .put(slot(number), blob(revision), expected)
        .await
        .unwrap();
}

fn written(number: u8, revision: u64) -> Change {
    Change::Written {
        slot: slot(number),
        revision: Revision::new(revision),
    }
}

async fn next(changes: &mut Changes) -> Change {
    let next = tokio::time::timeout(PATIENCE, changes.next()).await;
    next.expect("no news").expect("it ended")
}

/// Reads up to an item, and says what came before.
async fn up_to(changes: &mut Changes, wanted: Change) -> Vec<Change> {
    let mut before = Vec::new();
    loop {
        match next(changes).await {
            change if change == wanted => return before,
            change => before.push(change),
        }
    }
}

#[tokio::test]
async fn what_another_process_writes_is_told_and_nothing_else_is() {
    for way in WAYS {
        let place = Place::new();
        let (here, there) = (open(&place, way), Files::open(&place.0).unwrap());
        put(&there, 1, 1).await;
        let mut changes = here.changes().unwrap();
        assert_eq!(next(&mut changes).await, Change::Resync);
        put(&there, 2, 1).await;
        assert_eq!(next(&mut changes).await, written(2, 1), "{way:?}");
        put(&there, 1, 2).await;
        assert_eq!(next(&mut changes).await, written(1, 2), "{way:?}");
        // Its own writes come the same way.
        put(&here, 1, 3).await;
        assert_eq!(next(&mut changes).await, written(1, 3), "{way:?}");
        // Files that are no records: temporary ones, notes, and what was set aside.
        std::fs::write(place.0.join("notes.txt"), "mine").unwrap();
        std::fs::write(place.0.join(format!("{}.1-1.tmp", slot(9))), "torn").unwrap();
        there.set_aside(slot(2)).await.unwrap();
        assert_eq!(next(&mut changes).await, written(2, 0), "{way:?}");
        there.remove(slot(1), Revision::new(3)).await.unwrap();
        assert_eq!(next(&mut changes).await, written(1, 0), "{way:?}");
        put(&there, 1, 1).await;
        assert_eq!(next(&mut changes).await, written(1, 1), "{way:?}");
    }
}

#[tokio::test]
async fn a_record_put_back_in_place_by_hand_is_told() {
    for way in WAYS {
        let place = Place::new();
        let files = open(&place, way);
        put(&files, 1, 1).await;
        let backup = std::fs::read(files.path(slot(1))).unwrap();
        put(&files, 1, 2).await;
        let mut changes = files.changes().unwrap();
        assert_eq!(next(&mut changes).await, Change::Resync);
        std::fs::write(files.path(slot(1)), backup).unwrap();
        let told = up_to(&mut changes, written(1, 1)).await;
        // A look in between may have found it empty.
        assert!(told.iter().all(|it| *it == written(1, 0)), "{told:?}");
    }
}

#[tokio::test]
async fn a_folder_that_is_removed_and_made_again_is_read_again_and_watched_on() {
    for way in WAYS {
        let place = Place::new();
        let files = open(&place, way);
        put(&files, 1, 1).await;
        let mut changes = files.changes().unwrap();
        assert_eq!(next(&mut changes).await, Change::Resync);
        std::fs::remove_dir_all(&place.0).unwrap();
        // Polling sees that it is gone only while it is.
        tokio::time::sleep(OFTEN * 5).await;
        let again = Files::open(&place.0).unwrap();
        put(&again, 1, 1).await;
        up_to(&mut changes, Change::Resync).await;
        put(&again, 2, 1).await;
        up_to(&mut changes, written(2, 1)).await;
    }
}

/// As a deployment does that turns a link.
#[cfg(target_os = "linux")]
#[tokio::test]
async fn a_folder_that_is_replaced_by_another_is_read_again_and_watched_on() {
    let place = Place::new();
    let files = open(&place, None);
    let mut changes = files.changes().unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    let aside = Place::new();
    std::fs::rename(&place.0, &aside.0).unwrap();
    let again = Files::open(&place.0).unwrap();
    up_to(&mut changes, Change::Resync).await;
    put(&again, 1, 1).await;
    up_to(&mut changes, written(1, 1)).await;
}

#[tokio::test]
async fn many_writes_by_several_end_with_the_last() {
    let place = Place::new();
    let files = open(&place, None);
    let mut changes = files.changes().unwrap();
    let writers = (0..4_u8).map(|writer| {
        let files = Files::open(&place.0).unwrap();
        tokio::spawn(async move {
            for revision in 1..=25 {
                put(&files, writer, revision).await;
            }
        })
    });
    for writer in writers.collect::<Vec<_>>() {
        writer.await.unwrap();
    }
    let mut last = [0; 4];
    while last != [25; 4] {
        if let Change::Written { slot, revision } = next(&mut changes).await {
            let last = &mut last[usize::from(slot.as_bytes()[0])];
            *last = revision.number().max(*last);
        }
    }
}

#[tokio::test]
async fn the_thread_ends_with_the_last_listener_and_begins_anew_with_the_next() {
    let place = Place::new();
    let files = open(&place, None);
    let (one, two) = (files.changes().unwrap(), files.clone().changes().unwrap());
    let watch = files.watcher().present.lock().unwrap().clone();
    let stop = watch.upgrade().unwrap().stop.clone();
    drop(one);
    assert!(!stop.is_set(), "somebody listens");
    drop(two);
    assert!(stop.is_set());
    // Held here, and by the thread as long as it runs.
    let begun = Instant::now();
    while Arc::strong_count(&stop) > 1 {
        assert!(begun.elapsed() < PATIENCE, "it goes on");
        std::thread::sleep(OFTEN);
    }
    let mut changes = files.changes().unwrap();
    assert_eq!(next(&mut changes).await, Change::Resync);
    put(&files, 1, 1).await;
    assert_eq!(next(&mut changes).await, written(1, 1));
}
