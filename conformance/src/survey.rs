//! The run: asks a wallet everything there is to ask, and notes what comes back. Decides nothing.
//!
//! Answers are noted under labels `part/what`; the parts are, in order:
//!
//! | part | the wallet is |
//! |---|---|
//! | `first` | as it was found |
//! | `out`, `framing`, `names` | not connected |
//! | `login` | being connected to |
//! | `in`, `params`, `garbage` | connected |
//! | `tx`, `links` | given transactions, over several links |
//! | `reject`, `failing`, `limited`, `outage`, `switch`, `cut`, `expired`, `logout` | in the hands of a person |
//! | `end`, `revived` | disconnected |
//! | `again`, `other` | connected to once more, and by somebody else |

mod connected;
mod disconnected;
mod framing;
mod links;
mod login;
mod people;
mod transactions;

pub(crate) use self::connected::MESSAGE;
use std::time::Duration;

use serde_json::{Value, json};
use url::Url;

use crate::check::Transport;
use crate::evidence::{Evidence, Exchange, Gap, Heard, StreamFacts, Trouble};
use crate::line::Patience;
use crate::line::ear::{Ear, payload, unwrapped};
use crate::line::http::{HttpLine, Manner};
use crate::line::sse::{self, Place};
use crate::line::ws::WsLine;
use crate::options::{Credential, Options};
use crate::person::Deed;
use crate::redaction::Secrets;
use crate::reply::Reply;

/// The first id: no wallet answers it by accident.
const FIRST_ID: u64 = 52_001;

/// A run.
pub(crate) struct Survey<'o> {
    options: &'o Options,
    url: Url,
    evidence: Evidence,
    patience: Patience,
    line: Line,
    /// Whom the program is, once it has logged in.
    credential: Credential,
    /// The event stream of the program.
    stream: Option<Ear>,
    /// The part of the run.
    part: &'static str,
    next_id: u64,
    /// Tells the commands of this run from those of others.
    nonce: u128,
}

/// How the wallet is asked.
enum Line {
    Ws(Option<WsLine>),
    Http(HttpLine),
}

/// Asks a wallet everything.
pub(crate) async fn survey(
    options: &Options,
    url: Url,
    credential: Credential,
    secrets: Secrets,
) -> Result<Evidence, String> {
    let (transport, line) = match url.scheme() {
        "ws" | "wss" => (Transport::WebSocket, Line::Ws(None)),
        _ => (Transport::Http, Line::Http(HttpLine::new(url.clone())?)),
    };
    let now = std::time::SystemTime::now().duration_since(std::time::UNIX_EPOCH);
    let mut survey = Survey {
        options,
        url,
        evidence: Evidence::new(transport, secrets),
        patience: Patience::new(options.timeout, options.whole),
        line,
        credential,
        stream: None,
        part: "first",
        next_id: FIRST_ID,
        nonce: now.map(|it| it.as_nanos()).unwrap_or_default(),
    };
    survey
        .evidence
        .facts
        .insert("tx/own-commands", options.commands.is_some());
    let by_key = matches!(survey.credential, Credential::ApiKey(_));
    survey.evidence.facts.insert("login/api-key", by_key);
    survey.run().await;
    Ok(survey.evidence)
}

