//! Who sits at the wallet: approves, rejects, switches the party.

mod dev_wallet;
mod interactive;

use std::fmt;
use std::pin::Pin;
use std::time::Duration;

pub use self::dev_wallet::DevWalletPerson;
pub use self::interactive::Interactive;

/// A future of a person's deed.
pub type Doing<'a> = Pin<Box<dyn Future<Output = Result<(), Unable>> + Send + 'a>>;

/// Somebody at the wallet. The kit tells them what it needs; what comes of it, it sees from the
/// wallet.
pub trait Person: Send + Sync + fmt::Debug {
    /// Does something at the wallet. Returns once it is done, or was asked for; never waits for
    /// the wallet's events.
    fn does<'a>(&'a self, deed: Deed<'a>) -> Doing<'a>;

    /// How long a deed may take after [`does`](Self::does) returned. Zero for a program.
    fn takes(&self) -> Duration {
        Duration::ZERO
    }
}

/// What a person does at a wallet.
#[derive(Clone, Copy, Debug)]
#[non_exhaustive]
pub enum Deed<'a> {
    /// Makes ready to approve whatever is asked from now on.
    ExpectToApprove,
    /// Makes ready to reject whatever is asked from now on.
    ExpectToReject,
    /// Makes ready to be asked, and to decide each time.
    ExpectToBeAsked,
    /// Logs in, at this address if the wallet gave one.
    LogIn(Option<&'a str>),
    /// Approves what waits, at this address if the wallet gave one.
    Approve(Option<&'a str>),
    /// Rejects what waits, at this address if the wallet gave one.
    Reject(Option<&'a str>),
    /// Makes another account primary.
    SwitchParty,
    /// Cuts the wallet off from its network.
    CutNetwork,
    /// Brings the network back.
    RestoreNetwork,
    /// Has the ledger reject whatever is executed from now on.
    BreakLedger,
    /// Has the ledger take what is executed again.
    MendLedger,
    /// Stops the identity provider.
    StopIdentityProvider,
    /// Starts it again.
    StartIdentityProvider,
    /// Has the next `isConnected` exceed the wallet's limit of requests.
    ExceedLimit,
    /// Lets the token of the session expire.
    ExpireSession,
    /// Logs out at the wallet.
    LogOut,
}

/// Why a deed cannot be done.
#[derive(Clone, Debug, Eq, PartialEq, thiserror::Error)]
#[error("{0}")]
pub struct Unable(pub String);

/// Nobody sits at the wallet. What needs a person is not checked.
#[derive(Clone, Copy, Debug)]
pub struct Nobody;

impl Person for Nobody {
    fn does<'a>(&'a self, _: Deed<'a>) -> Doing<'a> {
        Box::pin(async {
            Err(Unable(
                "nobody is at the wallet (use --interactive, or --drive-dev-wallet)".into(),
            ))
        })
    }
}
