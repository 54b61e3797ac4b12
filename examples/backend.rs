//! A dApp backend: one session for each of two hundred users, an outage, and everybody back.
//!
//! `cargo run --example backend`. The wallets are simulated; real ones need another provider only.

use std::sync::Arc;
use std::time::{Duration, Instant};

use futures_util::future::join_all;
use moorline::policy::ReconnectBudget;
use moorline::provider::{ErrorKind, ProviderError};
use moorline::session::{Driver, OperationOptions};
use moorline::{Account, Identity, Policy, Session};
use moorline_scripted::{Control, On, ScriptedWallet};
use serde_json::json;

struct User {
    identity: Arc<Identity>,
    session: Session,
    wallet: Control,
}

#[tokio::main]
async fn main() -> Result<(), Box<dyn std::error::Error>> {
    // Shared by all: timers, policy, and a budget, so that no stampede follows an outage.
    let driver = Driver::new()?;
    let policy = Arc::new(Policy::default());
    let budget = ReconnectBudget::per_second(200, 20);

    let mut users = Vec::new();
    for name in (0..200).map(|number| format!("user-{number}")) {
        let (provider, wallet) = ScriptedWallet::new().accounts([&*name]).build();
        let session = Session::builder(provider)
            .policy(policy.clone())
            .driver(&driver)
            .budget(budget.clone())
            .build()?;
        users.push(User {
            identity: Arc::new(Identity::new(name, Some("canton:scripted".into()))),
            session,
            wallet,
        });
    }
    for connected in join_all(users.iter().map(|user| user.session.connect())).await {
        connected?;
    }
    println!("{} users are connected", users.len());

    let refused = ProviderError::new(ErrorKind::Unreachable, "connection refused");
    for user in &users {
        user.wallet.go_away(refused.clone());
    }
    // One wallet will come back as somebody else: its user's request must not be signed by them.
    (users[7].wallet).set_accounts(vec![Account::primary("somebody-else")]);
    println!("no wallet can be reached; all users sign, and their requests are held");
    let begun = Instant::now();
    let signing = join_all(users.iter().map(|user| {
        let options = OperationOptions::default().for_identity(user.identity.clone());
        let params = json!({ "message": "hello" });
        (user.session).request_with("signMessage", params, options)
    }));
    let recovery = async {
        tokio::time::sleep(Duration::from_millis(800)).await;
        users.iter().for_each(|user| user.wallet.set_away(None));
    };
    let (answers, ()) = tokio::join!(signing, recovery);
    for error in answers.into_iter().filter_map(Result::err) {
        println!("refused: {error}");
    }
    let signed: u64 = users
        .iter()
        .map(|user| user.wallet.total_executions())
        .sum();
    let dials: usize = users.iter().map(|user| user.wallet.count(&On::Open)).sum();
    let took = begun.elapsed();
    println!("{signed} signatures after {took:.1?} and {dials} dials; none made twice");

    join_all(users.iter().map(|user| user.session.close())).await;
    Ok(())
}
