//! What people do at the wallet, and what its gateway side sees.

use secrecy::SecretString;

use super::Control;
use crate::approval::PendingKind;
use crate::error::ControlError;
use crate::gateway::SCOPE;
use crate::journal::Happening;

/// What people do at the gateway side.
impl Control {
    /// Approves one thing that waits, by its number. Returns whether it waited.
    pub fn approve_one(&self, number: u64) -> bool {
        self.acted("approve-one", number);
        self.state.answer_one(number, true)
    }

    /// Rejects one thing that waits, by its number. Returns whether it waited.
    pub fn reject_one(&self, number: u64) -> bool {
        self.acted("reject-one", number);
        self.state.answer_one(number, false)
    }

    /// Approves everything of one kind that waits. Returns how much that was.
    pub fn approve_kind(&self, kind: PendingKind) -> usize {
        self.acted("approve-kind", format_args!("{kind:?}"));
        self.state.answer_kind(kind, true)
    }

    /// Rejects everything of one kind that waits. Returns how much that was.
    pub fn reject_kind(&self, kind: PendingKind) -> usize {
        self.acted("reject-kind", format_args!("{kind:?}"));
        self.state.answer_kind(kind, false)
    }

    /// Logs a user in on the wallet's page: a token, and a session with it. The token is what a
    /// page in a browser would hand to the program.
    ///
    /// # Errors
    ///
    /// [`ControlError`] with what the page would say.
    pub fn log_in(&self, user: &str, network: &str) -> Result<SecretString, ControlError> {
        self.acted("log-in", user);
        let logged_in = self.state.log_in_user(user, network, None);
        let (known, _) = logged_in.map_err(ControlError)?;
        Ok(known.token)
    }

    /// A token of the identity provider for a user, without a session.
    ///
    /// # Errors
    ///
    /// [`ControlError`] if it cannot be signed.
    pub fn issue_token(&self, user: &str) -> Result<SecretString, ControlError> {
        self.acted("issue-token", user);
        let issued = self
            .state
            .change(|inner| inner.issue_token(user, "moorline-cli", SCOPE));
        let failed = || ControlError("the token could not be signed".to_owned());
        issued.map(|(token, _)| token).ok_or_else(failed)
    }

    /// A token that a program could have signed itself, without a session.
    pub fn self_signed_token(&self, user: &str, network: &str) -> SecretString {
        self.acted("self-signed-token", user);
        self.state.lock().self_signed_token(user, network)
    }

    /// Everybody who is logged in logs in once more, from the same origin with another token.
    /// Returns how many that were.
    pub fn log_in_elsewhere(&self) -> usize {
        self.acted("log-in-elsewhere", "");
        self.state.log_in_elsewhere()
    }

    /// Forgets every session, without a word to anybody. Tokens stay good. Returns how many there
    /// were.
    pub fn revoke_sessions(&self) -> usize {
        self.acted("revoke-sessions", "");
        self.state.change(|inner| {
            let open = usize::from(inner.session.take().is_some());
            open + std::mem::take(&mut inner.gateway.sessions).len()
        })
    }

    /// How many users' sessions there are.
    pub fn user_sessions(&self) -> usize {
        self.state.lock().gateway.sessions.len()
    }

    /// The identity provider stops answering (`true`), or answers again.
    pub fn idp_down(&self, down: bool) {
        self.acted("idp-down", down);
        self.state.change(|inner| inner.gateway.idp.down = down);
    }

    /// The identity provider changes its key: tokens signed with the old one are good no more.
    pub fn change_idp_key(&self) {
        self.acted("change-idp-key", "");
        self.state.change(|inner| inner.gateway.idp.change_key());
    }

    /// Refresh tokens are good no more.
    pub fn forget_refresh_tokens(&self) {
        self.acted("forget-refresh-tokens", "");
        self.state
            .change(|inner| inner.gateway.idp.forget_refresh_tokens());
    }
}

/// What the gateway side sees.
impl Control {
    /// What happened at the gateway side, after the happening with this number: 0 for all that is
    /// remembered, at most 16 384.
    pub fn happenings(&self, since: u64) -> Vec<Happening> {
        self.state.lock().journal.since(since)
    }

    /// How many streams are open.
    pub fn streams(&self) -> usize {
        self.state.lock().gateway.streams.len()
    }

    /// Waits until exactly `count` streams are open. Cancel safe.
    pub async fn until_streams(&self, count: usize) {
        self.state
            .until(|inner| inner.gateway.streams.len() == count)
            .await;
    }

    /// How many streams were ever opened.
    pub fn streams_opened(&self) -> u64 {
        self.state.lock().gateway.streams_opened
    }

    /// How many sockets are open, whatever they are used for.
    pub fn sockets(&self) -> usize {
        self.state.lock().lines.len()
    }

    /// Waits until exactly `count` sockets are open. Cancel safe.
    pub async fn until_sockets(&self, count: usize) {
        self.state.until(|inner| inner.lines.len() == count).await;
    }
}
