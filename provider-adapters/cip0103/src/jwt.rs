//! When a wallet's token ends, where the token says so.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use moorline::Timestamp;
use secrecy::{ExposeSecret, SecretString};
use serde::Deserialize;

/// The `exp` claim of a JWT. `None` for opaque tokens, and for tokens without an end.
///
/// The signature is not verified: the token is the wallet's business, its end only tells when to
/// renew early. A token that lies hurts nobody but its wallet.
pub(crate) fn expiry(token: &SecretString) -> Option<Timestamp> {
    #[derive(Deserialize)]
    struct Claims {
        exp: Option<f64>,
    }

    let mut parts = token.expose_secret().split('.');
    let (_header, payload, _signature) = (parts.next()?, parts.next()?, parts.next()?);
    if parts.next().is_some() {
        return None;
    }
    let payload = URL_SAFE_NO_PAD.decode(payload.trim_end_matches('=')).ok()?;
    let seconds = serde_json::from_slice::<Claims>(&payload).ok()?.exp?;
    // Saturating: a negative end is the epoch, an endless one the end of time.
    (seconds.is_finite()).then(|| Timestamp::from_millis((seconds * 1000.0) as u64))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn token(payload: &str) -> SecretString {
        format!("e30.{}.sig", URL_SAFE_NO_PAD.encode(payload)).into()
    }

    #[test]
    fn the_end_is_read_from_the_payload() {
        let end = expiry(&token(r#"{"sub":"u","exp":1767225600}"#));
        assert_eq!(end, Timestamp::parse("2026-01-01T00:00:00Z"));
    }

    #[test]
    fn whatever_is_no_jwt_has_no_end() {
        for text in [
            "",
            "opaque",
            "a.b",
            "a.b.c.d",
            "..",
            "e30.!!!.x",
            "e30.bm8.x",
        ] {
            assert_eq!(expiry(&text.to_owned().into()), None, "{text}");
        }
        for payload in ["{}", "[]", r#"{"exp":"soon"}"#, r#"{"exp":null}"#] {
            assert_eq!(expiry(&token(payload)), None, "{payload}");
        }
    }

    #[test]
    fn absurd_ends_saturate() {
        assert_eq!(expiry(&token(r#"{"exp":-5}"#)), Some(Timestamp::EPOCH));
        assert_eq!(expiry(&token(r#"{"exp":1e300}"#)), Some(Timestamp::MAX));
    }
}
