//! Faults on request.

use std::time::Duration;

use moorline_dev_wallet::{DevWallet, StartError};
use serde_json::{Value, json};
use tokio::net::TcpStream;

use crate::client::{Client, connected, soon};

#[tokio::test]
async fn a_cut_ends_every_connection_and_leaves_the_port_open() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let mut other = Client::on(&wallet).await;
    soon(wallet.control().until_connections(2)).await;
    assert_eq!(wallet.control().cut_all().await, 2);
    assert_eq!(wallet.control().connections(), 0);
    assert_eq!((client.frame().await, other.frame().await), (None, None));
    Client::on(&wallet)
        .await
        .call("status", Value::Null)
        .await
        .unwrap();
}

#[tokio::test]
async fn a_wallet_that_refuses_has_no_open_port() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    wallet.control().refuse(true).await;
    assert!(TcpStream::connect(wallet.address()).await.is_err());
    // Who is there stays.
    client.call("status", Value::Null).await.unwrap();
    wallet.control().refuse(false).await;
    Client::on(&wallet).await;
}

#[tokio::test]
async fn a_hanging_wallet_sees_and_does_nothing_until_it_goes_on() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let control = wallet.control();
    control.hang(true);
    let (answer, ()) = tokio::join!(
        client.call("signMessage", json!({ "message": "m" })),
        async {
            soon(control.until_seen("signMessage", 1)).await;
            assert_eq!(control.executions_of("m"), 0);
            control.hang(false);
        }
    );
    answer.unwrap();
    assert_eq!((control.seen_of("m"), control.executions_of("m")), (1, 1));
}

#[tokio::test]
async fn what_the_wallet_has_it_executes_though_the_connection_is_gone() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let control = wallet.control();
    control.slow(Duration::from_millis(20));
    let request = json!({
        "jsonrpc": "2.0", "id": 9, "method": "signMessage", "params": { "message": "m" },
    });
    client.send(&request.to_string()).await;
    soon(control.until_seen("signMessage", 1)).await;
    control.cut_all().await;
    soon(control.until_executed("signMessage", 1)).await;
    assert_eq!((control.seen_of("m"), control.executions_of("m")), (1, 1));
}

#[tokio::test]
async fn errors_can_be_ordered() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    wallet
        .control()
        .reply_errors_to("status", -32005, "slow down");
    assert_eq!(client.code("status", Value::Null).await, -32005);
    client.call("isConnected", Value::Null).await.unwrap();
    wallet.control().reply_errors(-32603, "broken");
    assert_eq!(client.code("isConnected", Value::Null).await, -32603);
    wallet.control().reply_normally();
    client.call("status", Value::Null).await.unwrap();
}

#[tokio::test]
async fn garbage_is_what_it_says() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    wallet.control().send_garbage();
    loop {
        let frame = client.frame().await.unwrap();
        if serde_json::from_str::<Value>(&frame).is_err() {
            break;
        }
    }
}

#[tokio::test]
async fn a_restart_keeps_session_ledger_and_memory() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    let control = wallet.control();
    let submit = json!({ "commands": [{}], "commandId": "c" });
    client.call("prepareExecuteAndWait", submit).await.unwrap();
    let address = wallet.address();
    let state = wallet.stop().await;
    assert_eq!(client.frame().await, None);
    assert!(TcpStream::connect(address).await.is_err());

    let builder = DevWallet::builder().listen(address).state(state.clone());
    let wallet = builder.start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    let connection = client.call("isConnected", Value::Null).await.unwrap();
    assert_eq!(connection["isConnected"], true);
    assert_eq!(control.ledger_executions("c"), 1);
    assert_eq!(control.seen("connect"), 1);
    // The control of before steers the wallet of now.
    assert_eq!(control.cut_all().await, 1);
    let second = DevWallet::builder().state(state).start().await;
    assert!(matches!(second, Err(StartError::Running)), "{second:?}");
}

#[tokio::test]
async fn a_dropped_wallet_is_gone() {
    let (wallet, mut client) = connected(DevWallet::builder()).await;
    drop(wallet);
    while let Some(_event) = client.frame().await {}
}

#[tokio::test]
async fn what_cannot_be_built_says_why() {
    let none = DevWallet::builder()
        .accounts(Vec::<String>::new())
        .start()
        .await;
    assert!(matches!(none, Err(StartError::NoAccount)));
    let twice = DevWallet::builder().accounts(["a", "b", "a"]).start().await;
    assert!(matches!(twice, Err(StartError::SameAccount(name)) if name == "a"));
    let wallet = DevWallet::builder().start().await.unwrap();
    let taken = DevWallet::builder().listen(wallet.address()).start().await;
    assert!(matches!(taken, Err(StartError::Listen { .. })));
}
