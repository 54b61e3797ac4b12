//! Keys that gateways hand out.

use secrecy::SecretString;

use super::{AuthFuture, AuthRequest, Authenticator, Credential};

/// An API key (`Authorization: ApiKey …`), as newer gateways hand out. The gateway makes a session
/// for it by itself, and signs without a person.
#[derive(Debug)]
pub struct ApiKey(Credential);

impl ApiKey {
    /// This key.
    pub fn new(key: SecretString) -> Self {
        Self(Credential::api_key(key))
    }
}

impl Authenticator for ApiKey {
    fn name(&self) -> &str {
        "API key"
    }

    fn renews(&self) -> bool {
        false
    }

    fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a> {
        request.answer_once(&self.0, "the API key was rejected, and there is no other")
    }
}
