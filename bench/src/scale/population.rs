//! Sessions by the hundred thousand.

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{LoginOptions, SessionManager, SessionManagerBuilder};
use moorline::provider::Provider;
use moorline::session::Driver;
use moorline::store::{Record, RecordName, Revision, Store, StoreFuture, Stored, Tombstone};
use moorline::{Policy, Session};

use super::Failure;
use crate::wallet::{Answers, Immediate};

/// What surrounds the sessions.
#[derive(Clone, Copy, Eq, PartialEq)]
pub(super) enum Kind {
    /// No manager: what a session costs alone.
    Bare,
    Managed,
    /// Stored in a store that keeps nothing: what the manager needs for it is counted, the store's
    /// own is not.
    Stored,
    /// With a time to live of 8 hours, so that each looks at the clock once a minute.
    Expiring,
}

impl Kind {
    pub(super) fn name(self) -> &'static str {
        match self {
            Self::Bare => "no manager",
            Self::Managed => "managed",
            Self::Stored => "managed and stored",
            Self::Expiring => "managed, TTL",
        }
    }
}

pub(super) enum Population {
    Bare {
        sessions: Vec<Session>,
        _driver: Driver,
    },
    Managed(SessionManager),
}

pub(super) fn wallets(count: usize) -> Vec<Arc<dyn Provider>> {
    let wallet = |number| Arc::new(Immediate::new(number, Answers::AtOnce)) as Arc<dyn Provider>;
    (0..count).map(wallet).collect()
}

impl Population {
    pub(super) async fn new(wallets: &[Arc<dyn Provider>], kind: Kind) -> Result<Self, Failure> {
        let mut policy = Policy::default();
        policy.expiry.ttl = (kind == Kind::Expiring).then_some(Duration::from_secs(8 * 3600));
        if kind == Kind::Bare {
            let policy = Arc::new(policy);
            let driver = Driver::new()?;
            let mut sessions = Vec::with_capacity(wallets.len());
            for wallet in wallets {
                let builder = Session::builder_dyn(wallet.clone()).driver(&driver);
                let session = builder.policy(policy.clone()).build()?;
                session.connect().await?;
                sessions.push(session);
            }
            return Ok(Self::Bare {
                sessions,
                _driver: driver,
            });
        }
        let mut builder = SessionManager::builder().policy(policy);
        if kind == Kind::Stored {
            builder = builder.store(Nothing);
        }
        Ok(Self::Managed(log_in(builder, wallets).await?))
    }

    /// Looks at every snapshot.
    pub(super) fn connected(&self) -> usize {
        match self {
            Self::Bare { sessions, .. } => {
                let snapshots = sessions.iter().map(Session::snapshot);
                snapshots.filter(|snapshot| snapshot.is_connected()).count()
            }
            Self::Managed(manager) => {
                let sessions = manager.sessions();
                let snapshots = sessions.iter().map(|session| session.snapshot());
                snapshots.filter(|snapshot| snapshot.is_connected()).count()
            }
        }
    }
}

/// A manager with a session of each wallet, none of them active.
pub(super) async fn log_in(
    builder: SessionManagerBuilder,
    wallets: &[Arc<dyn Provider>],
) -> Result<SessionManager, Failure> {
    let manager = builder.build()?;
    let options = LoginOptions::new().activate(false);
    for wallet in wallets {
        manager.login_with(wallet.clone(), options.clone()).await?;
    }
    Ok(manager)
}

/// A store that takes everything and keeps nothing.
struct Nothing;

impl Store for Nothing {
    fn load<'a>(&'a self, _: &'a RecordName) -> StoreFuture<'a, Stored> {
        Box::pin(async { Ok(Stored::Nothing) })
    }

    fn save<'a>(
        &'a self,
        _: &'a RecordName,
        _: Record,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { Ok(expected.next()) })
    }

    fn erase<'a>(
        &'a self,
        _: &'a RecordName,
        _: Tombstone,
        expected: Revision,
    ) -> StoreFuture<'a, Revision> {
        Box::pin(async move { Ok(expected.next()) })
    }

    fn list(&self) -> StoreFuture<'_, Vec<RecordName>> {
        Box::pin(async { Ok(Vec::new()) })
    }
}
