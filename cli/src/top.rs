//! `moorline top`: many sessions, live.

mod demo;
mod input;
mod lines;
mod live;
mod model;
mod row;
mod screen;
mod terminal;
#[cfg(test)]
mod tests;
mod view;
mod watch;
mod words;

use std::io::IsTerminal;
use std::path::PathBuf;
use std::sync::Arc;

use clap::ArgGroup;
use moorline::policy::Backoff;
use moorline::{Policy, Provider, SessionManager};
use tokio::sync::{Notify, mpsc};

use self::live::Names;
use self::model::{Input, Model};
use crate::accounts::Accounts;
use crate::accounts::kept::Wake;
use crate::args::LoginArgs;
use crate::failure::Failure;
use crate::provider::Recipe;
use crate::stores::{self, KeyChoice, StoreArgs};

/// How many batches of news may wait for the view.
const WAITING: usize = 4;

#[derive(Debug, clap::Args)]
#[command(group(ArgGroup::new("source").required(true).args(["urls", "store", "watch", "demo"])))]
pub(crate) struct TopArgs {
    /// Wallets to log in at, as for `moorline connect`; they are disconnected at the end
    #[arg(value_name = "URL")]
    urls: Vec<String>,
    /// Restore the accounts of `moorline accounts` and show them; their sessions stay.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    store: Option<Option<PathBuf>>,
    /// Show what the records of a store say, while other programs use it. Connects to nothing.
    #[arg(long, value_name = "DIR", num_args = 0..=1)]
    watch: Option<Option<PathBuf>>,
    /// Where the keys to the store are, as for `moorline sessions`.
    #[arg(long, value_name = "WHERE", default_value_t, conflicts_with_all = ["urls", "demo"])]
    keys: KeyChoice,
    /// Show sessions with development wallets in this process, which fail now and then.
    #[arg(long)]
    demo: bool,
    /// How many sessions the demo has.
    #[arg(long, value_name = "N", default_value_t = 12, conflicts_with_all = ["urls", "store", "watch"],
          value_parser = clap::value_parser!(u16).range(1..=200))]
    sessions: u16,
    /// Print one JSON object a line instead: what is there, at most once a second, when it changed.
    #[arg(long)]
    json: bool,
    // Last: what comes after it in the help stands under its heading.
    #[command(flatten)]
    login: LoginArgs,
}

pub(crate) async fn run(args: TopArgs) -> Result<(), Failure> {
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !args.json && !terminal {
        return Err(Failure::NoTerminal);
    }
    let at = |folder: Option<PathBuf>| StoreArgs {
        store: folder,
        keys: args.keys.clone(),
    };
    if let Some(folder) = args.watch {
        return watch_store(&at(folder), args.json).await;
    }
    if let Some(folder) = args.store {
        return accounts(&at(folder), args.json).await;
    }
    if args.demo {
        return demo::run(args.sessions.into(), args.json).await;
    }
    wallets(&args.urls, &args.login, args.json).await
}

/// What the view asks for beyond itself.
struct Acts {
    manager: Option<SessionManager>,
    resync: Arc<Notify>,
}

/// Shows what a source tells until the user has seen enough.
async fn show(
    mut model: Model,
    inputs: mpsc::Receiver<Vec<Input>>,
    acts: &Acts,
    json: bool,
) -> Result<(), Failure> {
    match json {
        true => lines::run(&mut model, inputs).await,
        false => screen::run(&mut model, inputs, acts).await,
    }
}

/// Shows a manager of this process. `busy` runs beside it.
async fn show_manager(
    title: String,
    manager: &SessionManager,
    names: Names,
    json: bool,
    busy: impl Future<Output = Vec<Input>>,
) -> Result<(), Failure> {
    let resync = Arc::new(Notify::new());
    let (sender, inputs) = mpsc::channel(WAITING);
    let follow = live::follow(manager.clone(), names, sender.clone(), resync.clone());
    let following = tokio::spawn(follow);
    let acts = Acts {
        manager: Some(manager.clone()),
        resync,
    };
    let showing = show(Model::new(title, true), inputs, &acts, json);
    let mut showing = std::pin::pin!(showing);
    let shown = tokio::select! {
        shown = showing.as_mut() => shown,
        news = busy => {
            // Fails only if the view has ended.
            let _unheard = sender.send(news).await;
            showing.await
        }
    };
    following.abort();
    shown
}

/// For sessions that somebody looks at: never given up.
fn patient() -> Policy {
    Policy {
        retry_first_connect: true,
        reconnect: Backoff {
            max_attempts: None,
            ..Backoff::default()
        },
        ..Policy::default()
    }
}

async fn accounts(args: &StoreArgs, json: bool) -> Result<(), Failure> {
    let accounts = Accounts::open(args)?;
    let here = accounts.here().await?;
    let manager = accounts.manager(patient(), Wake::All)?;
    let names = live::names(&here);
    let title = format!("{} stored accounts", here.len());
    let restore = async {
        match manager.restore().await {
            Ok(report) => live::not_restored(&report, &here),
            Err(error) => vec![live::text("restore:failed", error.to_string())],
        }
    };
    let shown = show_manager(title, &manager, names, json, restore).await;
    manager.close().await;
    shown
}

async fn wallets(urls: &[String], login: &LoginArgs, json: bool) -> Result<(), Failure> {
    let mut providers: Vec<(String, Arc<dyn Provider>)> = Vec::new();
    for url in urls {
        let recipe = Recipe::new(url, login)?;
        let provider = recipe.build()?;
        providers.push((recipe.place().unwrap_or_default(), provider));
    }
    let manager = SessionManager::builder()
        .policy(patient())
        .event_capacity(live::CAPACITY)
        .build()?;
    let title = format!("{} wallets", urls.len());
    let log_in = live::log_in(&manager, providers);
    let shown = show_manager(title, &manager, Names::default(), json, log_in).await;
    // Nothing is stored: the wallets are to know.
    let keys = manager.sessions();
    let ends = keys.iter().map(|session| manager.logout(&**session.key()));
    futures_util::future::join_all(ends).await;
    manager.close().await;
    shown
}

async fn watch_store(args: &StoreArgs, json: bool) -> Result<(), Failure> {
    if let Some(folder) = args.store.as_ref().filter(|folder| !folder.is_dir()) {
        return Err(Failure::NoStore(folder.clone()));
    }
    let store = stores::open(args)?;
    let title = moorline::store::backend::Backend::describe(store.backend());
    // What cannot be read at all is said before the screen is taken.
    let records = watch::Records::open(Arc::new(store)).await?;
    let resync = Arc::new(Notify::new());
    let (sender, inputs) = mpsc::channel(WAITING);
    let following = tokio::spawn(watch::follow(records, sender, resync.clone()));
    let acts = Acts {
        manager: None,
        resync,
    };
    let shown = show(Model::new(title, false), inputs, &acts, json).await;
    following.abort();
    shown
}
