//! The wallet that scenarios are played against, and who controls it.

use std::sync::Arc;
use std::time::Duration;

use moorline::Provider;
use moorline_cip0103::{HttpProvider, WsProvider};
use moorline_scenarios::{ActFuture, DevWalletControl, WalletControl};
use serde_json::{Value, json};

use crate::failure::Failure;

/// How long a wallet's admin endpoint is waited for.
const PATIENCE: Duration = Duration::from_secs(10);

/// With a stepped clock no adapter looks by itself within this time.
const SELDOM: Duration = Duration::from_secs(40 * 3600);

/// A live wallet.
pub(crate) struct LiveWallet {
    url: String,
    over_http: bool,
    /// The address of its admin endpoint, if there is one.
    admin: Option<String>,
}

impl LiveWallet {
    /// The wallet at `url`. Its admin endpoint is looked for where a development wallet of this
    /// computer has it, if none is named.
    pub(crate) async fn find(url: &str, admin: Option<&str>) -> Result<Self, Failure> {
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
        if let Some(admin) = admin {
            let admin = admin.trim_end_matches('/').to_owned();
            ask(&client()?, &format!("{admin}/state"))
                .await
                .map_err(|why| Failure::Admin(format!("{admin}: {why}")))?;
            wallet.admin = Some(admin);
        } else if let Some(admin) = guess(url)
            && let Ok(client) = client()
            && let Ok(state) = ask(&client, &format!("{admin}/state")).await
            && state["profile"].is_string()
        {
            wallet.admin = Some(admin);
        }
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
            let url = format!("{admin}/{name}");
            let act: ActFuture<'static> = Box::pin(async move { post(&url, &fields).await });
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

fn client() -> Result<reqwest::Client, Failure> {
    // No proxy: the endpoint is on this computer. One connection a request: every run has a runtime
    // of its own, and so has every connection.
    let client = reqwest::Client::builder()
        .no_proxy()
        .pool_max_idle_per_host(0)
        .timeout(PATIENCE);
    client
        .build()
        .map_err(|why| Failure::Admin(why.to_string()))
}

async fn ask(client: &reqwest::Client, url: &str) -> Result<Value, String> {
    let answer = client
        .get(url)
        .send()
        .await
        .map_err(|why| why.to_string())?;
    read(answer).await
}

async fn post(url: &str, fields: &Value) -> Result<Value, String> {
    let client = client().map_err(|why| why.to_string())?;
    let request = client.post(url).body(fields.to_string());
    let answer = request.send().await.map_err(|why| why.to_string())?;
    let answer = read(answer).await?;
    match answer["ok"] == json!(true) {
        true => Ok(answer["result"].clone()),
        false => Err(answer["error"].as_str().unwrap_or("it failed").to_owned()),
    }
}

async fn read(answer: reqwest::Response) -> Result<Value, String> {
    let text = answer.text().await.map_err(|why| why.to_string())?;
    serde_json::from_str(&text)
        .map_err(|_| "it is no admin endpoint of a development wallet".into())
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
