//! A token that somebody else keeps.

use secrecy::SecretString;

use super::{AuthFuture, AuthRequest, Authenticator, Credential};

/// A bearer token that is given once: from an environment variable, a secret store, a test.
///
/// It cannot be renewed: the session ends with it.
#[derive(Debug)]
pub struct StaticToken(Credential);

impl StaticToken {
    /// This token. Its end is read from it if it is a JWT.
    pub fn new(token: SecretString) -> Self {
        Self(Credential::bearer(token))
    }
}

impl Authenticator for StaticToken {
    fn name(&self) -> &str {
        "static token"
    }

    fn renews(&self) -> bool {
        false
    }

    fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a> {
        request.answer_once(
            &self.0,
            "the token that was given ended or was rejected, and there is no other",
        )
    }
}
