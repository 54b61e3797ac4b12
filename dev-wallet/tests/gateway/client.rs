//! An HTTP client that knows nothing of wallets, byte by byte.

use std::collections::HashMap;
use std::time::Duration;

use moorline_dev_wallet::{Control, DevWallet, DevWalletBuilder, Profile};
use serde_json::{Value, json};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::TcpStream;

/// Longer than anything takes; reached only by a test that fails.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never happened")
}

/// An answer.
#[derive(Debug)]
pub(crate) struct Reply {
    pub(crate) status: u16,
    pub(crate) headers: HashMap<String, String>,
    pub(crate) body: String,
}

impl Reply {
    pub(crate) fn json(&self) -> Value {
        serde_json::from_str(&self.body).unwrap_or_else(|_| panic!("no JSON: {self:?}"))
    }

    pub(crate) fn header(&self, name: &str) -> &str {
        self.headers.get(name).map_or("", String::as_str)
    }

    pub(crate) fn is_html(&self) -> bool {
        self.header("content-type").starts_with("text/html")
    }
}

/// A connection that is kept.
pub(crate) struct Wire {
    socket: BufReader<TcpStream>,
}

impl Wire {
    pub(crate) async fn to(wallet: &DevWallet) -> Self {
        let socket = TcpStream::connect(wallet.address()).await.unwrap();
        Self {
            socket: BufReader::new(socket),
        }
    }

    pub(crate) async fn send(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<()> {
        let mut head = format!("{method} {path} HTTP/1.1\r\n");
        if !headers.iter().any(|(name, _)| *name == "host") {
            let address = self.socket.get_ref().peer_addr()?;
            head.push_str(&format!("host: {address}\r\n"));
        }
        for (name, value) in headers {
            head.push_str(&format!("{name}: {value}\r\n"));
        }
        head.push_str(&format!("content-length: {}\r\n\r\n{body}", body.len()));
        self.socket.write_all(head.as_bytes()).await
    }

    async fn line(&mut self) -> std::io::Result<String> {
        let mut line = String::new();
        if self.socket.read_line(&mut line).await? == 0 {
            return Err(std::io::ErrorKind::UnexpectedEof.into());
        }
        Ok(line.trim_end().to_owned())
    }

    pub(crate) async fn head(&mut self) -> std::io::Result<(u16, HashMap<String, String>)> {
        let status = self.line().await?;
        let status = status.split(' ').nth(1).unwrap().parse().unwrap();
        let mut headers = HashMap::new();
        loop {
            let line = self.line().await?;
            let Some((name, value)) = line.split_once(": ") else {
                return Ok((status, headers));
            };
            headers.insert(name.to_ascii_lowercase(), value.to_owned());
        }
    }

    /// The next chunk of a chunked body; `None` at its end.
    pub(crate) async fn chunk(&mut self) -> std::io::Result<Option<Vec<u8>>> {
        let length = self.line().await?;
        let length = usize::from_str_radix(&length, 16).unwrap();
        let mut bytes = vec![0; length + 2];
        self.socket.read_exact(&mut bytes).await?;
        bytes.truncate(length);
        Ok((length > 0).then_some(bytes))
    }

    pub(crate) async fn reply(&mut self) -> std::io::Result<Reply> {
        let (status, headers) = self.head().await?;
        let length = headers.get("content-length").map_or("0", String::as_str);
        let mut body = vec![0; length.parse().unwrap()];
        self.socket.read_exact(&mut body).await?;
        Ok(Reply {
            status,
            headers,
            body: String::from_utf8(body).unwrap(),
        })
    }

    pub(crate) async fn ask(
        &mut self,
        method: &str,
        path: &str,
        headers: &[(&str, &str)],
        body: &str,
    ) -> std::io::Result<Reply> {
        self.send(method, path, headers, body).await?;
        soon(self.reply()).await
    }

    /// Returns once the other side has closed; what came before that.
    pub(crate) async fn rest(&mut self) -> String {
        let mut rest = Vec::new();
        soon(self.socket.read_to_end(&mut rest)).await.ok();
        String::from_utf8_lossy(&rest).into_owned()
    }
}

/// A program, with its token.
pub(crate) struct Client {
    pub(crate) wire: Wire,
    pub(crate) token: Option<String>,
    pub(crate) key: Option<String>,
    next: u64,
}

impl Client {
    pub(crate) async fn on(wallet: &DevWallet) -> Self {
        Self {
            wire: Wire::to(wallet).await,
            token: None,
            key: None,
            next: 0,
        }
    }

