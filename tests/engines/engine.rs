//! One engine or the other, behind one type.

use std::process::Command;
use std::sync::atomic::{AtomicU32, Ordering};
use std::time::Duration;

use moorline::store::backend::{Backend, BackendError, BackendFuture, Blob};
use moorline::store::{Changes, Revision, Slot};
use moorline::sync::nats::Bucket;
use moorline::sync::postgres::Table;
use tokio::sync::{RwLock, RwLockReadGuard, RwLockWriteGuard};

/// Long enough for a busy machine, short enough to wait for.
pub(crate) const TIMEOUT: Duration = Duration::from_secs(2);

/// What a call may take beyond its deadline on a busy machine.
pub(crate) const SLACK: Duration = Duration::from_secs(3);

/// Held by tests that kill a server; the others only look on.
static SERVERS: RwLock<()> = RwLock::const_new(());

pub(crate) async fn undisturbed() -> RwLockReadGuard<'static, ()> {
    SERVERS.read().await
}

pub(crate) async fn alone() -> RwLockWriteGuard<'static, ()> {
    SERVERS.write().await
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Engine {
    Nats,
    Postgres,
}

fn variable(name: &str) -> String {
    std::env::var(name).unwrap_or_else(|_| {
        panic!(
            "{name} is not set: run `scripts/services cargo test -p moorline --features \
             nats,postgres --test engines`"
        )
    })
}

/// The authority of the servers' certificates.
pub(crate) fn authority() -> String {
    variable("MOORLINE_CA")
}

impl Engine {
    /// Where the server is.
    pub(crate) fn address(self) -> String {
        match self {
            Self::Nats => variable("MOORLINE_NATS"),
            Self::Postgres => variable("MOORLINE_POSTGRES"),
        }
    }

    /// The address with another host and port.
    pub(crate) fn address_at(self, place: &str) -> String {
        self.address().replace(&self.place(), place)
    }

    /// Host and port of the server.
    pub(crate) fn place(self) -> String {
        let address = self.address();
        let rest = address.split_once('@').unwrap().1;
        rest.split('/').next().unwrap().to_owned()
    }

    pub(crate) fn password(self) -> String {
        let address = self.address();
        let user = address.split_once("://").unwrap().1;
        let password = user.split_once(':').unwrap().1;
        password.split_once('@').unwrap().0.to_owned()
    }

    /// `kill`, `start`, `pause`, `resume`.
    pub(crate) async fn control(self, what: &'static str) {
        let command = match self {
            Self::Nats => variable("MOORLINE_NATS_CONTROL"),
            Self::Postgres => variable("MOORLINE_POSTGRES_CONTROL"),
        };
        let run = move || Command::new(command).arg(what).status().unwrap();
        let status = tokio::task::spawn_blocking(run).await.unwrap();
        assert!(status.success(), "{what}: {status}");
    }

    /// With a deadline that even a busy machine keeps.
    pub(crate) async fn open(self, name: &str) -> Any {
        let timeout = Duration::from_secs(20);
        self.open_at(self.address(), name, timeout).await.unwrap()
    }

    /// With a deadline that tests wait for.
    pub(crate) async fn try_open(self, address: String, name: &str) -> Result<Any, BackendError> {
        self.open_at(address, name, TIMEOUT).await
    }

    async fn open_at(
        self,
        address: String,
        name: &str,
        timeout: Duration,
    ) -> Result<Any, BackendError> {
        match self {
            Self::Nats => {
                let builder = Bucket::builder(address).bucket(name).timeout(timeout);
                Ok(Any::Bucket(builder.open().await?))
            }
            Self::Postgres => {
                let builder = Table::builder(address).table(name).timeout(timeout);
                Ok(Any::Table(builder.open().await?))
            }
        }
    }
}

/// A name that no other test has.
pub(crate) fn fresh(what: &str) -> String {
    static NEXT: AtomicU32 = AtomicU32::new(0);
    let number = NEXT.fetch_add(1, Ordering::Relaxed);
    format!("{what}_{}_{number}", std::process::id())
}

pub(crate) fn slot(number: u64) -> Slot {
    let mut bytes = [0; 32];
    bytes[..8].copy_from_slice(&number.to_be_bytes());
    Slot::new(bytes)
}

pub(crate) fn blob(revision: u64, bytes: &[u8]) -> Blob {
    Blob {
        revision: Revision::new(revision),
        bytes: bytes.to_vec(),
    }
}

#[derive(Clone, Debug)]
pub(crate) enum Any {
    Bucket(Bucket),
    Table(Table),
}

impl Any {
    fn inner(&self) -> &dyn Backend {
        match self {
            Self::Bucket(bucket) => bucket,
            Self::Table(table) => table,
        }
    }
}

impl Backend for Any {
    fn describe(&self) -> String {
        self.inner().describe()
    }

    fn get(&self, slot: Slot) -> BackendFuture<'_, Option<Blob>> {
        self.inner().get(slot)
    }

    fn put(&self, slot: Slot, blob: Blob, expected: Revision) -> BackendFuture<'_, ()> {
        self.inner().put(slot, blob, expected)
    }

    fn set_aside(&self, slot: Slot) -> BackendFuture<'_, Option<String>> {
        self.inner().set_aside(slot)
    }

    fn remove(&self, slot: Slot, expected: Revision) -> BackendFuture<'_, ()> {
        self.inner().remove(slot, expected)
    }

    fn list(&self) -> BackendFuture<'_, Vec<Slot>> {
        self.inner().list()
    }

    fn changes(&self) -> Option<Changes> {
        self.inner().changes()
    }
}
