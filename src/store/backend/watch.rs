//! Watches a folder of records for what this process and others write there.

#[cfg(target_os = "linux")]
mod inotify;
mod poll;

use std::path::{Path, PathBuf};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError, Weak};
use std::time::Duration;

use self::poll::Seen;
use super::files;
use crate::store::feed::Feed;
use crate::store::{Change, Changes, Revision, Slot};

/// How often a folder is looked at where the operating system does not say what happens in it, or
/// it is not there.
pub(super) const INTERVAL: Duration = Duration::from_millis(500);

/// Whoever watches a folder: one thread, however many listen. It ends with the last of them.
#[derive(Debug, Default)]
pub(super) struct Watcher {
    present: Mutex<Weak<Watch>>,
}

#[derive(Debug)]
struct Watch {
    feed: Feed,
    stop: Arc<Stop>,
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.set();
    }
}

impl Watcher {
    /// What changes in the folder from now on; `None` if nobody can watch it. With an interval it
    /// is looked at so often, whatever the operating system offers.
    pub(super) fn listen(&self, folder: &Path, interval: Option<Duration>) -> Option<Changes> {
        let mut present = self.present.lock().unwrap_or_else(PoisonError::into_inner);
        let watch = match present.upgrade() {
            Some(watch) => watch,
            None => {
                let watch = Arc::new(start(folder, interval)?);
                *present = Arc::downgrade(&watch);
                watch
            }
        };
        Some(watch.feed.clone().listen_with(watch))
    }
}

fn start(folder: &Path, interval: Option<Duration>) -> Option<Watch> {
    let feed = Feed::default();
    let stop = Arc::new(Stop::default());
    let folder = Folder {
        path: folder.into(),
        feed: feed.clone(),
    };
    let work = begin(folder, interval, stop.clone());
    let thread = std::thread::Builder::new().name("moorline-files".into());
    if let Err(error) = thread.spawn(work) {
        tracing::warn!(%error, "no thread to watch a folder of records with");
        return None;
    }
    Some(Watch { feed, stop })
}

/// Begins to watch, so that nothing is missed from here on, and returns what goes on with it.
fn begin(
    folder: Folder,
    interval: Option<Duration>,
    stop: Arc<Stop>,
) -> Box<dyn FnOnce() + Send + 'static> {
    #[cfg(target_os = "linux")]
    if interval.is_none() {
        match inotify::Inotify::begin(&folder, &stop) {
            Ok(inotify) => {
                return Box::new(move || {
                    if let Err(error) = inotify.run(&folder, &stop) {
                        // What happened since is not known.
                        let seen = Seen::look(&folder.path);
                        folder.cannot_watch(&error);
                        folder.feed.tell(Change::Resync);
                        poll::run(&folder, INTERVAL, &stop, seen);
                    }
                });
            }
            Err(error) => folder.cannot_watch(&error),
        }
    }
    let seen = Seen::look(&folder.path);
    Box::new(move || poll::run(&folder, interval.unwrap_or(INTERVAL), &stop, seen))
}

/// What is watched, and who is told.
struct Folder {
    path: PathBuf,
    feed: Feed,
}

impl Folder {
    /// Tells what stands in a slot now.
    fn tell(&self, slot: Slot) {
        let path = self.path.join(files::file_name(slot));
        let revision = files::revision_of(&path).unwrap_or(Revision::NONE);
        self.feed.tell(Change::Written { slot, revision });
    }

    #[cfg(target_os = "linux")]
    fn cannot_watch(&self, error: &std::io::Error) {
        tracing::warn!(
            folder = %self.path.display(),
            %error,
            "a folder of records cannot be watched; it is looked at every {} ms",
            INTERVAL.as_millis(),
        );
    }
}

/// Tells the thread to end.
#[derive(Debug, Default)]
struct Stop {
    set: Mutex<bool>,
    bell: Condvar,
    /// Rings where a thread waits for files.
    #[cfg(target_os = "linux")]
    event: Mutex<Option<Arc<rustix::fd::OwnedFd>>>,
}

impl Stop {
    fn set(&self) {
        *self.lock() = true;
        self.bell.notify_all();
        #[cfg(target_os = "linux")]
        {
            let event = self.event.lock().unwrap_or_else(PoisonError::into_inner);
            if let Some(event) = &*event {
                // Cannot fail but for a counter that is full, and then it has rung already.
                let _rung = rustix::io::write(event, &1_u64.to_ne_bytes());
            }
        }
    }

    fn is_set(&self) -> bool {
        *self.lock()
    }

    /// Waits so long; whether it is time to end.
    fn wait(&self, time: Duration) -> bool {
        let waited = self
            .bell
            .wait_timeout_while(self.lock(), time, |set| !*set)
            .unwrap_or_else(PoisonError::into_inner);
        *waited.0
    }

    fn lock(&self) -> MutexGuard<'_, bool> {
        self.set.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

#[cfg(test)]
#[path = "watch_tests.rs"]
mod tests;
