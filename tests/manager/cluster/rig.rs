//! Two processes played in one, and what they share.

use std::sync::Arc;
use std::time::Duration;

use moorline::manager::{
    ManagerEventKind, ManagerEvents, SessionKey, SessionManager, SessionManagerBuilder, TakeOver,
};
use moorline::provider::{CloseMode, ErrorKind, Sent};
use moorline::store::Revision;
use moorline::store::backend::Memory;
use moorline::sync::lease::Leases;
use moorline::{Identity, OperationError};
use moorline_scripted::{Control, What};

use crate::moody::Moody;
use crate::support::{Wallets, name, own, published, settle, stored_dyn, wallet};
use crate::wire::Wire;

pub(crate) const TTL: Duration = Duration::from_secs(10);

/// One process.
pub(crate) struct Process {
    pub(crate) manager: SessionManager,
    pub(crate) wallets: Wallets,
    pub(crate) leases: Leases,
    pub(crate) events: ManagerEvents,
    wire: Wire,
}

impl Process {
    pub(crate) fn cut(&self, cut: bool) {
        self.wire.refuse(cut);
    }

    pub(crate) fn own(&mut self) -> Vec<String> {
        own(&mut self.events)
    }

    /// The reports of taking over by now: whose, under which epoch, from whom.
    pub(crate) fn taken_over(&mut self) -> Vec<(String, u64, Option<String>)> {
        published(&mut self.events)
            .iter()
            .filter_map(|event| match &event.kind {
                ManagerEventKind::TakenOver { epoch, previous } => Some((
                    event.key.as_ref()?.account.to_string(),
                    *epoch,
                    previous.as_ref().map(|it| it.name.to_string()),
                )),
                _ => None,
            })
            .collect()
    }
}

/// A store, and where leases stand.
#[derive(Clone, Default)]
pub(crate) struct Shared {
    pub(crate) store: Moody,
    pub(crate) leases: Memory,
}

impl Shared {
    pub(crate) async fn process(&self, member: &str, take_over: TakeOver) -> Process {
        self.process_with(member, take_over, |_, _| {}, |builder| builder)
            .await
    }

    /// One whose wallets are prepared, and whose manager is built otherwise.
    pub(crate) async fn process_with(
        &self,
        member: &str,
        take_over: TakeOver,
        prepare: impl Fn(&str, &Control) + Send + Sync + 'static,
        build: impl FnOnce(SessionManagerBuilder) -> SessionManagerBuilder,
    ) -> Process {
        let wire = Wire::new(&self.leases);
        let leases = Leases::builder(wire.clone());
        let leases = leases.member(member).ttl(TTL).join();
        let leases = leases.await.unwrap();
        let (builder, wallets) = stored_dyn(Arc::new(self.store.clone()), prepare);
        let builder = builder.leases(leases.clone()).take_over(take_over);
        let manager = build(builder).build().unwrap();
        let events = manager.events();
        Process {
            manager,
            wallets,
            leases,
            events,
            wire,
        }
    }

    /// Two that take over by themselves, one of them with these sessions.
    pub(crate) async fn two(&self, with: &[&str]) -> (Process, Process, Vec<Control>) {
        let mut one = self.process("one", TakeOver::default()).await;
        let two = self.process("two", TakeOver::default()).await;
        let mut controls = Vec::new();
        for account in with {
            let (provider, control) = wallet(account);
            one.manager.login(provider).await.unwrap();
            controls.push(control);
        }
        settle().await;
        one.own();
        (one, two, controls)
    }

    pub(crate) fn revision(&self, account: &str) -> Revision {
        self.store.memory.peek(&name(account)).revision()
    }
}

pub(crate) fn key(account: &str) -> SessionKey {
    SessionKey::new(
        Identity::new(account, Some("canton:scripted".into())),
        "scripted",
    )
}

pub(crate) fn lease_lost(error: OperationError) -> Sent {
    match error {
        OperationError::Provider(error) => {
            assert_eq!(error.kind(), ErrorKind::LeaseLost, "{error}");
            assert!(!error.is_retryable());
            error.sent()
        }
        other => panic!("{other}"),
    }
}

pub(crate) fn closes(control: &Control) -> Vec<CloseMode> {
    let calls = control.calls();
    calls
        .iter()
        .filter_map(|call| match call.what {
            What::Close(mode) => Some(mode),
            _ => None,
        })
        .collect()
}

pub(crate) fn epochs(control: &Control) -> Vec<Option<u64>> {
    let calls = control.calls();
    let epoch = |call: &moorline_scripted::Call| call.fence.as_ref().map(|fence| fence.epoch);
    calls.iter().map(epoch).collect()
}
