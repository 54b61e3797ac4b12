//! Tokens that a program signs itself, for development.

use std::time::Duration;

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline::clock::{Clock, SystemClock};
use ring::hmac;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Map, Value, json};

use super::{AuthError, AuthErrorKind, AuthFuture, AuthRequest, Authenticator, Credential};

/// Tokens signed here with a shared secret (HS256), for gateways that run with the identity
/// provider type `self_signed`. For development: whoever knows the secret is everybody.
///
/// ```
/// use moorline_cip0103::auth::SelfSigned;
///
/// let alice = SelfSigned::new("alice", "unsafe".to_owned().into())
///     .audience("https://daml.com/aud/test")
///     .key_id("canton:local");
/// # let _ = alice;
/// ```
#[derive(Debug)]
pub struct SelfSigned {
    subject: String,
    secret: SecretString,
    issuer: String,
    audience: Option<String>,
    scope: String,
    key_id: Option<String>,
    lifetime: Duration,
}

impl SelfSigned {
    /// Tokens for `subject`, a user of the gateway, issuer `unsafe-auth`, scope
    /// `daml_ledger_api`, good for one hour.
    pub fn new(subject: impl Into<String>, secret: SecretString) -> Self {
        Self {
            subject: subject.into(),
            secret,
            issuer: "unsafe-auth".to_owned(),
            audience: None,
            scope: "daml_ledger_api".to_owned(),
            key_id: None,
            lifetime: Duration::from_secs(3600),
        }
    }

    /// Sets the issuer the gateway knows. Default `unsafe-auth`.
    #[must_use]
    pub fn issuer(mut self, issuer: impl Into<String>) -> Self {
        self.issuer = issuer.into();
        self
    }

    /// Sets the audience. Default none; newer gateways check it.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sets the scope. Default `daml_ledger_api`.
    #[must_use]
    pub fn scope(mut self, scope: impl Into<String>) -> Self {
        self.scope = scope.into();
        self
    }

    /// Sets the key id: newer gateways want the id of the network there. Default none.
    #[must_use]
    pub fn key_id(mut self, id: impl Into<String>) -> Self {
        self.key_id = Some(id.into());
        self
    }

    /// Sets how long a token is good for. Default 1 h; whole seconds, at least one.
    #[must_use]
    pub fn lifetime(mut self, lifetime: Duration) -> Self {
        self.lifetime = lifetime.max(Duration::from_secs(1));
        self
    }

    fn sign(&self, now_seconds: u64) -> Result<SecretString, serde_json::Error> {
        let mut header = json!({ "alg": "HS256", "typ": "JWT" });
        if let Some(id) = &self.key_id {
            header["kid"] = json!(id);
        }
        let mut claims = Map::new();
        claims.insert("iss".into(), json!(self.issuer));
        claims.insert("sub".into(), json!(self.subject));
        claims.insert("scope".into(), json!(self.scope));
        claims.insert("iat".into(), json!(now_seconds));
        let end = now_seconds.saturating_add(self.lifetime.as_secs());
        claims.insert("exp".into(), json!(end));
        if let Some(audience) = &self.audience {
            claims.insert("aud".into(), json!(audience));
        }
        let part =
            |value: &Value| serde_json::to_vec(value).map(|bytes| URL_SAFE_NO_PAD.encode(bytes));
        let mut token = format!("{}.{}", part(&header)?, part(&Value::Object(claims))?);
        let key = hmac::Key::new(hmac::HMAC_SHA256, self.secret.expose_secret().as_bytes());
        let signature = hmac::sign(&key, token.as_bytes());
        token.push('.');
        token.push_str(&URL_SAFE_NO_PAD.encode(signature.as_ref()));
        Ok(token.into())
    }
}

impl Authenticator for SelfSigned {
    fn name(&self) -> &str {
        "self-signed token"
    }

    fn renews(&self) -> bool {
        true
    }

    fn authenticate<'a>(&'a self, _request: AuthRequest<'a>) -> AuthFuture<'a> {
        let now = SystemClock.wall().as_millis() / 1000;
        let token = self.sign(now).map(Credential::bearer).map_err(|problem| {
            AuthError::new(
                AuthErrorKind::Malformed,
                "the claims cannot be written as JSON",
            )
            .with_source(problem)
        });
        Box::pin(async move { token })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_token_is_signed_and_says_what_it_must() {
        let signer = SelfSigned::new("alice", "unsafe".to_owned().into())
            .audience("aud")
            .key_id("canton:local");
        let token = signer.sign(1000).unwrap();
        let parts: Vec<_> = token.expose_secret().split('.').collect();
        let read = |part: &str| -> Value {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).unwrap()).unwrap()
        };
        assert_eq!(read(parts[0])["kid"], "canton:local");
        let claims = read(parts[1]);
        assert_eq!(
            (&claims["exp"], &claims["sub"]),
            (&json!(4600), &json!("alice"))
        );
        let key = hmac::Key::new(hmac::HMAC_SHA256, b"unsafe");
        let signature = URL_SAFE_NO_PAD.decode(parts[2]).unwrap();
        let signed = format!("{}.{}", parts[0], parts[1]);
        hmac::verify(&key, signed.as_bytes(), &signature).unwrap();
        assert!(!format!("{signer:?}").contains("unsafe\""));
    }
}
