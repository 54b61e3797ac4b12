//! One session of an NDK file.

use std::fmt;
use std::sync::Arc;

use super::error::{NdkError, wrong};
use super::json::{Members, Raw, quote};
use super::signer::SignerPayload;
use crate::clock::Timestamp;

/// The members that are known, in NDK's order.
pub(super) const MEMBERS: [&str; 4] = ["pubkey", "signerPayload", "lastActive", "preferences"];

/// Seconds beyond this are milliseconds: some versions wrote those. The year 5138.
const LATEST_SECOND: f64 = 1e11;

/// One account of an NDK file: whom it is for, how it signs, and when it was last used. Members
/// that are not known here are kept as they were written.
#[derive(Clone)]
pub struct NdkSession {
    pubkey: Arc<str>,
    /// As it was written.
    quoted: Box<str>,
    pub(super) members: Members,
}

impl NdkSession {
    /// A session of the account `pubkey` (64 hexadecimal digits) that only watches and was never
    /// active.
    pub fn new(pubkey: impl Into<Arc<str>>) -> Self {
        let pubkey = pubkey.into();
        let quoted: Box<str> = quote(&pubkey).into();
        let mut members = Members::default();
        members.set("pubkey", quoted.clone().into(), &MEMBERS);
        members.set("lastActive", "0".into(), &MEMBERS);
        Self {
            pubkey,
            quoted,
            members,
        }
    }

    /// Reads what stands under a (quoted) account; `place` says where, for errors.
    pub(super) fn read(quoted: Raw<'_>, value: Raw<'_>, place: &str) -> Result<Self, NdkError> {
        let pubkey = quoted.string().filter(|it| !it.is_empty());
        let pubkey = pubkey.ok_or_else(|| wrong(place, "does not begin with an account"))?;
        let members = Members::read(value).ok_or_else(|| wrong(place, "is not an object"))?;
        let session = Self {
            pubkey: pubkey.into(),
            quoted: quoted.text().into(),
            members,
        };
        let of = |member: &str| format!("{place}.{member}");
        if let Some(payload) = session.get("signerPayload")
            && payload.string().is_none()
        {
            return Err(wrong(of("signerPayload"), "is not a text"));
        }
        if let Some(at) = session.get("lastActive")
            && at.number().is_none()
        {
            return Err(wrong(of("lastActive"), "is not a time in seconds"));
        }
        Ok(session)
    }

    /// A member; none where it is `null`, as NDK takes it.
    fn get(&self, name: &str) -> Option<Raw<'_>> {
        self.members.get(name).filter(|raw| !raw.is_null())
    }

    /// Whose session it is.
    pub fn pubkey(&self) -> &str {
        &self.pubkey
    }

    /// The account as it was written.
    pub(super) fn quoted(&self) -> &str {
        &self.quoted
    }

    /// How it signs; `None` if it only watches.
    pub fn signer(&self) -> Option<SignerPayload> {
        let text = self.get("signerPayload")?.string()?;
        (!text.is_empty()).then(|| SignerPayload::from_text(&text))
    }

    /// Sets how it signs.
    #[must_use]
    pub fn with_signer(mut self, signer: Option<&SignerPayload>) -> Self {
        self.set_signer(signer);
        self
    }

    /// Whether anything is different now.
    pub(super) fn set_signer(&mut self, signer: Option<&SignerPayload>) -> bool {
        if self.signer().as_ref() == signer {
            return false;
        }
        match signer {
            Some(signer) => {
                let text = quote(signer.expose_text());
                self.members.set("signerPayload", text, &MEMBERS);
            }
            None => self.members.remove("signerPayload"),
        }
        true
    }

    /// When it was last used, to the second; the epoch if never. `None` if that is not said. Times
    /// that were written in milliseconds are understood.
    pub fn last_active(&self) -> Option<Timestamp> {
        let at = self.get("lastActive")?.number()?;
        let millis = if at > LATEST_SECOND { at } else { at * 1000.0 };
        // Negative ones become 0, and none is out of range.
        Some(Timestamp::from_millis(millis as u64))
    }

    /// Sets when it was last used.
    #[must_use]
    pub fn with_last_active(mut self, at: Timestamp) -> Self {
        self.set_last_active(at);
        self
    }

    /// Whether anything is different now.
    pub(super) fn set_last_active(&mut self, at: Timestamp) -> bool {
        if self.last_active() == Some(at) {
            return false;
        }
        let seconds = (at.as_millis() / 1000).to_string();
        self.members.set("lastActive", seconds, &MEMBERS);
        true
    }

    /// The preferences, as JSON.
    pub fn preferences(&self) -> Option<&str> {
        self.get("preferences").map(Raw::text)
    }

    /// The preference `walletEnabled`.
    pub fn wallet_enabled(&self) -> Option<bool> {
        let preferences = Members::read(self.get("preferences")?)?;
        match preferences.get("walletEnabled")?.text() {
            "true" => Some(true),
            "false" => Some(false),
            _ => None,
        }
    }

    /// Whether it says of itself, or its signer does, that it is somebody else's.
    pub fn is_contradictory(&self) -> bool {
        let own = self.get("pubkey").and_then(Raw::string);
        let signers = self.signer().and_then(|signer| signer.read().ok());
        let signers = signers.as_ref().and_then(|signer| signer.pubkey());
        let differs = |it: &str| it != self.pubkey();
        own.as_deref().is_some_and(differs) || signers.is_some_and(differs)
    }

    pub(super) fn has_unknown(&self) -> bool {
        self.members.has_others(&MEMBERS)
    }
}

impl fmt::Debug for NdkSession {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdkSession")
            .field("pubkey", &self.pubkey)
            .field("signer", &self.signer())
            .field("last_active", &self.last_active())
            .finish_non_exhaustive()
    }
}
