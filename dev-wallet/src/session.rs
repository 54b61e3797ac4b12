//! The wallet's session with the program: its token, its end.

use std::time::{SystemTime, UNIX_EPOCH};

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use serde_json::{Value, json};

use crate::account::DevAccount;

/// The user everybody is.
pub(crate) const USER: &str = "dev-user";

/// A session. One for the whole wallet: whoever connects is the same user.
#[derive(Debug)]
pub(crate) struct Session {
    token: String,
    ends: Option<SystemTime>,
}

impl Session {
    /// A session with a fresh token, signed by `signer`.
    pub(crate) fn start(number: u64, ends: Option<SystemTime>, signer: &DevAccount) -> Self {
        let now = SystemTime::now();
        let mut claims = json!({ "sub": USER, "jti": number.to_string(), "iat": seconds(now) });
        if let Some(ends) = ends {
            claims["exp"] = json!(seconds(ends));
        }
        let header = json!({ "alg": "EdDSA", "typ": "JWT" });
        let part = |part: &Value| URL_SAFE_NO_PAD.encode(part.to_string());
        let signed = format!("{}.{}", part(&header), part(&claims));
        let signature = URL_SAFE_NO_PAD.encode(signer.sign(signed.as_bytes()));
        Self {
            token: format!("{signed}.{signature}"),
            ends,
        }
    }

    pub(crate) fn token(&self) -> &str {
        &self.token
    }

    pub(crate) fn is_over(&self) -> bool {
        self.ends.is_some_and(|ends| SystemTime::now() >= ends)
    }

    /// Ends it now, without a word to anybody.
    pub(crate) fn expire(&mut self) {
        self.ends = Some(UNIX_EPOCH);
    }
}

fn seconds(time: SystemTime) -> f64 {
    time.duration_since(UNIX_EPOCH)
        .unwrap_or_default()
        .as_millis() as f64
        / 1000.0
}
