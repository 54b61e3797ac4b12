//! What to check, how, and as whom.

use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use serde_json::Value;

use crate::deviation::Profile;
use crate::person::{Nobody, Person};

/// What to check, how, and as whom.
#[derive(Clone, Debug)]
#[non_exhaustive]
pub struct Options {
    /// The wallet: `ws://`, `wss://`, `http://` or `https://`.
    pub url: String,
    /// Whose known deviations are forgiven. Default [`Profile::Strict`]: nobody's.
    pub profile: Profile,
    /// How to log in. Default [`Login::None`].
    pub login: Login,
    /// Ids of checks to report, or areas; everything if empty. What they need is judged, too.
    pub only: Vec<String>,
    /// How long an answer may take. Default 5 s.
    pub timeout: Duration,
    /// How long the whole run may take, apart from waiting for a person. Default 45 s; what was
    /// not answered by then fails.
    pub whole: Duration,
    /// Who sits at the wallet. Default [`Nobody`].
    pub person: Arc<dyn Person>,
    /// The commands to submit. By default an invented create command: a wallet with a real ledger
    /// needs one that its ledger knows.
    pub commands: Option<Value>,
}

impl Options {
    /// The defaults, for the wallet at `url`.
    pub fn new(url: impl Into<String>) -> Self {
        Self {
            url: url.into(),
            profile: Profile::Strict,
            login: Login::None,
            only: Vec::new(),
            timeout: Duration::from_secs(5),
            whole: Duration::from_secs(45),
            person: Arc::new(Nobody),
            commands: None,
        }
    }
}

/// How to log in to the wallet.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub enum Login {
    /// Without credentials.
    #[default]
    None,
    /// With a token that is there already.
    Token(SecretString),
    /// With an API key (`Authorization: ApiKey`).
    ApiKey(SecretString),
    /// With a token that an identity provider gives (OAuth 2.0 client credentials).
    ClientCredentials {
        /// The address of the identity provider.
        issuer: String,
        /// The client's id.
        client_id: String,
        /// The client's secret.
        client_secret: SecretString,
    },
}

/// What a request is authorised with.
#[derive(Clone, Debug)]
pub(crate) enum Credential {
    None,
    Bearer(SecretString),
    ApiKey(SecretString),
}

impl Credential {
    /// The value of the header.
    pub(crate) fn authorization(&self) -> Option<SecretString> {
        match self {
            Self::None => None,
            Self::Bearer(token) => Some(format!("Bearer {}", token.expose_secret()).into()),
            Self::ApiKey(key) => Some(format!("ApiKey {}", key.expose_secret()).into()),
        }
    }

    pub(crate) fn is_none(&self) -> bool {
        matches!(self, Self::None)
    }
}
