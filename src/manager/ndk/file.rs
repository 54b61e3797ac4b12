//! The file that `@nostr-dev-kit/sessions` keeps, in a browser's local storage too.

use std::fmt;

use secrecy::SecretString;

use super::error::{NdkError, wrong};
use super::json::{Members, Raw, layout, quote};
use super::session::NdkSession;
use crate::clock::Timestamp;

/// The members that are known, in NDK's order.
const MEMBERS: [&str; 4] = ["sessions", "activePubkey", "version", "updatedAt"];

/// What `FileStorage` and `LocalStorage` of `@nostr-dev-kit/sessions` keep: every account of a
/// program, who is active, and when that was written.
///
/// What is read and written again is the same, byte for byte, members that are not known here
/// included. It holds keys in clear: it shows in no `Debug`, and what is written is a secret.
///
/// ```
/// use moorline::manager::ndk::{NdkFile, NdkSession, SignerPayload};
/// use secrecy::ExposeSecret;
///
/// # fn main() -> Result<(), moorline::manager::ndk::NdkError> {
/// let text = r#"{"sessions":[["aa11",{"pubkey":"aa11","lastActive":0}]],"version":1}"#;
/// let mut file = NdkFile::read(text)?;
/// assert_eq!(file.sessions()[0].pubkey(), "aa11");
/// let signer = SignerPayload::from_text(r#"{"type":"nip07","payload":""}"#);
/// file.put(NdkSession::new("bb22").with_signer(Some(&signer)));
/// file.set_active(Some("bb22"));
/// assert!(file.write().expose_secret().contains("nip07"));
/// # Ok(())
/// # }
/// ```
#[derive(Clone)]
pub struct NdkFile {
    /// All but the sessions, which have their place there.
    members: Members,
    sessions: Vec<NdkSession>,
}

impl Default for NdkFile {
    /// A file without sessions.
    fn default() -> Self {
        let mut members = Members::default();
        members.set("sessions", "[]".into(), &MEMBERS);
        members.set("version", "1".into(), &MEMBERS);
        Self {
            members,
            sessions: Vec::new(),
        }
    }
}

impl NdkFile {
    /// A file without sessions.
    pub fn new() -> Self {
        Self::default()
    }

    /// Reads a file. As NDK does, it takes one without sessions or version for an empty or an old
    /// one; what would lose something is refused.
    ///
    /// # Errors
    ///
    /// [`NdkError::NotJson`] and [`NdkError::Member`], which says which member is wrong. A version
    /// other than 1 and an account that is there twice are wrong.
    pub fn read(text: &str) -> Result<Self, NdkError> {
        let raw = Raw::parse(text)?;
        let members = Members::read(raw).ok_or_else(|| wrong("the file", "is not an object"))?;
        Self::of_members(members)
    }

