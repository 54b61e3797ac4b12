//! From a store to NDK's files.

use std::sync::Arc;

use super::error::NdkError;
use super::file::NdkFile;
use super::session::NdkSession;
use super::signer::SignerPayload;
use super::transfer::{NdkSessions, kept_session};
use crate::clock::Timestamp;
use crate::manager::key::session_prefix;
use crate::manager::read_only;
use crate::manager::restore::read_last_use;
use crate::store::{Intent, Record, RecordName, StoreError};

/// Why a session is not in an exported file.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub enum LeftOut {
    /// Its account is not one of Nostr: 64 hexadecimal digits.
    OtherAccount,
    /// Another session of the same account is in the file, which has room for one.
    SameAccount,
    /// The store holds no signer of it, and it does not only watch.
    NoSigner,
    /// What is stored cannot be read. It was left as it is.
    Unreadable {
        /// Why.
        reason: Arc<str>,
    },
}

/// What an export made.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct NdkExported {
    /// The file. It holds keys in clear.
    pub file: NdkFile,
    /// The sessions that are not in it, by their records, and why.
    pub left_out: Vec<(RecordName, LeftOut)>,
}

/// A session on its way out.
struct Outgoing {
    name: RecordName,
    session: NdkSession,
    used: Option<Timestamp>,
    since: Timestamp,
    changed: bool,
}

impl Outgoing {
    /// Of two of one account: the one that signs, then the one that was used later.
    fn rank(&self) -> (bool, Option<Timestamp>) {
        (self.session.signer().is_some(), self.used)
    }
}

impl NdkSessions<'_> {
    /// A file of all stored sessions that NDK has room for: those that were imported in their
    /// order and with all that NDK had written, then others by when they began.
    ///
    /// When it was written is `now`; that of the imported file stays where the same accounts have
    /// the same times and the same one is active.
    ///
    /// # Errors
    ///
    /// [`NdkError::Store`] if the store cannot be asked.
    pub async fn export(&self, now: Timestamp) -> Result<NdkExported, NdkError> {
        let (own, frame, _) = self.load_own().await?;
        let prefix = session_prefix(&self.namespace);
        let mut left_out = Vec::new();
        let mut outgoing: Vec<Outgoing> = Vec::new();
        for name in self.store.list().await? {
            if !name.as_str().starts_with(&prefix) {
                continue;
            }
            let record = match self.load(&name).await {
                Ok((Some(record), _)) if record.intent == Intent::Connected => record,
                Ok(_) => continue,
                Err(StoreError::Unreadable { reason, .. }) => {
                    left_out.push((name, LeftOut::Unreadable { reason }));
                    continue;
                }
                Err(error) => return Err(error.into()),
            };
            let used = Some(read_last_use(&record, own.listed.get(&name).copied()));
            match outgoing_of(&name, &record, used) {
                Ok(one) => outgoing.push(one),
                Err(reason) => left_out.push((name, reason)),
            }
        }
        let place = |it: &Outgoing| frame.order.iter().position(|p| p == it.session.pubkey());
        outgoing.sort_by_cached_key(|it| {
            let place = place(it).unwrap_or(usize::MAX);
            (place, it.since, std::cmp::Reverse(it.rank()))
        });

        let known = frame.file.is_some();
        let mut file = frame.file.clone().unwrap_or_default();
        let was_active = file.active();
        let mut changed = false;
        for one in &outgoing {
            let pubkey = one.session.pubkey();
            let better = outgoing
                .iter()
                .find(|it| it.session.pubkey() == pubkey && it.rank() > one.rank());
            if better.is_some() || file.session(pubkey).is_some() {
                left_out.push((one.name.clone(), LeftOut::SameAccount));
                continue;
            }
            changed |= one.changed;
            file.put(one.session.clone());
        }
        let same_accounts = file
            .sessions()
            .iter()
            .map(NdkSession::pubkey)
            .eq(frame.order.iter().map(String::as_str));
        let active = own.active.as_ref();
        let active = outgoing.iter().find(|it| Some(&it.name) == active);
        let active = active.map(|it| it.session.pubkey().to_owned());
        // One that never was there is passed over, as NDK does.
        let dangles = |it: &String| !frame.order.contains(it) && file.session(it).is_none();
        if active.is_some() || !was_active.as_ref().is_some_and(dangles) {
            changed |= active != was_active;
            file.set_active(active.as_deref());
        }
        if !known || changed || !same_accounts || file.updated_at().is_none() {
            file.set_updated_at(now);
        }
        Ok(NdkExported { file, left_out })
    }
}

fn outgoing_of(
    name: &RecordName,
    record: &Record,
    used: Option<Timestamp>,
) -> Result<Outgoing, LeftOut> {
    let identity = record.identity().ok_or(LeftOut::OtherAccount)?;
    let account = identity.account.as_str();
    let kept = kept_session(record).filter(|kept| kept.pubkey() == account);
    let is_new = kept.is_none();
    let mut session = match kept {
        Some(kept) => kept,
        None if is_nostr(account) => NdkSession::new(account),
        None => return Err(LeftOut::OtherAccount),
    };
    let payload = record.provider_payload.as_ref();
    let signer = payload.map(SignerPayload::from_provider_payload);
    if signer.is_none() && &*record.provider != read_only::KIND {
        return Err(LeftOut::NoSigner);
    }
    session.set_signer(signer.as_ref());
    let never = session.last_active().is_none() && used == Some(Timestamp::EPOCH);
    let moved = match used {
        Some(used) if !never => session.set_last_active(used),
        _ => false,
    };
    Ok(Outgoing {
        name: name.clone(),
        session,
        used,
        since: record.connected_at,
        changed: is_new || moved,
    })
}

fn is_nostr(account: &str) -> bool {
    account.len() == 64
        && account
            .bytes()
            .all(|it| matches!(it, b'0'..=b'9' | b'a'..=b'f'))
}
