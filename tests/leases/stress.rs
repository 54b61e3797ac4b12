//! Real time and threads: many members that fight for few leases.

use std::sync::{Arc, Mutex};
use std::time::{Duration, Instant};

use moorline::store::backend::{Backend, Files, Memory};
use moorline::sync::lease::Leases;

use crate::folder::Folder;
use crate::support::slot;

const LEASES: u64 = 4;

/// What is acted upon: how often, and the highest fence it has seen.
#[derive(Default)]
struct Wallet(Mutex<(u64, u64)>);

impl Wallet {
    /// Looks and acts in one step, as far as this wallet is concerned: however long a thread is
    /// not run in between, who acts after a later holder did so out of turn.
    fn act(&self, epoch: u64, is_held: impl Fn() -> bool) {
        let mut seen = self.0.lock().unwrap();
        if is_held() {
            let (acts, highest) = *seen;
            assert!(epoch >= highest, "{epoch} acts after {highest}");
            *seen = (acts + 1, epoch);
        }
    }

    fn seen(&self) -> (u64, u64) {
        *self.0.lock().unwrap()
    }
}

async fn fight(backend: Arc<dyn Backend>, wallets: Arc<Vec<Wallet>>, seed: u64, until: Instant) {
    let mut random = fastrand::Rng::with_seed(seed);
    let ttl = Duration::from_millis(400);
    while Instant::now() < until {
        let builder = Leases::builder_dyn(backend.clone()).ttl(ttl);
        let leases = builder.join().await.unwrap();
        for _ in 0..random.u32(1..6) {
            let number = random.u64(0..LEASES);
            let Ok(lease) = leases.acquire(slot(number)).await else {
                tokio::time::sleep(Duration::from_millis(random.u64(1..20))).await;
                continue;
            };
            let epoch = lease.fence().epoch;
            for _ in 0..random.u32(0..20) {
                wallets[number as usize].act(epoch, || lease.is_held());
                tokio::time::sleep(Duration::from_millis(random.u64(0..4))).await;
            }
            match random.u32(0..3) {
                0 => lease.release().await,
                1 => drop(lease),
                _ => {
                    leases.leave().await;
                    assert!(!lease.is_held());
                    break;
                }
            }
        }
    }
}

async fn everybody_fights(backend: Arc<dyn Backend>) {
    let wallets: Arc<Vec<Wallet>> = Arc::new((0..LEASES).map(|_| Wallet::default()).collect());
    let until = Instant::now() + Duration::from_secs(2);
    let fights = (0..6).map(|seed| {
        let (backend, wallets) = (backend.clone(), wallets.clone());
        tokio::spawn(fight(backend, wallets, seed, until))
    });
    for fight in fights.collect::<Vec<_>>() {
        fight.await.unwrap();
    }
    for wallet in wallets.iter() {
        let (acts, highest) = wallet.seen();
        assert!(acts > 10 && highest > 1, "{acts} acts, up to {highest}");
    }
    // Whatever was left behind, a newcomer gets everything.
    let leases = Leases::builder_dyn(backend).ttl(Duration::from_millis(400));
    let leases = leases.join().await.unwrap();
    for (number, wallet) in wallets.iter().enumerate() {
        let patience = Instant::now() + Duration::from_secs(30);
        let lease = loop {
            match leases.acquire(slot(number as u64)).await {
                Ok(lease) => break lease,
                Err(error) => assert!(Instant::now() < patience, "{error}"),
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        };
        assert!(lease.fence().epoch > wallet.seen().1);
    }
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_in_memory_never_act_at_once() {
    everybody_fights(Arc::new(Memory::new())).await;
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn members_in_a_folder_never_act_at_once() {
    let folder = Folder::new();
    let files = Files::open(&*folder).unwrap();
    everybody_fights(Arc::new(files)).await;
}
