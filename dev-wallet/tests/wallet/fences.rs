//! Fences over a WebSocket: all of a connection is under the one of its handshake.

use moorline_dev_wallet::DevWallet;
use serde_json::Value;

use crate::client::Client;

#[tokio::test]
async fn a_connection_of_an_earlier_holder_is_refused_call_by_call() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let control = wallet.control();
    let mut earlier = Client::under(&wallet, Some("a:7")).await;
    earlier.call("connect", Value::Null).await.unwrap();
    earlier.call("status", Value::Null).await.unwrap();
    assert_eq!(control.fences().late_acts, 0);

    // The handshake alone shows that somebody else holds it by now.
    let mut later = Client::under(&wallet, Some("a:8")).await;
    later.call("status", Value::Null).await.unwrap();
    assert_eq!(earlier.code("status", Value::Null).await, -32003);
    assert_eq!(earlier.code("listAccounts", Value::Null).await, -32003);
    // One that comes late opens, and does nothing.
    let mut latest = Client::under(&wallet, Some("a:7")).await;
    assert_eq!(control.fences().late_acts, 2);
    assert_eq!(latest.code("status", Value::Null).await, -32003);
    assert_eq!(control.fences().late_acts, 3);
    assert_eq!(control.fences().executed_late, 0);

    Client::on(&wallet)
        .await
        .call("status", Value::Null)
        .await
        .unwrap();
    later.call("status", Value::Null).await.unwrap();

    control.refuse_late_acts(false);
    earlier.call("status", Value::Null).await.unwrap();
    let seen = control.fences();
    assert_eq!((seen.late_acts, seen.executed_late), (4, 1));
}
