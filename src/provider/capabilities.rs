//! What a wallet can and cannot do.

/// What a provider's wallet offers, so that partial wallets can say what they lack.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
pub struct Capabilities {
    /// The wallet pushes events (default: yes). Without, the session polls while a person has
    /// something to do, and the application calls `Session::verify` when it wants fresh truth.
    pub events: bool,
    /// A connection can be opened again without a prompt (default: yes). Without, a lost link
    /// ends the session at once instead of a vain recovery, and `restore` reports that a new
    /// `connect` is needed.
    pub silent_open: bool,
    /// `Provider::reauthenticate` works without a person (default: no).
    pub reauthentication: bool,
    /// The wallet can end a session when asked (default: yes). Without, `disconnect` only drops
    /// the link.
    pub disconnect: bool,
}

impl Default for Capabilities {
    fn default() -> Self {
        Self {
            events: true,
            silent_open: true,
            reauthentication: false,
            disconnect: true,
        }
    }
}
