//! Second links, links that are cut, and the sessions of others.

use secrecy::ExposeSecret;
use serde_json::{Value, json};

use super::{Line, Survey, event_payload};
use crate::evidence::Gap;
use crate::line::ear::{Brought, Ear};
use crate::line::sse::Place;
use crate::line::ws::WsLine;
use crate::login;
use crate::options::Credential;

impl Survey<'_> {
    pub(super) async fn links(&mut self) {
        self.part = "links";
        if self.is_http() {
            self.http_links().await;
        } else {
            self.ws_links().await;
        }
    }

    async fn ws_links(&mut self) {
        let Ok(mut second) = WsLine::open(&self.url, &self.credential, self.patience.now()).await
        else {
            return;
        };
        let id = self.fresh_id();
        let body = json!({ "jsonrpc": "2.0", "id": id, "method": "status" });
        let outcome = second
            .exchange(&body.to_string(), &id, self.patience.now())
            .await;
        self.note("links/second", "status", id, outcome);
        let heard = self.heard_by(&second.ear, "links").await;
        self.evidence.facts.insert("links/second-hears", heard);
        drop(second);
        // Cut: no goodbye.
        self.note_events();
        self.line = Line::Ws(None);
        self.ask("links/relinked", "status", None).await;
    }

    async fn http_links(&mut self) {
        let credential = self.credential.clone();
        if let Some(second) = self
            .open_stream("sse/second", &credential, Place::Header)
            .await
        {
            let heard = self.heard_by(&second, "links").await;
            self.evidence.facts.insert("links/second-hears", heard);
        }
        match credential {
            Credential::Bearer(_) => {
                drop(
                    self.open_stream("sse/query", &credential, Place::Query)
                        .await,
                );
            }
            _ => self.gap("sse/query", Gap::Excused("no token was given".into())),
        }
        self.note_comfort();
        self.stream = None;
        self.ask("links/relinked", "status", None).await;
        self.stream = self
            .open_stream("sse/reopened", &credential, Place::Header)
            .await;
        let command = self.command("reopened");
        let commands = self.commands();
        self.submit(
            "links/prepareExecute-reopened",
            json!({ "commandId": command, "commands": commands }),
        )
        .await;
        let wait = self.patience.briefly();
        let heard = self
            .hear(wait, "txChanged", |it| it["commandId"] == *command)
            .await;
        let heard = heard && !self.evidence.transaction(&command).is_empty();
        self.evidence.facts.insert("links/reopened-hears", heard);
        self.hear_end(wait, &command).await;
    }

    /// What the stream offers that helps clients.
    fn note_comfort(&mut self) {
        let Some(stream) = &self.stream else {
            return;
        };
        let (comments, ids, retries) = stream.so_far(|it| (it.comments, it.ids, it.retries));
        let facts = &mut self.evidence.facts;
        facts.insert("sse/comments", comments > 0);
        facts.insert("sse/ids", ids > 0);
        facts.insert("sse/retries", retries > 0);
    }

    /// Whether a transaction of the program is heard by another ear.
    async fn heard_by(&mut self, ear: &Ear, what: &str) -> bool {
        let command = self.command(what);
        let commands = self.commands();
        let label = format!("{what}/prepareExecute");
        self.submit(
            &label,
            json!({ "commandId": command, "commands": commands }),
        )
        .await;
        let wait = self.patience.briefly();
        let http = self.is_http();
        let told = |it: &Brought| {
            let payload = |raw: &str| event_payload(http, raw).unwrap_or(Value::Null);
            it.events
                .iter()
                .any(|it| payload(&it.raw)["commandId"] == *command)
        };
        let heard = ear.wait(wait, told).await;
        self.hear_end(wait, &command).await;
        heard
    }

    /// Connects once more; then as somebody else.
    pub(super) async fn again(&mut self) {
        let asked = self.person(crate::person::Deed::ExpectToBeAsked).await;
        if let Err(unable) = asked {
            self.gap("again/asked", Gap::Excused(unable));
        }
        if !self.log_in_again().await {
            return;
        }
        self.person(crate::person::Deed::ExpectToApprove).await.ok();
        self.ask("again/status", "status", None).await;
        self.other().await;
        self.ask("again/disconnect", "disconnect", None).await;
    }

    /// Another login of the same user, from elsewhere.
    async fn other(&mut self) {
        self.part = "other";
        let fresh = match login::credential(self.options, self.patience.now()).await {
            Ok(Credential::Bearer(token)) if !self.is_same(&token) => token,
            _ => {
                let why = "a second session needs a second token (--client-id)";
                self.gap("other", Gap::Excused(why.into()));
                return;
            }
        };
        self.evidence.secrets.learn(fresh.expose_secret());
        let other = Credential::Bearer(fresh.clone());
        self.add_session(&other, Some("https://elsewhere.moorline.example"))
            .await;
        let Some(ear) = self.open_stream("sse/other", &other, Place::Header).await else {
            self.gap(
                "other",
                Gap::Excused("the second session has no event stream".into()),
            );
            return;
        };
        let leaked = self.heard_by(&ear, "other").await;
        self.evidence.facts.insert("other/hears", leaked);
        let secret = fresh.expose_secret();
        let told = match self.ear() {
            Some(mine) => mine.so_far(|it| it.events.iter().any(|it| it.raw.contains(secret))),
            None => false,
        };
        self.evidence.facts.insert("other/token-told", told);
        self.ask_as(&other, "other/disconnect", "disconnect", None)
            .await;
        self.ask("other/status", "status", None).await;
    }

    fn is_same(&self, token: &secrecy::SecretString) -> bool {
        match &self.credential {
            Credential::Bearer(mine) => mine.expose_secret() == token.expose_secret(),
            _ => false,
        }
    }
}
