//! One result for all who asked, and one session in several places.

use std::time::Duration;

use moorline::provider::{
    CloseMode, EventSink, Live, OpenRequest, Opened, ProviderFuture, Request, UserActionKind,
};
use moorline::store::MemoryStore;
use moorline::sync::LocalBus;
use moorline::{
    Account, ConnectError, DisconnectReason, Provider, ProviderEvent, Status, UserAction,
};
use moorline_scripted::{Behaviour, On};

use crate::support::{names, settle, unreachable, wallet};

#[tokio::test(start_paused = true)]
async fn h04_concurrent_connects_share_one_attempt_and_its_result() {
    let (builder, wallet) = wallet();
    let session = builder.build().unwrap();
    wallet.on(
        On::Open,
        Behaviour::fail(unreachable())
            .after(Duration::from_secs(1))
            .times(1),
    );
    let (one, two) = tokio::join!(session.connect(), session.connect());
    assert_eq!(one, two);
    assert!(matches!(one, Err(ConnectError::Provider(_))));
    assert_eq!(wallet.count(&On::Open), 1);
    let (one, two) = tokio::join!(session.connect(), session.connect());
    assert_eq!(one.unwrap().seq, two.unwrap().seq);
    assert_eq!(wallet.count(&On::Open), 2);
}

#[tokio::test(start_paused = true)]
async fn connecting_while_connected_asks_nobody() {
    let (session, wallet) = crate::support::connected().await;
    let calls = wallet.calls().len();
    session.connect().await.unwrap();
    assert_eq!(wallet.calls().len(), calls);
}

#[tokio::test(start_paused = true)]
async fn h47_a_disconnect_elsewhere_disconnects_here_and_is_not_sent_on() {
    let bus = LocalBus::new();
    let (builder, _wallet_one) = wallet();
    let one = builder.bus(bus.member()).build().unwrap();
    let (builder, wallet_two) = wallet();
    let two = builder
        .bus(bus.member())
        .store(MemoryStore::new(), "s")
        .build()
        .unwrap();
    one.connect().await.unwrap();
    two.connect().await.unwrap();
    let heard = std::sync::Arc::new(std::sync::Mutex::new(Vec::new()));
    let log = heard.clone();
    moorline::sync::Bus::subscribe(
        &bus.member(),
        Box::new(move |notice| {
            log.lock().unwrap().push(notice);
            true
        }),
    );
    one.disconnect().await;
    settle().await;
    let reason = DisconnectReason::Remote;
    assert_eq!(two.status(), Status::Disconnected { reason });
    assert_eq!(
        *heard.lock().unwrap(),
        [moorline::sync::Notice::Disconnected],
        "sent once"
    );
    wallet_two.push(ProviderEvent::Ready);
    tokio::time::sleep(Duration::from_secs(3600)).await;
    assert_eq!(two.status(), Status::Disconnected { reason });
}

#[tokio::test(start_paused = true)]
async fn h46_a_party_reported_elsewhere_is_asked_for_here() {
    let bus = LocalBus::new();
    let (builder, wallet_one) = wallet();
    let one = builder.bus(bus.member()).build().unwrap();
    let (builder, wallet_two) = wallet();
    let two = builder.bus(bus.member()).build().unwrap();
    one.connect().await.unwrap();
    two.connect().await.unwrap();
    let mut events = two.events();
    wallet_one.change_accounts(vec![Account::primary("mallory")]);
    settle().await;
    assert_eq!(
        two.snapshot().primary().unwrap().id.as_str(),
        "alice",
        "not believed"
    );
    assert_eq!(wallet_two.count(&On::Probe), 2, "asked");
    assert_eq!(names(&mut events), Vec::<&str>::new());
}

/// A wallet whose user logs in while it is still answering that a login is needed.
struct QuickUser;

impl Provider for QuickUser {
    fn kind(&self) -> &str {
        "quick-user"
    }

    fn open(&self, _: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async move {
            events.send(ProviderEvent::Ready);
            tokio::time::sleep(Duration::from_secs(1)).await;
            let url = "https://wallet.example/login";
            let login = UserAction::new(UserActionKind::Login, url);
            Ok(Opened::UserActionRequired(login))
        })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(Live::new(vec![Account::primary("alice")])) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, serde_json::Value> {
        Box::pin(async { Ok(serde_json::Value::Null) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// The event and the answer travel different ways; either may come first.
#[tokio::test(start_paused = true)]
async fn h03_a_login_that_is_done_before_the_open_is_answered_is_noticed_at_once() {
    let session = crate::support::builder(QuickUser).build().unwrap();
    let begun = tokio::time::Instant::now();
    session.connect().await.unwrap();
    assert_eq!(begun.elapsed(), Duration::from_secs(1), "waited for a poll");
}
