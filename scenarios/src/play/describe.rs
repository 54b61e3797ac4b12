//! Actions in the words of the file, for timelines.

use moorline::sync::Notice;
use moorline_scripted::On;

use crate::model::{Action, Deed, HookName, Restart, StoreDeed, Utterance, WalletDeed};
use crate::report::short;

pub(super) fn describe(action: &Action) -> String {
    match action {
        Action::User(deed) => format!("user {}", user(deed)),
        Action::Wallet(deed) => format!("wallet {}", wallet(deed)),
        Action::Store(deed) => format!("store {}", store(deed)),
        Action::Other(notice) => match notice {
            Notice::Disconnected => "another process disconnected".into(),
            Notice::PartyChanged { account } => format!("another process is now {account}"),
            Notice::NetworkChanged { network } => format!("another process is now on {network}"),
            other => format!("another process says {other:?}"),
        },
        Action::Second(command) => format!("{} in the second process", command.name()),
        Action::Hook(HookName::Reauth, _) => "hook reauth behaves differently".into(),
        Action::Hook(HookName::Invalidate, _) => "hook invalidate behaves differently".into(),
        Action::Advance(by) => format!("{} pass", short(*by)),
        Action::Sleep(by) => format!("the computer sleeps for {}", short(*by)),
        Action::ClockBack(by) => format!("the clock is set back by {}", short(*by)),
        Action::Until(until) => match (&until.status, &until.event) {
            (Some(status), _) => format!("until {status}"),
            (None, event) => format!("until {}", event.as_deref().unwrap_or_default()),
        },
        Action::Restart(Restart::Crash) => "the program is killed and starts again".into(),
        Action::Restart(Restart::Close) => "the program ends and starts again".into(),
    }
}

fn user(deed: &Deed) -> String {
    let named = |what: &str, name: Option<&String>| match name {
        Some(name) => format!("{what} as {name}"),
        None => what.to_owned(),
    };
    match deed {
        Deed::Command(command, name) => named(command.name(), name.as_ref()),
        Deed::Submit(submission) => {
            let kind = if submission.several { "run" } else { "request" };
            let what = format!("{kind} {}", submission.methods.join(", "));
            named(&what, submission.name.as_ref())
        }
        Deed::Drop => "drop the last handle".into(),
        Deed::Abandon(name) => format!("abandon {name}"),
        Deed::Await(name, within) => format!("await {name} within {}", short(*within)),
        Deed::Subscribe(name) => format!("subscribe as {name}"),
        Deed::Keep(name) => format!("keep the snapshot as {name}"),
    }
}

pub(super) fn wallet(deed: &WalletDeed) -> String {
    match deed {
        WalletDeed::Script(call, _) => format!("treats `{call}` differently"),
        WalletDeed::Behave => "behaves".into(),
        WalletDeed::Answer(call, _) => answer(call),
        WalletDeed::FailPending => "fails what waits".into(),
        WalletDeed::Away(error) => format!("goes away: {error}"),
        WalletDeed::SetAway(error) => format!("goes away silently: {error}"),
        WalletDeed::Back => "comes back".into(),
        WalletDeed::SetBack => "comes back silently".into(),
        WalletDeed::Set(utterance) => format!("silently: {}", utter(utterance)),
        WalletDeed::Say(utterance, target, times) => {
            let mut text = utter(utterance);
            if let Some(epoch) = target.epoch {
                text.push_str(&format!(" through epoch {epoch}"));
            }
            if target.before > 0 {
                text.push_str(&format!(" through {} connection(s) before", target.before));
            }
            if target.falsely {
                text.push_str(", falsely");
            }
            if *times > 1 {
                text.push_str(&format!(", {times} times"));
            }
            text
        }
    }
}

fn answer(call: &On) -> String {
    format!("answers the `{call}` that waits")
}

fn utter(utterance: &Utterance) -> String {
    match utterance {
        Utterance::Dropped(error) => format!("drop: {error}"),
        Utterance::Ready => "ready".into(),
        Utterance::Recheck => "recheck".into(),
        Utterance::Accounts(accounts) => {
            let ids: Vec<&str> = accounts.iter().map(|account| account.id.as_str()).collect();
            format!("accounts [{}]", ids.join(", "))
        }
        Utterance::Network(network) => format!("network {network}"),
        Utterance::Link(link) => format!("link {link:?}"),
        Utterance::Expires(after) => format!("credentials end in {}", short(*after)),
        Utterance::Revoked => "revoke".into(),
        Utterance::Approved => "approve".into(),
        Utterance::UserRejected => "reject".into(),
        Utterance::UserAction(action) => format!("asks for a person at {}", action.url),
        Utterance::Malformed(what, problem) => format!("malformed {what}: {problem}"),
        Utterance::Message(name, _) => format!("message {name}"),
    }
}

fn store(deed: &StoreDeed) -> String {
    match deed {
        StoreDeed::Slow(calls, by) => format!("slow by {} ({calls:?})", short(*by)),
        StoreDeed::Fails(calls, Some(times)) => format!("fails {times} times ({calls:?})"),
        StoreDeed::Fails(calls, None) => format!("fails ({calls:?})"),
        StoreDeed::Hangs(calls) => format!("hangs ({calls:?})"),
        StoreDeed::Works => "works".into(),
        StoreDeed::Corrupt => "cannot be read".into(),
        StoreDeed::Replay => "has its first record put back".into(),
        StoreDeed::LoseKey(true) => "has lost its key".into(),
        StoreDeed::LoseKey(false) => "has found its key".into(),
        StoreDeed::Put { .. } => "is written by another process".into(),
        StoreDeed::Erase => "is erased by another process".into(),
    }
}
