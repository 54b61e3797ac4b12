//! OAuth 2.0 authorization code with PKCE: a person logs in with a browser.

use std::fmt;
#[cfg(feature = "tls")]
use std::sync::Arc;
use std::time::Duration;

use moorline::UserAction;
use moorline::provider::{OpenMode, UserActionKind};
use oauth2::basic::{BasicClient, BasicTokenResponse};
use oauth2::{
    AuthUrl, AuthorizationCode as Code, ClientId, CsrfToken, EndpointNotSet, EndpointSet,
    PkceCodeChallenge, RedirectUrl, RefreshToken, Scope, TokenResponse, TokenUrl,
};
use secrecy::{ExposeSecret, SecretString};
use tokio::sync::Mutex;
#[cfg(feature = "tls")]
use tokio_rustls::rustls::ClientConfig;

use super::fetch;
use super::issuer::{Issuer, credential, refused};
use super::loopback::Loopback;
use super::{AuthError, AuthErrorKind, AuthFuture, AuthRequest, Authenticator, Credential};

/// Hears of refresh tokens.
type Keep = Box<dyn Fn(Option<&SecretString>) + Send + Sync>;

/// A login with a browser, for programs on a person's own computer: authorization code with PKCE
/// (RFC 7636) and a redirect to a port of this computer (RFC 8252).
///
/// The address to open is handed out as a user action; nothing is opened from here. A refresh token
/// is used where the identity provider gives one: then later tokens need no person. One that was
/// [kept](Self::on_refresh_token) lets a program that starts anew go without a person, too.
pub struct AuthorizationCode {
    issuer: Issuer,
    id: String,
    scopes: Vec<String>,
    audience: Option<String>,
    deadline: Duration,
    refresh: Mutex<Option<SecretString>>,
    keep: Option<Keep>,
}

type Client = BasicClient<EndpointSet, EndpointNotSet, EndpointNotSet, EndpointNotSet, EndpointSet>;

impl AuthorizationCode {
    /// The public client `id` of the identity provider at `issuer`.
    ///
    /// # Errors
    ///
    /// [`AuthError`] if the issuer is no `https` address (or `http` on this computer).
    pub fn new(issuer: &str, id: impl Into<String>) -> Result<Self, AuthError> {
        let scopes = ["openid", "daml_ledger_api", "offline_access"];
        Ok(Self {
            issuer: Issuer::new(issuer)?,
            id: id.into(),
            scopes: scopes.map(str::to_owned).into(),
            audience: None,
            deadline: Duration::from_secs(300),
            refresh: Mutex::new(None),
            keep: None,
        })
    }

    /// Begins with a refresh token of an earlier login. Default none.
    #[must_use]
    pub fn refresh_token(mut self, token: SecretString) -> Self {
        self.refresh = Mutex::new(Some(token));
        self
    }

    /// Calls `keep` with every refresh token that the identity provider gives, and with `None`
    /// once the last one is good no more. Must not block. It is a secret: keep it somewhere safe.
    /// Default: a refresh token is forgotten with this.
    #[must_use]
    pub fn on_refresh_token(
        mut self,
        keep: impl Fn(Option<&SecretString>) + Send + Sync + 'static,
    ) -> Self {
        self.keep = Some(Box::new(keep));
        self
    }

    /// Sets the scopes to ask for. Default `openid daml_ledger_api offline_access`.
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

