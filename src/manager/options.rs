//! How a login wants to be treated.

use std::sync::Arc;
use std::time::Duration;

use super::usage::Described;

/// How a login wants to be treated, and what is known about who logs in.
#[derive(Clone, Default)]
#[must_use = "options do nothing until they are given to `login_with`"]
pub struct LoginOptions {
    pub(super) inactive: bool,
    pub(super) described: Described,
    pub(super) lifetime: Option<Duration>,
}

impl LoginOptions {
    /// As [`SessionManager::login`](super::SessionManager::login) has it.
    pub fn new() -> Self {
        Self::default()
    }

    /// Whether the session becomes the active one. Default: yes.
    pub fn activate(mut self, activate: bool) -> Self {
        self.inactive = !activate;
        self
    }

    /// What the session is called, such as `Alice's laptop`.
    pub fn label(mut self, label: impl Into<Arc<str>>) -> Self {
        self.described.label = Some(label.into());
        self
    }

    /// The address of the client that the session serves. Personal data: see
    /// [`About`](crate::store::About).
    pub fn client_address(mut self, address: impl Into<Arc<str>>) -> Self {
        self.described.client_address = Some(address.into());
        self
    }

    /// The program of the client that the session serves. Personal data: see
    /// [`About`](crate::store::About).
    pub fn client_agent(mut self, agent: impl Into<Arc<str>>) -> Self {
        self.described.client_agent = Some(agent.into());
        self
    }

    /// Gives the session a shorter life than the policy does, for a computer that is not the
    /// user's own, for instance. Use does not renew it, not after a restart either. At least 1 ms;
    /// a longer one than the policy's changes nothing.
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = Some(lifetime);
        self
    }
}

impl std::fmt::Debug for LoginOptions {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("LoginOptions")
            .field("activate", &!self.inactive)
            .field("label", &self.described.label)
            .field("lifetime", &self.lifetime)
            .finish_non_exhaustive()
    }
}
