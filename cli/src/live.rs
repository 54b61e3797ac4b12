//! The wallet that scenarios are played against, and who controls it.

use std::io::{BufRead, BufReader, Read, Write};
use std::net::TcpStream;
use std::sync::{Arc, Mutex, PoisonError};
use std::time::Duration;

use moorline::Provider;
use moorline_cip0103::{HttpProvider, WsProvider};
use moorline_scenarios::{ActFuture, DevWalletControl, WalletControl};
use serde_json::{Value, json};

use crate::failure::Failure;

/// How long a wallet's admin endpoint is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// The longest answer that is read, in bytes.
const LONGEST: usize = 1024 * 1024;

/// With a stepped clock no adapter looks by itself within this time.
const SELDOM: Duration = Duration::from_secs(40 * 3600);

/// A live wallet.
pub(crate) struct LiveWallet {
    url: String,
    over_http: bool,
    /// Its admin endpoint, if there is one.
    admin: Option<Arc<Admin>>,
}

impl LiveWallet {
    /// The wallet at `url`. Its admin endpoint is looked for where a development wallet of this
    /// computer has it, if none is named.
    pub(crate) fn find(url: &str, admin: Option<&str>) -> Result<Self, Failure> {
        let scheme = url
            .split(':')
            .next()
            .unwrap_or_default()
            .to_ascii_lowercase();
        let mut wallet = Self {
            url: url.to_owned(),
            over_http: matches!(scheme.as_str(), "http" | "https"),
            admin: None,
        };
        // What cannot be an address is said before anything is played.
        wallet.provider(false)?;
        let look = |url: &str| {
            let admin = Admin::at(url)?;
            let state = admin.ask("GET", "state", "")?;
            match state["profile"].is_string() {
                true => Ok(Arc::new(admin)),
                false => Err("it is no admin endpoint of a development wallet".to_owned()),
            }
        };
        wallet.admin = match admin {
            Some(url) => Some(look(url).map_err(|why| Failure::Admin(format!("{url}: {why}")))?),
            None => guess(url).and_then(|url| look(&url).ok()),
        };
        Ok(wallet)
    }

    /// Whether somebody controls it.
    pub(crate) fn is_controlled(&self) -> bool {
        self.admin.is_some()
    }

    /// Makes providers for it; `stepped` for a clock that is not the computer's.
    pub(crate) fn providers(
        self: &Arc<Self>,
        stepped: bool,
    ) -> impl Fn() -> Result<Arc<dyn Provider>, String> + Send + Sync + 'static {
        let wallet = self.clone();
        move || wallet.provider(stepped).map_err(|why| why.to_string())
    }

    fn provider(&self, stepped: bool) -> Result<Arc<dyn Provider>, Failure> {
        if self.over_http {
            let mut builder = HttpProvider::builder(&self.url);
            if stepped {
                let at_once = Duration::from_millis(1);
                builder = builder
                    .stream_backoff(at_once, at_once)
                    .all_transactions(true)
                    .poll_interval(SELDOM)
                    .max_stream_age(SELDOM);
            }
            return Ok(Arc::new(builder.build()?));
        }
        let mut builder = WsProvider::builder(&self.url);
        if stepped {
            builder = builder
                .ping_interval(SELDOM)
                .inactivity_limit(2 * SELDOM)
                .request_ceiling(SELDOM);
        }
        Ok(Arc::new(builder.build()?))
    }

    /// Control over it, for one run.
    pub(crate) fn control(&self) -> Option<Arc<dyn WalletControl>> {
        let admin = self.admin.clone()?;
        let acts = DevWalletControl::new(move |name, fields| {
            let done = admin.act(name, &fields);
            let act: ActFuture<'static> = Box::pin(std::future::ready(done));
            act
        });
        Some(match self.over_http {
            true => Arc::new(acts.over_http()),
            false => Arc::new(acts),
        })
    }
}

