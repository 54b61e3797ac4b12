//! What the wallet does, carried out.

use std::sync::Arc;

use moorline::provider::{ErrorKind, ProviderEvent};
use moorline::{Epoch, ProviderError, Timestamp};
use moorline_scripted::Control;

use super::command::{WalletCommand, WalletControl, command_for};
use super::world::{Side, World};
use crate::model::{Target, Utterance, WalletDeed};

impl World<'_> {
    pub(super) async fn wallet(&mut self, deed: &WalletDeed) -> Result<(), String> {
        if let Some(second) = &self.second {
            second.wallet(deed);
        }
        match &self.side {
            Side::Scripted(_, control) => {
                let control = control.clone();
                self.scripted_wallet(deed, &control).await
            }
            Side::Live(live) => {
                let live = live.control.clone();
                self.live_wallet(deed, live).await
            }
        }
    }

    async fn live_wallet(
        &self,
        deed: &WalletDeed,
        live: Option<Arc<dyn WalletControl>>,
    ) -> Result<(), String> {
        let front = self.control().cloned();
        match (deed, front) {
            (WalletDeed::Script(call, script), Some(front)) => {
                front.on(call.clone(), script.clone());
                return Ok(());
            }
            (WalletDeed::Answer(call, behaviour), Some(front)) => {
                return match front.answer_with(call, behaviour.clone()) {
                    true => Ok(()),
                    false => Err(format!("no `{call}` waits for the wallet's answer")),
                };
            }
            (WalletDeed::Behave, Some(front)) => front.behave(),
            _ => {}
        }
        let live = live.ok_or("nobody controls this wallet")?;
        if let Some((command, times)) = command_for(deed, self.now())? {
            let cuts = matches!(command, WalletCommand::Cut | WalletCommand::GoAway);
            for _ in 0..times {
                live.carry_out(command.clone()).await?;
                if times > 1 {
                    self.pace.settle().await;
                }
            }
            if cuts && !live.lag().is_zero() {
                self.pace.settle().await;
                self.pace.advance(live.lag()).await;
            }
        }
        Ok(())
    }

    async fn scripted_wallet(&self, deed: &WalletDeed, control: &Control) -> Result<(), String> {
        let now = self.now();
        match deed {
            WalletDeed::Script(call, script) => control.on(call.clone(), script.clone()),
            WalletDeed::Behave => control.behave(),
            WalletDeed::Answer(call, behaviour) => {
                if !control.answer_with(call, behaviour.clone()) {
                    return Err(format!("no `{call}` waits for the wallet's answer"));
                }
            }
            WalletDeed::FailPending => {
                control.fail_pending("scripted: the link broke");
            }
            WalletDeed::Away(error) => {
                control.go_away(error.clone());
            }
            WalletDeed::SetAway(error) => control.set_away(Some(error.clone())),
            WalletDeed::Back => {
                control.come_back();
            }
            WalletDeed::SetBack => control.set_away(None),
            WalletDeed::Set(utterance) => set(utterance, control, now),
            WalletDeed::Say(utterance, target, times) => {
                if !target.falsely {
                    set(utterance, control, now);
                }
                for _ in 0..*times {
                    say(utterance, *target, control, now)?;
                    if *times > 1 {
                        // A storm, not a burst: readers that keep up do keep up.
                        self.pace.settle().await;
                    }
                }
            }
        }
        self.pace.settle().await;
        Ok(())
    }
}

/// Changes the wallet as what it is about to say.
fn set(utterance: &Utterance, control: &Control, now: Timestamp) {
    match utterance {
        Utterance::Accounts(accounts) => control.set_accounts(accounts.clone()),
        Utterance::Network(network) => control.set_network(Some(network.clone())),
        Utterance::Link(link) => control.set_link(*link),
        Utterance::Expires(after) => control.set_expiry(Some(now.saturating_add(*after))),
        Utterance::Revoked => control.set_revoked(true),
        Utterance::Approved => control.set_awaiting_user(false),
        Utterance::UserAction(_) => control.set_awaiting_user(true),
        Utterance::Dropped(_)
        | Utterance::Ready
        | Utterance::Recheck
        | Utterance::UserRejected
        | Utterance::Malformed(..)
        | Utterance::Message(..) => {}
    }
}

fn say(
    utterance: &Utterance,
    target: Target,
    control: &Control,
    now: Timestamp,
) -> Result<(), String> {
    let event = match utterance.clone() {
        Utterance::Dropped(error) => ProviderEvent::Dropped(error),
        Utterance::Ready | Utterance::Approved => ProviderEvent::Ready,
        Utterance::Recheck => ProviderEvent::Recheck,
        Utterance::Accounts(accounts) => ProviderEvent::Accounts(accounts),
        Utterance::Network(network) => ProviderEvent::Network(network),
        Utterance::Link(link) => ProviderEvent::Link(link),
        Utterance::Expires(after) => ProviderEvent::Expires(now.saturating_add(after)),
        Utterance::Revoked => ProviderEvent::Dropped(
            ProviderError::new(ErrorKind::SessionGone, "scripted: revoked").answered(),
        ),
        Utterance::UserRejected => {
            let error = ProviderError::from_code(4001, "scripted: the person said no");
            ProviderEvent::UserRejected(error)
        }
        Utterance::UserAction(action) => ProviderEvent::UserActionRequired(action),
        Utterance::Malformed(what, problem) => ProviderEvent::Malformed {
            what: what.into(),
            problem: problem.into(),
        },
        Utterance::Message(name, payload) => {
            ProviderEvent::Message(moorline::provider::Message::new(name, payload))
        }
    };
    let epochs = control.epochs();
    let epoch = match target.epoch {
        Some(number) => Some(Epoch::new(number)),
        None => epochs
            .len()
            .checked_sub(target.before + 1)
            .map(|i| epochs[i]),
    };
    let Some(epoch) = epoch.filter(|epoch| epochs.contains(epoch)) else {
        return Err(format!(
            "there is no such connection to speak through; the wallet has seen the epochs {:?}",
            epochs
                .iter()
                .map(|epoch| epoch.number())
                .collect::<Vec<_>>()
        ));
    };
    control.push_to(epoch, event);
    Ok(())
}
