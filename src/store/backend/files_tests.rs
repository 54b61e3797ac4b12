use std::sync::atomic::AtomicBool;

use super::super::fs::Durable;
use super::*;

const SLOT: Slot = Slot::new([0xab; 32]);

/// A folder of its own, removed at the end.
struct Folder(PathBuf);

impl Folder {
    fn new(name: &str) -> Self {
        let number = NEXT.fetch_add(1, Ordering::Relaxed);
        let name = format!("moorline-files-{name}-{}-{number}", std::process::id());
        Self(std::env::temp_dir().join(name))
    }
}

impl Drop for Folder {
    fn drop(&mut self) {
        let _gone = std::fs::remove_dir_all(&self.0);
    }
}

fn blob(revision: u64, bytes: &[u8]) -> Blob {
    Blob {
        revision: Revision::new(revision),
        bytes: bytes.to_vec(),
    }
}

/// What can go wrong with a disk.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Fault {
    /// No room: nothing is written.
    Full,
    /// The folder may not be written to any more.
    Denied,
    /// Half of it is written, then no more room.
    Torn,
    /// Flushing the file fails.
    Sync,
    /// Putting the file in place fails.
    Rename,
    /// Flushing the folder fails: the file is in place.
    SyncFolder,
}

struct FaultyFs {
    fault: Fault,
    on: Arc<AtomicBool>,
}

impl FaultyFs {
    fn fails(&self, fault: Fault) -> io::Result<()> {
        if self.fault == fault && self.on.load(Ordering::Relaxed) {
            return Err(io::Error::from(match fault {
                Fault::Denied => io::ErrorKind::PermissionDenied,
                _ => io::ErrorKind::StorageFull,
            }));
        }
        Ok(())
    }
}

struct FaultyFile(Box<dyn Durable>, bool);

impl Durable for FaultyFile {
    fn sync(&self) -> io::Result<()> {
        if self.1 {
            return Err(io::Error::other("the disk does not answer"));
        }
        self.0.sync()
    }
}

impl FileSystem for FaultyFs {
    fn read(&self, path: &Path) -> io::Result<Option<Vec<u8>>> {
        RealFs.read(path)
    }

    fn create(&self, path: &Path, bytes: &[u8]) -> io::Result<Box<dyn Durable>> {
        self.fails(Fault::Full)?;
        self.fails(Fault::Denied)?;
        if let Err(error) = self.fails(Fault::Torn) {
            RealFs.create(path, &bytes[..bytes.len() / 2])?;
            return Err(error);
        }
        let file = RealFs.create(path, bytes)?;
        let failing = self.fails(Fault::Sync).is_err();
        Ok(Box::new(FaultyFile(file, failing)))
    }

    fn rename(&self, from: &Path, to: &Path) -> io::Result<()> {
        self.fails(Fault::Rename)?;
        RealFs.rename(from, to)
    }

    fn sync_folder(&self, path: &Path) -> io::Result<()> {
        self.fails(Fault::SyncFolder)?;
        RealFs.sync_folder(path)
    }

    fn remove(&self, path: &Path) -> io::Result<()> {
        RealFs.remove(path)
    }

    fn names(&self, path: &Path) -> io::Result<Vec<PathBuf>> {
        RealFs.names(path)
    }
}

#[tokio::test]
async fn h67_a_write_that_fails_at_any_step_leaves_a_whole_record() {
    for fault in [
        Fault::Full,
        Fault::Denied,
        Fault::Torn,
        Fault::Sync,
        Fault::Rename,
        Fault::SyncFolder,
    ] {
        let folder = Folder::new("faults");
        let on = Arc::new(AtomicBool::new(false));
        let fs = FaultyFs {
            fault,
            on: on.clone(),
        };
        let files = Files::with_fs(folder.0.clone(), Box::new(fs)).unwrap();
        files
            .put(SLOT, blob(1, b"good"), Revision::NONE)
            .await
            .unwrap();
        on.store(true, Ordering::Relaxed);
        let failed = files.put(SLOT, blob(2, b"new"), Revision::new(1)).await;
        assert!(
            matches!(failed, Err(BackendError::Unavailable { .. })),
            "{fault:?}: {failed:?}"
        );
        on.store(false, Ordering::Relaxed);
        // Not acknowledged: the old record or the new one, whole.
        let there = files.get(SLOT).await.unwrap().unwrap();
        let expected = match fault {
            Fault::SyncFolder => blob(2, b"new"),
            _ => blob(1, b"good"),
        };
        assert_eq!(there, expected, "{fault:?}");
        let left = std::fs::read_dir(&folder.0).unwrap().count();
        assert_eq!(left, 2, "{fault:?}: a temporary file was left");
        let next = blob(there.revision.next().number(), b"next");
        files.put(SLOT, next, there.revision).await.unwrap();
    }
}

#[tokio::test]
async fn what_a_crash_left_behind_is_swept_and_the_record_stays() {
    let folder = Folder::new("sweep");
    let files = Files::open(&folder.0).unwrap();
    files
        .put(SLOT, blob(1, b"good"), Revision::NONE)
        .await
        .unwrap();
    let left = folder.0.join(format!("{SLOT}.77-3.tmp"));
    std::fs::write(&left, b"half").unwrap();
    let files = Files::open(&folder.0).unwrap();
    assert!(!left.exists());
    assert_eq!(files.get(SLOT).await.unwrap(), Some(blob(1, b"good")));
    assert_eq!(files.list().await.unwrap(), [SLOT]);
}

#[cfg(unix)]
#[tokio::test]
async fn h71_files_and_folders_are_private() {
    use std::os::unix::fs::PermissionsExt;
    let folder = Folder::new("modes");
    let files = Files::open(&folder.0).unwrap();
    files
        .put(SLOT, blob(1, b"good"), Revision::NONE)
        .await
        .unwrap();
    let mode = |path: &Path| std::fs::metadata(path).unwrap().permissions().mode() & 0o777;
    assert_eq!(mode(&folder.0), 0o700);
    assert_eq!(mode(&files.path(SLOT)), 0o600);
    for lock in std::fs::read_dir(folder.0.join("locks")).unwrap() {
        assert_eq!(mode(&lock.unwrap().path()), 0o600);
    }
}

#[tokio::test]
async fn what_is_no_record_is_damaged_and_stays() {
    let folder = Folder::new("damaged");
    let files = Files::open(&folder.0).unwrap();
    files
        .put(SLOT, blob(1, b"good"), Revision::NONE)
        .await
        .unwrap();
    let whole = std::fs::read(files.path(SLOT)).unwrap();
    for length in 0..HEADER {
        std::fs::write(files.path(SLOT), &whole[..length]).unwrap();
        let got = files.get(SLOT).await;
        assert!(matches!(got, Err(BackendError::Damaged { .. })), "{length}");
        let put = files.put(SLOT, blob(2, b"new"), Revision::new(1)).await;
        assert!(matches!(put, Err(BackendError::Damaged { .. })), "{length}");
        assert_eq!(std::fs::read(files.path(SLOT)).unwrap(), whole[..length]);
    }
    let place = files.set_aside(SLOT).await.unwrap().unwrap();
    assert_eq!(std::fs::read(place).unwrap(), whole[..HEADER - 1]);
    assert_eq!(files.get(SLOT).await.unwrap(), None);
    files
        .put(SLOT, blob(1, b"again"), Revision::NONE)
        .await
        .unwrap();
    // Nothing set aside earlier is written over.
    let second = files.set_aside(SLOT).await.unwrap().unwrap();
    assert!(second.ends_with(".1.aside"), "{second}");
}
