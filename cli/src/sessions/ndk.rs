//! `moorline sessions ndk`: sessions of the Nostr Development Kit, in and out.

use std::path::{Path, PathBuf};

use clap::Subcommand;
use moorline::manager::ndk::{
    ImportOutcome, ImportedSession, LeftOut, NdkExported, NdkFile, NdkSessions,
};
use moorline::store::FileStore;
use secrecy::{ExposeSecret, SecretString};
use serde_json::json;

use super::{person, transfer};
use crate::failure::Failure;
use crate::output::{self, Output};

#[derive(Debug, Subcommand)]
pub(crate) enum NdkCommand {
    /// Stores every session of a file of `@nostr-dev-kit/sessions`, keys sealed. The file is left
    /// as it is.
    Import {
        /// The file to read; `-` reads from the standard input
        file: PathBuf,
        #[command(flatten)]
        of: NamespaceArgs,
        /// Put them in place of what is stored of the same accounts
        #[arg(long)]
        replace: bool,
    },
    /// Writes all sessions of Nostr accounts, with their keys in clear, into a new file for
    /// `@nostr-dev-kit/sessions`, which only you can read.
    Export {
        /// The file to make; `-` prints it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        #[command(flatten)]
        of: NamespaceArgs,
    },
}

/// Whose sessions.
#[derive(Debug, clap::Args)]
pub(crate) struct NamespaceArgs {
    /// The namespace of the session manager that they belong to
    #[arg(long, value_name = "NAME", default_value = "moorline")]
    namespace: String,
}

pub(super) async fn run(
    store: &FileStore,
    output: Output,
    command: NdkCommand,
) -> Result<(), Failure> {
    match command {
        NdkCommand::Import { file, of, replace } => {
            let ndk = NdkSessions::of(store).namespace(of.namespace);
            import(&ndk.replace(replace), output, &file).await
        }
        NdkCommand::Export { out, of } => {
            let ndk = NdkSessions::of(store).namespace(of.namespace);
            let exported = ndk.export(person::now()).await?;
            export(&exported, output, &out)
        }
    }
}

async fn import(ndk: &NdkSessions<'_>, output: Output, file: &Path) -> Result<(), Failure> {
    let text = SecretString::from(transfer::read(file)?);
    let file = NdkFile::read(text.expose_secret())?;
    let imported = ndk.import(&file, person::now()).await?;
    for session in &imported.sessions {
        let (outcome, error) = in_words(&session.outcome);
        output.object(&json!({
            "type": "session",
            "account": session.key.account,
            "name": session.record,
            "outcome": outcome,
            "readOnly": session.read_only,
            "contradictory": session.contradictory,
            "error": error,
        }));
        output.say(&format!("{} {outcome}{}", session.key, remark(session)));
        if let Some(error) = error {
            output.say(&format!("  {error}"));
        }
    }
    let active = imported.active.as_ref().map(|key| &key.account);
    let total = imported.sessions.len();
    output.object(&json!({ "type": "imported", "sessions": total, "active": active }));
    if let Some(active) = active {
        output.say(&format!("{active} is active"));
    }
    let failed = |it: &&ImportedSession| matches!(it.outcome, ImportOutcome::Failed { .. });
    match imported.sessions.iter().filter(failed).count() {
        0 => Ok(()),
        failed => Err(Failure::NotImported { failed, total }),
    }
}

fn in_words(outcome: &ImportOutcome) -> (&'static str, Option<String>) {
    match outcome {
        ImportOutcome::Imported => ("is stored", None),
        ImportOutcome::Replaced => ("is stored, in place of what was", None),
        ImportOutcome::AlreadyThere => ("was stored already and is left as it is", None),
        ImportOutcome::Failed { error } => ("is not stored", Some(error.to_string())),
        _ => ("was imported", None),
    }
}

fn remark(session: &ImportedSession) -> &'static str {
    match (session.contradictory, session.read_only) {
        (true, _) => "; it names another account, too",
        (false, true) => "; it only watches",
        (false, false) => "",
    }
}

fn export(exported: &NdkExported, output: Output, out: &Path) -> Result<(), Failure> {
    let text = exported.file.write();
    if out == Path::new("-") {
        return Ok(output::whole(text.expose_secret())?);
    }
    transfer::write_new(out, text.expose_secret())?;
    for (name, reason) in &exported.left_out {
        let reason = match reason {
            LeftOut::OtherAccount => "its account is not one of Nostr",
            LeftOut::SameAccount => "another session of its account is in the file",
            LeftOut::NoSigner => "what it signs with is not stored",
            LeftOut::Unreadable { .. } => "it cannot be read",
            _ => "there is no room for it",
        };
        output.object(&json!({ "type": "left-out", "name": name, "reason": reason }));
        output.say(&format!("{name} is left out: {reason}"));
    }
    let sessions = exported.file.sessions().len();
    output.object(&json!({ "type": "exported", "sessions": sessions, "file": out }));
    output.say(&format!(
        "{} in {} with keys in clear: delete it when it is no longer needed",
        match sessions {
            1 => "1 session is".into(),
            sessions => format!("{sessions} sessions are"),
        },
        out.display()
    ));
    Ok(())
}
