//! Everything that was seen of a wallet. Judges look at nothing else.

use std::collections::BTreeMap;

use serde_json::Value;

use crate::check::{Problem, Transport};
use crate::deviation::Generation;
use crate::redaction::Secrets;
use crate::reply::{Head, Reply, RpcError};

/// Why a request has no answer.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Trouble {
    /// Nothing came in time.
    Silent,
    /// The connection ended, or there was none.
    Broken(String),
}

impl Trouble {
    pub(crate) fn describe(&self) -> String {
        match self {
            Self::Silent => "no answer in time".to_owned(),
            Self::Broken(why) => format!("no answer: {why}"),
        }
    }
}

/// A request and what came of it.
#[derive(Clone, Debug)]
pub(crate) struct Exchange {
    pub(crate) method: String,
    pub(crate) id: Value,
    pub(crate) outcome: Result<Reply, Trouble>,
}

/// An event.
#[derive(Clone, Debug)]
pub(crate) struct Heard {
    /// The part of the run it was heard in.
    pub(crate) during: String,
    pub(crate) name: String,
    /// The payload, without the array around it; `None` if there was none, or no JSON.
    pub(crate) payload: Option<Value>,
    /// How it travelled.
    pub(crate) raw: String,
}

/// Why a part of the run was left out.
#[derive(Clone, Debug, Eq, PartialEq)]
pub(crate) enum Gap {
    /// The wallet did not get that far: it fails what it was not asked.
    Wallet(String),
    /// It could not be expected: nobody at the wallet, no credentials, nothing to try it on.
    Excused(String),
}

/// How an event stream answered.
#[derive(Clone, Debug)]
pub(crate) struct StreamFacts {
    pub(crate) outcome: Result<Head, Trouble>,
    /// The body of a refusal.
    pub(crate) body: String,
}

/// Everything that was seen.
#[derive(Debug)]
pub(crate) struct Evidence {
    pub(crate) transport: Transport,
    pub(crate) exchanges: BTreeMap<String, Exchange>,
    pub(crate) events: Vec<Heard>,
    pub(crate) gaps: BTreeMap<String, Gap>,
    pub(crate) streams: BTreeMap<String, StreamFacts>,
    /// Things noted that are neither answers nor events: `true` if they held.
    pub(crate) facts: BTreeMap<&'static str, bool>,
    /// Whether the wallet wants credentials.
    pub(crate) wants_credentials: bool,
    pub(crate) secrets: Secrets,
}

impl Evidence {
    pub(crate) fn new(transport: Transport, secrets: Secrets) -> Self {
        Self {
            transport,
            exchanges: BTreeMap::new(),
            events: Vec::new(),
            gaps: BTreeMap::new(),
            streams: BTreeMap::new(),
            facts: BTreeMap::new(),
            wants_credentials: false,
            secrets,
        }
    }

    /// Why there is nothing under a label: its own gap, else that of its part.
    fn missing(&self, label: &str) -> Problem {
        let part = label.split('/').next().unwrap_or(label);
        match self.gaps.get(label).or_else(|| self.gaps.get(part)) {
            Some(Gap::Excused(reason)) => Problem::not_checked(reason),
            Some(Gap::Wallet(reason)) => {
                Problem::wrong("the wallet gets as far as this", reason.as_str())
            }
            None => Problem::wrong("the wallet gets as far as this", "it was never asked"),
        }
    }

    /// Fails, or is not checked, if a part of the run did not take place.
    pub(crate) fn took_place(&self, label: &str) -> Result<(), Problem> {
        let part = label.split('/').next().unwrap_or(label);
        if self.gaps.contains_key(label) || self.gaps.contains_key(part) {
            return Err(self.missing(label));
        }
        Ok(())
    }

    pub(crate) fn fact(&self, name: &'static str) -> Result<bool, Problem> {
        let fact = self.facts.get(name).copied();
        fact.ok_or_else(|| self.missing(name))
    }

    pub(crate) fn exchange(&self, label: &str) -> Result<&Exchange, Problem> {
        let exchange = self.exchanges.get(label);
        exchange.ok_or_else(|| self.missing(label))
    }

