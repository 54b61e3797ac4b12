//! One manager's event stream under a million events of many sessions.

use std::sync::Arc;
use std::time::Instant;

use moorline::manager::{ManagerItem, SessionManager};
use moorline::provider::{Message, Provider};
use moorline::{Policy, ProviderEvent};
use serde_json::Value;
use tokio::runtime::Builder;

use super::population::log_in;
use crate::Measured;
use crate::report::Row;
use crate::wallet::Controlled;

const EVENTS: usize = 1_000_000;
/// How many are published before they are read.
const BURST: usize = 512;
const CAPACITY: usize = 1024;

pub(super) fn measure(sessions: usize) -> Measured {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().build()?;
    let wallets: Vec<Arc<Controlled>> = (0..sessions)
        .map(|number| Arc::new(Controlled::of(number)))
        .collect();
    let providers: Vec<Arc<dyn Provider>> = wallets
        .iter()
        .map(|it| it.clone() as Arc<dyn Provider>)
        .collect();
    let builder = SessionManager::builder().policy(Policy::default());
    let builder = builder.event_capacity(CAPACITY);
    let manager = runtime.block_on(log_in(builder, &providers))?;

    let mut reader = manager.events();
    let mut sleeper = manager.events();
    let mut read = 0;
    let mut gaps = 0;
    let mut last = None;
    let message = Message::new("txChanged", Value::Null);
    let begun = Instant::now();
    for number in 0..EVENTS {
        if let Some(wallet) = wallets.get(number % sessions) {
            wallet.say(ProviderEvent::Message(message.clone()));
        }
        if number % BURST == BURST - 1 || number == EVENTS - 1 {
            while let Some(item) = reader.try_next() {
                match item {
                    ManagerItem::Event(event) => {
                        let follows = last.is_none_or(|last| event.seq == last + 1);
                        gaps += usize::from(!follows);
                        last = Some(event.seq);
                        read += 1;
                    }
                    ManagerItem::Missed(_) => gaps += 1,
                }
            }
        }
    }
    let took = begun.elapsed();
    let (mut told, mut missed) = (0, 0);
    while let Some(item) = sleeper.try_next() {
        match item {
            ManagerItem::Event(_) => told += 1,
            ManagerItem::Missed(count) => missed += count,
        }
    }
    let exact = told == CAPACITY && missed == (EVENTS - CAPACITY) as u64;
    Ok(vec![
        Row::new(
            format!("{EVENTS} events of {sessions} sessions in one stream: a second"),
            format!("{:.2} M", EVENTS as f64 / took.as_secs_f64() / 1e6),
        ),
        Row::new(
            "of them read by a subscriber that keeps up, gaps in their numbers",
            format!("{read}, {gaps}"),
        )
        .goal("all, none", read == EVENTS && gaps == 0),
        Row::new(
            "read and told as missed to a subscriber that sleeps",
            format!("{told}, {missed}"),
        )
        .goal(format!("{CAPACITY}, exactly the rest"), exact),
    ])
}
