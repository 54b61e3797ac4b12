//! Where an identity provider has what.

#[cfg(feature = "tls")]
use std::sync::Arc;

use reqwest::Client;
use serde::Deserialize;
use tokio::sync::OnceCell;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConfig;
use url::Url;

use super::fetch::{self, FetchError};
use super::{AuthError, AuthErrorKind, Credential, now};
use crate::address::is_trustworthy;
use crate::http::ClientOptions;
use oauth2::basic::{BasicErrorResponse, BasicTokenResponse};
use oauth2::{RequestTokenError, TokenResponse};

/// An identity provider: its address, and what its discovery document says.
#[derive(Debug)]
pub(super) struct Issuer {
    url: Url,
    pub(super) client: Client,
    endpoints: OnceCell<Endpoints>,
}

/// The part of the discovery document that is used.
#[derive(Debug, Deserialize)]
pub(super) struct Endpoints {
    issuer: String,
    #[serde(default)]
    pub(super) authorization_endpoint: Option<Url>,
    pub(super) token_endpoint: Url,
}

impl Issuer {
    pub(super) fn new(url: &str) -> Result<Self, AuthError> {
        let url = Url::parse(url).map_err(|problem| {
            AuthError::new(AuthErrorKind::Malformed, "the issuer is no URL").with_source(problem)
        })?;
        if !is_trustworthy(&url) {
            return Err(fetch::untrusted(&url));
        }
        Ok(Self {
            client: fetch::client(&url, &ClientOptions::default())?,
            url,
            endpoints: OnceCell::new(),
        })
    }

    /// Speaks TLS as `config` says from now on.
    #[cfg(feature = "tls")]
    pub(super) fn speak(&mut self, config: Arc<ClientConfig>) -> Result<(), AuthError> {
        let options = ClientOptions {
            tls: Some(config),
            ..ClientOptions::default()
        };
        self.client = fetch::client(&self.url, &options)?;
        Ok(())
    }

    /// What it calls itself.
    pub(super) fn name(&self) -> &str {
        self.url.as_str()
    }

    /// What the identity provider says of itself; asked until it answers, then kept.
    pub(super) async fn endpoints(&self) -> Result<&Endpoints, AuthError> {
        self.endpoints.get_or_try_init(|| self.discover()).await
    }

    async fn discover(&self) -> Result<Endpoints, AuthError> {
        let mut url = self.url.clone();
        let path = url.path().trim_end_matches('/').to_owned();
        url.set_path(&format!("{path}/.well-known/openid-configuration"));
        url.set_query(None);
        let found: Endpoints = fetch::get(&self.client, &url).await?;
        let same = found.issuer.trim_end_matches('/') == self.url.as_str().trim_end_matches('/');
        if !same {
            return Err(AuthError::new(
                AuthErrorKind::Malformed,
                "the identity provider says that it is another issuer",
            ));
        }
        let endpoints = [
            Some(&found.token_endpoint),
            found.authorization_endpoint.as_ref(),
        ];
        for endpoint in endpoints.into_iter().flatten() {
            if !is_trustworthy(endpoint) {
                return Err(fetch::untrusted(endpoint));
            }
        }
        Ok(found)
    }
}

/// The access token of an answer.
pub(super) fn credential(answer: &BasicTokenResponse) -> Credential {
    let token = Credential::bearer(answer.access_token().secret().clone().into());
    match answer.expires_in() {
        Some(life) => token.expiring_at(now().saturating_add(life)),
        None => token,
    }
}

/// Why there is no token.
pub(super) fn refused(error: RequestTokenError<FetchError, BasicErrorResponse>) -> AuthError {
    match error {
        RequestTokenError::Request(error) => error.into(),
        RequestTokenError::ServerResponse(said) => {
            let code: &str = said.error().as_ref();
            let detail = said.error_description().map_or(String::new(), |text| {
                let short: String = text.chars().take(120).collect();
                format!(" ({short})")
            });
            let (kind, does) = match code {
                // Said with a status that looks like a refusal.
                "temporarily_unavailable" | "server_error" => (AuthErrorKind::Unavailable, "fails"),
                _ => (AuthErrorKind::Refused, "refuses"),
            };
            AuthError::new(
                kind,
                format!("the identity provider {does}: {code}{detail}"),
            )
        }
        // What it sent may be a token: neither kept nor shown.
        RequestTokenError::Parse(..) | RequestTokenError::Other(_) => AuthError::new(
            AuthErrorKind::Malformed,
            "the identity provider's answer cannot be understood",
        ),
    }
}
