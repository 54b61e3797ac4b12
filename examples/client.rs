//! A command-line client: connects, signs, submits a transaction and follows it, disconnects.
//!
//! `cargo run --example client [ws://HOST:PORT]`. Without an address it starts a development
//! wallet of its own.

use std::time::Duration;

use moorline::session::EventStream;
use moorline::{EventKind, Session};
use moorline_cip0103::client::Progress;
use moorline_cip0103::types::PrepareExecute;
use moorline_cip0103::{DappClient, Outcome, WsProvider};
use moorline_dev_wallet::DevWallet;
use serde_json::json;
use tokio::time::timeout;

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    let (url, _wallet) = match std::env::args().nth(1) {
        Some(url) => (url, None),
        None => {
            let wallet = DevWallet::builder().start().await?;
            (wallet.url(), Some(wallet))
        }
    };

    let session = Session::builder(WsProvider::new(&url)?).build()?;
    let telling = tokio::spawn(tell(session.events()));
    let snapshot = session.connect().await?;
    if let Some(account) = snapshot.primary() {
        println!("connected to {url} as {}", account.id);
    }

    // Held and answered later if the link breaks meanwhile; never signed by another account.
    let dapp = DappClient::new(session.clone());
    let signed = dapp.sign_message("hello from the command line").await?;
    println!("signature: {}", signed.signature);

    let commands = json!([{ "CreateCommand": {
        "templateId": "#example:Main:Note",
        "createArguments": { "text": "hello" },
    }}]);
    let mut transaction = dapp.prepare_execute(PrepareExecute::new(commands)).await?;
    println!("submitted command {}", transaction.command_id());
    let patience = Duration::from_secs(300);
    while let Ok(Some(Progress::Changed(news))) = timeout(patience, transaction.next()).await {
        println!("transaction: {:?}", news.status);
    }
    match transaction.outcome(Duration::ZERO).await {
        Outcome::Executed { update_id, .. } => println!("on the ledger: {update_id:?}"),
        Outcome::Failed | Outcome::RejectedOrFailed => println!("not on the ledger"),
        // Look for the command on the ledger before submitting it again.
        outcome => println!("nobody knows yet: {outcome:?}"),
    }

    // The wallet is told, and the session stays disconnected until `connect` is called again.
    if let Some(Err(error)) = session.disconnect().await.wallet {
        println!("the wallet did not take the disconnect: {error}");
    }
    session.close().await;
    telling.await?;
    Ok(())
}

/// Tells what happens to the session, until it is closed.
async fn tell(mut events: EventStream) {
    while let Some(item) = events.next().await {
        let Some(event) = item.event() else { continue };
        match &event.kind {
            EventKind::UserActionRequired { action } => println!("please open {}", action.url),
            EventKind::Provider(_) => {}
            kind => println!("  [{}] {}", event.seq, kind.name()),
        }
    }
}
