//! `signMessage`.

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::signature::{ED25519, UnparsedPublicKey};
use serde_json::Value;

use crate::check::{Check, Finding, Problem, check, ensure};
use crate::evidence::{Evidence, Trouble};
use crate::survey::MESSAGE;

const SIGN: &str = "CIP-0103, signMessage; OpenRPC dApp API, SignMessageResult";

pub(super) const CHECKS: &[Check] = &[
    check!(Must Both "signMessage.shape", "`signMessage` answers a signature", SIGN,
        "answer `{\"signature\": \"..\"}`", ["connect.connected"], |e| signature(e).map(drop)),
    check!(Should Both "signMessage.verifies", "the signature fits the public key of the primary account", "CIP-0103, signMessage (\"the public key of the same party can be used to verify\")",
        "sign the message itself with the key whose public half `listAccounts` gives", ["signMessage.shape"], verifies),
    check!(Must Both "signMessage.params", "`signMessage` without a message is refused with -32602 or -32000", "OpenRPC dApp API, SignMessageRequest (required: message); CIP-0103, Error Types",
        "check params before anything is signed", [], params),
];

fn signature(e: &Evidence) -> Result<&str, Problem> {
    let exchange = e.exchange("in/signMessage")?;
    if exchange.outcome.as_ref().err() == Some(&Trouble::Silent) {
        return Err(Problem::not_checked(
            "no answer in time: it may wait for a person to approve",
        ));
    }
    let result = e.result("in/signMessage")?;
    let bare = result.as_str().or_else(|| result["signature"].as_str());
    match bare {
        Some(signature) if !signature.is_empty() => Ok(signature),
        _ => Err(Problem::wrong("a signature", e.show(result))),
    }
}

fn verifies(e: &Evidence) -> Finding {
    let signature = bytes(signature(e)?, 64);
    let key = e.result("in/getPrimaryAccount")?["publicKey"]
        .as_str()
        .and_then(|it| bytes(it, 32));
    let (Some(signature), Some(key)) = (signature, key) else {
        return Err(Problem::not_checked(
            "key and signature are not recognised as Ed25519 in base64 or hex",
        ));
    };
    let verified = UnparsedPublicKey::new(&ED25519, key).verify(MESSAGE.as_bytes(), &signature);
    ensure(
        verified.is_ok(),
        "a signature of the message by the primary account",
        || "another signature".into(),
    )
}

/// Bytes in base64 or hex, if there are this many.
fn bytes(text: &str, many: usize) -> Option<Vec<u8>> {
    let hex = || -> Option<Vec<u8>> {
        let digits: Option<Vec<u8>> = text
            .chars()
            .map(|it| it.to_digit(16).and_then(|it| u8::try_from(it).ok()))
            .collect();
        Some(
            digits?
                .chunks(2)
                .map(|pair| pair.iter().fold(0, |all, it| all * 16 + it))
                .collect(),
        )
    };
    let decoded = [
        hex(),
        STANDARD.decode(text).ok(),
        URL_SAFE_NO_PAD.decode(text).ok(),
    ];
    decoded.into_iter().flatten().find(|it| it.len() == many)
}

fn params(e: &Evidence) -> Finding {
    for what in ["none", "empty", "type"] {
        e.refused(&format!("params/signMessage-{what}"), &[-32602, -32000])?;
    }
    Ok(())
}

/// How a wallet of two steps answers: it will tell by an event.
pub(crate) fn is_two_step(e: &Evidence) -> bool {
    let result = e.result("in/signMessage").unwrap_or(&Value::Null);
    result["messageId"].is_string()
}
