//! What those who were refused hear of a release, where the backend tells what changes.

use std::sync::Arc;
use std::time::Duration;

use moorline::store::backend::{Backend, Files, Memory};
use moorline::sync::lease::{Lease, LeaseError, LeaseNews, Leases, News};
use tokio::time::{Instant, timeout};

use crate::folder::Folder;
use crate::support::{TTL, hear, slot};
use crate::wire::Wire;

/// What is told at once is told long before anybody looks by himself, which is every third of the
/// ttl.
const AT_ONCE: Duration = Duration::from_millis(1_000);

async fn join(backend: &Arc<dyn Backend>, name: &str) -> Leases {
    let builder = Leases::builder_dyn(backend.clone()).member(name).ttl(TTL);
    builder.join().await.unwrap()
}

/// One holds slot 1; two was refused, and hears what comes after that.
async fn refused(backend: &Arc<dyn Backend>) -> (Leases, Lease, Leases, News) {
    let (one, two) = (join(backend, "one").await, join(backend, "two").await);
    let lease = one.acquire(slot(1)).await.unwrap();
    let mut news = two.news();
    let first = two.acquire(slot(1)).await;
    assert!(matches!(first, Err(LeaseError::HeldElsewhere { .. })));
    // What was written before the refusal may still be told.
    while let Ok(Some(_)) = timeout(AT_ONCE, news.next()).await {}
    assert!(matches!(
        two.acquire(slot(1)).await,
        Err(LeaseError::HeldElsewhere { .. })
    ));
    (one, lease, two, news)
}

fn free(news: &LeaseNews) -> bool {
    *news
        == LeaseNews::Changed {
            slot: Some(slot(1)),
        }
}

async fn a_release_is_heard_at_once(backend: Arc<dyn Backend>) {
    let (_one, lease, two, mut news) = refused(&backend).await;
    let begun = Instant::now();
    lease.release().await;
    let told = timeout(AT_ONCE, hear(&mut news, free));
    told.await.expect("told at once");
    let fence = two.acquire(slot(1)).await.unwrap().fence();
    assert_eq!(fence.epoch, 2);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

async fn an_end_is_heard_at_once(backend: Arc<dyn Backend>) {
    let (one, _lease, two, mut news) = refused(&backend).await;
    let begun = Instant::now();
    let member = one.member();
    one.leave().await;
    let gone = LeaseNews::MemberGone { member };
    let told = timeout(AT_ONCE, hear(&mut news, |it| *it == gone));
    told.await.expect("told at once");
    let fence = two.acquire(slot(1)).await.unwrap().fence();
    assert_eq!(fence.epoch, 2);
    assert!(begun.elapsed() < AT_ONCE, "{:?}", begun.elapsed());
}

#[tokio::test(start_paused = true)]
async fn a_release_in_memory_is_heard_at_once() {
    a_release_is_heard_at_once(Arc::new(Memory::new())).await;
}

#[tokio::test(start_paused = true)]
async fn an_orderly_end_in_memory_is_heard_at_once() {
    an_end_is_heard_at_once(Arc::new(Memory::new())).await;
}

/// Files are watched by a thread, in real time.
#[tokio::test]
async fn a_release_and_an_end_in_files_are_heard_at_once() {
    for end in [false, true] {
        let folder = Folder::new();
        let files: Arc<dyn Backend> = Arc::new(Files::open(&*folder).unwrap());
        match end {
            false => a_release_is_heard_at_once(files).await,
            true => an_end_is_heard_at_once(files).await,
        }
    }
}

#[tokio::test(start_paused = true)]
async fn without_a_feed_a_release_is_not_heard_of_and_an_end_only_by_looking() {
    let wire: Arc<dyn Backend> = Arc::new(Wire::new(&Memory::new()));
    let (one, lease, _two, mut news) = refused(&wire).await;
    lease.release().await;
    let member = one.member();
    let begun = Instant::now();
    one.leave().await;
    hear(&mut news, |it| {
        assert!(!free(it), "nobody can have told it");
        *it == LeaseNews::MemberGone {
            member: member.clone(),
        }
    })
    .await;
    assert!(begun.elapsed() <= TTL * 2 / 3, "{:?}", begun.elapsed());
}

/// Where the feed tells of removals, too: the last record of a member that is gone is not a reason
/// to look for it again.
#[tokio::test(start_paused = true)]
async fn those_who_left_stay_gone_where_the_feed_tells_of_their_removal() {
    let memory = Memory::new();
    let backend: Arc<dyn Backend> = Arc::new(memory.clone());
    let (two, three) = (join(&backend, "two").await, join(&backend, "three").await);
    let mut news = three.news();
    for _ in 0..10 {
        let one = join(&backend, "one").await;
        one.leave().await;
        tokio::time::sleep(TTL).await;
    }
    // For how long the records of those who left are kept, and once more.
    tokio::time::sleep(TTL * 250).await;
    let mut gone = 0;
    while let Ok(Some(told)) = timeout(AT_ONCE, news.next()).await {
        gone += usize::from(matches!(told, LeaseNews::MemberGone { .. }));
    }
    assert_eq!(gone, 10, "each is gone once");
    for _ in 0..20 {
        tokio::time::sleep(TTL * 7).await;
        assert_eq!(memory.list().await.unwrap().len(), 2);
    }
    drop((two, three));
}
