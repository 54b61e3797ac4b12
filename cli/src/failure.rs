//! Why a command failed, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;
use std::sync::Arc;

use moorline::manager::ManagerError;
use moorline::manager::ndk::NdkError;
use moorline::store::backend::BackendError;
use moorline::store::{FormatError, RecordName, StoreError};
use moorline::{BuildError, ConnectError};
use moorline_cip0103::ConfigError;
use moorline_cip0103::auth::AuthError;
use moorline_conformance::{CheckError, Unable};
use moorline_dev_wallet::{FileError, StartError};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Address(#[from] ConfigError),
    #[error(transparent)]
    Auth(#[from] AuthError),
    #[error("{0}")]
    Login(&'static str),
    #[error("the environment variable `{0}` holds no secret; set it")]
    NoSecret(String),
    #[error(transparent)]
    Connect(#[from] ConnectError),
    #[error("the session ended by itself: {0}")]
    Ended(moorline::DisconnectReason),
    #[error("{0} of {1} checks did not hold")]
    Demo(usize, usize),
    #[error("the demo got stuck waiting for {0}")]
    Stuck(&'static str),
    #[error("{failed} of {total} scenarios failed")]
    Scenarios { failed: usize, total: usize },
    #[error("the wallet's admin endpoint cannot be used: {0}")]
    Admin(String),
    #[error("{0} scenario files cannot be used; nothing was played")]
    BadScenarios(usize),
    #[error(transparent)]
    Check(#[from] CheckError),
    #[error(transparent)]
    Person(#[from] Unable),
    #[error("the commands in {} cannot be used: {why}", .path.display())]
    BadCommands { path: PathBuf, why: String },
    #[error("the wallet does not conform: {failed} of {total} MUSTs failed")]
    DoesNotConform { failed: usize, total: usize },
    #[error("the report could not be written to {}: {source}", .path.display())]
    Report {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    File(#[from] FileError),
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{}: {source}", .path.display())]
    SessionFile {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Store(#[from] StoreError),
    #[error("the store cannot be opened: {0}")]
    Backend(#[from] BackendError),
    #[error("{0}")]
    Keys(String),
    #[error("this computer tells no folder for application data: say where with {0}")]
    NoHome(&'static str),
    #[cfg(not(feature = "keyring"))]
    #[error("this program was built without the feature `keyring`")]
    KeyringNotBuilt,
    #[error("there is no session `{0}`; `moorline sessions list` names those that are there")]
    NoSession(RecordName),
    #[error("the session `{0}` has ended; there is nothing to export")]
    SessionEnded(RecordName),
    #[error("there is a session `{0}` already: choose another name, or say --replace")]
    SessionThere(RecordName),
    #[error(transparent)]
    Format(#[from] FormatError),
    #[error(transparent)]
    Ndk(#[from] NdkError),
    #[error("{failed} of {total} sessions were not imported; importing again tries them again")]
    NotImported { failed: usize, total: usize },
    #[error("the stored session `{0}` was not restored: the wallet cannot be reached; it is kept")]
    NotRestored(RecordName),
    #[error("the stored session `{name}` cannot be looked at: {reason}")]
    StoreUnavailable { name: RecordName, reason: Arc<str> },
    #[error("secrets are shown on a terminal only, not written into files and pipes")]
    SecretsOffTerminal,
    #[error("{unreadable} of {total} sessions cannot be read; they were left as they are")]
    Unreadable { unreadable: usize, total: usize },
    #[error(transparent)]
    Manager(#[from] ManagerError),
    #[error("there is no account `{0}`; `moorline accounts list` names those that are there")]
    NoAccount(String),
    #[error("`{text}` may be any of these; say more of it: {}", .candidates.join(", "))]
    AmbiguousAccount {
        text: String,
        candidates: Vec<String>,
    },
    #[error("`{0}` expired; `moorline accounts login` makes a new session")]
    AccountExpired(String),
    #[error("stopped before it was done")]
    Stopped,
    #[error("no account is active: name one")]
    NoActiveAccount,
    #[error(
        "`{account}` cannot be restored to be logged out: {why}; `moorline sessions forget {name}` removes it here"
    )]
    NotLoggedOut {
        account: String,
        name: RecordName,
        why: String,
    },
    #[error("{failed} of {total} accounts do not stand")]
    AccountsDown { failed: usize, total: usize },
    #[error("there is no store at {}", .0.display())]
    NoStore(PathBuf),
    #[error("the live view needs a terminal; `--json` prints lines for programs")]
    NoTerminal,
    #[error("the store did not keep it: {0}")]
    NotKept(String),
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// 2 for input that cannot be used, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Address(_)
            | Self::AmbiguousAccount { .. }
            | Self::Auth(_)
            | Self::BadCommands { .. }
            | Self::BadScenarios(_)
            | Self::Check(_)
            | Self::File(_)
            | Self::Login(_)
            | Self::Format(_)
            | Self::NoAccount(_)
            | Self::NoActiveAccount
            | Self::Ndk(NdkError::NotJson { .. } | NdkError::Member { .. })
            | Self::NoSecret(_)
            | Self::NoSession(_)
            | Self::NoStore(_)
            | Self::NoTerminal
            | Self::Person(_)
            | Self::SecretsOffTerminal => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