    fn authorization(&self) -> Option<String> {
        let token = self.token.as_ref().map(|it| format!("Bearer {it}"));
        token.or_else(|| self.key.as_ref().map(|it| format!("ApiKey {it}")))
    }

    pub(crate) async fn post(&mut self, path: &str, body: &str) -> Reply {
        let authorization = self.authorization();
        let mut headers = vec![("content-type", "application/json")];
        if let Some(authorization) = &authorization {
            headers.push(("authorization", authorization));
        }
        self.wire.ask("POST", path, &headers, body).await.unwrap()
    }

    pub(crate) async fn raw(&mut self, method: &str, params: Value) -> Reply {
        self.raw_at("/api/v0/dapp", method, params).await
    }

    pub(crate) async fn raw_at(&mut self, path: &str, method: &str, params: Value) -> Reply {
        self.next += 1;
        let mut request = json!({ "jsonrpc": "2.0", "id": self.next, "method": method });
        if !params.is_null() {
            request["params"] = params;
        }
        self.post(path, &request.to_string()).await
    }

    /// The result of a dApp method.
    pub(crate) async fn call(&mut self, method: &str, params: Value) -> Value {
        let reply = self.raw(method, params).await;
        assert_eq!(reply.status, 200, "{method}: {reply:?}");
        let answer = reply.json();
        assert_eq!(answer["id"], json!(self.next), "{answer}");
        assert!(answer.get("result").is_some(), "{method}: {answer}");
        answer["result"].clone()
    }

    /// Status and error of a dApp method.
    pub(crate) async fn refused(&mut self, method: &str, params: Value) -> (u16, Value) {
        let reply = self.raw(method, params).await;
        (reply.status, reply.json()["error"].clone())
    }

    /// The result of a user API method.
    pub(crate) async fn user(&mut self, method: &str, params: Value) -> Value {
        let reply = self.raw_at("/api/v0/user", method, params).await;
        assert_eq!(reply.status, 200, "{method}: {reply:?}");
        reply.json()["result"].clone()
    }

    /// A stream with this client's token.
    pub(crate) async fn events(&self, wallet: &DevWallet) -> Events {
        let authorization = self.authorization();
        Events::open(wallet, "/api/v0/dapp/events", authorization.as_deref())
            .await
            .unwrap_or_else(|reply| panic!("no stream: {reply:?}"))
    }
}

/// A stream of events.
pub(crate) struct Events {
    pub(crate) wire: Wire,
    pub(crate) headers: HashMap<String, String>,
    buffer: Vec<u8>,
    pub(crate) chunks: usize,
}

impl Events {
    pub(crate) async fn open(
        wallet: &DevWallet,
        path: &str,
        authorization: Option<&str>,
    ) -> Result<Self, Reply> {
        let mut wire = Wire::to(wallet).await;
        let mut headers = vec![("accept", "text/event-stream")];
        if let Some(authorization) = authorization {
            headers.push(("authorization", authorization));
        }
        wire.send("GET", path, &headers, "").await.unwrap();
        let (status, headers) = soon(wire.head()).await.unwrap();
        if status != 200 {
            let length: usize = headers["content-length"].parse().unwrap();
            let mut body = vec![0; length];
            wire.socket.read_exact(&mut body).await.unwrap();
            return Err(Reply {
                status,
                headers,
                body: String::from_utf8(body).unwrap(),
            });
        }
        Ok(Self {
            wire,
            headers,
            buffer: Vec::new(),
            chunks: 0,
        })
    }

