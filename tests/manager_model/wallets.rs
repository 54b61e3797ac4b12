//! Wallets that outlive managers: a provider that is built again speaks to the same one.

use std::sync::{Arc, Mutex};

use moorline::Account;
use moorline::manager::ManagedSession;
use moorline::provider::{ErrorKind, ProviderError, ProviderPayload};
use moorline_scripted::{Behaviour, Control, On, ScriptedProvider, ScriptedWallet, What};
use serde_json::{Value, json};

/// One wallet, as one provider sees it.
#[derive(Clone)]
pub(crate) struct Wallet {
    /// Which wallet: those of rebuilt providers have the same number.
    pub(crate) number: usize,
    pub(crate) control: Control,
    /// Whom it acts for now.
    pub(crate) account: String,
    /// How many of its calls were looked at.
    pub(crate) seen: usize,
}

#[derive(Clone, Default)]
pub(crate) struct Wallets(Arc<Mutex<Vec<Wallet>>>);

impl Wallets {
    /// A wallet for a login. Where it is `held`, it does not say whom it acts for yet.
    pub(crate) fn make(&self, account: &str, held: bool) -> ScriptedProvider {
        let mut all = self.0.lock().unwrap();
        let number = all.len();
        Self::add(&mut all, number, account, held)
    }

    fn add(all: &mut Vec<Wallet>, number: usize, account: &str, held: bool) -> ScriptedProvider {
        let payload = ProviderPayload::new("numbered", &json!({ "number": number })).unwrap();
        let (provider, control) = ScriptedWallet::new()
            .account_list(accounts(account, number))
            .payload(payload)
            .build();
        if held {
            control.on(On::Probe, Behaviour::silence());
        }
        all.push(Wallet {
            number,
            control,
            account: account.into(),
            seen: 0,
        });
        provider
    }

    /// Builds a provider again. It finds the wallet as it is by now.
    pub(crate) fn rebuild(
        &self,
        payload: Option<&ProviderPayload>,
    ) -> Result<ScriptedProvider, ProviderError> {
        let malformed = || ProviderError::new(ErrorKind::Malformed, "no number");
        let payload: Value = payload
            .and_then(|it| it.read().ok())
            .ok_or_else(malformed)?;
        let number = payload["number"].as_u64().ok_or_else(malformed)? as usize;
        let mut all = self.0.lock().unwrap();
        let latest = all.iter().rev().find(|it| it.number == number);
        let account = latest.ok_or_else(malformed)?.account.clone();
        Ok(Self::add(&mut all, number, &account, false))
    }

    /// The wallet behind a session: its accounts say which.
    pub(crate) fn of(&self, session: &ManagedSession) -> Option<Wallet> {
        let snapshot = session.snapshot();
        let number: usize = snapshot.primary()?.label.as_deref()?.parse().ok()?;
        let all = self.0.lock().unwrap();
        let here = |it: &&Wallet| it.number == number;
        all.iter().rev().find(here).cloned()
    }

    /// The wallet that was made last.
    pub(crate) fn latest(&self) -> Control {
        self.0.lock().unwrap().last().unwrap().control.clone()
    }

    pub(crate) fn change(&self, of: &Wallet, to: &str) {
        for wallet in self.0.lock().unwrap().iter_mut() {
            if wallet.number == of.number {
                wallet.account = to.into();
            }
        }
        of.control.change_accounts(accounts(to, of.number));
    }

    /// How many calls to the `from`th provider and later ones wait for an answer.
    pub(crate) fn pending(&self, from: usize) -> usize {
        let all = self.0.lock().unwrap();
        all[from..].iter().map(|it| it.control.pending()).sum()
    }

    /// How many providers there have been.
    pub(crate) fn made(&self) -> usize {
        self.0.lock().unwrap().len()
    }

    /// Accounts whose wallets were spoken to from the `from`th provider on.
    pub(crate) fn opened_since(&self, from: usize) -> Vec<String> {
        let all = self.0.lock().unwrap();
        let opened = all[from..]
            .iter()
            .filter(|it| it.control.count(&On::Open) > 0);
        opened.map(|it| it.account.clone()).collect()
    }

    /// Requests that arrived since this was asked last: whom they were meant for, whom they were
    /// said to be for, and whom the wallet acts for.
    pub(crate) fn arrived(&self) -> Vec<(String, String, String)> {
        let mut arrived = Vec::new();
        for wallet in self.0.lock().unwrap().iter_mut() {
            let calls = wallet.control.calls();
            for call in &calls[wallet.seen..] {
                if let What::Request {
                    params, identity, ..
                } = &call.what
                {
                    let meant = params["for"].as_str().unwrap_or("?").to_owned();
                    let said = identity.account.to_string();
                    arrived.push((meant, said, wallet.account.clone()));
                }
            }
            wallet.seen = calls.len();
        }
        arrived
    }
}

fn accounts(account: &str, number: usize) -> Vec<Account> {
    vec![Account::primary(account).with_label(number.to_string())]
}
