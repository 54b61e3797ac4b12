//! One at a time for each session, a few at a time for all, and only so many values kept.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};

use moorline::manager::{DataName, Fetch};
use moorline_scripted::{Behaviour, On};

use super::{PROFILE, SECOND, Seen, fresh, profile, shown, told};
use crate::support::{builder, settle, wallet};

/// Counts how many run at once.
#[derive(Clone, Default)]
struct Gauge(Arc<(AtomicUsize, AtomicUsize)>);

struct Running(Gauge);

impl Gauge {
    fn enter(&self) -> Running {
        let now = self.0.0.fetch_add(1, Ordering::SeqCst) + 1;
        self.0.1.fetch_max(now, Ordering::SeqCst);
        Running(self.clone())
    }
    fn most(&self) -> usize {
        self.0.1.load(Ordering::SeqCst)
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.0.0.0.fetch_sub(1, Ordering::SeqCst);
    }
}

fn slow(name: &'static str, gauges: &[&Gauge]) -> Fetch {
    let gauges: Vec<Gauge> = gauges.iter().copied().cloned().collect();
    Fetch::new(DataName::<()>::new(name), move |_| {
        let running: Vec<Running> = gauges.iter().map(Gauge::enter).collect();
        async move {
            tokio::time::sleep(SECOND).await;
            drop(running);
            Ok(())
        }
    })
}

#[tokio::test(start_paused = true)]
async fn who_asks_for_the_same_at_once_shares_one_fetch() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen)).build().unwrap();
    let (provider, control) = wallet("a");
    control.on(On::method("profile"), Behaviour::answer().after(5 * SECOND));
    let a = manager.login(provider).await.unwrap();
    let (one, two, three) =
        tokio::join!(a.fetched(PROFILE), a.refresh(PROFILE), a.fetched(PROFILE));
    assert!(one.is_ok() && two.is_ok() && three.is_ok());
    assert_eq!((seen.count(), control.executions("profile")), (1, 1));
    // One that stops waiting stops nothing.
    let gone = tokio::time::timeout(SECOND, a.refresh(PROFILE)).await;
    gone.unwrap_err();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!((seen.count(), control.executions("profile")), (2, 2));
    assert_eq!(shown(&a), fresh("a"));
}

#[tokio::test(start_paused = true)]
async fn only_so_many_run_at_once_and_all_get_their_turn() {
    let (one, two, all) = (Gauge::default(), Gauge::default(), Gauge::default());
    let manager = builder()
        .fetch(slow("one", &[&one, &all]).at_once(2))
        .fetch(slow("two", &[&two, &all]).at_once(4))
        .fetches_at_once(5)
        .build()
        .unwrap();
    let mut sessions = Vec::new();
    for account in 0..20 {
        let (provider, _) = wallet(&account.to_string());
        sessions.push(manager.login(provider).await.unwrap());
    }
    tokio::time::sleep(11 * SECOND).await;
    for session in &sessions {
        assert!(session.data::<()>("one").is_some());
        assert!(session.data::<()>("two").is_some());
    }
    assert_eq!((one.most(), two.most(), all.most()), (2, 3, 5));
}

#[tokio::test(start_paused = true)]
async fn one_that_is_asked_for_goes_before_those_in_line() {
    let seen = Seen::default();
    let manager = builder().fetch(profile(&seen).at_once(1)).build().unwrap();
    let mut sessions = Vec::new();
    for account in ["a", "b", "c", "d"] {
        let (provider, control) = wallet(account);
        control.on(On::method("profile"), Behaviour::answer().after(SECOND));
        sessions.push(manager.login(provider).await.unwrap());
    }
    settle().await;
    sessions[3].fetched(PROFILE).await.unwrap();
    tokio::time::sleep(5 * SECOND).await;
    assert_eq!(seen.accounts(), ["a", "d", "b", "c"]);
}

#[tokio::test(start_paused = true)]
async fn the_value_not_looked_at_for_longest_makes_room_and_comes_back_when_asked_for() {
    let seen = Seen::default();
    let manager = builder()
        .fetch(profile(&seen))
        .max_values(2)
        .build()
        .unwrap();
    let a = manager.login(wallet("a").0).await.unwrap();
    settle().await;
    let b = manager.login(wallet("b").0).await.unwrap();
    settle().await;
    assert_eq!(shown(&a), fresh("a"));
    let mut events = manager.events();
    let c = manager.login(wallet("c").0).await.unwrap();
    settle().await;
    assert!(told(&mut events).contains(&"b: profile invalidated Capacity".to_owned()));
    assert_eq!((shown(&a), shown(&c)), (fresh("a"), fresh("c")));
    assert_eq!(seen.count(), 3);
    assert_eq!(*b.fetched(PROFILE).await.unwrap().value, "b");
    // Who has left takes no room.
    manager.logout("b").await.unwrap();
    told(&mut events);
    let d = manager.login(wallet("d").0).await.unwrap();
    settle().await;
    let expected = ["d: profile started Login", "d: profile updated"];
    assert_eq!(told(&mut events), expected);
    assert_eq!((shown(&c), shown(&d)), (fresh("c"), fresh("d")));
}
