//! `moorline accounts`: a person's accounts on this computer.

mod check;
mod find;
pub(crate) mod kept;
mod list;
mod login;
mod logout;
pub(crate) mod stored;
mod switch;

use std::sync::Arc;
use std::time::Duration;

use clap::Subcommand;
use moorline::manager::{NextActive, SessionKey};
use moorline::policy::Backoff;
use moorline::store::FileStore;
use moorline::{Policy, SessionManager};

pub(crate) use self::check::describe as describe_restored;
use self::kept::Wake;
use self::stored::StoredSession;
use crate::args::LoginArgs;
use crate::failure::Failure;
use crate::output::Output;
use crate::stores::{self, StoreArgs};

/// What the names of all accounts' records begin with.
pub(crate) const NAMESPACE: &str = "accounts";

#[derive(Debug, clap::Args)]
pub(crate) struct AccountsArgs {
    #[command(flatten)]
    store: StoreArgs,
    /// Print one JSON object a line.
    #[arg(long, global = true)]
    json: bool,
    #[command(subcommand)]
    command: AccountsCommand,
}

#[derive(Debug, Subcommand)]
enum AccountsCommand {
    /// Lists the accounts that are logged in; the active one is marked with `*`.
    List {
        /// Restore every session, and say how each is. Exits with 1 if one does not stand.
        #[arg(long)]
        check: bool,
    },
    /// Logs in at a wallet and makes its account the active one.
    Login(Box<LoginAccountArgs>),
    /// Logs an account out, here and at its wallet. If it was active, the one that was used last
    /// is next.
    Logout {
        /// The account: its label, its id, or the begin of either [default: the active one]
        account: Option<String>,
        /// All accounts.
        #[arg(long, conflicts_with = "account")]
        all: bool,
    },
    /// Makes another account the active one. No wallet is asked.
    Switch {
        /// The account: its label, its id, or the begin of either
        account: String,
    },
}

#[derive(Debug, clap::Args)]
pub(crate) struct LoginAccountArgs {
    /// The wallet's address, as for `moorline connect`
    #[arg(required_unless_present = "watch", conflicts_with = "watch")]
    url: Option<String>,
    /// A name for the account, for people [default: the one it had, if any]
    #[arg(long, value_name = "NAME")]
    label: Option<String>,
    /// Watch this account without a wallet, and without the means to sign.
    #[arg(long, value_name = "PARTY")]
    watch: Option<String>,
    /// The network of the account that is watched.
    #[arg(long, value_name = "ID", requires = "watch")]
    on: Option<String>,
    // Last: what comes after it in the help stands under its heading.
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) async fn run(args: AccountsArgs) -> Result<(), Failure> {
    let accounts = Accounts::open(&args.store)?;
    let output = Output::new(args.json);
    match args.command {
        AccountsCommand::List { check: false } => list::run(&accounts, output).await,
        AccountsCommand::List { check: true } => check::run(&accounts, output).await,
        AccountsCommand::Login(login) => login::run(&accounts, output, login).await,
        AccountsCommand::Logout { account: None, all } if all => {
            logout::all(&accounts, output).await
        }
        AccountsCommand::Logout { account, .. } => {
            logout::one(&accounts, output, account.as_deref()).await
        }
        AccountsCommand::Switch { account } => switch::run(&accounts, output, &account).await,
    }
}

/// The accounts of a store.
pub(crate) struct Accounts {
    store: FileStore,
}

impl Accounts {
    pub(crate) fn open(args: &StoreArgs) -> Result<Self, Failure> {
        Ok(Self {
            store: stores::open(args)?,
        })
    }

    /// Those that are logged in, and what cannot be read.
    pub(crate) async fn here(&self) -> Result<Vec<StoredSession>, Failure> {
        let mut sessions = stored::sessions(&self.store, Some(NAMESPACE)).await?;
        sessions.retain(|session| !session.has_ended());
        Ok(sessions)
    }

    /// A manager over them, without sessions yet. `wake` says whose wallets may be asked.
    pub(crate) fn manager(&self, policy: Policy, wake: Wake) -> Result<SessionManager, Failure> {
        let builder = SessionManager::builder()
            .store(self.store.clone())
            .namespace(NAMESPACE)
            .policy(policy)
            .next_active(NextActive::MostRecent)
            // A screen that is drawn a few times a second reads as rarely.
            .event_capacity(16 * 1024)
            .provider(moorline_cip0103::KIND, move |record| {
                kept::rebuild(record, &wake)
            });
        Ok(builder.build()?)
    }
}

/// For a command that somebody waits for: two more tries, not five.
fn impatient() -> Policy {
    Policy {
        reconnect: Backoff {
            base: Duration::from_millis(300),
            max_attempts: Some(2),
            ..Backoff::default()
        },
        ..Policy::default()
    }
}

/// An account in an object for programs.
fn as_json(key: &SessionKey) -> serde_json::Value {
    serde_json::json!({
        "account": key.account,
        "network": key.network,
        "provider": key.provider,
    })
}

/// Says who is active, in a line for people.
fn say_active(output: Output, active: Option<&Arc<SessionKey>>) {
    match active {
        Some(key) => output.say(&format!("active is {}", key.identity())),
        None => output.say("no account is active"),
    }
}