    /// The next event: its name and its payload. `None` at the end of the stream, `Err` if it
    /// breaks.
    pub(crate) async fn next(&mut self) -> std::io::Result<Option<(String, Value)>> {
        loop {
            let Some(event) = self.block().await? else {
                return Ok(None);
            };
            if event.starts_with(':') {
                continue;
            }
            let field = |name: &str| {
                let mut lines = event.lines();
                lines
                    .find_map(|line| line.strip_prefix(name))
                    .unwrap()
                    .to_owned()
            };
            let data: Value = serde_json::from_str(&field("data: ")).unwrap();
            let mut arguments = data.as_array().unwrap().clone();
            assert_eq!(arguments.len(), 1, "an event has one argument");
            return Ok(Some((field("event: "), arguments.remove(0))));
        }
    }

    /// The next thing on the stream, which must be a comment.
    pub(crate) async fn comment(&mut self) -> String {
        let block = self.block().await.unwrap().expect("the stream has ended");
        let comment = block.strip_prefix(':').expect("no comment");
        comment.trim().to_owned()
    }

    /// Everything up to the next empty line.
    async fn block(&mut self) -> std::io::Result<Option<String>> {
        loop {
            let end = self.buffer.windows(2).position(|it| it == b"\n\n");
            if let Some(end) = end {
                let block = self.buffer.drain(..end + 2).collect();
                return Ok(Some(String::from_utf8(block).unwrap()));
            }
            match soon(self.wire.chunk()).await? {
                Some(chunk) => {
                    self.chunks += 1;
                    self.buffer.extend(chunk);
                }
                None => return Ok(None),
            }
        }
    }

    /// The next event, which must have this name.
    pub(crate) async fn expect(&mut self, name: &str) -> Value {
        let (got, payload) = self.next().await.unwrap().expect("the stream has ended");
        assert_eq!(got, name, "{payload}");
        payload
    }

    /// The next transaction event: its status.
    pub(crate) async fn tx(&mut self) -> String {
        let payload = self.expect("txChanged").await;
        payload["status"].as_str().unwrap().to_owned()
    }

    /// Asserts that nothing came: what is sent now is the next thing.
    pub(crate) async fn nothing_before(&mut self, control: &Control) {
        control.stream_raw("event: marker\ndata: [1]\n\n");
        let (name, payload) = self.next().await.unwrap().unwrap();
        assert_eq!(name, "marker", "{payload}");
    }

    pub(crate) async fn ends(&mut self) {
        assert!(self.next().await.unwrap().is_none(), "the stream goes on");
    }
}

/// A wallet of a profile.
pub(crate) async fn wallet(profile: Profile) -> DevWallet {
    builder(profile).start().await.unwrap()
}

pub(crate) fn builder(profile: Profile) -> DevWalletBuilder {
    DevWallet::builder().profile(profile)
}

/// A token of the identity provider, for the user that a program's own credentials stand for.
pub(crate) async fn client_token(wallet: &DevWallet) -> String {
    let mut wire = Wire::to(wallet).await;
    let form = "grant_type=client_credentials&client_id=moorline-backend&client_secret=dev-secret";
    let headers = [("content-type", "application/x-www-form-urlencoded")];
    let reply = wire
        .ask("POST", "/idp/token", &headers, form)
        .await
        .unwrap();
    assert_eq!(reply.status, 200, "{reply:?}");
    reply.json()["access_token"].as_str().unwrap().to_owned()
}

/// A program that has logged in.
pub(crate) async fn logged_in(wallet: &DevWallet) -> Client {
    logged_in_from(wallet, "https://app.example").await
}

pub(crate) async fn logged_in_from(wallet: &DevWallet, origin: &str) -> Client {
    let mut client = Client::on(wallet).await;
    client.token = Some(client_token(wallet).await);
    let params = json!({ "networkId": "canton:local", "origin": origin });
    let session = client.user("addSession", params).await;
    assert_eq!(session["status"], "connected");
    client
}

/// One command.
pub(crate) fn commands(id: &str) -> Value {
    json!({ "commandId": id, "commands": [{ "CreateCommand": {
        "templateId": "#p:M:T", "createArguments": {},
    } }] })
}
