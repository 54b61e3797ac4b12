//! Logins: who has one, for which network, and how they end.

use std::collections::HashSet;

use jsonrpsee::types::ErrorObjectOwned;
use secrecy::{ExposeSecret, SecretString};
use serde_json::{Value, json};

use super::clients::fingerprint;
use super::{Frame, Known, Listener, Owner};
use crate::config::Network;
use crate::error::{invalid_params, plain};
use crate::state::{DevWalletState, Inner};

/// What a login is for, if nobody says.
pub(crate) const SCOPE: &str = "openid daml_ledger_api offline_access";

/// A user's session with one program.
#[derive(Clone, Debug)]
pub(crate) struct GatewaySession {
    pub(crate) id: String,
    pub(crate) user: String,
    pub(crate) token: SecretString,
    pub(crate) network: String,
    pub(crate) origin: Option<String>,
    /// Opened by an API key: nobody approves its transactions.
    pub(crate) api_key: bool,
}

impl GatewaySession {
    pub(crate) fn owner(&self) -> Owner {
        Owner::User {
            user: self.user.clone(),
            session: self.id.clone(),
        }
    }
}

/// Somebody logs in.
#[derive(Clone, Debug)]
pub(crate) struct Login {
    pub(crate) known: Known,
    pub(crate) network: String,
    pub(crate) origin: Option<String>,
}

impl DevWalletState {
    /// Opens a session, in place of the one it replaces, and says so.
    pub(crate) fn log_in(&self, login: Login) -> Result<GatewaySession, ErrorObjectOwned> {
        let opened = self.change(|inner| inner.open_session(login));
        let (session, result) = opened?;
        result?;
        self.announce_login(&session);
        Ok(session)
    }

    /// `statusChanged` and `connected`, to whom a login concerns.
    fn announce_login(&self, session: &GatewaySession) {
        let (status, owner) = {
            let inner = self.lock();
            let mut status = inner.session_status(session, false);
            if inner.dialect().connected_means_ledger {
                status["connection"]["isConnected"] = json!(inner.network_up);
            }
            if inner.dialect().version_todo
                && let Some(provider) = status["provider"].as_object_mut()
            {
                provider.remove("url");
            }
            (status, session.owner())
        };
        self.emit(&owner, "statusChanged", status.clone());
        self.emit(&owner, "connected", status);
    }

    /// The program ends its session. Returns whether there was one.
    pub(crate) fn disconnect_user(&self, known: &Known) -> bool {
        let dialect = self.lock().dialect();
        let ended = self.change(|inner| inner.take_sessions(known));
        if !dialect.token_outlives_disconnect {
            let token = fingerprint(known.token.expose_secret());
            self.change(|inner| inner.gateway.dead_tokens.insert(token));
        }
        if ended.is_empty() && !dialect.disconnect_always_announced {
            return false;
        }
        let owner = ended.first().map_or_else(
            || Owner::User {
                user: known.user.clone(),
                session: String::new(),
            },
            GatewaySession::owner,
        );
        let status = self.lock().ended_status("disconnect", "disconnect", false);
        self.emit(&owner, "statusChanged", status);
        if !dialect.streams_outlive_disconnect {
            self.end_streams(&ended);
        }
        !ended.is_empty()
    }

    /// The wallet ends a user's session (the one this token has, or all of the user's).
    pub(crate) fn log_out(&self, known: &Known) -> bool {
        let ended = self.change(|inner| inner.take_sessions(known));
        self.logged_out(&ended);
        !ended.is_empty()
    }

    /// The wallet ends every session. Returns how many there were.
    pub(crate) fn log_everybody_out(&self) -> usize {
        let ended = self.change(|inner| std::mem::take(&mut inner.gateway.sessions));
        self.logged_out(&ended);
        ended.len()
    }

    fn logged_out(&self, ended: &[GatewaySession]) {
        let (status, dialect) = {
            let inner = self.lock();
            let status = inner.ended_status("disconnect", "removed session", true);
            (status, inner.dialect())
        };
        for session in ended {
            self.emit(&session.owner(), "statusChanged", status.clone());
        }
        if !dialect.streams_outlive_logout {
            self.end_streams(ended);
        }
    }

    /// Ends the streams of sessions that have ended, after what was sent to them.
    fn end_streams(&self, ended: &[GatewaySession]) {
        let mut inner = self.lock();
        for stream in inner.gateway.streams.values_mut() {
            let ends = |session: &GatewaySession| stream.listener.is_of(&session.id);
            if ended.iter().any(ends) {
                stream.send(Frame::End);
            }
        }
    }
}

impl DevWalletState {
    /// Tells every session its accounts.
    pub(crate) fn tell_sessions_of_accounts(&self) {
        let told = {
            let inner = self.lock();
            let mut users = HashSet::new();
            let sessions = inner.gateway.sessions.iter();
            sessions
                // The accounts are the user's: one event reaches all streams of theirs.
                .filter(|session| users.insert(session.user.clone()))
                .map(|session| (session.owner(), inner.session_accounts(session)))
                .collect::<Vec<_>>()
        };
        for (owner, accounts) in told {
            self.emit(&owner, "accountsChanged", accounts);
        }
    }

