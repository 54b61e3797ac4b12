//! OAuth 2.0 client credentials: a program with a secret of its own.

#[cfg(feature = "tls")]
use std::sync::Arc;

use oauth2::basic::BasicClient;
use oauth2::{AuthType, ClientId, ClientSecret, Scope, TokenUrl};
use secrecy::{ExposeSecret, SecretString};
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConfig;

use super::fetch;
use super::issuer::{Issuer, credential, refused};
use super::{AuthError, AuthFuture, AuthRequest, Authenticator, Credential};

/// Tokens for a program itself, by the OAuth 2.0 client credentials grant (RFC 6749, 4.4). The
/// token endpoint is found by the issuer's `openid-configuration`.
#[derive(Debug)]
pub struct ClientCredentials {
    issuer: Issuer,
    id: String,
    secret: SecretString,
    scopes: Vec<String>,
    audience: Option<String>,
    in_body: bool,
}

impl ClientCredentials {
    /// The client `id` of the identity provider at `issuer`.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the issuer is no `https` address (or `http` on this computer).
    pub fn new(
        issuer: &str,
        id: impl Into<String>,
        secret: SecretString,
    ) -> Result<Self, AuthError> {
        Ok(Self {
            issuer: Issuer::new(issuer)?,
            id: id.into(),
            secret,
            scopes: vec!["daml_ledger_api".to_owned()],
            audience: None,
            in_body: false,
        })
    }

    /// Sets the scopes to ask for. Default `daml_ledger_api`.
    #[must_use]
    pub fn scopes<S: Into<String>>(mut self, scopes: impl IntoIterator<Item = S>) -> Self {
        self.scopes = scopes.into_iter().map(Into::into).collect();
        self
    }

    /// Sets the audience to ask for, where the identity provider wants one. Default none.
    #[must_use]
    pub fn audience(mut self, audience: impl Into<String>) -> Self {
        self.audience = Some(audience.into());
        self
    }

    /// Sends id and secret in the body of the request instead of its `Authorization` header.
    #[must_use]
    pub fn secret_in_body(mut self) -> Self {
        self.in_body = true;
        self
    }

    /// How to speak TLS with the identity provider: for private certificate authorities. Default:
    /// `rustls` with `ring`, certificates checked the way the operating system does.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if no HTTP client can be set up with it.
    #[cfg(feature = "tls")]
    pub fn tls_config(mut self, config: Arc<ClientConfig>) -> Result<Self, AuthError> {
        self.issuer.speak(config)?;
        Ok(self)
    }

    async fn token(&self) -> Result<Credential, AuthError> {
        let endpoints = self.issuer.endpoints().await?;
        let auth = if self.in_body {
            AuthType::RequestBody
        } else {
            AuthType::BasicAuth
        };
        let client = BasicClient::new(ClientId::new(self.id.clone()))
            .set_client_secret(ClientSecret::new(self.secret.expose_secret().to_owned()))
            .set_auth_type(auth)
            .set_token_uri(TokenUrl::from_url(endpoints.token_endpoint.clone()));
        let mut request = client
            .exchange_client_credentials()
            .add_scopes(self.scopes.iter().cloned().map(Scope::new));
        if let Some(audience) = &self.audience {
            request = request.add_extra_param("audience", audience);
        }
        let http = fetch::carrier(&self.issuer.client);
        let answer = request.request_async(&http).await.map_err(refused)?;
        Ok(credential(&answer))
    }
}

impl Authenticator for ClientCredentials {
    fn name(&self) -> &str {
        "client credentials"
    }

    fn renews(&self) -> bool {
        true
    }

    fn authenticate<'a>(&'a self, _request: AuthRequest<'a>) -> AuthFuture<'a> {
        Box::pin(self.token())
    }
}
