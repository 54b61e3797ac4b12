//! What can be said on the command line.

use std::net::SocketAddr;
use std::path::PathBuf;
use std::time::Duration;

use clap::{Parser, Subcommand};
use moorline_dev_wallet::{Approval, Profile};

use crate::accounts::AccountsArgs;
use crate::graph::Format;
use crate::sessions::SessionsArgs;
use crate::stores::KeyChoice;
use crate::top::TopArgs;

/// Keeps programs connected to wallets.
///
/// Without a command it shows a session living through everything: approval, a cut link, a party
/// switch, expiry and re-authentication, a disconnect; with a development wallet in this process,
/// over a real socket.
#[derive(Debug, Parser)]
#[command(name = "moorline", version, arg_required_else_help = false)]
pub(crate) struct Args {
    #[command(subcommand)]
    pub(crate) command: Option<Command>,
}

#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Shows a session living through everything (about ten seconds).
    ///
    /// Exits with 0 only if all went as it must.
    Demo {
        /// Print one JSON object a line.
        #[arg(long)]
        json: bool,
    },
    /// Plays scenarios: scripted lifecycles of a session, in virtual time.
    ///
    /// Exits with 1 if one fails, with 2 if a file cannot be used.
    Run(RunArgs),
    /// Connects to a wallet and prints what happens until Ctrl-C.
    ///
    /// Then it disconnects, so that the wallet knows. Exits with 1 if the connection cannot be
    /// made or ends by itself.
    Connect(ConnectArgs),
    /// Checks whether a wallet conforms to CIP-0103, ours or another's.
    ///
    /// Over ws:// the synchronous API, over http:// the asynchronous one. Ends the session there.
    /// Exits with 1 if the wallet does not conform, with 2 if it cannot be checked.
    Check(CheckArgs),
    /// Runs a development wallet that speaks CIP-0103 over a WebSocket and over HTTP.
    ///
    /// Prints its addresses and serves until Ctrl-C. Not for production: everybody who reaches the
    /// port is its user.
    Wallet(WalletArgs),
    /// Shows and manages the sessions that are stored, sealed, on this computer.
    Sessions(SessionsArgs),
    /// Several accounts on this computer: which are logged in, who is active.
    Accounts(AccountsArgs),
    /// Shows many sessions live: status, next attempts, queues, expiry, events.
    ///
    /// Sessions with wallets, of stored accounts, of a store that other programs use, or of a demo.
    Top(TopArgs),
    /// Draws the state diagram, from what exploring the machine reaches.
    Graph {
        /// The language of the diagram.
        #[arg(long, value_enum, default_value_t = Format::Mermaid)]
        format: Format,
    },
}

impl Default for Command {
    fn default() -> Self {
        Self::Demo { json: false }
    }
}

