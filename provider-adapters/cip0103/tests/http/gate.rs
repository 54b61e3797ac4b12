//! A gateway made of bytes: it answers like one of the first or second generation, unless a test
//! says what exactly goes over the wire.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Mutex, MutexGuard};
use std::time::Duration;

use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{Notify, mpsc};
use tokio::task::AbortHandle;

/// What goes back over the wire instead of a proper answer.
#[derive(Clone, Debug)]
pub(crate) enum Reply {
    /// These bytes, each piece flushed on its own; then the connection is closed.
    Bytes(Vec<Vec<u8>>),
    /// Status, further head lines, body. The connection stays.
    Http(u16, &'static str, String),
    /// The connection is closed without an answer.
    Close,
}

/// A request as it came.
#[derive(Clone, Debug)]
pub(crate) struct Seen {
    pub(crate) target: String,
    pub(crate) authorization: Option<String>,
    pub(crate) fence: Option<String>,
    pub(crate) method: String,
    pub(crate) params: Option<Value>,
    pub(crate) body: String,
}

/// How the gateway stands. Tests change it at will.
pub(crate) struct Stand {
    /// Tokens that are taken, whole header values.
    pub(crate) tokens: Vec<String>,
    /// Whether no token is needed.
    pub(crate) open: bool,
    /// Whether there is a session.
    pub(crate) session: bool,
    pub(crate) idp_up: bool,
    pub(crate) ledger_up: bool,
    pub(crate) network: String,
    pub(crate) accounts: Vec<String>,
    /// Replies in place of proper ones, by method (`events` for the stream), in order.
    pub(crate) overrides: HashMap<String, VecDeque<Reply>>,
    pub(crate) seen: Vec<Seen>,
    streams: Vec<mpsc::UnboundedSender<Vec<u8>>>,
    tasks: Vec<AbortHandle>,
    pub(crate) refuse_connections: bool,
}

/// The gateway. Ends when dropped.
pub(crate) struct Gate {
    stand: Arc<Mutex<Stand>>,
    changed: Arc<Notify>,
    port: u16,
    accepting: AbortHandle,
}

impl Gate {
    pub(crate) async fn start() -> Self {
        let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
        let port = listener.local_addr().unwrap().port();
        let stand = Arc::new(Mutex::new(Stand {
            tokens: vec!["Bearer good".to_owned()],
            open: false,
            session: true,
            idp_up: true,
            ledger_up: true,
            network: "canton:one".to_owned(),
            accounts: vec!["alice::1".to_owned()],
            overrides: HashMap::new(),
            seen: Vec::new(),
            streams: Vec::new(),
            tasks: Vec::new(),
            refuse_connections: false,
        }));
        let changed = Arc::new(Notify::new());
        let accepting = tokio::spawn(accept(listener, stand.clone(), changed.clone()));
        Self {
            stand,
            changed,
            port,
            accepting: accepting.abort_handle(),
        }
    }

    pub(crate) fn url(&self) -> String {
        format!("http://127.0.0.1:{}/api/v0/dapp", self.port)
    }

    pub(crate) fn stand(&self) -> MutexGuard<'_, Stand> {
        self.stand.lock().unwrap()
    }

    /// The next answer to `method` is this one.
    pub(crate) fn once(&self, method: &str, reply: Reply) {
        let mut stand = self.stand();
        let queue = stand.overrides.entry(method.to_owned()).or_default();
        queue.push_back(reply);
    }

    /// Sends an event to every stream.
    pub(crate) fn event(&self, name: &str, data: &Value) {
        self.raw(format!("event: {name}\ndata: {data}\n\n").into_bytes());
    }

    /// Sends bytes to every stream, as one chunk of the transfer encoding.
    pub(crate) fn raw(&self, bytes: Vec<u8>) {
        let mut stand = self.stand();
        stand
            .streams
            .retain(|stream| stream.send(bytes.clone()).is_ok());
    }

    /// Ends every stream, or leaves it silent for ever if `half` is set.
    pub(crate) fn cut_streams(&self, half: bool) {
        let streams = std::mem::take(&mut self.stand().streams);
        if half {
            // Nobody writes any more, and nobody closes.
            streams.into_iter().for_each(std::mem::forget);
        }
    }

    /// Cuts every connection there is, and refuses new ones until [`Self::come_back`].
    pub(crate) fn go_away(&self) {
        let mut stand = self.stand();
        stand.refuse_connections = true;
        stand.streams.clear();
        stand.tasks.drain(..).for_each(|task| task.abort());
    }

    pub(crate) fn come_back(&self) {
        self.stand().refuse_connections = false;
    }

    pub(crate) fn count(&self, method: &str) -> usize {
        let stand = self.stand();
        stand
            .seen
            .iter()
            .filter(|seen| seen.method == method)
            .count()
    }

