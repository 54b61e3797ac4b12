//! How tokens are had.

use std::time::{Duration, SystemTime};

use base64::Engine;
use base64::engine::general_purpose::{STANDARD, URL_SAFE_NO_PAD};
use ring::digest::{SHA256, digest};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use url::Url;

use super::{Grant, whole};
use crate::config::Client;
use crate::state::Inner;

/// How long a code can be redeemed.
const CODE_LIFE: Duration = Duration::from_secs(600);
/// How long a refresh token lives.
const REFRESH_LIFE: Duration = Duration::from_secs(30 * 24 * 3600);

/// Why a request for a token is refused: the error's name, and what it means.
pub(super) type Refused = (&'static str, String);

/// What was asked of the token endpoint.
pub(super) struct TokenRequest<'a> {
    pub(super) fields: &'a [(String, String)],
    pub(super) authorization: Option<&'a str>,
}

impl TokenRequest<'_> {
    pub(super) fn field(&self, name: &str) -> Option<&str> {
        let mut fields = self.fields.iter();
        fields.find(|(it, _)| it == name).map(|(_, it)| it.as_str())
    }

    /// The client's name and secret, from the header or the form.
    fn client(&self) -> (Option<String>, Option<String>) {
        let basic = self.authorization.and_then(|it| it.strip_prefix("Basic "));
        let decoded = basic.and_then(|it| STANDARD.decode(it.trim()).ok());
        let text = decoded.and_then(|it| String::from_utf8(it).ok());
        if let Some((id, secret)) = text.as_deref().and_then(|it| it.split_once(':')) {
            // Both are form-encoded before they are joined (RFC 6749, 2.3.1).
            return (Some(form_decoded(id)), Some(form_decoded(secret)));
        }
        (
            self.field("client_id").map(str::to_owned),
            self.field("client_secret").map(str::to_owned),
        )
    }
}

fn form_decoded(text: &str) -> String {
    let mut pairs = url::form_urlencoded::parse(text.as_bytes());
    pairs
        .next()
        .map_or_else(String::new, |(it, _)| it.into_owned())
}

/// What somebody is sent to log in with.
#[derive(Clone, Debug)]
pub(super) struct AuthorizeRequest {
    pub(super) client: String,
    pub(super) redirect: Url,
    pub(super) scope: String,
    pub(super) state: Option<String>,
    pub(super) challenge: Option<String>,
    pub(super) nonce: Option<String>,
}

impl Inner {
    /// Checks a request to log in. `Err` is for the person: nobody is sent to an address that
    /// was not checked.
    pub(super) fn authorize_request(
        &self,
        field: impl Fn(&str) -> Option<String>,
    ) -> Result<AuthorizeRequest, String> {
        let id = field("client_id").ok_or("the program did not say who it is (client_id)")?;
        let client = (self.gateway.clients.iter().find(|it| it.id == id))
            .ok_or_else(|| format!("no program is known as `{id}`"))?;
        let redirect = field("redirect_uri").ok_or("there is no redirect_uri")?;
        let url = Url::parse(&redirect).map_err(|_| "redirect_uri is no address")?;
        if !is_allowed(client, &redirect, &url) {
            return Err(format!("`{id}` may not have people sent to {url}"));
        }
        if field("response_type").as_deref() != Some("code") {
            return Err("only response_type=code is supported".to_owned());
        }
        let challenge = field("code_challenge");
        let method = field("code_challenge_method");
        if challenge.is_some() && method.as_deref() != Some("S256") {
            return Err("only code_challenge_method=S256 is supported".to_owned());
        }
        if challenge.is_none() && client.secret.is_none() {
            return Err("a public program must use PKCE (code_challenge)".to_owned());
        }
        Ok(AuthorizeRequest {
            client: id,
            redirect: url,
            scope: field("scope").unwrap_or_else(|| "daml_ledger_api".to_owned()),
            state: field("state"),
            challenge,
            nonce: field("nonce"),
        })
    }

    /// A code for somebody who has logged in, in the address they are sent back to.
    pub(super) fn grant_code(&mut self, request: &AuthorizeRequest, user: &str) -> Url {
        let code = crate::random::secret();
        let life = self.gateway.clock.real(CODE_LIFE);
        self.gateway.idp.codes.insert(
            code.clone(),
            Grant {
                client: request.client.clone(),
                user: user.to_owned(),
                scope: request.scope.clone(),
                redirect: request.redirect.to_string(),
                challenge: request.challenge.clone(),
                nonce: request.nonce.clone(),
                until: SystemTime::now() + life,
            },
        );
        self.send_back(request, "code", &code)
    }

    /// The address somebody is sent back to.
    pub(super) fn send_back(&self, request: &AuthorizeRequest, name: &str, value: &str) -> Url {
        let mut url = request.redirect.clone();
        {
            let mut query = url.query_pairs_mut();
            query.append_pair(name, value);
            if let Some(state) = &request.state {
                query.append_pair("state", state);
            }
            query.append_pair("iss", &self.issuer());
        }
        url
    }