#[derive(Debug, clap::Args)]
pub(crate) struct RunArgs {
    /// Scenario files, whatever they are called, and folders to search for *.scenario.toml
    #[arg(required = true, value_name = "PATH")]
    pub(crate) paths: Vec<PathBuf>,
    /// Play against this wallet, such as ws://127.0.0.1:4103 or http://127.0.0.1:4103/api/v0/dapp.
    ///
    /// A development wallet is told through its admin endpoint what the scenarios say, and the
    /// clock of the sessions is stepped from timer to timer. With other wallets time is real, and
    /// what tells the wallet what to do is skipped.
    #[arg(long, value_name = "URL")]
    pub(crate) live: Option<String>,
    /// The admin endpoint of that wallet, such as http://127.0.0.1:4103/admin (default: where a
    /// development wallet on this computer has it).
    #[arg(long, value_name = "URL", requires = "live")]
    pub(crate) admin: Option<String>,
    /// Print one JSON object a line, the summary last.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a JUnit report to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// The seed of everything random, instead of each scenario's own.
    #[arg(long, value_name = "N")]
    pub(crate) seed: Option<u64>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct ConnectArgs {
    /// The wallet's address: ws://127.0.0.1:4103 for a WebSocket,
    /// https://gateway.example/api/v0/dapp for a remote gateway
    pub(crate) url: String,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Try the first connection again, like a lost one, instead of failing at once.
    #[arg(long)]
    pub(crate) retry: bool,
    /// End the session after this time, such as 30s or 12h (default: when the wallet says).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
    /// On Ctrl-C drop the link only: the wallet keeps its session.
    #[arg(long)]
    pub(crate) detach: bool,
    #[command(flatten)]
    pub(crate) keep: KeepArgs,
    // Last: what comes after it in the help stands under its heading.
    #[command(flatten)]
    pub(crate) login: LoginArgs,
}

/// Whether the session survives this program, and where.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Keeping the session")]
pub(crate) struct KeepArgs {
    /// Keep the session, sealed, in this folder (or, without one, where `moorline sessions` looks):
    /// Ctrl-C leaves it standing, and the next start restores it without a prompt.
    #[arg(long, value_name = "DIR", num_args = 0..=1, conflicts_with = "detach")]
    pub(crate) store: Option<Option<PathBuf>>,
    /// Where the keys are, as for `moorline sessions`.
    #[arg(long, value_name = "WHERE", default_value_t, requires = "store")]
    pub(crate) keys: KeyChoice,
    /// The name to keep it under [default: the wallet's address].
    #[arg(long, value_name = "NAME", requires = "store")]
    pub(crate) name: Option<String>,
    /// On Ctrl-C disconnect, so that nothing is restored: neither here nor at the wallet.
    #[arg(long, requires = "store")]
    pub(crate) end: bool,
}

/// How a session's program gets in at a remote gateway.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Login at a remote gateway")]
pub(crate) struct LoginArgs {
    #[command(flatten)]
    pub(crate) credential: CredentialArgs,
    /// Log in with a browser at the identity provider: go to the address that is printed.
    #[arg(long, group = "how", requires = "issuer")]
    pub(crate) login: bool,
    /// The audience the identity provider is asked for.
    #[arg(long, value_name = "AUDIENCE", requires = "issuer")]
    pub(crate) audience: Option<String>,
    /// Has the gateway make a session on this network where there is none.
    #[arg(long, value_name = "ID", requires = "how")]
    pub(crate) network: Option<String>,
}

/// Who the program is, at wallets that want to know. Secrets come from environment variables: the
/// command line can be read by everybody on the computer.
#[derive(Debug, Default, clap::Args)]
#[command(next_help_heading = "Login at a remote gateway")]
pub(crate) struct CredentialArgs {
    /// The environment variable that holds a token.
    #[arg(long, value_name = "NAME", group = "how", conflicts_with = "issuer")]
    pub(crate) token_env: Option<String>,
    /// The environment variable that holds an API key.
    #[arg(long, value_name = "NAME", group = "how", conflicts_with = "issuer")]
    pub(crate) api_key_env: Option<String>,
    /// The environment variable that holds the secret of the client: log in as the program itself.
    #[arg(long, value_name = "NAME", group = "how", requires_all = ["issuer", "client_id"])]
    pub(crate) client_secret_env: Option<String>,
    /// The identity provider.
    #[arg(long, value_name = "URL", requires = "how")]
    pub(crate) issuer: Option<String>,
    /// The client at the identity provider [with --login: moorline-cli]
    #[arg(long, value_name = "ID", requires = "issuer")]
    pub(crate) client_id: Option<String>,
}

#[derive(Debug, clap::Args)]
pub(crate) struct CheckArgs {
    /// The wallet: ws://.. or wss://.., or the address its dApp API is posted to
    #[arg(required_unless_present = "list")]
    pub(crate) url: Option<String>,
    /// Print every check and every known deviation, and check nothing.
    #[arg(long)]
    pub(crate) list: bool,
    /// Whose known deviations to forgive.
    #[arg(long, value_enum, default_value_t = ProfileArg::Strict)]
    pub(crate) profile: ProfileArg,
    /// Print one JSON object a line, the summary last.
    #[arg(long)]
    pub(crate) json: bool,
    /// Write a JUnit report to this file, too.
    #[arg(long, value_name = "FILE")]
    pub(crate) junit: Option<PathBuf>,
    /// Report only these checks, or areas.
    #[arg(long, value_name = "ID", num_args = 1..)]
    pub(crate) only: Vec<String>,
    /// A person is at the wallet: print what they are to do, and wait for them.
    #[arg(long)]
    pub(crate) interactive: bool,
    /// The wallet is `moorline wallet` on this computer: play the person at it.
    #[arg(long, conflicts_with = "interactive")]
    pub(crate) drive_dev_wallet: bool,
    /// The wallet is `moorline wallet`, with its admin endpoint here: play the person at it.
    #[arg(long, value_name = "URL", conflicts_with_all = ["interactive", "drive_dev_wallet"])]
    pub(crate) admin: Option<String>,
    /// A file with the commands to submit (a JSON array). A wallet with a real ledger needs some
    /// that its ledger knows.
    #[arg(long, value_name = "FILE")]
    pub(crate) commands: Option<PathBuf>,
    /// How long an answer may take.
    #[arg(long, value_name = "TIME", default_value = "5s", value_parser = duration)]
    pub(crate) timeout: Duration,
    #[command(flatten)]
    pub(crate) credential: CredentialArgs,
}

/// Whose known deviations `check` forgives.
#[derive(Clone, Copy, Debug, clap::ValueEnum)]
pub(crate) enum ProfileArg {
    /// Those of the generation that the wallet behaves like
    Auto,
    /// Nobody's
    Strict,
    /// Those of the reference gateway of May 2026
    G1,
    /// Those of the reference gateway of August to November 2026
    G2,
}

#[derive(Debug, clap::Args)]
pub(crate) struct WalletArgs {
    /// Where to listen (default: 127.0.0.1:4103, which only this computer can reach).
    #[arg(long, value_name = "ADDR")]
    pub(crate) listen: Option<SocketAddr>,
    /// Print one JSON object a line.
    #[arg(long)]
    pub(crate) json: bool,
    /// Accounts, networks, users, programs and manners from a TOML file. What is said on the
    /// command line counts for more.
    #[arg(long, value_name = "FILE")]
    pub(crate) config: Option<PathBuf>,
    /// Faults that strike by themselves, from a TOML file: at a time, at the n-th request or event.
    #[arg(long, value_name = "FILE")]
    pub(crate) scenario: Option<PathBuf>,
    /// An account to hold; give it several times for several. The first one is primary (default:
    /// alice and bob).
    #[arg(long = "account", value_name = "NAME")]
    pub(crate) accounts: Vec<String>,
    /// The network to be on (default: canton:local).
    #[arg(long, value_name = "ID")]
    pub(crate) network: Option<String>,
    /// What happens to what needs consent: `auto` (the default), `reject`, `manual` (somebody
    /// clicks), or a time such as 5s after which it is approved.
    #[arg(long, value_name = "HOW", value_parser = approval)]
    pub(crate) approval: Option<Approval>,
    /// Whose manners to have over HTTP: `strict` (the standard's, the default), or `g1` or `g2`,
    /// the two generations of gateways that are in use.
    #[arg(long, value_name = "PROFILE", value_parser = profile)]
    pub(crate) profile: Option<Profile>,
    /// Let in over HTTP only who has logged in, in profile `strict` too.
    #[arg(long)]
    pub(crate) require_login: bool,
    /// How many times as fast the wallet's time runs: with 3600 an hour's token expires in a
    /// second (default: 1).
    #[arg(long, value_name = "N")]
    pub(crate) time_scale: Option<f64>,
    /// How long sessions and tokens live (default: 1h).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) ttl: Option<Duration>,
    /// How often event streams carry a comment while nothing happens (default: never).
    #[arg(long, value_name = "TIME", value_parser = duration)]
    pub(crate) heartbeat: Option<Duration>,
    /// No admin endpoint.
    #[arg(long)]
    pub(crate) no_admin: bool,
}

fn duration(text: &str) -> Result<Duration, String> {
    humantime::parse_duration(text).map_err(|error| format!("{error}; write it as 30s, 5m or 12h"))
}

fn profile(text: &str) -> Result<Profile, String> {
    text.parse().map_err(|error| format!("{error}"))
}

fn approval(text: &str) -> Result<Approval, String> {
    match text {
        "auto" => Ok(Approval::Auto),
        "reject" => Ok(Approval::Reject),
        "manual" => Ok(Approval::Manual),
        time => match duration(time) {
            Ok(after) => Ok(Approval::After(after)),
            Err(_) => Err("expected `auto`, `reject`, `manual` or a time such as 5s".into()),
        },
    }
}