    /// Waits until something about the gateway is so.
    pub(crate) async fn until(&self, mut so: impl FnMut(&Stand) -> bool) {
        let waiting = async {
            loop {
                let changed = self.changed.notified();
                if so(&self.stand()) {
                    return;
                }
                tokio::select! {
                    () = changed => {}
                    () = tokio::time::sleep(Duration::from_millis(20)) => {}
                }
            }
        };
        crate::rig::soon(waiting).await;
    }

    pub(crate) async fn until_seen(&self, method: &str, times: usize) {
        self.until(|stand| {
            stand
                .seen
                .iter()
                .filter(|seen| seen.method == method)
                .count()
                >= times
        })
        .await;
    }

    pub(crate) async fn until_streams(&self, count: usize) {
        self.until(|stand| stand.streams.len() == count).await;
    }
}

impl Drop for Gate {
    fn drop(&mut self) {
        self.accepting.abort();
        self.go_away();
    }
}

async fn accept(listener: TcpListener, stand: Arc<Mutex<Stand>>, changed: Arc<Notify>) {
    loop {
        let Ok((socket, _)) = listener.accept().await else {
            continue;
        };
        let mut locked = stand.lock().unwrap();
        if locked.refuse_connections {
            continue;
        }
        let serving = tokio::spawn(serve(socket, stand.clone(), changed.clone()));
        locked.tasks.push(serving.abort_handle());
    }
}

async fn serve(mut socket: TcpStream, stand: Arc<Mutex<Stand>>, changed: Arc<Notify>) {
    let mut buffer = Vec::new();
    while let Some(request) = read(&mut socket, &mut buffer).await {
        let method = request.method.clone();
        let reply = {
            let mut stand = stand.lock().unwrap();
            stand.seen.push(request.clone());
            let queue = stand.overrides.get_mut(&method);
            queue.and_then(VecDeque::pop_front)
        };
        changed.notify_waiters();
        match reply {
            Some(Reply::Bytes(pieces)) => {
                for piece in pieces {
                    socket.write_all(&piece).await.ok();
                    socket.flush().await.ok();
                    tokio::time::sleep(Duration::from_millis(2)).await;
                }
                return;
            }
            Some(Reply::Close) => return,
            Some(Reply::Http(status, head, body)) => {
                write(&mut socket, status, head, &body).await;
            }
            None if method == "events" => {
                let answer = stand.lock().unwrap().listen(&request);
                match answer {
                    Ok(chunks) => return stream(socket, chunks, &changed).await,
                    Err((status, body)) => {
                        write(&mut socket, status, JSON, &body.to_string()).await
                    }
                }
            }
            None => {
                let (status, body) = stand.lock().unwrap().answer(&request);
                write(&mut socket, status, JSON, &body.to_string()).await;
            }
        }
    }
}

const JSON: &str = "content-type: application/json; charset=utf-8\r\n";

async fn write(socket: &mut TcpStream, status: u16, head: &str, body: &str) {
    let answer = format!(
        "HTTP/1.1 {status} Any\r\n{head}content-length: {}\r\n\r\n{body}",
        body.len()
    );
    socket.write_all(answer.as_bytes()).await.ok();
}

async fn stream(
    mut socket: TcpStream,
    mut chunks: mpsc::UnboundedReceiver<Vec<u8>>,
    changed: &Notify,
) {
    let head =
        "HTTP/1.1 200 OK\r\ncontent-type: text/event-stream\r\ntransfer-encoding: chunked\r\n\r\n";
    socket.write_all(head.as_bytes()).await.ok();
    changed.notify_waiters();
    let mut nothing = [0; 1];
    loop {
        let chunk = tokio::select! {
            chunk = chunks.recv() => chunk,
            // The other side has gone.
            _ = socket.read(&mut nothing) => return,
        };
        let Some(chunk) = chunk else { return };
        let mut bytes = format!("{:x}\r\n", chunk.len()).into_bytes();
        bytes.extend_from_slice(&chunk);
        bytes.extend_from_slice(b"\r\n");
        if socket.write_all(&bytes).await.is_err() {
            return;
        }
    }
}

async fn read(socket: &mut TcpStream, buffer: &mut Vec<u8>) -> Option<Seen> {
    loop {
        if let Some(end) = buffer.windows(4).position(|four| four == b"\r\n\r\n") {
            let head = String::from_utf8_lossy(&buffer[..end]).into_owned();
            let line = |name: &str| {
                head.lines().skip(1).find_map(|line| {
                    let (key, value) = line.split_once(':')?;
                    (key.eq_ignore_ascii_case(name)).then(|| value.trim().to_owned())
                })
            };
            let length: usize = line("content-length").map_or(0, |it| it.parse().unwrap());
            if buffer.len() >= end + 4 + length {
                let body = buffer[end + 4..end + 4 + length].to_vec();
                buffer.drain(..end + 4 + length);
                let target = head.split(' ').nth(1).unwrap().to_owned();
                let rpc: Value = serde_json::from_slice(&body).unwrap_or_default();
                let method = match rpc["method"].as_str() {
                    Some(method) => method.to_owned(),
                    None if target.contains("/events") => "events".to_owned(),
                    None => target.clone(),
                };
                return Some(Seen {
                    authorization: line("authorization"),
                    fence: line("moorline-fence"),
                    target,
                    method,
                    params: rpc.get("params").cloned(),
                    body: String::from_utf8_lossy(&body).into_owned(),
                });
            }
        }
        let mut piece = [0; 4096];
        match socket.read(&mut piece).await {
            Ok(0) | Err(_) => return None,
            Ok(length) => buffer.extend_from_slice(&piece[..length]),
        }
    }
}

