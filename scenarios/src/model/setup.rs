//! What a scenario begins with.

use moorline::provider::Capabilities;
use moorline::{Account, NetworkId, NetworkLink};
use moorline_scripted::{On, Script};
use std::time::Duration;

use super::action::HookPlan;

/// The wallet before the first step.
#[derive(Clone, Debug)]
pub(crate) struct WalletSetup {
    pub(crate) accounts: Vec<Account>,
    pub(crate) network: Option<NetworkId>,
    pub(crate) link: NetworkLink,
    /// When its credentials end, counted from the start.
    pub(crate) expires_in: Option<Duration>,
    pub(crate) capabilities: Capabilities,
    pub(crate) on: Vec<(On, Script)>,
}

impl Default for WalletSetup {
    fn default() -> Self {
        Self {
            accounts: vec![Account::primary("alice")],
            network: Some("canton:local".into()),
            link: NetworkLink::Up,
            expires_in: None,
            capabilities: Capabilities::default(),
            on: Vec::new(),
        }
    }
}

/// What surrounds the session.
#[derive(Clone, Debug)]
pub(crate) struct SessionSetup {
    pub(crate) store: bool,
    pub(crate) bus: bool,
    /// Whether it hears of others by what they write to the store.
    pub(crate) shared: bool,
    pub(crate) event_capacity: usize,
    /// Reconnect attempts a second and at once, where a budget is shared.
    pub(crate) budget: Option<(u32, u32)>,
    pub(crate) reauth: HookSetup,
    pub(crate) invalidate: HookSetup,
}

/// A hook: none, or one with a plan.
pub(crate) type HookSetup = Option<HookPlan>;

impl Default for SessionSetup {
    fn default() -> Self {
        Self {
            store: true,
            bus: false,
            shared: false,
            event_capacity: 4096,
            budget: None,
            reauth: None,
            invalidate: None,
        }
    }
}