    /// The answer, whatever it is.
    pub(crate) fn reply(&self, label: &str) -> Result<&Reply, Problem> {
        let exchange = self.exchange(label)?;
        exchange.outcome.as_ref().map_err(|trouble| {
            Problem::wrong(
                format!("an answer to `{}`", exchange.method),
                trouble.describe(),
            )
        })
    }

    /// The result; fails on anything else.
    pub(crate) fn result(&self, label: &str) -> Result<&Value, Problem> {
        let reply = self.reply(label)?;
        let exchange = self.exchange(label)?;
        reply.result(&exchange.id).ok_or_else(|| {
            Problem::wrong(
                format!("`{}` answered with a result", exchange.method),
                self.show_reply(reply),
            )
        })
    }

    /// The error; fails on anything else.
    pub(crate) fn error(&self, label: &str) -> Result<RpcError<'_>, Problem> {
        let reply = self.reply(label)?;
        let method = &self.exchange(label)?.method;
        match reply.error() {
            Some(error) if error.member.is_object() => Ok(error),
            _ => Err(Problem::wrong(
                format!("`{method}` answered with a JSON-RPC error"),
                self.show_reply(reply),
            )),
        }
    }

    /// That a request was answered with an error of one of these codes.
    pub(crate) fn refused(&self, label: &str, codes: &[i64]) -> Result<(), Problem> {
        let error = self.error(label)?;
        if error.code().is_some_and(|code| codes.contains(&code)) {
            return Ok(());
        }
        let codes: Vec<String> = codes.iter().map(ToString::to_string).collect();
        Err(Problem::wrong(
            format!("error {}", codes.join(" or ")),
            self.show_reply(self.reply(label)?),
        ))
    }

    pub(crate) fn stream(&self, label: &str) -> Result<&StreamFacts, Problem> {
        self.streams.get(label).ok_or_else(|| self.missing(label))
    }

    /// The head of an event stream that was opened.
    pub(crate) fn stream_head(&self, label: &str) -> Result<&Head, Problem> {
        let stream = self.stream(label)?;
        let trouble = |it: &Trouble| Problem::wrong("an answer to GET on /events", it.describe());
        stream.outcome.as_ref().map_err(trouble)
    }

    /// Events of a part of the run, by name.
    pub(crate) fn heard<'a>(
        &'a self,
        during: &'a str,
        name: &'a str,
    ) -> impl Iterator<Item = &'a Heard> + 'a {
        let events = self.events.iter();
        events.filter(move |it| it.during == during && it.name == name)
    }

    /// The `txChanged` payloads of one command, in order.
    pub(crate) fn transaction(&self, command: &str) -> Vec<&Value> {
        let events = self
            .events
            .iter()
            .filter(|it| it.name == "txChanged" && !it.during.contains('@'));
        let payloads = events.filter_map(|it| it.payload.as_ref());
        payloads.filter(|it| it["commandId"] == command).collect()
    }

    /// All answers that carry an error, and for what.
    pub(crate) fn errors(&self) -> impl Iterator<Item = (&Exchange, &Reply, RpcError<'_>)> {
        self.exchanges.values().filter_map(|exchange| {
            let reply = exchange.outcome.as_ref().ok()?;
            Some((exchange, reply, reply.error()?))
        })
    }

    /// All answers.
    pub(crate) fn replies(&self) -> impl Iterator<Item = (&str, &Exchange, &Reply)> {
        self.exchanges.iter().filter_map(|(label, exchange)| {
            let reply = exchange.outcome.as_ref().ok()?;
            Some((label.as_str(), exchange, reply))
        })
    }

    /// A short excerpt without secrets.
    pub(crate) fn show_reply(&self, reply: &Reply) -> String {
        let body = self.secrets.excerpt(&reply.body);
        match &reply.head {
            Some(head) if head.content_type() == "application/json" => {
                format!("HTTP {}: {body}", head.status)
            }
            Some(head) => format!("HTTP {} ({}): {body}", head.status, head.content_type()),
            None => body,
        }
    }

    /// A short excerpt without secrets.
    pub(crate) fn show(&self, value: &Value) -> String {
        self.secrets.excerpt(&value.to_string())
    }

    /// Which generation the wallet behaves like, as far as can be said.
    pub(crate) fn looks_like(&self) -> Generation {
        crate::deviation::guess(self)
    }
}
