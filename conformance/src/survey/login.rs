//! Getting connected, by whatever means there are.

use std::time::Duration;

use serde_json::{Value, json};

use super::{Line, Survey};
use crate::evidence::Gap;
use crate::line::http::{HttpLine, Manner};
use crate::line::sse::Place;
use crate::options::Credential;
use crate::person::Deed;

/// How often a wallet is asked whether a login is done.
const LOOK: Duration = Duration::from_millis(100);

impl Survey<'_> {
    /// Connects; `false` if that cannot be, which is then noted for all that follows.
    pub(super) async fn log_in(&mut self, part: &'static str) -> bool {
        self.part = part;
        self.listen_for_events(part).await;
        let answer = self.ask(&format!("{part}/connect"), "connect", None).await;
        let gap = match self.connect_on(part, answer.as_ref()).await {
            Ok(()) => {
                self.evidence.gaps.remove(part);
                // A stream that was refused before there was a session.
                self.listen_for_events(part).await;
                self.note_events();
                return true;
            }
            Err(gap) => gap,
        };
        let rest = [
            "in", "params", "altered", "tx", "links", "reject", "failing", "limited", "outage",
            "switch", "cut", "expired", "logout", "end", "revived", "again", "other",
        ];
        let later = rest.iter().skip_while(|it| part != "login" && **it != part);
        for part in later {
            self.gap(part, gap.clone());
        }
        if part == "login" {
            self.gap("sse/main", gap.clone());
            self.gap("connected", gap);
        }
        false
    }

    async fn listen_for_events(&mut self, part: &str) {
        let listening = self
            .ear()
            .is_some_and(|ear| ear.so_far(|it| it.ended.is_none()));
        if !self.is_http() || listening {
            return;
        }
        self.note_events();
        let credential = self.credential.clone();
        let label = if part == "login" {
            "sse/main"
        } else {
            "sse/again"
        };
        self.stream = self.open_stream(label, &credential, Place::Header).await;
    }

    async fn connect_on(&mut self, part: &'static str, answer: Option<&Value>) -> Result<(), Gap> {
        let shown = format!("{part}/connect");
        let Some(answer) = answer else {
            let seen = match self.evidence.reply(&shown) {
                Ok(reply) => self.evidence.show_reply(reply),
                Err(_) => "no answer".to_owned(),
            };
            return Err(Gap::Wallet(format!("`connect` gave no result: {seen}")));
        };
        match answer["isConnected"].as_bool() {
            Some(true) => return Ok(()),
            Some(false) => {}
            None => return Err(Gap::Wallet("`connect` does not say `isConnected`".into())),
        }
        if !self.credential.is_none() {
            self.evidence.wants_credentials = true;
            self.add_session(&self.credential.clone(), None).await;
            if self.is_connected_within(self.patience.now()).await {
                return Ok(());
            }
            return Err(Gap::Wallet("with these credentials, and a session made at the user API where there is one, the wallet stays unconnected".into()));
        }
        let url = answer["userUrl"].as_str().map(ToOwned::to_owned);
        if url.is_none() && self.is_http() {
            return Err(Gap::Wallet(
                "`connect` answers that it is not connected, and gives no `userUrl` to log in at"
                    .into(),
            ));
        }
        if self.is_http() {
            self.evidence.wants_credentials = true;
        }
        if let Err(unable) = self.person(Deed::LogIn(url.as_deref())).await {
            return Err(Gap::Excused(format!("the wallet wants a login: {unable}")));
        }
        if self.is_connected_within(self.with_person()).await {
            self.evidence.wants_credentials = false;
            self.evidence.facts.insert("login/two-steps", true);
            let wait = self.patience.briefly();
            self.hear(wait, "connected", |_| true).await;
            return Ok(());
        }
        if self.options.person.takes().is_zero() {
            return Err(Gap::Wallet(
                "somebody logged in, and the wallet stays unconnected".into(),
            ));
        }
        Err(Gap::Excused("nobody logged in (a wallet that hands a token to the browser wants --token-env or --client-id)".into()))
    }

    async fn is_connected_within(&mut self, at_most: Duration) -> bool {
        let begun = std::time::Instant::now();
        loop {
            let answer = self.ask("login/isConnected", "isConnected", None).await;
            if answer.is_some_and(|it| it["isConnected"] == true) {
                return true;
            }
            if begun.elapsed() >= at_most {
                return false;
            }
            tokio::time::sleep(LOOK).await;
        }
    }

    /// Makes a session at the wallet's user API, where there is one. That is no part of the
    /// standard; without it no program without a browser gets in.
    pub(super) async fn add_session(&mut self, credential: &Credential, origin: Option<&str>) {
        let Line::Http(line) = &self.line else {
            return;
        };
        let line = line.clone();
        let Some(user) = self.user_api(&line).await else {
            return;
        };
        let networks = self
            .ask_user_api(&user, credential, "listNetworks", None)
            .await;
        let networks = networks
            .map(|it| it["networks"].clone())
            .unwrap_or_default();
        let network = networks.get(0).map(|it| match &it["id"] {
            Value::Null => it["networkId"].clone(),
            id => id.clone(),
        });
        let origin = origin.unwrap_or("https://check.moorline.example");
        let params = json!({ "networkId": network, "origin": origin });
        self.ask_user_api(&user, credential, "addSession", Some(params))
            .await;
    }

    /// Where the user API is; `None` if the wallet says nothing of one on its own server.
    pub(super) async fn user_api(&mut self, line: &HttpLine) -> Option<HttpLine> {
        let url = line.on_server("/.well-known/wallet-gateway-config");
        let request = line.request(reqwest::Method::GET, url, &Credential::None);
        let reply = line.reply(request, self.patience.now()).await.ok()?;
        let path = reply.json?.get("userPath")?.as_str()?.to_owned();
        let url = line.base.join(&path).ok()?;
        // Credentials go to the server they are for, and nowhere else.
        let same = |a: &url::Url, b: &url::Url| a.origin() == b.origin();
        same(&url, &line.base).then(|| line.at(url))
    }

    pub(super) async fn ask_user_api(
        &mut self,
        user: &HttpLine,
        credential: &Credential,
        method: &str,
        params: Option<Value>,
    ) -> Option<Value> {
        let (id, body) = self.request(method, params);
        let manner = Manner::with(credential);
        let outcome = user.post(body, manner, self.patience.now()).await;
        self.note(&format!("user/{method}"), method, id, outcome)
    }
}
