//! Sessions that another process holds.

use std::sync::Arc;

use moorline::SessionManager;
use moorline::manager::{NextActive, TakeOver};
use moorline::store::MemoryStore;
use moorline::store::backend::Memory;
use moorline::sync::lease::Leases;
use moorline_scripted::ScriptedWallet;
use tokio::sync::Notify;
use tokio::sync::mpsc::channel;

use super::super::live;
use super::sources::settle;
use super::*;
use crate::accounts::stored;
use crate::top::lines;

async fn process(store: &MemoryStore, leases: &Memory, name: &str) -> (SessionManager, Leases) {
    let leases = Leases::builder(leases.clone()).member(name).join();
    let leases = leases.await.unwrap();
    let manager = SessionManager::builder()
        .store(store.clone())
        .leases(leases.clone())
        .take_over(TakeOver::OnDemand)
        .next_active(NextActive::None)
        .provider("scripted", |_| {
            Ok(Arc::new(
                ScriptedWallet::new().accounts(["alice"]).build().0,
            ))
        })
        .build()
        .unwrap();
    (manager, leases)
}

#[tokio::test(start_paused = true)]
async fn what_another_process_holds_is_shown_as_that() {
    let (store, leases) = (MemoryStore::new(), Memory::new());
    let (one, ones) = process(&store, &leases, "one").await;
    let (two, _) = process(&store, &leases, "two").await;
    let (sender, mut inputs) = channel(4);
    let resync = Arc::new(Notify::new());
    let names = live::Names::default();
    tokio::spawn(live::follow(one.clone(), names, sender, resync.clone()));
    let (provider, _) = ScriptedWallet::new().accounts(["alice"]).build();
    let alice = one.login(provider).await.unwrap();
    let id = RowId::Key(alice.key().clone());
    let mut model = Model::new("one", true);
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.row(&id).unwrap().facts.phase, Phase::Connected);

    // The other one cannot have it.
    let report = two.restore().await.unwrap();
    let here = stored::sessions(&store, None).await.unwrap();
    let mut theirs = Model::new("two", true);
    let missing = live::not_restored(&report, &here);
    missing.into_iter().for_each(|input| theirs.feed(input));
    let facts = &theirs.row(&id).unwrap().facts;
    assert_eq!(facts.phase, Phase::Elsewhere);
    assert!(facts.why.starts_with("held by one"), "{}", facts.why);
    assert_eq!(lines::object(&theirs, noon())["totals"]["elsewhere"], 1);

    // Nor can the one whose lease ended.
    ones.leave().await;
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.row(&id).unwrap().facts.phase, Phase::Elsewhere);
    let closed = model.recent().find(|it| it.name() == "session:closed");
    assert!(closed.unwrap().text().contains("lease is lost"));
    resync.notify_one();
    settle(&mut model, &mut inputs).await;
    assert_eq!(model.row(&id).unwrap().facts.phase, Phase::Elsewhere);

    // It is over for all.
    one.revoke(&**alice.key()).await.unwrap();
    settle(&mut model, &mut inputs).await;
    assert!(model.row(&id).is_none());
    let revoked = model.recent().find(|it| it.name() == "session:revoked");
    assert_eq!(
        revoked.unwrap().text(),
        "removed from the store; the wallet was not told"
    );
}
