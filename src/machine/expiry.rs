//! When a session ends by itself: the earlier of its time to live and the wallet's credentials.

use std::hash::{Hash, Hasher};
use std::time::Duration;

use statig::Outcome;

use super::attempt;
use super::context::Context;
use super::effect::{Effect, RestoreOutcome};
use super::reauth;
use super::session_end::{EndOfSession, end_session};
use super::state::{Goal, State};
use super::timer::Timer;
use crate::clock::{Moment, Timestamp};
use crate::event::EventKind;
use crate::provider::{ErrorKind, ProviderError};
use crate::snapshot::{DisconnectReason, ReauthReason};
use crate::store::Record;

/// Wall-clock times, fixed when they are set.
#[derive(Clone, Debug, Default, Eq, Hash, PartialEq)]
pub(super) struct Expiry {
    /// The end of the time to live.
    ttl_ends: Option<Timestamp>,
    /// The end of the wallet's credentials.
    credentials_end: Option<Timestamp>,
    /// The expiry that subscribers were warned of.
    warned: Option<Timestamp>,
}

impl Expiry {
    pub(super) fn at(&self) -> Option<Timestamp> {
        match (self.ttl_ends, self.credentials_end) {
            (Some(ttl), Some(credentials)) => Some(ttl.min(credentials)),
            (ttl, credentials) => ttl.or(credentials),
        }
    }

    pub(super) fn is_set(&self) -> bool {
        self.ttl_ends.is_some() || self.credentials_end.is_some()
    }

    pub(super) fn is_over(&self, now: Timestamp) -> bool {
        self.ttl_ends.is_some_and(|at| at <= now)
            || self.credentials_end.is_some_and(|at| at <= now)
    }

    pub(super) fn fingerprint(&self, now: Moment, hasher: &mut impl Hasher) {
        for at in [self.ttl_ends, self.credentials_end, self.warned] {
            at.map(|at| at.saturating_since(now.wall)).hash(hasher);
        }
    }

    /// A stored session's expiry. What bounded it then is not known any more: it bounds it still.
    pub(super) fn recall(&mut self, at: Option<Timestamp>) {
        *self = Self {
            ttl_ends: at,
            ..Self::default()
        };
    }
}

/// Takes over the expiry of a stored session. One that was to end before a time to live as it is
/// now was over was made for a shorter life: no use renews that.
pub(super) fn recall(record: &Record, cx: &mut Context<'_>) {
    let ttl = cx.core.setup.policy.expiry.ttl;
    let full = ttl.map(|ttl| record.connected_at.saturating_add(ttl));
    cx.core.short_lived = record.expires_at.is_some() && record.expires_at < full;
    cx.core.expiry.recall(record.expires_at);
}

/// Whether the session has expired and no re-authentication undid it.
pub(super) fn is_over(cx: &Context<'_>) -> bool {
    !cx.core.reauthenticated && cx.core.expiry.is_over(cx.now.wall)
}

/// Fixes the expiry of a session that was just verified. A session that was only brought back
/// keeps its time to live.
pub(super) fn establish(
    brought_back: bool,
    credentials_end: Option<Timestamp>,
    cx: &mut Context<'_>,
) {
    let ttl = cx.core.setup.policy.expiry.ttl;
    let expiry = &mut cx.core.expiry;
    if brought_back {
        // What the wallet does not say is not thereby undone.
        expiry.credentials_end = credentials_end.or(expiry.credentials_end);
    } else {
        expiry.ttl_ends = ttl.map(|ttl| cx.now.wall.saturating_add(ttl));
        cx.core.short_lived = false;
        expiry.credentials_end = credentials_end;
    }
    watch(cx);
}

/// The wallet's credentials now end at another time.
pub(super) fn credentials_moved(end: Timestamp, cx: &mut Context<'_>) -> bool {
    let before = cx.core.expiry.at();
    cx.core.expiry.credentials_end = Some(end);
    let after = cx.core.expiry.at();
    watch(cx);
    announce_if_moved(before, after, cx)
}