impl Survey<'_> {
    async fn run(&mut self) {
        self.ask("first/status", "status", None).await;
        self.while_disconnected().await;
        self.framing().await;
        self.person(Deed::ExpectToApprove).await.ok();
        if !self.log_in("login").await {
            return;
        }
        self.while_connected().await;
        self.bad_params().await;
        self.bad_tokens().await;
        self.transactions().await;
        self.links().await;
        self.people().await;
        self.end().await;
        self.again().await;
    }

    fn is_http(&self) -> bool {
        matches!(self.line, Line::Http(_))
    }

    fn gap(&mut self, part: &str, gap: Gap) {
        self.evidence.gaps.insert(part.to_owned(), gap);
    }

    fn fresh_id(&mut self) -> Value {
        self.next_id += 1;
        json!(self.next_id)
    }

    /// A command id of this run.
    fn command(&self, what: &str) -> String {
        format!("moorline-check-{what}-{:x}", self.nonce)
    }

    /// Asks as the program that has logged in (or, before that, as nobody). The result, if there
    /// is one.
    async fn ask(&mut self, label: &str, method: &str, params: Option<Value>) -> Option<Value> {
        let credential = self.credential.clone();
        self.ask_as(&credential, label, method, params).await
    }

    /// Asks without credentials.
    async fn ask_as_nobody(
        &mut self,
        label: &str,
        method: &str,
        params: Option<Value>,
    ) -> Option<Value> {
        self.ask_as(&Credential::None, label, method, params).await
    }

    async fn ask_as(
        &mut self,
        credential: &Credential,
        label: &str,
        method: &str,
        params: Option<Value>,
    ) -> Option<Value> {
        let (id, body) = self.request(method, params);
        let manner = Manner::with(credential);
        self.send(label, method, id, body, manner, Duration::ZERO)
            .await
    }

    /// A request, and its id.
    fn request(&mut self, method: &str, params: Option<Value>) -> (Value, String) {
        let id = self.fresh_id();
        let mut request = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if let Some(params) = params {
            request["params"] = params;
        }
        (id, request.to_string())
    }

    /// Sends a body as it is, and notes what comes back.
    async fn send(
        &mut self,
        label: &str,
        method: &str,
        id: Value,
        body: String,
        manner: Manner<'_>,
        longer: Duration,
    ) -> Option<Value> {
        let at_most = self.patience.now().saturating_add(longer);
        let outcome = match &mut self.line {
            Line::Http(line) => line.post(body, manner, at_most).await,
            Line::Ws(_) => match self.ws().await {
                Ok(line) => line.exchange(&body, &id, at_most).await,
                Err(trouble) => Err(trouble),
            },
        };
        let result = self.note(label, method, id, outcome);
        self.note_events();
        result
    }

    /// The WebSocket; a new one if there is none, or the old one has ended.
    async fn ws(&mut self) -> Result<&mut WsLine, Trouble> {
        self.note_events();
        let Line::Ws(line) = &mut self.line else {
            return Err(Trouble::Broken("not a WebSocket".into()));
        };
        let alive = line
            .as_ref()
            .is_some_and(|line| line.ear.so_far(|it| it.ended.is_none()));
        if !alive {
            *line = None;
            *line = Some(WsLine::open(&self.url, &self.credential, self.patience.now()).await?);
        }
        line.as_mut().ok_or(Trouble::Silent)
    }

    fn note(
        &mut self,
        label: &str,
        method: &str,
        id: Value,
        outcome: Result<Reply, Trouble>,
    ) -> Option<Value> {
        match &outcome {
            Ok(reply) => {
                self.patience.answered();
                if let Some(json) = &reply.json {
                    self.evidence.secrets.learn_from(json);
                }
            }
            Err(Trouble::Silent) => self.patience.silent(),
            Err(Trouble::Broken(_)) => {}
        }
        let result = outcome
            .as_ref()
            .ok()
            .and_then(|reply| reply.result(&id).cloned());
        let exchange = Exchange {
            method: method.to_owned(),
            id,
            outcome,
        };
        self.evidence.exchanges.insert(label.to_owned(), exchange);
        result
    }

    /// Where the program hears events.
    fn ear(&self) -> Option<&Ear> {
        match &self.line {
            Line::Ws(line) => line.as_ref().map(|line| &line.ear),
            Line::Http(_) => self.stream.as_ref(),
        }
    }

    /// Takes note of the events that came meanwhile.
    fn note_events(&mut self) {
        let fresh = match &mut self.line {
            Line::Ws(line) => line.as_mut().map(|line| line.ear.take_events()),
            Line::Http(_) => self.stream.as_mut().map(Ear::take_events),
        };
        for event in fresh.unwrap_or_default() {
            let payload = event_payload(self.is_http(), &event.raw);
            if let Some(payload) = &payload {
                self.evidence.secrets.learn_from(payload);
            }
            self.evidence.events.push(Heard {
                during: self.part.to_owned(),
                name: event.name,
                payload,
                raw: event.raw,
            });
        }
    }

    /// Waits for an event; `true` if it came (or had come already).
    async fn hear(
        &mut self,
        at_most: Duration,
        name: &str,
        is_it: impl Fn(&Value) -> bool,
    ) -> bool {
        let http = self.is_http();
        let heard = match self.ear() {
            Some(ear) => {
                ear.wait(at_most, |brought| {
                    let mut events = brought.events.iter().filter(|it| it.name == name);
                    events.any(|it| event_payload(http, &it.raw).is_some_and(|it| is_it(&it)))
                        || brought.ended.is_some()
                })
                .await
            }
            None => false,
        };
        self.note_events();
        heard
    }

    /// Waits for the end of a transaction.
    async fn hear_end(&mut self, at_most: Duration, command: &str) -> bool {
        let command = command.to_owned();
        self.hear(at_most, "txChanged", move |it| {
            it["commandId"] == *command
                && matches!(it["status"].as_str(), Some("executed" | "failed"))
        })
        .await
    }

    /// Gives events the time to come that should not.
    async fn quiet(&mut self) {
        tokio::time::sleep(self.patience.now().min(Duration::from_millis(250))).await;
        self.note_events();
    }

    /// Opens an event stream and notes how that went.
    async fn open_stream(
        &mut self,
        label: &str,
        credential: &Credential,
        place: Place,
    ) -> Option<Ear> {
        let Line::Http(line) = &self.line else {
            return None;
        };
        let (facts, ear) = sse::open(line, credential, place, self.patience.now()).await;
        match facts.outcome {
            Ok(_) => self.patience.answered(),
            Err(Trouble::Silent) => self.patience.silent(),
            Err(_) => {}
        }
        self.note_stream(label, facts);
        ear
    }

    fn note_stream(&mut self, label: &str, facts: StreamFacts) {
        self.evidence.streams.insert(label.to_owned(), facts);
    }

    /// Has the person do something; the reason if they cannot.
    async fn person(&self, deed: Deed<'_>) -> Result<(), String> {
        self.options
            .person
            .does(deed)
            .await
            .map_err(|unable| unable.0)
    }

    /// How long to wait for what a person does.
    fn with_person(&self) -> Duration {
        self.patience
            .now()
            .saturating_add(self.options.person.takes())
    }

    /// The commands to submit.
    fn commands(&self) -> Value {
        self.options.commands.clone().unwrap_or_else(|| {
            json!([{ "CreateCommand": {
                "templateId": "#moorline-check:Moorline.Check:Nothing",
                "createArguments": {},
            } }])
        })
    }
}

/// The payload of an event as it travelled: a notification over a WebSocket, data of a stream.
fn event_payload(http: bool, raw: &str) -> Option<Value> {
    if http {
        return payload(raw);
    }
    let mut notification: Value = serde_json::from_str(raw).ok()?;
    unwrapped(notification.get_mut("params")?.take())
}
