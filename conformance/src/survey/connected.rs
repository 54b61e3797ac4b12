//! While connected: every method that reads, wrong params, and credentials that are none.

use base64::Engine;
use base64::engine::general_purpose::URL_SAFE_NO_PAD;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::{Line, Survey};
use crate::options::Credential;

/// What is signed.
pub(crate) const MESSAGE: &str = "moorline conformance check: sign me";

impl Survey<'_> {
    pub(super) async fn while_connected(&mut self) {
        self.part = "in";
        for method in [
            "connect",
            "status",
            "isConnected",
            "getActiveNetwork",
            "listAccounts",
            "getPrimaryAccount",
        ] {
            self.ask(&format!("in/{method}"), method, None).await;
        }
        let at_most = self.with_person().saturating_sub(self.patience.now());
        self.ask_longer(
            "in/signMessage",
            "signMessage",
            json!({ "message": MESSAGE }),
            at_most,
        )
        .await;
        let with_body = |verb: &str| json!({ "requestMethod": verb, "resource": "/v2/moorline-no-such-resource", "body": {} });
        let get = |resource: &str| json!({ "requestMethod": "get", "resource": resource });
        for (label, params) in [
            ("in/ledgerApi", get("/v2/version")),
            ("in/ledgerApi-unknown", get("/v2/moorline-no-such-resource")),
            ("in/ledgerApi-patch", with_body("patch")),
            ("in/ledgerApi-put", with_body("put")),
            ("in/ledgerApi-delete", with_body("delete")),
            (
                "in/ledgerApi-headers",
                json!({
                    "requestMethod": "get", "resource": "/v2/version", "headers": { "X-Moorline": "check" },
                }),
            ),
            (
                "in/ledgerApi-path",
                json!({
                    "requestMethod": "get", "resource": "/v2/{what}", "path": { "what": "version" },
                }),
            ),
        ] {
            self.ask(label, "ledgerApi", Some(params)).await;
        }
    }

    /// Asks for something that a person has to approve.
    pub(super) async fn ask_longer(
        &mut self,
        label: &str,
        method: &str,
        params: Value,
        longer: std::time::Duration,
    ) -> Option<Value> {
        let (id, body) = self.request(method, Some(params));
        let credential = self.credential.clone();
        let manner = crate::line::http::Manner::with(&credential);
        self.send(label, method, id, body, manner, longer).await
    }

    pub(super) async fn bad_params(&mut self) {
        self.part = "params";
        for (what, method, params) in [
            ("none", "signMessage", None),
            ("empty", "signMessage", Some(json!({}))),
            ("type", "signMessage", Some(json!({ "message": 7 }))),
            ("none", "prepareExecute", None),
            ("empty", "prepareExecute", Some(json!({}))),
            ("type", "prepareExecute", Some(json!({ "commands": 7 }))),
            ("none", "ledgerApi", None),
            (
                "empty",
                "ledgerApi",
                Some(json!({ "requestMethod": "get" })),
            ),
            (
                "type",
                "ledgerApi",
                Some(json!({ "requestMethod": "destroy", "resource": "/v2/version" })),
            ),
        ] {
            self.ask(&format!("params/{method}-{what}"), method, params)
                .await;
        }
    }

    /// Asks with a token that was tampered with.
    pub(super) async fn bad_tokens(&mut self) {
        let Line::Http(line) = &self.line else {
            return;
        };
        let line = line.clone();
        if let Credential::Bearer(token) = self.credential.clone() {
            match tampered(token.expose_secret()) {
                Some(token) => {
                    self.evidence.secrets.learn(token.expose_secret());
                    let altered = Credential::Bearer(token);
                    self.ask_as(&altered, "altered/isConnected", "isConnected", None)
                        .await;
                    self.ask_as(&altered, "altered/listAccounts", "listAccounts", None)
                        .await;
                }
                None => self.gap(
                    "altered",
                    crate::evidence::Gap::Excused("the token is no JWT".into()),
                ),
            }
        } else {
            self.gap(
                "altered",
                crate::evidence::Gap::Excused("no token was given".into()),
            );
        }
        if let Some(user) = self.user_api(&line).await {
            self.ask_user_api(&user, &Credential::None, "listNetworks", None)
                .await;
        }
    }
}

/// The same token for another user, with the signature of the first.
fn tampered(token: &str) -> Option<SecretString> {
    let mut parts = token.split('.');
    let (header, claims, signature) = (parts.next()?, parts.next()?, parts.next()?);
    let mut claims: Value = serde_json::from_slice(&URL_SAFE_NO_PAD.decode(claims).ok()?).ok()?;
    claims
        .as_object_mut()?
        .insert("moorline".into(), json!("tampered"));
    let claims = URL_SAFE_NO_PAD.encode(claims.to_string());
    Some(format!("{header}.{claims}.{signature}").into())
}
