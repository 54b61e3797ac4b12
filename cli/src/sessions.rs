//! `moorline sessions`: what is stored, for people and programs.

mod forget;
mod keys;
mod list;
mod ndk;
pub(crate) mod person;
mod show;
mod transfer;
mod verify;

use std::path::PathBuf;

use clap::Subcommand;
use moorline::store::{FileStore, RecordName, Store, Stored};

use crate::failure::Failure;
use crate::output::Output;
use crate::stores::{self, StoreArgs};

#[derive(Debug, clap::Args)]
pub(crate) struct SessionsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: SessionsCommand,
}

#[derive(Debug, Subcommand)]
enum SessionsCommand {
    /// Lists all sessions, ended ones and those that cannot be read included.
    List,
    /// Shows all that is known of one session.
    Show {
        /// Its name, as `list` shows it
        name: String,
        /// Show what may be secret, too. On a terminal only.
        #[arg(long)]
        reveal_secrets: bool,
    },
    /// Writes a session in clear into a new file that only you can read.
    Export {
        /// Its name, as `list` shows it
        name: String,
        /// The file to make; `-` prints it
        #[arg(long, value_name = "FILE")]
        out: PathBuf,
        /// The form to write: this program's own, or `v1`, as browser session managers read it
        #[arg(long, value_enum, default_value_t = transfer::Format::V2)]
        format: transfer::Format,
    },
    /// Reads a session in clear, of either form, into the store.
    Import {
        /// The file to read; `-` reads from the standard input
        file: PathBuf,
        /// The name to give it
        #[arg(long)]
        name: String,
        /// Put it in place of a session of that name
        #[arg(long)]
        replace: bool,
    },
    /// Sessions of the Nostr Development Kit: the files of `@nostr-dev-kit/sessions`.
    #[command(subcommand)]
    Ndk(ndk::NdkCommand),
    /// Ends a session here: it is not restored again. The wallet is not told; `disconnect` does
    /// that.
    Forget {
        /// Its name, as `list` shows it
        name: String,
        /// Leave no trace, not even that it was ended
        #[arg(long)]
        purge: bool,
    },
    /// Checks that every session can be read and changes nothing. Exits with 1 if one cannot.
    Verify,
    /// Makes a new key and seals every session with it.
    RotateKey,
}

pub(crate) async fn run(args: SessionsArgs) -> Result<(), Failure> {
    let store = stores::open(&args.store)?;
    let output = Output::new(args.json);
    match args.command {
        SessionsCommand::List => list::run(&store, output).await,
        SessionsCommand::Show {
            name,
            reveal_secrets,
        } => show::run(&store, output, &name.into(), reveal_secrets).await,
        SessionsCommand::Export { name, out, format } => {
            transfer::export(&store, output, &name.into(), &out, format).await
        }
        SessionsCommand::Import {
            file,
            name,
            replace,
        } => transfer::import(&store, output, &file, &name.into(), replace).await,
        SessionsCommand::Ndk(command) => ndk::run(&store, output, command).await,
        SessionsCommand::Forget { name, purge } => {
            forget::run(&store, output, &name.into(), purge).await
        }
        SessionsCommand::Verify => verify::run(&store, output).await,
        SessionsCommand::RotateKey => keys::rotate(&store, output).await,
    }
}

/// What stands under a name; nothing is a failure.
async fn find(store: &FileStore, name: &RecordName) -> Result<Stored, Failure> {
    match store.load(name).await? {
        Stored::Nothing => Err(Failure::NoSession(name.clone())),
        found => Ok(found),
    }
}
