//! The page a login leads to.

use moorline_dev_wallet::DevWallet;
use serde_json::Value;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::client::{Client, asking, soon};

async fn http(wallet: &DevWallet, request: &str) -> String {
    let mut socket = TcpStream::connect(wallet.address()).await.unwrap();
    let request = format!("{request} HTTP/1.1\r\nHost: localhost\r\nContent-Length: 0\r\n\r\n");
    socket.write_all(request.as_bytes()).await.unwrap();
    let mut answer = String::new();
    soon(socket.read_to_string(&mut answer)).await.unwrap();
    answer
}

#[tokio::test]
async fn a_person_logs_in_with_a_browser() {
    let wallet = asking().await;
    let mut client = Client::on(&wallet).await;
    let answer = client.call("connect", Value::Null).await.unwrap();
    let url = answer["userUrl"].as_str().unwrap();
    assert_eq!(url, format!("http://{}/login", wallet.address()));
    let page = http(&wallet, "GET /login").await;
    assert!(page.starts_with("HTTP/1.1 200"), "{page}");
    assert!(page.contains("Connect"), "{page}");
    let done = http(&wallet, "POST /login/approve").await;
    assert!(done.contains("1 decided"), "{done}");
    client.event("connected").await;
    assert!(wallet.control().has_session());
}

#[tokio::test]
async fn looking_decides_nothing_and_other_paths_are_no_pages() {
    let wallet = asking().await;
    let mut client = Client::on(&wallet).await;
    client.call("connect", Value::Null).await.unwrap();
    http(&wallet, "GET /login/approve").await;
    http(&wallet, "DELETE /login").await;
    http(&wallet, "GET /").await;
    assert_eq!(wallet.control().pending().len(), 1);
}
