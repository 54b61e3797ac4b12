//! What makes two machines behave differently: for exploring, where the same situation at another
//! time and with higher numbers is the same situation.

use std::hash::{Hash, Hasher};

use super::Machine;
use crate::clock::{Moment, Mono};

impl Machine {
    /// Hashes everything that decides about the future, times as distances from `now`, and leaves
    /// out what only counts (epochs, tickets, event numbers, generations).
    pub fn fingerprint(&self, now: Moment, hasher: &mut impl Hasher) {
        let core = &self.core;
        self.rules.state().hash(hasher);
        (
            core.intent,
            core.attempt.is_some(),
            core.reprobes,
            core.probe_again,
            core.on_notice,
        )
            .hash(hasher);
        (core.link_open, core.reauthenticated, core.short_lived).hash(hasher);
        core.closing.is_some().hash(hasher);
        (core.close_next, core.open_after_close, &core.disconnecting).hash(hasher);
        let known = &core.known;
        (&known.accounts, &known.network, known.link, known.stale).hash(hasher);
        core.expiry.fingerprint(now, hasher);
        (core.connected_at.is_some(), &core.last_error).hash(hasher);
        let held = core.connected_since.map(|since| now.mono.since(since));
        // Beyond the stable period it makes no difference how long.
        held.map(|held| held.min(core.setup.policy.reconnect.stable_after))
            .hash(hasher);
        core.retry.fingerprint(now, hasher);
        core.operations.fingerprint(now, hasher);
        core.persist.fingerprint(hasher);
        core.timers.fingerprint(now, hasher);
    }
}

/// The distance from now to a time ahead; times that have passed are all alike.
pub(super) fn ahead(at: Mono, now: Moment) -> Option<u64> {
    (at != Mono::NEVER).then(|| at.as_millis().saturating_sub(now.mono.as_millis()))
}
