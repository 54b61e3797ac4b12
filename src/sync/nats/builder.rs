//! How a bucket is reached.

use std::path::PathBuf;
use std::sync::Arc;
use std::time::Duration;

use secrecy::{ExposeSecret, SecretString};
use tokio_rustls::rustls::ClientConfig;

use super::address::Address;
use super::bucket::Bucket;
use super::link::Link;
use crate::store::backend::BackendError;
use crate::sync::engine::{TIMEOUT, Tls, check_timeout};

/// What a bucket is called unless it is named.
const NAME: &str = "moorline-sessions";

/// Says where a [`Bucket`] is and how to use it. Made by [`Bucket::builder`].
#[derive(Clone)]
pub struct BucketBuilder {
    address: SecretString,
    pub(super) name: String,
    pub(super) replicas: usize,
    timeout: Duration,
    tls: Tls,
}

impl BucketBuilder {
    pub(super) fn new(address: SecretString) -> Self {
        Self {
            address,
            name: NAME.into(),
            replicas: 1,
            timeout: TIMEOUT,
            tls: Tls::System,
        }
    }

    /// The bucket's name: 1 to 64 letters, digits, `-` and `_`. Default `moorline-sessions`.
    #[must_use]
    pub fn bucket(mut self, name: impl Into<String>) -> Self {
        self.name = name.into();
        self
    }

    /// On how many servers of the cluster the bucket is kept, if it is made now: 1 to 5, odd
    /// numbers are useful. One that is there already is left as it is. Default 1.
    #[must_use]
    pub fn replicas(mut self, replicas: usize) -> Self {
        self.replicas = replicas;
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

    /// Connects, and makes the bucket if it is not there. Any number of processes may do so at the
    /// same time. A user that may not make buckets can open one that is there.
    ///
    /// # Errors
    ///
    /// [`BackendError::Unavailable`] if the address, the name or a number is not usable, the
    /// server cannot be reached or refuses, JetStream is off, or the bucket lets values expire.
    /// The address is never quoted: it may hold a password.
    ///
    /// # Cancel safety
    ///
    /// Cancel safe: what was made stays, and nothing runs on.
    pub async fn open(self) -> Result<Bucket, BackendError> {
        self.check().map_err(BackendError::unavailable)?;
        let address = Address::parse(self.address.expose_secret());
        let address = address.map_err(BackendError::unavailable)?;
        let tls = self.tls.config().map_err(BackendError::unavailable)?;
        let link = Link::connect(address, tls, self.timeout).await?;
        Bucket::open(link, &self).await
    }

    fn check(&self) -> Result<(), String> {
        let plain = |byte: u8| byte.is_ascii_alphanumeric() || matches!(byte, b'-' | b'_');
        if !(1..=64).contains(&self.name.len()) || !self.name.bytes().all(plain) {
            return Err(format!(
                "`{}` cannot be the name of a bucket: 1 to 64 letters, digits, `-` and `_`",
                self.name
            ));
        }
        if !(1..=5).contains(&self.replicas) {
            return Err(format!("{} replicas cannot be had: 1 to 5", self.replicas));
        }
        check_timeout(self.timeout)
    }
}

impl std::fmt::Debug for BucketBuilder {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        f.debug_struct("BucketBuilder")
            .field("bucket", &self.name)
            .field("replicas", &self.replicas)
            .field("timeout", &self.timeout)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn what_is_not_usable_is_said_before_anything_is_done() {
        let builder = || BucketBuilder::new("nats://ann:hunter2@127.0.0.1:1".into());
        for (builder, says) in [
            (builder().bucket("a.b"), "name of a bucket"),
            (builder().bucket(""), "name of a bucket"),
            (builder().replicas(0), "1 to 5"),
            (builder().timeout(Duration::from_millis(99)), "too short"),
            (builder(), "127.0.0.1:1"),
        ] {
            assert!(!format!("{builder:?}").contains("hunter2"));
            let error = builder.open().await.unwrap_err().to_string();
            assert!(error.contains(says), "{error}");
            assert!(!error.contains("hunter2"), "{error}");
        }
    }
}
