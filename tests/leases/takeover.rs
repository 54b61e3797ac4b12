//! Who holds, who takes over, and when.

use std::time::Duration;

use moorline::store::Slot;
use moorline::store::backend::Memory;
use moorline::sync::lease::{LeaseError, LeaseNews, Leases};

#[tokio::test(start_paused = true)]
async fn a_lease_released_is_had_at_once_with_a_higher_epoch() {
    let memory = Memory::new();
    let (one, two) = (
        Leases::builder(memory.clone())
            .member("one")
            .join()
            .await
            .unwrap(),
        Leases::builder(memory).member("two").join().await.unwrap(),
    );
    let slot = Slot::new([1; 32]);
    let lease = one.acquire(slot).await.unwrap();
    assert!(lease.is_held());
    assert_eq!(lease.fence().epoch, 1);
    assert!(matches!(one.acquire(slot).await, Err(LeaseError::HeldHere)));
    match two.acquire(slot).await {
        Err(LeaseError::HeldElsewhere { holder }) => assert_eq!(holder, one.member()),
        other => panic!("{other:?}"),
    }
    assert_eq!(two.holder(slot).await.unwrap(), Some(one.member()));
    lease.release().await;
    assert_eq!(two.holder(slot).await.unwrap(), None);
    let lease = two.acquire(slot).await.unwrap();
    assert_eq!(lease.fence().epoch, 2);
    assert_eq!(one.holder(slot).await.unwrap(), Some(two.member()));
    let mut news = one.news();
    let gone = two.member();
    two.leave().await;
    assert!(!lease.is_held());
    lease.lost().await;
    let member = loop {
        match news.next().await.unwrap() {
            LeaseNews::MemberGone { member } => break member,
            other => println!("{other:?}"),
        }
    };
    assert_eq!(member, gone);
    assert_eq!(one.acquire(slot).await.unwrap().fence().epoch, 3);
    assert!(matches!(two.acquire(slot).await, Err(LeaseError::Left)));
    tokio::time::sleep(Duration::from_secs(1)).await;
}