impl Stand {
    fn knows(&self, request: &Seen) -> bool {
        let shown = |token: &String| {
            request.authorization.as_ref() == Some(token)
                || token
                    .strip_prefix("Bearer ")
                    .is_some_and(|token| request.target.ends_with(&format!("?token={token}")))
        };
        self.open || (self.idp_up && self.tokens.iter().any(shown))
    }

    fn listen(&mut self, request: &Seen) -> Result<mpsc::UnboundedReceiver<Vec<u8>>, (u16, Value)> {
        if !self.knows(request) {
            return Err((401, json!({ "error": "Unauthenticated" })));
        }
        if !self.session {
            return Err((401, json!({ "error": "No session" })));
        }
        let (sender, receiver) = mpsc::unbounded_channel();
        self.streams.push(sender);
        Ok(receiver)
    }

    /// What `status` says, and the events.
    pub(crate) fn status(&self, known: bool) -> Value {
        if !(known && self.session) {
            return json!({
                "provider": { "id": "gate" },
                "connection": { "isConnected": false, "reason": "Unauthenticated",
                    "isNetworkConnected": false, "networkReason": "Unauthenticated" },
            });
        }
        json!({
            "provider": { "id": "gate", "version": "TODO", "providerType": "remote" },
            "connection": { "isConnected": true, "reason": "OK", "isNetworkConnected": self.ledger_up },
            "network": { "networkId": self.network, "accessToken": "eyJmb3JlaWdu.eyJ0b2tlbg.c2ln" },
            "session": { "id": "s", "accessToken": "eyJmb3JlaWdu.eyJ0b2tlbg.c2ln", "userId": "u" },
            "userUrl": "http://127.0.0.1:1/login/",
        })
    }

    pub(crate) fn wallets(&self) -> Value {
        let wallets = self.accounts.iter().enumerate().map(|(place, party)| {
            json!({ "primary": place == 0, "partyId": party, "status": "allocated",
                "networkId": self.network, "rights": ["CanActAs"] })
        });
        wallets.collect()
    }

    fn answer(&mut self, request: &Seen) -> (u16, Value) {
        let known = self.knows(request);
        let id =
            serde_json::from_str::<Value>(&request.body).map_or(Value::Null, |it| it["id"].clone());
        let ok = |result: Value| (200, json!({ "jsonrpc": "2.0", "id": id, "result": result }));
        let no = |status: u16, error: Value| {
            (
                status,
                json!({ "jsonrpc": "2.0", "id": id, "error": error }),
            )
        };
        match request.method.as_str() {
            "status" => return ok(self.status(known)),
            "connect" | "isConnected" if known && self.session => {
                return ok(json!({ "isConnected": true, "isNetworkConnected": self.ledger_up }));
            }
            "connect" | "isConnected" => {
                return ok(json!({ "isConnected": false, "isNetworkConnected": false,
                    "networkReason": "Unauthenticated", "userUrl": "http://127.0.0.1:1/login/" }));
            }
            "disconnect" => {
                if known {
                    self.session = false;
                }
                return ok(Value::Null);
            }
            "/.well-known/wallet-gateway-config" => {
                return (404, json!({}));
            }
            _ if !known => return no(401, json!({ "code": 4100 })),
            "addSession" => {
                self.session = true;
                if let Some(network) = request
                    .params
                    .as_ref()
                    .and_then(|it| it["networkId"].as_str())
                {
                    self.network = network.to_owned();
                }
                return ok(json!({ "id": "s" }));
            }
            _ if !self.session => {
                return no(
                    500,
                    json!({ "code": -32603, "message": "No session found", "data": {} }),
                );
            }
            _ => {}
        }
        match request.method.as_str() {
            "listAccounts" => ok(self.wallets()),
            "prepareExecute" => {
                ok(json!({ "userUrl": "http://127.0.0.1:1/approve/index.html?commandId=x" }))
            }
            "signMessage" => ok(json!({ "signature": "c2ln" })),
            _ => (
                404,
                json!({ "jsonrpc": "2.0", "id": null, "error": { "code": -32601 } }),
            ),
        }
    }
}
