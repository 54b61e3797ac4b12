//! Keeps secrets out of what is shown: payloads of events, messages of errors.

use serde_json::Value;

/// What stands where a secret stood.
pub(crate) const REDACTED: &str = "[redacted]";

/// Names of fields that hold secrets, compared without case, `-` and `_`.
const SECRET_FIELDS: [&str; 12] = [
    "accesstoken",
    "apikey",
    "authorization",
    "bearer",
    "clientsecret",
    "idtoken",
    "jwt",
    "password",
    "privatekey",
    "refreshtoken",
    "secret",
    "token",
];

/// Whether a field of this name holds a secret.
pub fn is_secret(name: &str) -> bool {
    let plain: String = name
        .chars()
        .filter(|letter| !matches!(letter, '-' | '_'))
        .map(|letter| letter.to_ascii_lowercase())
        .collect();
    SECRET_FIELDS.contains(&plain.as_str())
}

/// Takes secrets out of a payload, at any depth: fields named like one, and anything that looks
/// like a JWT in any string.
pub fn scrub(value: &mut Value) {
    match value {
        Value::Object(fields) => {
            for (name, field) in fields {
                if is_secret(name) && !field.is_null() {
                    *field = Value::from(REDACTED);
                } else {
                    scrub(field);
                }
            }
        }
        Value::Array(items) => items.iter_mut().for_each(scrub),
        Value::String(text) => {
            if let Some(clean) = scrubbed_text(text) {
                *text = clean;
            }
        }
        Value::Null | Value::Bool(_) | Value::Number(_) => {}
    }
}

/// A text with everything that looks like a JWT taken out.
pub fn scrub_text(text: &str) -> String {
    scrubbed_text(text).unwrap_or_else(|| text.to_owned())
}

/// `None` if there is nothing to take out.
fn scrubbed_text(text: &str) -> Option<String> {
    let mut clean: Option<String> = None;
    let mut kept = 0;
    let mut from = 0;
    while let Some(found) = text[from..].find("eyJ") {
        let start = from + found;
        let length = text[start..]
            .find(|letter: char| {
                !(letter.is_ascii_alphanumeric() || matches!(letter, '-' | '_' | '.' | '='))
            })
            .unwrap_or(text.len() - start);
        let end = start + length;
        if text[start..end].matches('.').count() >= 2 {
            let clean = clean.get_or_insert_default();
            clean.push_str(&text[kept..start]);
            clean.push_str(REDACTED);
            kept = end;
        }
        from = end;
    }
    clean.map(|mut clean| {
        clean.push_str(&text[kept..]);
        clean
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn secrets_are_taken_out_at_any_depth() {
        let mut payload = json!({
            "session": { "accessToken": "s3cret", "userId": "u" },
            "list": [{ "access_token": "s3cret" }, { "Authorization": "Bearer s3cret" }],
            "token": { "inner": "s3cret" },
            "note": "see eyJhbGciOi.eyJzdWIi.c2ln, please",
            "nothing": null,
        });
        scrub(&mut payload);
        let text = payload.to_string();
        assert!(!text.contains("s3cret"), "{text}");
        assert!(!text.contains("eyJ"), "{text}");
        assert_eq!(payload["session"]["userId"], "u");
        assert_eq!(payload["note"], "see [redacted], please");
    }

    #[test]
    fn a_missing_secret_stays_missing() {
        let mut payload = json!({ "accessToken": null });
        scrub(&mut payload);
        assert_eq!(payload, json!({ "accessToken": null }));
    }

    #[test]
    fn ordinary_text_stays_as_it_is() {
        for text in ["", "eyJ", "eyJabc.def", "héllo eyJ wörld", "a.b.c"] {
            assert_eq!(scrub_text(text), text);
        }
    }

    #[test]
    fn a_jwt_at_the_end_is_taken_out() {
        assert_eq!(scrub_text("bad eyJa.b.c"), "bad [redacted]");
        assert_eq!(
            scrub_text("ü eyJa.b.c ü eyJd.e.f."),
            "ü [redacted] ü [redacted]"
        );
    }
}