    /// Answers a request for a token.
    pub(super) fn grant(&mut self, request: &TokenRequest<'_>) -> Result<Value, Refused> {
        let (id, secret) = request.client();
        let nobody = || {
            (
                "invalid_client",
                "who asks? client_id is missing".to_owned(),
            )
        };
        let id = id.ok_or_else(nobody)?;
        let client = (self.gateway.clients.iter().find(|it| it.id == id).cloned())
            .ok_or_else(|| ("invalid_client", format!("no program is known as `{id}`")))?;
        if let Some(expected) = &client.secret
            && secret.as_deref() != Some(expected.expose_secret())
        {
            return Err(("invalid_client", "the client's secret is wrong".to_owned()));
        }
        match request.field("grant_type") {
            Some("client_credentials") => self.by_credentials(request, &client),
            Some("authorization_code") => self.by_code(request, &client),
            Some("refresh_token") => self.by_refresh(request, &client),
            _ => {
                let known = "client_credentials, authorization_code and refresh_token are known";
                Err(("unsupported_grant_type", known.to_owned()))
            }
        }
    }

    fn by_credentials(
        &mut self,
        request: &TokenRequest<'_>,
        client: &Client,
    ) -> Result<Value, Refused> {
        if client.secret.is_none() {
            let why = format!("`{}` is public and has no credentials", client.id);
            return Err(("unauthorized_client", why));
        }
        let user = client.user.clone().unwrap_or_else(|| client.id.clone());
        let scope = request.field("scope").unwrap_or("daml_ledger_api");
        self.token_answer(&user, &client.id, scope, None)
    }

    fn by_code(&mut self, request: &TokenRequest<'_>, client: &Client) -> Result<Value, Refused> {
        let invalid = |why: &str| ("invalid_grant", why.to_owned());
        let code = request.field("code").unwrap_or_default();
        // A code is good once, whatever becomes of it.
        let grant = self.gateway.idp.codes.remove(code);
        let grant = grant.ok_or_else(|| invalid("the code is unknown or was used"))?;
        if grant.until <= SystemTime::now() {
            return Err(invalid("the code has expired"));
        }
        if grant.client != client.id {
            return Err(invalid("the code was made for another program"));
        }
        if request
            .field("redirect_uri")
            .is_some_and(|it| Url::parse(it).map_or(true, |url| url.as_str() != grant.redirect))
        {
            return Err(invalid("redirect_uri is not the one that was asked with"));
        }
        if let Some(challenge) = &grant.challenge {
            let verifier = request.field("code_verifier").unwrap_or_default();
            let hash = digest(&SHA256, verifier.as_bytes());
            if URL_SAFE_NO_PAD.encode(hash.as_ref()) != *challenge {
                return Err(invalid("code_verifier does not fit"));
            }
        }
        self.answer_for_user(&grant)
    }

    fn by_refresh(
        &mut self,
        request: &TokenRequest<'_>,
        client: &Client,
    ) -> Result<Value, Refused> {
        let invalid = |why: &str| ("invalid_grant", why.to_owned());
        let token = request.field("refresh_token").unwrap_or_default();
        // Rotated: each is good once.
        let grant = self.gateway.idp.refresh.remove(token);
        let grant = grant.ok_or_else(|| invalid("the refresh token is unknown or was used"))?;
        if grant.until <= SystemTime::now() {
            return Err(invalid("the refresh token has expired"));
        }
        if grant.client != client.id {
            return Err(invalid("the refresh token belongs to another program"));
        }
        self.answer_for_user(&grant)
    }

    fn answer_for_user(&mut self, grant: &Grant) -> Result<Value, Refused> {
        let has = |scope: &str| grant.scope.split(' ').any(|it| it == scope);
        let mut answer =
            self.token_answer(&grant.user, &grant.client, &grant.scope, Some(grant))?;
        if has("offline_access") {
            let token = crate::random::secret();
            let life = self.gateway.clock.real(REFRESH_LIFE);
            let renewed = Grant {
                until: SystemTime::now() + life,
                ..grant.clone()
            };
            self.gateway.idp.refresh.insert(token.clone(), renewed);
            answer["refresh_token"] = json!(token);
        }
        Ok(answer)
    }

    fn token_answer(
        &mut self,
        user: &str,
        client: &str,
        scope: &str,
        grant: Option<&Grant>,
    ) -> Result<Value, Refused> {
        let failed = || ("server_error", "the token could not be signed".to_owned());
        let (token, life) = self.issue_token(user, client, scope).ok_or_else(failed)?;
        let mut answer = json!({
            "access_token": token.expose_secret(),
            "token_type": "Bearer",
            "expires_in": life.as_secs_f64().ceil() as u64,
            "scope": scope,
        });
        let openid = scope.split(' ').any(|it| it == "openid");
        if let Some(grant) = grant.filter(|_| openid) {
            let now = SystemTime::now();
            let mut claims = json!({
                "iss": self.issuer(), "sub": user, "aud": client,
                "iat": whole(now, life), "exp": whole(now + life, life),
            });
            if let Some(nonce) = &grant.nonce {
                claims["nonce"] = json!(nonce);
            }
            let id_token = self.gateway.idp.key.sign(&claims).ok_or_else(failed)?;
            answer["id_token"] = json!(id_token);
        }
        Ok(answer)
    }
}

/// Loopback addresses are good with any port (RFC 8252, 7.3); others must be listed.
fn is_allowed(client: &Client, written: &str, url: &Url) -> bool {
    let loopback = match url.host() {
        Some(url::Host::Ipv4(ip)) => ip.is_loopback(),
        Some(url::Host::Ipv6(ip)) => ip.is_loopback(),
        Some(url::Host::Domain(name)) => name == "localhost",
        None => false,
    };
    (url.scheme() == "http" && loopback) || client.redirects.iter().any(|it| it == written)
}
