//! The shapes of what travels, checked with the path of whatever is wrong.
//!
//! Every function is strict about what a field means and lenient about fields it does not know;
//! those are a check of their own ([`strangers`]).

use serde_json::Value;

/// What is wrong, and where: `result.provider.id: expected a string`.
pub(crate) type Shape = Result<(), String>;

fn kind(value: Option<&Value>) -> &'static str {
    match value {
        None => "nothing",
        Some(Value::Null) => "null",
        Some(Value::Bool(_)) => "a boolean",
        Some(Value::Number(_)) => "a number",
        Some(Value::String(_)) => "a string",
        Some(Value::Array(_)) => "an array",
        Some(Value::Object(_)) => "an object",
    }
}

fn object(value: &Value, path: &str) -> Shape {
    if value.is_object() {
        return Ok(());
    }
    Err(format!("`{path}` is {}, not an object", kind(Some(value))))
}

fn text(value: &Value, path: &str, field: &str) -> Shape {
    match value.get(field) {
        Some(Value::String(_)) => Ok(()),
        other => Err(format!("`{path}.{field}` is {}, not a string", kind(other))),
    }
}

/// A string that says something.
fn word(value: &Value, path: &str, field: &str) -> Shape {
    text(value, path, field)?;
    match value[field].as_str() {
        Some("") => Err(format!("`{path}.{field}` is empty")),
        _ => Ok(()),
    }
}

fn truth(value: &Value, path: &str, field: &str) -> Shape {
    match value.get(field) {
        Some(Value::Bool(_)) => Ok(()),
        other => Err(format!(
            "`{path}.{field}` is {}, not a boolean",
            kind(other)
        )),
    }
}

/// A field that may be left out, but not be of another type.
fn optional(value: &Value, field: &str, check: impl FnOnce() -> Shape) -> Shape {
    match value.get(field) {
        None => Ok(()),
        Some(_) => check(),
    }
}

pub(crate) fn connect_result(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    truth(value, path, "isConnected")?;
    truth(value, path, "isNetworkConnected")?;
    for field in ["reason", "networkReason", "userUrl"] {
        optional(value, field, || text(value, path, field))?;
    }
    Ok(())
}

pub(crate) fn provider(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    word(value, path, "id")?;
    for field in ["version", "url", "userUrl"] {
        optional(value, field, || text(value, path, field))?;
    }
    optional(value, "providerType", || {
        one_of(
            value,
            path,
            "providerType",
            &["browser", "desktop", "mobile", "remote"],
        )
    })
}

fn one_of(value: &Value, path: &str, field: &str, words: &[&str]) -> Shape {
    text(value, path, field)?;
    let seen = value[field].as_str().unwrap_or_default();
    if words.contains(&seen) {
        return Ok(());
    }
    Err(format!(
        "`{path}.{field}` is `{seen}`, not one of {}",
        words.join(", ")
    ))
}

pub(crate) fn network(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    word(value, path, "networkId")?;
    optional(value, "accessToken", || text(value, path, "accessToken"))?;
    optional(value, "ledgerApi", || {
        text(value, path, "ledgerApi")?;
        let address = value["ledgerApi"].as_str().unwrap_or_default();
        match url::Url::parse(address) {
            Ok(_) => Ok(()),
            Err(_) => Err(format!("`{path}.ledgerApi` is no URL")),
        }
    })
}

pub(crate) fn session(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    word(value, path, "accessToken")?;
    word(value, path, "userId")
}

pub(crate) fn status(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    let part = |field: &str, check: fn(&Value, &str) -> Shape| match value.get(field) {
        Some(part) => check(part, &format!("{path}.{field}")),
        None => Err(format!("`{path}.{field}` is missing")),
    };
    part("connection", connect_result)?;
    part("provider", provider)?;
    optional(value, "network", || part("network", network))?;
    optional(value, "session", || part("session", session))
}

pub(crate) fn account(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    truth(value, path, "primary")?;
    for field in ["partyId", "networkId", "signingProviderId"] {
        word(value, path, field)?;
    }
    for field in ["hint", "publicKey", "namespace"] {
        text(value, path, field)?;
    }
    one_of(
        value,
        path,
        "status",
        &["allocated", "initialized", "initializing", "removed"],
    )?;
    for field in ["externalTxId", "topologyTransactions", "reason"] {
        optional(value, field, || text(value, path, field))?;
    }
    optional(value, "disabled", || truth(value, path, "disabled"))
}

pub(crate) fn accounts(value: &Value, path: &str) -> Shape {
    let Some(items) = value.as_array() else {
        return Err(format!("`{path}` is {}, not an array", kind(Some(value))));
    };
    for (index, item) in items.iter().enumerate() {
        account(item, &format!("{path}[{index}]"))?;
    }
    Ok(())
}

pub(crate) fn tx_changed(value: &Value, path: &str) -> Shape {
    object(value, path)?;
    one_of(
        value,
        path,
        "status",
        &["pending", "signed", "executed", "failed"],
    )?;
    word(value, path, "commandId")?;
    match value["status"].as_str() {
        Some("signed") => signed(value, path),
        Some("executed") => executed(value, path),
        _ => Ok(()),
    }
}

pub(crate) fn signed(value: &Value, path: &str) -> Shape {
    let payload = value.get("payload").unwrap_or(&Value::Null);
    let path = format!("{path}.payload");
    object(payload, &path)?;
    for field in ["signature", "signedBy", "party"] {
        word(payload, &path, field)?;
    }
    Ok(())
}

