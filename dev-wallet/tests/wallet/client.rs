//! A WebSocket client that knows nothing of wallets.

use std::time::Duration;

use moorline_dev_wallet::{Approval, DevWallet, DevWalletBuilder};
use serde_json::{Value, json};
use soketto::handshake::client::Header;
use soketto::handshake::{Client as Handshake, ServerResponse};
use soketto::{Receiver, Sender};
use tokio::net::TcpStream;
use tokio_util::compat::{Compat, TokioAsyncReadCompatExt};

/// Longer than anything takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never happened")
}

/// A wallet that asks a person about everything.
pub(crate) async fn asking() -> DevWallet {
    let builder = DevWallet::builder().approval(Approval::Manual);
    builder.start().await.unwrap()
}

pub(crate) struct Client {
    sender: Sender<Compat<TcpStream>>,
    receiver: Receiver<Compat<TcpStream>>,
    next_id: u64,
}

impl Client {
    pub(crate) async fn on(wallet: &DevWallet) -> Self {
        Self::under(wallet, None).await
    }

    /// A client that says with its handshake what it acts under.
    pub(crate) async fn under(wallet: &DevWallet, fence: Option<&str>) -> Self {
        let address = wallet.address().to_string();
        let socket = TcpStream::connect(&address).await.unwrap();
        let mut handshake = Handshake::new(socket.compat(), &address, "/");
        let header = fence.map(|fence| Header {
            name: "moorline-fence",
            value: fence.as_bytes(),
        });
        let headers: Vec<Header<'_>> = header.into_iter().collect();
        handshake.set_headers(&headers);
        match soon(handshake.handshake()).await.unwrap() {
            ServerResponse::Accepted { .. } => {}
            _ => panic!("no WebSocket"),
        }
        let (sender, receiver) = handshake.into_builder().finish();
        Self {
            sender,
            receiver,
            next_id: 0,
        }
    }

    pub(crate) async fn send(&mut self, text: &str) {
        self.sender.send_text(text).await.unwrap();
        self.sender.flush().await.unwrap();
    }

    pub(crate) async fn send_bytes(&mut self, bytes: &[u8]) {
        self.sender.send_binary(bytes).await.unwrap();
        self.sender.flush().await.unwrap();
    }

    /// The next frame; `None` once the connection has ended.
    pub(crate) async fn frame(&mut self) -> Option<String> {
        let mut frame = Vec::new();
        match soon(self.receiver.receive_data(&mut frame)).await {
            Ok(_) => Some(String::from_utf8_lossy(&frame).into_owned()),
            Err(_) => None,
        }
    }

    pub(crate) async fn message(&mut self) -> Value {
        let frame = self.frame().await.expect("the connection has ended");
        serde_json::from_str(&frame).unwrap()
    }

    /// The next event called `name`.
    pub(crate) async fn event(&mut self, name: &str) -> Value {
        loop {
            let message = self.message().await;
            if message["method"] == name {
                let mut params = message["params"].as_array().unwrap().clone();
                assert_eq!(params.len(), 1, "an event has one param: its payload");
                return params.remove(0);
            }
        }
    }

    /// Calls a method; events that come before the answer are passed over.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Result<Value, Value> {
        self.next_id += 1;
        let id = self.next_id;
        let mut request = json!({ "jsonrpc": "2.0", "id": id, "method": method });
        if !params.is_null() {
            request["params"] = params;
        }
        self.send(&request.to_string()).await;
        loop {
            let mut message = self.message().await;
            if message["id"] == id {
                return match message.get("error") {
                    Some(error) => {
                        // Code and message are a MUST.
                        assert!(error["code"].is_i64(), "{message}");
                        let text = error["message"].as_str().unwrap_or_default();
                        assert!(!text.is_empty(), "{message}");
                        Err(error.clone())
                    }
                    None => Ok(message["result"].take()),
                };
            }
        }
    }

    /// The code a call is refused with.
    pub(crate) async fn code(&mut self, method: &str, params: Value) -> i64 {
        let error = self.call(method, params).await.unwrap_err();
        error["code"].as_i64().unwrap()
    }
}

/// A wallet and a client that has connected to it.
pub(crate) async fn connected(builder: DevWalletBuilder) -> (DevWallet, Client) {
    let wallet = builder.start().await.unwrap();
    let mut client = Client::on(&wallet).await;
    let answer = client.call("connect", Value::Null).await.unwrap();
    assert_eq!(answer["isConnected"], true);
    (wallet, client)
}
