//! Between NDK's files and the records of a manager: what both sides share.

use std::collections::HashMap;
use std::fmt;
use std::sync::Arc;

use super::error::NdkError;
use super::file::NdkFile;
use super::json::{Members, Raw};
use super::session::NdkSession;
use crate::identity::{Identity, NetworkId};
use crate::manager::key::{SessionKey, own_name};
use crate::manager::own_record::Own;
use crate::manager::read_only;
use crate::store::{Extra, Record, RecordName, Revision, Store, StoreError, Stored};

/// The member of a record that holds what NDK keeps and a record has no place for.
const MEMBER: &str = "ndk";

/// The sessions of a [`SessionManager`](crate::manager::SessionManager)'s store, as NDK knows
/// sessions: to be imported from its files, and exported to them.
///
/// Each account of a file becomes the record of a session. Its signer is the provider's payload,
/// so that a [restore](crate::manager::SessionManager::restore) asks the factory that is
/// [registered](crate::manager::SessionManagerBuilder::provider) for its type, such as
/// `private-key` or `nip46`; an account without a signer becomes a session that only watches.
/// Everything else of the file, unknown members included, is kept beside and written again.
///
/// Signers are kept by stores that encrypt alone; others refuse them.
pub struct NdkSessions<'a> {
    pub(super) store: &'a dyn Store,
    pub(super) namespace: Arc<str>,
    pub(super) network: Option<NetworkId>,
    pub(super) replace: bool,
    kinds: HashMap<Arc<str>, Arc<str>>,
}

impl<'a> NdkSessions<'a> {
    /// The sessions in a store.
    pub fn of(store: &'a dyn Store) -> Self {
        Self {
            store,
            namespace: "moorline".into(),
            network: None,
            replace: false,
            kinds: HashMap::new(),
        }
    }

    /// The [namespace](crate::manager::SessionManagerBuilder::namespace) of their manager. Default
    /// `moorline`.
    #[must_use]
    pub fn namespace(mut self, namespace: impl Into<Arc<str>>) -> Self {
        self.namespace = namespace.into();
        self
    }

    /// The network that the providers of imported sessions name. Default: none.
    #[must_use]
    pub fn network(mut self, network: impl Into<NetworkId>) -> Self {
        self.network = Some(network.into());
        self
    }

    /// How the provider that is built for a type of signer calls its
    /// [kind](crate::Provider::kind). Default: as the type of the signer.
    #[must_use]
    pub fn provider_kind(
        mut self,
        signer_type: impl Into<Arc<str>>,
        kind: impl Into<Arc<str>>,
    ) -> Self {
        self.kinds.insert(signer_type.into(), kind.into());
        self
    }

    /// Whether an import takes the place of what the store has of the same account. Default: no.
    #[must_use]
    pub fn replace(mut self, replace: bool) -> Self {
        self.replace = replace;
        self
    }

    /// By what the manager will tell a session apart.
    pub(super) fn key(&self, session: &NdkSession) -> SessionKey {
        let kind: Arc<str> = match session.signer() {
            None => read_only::KIND.into(),
            Some(signer) => {
                let kind = signer.kind().unwrap_or("ndk-text");
                let other = self.kinds.get(kind).cloned();
                other.unwrap_or_else(|| kind.into())
            }
        };
        SessionKey::new(self.identity(session.pubkey()), kind)
    }

    pub(super) fn identity(&self, pubkey: &str) -> Identity {
        Identity::new(pubkey, self.network.clone())
    }

    /// The manager's own record, and what NDK's files had beside the sessions.
    pub(super) async fn load_own(&self) -> Result<(Own, Frame, Revision), StoreError> {
        let name = own_name(&self.namespace);
        Ok(match self.store.load(&name).await {
            Ok(Stored::Record { record, revision }) => {
                (Own::from_record(&record), Frame::of(&record), revision)
            }
            Ok(stored) => (Own::default(), Frame::default(), stored.revision()),
            Err(StoreError::Unreadable { .. }) => {
                let revision = self.store.set_aside(&name).await?;
                (Own::default(), Frame::default(), revision)
            }
            Err(error) => return Err(error),
        })
    }

    /// What stands under a name; an end is as good as nothing.
    pub(super) async fn load(
        &self,
        name: &RecordName,
    ) -> Result<(Option<Record>, Revision), StoreError> {
        Ok(match self.store.load(name).await? {
            Stored::Record { record, revision } => (Some(record), revision),
            stored => (None, stored.revision()),
        })
    }
}

impl fmt::Debug for NdkSessions<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("NdkSessions")
            .field("namespace", &self.namespace)
            .field("network", &self.network)
            .finish_non_exhaustive()
    }
}

/// What a file has beside its sessions, and their order.
#[derive(Clone, Default)]
pub(super) struct Frame {
    /// A file without sessions; `None` if there never was one.
    pub(super) file: Option<NdkFile>,
    pub(super) order: Vec<String>,
    /// All that the record holds and nobody here knows.
    extra: Option<Arc<Extra>>,
}

impl Frame {
    fn of(record: &Record) -> Self {
        let read = || {
            let raw = Raw::parse(record.extra.as_deref()?.member(MEMBER)?).ok()?;
            let members = Members::read(raw)?;
            let file = NdkFile::from_frame(members.get("file")?.text());
            let order = members.get("order")?.items()?.into_iter();
            Some((file, order.filter_map(Raw::string).collect()))
        };
        let (file, order) = read().unwrap_or_default();
        Self {
            file,
            order,
            extra: record.extra.clone(),
        }
    }

    pub(super) fn attach(&self, record: Record) -> Result<Record, NdkError> {
        let order = serde_json::to_string(&self.order)?;
        let frame = self
            .file
            .as_ref()
            .map_or_else(|| "null".into(), NdkFile::frame);
        let json = format!(r#"{{"file":{frame},"order":{order}}}"#);
        Ok(attach(record, self.extra.as_deref(), &json))
    }
}

fn attach(mut record: Record, before: Option<&Extra>, json: &str) -> Record {
    let extra = before.cloned().unwrap_or_default();
    record.extra = Some(Arc::new(extra.with_member(MEMBER, json)));
    record
}

/// Keeps a session in a record, all but its signer.
pub(super) fn keep_session(record: Record, session: &NdkSession) -> Record {
    let mut json = format!("[{},", session.quoted());
    let instead = [("signerPayload", "null")];
    session.members.write(&mut json, &instead);
    json.push(']');
    attach(record, None, &json)
}

/// The session that was kept in a record, without its signer.
pub(super) fn kept_session(record: &Record) -> Option<NdkSession> {
    let raw = Raw::parse(record.extra.as_deref()?.member(MEMBER)?).ok()?;
    match raw.items()?[..] {
        [pubkey, value] => NdkSession::read(pubkey, value, "").ok(),
        _ => None,
    }
}
