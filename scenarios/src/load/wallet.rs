//! `wallet = …`: what the wallet does, and how it treats calls.

use std::ops::Range;

use moorline::UserAction;
use moorline::provider::{ErrorKind, ProviderError, UserActionKind};
use moorline_scripted::{Behaviour, On, Script};

use super::problem::{Problem, suggestion};
use super::tree::{Node, Table, Tree};
use super::values::{accounts, provider_error, word};
use crate::model::{Target, Utterance, WalletDeed};

#[derive(Clone, Copy)]
enum Kind {
    Script,
    Behave,
    Answer,
    FailPending,
    Away,
    Back,
    Say(Word),
}

#[derive(Clone, Copy)]
enum Word {
    Drop,
    Ready,
    Recheck,
    Accounts,
    Network,
    Link,
    Expires,
    Revoke,
    Approve,
    Reject,
    UserAction,
    Malformed,
    Message,
}

const KINDS: &[(&str, Kind)] = &[
    ("script", Kind::Script),
    ("behave", Kind::Behave),
    ("answer", Kind::Answer),
    ("fail-pending", Kind::FailPending),
    ("away", Kind::Away),
    ("back", Kind::Back),
    ("drop", Kind::Say(Word::Drop)),
    ("ready", Kind::Say(Word::Ready)),
    ("recheck", Kind::Say(Word::Recheck)),
    ("accounts", Kind::Say(Word::Accounts)),
    ("network", Kind::Say(Word::Network)),
    ("link", Kind::Say(Word::Link)),
    ("expires", Kind::Say(Word::Expires)),
    ("revoke", Kind::Say(Word::Revoke)),
    ("approve", Kind::Say(Word::Approve)),
    ("reject", Kind::Say(Word::Reject)),
    ("user-action", Kind::Say(Word::UserAction)),
    ("malformed", Kind::Say(Word::Malformed)),
    ("message", Kind::Say(Word::Message)),
];

pub(super) fn read(table: &mut Table<'_>) -> Result<WalletDeed, Problem> {
    let span = table.span.clone();
    let node = table
        .node("wallet")
        .ok_or_else(|| Problem::new(&span, "a step needs the key `wallet`"))?;
    Ok(match word(node, "something a wallet does", KINDS)? {
        Kind::Script => {
            let on = need_call(table)?;
            let plan = table.node("does").ok_or_else(|| {
                node.problem("a script needs the key `does`: a behaviour or a list of them")
            })?;
            WalletDeed::Script(on, script(plan)?)
        }
        Kind::Behave => WalletDeed::Behave,
        Kind::Answer => {
            let on = need_call(table)?;
            let with = table.node("with").map(|node| behaviour(node)).transpose()?;
            let with = with.map_or_else(Behaviour::answer, |(behaviour, _)| behaviour);
            WalletDeed::Answer(on, with)
        }
        Kind::FailPending => WalletDeed::FailPending,
        Kind::Away => {
            let error = error_or_unreachable(table)?;
            if table.or_default("silently")? {
                WalletDeed::SetAway(error)
            } else {
                WalletDeed::Away(error)
            }
        }
        Kind::Back if table.or_default("silently")? => WalletDeed::SetBack,
        Kind::Back => WalletDeed::Back,
        Kind::Say(word) => say(word, node, table)?,
    })
}

fn say(word: Word, node: &Node, table: &mut Table<'_>) -> Result<WalletDeed, Problem> {
    let utterance = match word {
        Word::Drop => Utterance::Dropped(error_or_unreachable(table)?),
        Word::Ready => Utterance::Ready,
        Word::Recheck => Utterance::Recheck,
        Word::Accounts => match table.node("accounts") {
            Some(node) => Utterance::Accounts(accounts(node)?),
            None => return Err(node.problem("a change of accounts needs the key `accounts`")),
        },
        Word::Network => Utterance::Network(table.need("network")?),
        Word::Link => Utterance::Link(table.need("link")?),
        Word::Expires => Utterance::Expires(table.need("in")?),
        Word::Revoke => Utterance::Revoked,
        Word::Approve => Utterance::Approved,
        Word::Reject => Utterance::UserRejected,
        Word::UserAction => Utterance::UserAction(user_action(table)?),
        Word::Malformed => Utterance::Malformed(table.need("what")?, table.need("problem")?),
        Word::Message => Utterance::Message(
            table.need("name")?,
            table
                .node("payload")
                .map_or_else(Default::default, Node::json),
        ),
    };
    if table.or_default("silently")? {
        return match utterance {
            Utterance::Accounts(_)
            | Utterance::Network(_)
            | Utterance::Link(_)
            | Utterance::Expires(_)
            | Utterance::Revoked
            | Utterance::Approved => Ok(WalletDeed::Set(utterance)),
            _ => Err(node.problem(
                "this changes nothing but what the wallet says: it cannot be done `silently`",
            )),
        };
    }
    let target = Target {
        epoch: table.get("epoch")?,
        before: match table.node("through") {
            None => 0,
            Some(node) => word_through(node)?,
        },
        falsely: table.or_default("falsely")?,
    };
    let times = table.get("times")?.unwrap_or(1);
    Ok(WalletDeed::Say(utterance, target, times))
}

