//! Backends that hang or lose answers, processes that die, sleep and come back.

use std::time::Duration;

use moorline::Timestamp;
use moorline::clock::VirtualClock;
use moorline::store::backend::{Backend, Memory};
use moorline::sync::lease::{LeaseError, LeaseNews, Leases};
use tokio::time::{Instant, sleep, timeout};

use crate::support::{TTL, hear, join, slot};
use crate::wire::Wire;

/// After the last renewal others wait for the ttl and a tenth of it from when they first saw it,
/// which is at most a third of the ttl later, and look every third of the ttl.
const TAKEOVER: Duration = Duration::from_millis(10_000 + 1_000 + 3_334 + 3_334);

#[tokio::test(start_paused = true)]
async fn what_a_dead_member_held_is_taken_over_in_time_and_never_before_it_stopped() {
    let memory = Memory::new();
    let (first, second) = (Wire::new(&memory), Wire::new(&memory));
    let (one, two) = (join(&first, "one").await, join(&second, "two").await);
    let old = one.acquire(slot(1)).await.unwrap();
    assert!(matches!(
        two.acquire(slot(1)).await,
        Err(LeaseError::HeldElsewhere { .. })
    ));
    let (mut news, mut own) = (two.news(), one.news());
    sleep(TTL * 3).await;
    assert!(old.is_held(), "it is renewed");
    first.cut(true);
    let cut = Instant::now();
    let lost = tokio::spawn(async move {
        let deadline = old.deadline();
        old.lost().await;
        assert!(!old.is_held());
        assert!(Instant::now() <= deadline + Duration::from_millis(2));
        Instant::now()
    });
    hear(&mut news, |it| matches!(it, LeaseNews::MemberGone { .. })).await;
    let new = two.acquire(slot(1)).await.unwrap();
    assert_eq!(new.fence().epoch, 2);
    assert!(cut.elapsed() <= TAKEOVER, "took {:?}", cut.elapsed());
    assert!(lost.is_finished(), "the old holder stopped first");
    assert!(lost.await.unwrap() < Instant::now());
    hear(&mut own, |it| *it == LeaseNews::Lost).await;
    let before = one.member();
    assert!(matches!(one.acquire(slot(2)).await, Err(LeaseError::Lost)));
    // The backend is back: so is the member, under another id.
    first.cut(false);
    hear(&mut own, |it| matches!(it, LeaseNews::Rejoined { .. })).await;
    assert_ne!(one.member().id, before.id);
    assert_eq!(one.member().name, before.name);
    match one.acquire(slot(1)).await {
        Err(LeaseError::HeldElsewhere { holder }) => assert_eq!(holder, two.member()),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(start_paused = true)]
async fn a_short_outage_costs_nothing() {
    let memory = Memory::new();
    let wire = Wire::new(&memory);
    let one = join(&wire, "one").await;
    let lease = one.acquire(slot(1)).await.unwrap();
    for _ in 0..10 {
        wire.cut(true);
        sleep(TTL / 5).await;
        wire.cut(false);
        sleep(TTL).await;
        assert!(lease.is_held());
    }
    for lost in [1, 1, 1] {
        wire.lose_answers(lost);
        sleep(TTL).await;
        assert!(lease.is_held(), "the truth is read after a lost answer");
    }
}

#[tokio::test(start_paused = true)]
async fn a_lease_is_lost_on_a_backend_that_hangs_and_had_again_at_once_when_it_is_back() {
    let memory = Memory::new();
    let wire = Wire::new(&memory);
    let one = join(&wire, "one").await;
    let lease = one.acquire(slot(1)).await.unwrap();
    let mut news = one.news();
    wire.cut(true);
    timeout(TTL, lease.lost()).await.unwrap();
    assert!(!lease.is_held());
    sleep(TTL * 50).await;
    wire.cut(false);
    let back = Instant::now();
    hear(&mut news, |it| matches!(it, LeaseNews::Rejoined { .. })).await;
    let again = one.acquire(slot(1)).await.unwrap();
    assert_eq!(again.fence().epoch, 2);
    assert!(back.elapsed() <= TTL * 3 / 2, "{:?}", back.elapsed());
    assert!(!lease.is_held(), "lost is lost");
    drop(lease);
    sleep(TTL).await;
    assert!(again.is_held(), "an old lease releases nothing");
}

#[tokio::test(start_paused = true)]
async fn sleep_is_noticed_before_anything_is_done() {
    struct Shared(std::sync::Arc<VirtualClock>);
    impl moorline::clock::Clock for Shared {
        fn wall(&self) -> Timestamp {
            self.0.wall()
        }
    }
    let clock = std::sync::Arc::new(VirtualClock::starting_at(Timestamp::from_millis(1 << 40)));
    let leases = Leases::builder(Memory::new())
        .ttl(TTL)
        .clock(Shared(clock.clone()));
    let one = leases.join().await.unwrap();
    let lease = one.acquire(slot(1)).await.unwrap();
    let mut news = one.news();
    clock.jump_forward(TTL / 2);
    assert!(lease.is_held(), "it slept for less than the ttl");
    clock.jump_forward(TTL / 2);
    assert!(!lease.is_held(), "at once, without any timer");
    hear(&mut news, |it| *it == LeaseNews::Lost).await;
    hear(&mut news, |it| matches!(it, LeaseNews::Rejoined { .. })).await;
    assert!(!lease.is_held());
    assert!(one.acquire(slot(1)).await.unwrap().is_held());
    clock.jump_back(TTL * 10);
    sleep(TTL).await;
}

#[tokio::test(start_paused = true)]
async fn an_acquisition_given_up_leaves_nothing_behind() {
    let memory = Memory::new();
    let (first, second) = (Wire::new(&memory), Wire::new(&memory));
    let (one, two) = (join(&first, "one").await, join(&second, "two").await);
    // Cut off at every moment of the way.
    first.delay(Duration::from_millis(100));
    for (number, after) in (0..).zip([0, 30, 70, 110, 140, 160, 190, 210, 400]) {
        let got = timeout(Duration::from_millis(after), one.acquire(slot(number))).await;
        drop(got);
        sleep(TTL).await;
        let lease = two.acquire(slot(number)).await.unwrap();
        assert!(lease.is_held());
        assert_eq!(one.holder(slot(number)).await.unwrap(), Some(two.member()));
    }
    // The same with the answer to the decisive write lost, again and again.
    first.delay(Duration::ZERO);
    let acquired = tokio::spawn({
        let one = one.clone();
        async move { one.acquire(slot(100)).await.map(drop) }
    });
    first.lose_answers(1);
    acquired.await.unwrap().unwrap();
    sleep(TTL).await;
    assert!(two.acquire(slot(100)).await.is_ok());
}

#[tokio::test(start_paused = true)]
async fn a_thousand_leases_cost_one_write_a_period() {
    let memory = Memory::new();
    let wire = Wire::new(&memory);
    let one = join(&wire, "one").await;
    let mut leases = Vec::new();
    for number in 0..1000 {
        leases.push(one.acquire(slot(number)).await.unwrap());
    }
    let before = wire.writes();
    sleep(TTL * 30).await;
    let written = wire.writes() - before;
    assert!(
        (85..=91).contains(&written),
        "{written} writes in 90 periods"
    );
    assert!(leases.iter().all(moorline::sync::lease::Lease::is_held));
}

#[tokio::test(start_paused = true)]
async fn dropped_is_left_and_the_records_of_those_who_left_go() {
    let memory = Memory::new();
    let two = join(&Wire::new(&memory), "two").await;
    for number in 0..20 {
        let one = join(&Wire::new(&memory), "one").await;
        let lease = one.acquire(slot(7)).await.unwrap();
        assert!(two.holder(slot(7)).await.unwrap().is_some());
        drop(one);
        assert!(lease.is_held(), "a lease keeps its process a member");
        assert_eq!(lease.fence().epoch, number + 1);
        drop(lease);
        sleep(Duration::from_secs(1)).await;
    }
    // Its record and the lease's, after those of who left were removed.
    sleep(TTL * 250).await;
    assert_eq!(memory.list().await.unwrap().len(), 2);
    assert_eq!(two.acquire(slot(7)).await.unwrap().fence().epoch, 21);
}

#[tokio::test(start_paused = true)]
async fn what_cannot_be_read_is_held_by_somebody_unknown() {
    let memory = Memory::new();
    let one = join(&Wire::new(&memory), "one").await;
    drop(one.acquire(slot(1)).await.unwrap());
    sleep(Duration::from_secs(1)).await;
    let own = memory.list().await.unwrap();
    let lease = own
        .into_iter()
        .find(|it| !it.as_bytes().starts_with(b"moorline"));
    let mut blob = memory.get(lease.unwrap()).await.unwrap().unwrap();
    blob.bytes = b"{\"version\":9,\"kind\":\"lease\"}".to_vec();
    memory.overwrite(lease.unwrap(), blob);
    let refused = one.acquire(slot(1)).await.unwrap_err();
    assert!(matches!(refused, LeaseError::Unreadable { .. }));
    assert!(refused.to_string().contains("version 9"), "{refused}");
    assert!(one.holder(slot(1)).await.is_err());
    let short = Leases::builder(memory).ttl(Duration::from_millis(99));
    assert!(matches!(
        short.join().await,
        Err(LeaseError::Ttl { ttl_ms: 99 })
    ));
}
