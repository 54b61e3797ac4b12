//! Whom the session acts for, and what follows when that turns out to be somebody else.

use std::sync::Arc;

use super::context::Context;
use super::effect::Effect;
use super::operations;
use crate::event::{EventKind, Invalidation};
use crate::identity::{Account, Identity, NetworkId, primary_account, same_accounts};
use crate::provider::{Live, NetworkLink};
use crate::sync::Notice;

/// What is known of the wallet's side.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub(super) struct Known {
    pub(super) accounts: Arc<[Account]>,
    pub(super) network: Option<NetworkId>,
    pub(super) link: NetworkLink,
    /// Whether it has not been confirmed on the present connection.
    pub(super) stale: bool,
    identity: Option<Arc<Identity>>,
    /// Counts the identities.
    generation: u32,
}

impl Known {
    pub(super) fn nobody(accounts: Arc<[Account]>) -> Self {
        Self {
            accounts,
            network: None,
            link: NetworkLink::Unknown,
            stale: false,
            identity: None,
            generation: 0,
        }
    }

    pub(super) fn identity(&self) -> Option<&Arc<Identity>> {
        self.identity.as_ref()
    }

    pub(super) fn generation(&self) -> u32 {
        self.generation
    }

    /// What a store remembers: shown as stale until the wallet confirms it.
    pub(super) fn recall(&mut self, accounts: Arc<[Account]>, network: Option<NetworkId>) {
        self.accounts = accounts;
        self.network = network;
        self.link = NetworkLink::Unknown;
        self.stale = true;
        self.update_identity();
    }

    pub(super) fn forget(&mut self) {
        if !self.accounts.is_empty() {
            self.accounts = Arc::default();
        }
        self.network = None;
        self.link = NetworkLink::Unknown;
        self.stale = false;
        self.update_identity();
    }

    /// Recomputes the identity; returns the one before if it was another.
    fn update_identity(&mut self) -> Option<Arc<Identity>> {
        let current = primary_account(&self.accounts)
            .map(|account| Identity::new(account.id.clone(), self.network.clone()));
        if current.as_ref() == self.identity.as_deref() {
            return None;
        }
        self.generation = self.generation.wrapping_add(1);
        std::mem::replace(&mut self.identity, current.map(Arc::new))
    }
}

/// Takes over what a probe found. `on_notice` if another member of the shared session said that
/// there is something to find: it is not told again. Returns whether anybody or the network
/// changed.
pub(super) fn apply_live(live: &Live, on_notice: bool, cx: &mut Context<'_>) -> bool {
    cx.core.known.stale = false;
    set_link(live.link, cx);
    apply(Some(&live.accounts), live.network.as_ref(), on_notice, cx)
}

/// Takes over a complete list of accounts, a network, or both. What is not said stays. Returns
/// whether anything changed.
pub(super) fn apply(
    accounts: Option<&[Account]>,
    network: Option<&NetworkId>,
    on_notice: bool,
    cx: &mut Context<'_>,
) -> bool {
    let known = &mut cx.core.known;
    let new_accounts = accounts.filter(|accounts| !same_accounts(&known.accounts, accounts));
    let new_network = network.filter(|network| known.network.as_ref() != Some(network));
    if new_accounts.is_none() && new_network.is_none() {
        return false;
    }
    let first = known.accounts.is_empty();
    let network_before = known.network.clone();
    if let Some(accounts) = new_accounts {
        known.accounts = accounts.into();
    }
    if let Some(network) = new_network {
        known.network = Some(network.clone());
    }
    let before = known.update_identity();
    cx.core.changed = true;

    if new_accounts.is_some() && !first {
        let accounts = cx.core.known.accounts.clone();
        cx.publish(EventKind::AccountsChanged { accounts });
    }
    if let (Some(before), Some(now)) = (before, cx.core.known.identity.clone()) {
        announce_identity(&before, &now, network_before, on_notice, cx);
        operations::reject_for_identity(&before, &now, cx);
    }
    true
}

fn announce_identity(
    before: &Identity,
    now: &Identity,
    network_before: Option<NetworkId>,
    on_notice: bool,
    cx: &mut Context<'_>,
) {
    if before.account != now.account {
        let (previous, current) = (before.account.clone(), now.account.clone());
        cx.publish(EventKind::PartyChanged {
            previous: previous.clone(),
            current: current.clone(),
        });
        if !on_notice {
            let account = current.clone();
            cx.effect(Effect::Broadcast(Notice::PartyChanged { account }));
        }
        cx.effect(Effect::Invalidate(Invalidation::Party {
            previous,
            current,
        }));
    }
    if let (Some(previous), Some(current)) = (network_before, now.network.clone())
        && previous != current
    {
        cx.publish(EventKind::NetworkChanged {
            previous: previous.clone(),
            current: current.clone(),
        });
        if !on_notice {
            let network = current.clone();
            cx.effect(Effect::Broadcast(Notice::NetworkChanged { network }));
        }
        cx.effect(Effect::Invalidate(Invalidation::Network {
            previous,
            current,
        }));
    }
}

/// Takes over whether the wallet reaches its network. Unknown is not "down": it changes nothing.
pub(super) fn set_link(link: NetworkLink, cx: &mut Context<'_>) {
    if link == NetworkLink::Unknown || link == cx.core.known.link {
        return;
    }
    // A session that comes up with its network in reach is not worth an event.
    let quiet = cx.core.known.link == NetworkLink::Unknown && link == NetworkLink::Up;
    cx.core.known.link = link;
    cx.core.changed = true;
    if !quiet {
        cx.publish(EventKind::NetworkLinkChanged { link });
    }
}
