//! Who makes a request.

use hyper::HeaderMap;
use hyper::header::AUTHORIZATION;
use ring::digest::{SHA256, digest};
use secrecy::{ExposeSecret, SecretString};

use super::GatewaySession;
use crate::idp::{SELF_SIGNED_ISSUER, Token, verifies_shared};
use crate::state::Inner;

/// Who makes a request.
#[derive(Clone, Debug)]
pub(crate) enum Caller {
    /// Nobody that is known: no token, or not a good one; why.
    Nobody(&'static str),
    /// Whoever reaches the wallet, where no login is needed.
    Everybody,
    /// A user.
    User(Known),
}

/// A user who has shown a token.
#[derive(Clone, Debug)]
pub(crate) struct Known {
    pub(crate) user: String,
    pub(crate) token: SecretString,
    /// The token has expired, and the wallet has not noticed.
    pub(crate) stale: bool,
    pub(crate) api_key: bool,
}

impl Inner {
    /// Finds out who makes a request. `query_token` is what came in the address.
    pub(crate) fn identify(&self, headers: &HeaderMap, query_token: Option<&str>) -> Caller {
        let header = headers.get(AUTHORIZATION).and_then(|it| it.to_str().ok());
        let word = |scheme: &str| {
            let (first, rest) = header?.split_once(' ')?;
            first.eq_ignore_ascii_case(scheme).then(|| rest.trim())
        };
        if self.dialect().api_keys
            && let Some(key) = word("ApiKey")
        {
            return self.by_api_key(key);
        }
        match word("Bearer").or(query_token) {
            Some(token) => self.by_token(token),
            None if header.is_some() => Caller::Nobody("no bearer token"),
            None if self.gateway.require_login => Caller::Nobody("no token"),
            None => Caller::Everybody,
        }
    }

    fn by_api_key(&self, key: &str) -> Caller {
        let keys = self.gateway.api_keys.iter();
        let known = keys.into_iter().find(|(it, _)| it.expose_secret() == key);
        match known {
            Some((key, user)) => Caller::User(Known {
                user: user.clone(),
                token: key.clone(),
                stale: false,
                api_key: true,
            }),
            None => Caller::Nobody("unknown API key"),
        }
    }

    fn by_token(&self, text: &str) -> Caller {
        let Some(token) = Token::read(text) else {
            return Caller::Nobody("not a token");
        };
        let dead = self.gateway.dead_tokens.contains(&fingerprint(text))
            || self.gateway.idp.has_expired(&token);
        let stale = match self.check(&token, dead) {
            Ok(stale) => stale,
            Err(why) => return Caller::Nobody(why),
        };
        Caller::User(Known {
            user: token.subject,
            token: text.to_owned().into(),
            stale,
            api_key: false,
        })
    }

    /// Whether a good token has expired unnoticed; why it is not good.
    fn check(&self, token: &Token<'_>, dead: bool) -> Result<bool, &'static str> {
        let dialect = self.dialect();
        if !token.has_scope {
            return Err("a token without a scope");
        }
        let for_us = token.audiences.contains(&self.gateway.audience);
        if token.issuer == SELF_SIGNED_ISSUER {
            if dialect.self_signed_unchecked {
                return Ok(dead);
            }
            let secret = self.gateway.self_signed_secret.expose_secret();
            if token.algorithm != "HS256"
                || !verifies_shared(secret, token.signed, &token.signature)
            {
                return Err("a token with a wrong signature");
            }
            let network = token.key_id.as_deref().unwrap_or_default();
            let known = self.gateway.networks.iter().any(|it| it.id == network);
            if dialect.self_signed_key_id && !known {
                return Err("a token that does not name its network as its key");
            }
        } else if token.issuer == self.issuer() {
            if dialect.idp_outage_is_logout && self.gateway.idp.down {
                return Err("the identity provider cannot be reached");
            }
            if token.algorithm != "ES256"
                || !(self.gateway.idp.key).verifies(token.signed, &token.signature)
            {
                return Err("a token with a wrong signature");
            }
        } else {
            return Err("a token of an unknown issuer");
        }
        if !for_us {
            return Err("a token for somebody else");
        }
        if dead {
            return Err("an expired token");
        }
        Ok(false)
    }

    /// The session of a user who has shown a token.
    pub(crate) fn session_of(&self, known: &Known) -> Option<&GatewaySession> {
        let wide = self.dialect().user_wide_sessions;
        self.gateway.sessions.iter().find(|session| {
            session.user == known.user
                && (wide || session.token.expose_secret() == known.token.expose_secret())
        })
    }
}

/// What a token is remembered by.
pub(crate) fn fingerprint(token: &str) -> [u8; 32] {
    let mut bytes = [0; 32];
    bytes.copy_from_slice(digest(&SHA256, token.as_bytes()).as_ref());
    bytes
}
