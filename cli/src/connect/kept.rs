//! Sessions that survive the program.

use moorline::Session;
use moorline::session::RestoreOutcome;
use moorline::store::{FileStore, RecordName, backend::Backend};

use crate::args::ConnectArgs;
use crate::failure::Failure;
use crate::output::{Actor, Output};
use crate::stores::{self, StoreArgs};

/// Where a session is kept, and under which name.
pub(super) struct Kept {
    pub(super) store: FileStore,
    pub(super) name: RecordName,
    output: Output,
}

impl Kept {
    /// Opens the store, if the session is to be kept, and says where the keys are.
    pub(super) fn open(args: &ConnectArgs, output: Output) -> Result<Option<Self>, Failure> {
        let Some(folder) = &args.keep.store else {
            return Ok(None);
        };
        let store = stores::open(&StoreArgs {
            store: folder.clone(),
            keys: args.keep.keys.clone(),
        })?;
        let name = args.keep.name.as_ref().unwrap_or(&args.url);
        output.say(&format!(
            "kept as `{name}` in {}, sealed; keys in {}",
            store.backend().describe(),
            store.key_source()
        ));
        Ok(Some(Self {
            store,
            name: name.as_str().into(),
            output,
        }))
    }

    /// Restores the session. Returns whether it stands; otherwise the user connects anew.
    pub(super) async fn restore(&self, session: &Session) -> Result<bool, Failure> {
        let why = match session.restore().await {
            RestoreOutcome::Restored => {
                self.output
                    .step(Actor::Session, "restored, without a prompt");
                return Ok(true);
            }
            RestoreOutcome::NothingStored | RestoreOutcome::UserDisconnected => return Ok(false),
            RestoreOutcome::NeedsReauth => "the wallet no longer knows the session".into(),
            RestoreOutcome::Expired => "the session expired".into(),
            RestoreOutcome::Quarantined { reason } => {
                format!("what is stored cannot be used and will be set aside: {reason}")
            }
            // What is stored is good; a new session would take its place.
            RestoreOutcome::Unreachable { .. } => {
                return Err(Failure::NotRestored(self.name.clone()));
            }
            RestoreOutcome::StoreUnavailable { reason } => {
                return Err(Failure::StoreUnavailable {
                    name: self.name.clone(),
                    reason,
                });
            }
            _ => return Ok(false),
        };
        self.output.step(Actor::Session, &why);
        Ok(false)
    }
}
