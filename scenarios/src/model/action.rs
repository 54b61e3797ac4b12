//! What can happen in a step.

use std::time::Duration;

use moorline::provider::{ProviderError, UserAction};
use moorline::sync::Notice;
use moorline::{Account, Identity, NetworkId, NetworkLink};
use moorline_scripted::{Behaviour, On, Script};
use serde_json::Value;

/// Something happens.
#[derive(Clone, Debug)]
pub(crate) enum Action {
    User(Deed),
    Wallet(WalletDeed),
    Store(StoreDeed),
    /// Another process says something on the bus.
    Other(Notice),
    /// The user of a second process gives a command.
    Second(Command),
    /// A hook behaves differently from now on.
    Hook(HookName, HookPlan),
    Advance(Duration),
    /// The wall clock jumps ahead: the computer slept, or somebody set the clock.
    Sleep(Duration),
    ClockBack(Duration),
    Until(Until),
    Restart(Restart),
}

/// What the user (or the program on their behalf) does.
#[derive(Clone, Debug)]
pub(crate) enum Deed {
    /// A command; with a name it is not waited for.
    Command(Command, Option<String>),
    /// An operation; with a name it is not waited for.
    Submit(Submission),
    /// Drops the last handle, and the futures of everything that is under way.
    Drop,
    /// Drops the future of something that was started.
    Abandon(String),
    /// Waits for something that was started, so long at most.
    Await(String, Duration),
    /// Begins to listen to events without reading them.
    Subscribe(String),
    /// Keeps the present snapshot under a name.
    Keep(String),
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Command {
    Connect,
    Restore,
    Disconnect,
    Detach,
    Verify,
    Close,
}

impl Command {
    pub(crate) const ALL: &[(&str, Self)] = &[
        ("connect", Self::Connect),
        ("restore", Self::Restore),
        ("disconnect", Self::Disconnect),
        ("detach", Self::Detach),
        ("verify", Self::Verify),
        ("close", Self::Close),
    ];

    pub(crate) fn name(self) -> &'static str {
        Self::ALL
            .iter()
            .find(|(_, command)| *command == self)
            .map_or("command", |(name, _)| name)
    }
}

/// An operation: one request, or several steps as one.
#[derive(Clone, Debug)]
pub(crate) struct Submission {
    pub(crate) name: Option<String>,
    /// One method is a request; none or several are an operation of several steps.
    pub(crate) methods: Vec<String>,
    pub(crate) params: Value,
    pub(crate) several: bool,
    /// How long the operation pauses between its steps.
    pub(crate) pause: Duration,
    /// Whether it panics in the end.
    pub(crate) panics: bool,
    pub(crate) deadline: Option<Duration>,
    pub(crate) repeatable: bool,
    pub(crate) fail_fast: bool,
    pub(crate) identity: Option<Identity>,
}

/// What the wallet does.
#[derive(Clone, Debug)]
pub(crate) enum WalletDeed {
    /// Treats calls differently from now on.
    Script(On, Script),
    /// Behaves well from now on.
    Behave,
    /// Answers a call that waits.
    Answer(On, Behaviour),
    /// Fails everything that waits.
    FailPending,
    /// Says something, in these words.
    Say(Utterance, Target, usize),
    /// Changes without saying so.
    Set(Utterance),
    /// Goes away: the link breaks and nothing is answered any more.
    Away(ProviderError),
    /// The same without the link telling.
    SetAway(ProviderError),
    /// Is back, and says so.
    Back,
    /// Is back, and waits to be asked.
    SetBack,
}

/// What a wallet can say by itself.
#[derive(Clone, Debug)]
pub(crate) enum Utterance {
    Dropped(ProviderError),
    Ready,
    Recheck,
    Accounts(Vec<Account>),
    Network(NetworkId),
    Link(NetworkLink),
    /// The credentials end so long from now.
    Expires(Duration),
    Revoked,
    Approved,
    UserRejected,
    UserAction(UserAction),
    Malformed(String, String),
    Message(String, Value),
}

/// Through which connection the wallet speaks, and whether what it says is true.
#[derive(Clone, Copy, Debug, Default, Eq, PartialEq)]
pub(crate) struct Target {
    /// The epoch; the latest if none.
    pub(crate) epoch: Option<u32>,
    /// How many epochs before the latest.
    pub(crate) before: usize,
    /// Whether the wallet says it without having changed.
    pub(crate) falsely: bool,
}

#[derive(Clone, Debug)]
pub(crate) enum StoreDeed {
    /// Takes so long.
    Slow(StoreCall, Duration),
    /// Fails, so many times or until it works again.
    Fails(StoreCall, Option<u32>),
    /// Never answers.
    Hangs(StoreCall),
    Works,
    /// What stands there cannot be read: it is cut short.
    Corrupt,
    /// The first record is put back in place of the present one.
    Replay,
    /// A process that opens the store finds no key, or finds it again.
    LoseKey(bool),
    /// Another process writes a record.
    Put {
        accounts: Vec<Account>,
        network: Option<NetworkId>,
        expires_in: Option<Duration>,
        provider: Option<String>,
    },
    /// Another process ends the session.
    Erase,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum StoreCall {
    All,
    Load,
    Write,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum HookName {
    Reauth,
    Invalidate,
}

/// What a hook does, call after call.
pub(crate) type HookPlan = Vec<(HookBehaviour, Option<u32>)>;

#[derive(Clone, Debug)]
pub(crate) struct HookBehaviour {
    pub(crate) does: HookDoes,
    pub(crate) after: Duration,
    /// Sends this request to the wallet, outside the queue.
    pub(crate) request: Option<String>,
    /// The wallet's new credentials end so long from then.
    pub(crate) credentials: Option<Duration>,
}

#[derive(Clone, Debug)]
pub(crate) enum HookDoes {
    Ok,
    Fail(ProviderError),
    Hang,
    Panic,
}

/// Waiting for something to come true.
#[derive(Clone, Debug)]
pub(crate) struct Until {
    pub(crate) status: Option<String>,
    pub(crate) event: Option<String>,
    pub(crate) within: Duration,
}

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Restart {
    /// The process is gone without a word.
    Crash,
    /// The session is closed first.
    Close,
}
