//! How long each kind of call may take.

use std::time::Duration;

use crate::error::BuildError;

/// Deadlines of everything a session waits for. Nothing is waited for without one.
///
/// Each is at least 1 ms; counted in real time, or virtual time where the runtime is paused.
#[derive(Clone, Debug, Eq, Hash, PartialEq)]
pub struct Deadlines {
    /// Opening a connection. Default 30 s.
    pub connect: Duration,
    /// A person doing what the wallet asked for while connecting. Default 5 min.
    pub user_action: Duration,
    /// How often the wallet is asked meanwhile whether it is done, should its event get lost; for
    /// wallets without events the only way to notice. Default 5 s.
    pub user_action_poll: Duration,
    /// A probe. Default 10 s.
    pub probe: Duration,
    /// Telling the wallet that the session ends. Default 5 s.
    pub disconnect: Duration,
    /// Re-authentication, by hook or by the provider: each time that it is tried. Default 2 min.
    pub reauth: Duration,
    /// One call to the store. Default 5 s.
    pub storage: Duration,
    /// An application hook. Default 30 s.
    pub hook: Duration,
    /// An operation, the time it is held included, unless its options say otherwise: long enough
    /// for a person to approve it. Default 5 min.
    pub operation: Duration,
}

impl Default for Deadlines {
    fn default() -> Self {
        Self {
            connect: Duration::from_secs(30),
            user_action: Duration::from_secs(300),
            user_action_poll: Duration::from_secs(5),
            probe: Duration::from_secs(10),
            disconnect: Duration::from_secs(5),
            reauth: Duration::from_secs(120),
            storage: Duration::from_secs(5),
            hook: Duration::from_secs(30),
            operation: Duration::from_secs(300),
        }
    }
}

impl Deadlines {
    pub(super) fn validate(&self) -> Result<(), BuildError> {
        let all = [
            ("deadlines.connect", self.connect),
            ("deadlines.user_action", self.user_action),
            ("deadlines.user_action_poll", self.user_action_poll),
            ("deadlines.probe", self.probe),
            ("deadlines.disconnect", self.disconnect),
            ("deadlines.reauth", self.reauth),
            ("deadlines.storage", self.storage),
            ("deadlines.hook", self.hook),
            ("deadlines.operation", self.operation),
        ];
        match all
            .into_iter()
            .find(|(_, value)| *value < Duration::from_millis(1))
        {
            Some((field, value)) => Err(BuildError::InvalidPolicy {
                field,
                value: format!("{value:?}"),
                expected: "at least 1 ms",
            }),
            None => Ok(()),
        }
    }
}
