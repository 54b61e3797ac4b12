//! Why a command failed, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;

use moorline::store::backend::BackendError;
use moorline::store::{FormatError, RecordName, StoreError};
use moorline::{BuildError, ConnectError};
use moorline_cip0103::ConfigError;
use moorline_dev_wallet::StartError;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub(crate) enum Failure {
    #[error(transparent)]
    Build(#[from] BuildError),
    #[error(transparent)]
    Address(#[from] ConfigError),
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
    #[error("{0} scenario files cannot be used; nothing was played")]
    BadScenarios(usize),
    #[error("the report could not be written to {}: {source}", .path.display())]
    Report {
        path: PathBuf,
        source: std::io::Error,
    },
    #[error(transparent)]
    Start(#[from] StartError),
    #[error("{}: {source}", .path.display())]
    File {
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
    #[error("secrets are shown on a terminal only, not written into files and pipes")]
    SecretsOffTerminal,
    #[error("{unreadable} of {total} sessions cannot be read; they were left as they are")]
    Unreadable { unreadable: usize, total: usize },
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// 2 for input that cannot be used, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Address(_)
            | Self::BadScenarios(_)
            | Self::Format(_)
            | Self::NoSession(_)
            | Self::SecretsOffTerminal => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
