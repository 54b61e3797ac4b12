//! The wallet's own identity provider: OpenID Connect with client credentials, authorization code
//! with PKCE, and refresh tokens.

mod endpoints;
mod grants;
mod keys;
mod token;

use std::collections::HashMap;
use std::time::{Duration, SystemTime};

use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

pub(crate) use self::endpoints::serve;
pub(crate) use self::keys::{SigningKey, sign_shared, verifies_shared};
pub(crate) use self::token::Token;

use crate::clock::seconds;
use crate::state::Inner;

/// The issuer of tokens that programs sign themselves.
pub(crate) const SELF_SIGNED_ISSUER: &str = "unsafe-auth";

/// What the identity provider knows.
#[derive(Debug)]
pub(crate) struct Idp {
    pub(crate) key: SigningKey,
    /// It does not answer.
    pub(crate) down: bool,
    /// Tokens issued.
    issued: u64,
    /// Tokens up to this number have expired, whatever they say.
    expired_up_to: u64,
    codes: HashMap<String, Grant>,
    refresh: HashMap<String, Grant>,
}

/// What a code or a refresh token stands for.
#[derive(Clone, Debug)]
struct Grant {
    client: String,
    user: String,
    scope: String,
    redirect: String,
    challenge: Option<String>,
    nonce: Option<String>,
    until: SystemTime,
}

impl Idp {
    pub(crate) fn new() -> Option<Self> {
        Some(Self {
            key: SigningKey::generate()?,
            down: false,
            issued: 0,
            expired_up_to: 0,
            codes: HashMap::new(),
            refresh: HashMap::new(),
        })
    }

    /// Every token issued so far has expired.
    pub(crate) fn expire_all(&mut self) {
        self.expired_up_to = self.issued;
    }

    /// Refresh tokens are good no more.
    pub(crate) fn forget_refresh_tokens(&mut self) {
        self.refresh.clear();
    }

    /// A new key; tokens signed with the old one are good no more.
    pub(crate) fn change_key(&mut self) {
        if let Some(key) = SigningKey::generate() {
            self.key = key;
        }
    }

    pub(crate) fn has_expired(&self, token: &Token<'_>) -> bool {
        token.is_over() || token.number.is_some_and(|it| it <= self.expired_up_to)
    }
}

impl Inner {
    /// The issuer of the wallet's own tokens.
    pub(crate) fn issuer(&self) -> String {
        format!("{}/idp", self.base_url())
    }

    /// A token for a user, as the identity provider issues them, and how long it lives for real.
    pub(crate) fn issue_token(
        &mut self,
        user: &str,
        client: &str,
        scope: &str,
    ) -> Option<(SecretString, Duration)> {
        let life = self.gateway.clock.real(self.gateway.token_ttl);
        let now = SystemTime::now();
        let ends = now.checked_add(life)?;
        self.gateway.idp.issued += 1;
        let claims = json!({
            "iss": self.issuer(),
            "sub": user,
            "aud": self.gateway.audience,
            "azp": client,
            "scope": scope,
            "jti": self.gateway.idp.issued.to_string(),
            "iat": whole(now, life),
            "exp": whole(ends, life),
        });
        let token = self.gateway.idp.key.sign(&claims)?;
        Some((token.into(), life))
    }

    /// A token for a user, signed with the shared secret of the development logins.
    pub(crate) fn self_signed_token(&self, user: &str, network: &str) -> SecretString {
        let life = self.gateway.clock.real(self.gateway.token_ttl);
        let now = SystemTime::now();
        let claims = json!({
            "iss": SELF_SIGNED_ISSUER,
            "sub": user,
            "aud": self.gateway.audience,
            "scope": "daml_ledger_api",
            "jti": crate::random::uuid(),
            "iat": whole(now, life),
            "exp": whole(now + life.min(Duration::from_secs(1 << 33)), life),
        });
        let secret = self.gateway.self_signed_secret.expose_secret();
        sign_shared(secret, network, &claims).into()
    }
}

/// Seconds since the epoch: whole ones, as most providers write them, unless the token's life is
/// too short for that.
fn whole(time: SystemTime, life: Duration) -> Value {
    let exact = seconds(time);
    if life >= Duration::from_secs(60) {
        json!(exact.floor() as u64)
    } else {
        json!(exact)
    }
}