fn word_through(node: &Node) -> Result<usize, Problem> {
    let known = [("latest", 0), ("previous", 1), ("the one before", 2)];
    word(node, "a connection", &known)
}

fn error_or_unreachable(table: &mut Table<'_>) -> Result<ProviderError, Problem> {
    match table.node("error") {
        Some(node) => provider_error(node),
        None => Ok(ProviderError::new(
            ErrorKind::Unreachable,
            "scripted: unreachable",
        )),
    }
}

fn user_action(table: &mut Table<'_>) -> Result<UserAction, Problem> {
    let url: String = table.need("url")?;
    let action = match table.node("action") {
        Some(node) => {
            let known = [
                ("login", UserActionKind::Login),
                ("approve", UserActionKind::Approve),
            ];
            word(node, "something a person does", &known)?
        }
        None => UserActionKind::Approve,
    };
    Ok(UserAction::new(action, url))
}

fn need_call(table: &mut Table<'_>) -> Result<On, Problem> {
    let span = table.span.clone();
    match table.node("call") {
        Some(node) => call(node.text("the name of a call")?, &node.span),
        None => Err(Problem::new(&span, "a step needs the key `call` here")),
    }
}

/// A call by its name: `open`, `probe`, `request`, `request signMessage`, `close`,
/// `reauthenticate`.
pub(super) fn call(name: &str, span: &Range<usize>) -> Result<On, Problem> {
    if let Some(method) = name.strip_prefix("request ") {
        return Ok(On::method(method.to_owned()));
    }
    Ok(match name {
        "open" => On::Open,
        "probe" => On::Probe,
        "request" => On::Request,
        "close" => On::Close,
        "reauthenticate" => On::Reauthenticate,
        _ => {
            let known = ["open", "probe", "request", "close", "reauthenticate"];
            let suggestion = suggestion(name, &known);
            return Err(Problem::new(
                span,
                format!("`{name}` is not a call{suggestion}"),
            ));
        }
    })
}

/// A behaviour, or a list of them played one after the other.
pub(super) fn script(node: &Node) -> Result<Script, Problem> {
    let nodes = match &node.tree {
        Tree::Array(items) => &items[..],
        _ => std::slice::from_ref(node),
    };
    let mut script: Option<Script> = None;
    for (index, node) in nodes.iter().enumerate() {
        let (behaviour, times) = behaviour(node)?;
        let next = match times {
            Some(times) => behaviour.times(times),
            None if index + 1 == nodes.len() => behaviour.into(),
            None => {
                return Err(node.problem(
                    "without `times` this lasts for ever, and what follows is never played",
                ));
            }
        };
        script = Some(match script {
            Some(script) => script.then(next),
            None => next,
        });
    }
    script.ok_or_else(|| node.problem("an empty list plays nothing"))
}

#[derive(Clone, Copy)]
enum Does {
    Answer,
    Silence,
    NoAccounts,
    Fail,
    UserAction,
    Panic,
    PanicAtCall,
}

const DOES: &[(&str, Does)] = &[
    ("answer", Does::Answer),
    ("silence", Does::Silence),
    ("no-accounts", Does::NoAccounts),
    ("fail", Does::Fail),
    ("user-action", Does::UserAction),
    ("panic", Does::Panic),
    ("panic-at-call", Does::PanicAtCall),
];

/// `"silence"`, or `{ does = "fail", error = "unreachable", after = "2s", times = 3 }`.
fn behaviour(node: &Node) -> Result<(Behaviour, Option<u32>), Problem> {
    if node.as_str().is_some() {
        let does = word(node, "something a wallet does with a call", DOES)?;
        return Ok((simple(does, node)?, None));
    }
    let mut table = node.table("a behaviour")?;
    let Some(does) = table.node("does") else {
        return Err(node.problem("a behaviour needs the key `does`"));
    };
    let mut behaviour = match word(does, "something a wallet does with a call", DOES)? {
        Does::Answer => match table.node("value") {
            Some(value) => Behaviour::value(value.json()),
            None => Behaviour::answer(),
        },
        Does::Fail => Behaviour::fail(error_or_unreachable(&mut table)?),
        Does::UserAction => Behaviour::user_action(user_action(&mut table)?),
        other => simple(other, does)?,
    };
    if let Some(after) = table.get("after")? {
        behaviour = behaviour.after(after);
    }
    if let Some(executed) = table.get("executed")? {
        behaviour = behaviour.executed(executed);
    }
    if table.or_default("as_of_call")? {
        behaviour = behaviour.as_of_call();
    }
    let times = table.get("times")?;
    table.finish()?;
    Ok((behaviour, times))
}

fn simple(does: Does, node: &Node) -> Result<Behaviour, Problem> {
    Ok(match does {
        Does::Answer => Behaviour::answer(),
        Does::Silence => Behaviour::silence(),
        Does::NoAccounts => Behaviour::no_accounts(),
        Does::Fail => Behaviour::fail(ProviderError::new(
            ErrorKind::Unreachable,
            "scripted: unreachable",
        )),
        Does::UserAction => {
            return Err(node
                .problem("a user action needs a URL: `{ does = \"user-action\", url = \"…\" }`"));
        }
        Does::Panic => Behaviour::panic("scripted panic"),
        Does::PanicAtCall => Behaviour::panic_at_call("scripted panic"),
    })
}