    /// Tells every session its status.
    pub(crate) fn tell_sessions_of_status(&self) {
        let told = {
            let inner = self.lock();
            let sessions = inner.gateway.sessions.iter();
            sessions
                .map(|session| (session.owner(), inner.session_status(session, false)))
                .collect::<Vec<_>>()
        };
        for (owner, status) in told {
            self.emit(&owner, "statusChanged", status);
        }
    }

    /// Everybody who is logged in logs in once more, somewhere else. Returns how many that were.
    pub(crate) fn log_in_elsewhere(&self) -> usize {
        let sessions = self.lock().gateway.sessions.clone();
        let mut logged_in = 0;
        for session in sessions {
            let token = self.change(|inner| inner.issue_token(&session.user, "elsewhere", SCOPE));
            let Some((token, _)) = token else { continue };
            let login = Login {
                known: Known {
                    user: session.user,
                    token,
                    stale: false,
                    api_key: false,
                },
                network: session.network,
                origin: session.origin,
            };
            logged_in += usize::from(self.log_in(login).is_ok());
        }
        logged_in
    }
}

impl Inner {
    /// Every token that is about has expired.
    pub(crate) fn expire_tokens(&mut self) {
        self.gateway.idp.expire_all();
        for session in &self.gateway.sessions {
            let token = fingerprint(session.token.expose_secret());
            self.gateway.dead_tokens.insert(token);
        }
        if !self.dialect().streams_outlive_token {
            for stream in self.gateway.streams.values_mut() {
                if matches!(&stream.listener, Listener::User { known, .. } if !known.api_key) {
                    stream.send(Frame::End);
                }
            }
        }
    }

    /// Everything moves to another network.
    pub(crate) fn move_to(&mut self, network: &str) {
        self.network = network.to_owned();
        let networks = &mut self.gateway.networks;
        if !networks.iter().any(|it| it.id == network) {
            networks.push(Network::new(network, "idp-oauth"));
        }
        for session in &mut self.gateway.sessions {
            session.network = network.to_owned();
        }
    }

    /// Opens a session. The inner result is what the login answers: a gateway may open one and
    /// fail nevertheless.
    #[allow(clippy::type_complexity)]
    fn open_session(
        &mut self,
        login: Login,
    ) -> Result<(GatewaySession, Result<(), ErrorObjectOwned>), ErrorObjectOwned> {
        let dialect = self.dialect();
        let failed = || plain(-32603, "Failed to add session");
        if dialect.login_needs_origin && login.origin.is_none() {
            return Err(failed());
        }
        let known_network = self
            .gateway
            .networks
            .iter()
            .any(|it| it.id == login.network);
        let first = !self.gateway.known_to_ledger.contains(&login.known.user);
        let unreachable = !self.network_up && first && dialect.login_fails_without_ledger;
        let problem = if !known_network {
            Some(if dialect.unchecked_params {
                failed()
            } else {
                invalid_params(format!("there is no network `{}`", login.network))
            })
        } else {
            unreachable.then(failed)
        };
        if let Some(problem) = &problem
            && !dialect.failed_login_leaves_session
        {
            return Err(problem.clone());
        }
        if problem.is_none() && self.network_up {
            self.gateway
                .known_to_ledger
                .insert(login.known.user.clone());
        }
        let session = GatewaySession {
            id: crate::random::uuid(),
            user: login.known.user,
            token: login.known.token,
            network: login.network,
            origin: login.origin,
            api_key: login.known.api_key,
        };
        let wide = dialect.user_wide_sessions;
        self.gateway.sessions.retain(|other| {
            let same_program = other.origin == session.origin && session.origin.is_some();
            let same_token = other.token.expose_secret() == session.token.expose_secret();
            other.user != session.user || !(wide || same_program || same_token)
        });
        self.gateway.sessions.push(session.clone());
        Ok((session, problem.map_or(Ok(()), Err)))
    }

    /// Takes the sessions that end when this token's does.
    fn take_sessions(&mut self, known: &Known) -> Vec<GatewaySession> {
        let wide = self.dialect().user_wide_sessions;
        let token = known.token.expose_secret();
        let ends = |session: &GatewaySession| {
            session.user == known.user && (wide || session.token.expose_secret() == token)
        };
        let sessions = std::mem::take(&mut self.gateway.sessions);
        let (ended, rest) = sessions.into_iter().partition(ends);
        self.gateway.sessions = rest;
        ended
    }

    /// The session of whoever shows an API key: opened by the first request.
    pub(crate) fn ensure_api_session(&mut self, known: &Known) {
        if known.api_key && self.session_of(known).is_none() {
            let network = self.gateway.networks.first().map(|it| it.id.clone());
            self.gateway.sessions.push(GatewaySession {
                id: crate::random::uuid(),
                user: known.user.clone(),
                token: known.token.clone(),
                network: network.unwrap_or_default(),
                origin: None,
                api_key: true,
            });
        }
    }

    /// A session as the user API writes it.
    pub(crate) fn session_json(&self, session: &GatewaySession) -> Value {
        let network = self
            .gateway
            .networks
            .iter()
            .find(|it| it.id == session.network);
        let idp = network.map_or("idp-oauth", |it| it.idp.as_str());
        json!({
            "id": session.id,
            "accessToken": session.token.expose_secret(),
            "network": network.map(|it| self.network_details(it)),
            "idp": self.idp_json(idp),
            "status": if self.network_up { "connected" } else { "disconnected" },
            "reason": if self.network_up { "OK" } else { "Ledger unreachable: fetch failed" },
            "rights": [],
        })
    }
}
