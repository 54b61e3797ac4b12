//! What can happen.

use std::fmt;
use std::sync::Arc;

use moorline::Identity;
use moorline::provider::{ErrorKind, ProviderError};
use moorline_scripted::{Behaviour, On};
use serde_json::json;

use crate::world::{ACCOUNTS, Fault, IDLE, Login, Standing, World, record_of, settle};

#[derive(Clone, Copy, Debug, Eq, PartialEq)]
pub(crate) enum Move {
    /// A login that the wallet answers at once.
    Login(&'static str),
    /// A login whose wallet takes its time.
    Begin(&'static str),
    /// The wallet of the nth login that waits answers.
    Finish(usize),
    /// The future of the nth login that waits is dropped.
    DropLogin(usize),
    Watch(&'static str),
    Switch(&'static str),
    SwitchNone,
    Logout(&'static str),
    /// A logout whose wallet does not answer: with its future dropped, or waiting.
    LogoutSilent(&'static str, bool),
    LogoutActive,
    /// The wallet of one account acts for another one.
    Become(&'static str, &'static str),
    DropLink(&'static str),
    Return(&'static str),
    /// Everybody who has a session at hand, or had one, makes a request.
    Request,
    /// The application ends the session itself, beside the manager.
    Disconnect(&'static str),
    /// Another process ends the stored session.
    EndElsewhere(&'static str),
    Hold,
    Step,
    Release,
    Crash,
    /// A crash, and the store takes its time over what is restored.
    CrashHeld,
    Close,
    /// Long enough for everything idle and every retry.
    Pass,
    Restore,
}

impl fmt::Display for Move {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self:?}")
    }
}

impl Move {
    /// All that can happen now.
    pub(crate) fn all(world: &World) -> Vec<Self> {
        let mut moves = Vec::new();
        let held = world.store.is_held();
        let waiting = world.logins.iter().filter(|it| it.held).count();
        for account in ["a", "b"] {
            moves.push(Self::Login(account));
            if waiting < 2 {
                moves.push(Self::Begin(account));
            }
        }
        moves.extend((0..waiting).flat_map(|nth| [Self::Finish(nth), Self::DropLogin(nth)]));
        moves.push(Self::Watch("c"));
        for account in ACCOUNTS {
            let Some(session) = world.session(account) else {
                continue;
            };
            let others = ACCOUNTS.into_iter().filter(|other| *other != account);
            moves.extend([Self::Switch(account), Self::Logout(account)]);
            if account == "a" {
                moves.push(Self::LogoutSilent(account, true));
                moves.push(Self::LogoutSilent(account, false));
            }
            if !session.is_read_only() && session.snapshot().is_connected() {
                moves.extend(others.map(|other| Self::Become(account, other)));
                moves.push(Self::DropLink(account));
                moves.push(Self::Disconnect(account));
            }
            if !session.is_read_only()
                && matches!(
                    session.snapshot().status,
                    moorline::Status::Reconnecting { .. }
                )
            {
                moves.push(Self::Return(account));
            }
            if account == "a" && (!held || world.restoring.is_some()) {
                moves.push(Self::EndElsewhere(account));
            }
        }
        if world.manager.active().is_ok() {
            moves.extend([Self::LogoutActive, Self::SwitchNone]);
        }
        if !world.handles.is_empty() {
            moves.push(Self::Request);
        }
        moves.extend(match held {
            true => [Self::Step, Self::Release].as_slice(),
            false => &[Self::Hold],
        });
        moves.extend([Self::Crash, Self::Close]);
        if world.setup.idle && !held {
            moves.push(Self::Pass);
        }
        if world.restoring.is_none() {
            moves.push(Self::Restore);
        }
        moves
    }

    pub(crate) async fn play(self, world: &mut World) {
        world.restarted = false;
        match self {
            Self::Login(account) => login(world, account, false),
            Self::Begin(account) => login(world, account, true),
            Self::Finish(nth) => {
                let waiting = world.logins.iter_mut().filter(|it| it.held);
                if let Some(login) = waiting.into_iter().nth(nth) {
                    login.held = false;
                    let control = login.control.take().unwrap();
                    control.behave();
                    control.answer(&On::Probe);
                }
            }
            Self::DropLogin(nth) => {
                let held = |(_, login): &(usize, &Login)| login.held;
                let place = world.logins.iter().enumerate().filter(held).nth(nth);
                if let Some((place, _)) = place {
                    world.logins.remove(place).task.abort();
                }
            }
            Self::Watch(account) => {
                let manager = world.manager.clone();
                let identity = Identity::new(account, Some("canton:scripted".into()));
                let task = tokio::spawn(async move { manager.watch(identity).await });
                world.logins.push(Login {
                    account,
                    held: false,
                    control: None,
                    task,
                });
            }
            Self::Switch(account) => {
                let _absent = world.manager.switch_to(account).is_err();
            }
            Self::SwitchNone => world.manager.switch_to_none(),
            Self::Logout(account) => logout(world, Some(account), true).await,
            Self::LogoutActive => logout(world, None, true).await,
            Self::LogoutSilent(account, wait) => {
                if let Some(wallet) = world.wallet(account) {
                    wallet.control.on(On::Close, Behaviour::silence());
                }
                logout(world, Some(account), wait).await;
            }
            Self::Become(account, other) => {
                if let Some(wallet) = world.wallet(account) {
                    world.wallets.change(&wallet, other);
                    world.stands(account, Standing::Out);
                    let standing = match world.standing[other] {
                        // One that is there and has not learned of its end: either.
                        Standing::Ended | Standing::Unsure => Standing::Unsure,
                        _ => Standing::In,
                    };
                    world.stands(other, standing);
                }
            }
            Self::DropLink(account) => {
                if let Some(wallet) = world.wallet(account) {
                    let error = ProviderError::new(ErrorKind::Unreachable, "cut");
                    wallet.control.go_away(error);
                }
            }
            Self::Return(account) => {
                if let Some(wallet) = world.wallet(account) {
                    wallet.control.come_back();
                }
            }
            Self::Request => {
                for handle in world.handles.clone() {
                    let unbound = world.fault == Some(Fault::Unbound);
                    tokio::spawn(async move {
                        let params = json!({
                            "for": handle.account().as_str(),
                            "watches": handle.is_read_only(),
                        });
                        let _answer = match unbound {
                            true => handle.session().request("sign", params).await,
                            false => handle.request("sign", params).await,
                        };
                    });
                }
            }
            Self::Disconnect(account) => {
                // The session stays with its manager, and does not come back by itself.
                if let Some(session) = world.session(account) {
                    tokio::spawn(async move { session.session().disconnect().await });
                    world.stands(account, Standing::Ended);
                }
            }
            Self::EndElsewhere(account) => {
                world.store.end(&record_of(account));
                // A login that is not written yet may count as the later one.
                let unwritten = world.store.is_held() && world.unwritten.contains(&account);
                let standing = match unwritten {
                    true => Standing::Unsure,
                    false => Standing::Ended,
                };
                world.stands(account, standing);
            }
            Self::Hold => {
                world.store.hold();
                world.unwritten.clear();
            }
            Self::Step => world.store.step(),
            Self::Release => {
                world.store.release();
                settle().await;
                world.unwritten.clear();
            }
            Self::Crash | Self::Close => {
                world.restart(self == Self::Close).await;
                world.restore();
            }
            Self::CrashHeld => {
                world.restart(false).await;
                world.store.hold();
                world.restore();
            }
            Self::Pass => {
                tokio::time::sleep(2 * IDLE).await;
            }
            Self::Restore => world.restore(),
        }
        world.look().await;
        if world.restoring.as_ref().is_some_and(|it| it.is_finished()) {
            world.restoring = None;
        }
        let sessions = world.manager.sessions();
        let new = sessions
            .into_iter()
            .filter(|it| !world.handles.contains(it));
        let new: Vec<_> = new.collect();
        world.handles.extend(new);
    }
}

fn login(world: &mut World, account: &'static str, held: bool) {
    let provider = world.wallets.make(account, held);
    let control = world.wallets.latest();
    let manager = world.manager.clone();
    let task = tokio::spawn(async move { manager.login_dyn(Arc::new(provider), true).await });
    world.logins.push(Login {
        account,
        held,
        control: Some(control),
        task,
    });
}

async fn logout(world: &mut World, account: Option<&'static str>, wait: bool) {
    let manager = world.manager.clone();
    let who = match account {
        Some(account) => account.to_owned(),
        None => match manager.active() {
            Ok(active) => active.account().to_string(),
            Err(_) => return,
        },
    };
    let named = account.is_some();
    let of = who.clone();
    let task = tokio::spawn(async move {
        match named {
            true => manager.logout(of.as_str()).await,
            false => manager.logout_active().await,
        }
    });
    world.stands(&who, Standing::Leaving);
    // It is polled once at least.
    tokio::task::yield_now().await;
    match wait {
        true => world.logouts.push((who, task)),
        false => task.abort(),
    }
}
