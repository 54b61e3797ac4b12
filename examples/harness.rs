//! Testing a wallet of one's own: its provider is played through a scenario, in virtual time.
//!
//! `cargo run --example harness`

use std::sync::{Arc, Mutex, PoisonError};

use moorline::provider::*;
use moorline::{Account, Provider, ProviderError, ProviderEvent};
use moorline_scenarios::{CommandFuture, RunOptions, WalletCommand, WalletControl, load, run_live};
use serde_json::{Value, json};

/// The wallet under test: it lives in this process. Yours speaks to a server.
#[derive(Clone, Default)]
struct TinWallet {
    link: Arc<Mutex<Option<EventSink>>>,
}

impl Provider for TinWallet {
    fn kind(&self) -> &str {
        "tin"
    }

    fn open(&self, _request: OpenRequest, events: EventSink) -> ProviderFuture<'_, Opened> {
        let mut link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        *link = Some(events);
        Box::pin(async { Ok(Opened::Established) })
    }

    fn probe(&self) -> ProviderFuture<'_, Live> {
        Box::pin(async { Ok(Live::new(vec![Account::primary("tin-man")])) })
    }

    fn request(&self, request: Request) -> ProviderFuture<'_, Value> {
        Box::pin(async move { Ok(json!({ "signedBy": request.identity.account })) })
    }

    fn close(&self, _mode: CloseMode) -> ProviderFuture<'_, ()> {
        Box::pin(async { Ok(()) })
    }
}

/// What a scenario can have the wallet do: lose its link. A scenario that asks for more is skipped.
impl WalletControl for TinWallet {
    fn supports(&self, command: &WalletCommand) -> bool {
        matches!(command, WalletCommand::Cut)
    }

    fn carry_out(&self, command: WalletCommand) -> CommandFuture<'_> {
        let link = self.link.lock().unwrap_or_else(PoisonError::into_inner);
        if let (WalletCommand::Cut, Some(link)) = (command, &*link) {
            let error = ProviderError::new(ErrorKind::Unreachable, "the link was cut");
            link.send(ProviderEvent::Dropped(error));
        }
        Box::pin(async { Ok(()) })
    }
}

// With time paused, waiting costs nothing: tokio moves its clock to whatever comes next.
#[tokio::main(flavor = "current_thread", start_paused = true)]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let folder = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("examples");
    let scenario = load(folder.join("tin-wallet.scenario.toml"))?;
    let wallet = TinWallet::default();
    let provider = wallet.clone();
    let factory = move || Ok(Arc::new(provider.clone()) as Arc<dyn Provider>);
    let options = RunOptions::default().with_trace();
    let report = run_live(&scenario, &factory, Some(Arc::new(wallet)), &options).await;
    println!("{report}");
    match report.passed() {
        true => Ok(()),
        false => Err("the wallet does not behave".into()),
    }
}