    /// Sets how long a person has. Default 5 min.
    #[must_use]
    pub fn deadline(mut self, deadline: Duration) -> Self {
        self.deadline = deadline;
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

    /// Puts another refresh token in place of the present one.
    fn put(&self, place: &mut Option<SecretString>, token: Option<SecretString>) {
        *place = token;
        if let Some(keep) = &self.keep {
            keep(place.as_ref());
        }
    }

    async fn client(&self) -> Result<Client, AuthError> {
        let endpoints = self.issuer.endpoints().await?;
        let Some(authorize) = endpoints.authorization_endpoint.clone() else {
            return Err(AuthError::new(
                AuthErrorKind::Malformed,
                "the identity provider has no authorization endpoint",
            ));
        };
        Ok(BasicClient::new(ClientId::new(self.id.clone()))
            .set_auth_uri(AuthUrl::from_url(authorize))
            .set_token_uri(TokenUrl::from_url(endpoints.token_endpoint.clone())))
    }

    async fn authenticate(&self, request: AuthRequest<'_>) -> Result<Credential, AuthError> {
        if let Some(credential) = self.refresh().await? {
            return Ok(credential);
        }
        if request.mode == OpenMode::Silent {
            return Err(AuthError::needs_user());
        }
        match tokio::time::timeout(self.deadline, self.login(request)).await {
            Ok(result) => result,
            Err(_) => Err(AuthError::new(
                AuthErrorKind::TimedOut,
                format!("nobody logged in within {} s", self.deadline.as_secs()),
            )),
        }
    }

    /// A fresh token by the refresh token. `None` if there is none, or it is good no more.
    async fn refresh(&self) -> Result<Option<Credential>, AuthError> {
        let mut place = self.refresh.lock().await;
        let Some(token) = place.clone() else {
            return Ok(None);
        };
        let client = self.client().await?;
        let http = fetch::carrier(&self.issuer.client);
        let token = RefreshToken::new(token.expose_secret().to_owned());
        let answer = client
            .exchange_refresh_token(&token)
            .request_async(&http)
            .await
            .map_err(refused);
        match answer {
            Ok(answer) => {
                // Rotated, where the identity provider rotates.
                if let Some(next) = refresh_token(&answer) {
                    self.put(&mut place, Some(next));
                }
                Ok(Some(credential(&answer)))
            }
            Err(error) if error.kind() == AuthErrorKind::Refused => {
                tracing::debug!(%error, "the refresh token is good no more");
                self.put(&mut place, None);
                Ok(None)
            }
            Err(error) => Err(error),
        }
    }

    async fn login(&self, request: AuthRequest<'_>) -> Result<Credential, AuthError> {
        let client = self.client().await?;
        let loopback = Loopback::bind().await?;
        let redirect = RedirectUrl::new(loopback.address()).map_err(|problem| {
            AuthError::new(AuthErrorKind::Malformed, "the redirect is no URL").with_source(problem)
        })?;
        let client = client.set_redirect_uri(redirect);
        let (challenge, verifier) = PkceCodeChallenge::new_random_sha256();
        let mut authorize = client
            .authorize_url(CsrfToken::new_random)
            .add_scopes(self.scopes.iter().cloned().map(Scope::new))
            .set_pkce_challenge(challenge);
        if let Some(audience) = &self.audience {
            authorize = authorize.add_extra_param("audience", audience);
        }
        let (url, state) = authorize.url();
        request.ask(UserAction::new(UserActionKind::Login, String::from(url)))?;
        let code = loopback.code(state.secret(), self.issuer.name()).await?;
        let http = fetch::carrier(&self.issuer.client);
        let answer = client
            .exchange_code(Code::new(code.expose_secret().to_owned()))
            .set_pkce_verifier(verifier)
            .request_async(&http)
            .await
            .map_err(refused)?;
        self.put(&mut *self.refresh.lock().await, refresh_token(&answer));
        Ok(credential(&answer))
    }
}

impl fmt::Debug for AuthorizationCode {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("AuthorizationCode")
            .field("issuer", &self.issuer)
            .field("id", &self.id)
            .field("scopes", &self.scopes)
            .field("audience", &self.audience)
            .finish_non_exhaustive()
    }
}

fn refresh_token(answer: &BasicTokenResponse) -> Option<SecretString> {
    answer.refresh_token().map(|it| it.secret().clone().into())
}

impl Authenticator for AuthorizationCode {
    fn name(&self) -> &str {
        "authorization code"
    }

    /// By a refresh token, where the identity provider gives one.
    fn renews(&self) -> bool {
        true
    }

    fn authenticate<'a>(&'a self, request: AuthRequest<'a>) -> AuthFuture<'a> {
        Box::pin(self.authenticate(request))
    }
}
