//! How a table is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_rustls::rustls::ClientConfig;

use super::connector::Connector;
use super::statements::Names;
use super::table::Table;
use crate::store::backend::BackendError;
use crate::sync::engine::{TIMEOUT, Tls, check_timeout};

/// What a table is called unless it is named.
const NAME: &str = "moorline_sessions";

/// Says where a [`Table`] is and how to use it. Made by [`Table::builder`].
#[derive(Clone)]
pub struct TableBuilder {
    address: SecretString,
    name: String,
    timeout: Duration,
    tls: Tls,
}

impl TableBuilder {
    pub(super) fn new(address: SecretString) -> Self {
        Self {
            address,
            name: NAME.into(),
            timeout: TIMEOUT,
            tls: Tls::System,
        }
    }

    /// The table's name: 1 to 40 lower-case letters, digits and underscores, not a digit first.
    /// Default `moorline_sessions`. A second table with `_aside` after its name keeps what could
    /// not be read.
    ///
    /// The table is looked for on the `search_path` of the user.
    #[must_use]
    pub fn table(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// How long a call may take, waiting for a lost connection included, before it is
    /// [`Unavailable`](BackendError::Unavailable); also the limit for making a connection. At
    /// least 100 ms. Default 5 s.
    #[must_use]
    pub fn timeout(mut self, timeout: Duration) -> Self {
        self.timeout = timeout;
        self
    }

    /// A file of certificates (PEM): the server's must be signed by one of them. Default: what the
    /// operating system trusts.
    #[must_use]
    pub fn certificate_authority(mut self, path: impl Into<PathBuf>) -> Self {
        self.tls = Tls::Authority(path.into());
        self
    }

    /// How to speak TLS, for all that [`certificate_authority`](Self::certificate_authority)
    /// does not cover, such as a certificate of the client.
    #[must_use]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Self {
        self.tls = Tls::Own(config);
        self
    }

    /// Connects, and makes the table if it is not there. Any number of processes may do so at the
    /// same time. A user that may not make tables can open one that is there.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`] if the address, the name or the timeout is not usable, the
    /// server cannot be reached or refuses, or the table is not one of ours. The address is never
    /// quoted: it may hold a password.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was made stays, and nothing runs on.
    pub async fn open(self) -> Result<Table, BackendError> {
        let names = Names::new(&self.name).map_err(BackendError::unavailable)?;
        check_timeout(self.timeout).map_err(BackendError::unavailable)?;
        let connector =
            Connector::new(self.address.expose_secret(), names, self.timeout, &self.tls)
                .map_err(BackendError::unavailable)?;
        Table::open(connector).await
    }
}

impl std::fmt::Debug for TableBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("TableBuilder")
            .field("table", &self.name)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}
