//! All sessions lose their wallets at once, and come back within one shared budget.

use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::manager::{SessionManager, SessionManagerBuilder};
use moorline::policy::ReconnectBudget;
use moorline::provider::{
    CloseMode, EventSink, Live, OpenRequest, Opened, Provider, ProviderFuture, Request,
};
use moorline::{Account, Policy, ProviderEvent};
use serde_json::Value;
use tokio::runtime::Builder;
use tokio::time::Instant;

use super::population::log_in;
use crate::Measured;
use crate::report::Row;
use crate::wallet::{NETWORK, party, unreachable};

/// Attempts a second, and at once.
const RATE: u32 = 5000;
const BURST: u32 = 500;
const SECOND: Duration = Duration::from_secs(1);

/// When wallets were opened.
type Log = Arc<Mutex<Vec<Instant>>>;

/// A wallet whose link can be cut, and that notes every attempt.
struct Noted {
    party: String,
    sink: Mutex<Option<EventSink>>,
    log: Log,
}

impl Noted {
    fn cut(&self) {
        let sink = self.sink.lock().unwrap_or_else(PoisonError::into_inner);
        if let Some(sink) = sink.clone() {
            sink.send(ProviderEvent::Dropped(unreachable()));
        }
    }
}

impl Provider for Noted {
    fn kind(&self) -> &str {
        "noted"
    }

    fn open(&self, _: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        Box::pin(async move {
            let mut log = self.log.lock().unwrap_or_else(PoisonError::into_inner);
            log.push(Instant::now());
            *self.sink.lock().unwrap_or_else(PoisonError::into_inner) = Some(events);
            Ok(Opened::Established)
        })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        let accounts = vec![Account::primary(self.party.as_str())];
        Box::pin(async move { Ok(Live::new(accounts).on_network(NETWORK)) })
    }

    fn request(&self, _: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async { Ok(Value::Null) })
    }

    fn close(&self, _: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// In virtual time every timer fires when it is due: what is seen is what was meant. In real time
/// the process may be held up: what was due meanwhile waits for another turn, but for a burst.
pub(super) fn measure(sessions: usize, is_virtual: bool) -> Measured {
    let mut runtime = Builder::new_current_thread();
    let runtime = runtime.enable_time().start_paused(is_virtual).build()?;
    let clock = if is_virtual { "virtual" } else { "real" };
    let log = Log::default();
    let wallets: Vec<Arc<Noted>> = (0..sessions)
        .map(|number| {
            Arc::new(Noted {
                party: party(number),
                sink: Mutex::default(),
                log: log.clone(),
            })
        })
        .collect();
    let policy = Policy::default();
    // The first attempt of each comes after its own backoff, then in its turn.
    let backoff = policy.reconnect.base;
    let builder: SessionManagerBuilder = SessionManager::builder()
        .policy(policy)
        .budget(ReconnectBudget::per_second(RATE, BURST));
    let attempts = runtime.block_on(async {
        let providers: Vec<Arc<dyn Provider>> = wallets
            .iter()
            .map(|it| it.clone() as Arc<dyn Provider>)
            .collect();
        let manager = log_in(builder, &providers).await?;
        std::mem::take(&mut *log.lock().unwrap_or_else(PoisonError::into_inner));
        let cut = Instant::now();
        for wallet in &wallets {
            wallet.cut();
        }
        loop {
            tokio::time::sleep(Duration::from_millis(50)).await;
            let sessions = manager.sessions();
            if sessions.iter().all(|it| it.snapshot().is_connected()) {
                break;
            }
            if cut.elapsed() > 10 * SECOND * (sessions.len() as u32) / RATE {
                return Err("sessions did not come back".into());
            }
        }
        let attempts = log.lock().unwrap_or_else(PoisonError::into_inner).clone();
        Ok::<_, super::Failure>((cut, attempts))
    })?;
    let (cut, attempts) = attempts;
    let last = attempts.iter().max().ok_or("no attempt was made")?;
    let all = last.duration_since(cut);
    let paced = (sessions as f64 - f64::from(BURST)) / f64::from(RATE);
    let bound = backoff.as_secs_f64() + paced;
    let most = fullest_second(&attempts);
    let limit = RATE + BURST;
    let rate = attempts.len() as f64 / all.as_secs_f64();
    Ok(vec![
        Row::new(
            format!("{sessions} dropped at once ({clock}): until the last is back"),
            format!("{:.2} s", all.as_secs_f64()),
        )
        .goal(
            format!("{bound:.2} s, of {RATE} attempts/s and {BURST} at once, and 5 %"),
            all.as_secs_f64() <= bound * 1.05,
        ),
        Row::new(
            format!("{sessions} dropped at once ({clock}): attempts"),
            format!("{}, {rate:.0} a second", attempts.len()),
        )
        .goal("one each", attempts.len() == sessions),
        Row::new(
            format!("{sessions} dropped at once ({clock}): attempts in the fullest second"),
            format!("{most}"),
        )
        .goal(format!("at most {limit}"), most <= limit as usize),
    ])
}

/// The most attempts within one second, wherever it begins.
fn fullest_second(attempts: &[Instant]) -> usize {
    let mut first = 0;
    let mut most = 0;
    for (index, at) in attempts.iter().enumerate() {
        while attempts
            .get(first)
            .is_some_and(|first| at.duration_since(*first) >= SECOND)
        {
            first += 1;
        }
        most = most.max(index + 1 - first);
    }
    most
}