pub(crate) fn executed(value: &Value, path: &str) -> Shape {
    let payload = value.get("payload").unwrap_or(&Value::Null);
    let path = format!("{path}.payload");
    object(payload, &path)?;
    word(payload, &path, "updateId")?;
    match payload.get("completionOffset") {
        Some(Value::Number(offset)) if offset.is_i64() || offset.is_u64() => Ok(()),
        other => Err(format!(
            "`{path}.completionOffset` is {}, not an integer",
            kind(other)
        )),
    }
}

/// Fields of an object that its description does not have.
pub(crate) fn strangers(value: &Value, path: &str, known: &[&str]) -> Vec<String> {
    let fields = value.as_object().into_iter().flat_map(|it| it.keys());
    fields
        .filter(|field| !known.contains(&field.as_str()))
        .map(|field| format!("{path}.{field}"))
        .collect()
}

const CONNECTION: [&str; 5] = [
    "isConnected",
    "isNetworkConnected",
    "networkReason",
    "reason",
    "userUrl",
];

pub(crate) fn connection_strangers(value: &Value, path: &str) -> Vec<String> {
    strangers(value, path, &CONNECTION)
}

pub(crate) fn status_strangers(value: &Value, path: &str) -> Vec<String> {
    let mut found = strangers(
        value,
        path,
        &["connection", "network", "provider", "session"],
    );
    for (field, known) in [
        ("connection", &CONNECTION[..]),
        ("network", &["accessToken", "ledgerApi", "networkId"][..]),
        (
            "provider",
            &["id", "providerType", "url", "userUrl", "version"][..],
        ),
        ("session", &["accessToken", "userId"][..]),
    ] {
        found.extend(strangers(&value[field], &format!("{path}.{field}"), known));
    }
    found
}

pub(crate) fn account_strangers(value: &Value, path: &str) -> Vec<String> {
    let known = [
        "disabled",
        "externalTxId",
        "hint",
        "namespace",
        "networkId",
        "partyId",
        "primary",
        "publicKey",
        "reason",
        "signingProviderId",
        "status",
        "topologyTransactions",
    ];
    strangers(value, path, &known)
}

pub(crate) fn tx_strangers(value: &Value, path: &str) -> Vec<String> {
    let with_payload = matches!(value["status"].as_str(), Some("signed" | "executed"));
    let known = ["commandId", "status", "payload"];
    let known = if with_payload {
        &known[..]
    } else {
        &known[..2]
    };
    let mut found = strangers(value, path, known);
    if with_payload {
        let known = [
            "completionOffset",
            "party",
            "signature",
            "signedBy",
            "updateId",
        ];
        found.extend(strangers(
            &value["payload"],
            &format!("{path}.payload"),
            &known,
        ));
    }
    found
}

/// CAIP-2: `namespace:reference`.
pub(crate) fn is_caip2(id: &str) -> bool {
    let Some((namespace, reference)) = id.split_once(':') else {
        return false;
    };
    let within = |part: &str, least: usize, most: usize, extra: &str| {
        (least..=most).contains(&part.len())
            && part
                .chars()
                .all(|it| it.is_ascii_alphanumeric() || extra.contains(it))
    };
    within(namespace, 3, 8, "-")
        && !namespace.chars().any(|it| it.is_ascii_uppercase())
        && within(reference, 1, 32, "-_")
}

/// A Canton party: `name::fingerprint`.
pub(crate) fn is_party(id: &str) -> bool {
    id.split_once("::").is_some_and(|(name, print)| {
        !name.is_empty() && !print.is_empty() && print.chars().all(|it| it.is_ascii_alphanumeric())
    })
}

/// An address a person can be sent to: `https`, or `http` on this computer.
pub(crate) fn is_safe_url(address: &str) -> bool {
    let Ok(url) = url::Url::parse(address) else {
        return false;
    };
    match url.scheme() {
        "https" => url.host().is_some(),
        "http" => is_loopback(&url),
        _ => false,
    }
}

/// Whether an address is on this computer.
pub(crate) fn is_loopback(url: &url::Url) -> bool {
    match url.host() {
        Some(url::Host::Domain(name)) => name == "localhost" || name.ends_with(".localhost"),
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        None => false,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn what_is_wrong_is_named_by_its_path() {
        let status = json!({
            "provider": { "id": "w", "providerType": "toaster" },
            "connection": { "isConnected": true, "isNetworkConnected": true },
        });
        let problem = super::status(&status, "result").unwrap_err();
        assert!(
            problem.starts_with("`result.provider.providerType` is `toaster`"),
            "{problem}"
        );
        let problem = accounts(&json!([{ "primary": "yes" }]), "result").unwrap_err();
        assert_eq!(problem, "`result[0].primary` is a string, not a boolean");
    }

    #[test]
    fn chains_parties_and_addresses() {
        for good in ["canton:da-mainnet", "canton:local", "eip155:1"] {
            assert!(is_caip2(good), "{good}");
        }
        for bad in [
            "devnet",
            "canton:",
            ":x",
            "Canton:x",
            "ca:x",
            "canton:a b",
            "canton:a:b",
        ] {
            assert!(!is_caip2(bad), "{bad}");
        }
        assert!(is_party("alice::1220ab") && !is_party("alice") && !is_party("::1220"));
        assert!(is_safe_url("https://w.example/x") && is_safe_url("http://127.0.0.1:1/x"));
        assert!(
            !is_safe_url("http://w.example/")
                && !is_safe_url("/login")
                && !is_safe_url("javascript:1")
        );
    }
}
