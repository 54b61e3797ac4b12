//! What nearly every operation of a busy session does, without the way there: each of these does
//! what the inputs would, or nothing.

use std::sync::Arc;
use std::time::Duration;

use super::input::OperationId;
use super::{Machine, operations};
use crate::clock::{Moment, Mono, Timestamp};
use crate::error::OperationError;
use crate::event::{Event, EventKind};
use crate::identity::Identity;
use crate::provider::{Epoch, ErrorKind, Message, ProviderError, Sent};
use crate::snapshot::{DisconnectReason, Status};

impl Machine {
    /// Whom an operation submitted now would be dispatched for, if nothing else followed from it.
    /// `wall` is asked for only if that depends on it.
    #[inline]
    pub(crate) fn open_way(
        &self,
        expected: Option<&Arc<Identity>>,
        wall: impl FnOnce() -> Timestamp,
    ) -> Option<&Arc<Identity>> {
        let core = &self.core;
        let identity = core.known.identity()?;
        let open = self.rules.state().is_connected()
            && core.operations.nobody_waits()
            && expected.is_none_or(|expected| expected == identity)
            // Use of the session moves its expiry: that is worth an event.
            && core.setup.policy.expiry.update_age.is_none()
            && !(core.expiry.is_set() && core.expiry.is_over(wall()));
        open.then_some(identity)
    }

    /// Takes in an operation that the wallet was given, on an open way, on the connection of
    /// `epoch`, and that is made once. Returns whether that connection still stands.
    #[inline]
    pub(crate) fn begin(
        &mut self,
        now: Mono,
        id: OperationId,
        within: Duration,
        epoch: Epoch,
    ) -> bool {
        let stands = self.rules.state().is_linked() && self.core.epoch == epoch;
        if stands {
            operations::admit_direct(&mut self.core, now, id, within, false);
        }
        stands
    }

    /// An operation was answered. Returns whether nothing follows; if it might, nothing was done.
    #[inline]
    pub(crate) fn end(&mut self, id: OperationId) -> bool {
        self.rules.state().is_connected()
            && self.core.operations.nobody_waits()
            && self.core.operations.end(id)
    }

    /// A message of the wallet is passed on: the event that says so, unless something else might
    /// follow.
    #[inline]
    pub(crate) fn pass_on(
        &mut self,
        now: Moment,
        epoch: Epoch,
        message: Message,
    ) -> Result<Event, Message> {
        let plain = self.rules.state().is_connected()
            && self.core.epoch == epoch
            && !self.core.expiry.is_over(now.wall);
        if !plain {
            return Err(message);
        }
        Ok(self.core.event(now, EventKind::Provider(message)))
    }

    /// What the caller of an operation is told that the wallet was given on a connection that is
    /// over.
    pub(crate) fn cut_off(&self) -> OperationError {
        let sent = Sent::Maybe;
        match self.status() {
            Status::Disconnected {
                reason: DisconnectReason::Closed,
            } => OperationError::Closed { sent },
            Status::Disconnected { reason } => OperationError::Disconnected { reason, sent },
            _ => {
                let broken = || ProviderError::new(ErrorKind::Unreachable, "the link was lost");
                let cause = self.core.last_error.clone().unwrap_or_else(broken);
                OperationError::Interrupted { cause }
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::machine::explore::{Move, World};
    use crate::machine::{Effect, Input, LinkHint, Setup, SubmitOptions};
    use crate::policy::{Backoff, ExpiryPolicy, Policy, QueuePolicy};
    use crate::provider::{Capabilities, ProviderEvent};

    const WITHIN: Duration = Duration::from_secs(300);

    fn world() -> World {
        let policy = Policy {
            reconnect: Backoff {
                max_attempts: Some(3),
                ..Backoff::default()
            },
            expiry: ExpiryPolicy {
                ttl: Some(Duration::from_secs(3600)),
                ..ExpiryPolicy::default()
            },
            queue: QueuePolicy {
                capacity: 3,
                concurrency: 2,
            },
            ..Policy::default()
        };
        World::new(Setup {
            policy: Arc::new(policy),
            capabilities: Capabilities::default(),
            provider: "explored".into(),
            reauth_hook: true,
            persistent: true,
        })
    }

    /// Whether there was a way, and it led where the input leads.
    fn begins_alike(world: &World) -> bool {
        let wall = || world.now.wall;
        let Some(identity) = world.machine.open_way(None, wall).cloned() else {
            return false;
        };
        assert_eq!(world.machine.identity(), Some(&identity));
        let mut long = world.clone();
        let mut short = world.machine.clone();
        let id = long.new_operation(false);
        let submit = SubmitOptions {
            deadline: WITHIN,
            repeatable: false,
            hold: true,
            identity: None,
        };
        let out = long.feed(Input::Submit(id, submit)).out;
        assert_eq!(out.effects, [Effect::Dispatch(id)]);
        assert!(out.events.is_empty() && out.snapshot.is_none());
        assert!(short.begin(world.now.mono, id, WITHIN, world.machine.epoch()));
        assert_eq!(short, long.machine);
        true
    }

    /// How many operations ended by the shortcut, each as by the input.
    fn end_alike(world: &World) -> usize {
        let over = world.machine.core.expiry.is_over(world.now.wall);
        let ended = world.operations.iter().filter(|operation| {
            let mut short = world.machine.clone();
            let ended = !over && short.end(operation.id);
            if ended {
                let mut long = world.clone();
                let out = long.feed(Input::Finished(operation.id, LinkHint::None)).out;
                assert!(out.is_empty() && !out.stale && !out.ignored);
                assert_eq!(short, long.machine);
            }
            ended
        });
        ended.count()
    }

    /// Whether a message was passed on by the shortcut, as by the input.
    fn passes_on_alike(world: &World) -> bool {
        let message = Message::new("txChanged", serde_json::Value::Null);
        let epoch = world.machine.epoch();
        let mut short = world.machine.clone();
        let Ok(event) = short.pass_on(world.now, epoch, message.clone()) else {
            return false;
        };
        let mut long = world.clone();
        let said = ProviderEvent::Message(message);
        let out = long.feed(Input::Provider(epoch, said)).out;
        assert_eq!(out.events, [event]);
        assert!(out.effects.is_empty() && out.snapshot.is_none());
        assert_eq!(short, long.machine);
        true
    }

    #[test]
    fn shortcuts_lead_where_the_inputs_lead() {
        let (mut ways, mut ends, mut passed, mut random) = (0, 0, 0, 1_u64);
        for _ in 0..40 {
            let mut world = world();
            for _ in 0..500 {
                ways += usize::from(begins_alike(&world));
                ends += end_alike(&world);
                passed += usize::from(passes_on_alike(&world));
                random = random
                    .wrapping_mul(6_364_136_223_846_793_005)
                    .wrapping_add(1);
                let choice = (random >> 33) as usize;
                let mut moves = Move::all(&world);
                if !choice.is_multiple_of(3) {
                    moves.retain(|next| {
                        let name = next.to_string();
                        ["connect", "opened", "probe valid", "submit"].contains(&&*name)
                    });
                }
                moves.retain(|next| choice.is_multiple_of(89) || next.to_string() != "close");
                if let Some(next) = (!moves.is_empty()).then(|| choice / 267 % moves.len()) {
                    moves.swap_remove(next).play(&mut world);
                }
            }
        }
        let enough = ways.min(ends).min(passed) > 100;
        assert!(enough, "{ways} ways, {ends} ends, {passed} passed on");
    }
}