/// Use of the session moves its expiry, where the policy says so and it is due. Returns whether
/// it moved.
pub(super) fn renew_by_use(cx: &mut Context<'_>) -> bool {
    let policy = &cx.core.setup.policy.expiry;
    let (Some(ttl), Some(update_age)) = (policy.ttl, policy.update_age) else {
        return false;
    };
    let Some(ends) = cx.core.expiry.ttl_ends.filter(|_| !cx.core.short_lived) else {
        return false;
    };
    // Due when `expires_at - ttl + update_age <= now`.
    if cx.now.wall.saturating_add(ttl) < ends.saturating_add(update_age) {
        return false;
    }
    let before = cx.core.expiry.at();
    cx.core.expiry.ttl_ends = Some(cx.now.wall.saturating_add(ttl));
    let after = cx.core.expiry.at();
    watch(cx);
    announce_if_moved(before, after, cx)
}

fn announce_if_moved(
    before: Option<Timestamp>,
    after: Option<Timestamp>,
    cx: &mut Context<'_>,
) -> bool {
    let moved = after != before;
    if let Some(expires_at) = after.filter(|_| moved) {
        cx.core.changed = true;
        cx.publish(EventKind::Renewed { expires_at });
    }
    moved
}

/// Sets the timer for the next look at the wall clock.
pub(super) fn watch(cx: &mut Context<'_>) {
    let Some(at) = cx.core.expiry.at() else {
        cx.stop_timer(Timer::Expiry);
        return;
    };
    let left = at.saturating_since(cx.now.wall);
    let mut next = left.min(cx.core.setup.policy.expiry.clock_check);
    if let Some(warning) = warning(at, cx) {
        next = next.min(left.saturating_sub(warning));
    }
    // Never due at once: firing it makes way, and a warning comes after what it warns of began.
    cx.start_timer(Timer::Expiry, next.max(Duration::from_millis(1)));
}

/// The wall clock is looked at: warns if it is time to.
pub(super) fn look(cx: &mut Context<'_>) {
    if let Some(at) = cx.core.expiry.at()
        && let Some(warning) = warning(at, cx)
        && at.saturating_since(cx.now.wall) <= warning
    {
        cx.core.expiry.warned = Some(at);
        cx.publish(EventKind::Expiring { expires_at: at });
    }
    watch(cx);
}

/// How long before the expiry `at` subscribers are still to be warned of it. A time to live that
/// is not longer than the warning would be a warning at birth: there is none then.
fn warning(at: Timestamp, cx: &Context<'_>) -> Option<Duration> {
    let policy = &cx.core.setup.policy.expiry;
    let warning = policy
        .warning
        .filter(|_| cx.core.expiry.warned != Some(at))?;
    let by_ttl = cx.core.expiry.ttl_ends == Some(at);
    let at_birth = by_ttl && policy.ttl.is_some_and(|ttl| ttl <= warning);
    (!at_birth).then_some(warning)
}

/// The session has reached its expiry.
pub(super) fn expire(goal: Goal, cx: &mut Context<'_>) -> Outcome<State> {
    attempt::cancel(cx);
    let expired_at = cx.core.expiry.at().unwrap_or(cx.now.wall);
    cx.publish(EventKind::Expired { expired_at });
    if reauth::is_possible(goal, cx) {
        return reauth::begin(goal, ReauthReason::Expired, cx);
    }
    cx.effect(Effect::SettleRestore(RestoreOutcome::Expired));
    end_session(EndOfSession::new(DisconnectReason::Expired), cx)
}

/// The wallet confirms a session whose credentials have ended: nothing to be connected to.
pub(super) fn stillborn(goal: Goal, ended: Timestamp, cx: &mut Context<'_>) -> Outcome<State> {
    match goal {
        Goal::Recover(_) if !cx.core.reauthenticated => {
            cx.core.expiry.credentials_end = Some(ended);
            expire(goal, cx)
        }
        Goal::Recover(_) | Goal::Reauth(_) => reauth::failed(ended_error(ended), cx),
        Goal::Connect => attempt::failed(goal, ended_error(ended), cx),
    }
}

fn ended_error(ended: Timestamp) -> ProviderError {
    ProviderError::new(
        ErrorKind::Unauthorized,
        format!("the wallet's credentials ended at {ended}; log in there again"),
    )
    .answered()
}