    fn of_members(members: Members) -> Result<Self, NdkError> {
        let get = |name| members.get(name).filter(|raw: &Raw<'_>| !raw.is_null());
        if let Some(version) = get("version")
            && version.number() != Some(1.0)
        {
            let problem = "is not 1: the file was written by another version of NDK";
            return Err(wrong("version", problem));
        }
        if get("activePubkey").is_some_and(|active| active.string().is_none()) {
            return Err(wrong("activePubkey", "is not an account"));
        }
        let pairs = match get("sessions") {
            None => Vec::new(),
            Some(sessions) => {
                let pairs = sessions.items();
                pairs.ok_or_else(|| wrong("sessions", "is not a list"))?
            }
        };
        let mut sessions: Vec<NdkSession> = Vec::with_capacity(pairs.len());
        for (index, pair) in pairs.into_iter().enumerate() {
            let place = format!("sessions[{index}]");
            let items = pair.items().unwrap_or_default();
            let [pubkey, value] = items[..] else {
                return Err(wrong(place, "is not an account and its session"));
            };
            let session = NdkSession::read(pubkey, value, &place)?;
            if sessions.iter().any(|it| it.pubkey() == session.pubkey()) {
                return Err(wrong(place, "is of an account that is there already"));
            }
            sessions.push(session);
        }
        let mut members = members;
        if members.get("sessions").is_some_and(|raw| !raw.is_null()) {
            // They are kept once.
            members.set("sessions", "[]".into(), &MEMBERS);
        }
        Ok(Self { members, sessions })
    }

    /// Writes the file, byte for byte as NDK does: members in their order, two spaces a level, no
    /// line end.
    pub fn write(&self) -> SecretString {
        let mut sessions = String::from("[");
        for (index, session) in self.sessions.iter().enumerate() {
            if index > 0 {
                sessions.push(',');
            }
            sessions.push('[');
            sessions.push_str(session.quoted());
            sessions.push(',');
            session.members.write(&mut sessions, &[]);
            sessions.push(']');
        }
        sessions.push(']');
        let empty = self.sessions.is_empty();
        let instead = (!empty).then_some(("sessions", sessions.as_str()));
        let mut json = String::new();
        self.members.write(&mut json, instead.as_slice());
        let text = layout(&json, 2);
        // What is put together on the way is wiped.
        drop((SecretString::from(sessions), SecretString::from(json)));
        text.into()
    }

    /// The sessions, in order.
    pub fn sessions(&self) -> &[NdkSession] {
        &self.sessions
    }

    /// The session of an account.
    pub fn session(&self, pubkey: &str) -> Option<&NdkSession> {
        self.sessions.iter().find(|it| it.pubkey() == pubkey)
    }

    /// Puts a session in the place of that of the same account, or at the end.
    pub fn put(&mut self, session: NdkSession) {
        if self.members.get("sessions").is_none_or(Raw::is_null) {
            self.members.set("sessions", "[]".into(), &MEMBERS);
        }
        let mut there = self.sessions.iter_mut();
        match there.find(|it| it.pubkey() == session.pubkey()) {
            Some(there) => *there = session,
            None => self.sessions.push(session),
        }
    }

    /// Takes out the session of an account.
    pub fn remove(&mut self, pubkey: &str) -> Option<NdkSession> {
        let place = self.sessions.iter().position(|it| it.pubkey() == pubkey)?;
        Some(self.sessions.remove(place))
    }

    /// Whom the file says is active. There may be no session of that account.
    pub fn active(&self) -> Option<String> {
        let active = self.members.get("activePubkey")?.string()?;
        (!active.is_empty()).then_some(active)
    }

    /// Sets who is active.
    pub fn set_active(&mut self, pubkey: Option<&str>) {
        if self.active().as_deref() == pubkey {
            return;
        }
        match pubkey {
            Some(pubkey) => self.members.set("activePubkey", quote(pubkey), &MEMBERS),
            None => self.members.remove("activePubkey"),
        }
    }

    /// When it was written; `None` if that is not said.
    pub fn updated_at(&self) -> Option<Timestamp> {
        let at = self.members.get("updatedAt")?.number()?;
        Some(Timestamp::from_millis(at as u64))
    }

    /// Sets when it was written.
    pub fn set_updated_at(&mut self, at: Timestamp) {
        let at = at.as_millis().to_string();
        self.members.set("updatedAt", at, &MEMBERS);
    }

    /// All but the sessions, as JSON: to be kept elsewhere.
    pub(super) fn frame(&self) -> String {
        let mut json = String::new();
        self.members.write(&mut json, &[]);
        json
    }

    /// A file without sessions and with all else that [`frame`](Self::frame) gave.
    pub(super) fn from_frame(frame: &str) -> Option<Self> {
        let members = Members::read(Raw::parse(frame).ok()?)?;
        Self::of_members(members).ok()
    }

    pub(super) fn has_unknown(&self) -> bool {
        self.members.has_others(&MEMBERS)
    }
}

impl fmt::Debug for NdkFile {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdkFile")
            .field("sessions", &self.sessions)
            .field("active", &self.active())
            .field("updated_at", &self.updated_at())
            .finish_non_exhaustive()
    }
}
