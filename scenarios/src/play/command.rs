//! What a live wallet can be told to do, and by whom.

use std::future::Future;
use std::pin::Pin;
use std::time::Duration;

use moorline::{Account, NetworkId, NetworkLink, Timestamp};
use moorline_scripted::{Arrangement, What};
use serde_json::Value;

use crate::model::{Target, Utterance, WalletDeed};

/// What the methods of [`WalletControl`] return.
pub type CommandFuture<'a, T = ()> = Pin<Box<dyn Future<Output = Result<T, String>> + Send + 'a>>;

/// Something a live wallet can be told to do.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub enum WalletCommand {
    /// Forget everything, and begin as the scenario says: first command of every run.
    Prepare {
        /// The accounts, in order.
        accounts: Vec<Account>,
        /// The network.
        network: Option<NetworkId>,
        /// Whether it is in reach.
        link: NetworkLink,
        /// When credentials end.
        expires_at: Option<Timestamp>,
    },
    /// Change the accounts.
    Accounts {
        /// The new ones.
        accounts: Vec<Account>,
        /// Without saying so.
        silently: bool,
    },
    /// Say that the accounts are these, which is not so.
    AccountsFalsely(Vec<Account>),
    /// Change the network.
    Network {
        /// The new one.
        network: NetworkId,
        /// Without saying so.
        silently: bool,
    },
    /// Lose or find the network.
    Link {
        /// Whether it is in reach.
        link: NetworkLink,
        /// Without saying so.
        silently: bool,
    },
    /// Let the credentials end at another time.
    Expires {
        /// When.
        at: Timestamp,
        /// Without saying so.
        silently: bool,
    },
    /// Cut the link; a new one is accepted.
    Cut,
    /// Cut the link and refuse new ones.
    GoAway,
    /// Accept links again.
    ComeBack,
    /// End the session for certain.
    Revoke {
        /// Without saying so.
        silently: bool,
    },
    /// Make the session good again, as a person does who logs in once more; with credentials that
    /// end then, if that is said.
    Admit(Option<Timestamp>),
    /// Approve what the wallet asked a person for.
    Approve {
        /// Without saying so.
        silently: bool,
    },
    /// Refuse it.
    Reject,
    /// Say that it is ready.
    Ready,
    /// Say something that makes programs look again.
    Recheck,
    /// Say something of its own protocol.
    Message(String, Value),
    /// Send an event that cannot be understood.
    Malformed,
    /// Treat a call that is about to come, or is waiting, so.
    Arrange(What, Arrangement),
    /// Undo what calls were told to do.
    Behave,
}

/// Control over a live wallet, such as the dev wallet gives.
pub trait WalletControl: Send + Sync + 'static {
    /// Whether this wallet can be told to do this.
    fn supports(&self, command: &WalletCommand) -> bool;

    /// Has the wallet do it.
    ///
    /// # Errors
    ///
    /// A sentence that says what went wrong: the step then fails with it.
    fn carry_out(&self, command: WalletCommand) -> CommandFuture<'_>;

    /// Whether it is reached over HTTP with an event stream, rather than over one connection.
    fn is_over_http(&self) -> bool {
        false
    }

    /// How long the adapter may take, on the program's own clock, to notice that the link is gone.
    /// Where that is not at once, times are compared to within a tenth of a second.
    fn lag(&self) -> Duration {
        Duration::ZERO
    }

    /// How often the wallet executed requests of this method, a method of the scenario. `None` from
    /// a wallet that does not tell.
    fn executed<'a>(&'a self, method: &'a str) -> CommandFuture<'a, Option<u64>> {
        let _ = method;
        Box::pin(async { Ok(None) })
    }

    /// The name of the account that signed this message. `None` from a wallet that does not tell.
    fn signer<'a>(
        &'a self,
        message: &'a str,
        signature: &'a str,
    ) -> CommandFuture<'a, Option<String>> {
        let _ = (message, signature);
        Box::pin(async { Ok(None) })
    }
}

/// What a live wallet is told for a step, and how often; nothing where the player does it alone.
pub(super) fn command_for(
    deed: &WalletDeed,
    now: Timestamp,
) -> Result<Option<(WalletCommand, usize)>, String> {
    let cannot = |what: &str| Err(format!("a live wallet cannot be told to {what}"));
    let command = match deed {
        WalletDeed::Away(_) | WalletDeed::SetAway(_) => WalletCommand::GoAway,
        WalletDeed::Back | WalletDeed::SetBack => WalletCommand::ComeBack,
        WalletDeed::Behave => WalletCommand::Behave,
        WalletDeed::Set(utterance) => match change(utterance, now, true) {
            Some(command) => command,
            None => return cannot("change so without saying so"),
        },
        WalletDeed::Say(utterance, target, times) => {
            let falsely = Target {
                falsely: true,
                ..Target::default()
            };
            if *target == falsely
                && let Utterance::Accounts(accounts) = utterance
            {
                let command = WalletCommand::AccountsFalsely(accounts.clone());
                return Ok(Some((command, *times)));
            }
            if *target != Target::default() {
                return cannot("lie, or to speak through a connection that is gone");
            }
            let command = match utterance {
                Utterance::Ready => WalletCommand::Ready,
                Utterance::Recheck => WalletCommand::Recheck,
                Utterance::Message(name, payload) => {
                    WalletCommand::Message(name.clone(), payload.clone())
                }
                _ if *times != 1 => return cannot("do this many times at once"),
                Utterance::Dropped(_) => WalletCommand::Cut,
                Utterance::UserRejected => WalletCommand::Reject,
                Utterance::Malformed(..) => WalletCommand::Malformed,
                Utterance::UserAction(_) => return cannot("say this word for word"),
                utterance => match change(utterance, now, false) {
                    Some(command) => command,
                    None => return cannot("say this"),
                },
            };
            return Ok(Some((command, *times)));
        }
        WalletDeed::Script(_, script) => {
            if script.behaviours().any(|it| !it.is_arrangeable()) {
                return cannot("panic, or to fail in the words of this program");
            }
            return Ok(None);
        }
        WalletDeed::Answer(_, behaviour) if !behaviour.is_arrangeable() => {
            return cannot("panic, or to fail in the words of this program");
        }
        WalletDeed::Answer(..) => return Ok(None),
        WalletDeed::FailPending => return cannot("fail what waits, and keep the link"),
    };
    Ok(Some((command, 1)))
}

fn change(utterance: &Utterance, now: Timestamp, silently: bool) -> Option<WalletCommand> {
    Some(match utterance {
        Utterance::Accounts(accounts) => WalletCommand::Accounts {
            accounts: accounts.clone(),
            silently,
        },
        Utterance::Network(network) => WalletCommand::Network {
            network: network.clone(),
            silently,
        },
        Utterance::Link(link) => WalletCommand::Link {
            link: *link,
            silently,
        },
        Utterance::Expires(after) => WalletCommand::Expires {
            at: now.saturating_add(*after),
            silently,
        },
        Utterance::Revoked => WalletCommand::Revoke { silently },
        Utterance::Approved => WalletCommand::Approve { silently },
        _ => return None,
    })
}
