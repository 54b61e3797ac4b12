//! Why a command failed, and the exit code that says so.

use std::path::PathBuf;
use std::process::ExitCode;

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
    #[error(transparent)]
    Io(#[from] std::io::Error),
}

impl Failure {
    /// 2 for input that cannot be used, 1 for everything else.
    pub(crate) fn exit_code(&self) -> ExitCode {
        match self {
            Self::Address(_)
            | Self::Auth(_)
            | Self::BadCommands { .. }
            | Self::BadScenarios(_)
            | Self::Check(_)
            | Self::File(_)
            | Self::Login(_)
            | Self::NoSecret(_)
            | Self::Person(_) => ExitCode::from(2),
            _ => ExitCode::FAILURE,
        }
    }
}
