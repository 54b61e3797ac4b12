//! Has Linux say what happens in a folder.

use std::io;
use std::mem::MaybeUninit;
use std::path::Path;
use std::sync::{Arc, PoisonError};
use std::time::Duration;

use rustix::event::{EventfdFlags, PollFd, PollFlags, eventfd, poll};
use rustix::fd::OwnedFd;
use rustix::fs::inotify::{self, CreateFlags, ReadFlags, Reader, WatchFlags};
use rustix::io::Errno;

use super::super::files;
use super::{Folder, INTERVAL, Stop};
use crate::store::Change;

/// How often it is seen to that the path still leads to the folder that is watched: nobody says
/// when a folder above it is moved or a link turned.
const STILL_THERE: Duration = Duration::from_secs(10);

pub(super) struct Inotify {
    queue: OwnedFd,
    stop: Arc<OwnedFd>,
    watched: Option<Watched>,
}

/// The folder that is watched.
struct Watched {
    descriptor: i32,
    /// Device and inode.
    identity: (u64, u64),
}

/// What has become of the folder.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fate {
    Stands,
    Lost,
}

impl Inotify {
    pub(super) fn begin(folder: &Folder, stop: &Stop) -> io::Result<Self> {
        let queue = inotify::init(CreateFlags::CLOEXEC | CreateFlags::NONBLOCK)?;
        let event = Arc::new(eventfd(0, EventfdFlags::CLOEXEC)?);
        let watched = Some(watch(&queue, &folder.path)?);
        *stop.event.lock().unwrap_or_else(PoisonError::into_inner) = Some(event.clone());
        Ok(Self {
            queue,
            stop: event,
            watched,
        })
    }

    /// Tells what happens until it is time to end. Fails where it cannot go on.
    pub(super) fn run(mut self, folder: &Folder, stop: &Stop) -> io::Result<()> {
        while !stop.is_set() {
            if self.watched.is_none() {
                match watch(&self.queue, &folder.path) {
                    Ok(watched) => {
                        self.watched = Some(watched);
                        folder.feed.tell(Change::Resync);
                    }
                    Err(error) if is_absence(&error) => {}
                    Err(error) => return Err(error),
                }
            }
            let patience = match self.watched {
                Some(_) => STILL_THERE,
                None => INTERVAL,
            };
            self.wait(patience)?;
            if self.read(folder)? == Fate::Lost || self.is_elsewhere(&folder.path) {
                self.let_go();
            }
        }
        Ok(())
    }

    fn wait(&self, patience: Duration) -> io::Result<()> {
        let mut both = [
            PollFd::new(&self.queue, PollFlags::IN),
            PollFd::new(&*self.stop, PollFlags::IN),
        ];
        let patience = patience.try_into().ok();
        match poll(&mut both, patience.as_ref()) {
            Ok(_) | Err(Errno::INTR) => Ok(()),
            Err(error) => Err(error.into()),
        }
    }

    fn read(&self, folder: &Folder) -> io::Result<Fate> {
        let mut buffer = [MaybeUninit::uninit(); 8192];
        let mut reader = Reader::new(&self.queue, &mut buffer);
        let mut fate = Fate::Stands;
        loop {
            let event = match reader.next() {
                Ok(event) => event,
                Err(Errno::AGAIN) => return Ok(fate),
                Err(Errno::INTR) => continue,
                Err(error) => return Err(error.into()),
            };
            if event.events().contains(ReadFlags::QUEUE_OVERFLOW) {
                folder.feed.tell(Change::Resync);
                continue;
            }
            let present = self.watched.as_ref().map(|watched| watched.descriptor);
            if Some(event.wd()) != present {
                continue;
            }
            let end = ReadFlags::DELETE_SELF
                | ReadFlags::MOVE_SELF
                | ReadFlags::IGNORED
                | ReadFlags::UNMOUNT;
            if event.events().intersects(end) {
                fate = Fate::Lost;
                continue;
            }
            // Locks, temporary files and what was set aside are no news.
            let name = event.file_name().and_then(|name| name.to_str().ok());
            if let Some(slot) = name.and_then(files::slot_of) {
                folder.tell(slot);
            }
        }
    }

    fn is_elsewhere(&self, path: &Path) -> bool {
        let Some(watched) = &self.watched else {
            return false;
        };
        identity(path).is_ok_and(|now| now != watched.identity)
    }

    fn let_go(&mut self) {
        if let Some(watched) = self.watched.take() {
            // Gone with the folder, mostly.
            let _gone = inotify::remove_watch(&self.queue, watched.descriptor);
        }
    }
}

fn watch(queue: &OwnedFd, path: &Path) -> io::Result<Watched> {
    let what = WatchFlags::MOVED_TO
        | WatchFlags::MOVED_FROM
        | WatchFlags::DELETE
        | WatchFlags::CLOSE_WRITE
        | WatchFlags::DELETE_SELF
        | WatchFlags::MOVE_SELF
        | WatchFlags::ONLYDIR;
    // Looked at before: if the path turns in between, the next look sees another folder.
    let identity = identity(path)?;
    let descriptor = inotify::add_watch(queue, path, what)?;
    Ok(Watched {
        descriptor,
        identity,
    })
}

fn identity(path: &Path) -> io::Result<(u64, u64)> {
    use std::os::unix::fs::MetadataExt;
    let metadata = std::fs::metadata(path)?;
    Ok((metadata.dev(), metadata.ino()))
}

fn is_absence(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::NotFound | io::ErrorKind::NotADirectory
    )
}