/// Where a development wallet at this address has its admin endpoint.
fn guess(url: &str) -> Option<String> {
    let (_, rest) = url.split_once("://")?;
    let place = rest.split(['/', '?', '#']).next()?;
    let host = place.rsplit_once(':').map_or(place, |(host, _)| host);
    let here = matches!(host, "localhost" | "[::1]") || host.starts_with("127.");
    here.then(|| format!("http://{place}/admin"))
}

/// A connection to an admin endpoint. One for all: it stands while the wallet refuses new ones.
///
/// It is the computer's own socket, not one of a runtime: every run has a runtime of its own, and a
/// clock that is stepped.
struct Admin {
    /// Host and port, and the path.
    place: String,
    path: String,
    stream: Mutex<Option<BufReader<TcpStream>>>,
}

impl Admin {
    fn at(url: &str) -> Result<Self, String> {
        let no_address = || "the address of an admin endpoint begins with `http://`".to_owned();
        let rest = url.strip_prefix("http://").ok_or_else(no_address)?;
        let (place, path) = rest.split_once('/').unwrap_or((rest, ""));
        Ok(Self {
            place: place.to_owned(),
            path: path.trim_end_matches('/').to_owned(),
            stream: Mutex::default(),
        })
    }

    fn act(&self, name: &str, fields: &Value) -> Result<Value, String> {
        let answer = self.ask("POST", name, &fields.to_string())?;
        match answer["ok"] == json!(true) {
            true => Ok(answer["result"].clone()),
            false => Err(answer["error"].as_str().unwrap_or("it failed").to_owned()),
        }
    }

    fn ask(&self, method: &str, name: &str, body: &str) -> Result<Value, String> {
        let mut stream = self.stream.lock().unwrap_or_else(PoisonError::into_inner);
        let answer = self.exchange(&mut stream, method, name, body);
        if answer.is_err() {
            *stream = None;
        }
        let answer = answer.map_err(|why| why.to_string())?;
        let no_endpoint = |_| "it is no admin endpoint of a development wallet".to_owned();
        serde_json::from_slice(&answer).map_err(no_endpoint)
    }

    fn exchange(
        &self,
        stream: &mut Option<BufReader<TcpStream>>,
        method: &str,
        name: &str,
        body: &str,
    ) -> std::io::Result<Vec<u8>> {
        let reader = match stream {
            Some(reader) => reader,
            None => {
                let socket = TcpStream::connect(&self.place)?;
                socket.set_nodelay(true)?;
                socket.set_read_timeout(Some(PATIENCE))?;
                stream.insert(BufReader::new(socket))
            }
        };
        let (place, path, length) = (&self.place, &self.path, body.len());
        let request = format!(
            "{method} /{path}/{name} HTTP/1.1\r\nhost: {place}\r\n\
             content-type: application/json\r\ncontent-length: {length}\r\n\r\n{body}"
        );
        reader.get_mut().write_all(request.as_bytes())?;
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line)? == 0 {
                return Err(std::io::ErrorKind::UnexpectedEof.into());
            }
            let line = line.trim_end().to_ascii_lowercase();
            if line.is_empty() {
                break;
            }
            if let Some(said) = line.strip_prefix("content-length:") {
                length = said.trim().parse().unwrap_or(0);
            }
        }
        let mut answer = vec![0; length.min(LONGEST)];
        reader.read_exact(&mut answer)?;
        Ok(answer)
    }
}

#[cfg(test)]
mod tests {
    use super::guess;

    #[test]
    fn admin_endpoints_are_looked_for_on_this_computer_alone() {
        let found = |url| guess(url).unwrap_or_default();
        assert_eq!(found("ws://127.0.0.1:4103"), "http://127.0.0.1:4103/admin");
        assert_eq!(
            found("http://localhost:4103/api/v0/dapp"),
            "http://localhost:4103/admin"
        );
        assert_eq!(found("ws://[::1]:4103/x?y"), "http://[::1]:4103/admin");
        assert_eq!(found("https://wallet.example/api"), "");
    }
}
