//! Who and what a wallet knows when it starts.

mod file;
mod sheet;

use secrecy::SecretString;

pub use self::file::DevWalletConfig;
pub use self::sheet::FileError;
pub(crate) use self::sheet::{Cell, Mistake, Sheet, parse, suggestion};

/// A network that sessions can be for.
#[derive(Clone, Debug)]
pub(crate) struct Network {
    pub(crate) id: String,
    pub(crate) name: String,
    pub(crate) description: String,
    /// `idp-oauth` or `idp-self-signed`.
    pub(crate) idp: String,
    /// `None` for the wallet's own.
    pub(crate) ledger_api: Option<String>,
}

impl Network {
    pub(crate) fn new(id: &str, idp: &str) -> Self {
        Self {
            id: id.to_owned(),
            name: id.to_owned(),
            description: "a network of the development wallet".to_owned(),
            idp: idp.to_owned(),
            ledger_api: None,
        }
    }

    pub(crate) fn ledger_url(&self, base: &str) -> String {
        let own = || format!("{base}/ledger");
        self.ledger_api.clone().unwrap_or_else(own)
    }
}

/// Somebody who can log in.
#[derive(Clone, Debug)]
pub(crate) struct User {
    pub(crate) name: String,
    /// `None` if any will do.
    pub(crate) password: Option<SecretString>,
    /// The names of the accounts they see; `None` for all.
    pub(crate) accounts: Option<Vec<String>>,
}

/// A program that the identity provider knows.
#[derive(Clone, Debug)]
pub(crate) struct Client {
    pub(crate) id: String,
    /// `None` for a public one.
    pub(crate) secret: Option<SecretString>,
    /// Whom it acts for with its own credentials; by default a user of its own name.
    pub(crate) user: Option<String>,
    /// Where it may have people sent back to, besides loopback addresses.
    pub(crate) redirects: Vec<String>,
}

/// Everything that a file may say and a builder's methods do not.
#[derive(Clone, Debug)]
pub(crate) struct Config {
    pub(crate) networks: Vec<Network>,
    pub(crate) users: Vec<User>,
    pub(crate) clients: Vec<Client>,
    pub(crate) api_keys: Vec<(SecretString, String)>,
    pub(crate) audience: String,
    pub(crate) self_signed_secret: SecretString,
}

impl Default for Config {
    fn default() -> Self {
        let client = |id: &str, secret: Option<&str>| Client {
            id: id.to_owned(),
            secret: secret.map(Into::into),
            user: None,
            redirects: Vec::new(),
        };
        Self {
            networks: vec![Network::new("canton:local-self-signed", "idp-self-signed")],
            users: vec![User {
                name: crate::session::USER.to_owned(),
                password: None,
                accounts: None,
            }],
            clients: vec![
                client("moorline-cli", None),
                client("moorline-backend", Some("dev-secret")),
            ],
            api_keys: vec![("dev-api-key".into(), crate::session::USER.to_owned())],
            audience: "moorline-dev-wallet".to_owned(),
            self_signed_secret: "dev-self-signed".into(),
        }
    }
}
