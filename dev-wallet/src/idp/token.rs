//! Tokens, read.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::Value;

use crate::clock::seconds;

/// A token taken apart; nothing in it has been checked.
pub(crate) struct Token<'a> {
    pub(crate) algorithm: String,
    pub(crate) key_id: Option<String>,
    pub(crate) issuer: String,
    pub(crate) subject: String,
    pub(crate) audiences: Vec<String>,
    pub(crate) has_scope: bool,
    pub(crate) number: Option<u64>,
    expires: Option<f64>,
    pub(crate) signed: &'a str,
    pub(crate) signature: Vec<u8>,
}

impl<'a> Token<'a> {
    /// `None` for what is no token, or lacks an issuer or a subject.
    pub(crate) fn read(text: &'a str) -> Option<Self> {
        let (signed, signature) = text.rsplit_once('.')?;
        let (header, claims) = signed.split_once('.')?;
        let json = |part: &str| -> Option<Value> {
            serde_json::from_slice(&URL_SAFE_NO_PAD.decode(part).ok()?).ok()
        };
        let (header, claims) = (json(header)?, json(claims)?);
        let text = |value: &Value| value.as_str().map(str::to_owned);
        let audiences = match &claims["aud"] {
            Value::String(one) => vec![one.clone()],
            Value::Array(several) => several.iter().filter_map(text).collect(),
            _ => Vec::new(),
        };
        Some(Self {
            algorithm: text(&header["alg"])?,
            key_id: text(&header["kid"]),
            issuer: text(&claims["iss"])?,
            subject: text(&claims["sub"])?,
            audiences,
            has_scope: claims["scope"].is_string()
                || claims["scp"].is_string()
                || claims["scp"].is_array(),
            number: claims["jti"].as_str().and_then(|jti| jti.parse().ok()),
            expires: claims["exp"].as_f64(),
            signed,
            signature: URL_SAFE_NO_PAD.decode(signature).ok()?,
        })
    }

    /// How much of its time is left; `None` if it has no end.
    pub(crate) fn time_left(&self) -> Option<Duration> {
        let left = self.expires? - seconds(SystemTime::now());
        Duration::try_from_secs_f64(left.max(0.0)).ok()
    }

    /// Whether its time has passed. A token without an end has no time.
    pub(crate) fn is_over(&self) -> bool {
        self.expires
            .is_none_or(|expires| seconds(SystemTime::now()) >= expires)
    }
}
