//! What NDK Mobile keeps in the secure store of a device.

use std::fmt;

use secrecy::{ExposeSecret, SecretString};

use super::error::{NdkError, wrong};
use super::file::NdkFile;
use super::json::{Members, Raw, layout, quote};
use super::session::{MEMBERS, NdkSession};

/// The two entries that NDK Mobile keeps in the secure store of a device: no times, no preferences.
#[derive(Clone)]
pub struct SecureStoreItems {
    /// What stands under [`SAVED_SESSIONS`](Self::SAVED_SESSIONS). It holds keys in clear. A
    /// secure store may refuse values over 2048 bytes: some ten accounts.
    pub saved_sessions: SecretString,
    /// What stands under [`ACTIVE_PUBKEY`](Self::ACTIVE_PUBKEY), if anything: an account as it is.
    pub active_pubkey: Option<String>,
}

impl SecureStoreItems {
    /// The key of the sessions.
    pub const SAVED_SESSIONS: &str = "ndk-saved-sessions";
    /// The key of the active account.
    pub const ACTIVE_PUBKEY: &str = "ndk-active-pubkey";
}

impl fmt::Debug for SecureStoreItems {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SecureStoreItems")
            .field("active_pubkey", &self.active_pubkey)
            .finish_non_exhaustive()
    }
}

impl NdkFile {
    /// Reads what NDK Mobile keeps. Nobody was ever active there, as far as it says.
    ///
    /// # Errors
    ///
    /// As for [`read`](Self::read).
    pub fn from_secure_store(items: &SecureStoreItems) -> Result<Self, NdkError> {
        let raw = Raw::parse(items.saved_sessions.expose_secret())?;
        let list = raw
            .items()
            .ok_or_else(|| wrong(SecureStoreItems::SAVED_SESSIONS, "is not a list"))?;
        let mut file = Self::new();
        for (index, value) in list.into_iter().enumerate() {
            let place = format!("{}[{index}]", SecureStoreItems::SAVED_SESSIONS);
            let pubkey = Members::read(value);
            let pubkey = pubkey.as_ref().and_then(|members| members.get("pubkey"));
            let pubkey = pubkey.ok_or_else(|| wrong(&*place, "does not say whose it is"))?;
            let mut session = NdkSession::read(pubkey, value, &place)?;
            if file.session(session.pubkey()).is_some() {
                return Err(wrong(place, "is of an account that is there already"));
            }
            if session.last_active().is_none() {
                session.members.set("lastActive", "0".into(), &MEMBERS);
            }
            file.put(session);
        }
        file.set_active(items.active_pubkey.as_deref());
        Ok(file)
    }

    /// Writes what NDK Mobile keeps, byte for byte as it does. It has no room for when sessions
    /// were used, nor for preferences.
    pub fn to_secure_store(&self) -> SecureStoreItems {
        let mut list = String::from("[");
        for (index, session) in self.sessions().iter().enumerate() {
            if index > 0 {
                list.push(',');
            }
            let mut members = session.members.clone();
            members.remove("lastActive");
            members.remove("preferences");
            if members.get("pubkey").is_none() {
                members.set("pubkey", quote(session.pubkey()), &MEMBERS);
            }
            members.write(&mut list, &[]);
        }
        list.push(']');
        let saved_sessions = layout(&list, 0).into();
        drop(SecretString::from(list));
        SecureStoreItems {
            saved_sessions,
            active_pubkey: self.active(),
        }
    }
}
