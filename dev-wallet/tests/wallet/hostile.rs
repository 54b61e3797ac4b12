//! Clients that send what no client should: each gets an answer or is ignored, nothing breaks.

use moorline_dev_wallet::DevWallet;
use serde_json::Value;

use crate::client::{Client, connected};

#[tokio::test]
async fn frames_that_are_no_requests_are_refused_by_code() {
    let (_wallet, mut client) = connected(DevWallet::builder()).await;
    let deep = format!("{}{}", "[".repeat(5000), "]".repeat(5000));
    for (frame, code) in [
        ("", -32700),
        ("{", -32700),
        ("nonsense", -32700),
        ("\u{0}", -32700),
        (deep.as_str(), -32600),
        ("42", -32600),
        ("null", -32600),
        ("[]", -32600),
        (r#"[{"jsonrpc":"2.0","id":1,"method":"status"}]"#, -32600),
        ("{}", -32600),
        (r#"{"id":1}"#, -32600),
        (r#"{"jsonrpc":"1.0","id":1,"method":"status"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":{},"method":"status"}"#, -32600),
        (r#"{"jsonrpc":"2.0","id":1,"method":7}"#, -32600),
    ] {
        client.send(frame).await;
        loop {
            let message = client.message().await;
            if message.get("method").is_none() {
                assert_eq!(message["error"]["code"], code, "{frame:.60}");
                assert_eq!(message["id"], Value::Null, "{frame:.60}");
                break;
            }
        }
    }
    client.call("status", Value::Null).await.unwrap();
}

#[tokio::test]
async fn bytes_notifications_and_odd_params_break_nothing() {
    let (_wallet, mut client) = connected(DevWallet::builder()).await;
    client
        .send(r#"{"jsonrpc":"2.0","method":"disconnect"}"#)
        .await;
    client.send_bytes(&[0xff; 64]).await;
    for params in [
        "7",
        "\"x\"",
        "[[]]",
        "[1,2,3]",
        "{\"message\":{}}",
        "[{\"message\":null}]",
    ] {
        let params: Value = serde_json::from_str(params).unwrap();
        for method in ["signMessage", "prepareExecute", "ledgerApi"] {
            let error = client.call(method, params.clone()).await.unwrap_err();
            assert_eq!(error["code"], -32602, "{method} {params}");
        }
    }
    assert_eq!(client.code("rpc.discover", Value::Null).await, -32601);
    // A notification has nobody to answer to: it was not executed.
    let connection = client.call("isConnected", Value::Null).await.unwrap();
    assert_eq!(connection["isConnected"], true);
}

#[tokio::test]
async fn random_frames_break_nothing() {
    let wallet = DevWallet::builder().start().await.unwrap();
    // A small generator, so that a failure repeats.
    let mut state = 0x2545_f491_4f6c_dd1d_u64;
    let mut next = || {
        state ^= state << 13;
        state ^= state >> 7;
        state ^= state << 17;
        state
    };
    let mut client = Client::on(&wallet).await;
    for _ in 0..500 {
        let length = (next() % 80) as usize;
        let alphabet = br#"{}[]:,"\/0123456789.eE+-tfnulrsajmethodid jsonrpc2"#;
        let frame: Vec<u8> = (0..length)
            .map(|_| alphabet[(next() % alphabet.len() as u64) as usize])
            .collect();
        client.send(&String::from_utf8(frame).unwrap()).await;
    }
    client.call("status", Value::Null).await.unwrap();
}
