//! JSON-RPC itself: ids, params, what is malformed, and what HTTP and WebSockets add.

use std::time::Duration;

use reqwest::Method;
use serde_json::{Value, json};

use super::{Line, Survey};
use crate::evidence::Trouble;
use crate::line::http::Manner;
use crate::line::wire;
use crate::options::Credential;

/// A page of another origin.
const ORIGIN: &str = "https://dapp.example";
/// A body that every wallet should take, and one that none has to.
const LARGE: usize = 100 * 1024;
const HUGE: usize = 2 * 1024 * 1024;

impl Survey<'_> {
    pub(super) async fn framing(&mut self) {
        self.part = "framing";
        self.ids().await;
        self.params().await;
        self.malformed().await;
        for name in ["accountsChanged", "txChanged", "statusChanged", "connected"] {
            self.ask_as_nobody(&format!("names/{name}"), name, None)
                .await;
        }
        match &self.line {
            Line::Ws(_) => self.over_ws().await,
            Line::Http(_) => self.over_http().await,
        }
    }

    /// A body as it is, as nobody. The id is what an answer to it may carry.
    async fn raw(&mut self, label: &str, id: Value, body: &str) {
        let manner = Manner::with(&Credential::None);
        self.send(
            label,
            "isConnected",
            id,
            body.to_owned(),
            manner,
            Duration::ZERO,
        )
        .await;
    }

    async fn ids(&mut self) {
        for (label, id) in [
            ("framing/id-string", json!("moorline-✓-1")),
            ("framing/id-zero", json!(0)),
            ("framing/id-large", json!(9_007_199_254_740_991_u64)),
        ] {
            let body = json!({ "jsonrpc": "2.0", "id": id, "method": "isConnected" });
            self.raw(label, id, &body.to_string()).await;
        }
    }

    async fn params(&mut self) {
        for (label, params) in [
            ("framing/params-array", json!([])),
            ("framing/params-object", json!({})),
            ("framing/params-null", Value::Null),
            ("framing/params-stranger", json!({ "moorline": 1 })),
        ] {
            self.ask_as_nobody(label, "isConnected", Some(params)).await;
        }
        self.ask_as_nobody("framing/params-text", "isConnected", Some(json!("x")))
            .await;
    }

    async fn malformed(&mut self) {
        self.ask_as_nobody("framing/unknown", "moorline_noSuchMethod", None)
            .await;
        self.let_close().await;
        self.ask_as_nobody("framing/prototype", "toString", None)
            .await;
        let id = self.fresh_id();
        self.raw("framing/parse", id, r#"{"jsonrpc":"2.0","id":"#)
            .await;
        let id = self.fresh_id();
        let body = json!({ "id": id, "method": "isConnected" });
        self.raw("framing/no-version", id, &body.to_string()).await;
        let id = self.fresh_id();
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": 1 });
        self.raw("framing/bad-method", id, &body.to_string()).await;
        let id = self.fresh_id();
        self.raw("framing/no-object", id, "7").await;
        let id = self.fresh_id();
        self.raw("framing/batch-empty", id, "[]").await;
        let (one, two) = (self.fresh_id(), self.fresh_id());
        let body = json!([
            { "jsonrpc": "2.0", "id": one, "method": "isConnected" },
            { "jsonrpc": "2.0", "id": two, "method": "status" },
        ]);
        self.raw("framing/batch", json!([one, two]), &body.to_string())
            .await;
        // Whatever came before, it goes on.
        self.ask_as_nobody("framing/afterwards", "isConnected", None)
            .await;
    }

    /// Some wallets close the connection after what they do not know: the next request must not meet
    /// that half-way.
    async fn let_close(&mut self) {
        if self.is_http() {
            self.quiet().await;
        }
    }

    async fn over_ws(&mut self) {
        let briefly = Duration::from_millis(400).min(self.patience.now());
        let patience = self.patience.now();
        let (one, two) = (self.fresh_id(), self.fresh_id());
        let request =
            |id: &Value| json!({ "jsonrpc": "2.0", "id": id, "method": "isConnected" }).to_string();
        let Ok(line) = self.ws().await else {
            return;
        };
        let notification = json!({ "jsonrpc": "2.0", "method": "isConnected" });
        let silent = match line.send(&notification.to_string()).await {
            Ok(()) => matches!(line.answer(briefly).await, Err(Trouble::Silent)),
            Err(_) => false,
        };
        let ponged = line.ping(patience).await.unwrap_or(false);
        let mut both =
            line.send(&request(&one)).await.is_ok() && line.send(&request(&two)).await.is_ok();
        let mut seen = Vec::new();
        for _ in 0..2 {
            if let Ok(reply) = line.answer(patience).await {
                seen.extend(reply.id().cloned());
            }
        }
        both &= seen.contains(&one) && seen.contains(&two);
        let facts = &mut self.evidence.facts;
        facts.insert("framing/notification-silent", silent);
        facts.insert("framing/pong", ponged);
        facts.insert("framing/pipelined", both);
    }

    async fn over_http(&mut self) {
        let nobody = &Credential::None;
        let notification = json!({ "jsonrpc": "2.0", "method": "isConnected" });
        self.raw(
            "framing/notification",
            Value::Null,
            &notification.to_string(),
        )
        .await;
        for (label, content_type, origin, size) in [
            ("http/charset", "application/json; charset=utf-8", None, 0),
            ("http/text", "text/plain", None, 0),
            ("http/origin", "application/json", Some(ORIGIN), 0),
            ("http/large", "application/json", None, LARGE),
            ("http/huge", "application/json", None, HUGE),
        ] {
            let id = self.fresh_id();
            let params = json!({ "padding": "x".repeat(size) });
            let body =
                json!({ "jsonrpc": "2.0", "id": id, "method": "isConnected", "params": params });
            let manner = Manner {
                credential: nobody,
                content_type,
                origin,
            };
            self.send(
                label,
                "isConnected",
                id,
                body.to_string(),
                manner,
                Duration::ZERO,
            )
            .await;
        }
        let id = self.fresh_id();
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "listAccounts" });
        let manner = Manner {
            credential: nobody,
            content_type: "application/json",
            origin: Some(ORIGIN),
        };
        self.send(
            "http/origin-refused",
            "listAccounts",
            id,
            body.to_string(),
            manner,
            Duration::ZERO,
        )
        .await;
        let Line::Http(line) = &self.line else {
            return;
        };
        let line = line.clone();
        let ((_, unknown), (_, known)) = (
            self.request("moorline_noSuchMethod", None),
            self.request("isConnected", None),
        );
        let kept = wire::is_kept(&line.base, &unknown, &known, self.patience.now()).await;
        if let Ok(kept) = kept {
            self.evidence.facts.insert("http/kept", kept);
        }
        self.ask_as_nobody("names/prepareExecuteAndWait", "prepareExecuteAndWait", None)
            .await;
        self.let_close().await;
        let get = line.request(Method::GET, line.base.clone(), nobody);
        let preflight = line
            .request(Method::OPTIONS, line.base.clone(), nobody)
            .header("Origin", ORIGIN)
            .header("Access-Control-Request-Method", "POST")
            .header(
                "Access-Control-Request-Headers",
                "authorization,content-type",
            );
        for (label, request) in [("http/get", get), ("http/preflight", preflight)] {
            let outcome = line.reply(request, self.patience.now()).await;
            self.note(label, label, Value::Null, outcome);
        }
    }
}
