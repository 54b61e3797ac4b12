//! JSON-RPC over POST, and whatever else is asked over HTTP.

use std::time::Duration;

use reqwest::{Client, Method, RequestBuilder, Response, redirect};
use secrecy::ExposeSecret;
use url::Url;

use crate::evidence::Trouble;
use crate::options::Credential;
use crate::reply::{Head, Reply};

/// The longest body that is read.
const LONGEST: usize = 4 * 1024 * 1024;

/// A client and the address it asks.
#[derive(Clone, Debug)]
pub(crate) struct HttpLine {
    client: Client,
    pub(crate) base: Url,
}

/// What differs from an ordinary request.
#[derive(Clone, Copy, Debug)]
pub(crate) struct Manner<'a> {
    pub(crate) credential: &'a Credential,
    pub(crate) content_type: &'a str,
    pub(crate) origin: Option<&'a str>,
}

impl<'a> Manner<'a> {
    pub(crate) fn with(credential: &'a Credential) -> Self {
        Self {
            credential,
            content_type: "application/json",
            origin: None,
        }
    }
}

impl HttpLine {
    pub(crate) fn new(base: Url) -> Result<Self, String> {
        let config = super::tls::config().map_err(|problem| problem.to_string())?;
        let client = Client::builder()
            .tls_backend_preconfigured(config)
            // A redirected POST is no POST any more: it is shown as what it is.
            .redirect(redirect::Policy::none())
            // Servers close idle connections after a few seconds; a request must not race with that.
            .pool_idle_timeout(Duration::from_secs(2))
            .build()
            .map_err(|problem| problem.to_string())?;
        Ok(Self { client, base })
    }

    /// The same client for another address.
    pub(crate) fn at(&self, base: Url) -> Self {
        Self {
            client: self.client.clone(),
            base,
        }
    }

    /// An address on the same server.
    pub(crate) fn on_server(&self, path: &str) -> Url {
        let mut url = self.base.clone();
        url.set_query(None);
        url.set_path(path);
        url
    }

    /// The address of the event stream.
    pub(crate) fn events_url(&self) -> Url {
        let path = format!("{}/events", self.base.path().trim_end_matches('/'));
        self.on_server(&path)
    }

    pub(crate) fn request(
        &self,
        method: Method,
        url: Url,
        credential: &Credential,
    ) -> RequestBuilder {
        let request = self.client.request(method, url);
        match credential.authorization() {
            Some(value) => request.header("Authorization", value.expose_secret()),
            None => request,
        }
    }

    /// Posts a body to the wallet.
    pub(crate) async fn post(
        &self,
        body: String,
        manner: Manner<'_>,
        at_most: Duration,
    ) -> Result<Reply, Trouble> {
        let request = self
            .request(Method::POST, self.base.clone(), manner.credential)
            .header("Content-Type", manner.content_type)
            .header("Accept", "application/json");
        let request = match manner.origin {
            Some(origin) => request.header("Origin", origin),
            None => request,
        };
        self.reply(request.body(body), at_most).await
    }

    /// Sends a request and reads the whole answer.
    pub(crate) async fn reply(
        &self,
        request: RequestBuilder,
        at_most: Duration,
    ) -> Result<Reply, Trouble> {
        let whole = async {
            let response = request.send().await.map_err(broken)?;
            let head = head(&response);
            Ok(Reply::new(Some(head), body(response).await?))
        };
        match tokio::time::timeout(at_most, whole).await {
            Ok(result) => result,
            Err(_) => Err(Trouble::Silent),
        }
    }
}

/// What went wrong, without the address: it may hold a token.
pub(crate) fn broken(problem: reqwest::Error) -> Trouble {
    let problem = problem.without_url();
    let mut said = problem.to_string();
    let mut cause: Option<&dyn std::error::Error> = std::error::Error::source(&problem);
    while let Some(inner) = cause {
        said = inner.to_string();
        cause = inner.source();
    }
    Trouble::Broken(said)
}

pub(crate) fn head(response: &Response) -> Head {
    let headers = response.headers().iter();
    Head {
        status: response.status().as_u16(),
        headers: headers
            .map(|(name, value)| {
                let value = String::from_utf8_lossy(value.as_bytes()).into_owned();
                (name.as_str().to_owned(), value)
            })
            .collect(),
    }
}

async fn body(mut response: Response) -> Result<String, Trouble> {
    let mut bytes = Vec::new();
    while let Some(chunk) = response.chunk().await.map_err(broken)? {
        bytes.extend_from_slice(&chunk);
        if bytes.len() > LONGEST {
            return Err(Trouble::Broken(format!(
                "the body is longer than {LONGEST} bytes"
            )));
        }
    }
    Ok(String::from_utf8_lossy(&bytes).into_owned())
}

pub(crate) fn host_and_port(url: &Url) -> (String, u16) {
    let host = match url.host() {
        Some(url::Host::Domain(name)) => name.to_owned(),
        Some(url::Host::Ipv4(ip)) => ip.to_string(),
        Some(url::Host::Ipv6(ip)) => ip.to_string(),
        None => String::new(),
    };
    (host, url.port_or_known_default().unwrap_or(80))
}
