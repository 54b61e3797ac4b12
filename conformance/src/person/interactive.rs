//! A person at the wallet, told what to do.

use std::fmt;
use std::time::Duration;

use super::{Deed, Doing, Person, Unable};

/// A person who reads what they are asked for, and does it at the wallet.
pub struct Interactive {
    tell: Box<dyn Fn(&str) + Send + Sync>,
    patience: Duration,
}

impl Interactive {
    /// Tells the person what to do through `tell`, and gives them `patience` for each thing.
    pub fn new(tell: impl Fn(&str) + Send + Sync + 'static, patience: Duration) -> Self {
        Self {
            tell: Box::new(tell),
            patience,
        }
    }

    fn say(&self, what: &str, url: Option<&str>) {
        match url {
            Some(url) => (self.tell)(&format!("please {what} at {url}")),
            None => (self.tell)(&format!("please {what} in the wallet")),
        }
    }
}

impl fmt::Debug for Interactive {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("Interactive")
    }
}

impl Person for Interactive {
    fn does<'a>(&'a self, deed: Deed<'a>) -> Doing<'a> {
        let done = match deed {
            Deed::ExpectToApprove => {
                (self.tell)("please APPROVE what the wallet asks next");
                Ok(())
            }
            Deed::ExpectToReject => {
                (self.tell)("please REJECT what the wallet asks next");
                Ok(())
            }
            Deed::ExpectToBeAsked => Ok(()),
            Deed::LogIn(url) => {
                self.say("log in", url);
                Ok(())
            }
            Deed::Approve(url) => {
                self.say("approve the request", url);
                Ok(())
            }
            Deed::Reject(url) => {
                self.say("reject the request", url);
                Ok(())
            }
            Deed::SwitchParty => {
                self.say("make another account the primary one", None);
                Ok(())
            }
            Deed::LogOut => {
                self.say("log out", None);
                Ok(())
            }
            Deed::CutNetwork
            | Deed::RestoreNetwork
            | Deed::BreakLedger
            | Deed::MendLedger
            | Deed::StopIdentityProvider
            | Deed::StartIdentityProvider
            | Deed::ExceedLimit
            | Deed::ExpireSession => Err(Unable("a person at the wallet cannot do this".into())),
        };
        Box::pin(std::future::ready(done))
    }

    fn takes(&self) -> Duration {
        self.patience
    }
}
