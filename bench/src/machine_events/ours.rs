//! moorline's machine as it is measured.

use std::sync::Arc;
use std::time::Duration;

use moorline::Policy;
use moorline::clock::{Moment, Mono};
use moorline::machine::{Input, Machine, Outbox, Pacing, Setup, Timer};
use moorline::provider::Capabilities;

use super::Engine;
use super::script::BACKOFF;
use super::seen::{Seen, SeenEvent, SeenSnapshot};

#[derive(Clone)]
pub(super) struct Ours(Machine);

impl Ours {
    pub(super) fn new(policy: Arc<Policy>) -> Self {
        Self(Machine::new(Setup {
            policy,
            capabilities: Capabilities::default(),
            provider: "bench".into(),
            reauth_hook: false,
            persistent: false,
        }))
    }
}

/// Always the same delay, no budget.
struct Fixed;

impl Pacing for Fixed {
    fn delay(&mut self, _: u32) -> Option<Duration> {
        Some(BACKOFF)
    }

    fn reserve(&mut self, now: Mono) -> Mono {
        now
    }

    fn redeem(&mut self, _: Mono) -> bool {
        true
    }
}

impl Engine for Ours {
    type Out = Outbox;

    fn step(&mut self, now: Moment, input: Input, out: &mut Outbox) {
        self.0.handle(now, input, &mut Fixed, out);
    }

    fn next_timeout(&self) -> Option<(Mono, Timer)> {
        self.0.next_timeout()
    }

    fn clear(out: &mut Outbox) {
        out.clear();
    }

    fn seen(&self, out: &Outbox) -> Seen {
        Seen {
            snapshot: out.snapshot.as_ref().map(|shown| SeenSnapshot {
                seq: shown.seq,
                epoch: shown.epoch,
                status: shown.status,
                accounts: shown.accounts.clone(),
                network: shown.network.clone(),
                network_link: shown.network_link,
                stale: shown.stale,
                connected_at: shown.connected_at,
                last_error: shown.last_error.clone(),
            }),
            events: out
                .events
                .iter()
                .map(|event| SeenEvent {
                    seq: event.seq,
                    epoch: event.epoch,
                    at: event.at,
                    kind: event.kind.clone(),
                })
                .collect(),
            effects: out.effects.clone(),
            dropped: out.stale || out.ignored,
            next_timeout: self.next_timeout(),
        }
    }
}
