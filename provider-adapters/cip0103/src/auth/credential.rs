//! What is shown to a gateway.

use std::fmt;

use moorline::Timestamp;
use secrecy::{ExposeSecret, SecretString};

use crate::jwt;

/// What is shown to a gateway: a token or a key, and when it ends.
#[derive(Clone)]
pub struct Credential {
    scheme: Scheme,
    secret: SecretString,
    expires_at: Option<Timestamp>,
}

/// How a credential is shown in the `Authorization` header.
#[derive(Clone, Copy, Debug, Eq, Hash, PartialEq)]
#[non_exhaustive]
pub enum Scheme {
    /// `Bearer`, a token.
    Bearer,
    /// `ApiKey`: a key that some gateways hand out.
    ApiKey,
}

impl Scheme {
    fn word(self) -> &'static str {
        match self {
            Self::Bearer => "Bearer",
            Self::ApiKey => "ApiKey",
        }
    }
}

impl Credential {
    /// A bearer token. Its end is read from the token if that is a JWT.
    pub fn bearer(token: SecretString) -> Self {
        Self {
            expires_at: jwt::expiry(&token),
            scheme: Scheme::Bearer,
            secret: token,
        }
    }

    /// An API key. It does not end by itself.
    pub fn api_key(key: SecretString) -> Self {
        Self {
            scheme: Scheme::ApiKey,
            secret: key,
            expires_at: None,
        }
    }

    /// Says when it ends, where the credential itself does not.
    #[must_use]
    pub fn expiring_at(mut self, at: Timestamp) -> Self {
        self.expires_at.get_or_insert(at);
        self
    }

    /// How it is shown.
    pub fn scheme(&self) -> Scheme {
        self.scheme
    }

    /// When it ends, where that is known.
    pub fn expires_at(&self) -> Option<Timestamp> {
        self.expires_at
    }

    /// The token or key itself.
    pub fn secret(&self) -> &SecretString {
        &self.secret
    }

    /// Whether it has ended by this time.
    pub fn has_ended(&self, now: Timestamp) -> bool {
        self.expires_at.is_some_and(|at| at <= now)
    }

    /// The value of the `Authorization` header.
    pub(crate) fn header(&self) -> SecretString {
        format!("{} {}", self.scheme.word(), self.secret.expose_secret()).into()
    }
}

impl fmt::Debug for Credential {
    /// Without the secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("Credential")
            .field("scheme", &self.scheme)
            .field("expires_at", &self.expires_at)
            .finish_non_exhaustive()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_end_of_a_jwt_is_its_own() {
        // {"exp": 1767225600}
        let credential = Credential::bearer("e30.eyJleHAiOjE3NjcyMjU2MDB9.sig".to_owned().into());
        let end = Timestamp::from_millis(1_767_225_600_000);
        assert_eq!(credential.expires_at(), Some(end));
        let told = credential.expiring_at(Timestamp::EPOCH);
        assert_eq!(told.expires_at(), Some(end));
        assert!(told.has_ended(end) && !told.has_ended(Timestamp::EPOCH));
    }

    #[test]
    fn nothing_secret_is_shown() {
        for credential in [
            Credential::bearer("s3cret".to_owned().into()),
            Credential::api_key("s3cret".to_owned().into()),
        ] {
            assert!(!format!("{credential:?}").contains("s3cret"));
            assert!(credential.header().expose_secret().ends_with(" s3cret"));
        }
    }
}
