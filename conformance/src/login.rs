//! Credentials, from what was given.

use std::time::Duration;

use reqwest::Method;
use secrecy::{ExposeSecret, SecretString};
use url::Url;

use crate::line::http::HttpLine;
use crate::options::{Credential, Login, Options};
use crate::run::CheckError;

/// The credential to use.
pub(crate) async fn credential(
    options: &Options,
    at_most: Duration,
) -> Result<Credential, CheckError> {
    match &options.login {
        Login::None => Ok(Credential::None),
        Login::Token(token) => Ok(Credential::Bearer(token.clone())),
        Login::ApiKey(key) => Ok(Credential::ApiKey(key.clone())),
        Login::ClientCredentials {
            issuer,
            client_id,
            client_secret,
        } => {
            let at_most = at_most.max(Duration::from_secs(1));
            let token = ask_issuer(issuer, client_id, client_secret, at_most).await;
            token
                .map(Credential::Bearer)
                .map_err(|why| CheckError::Login {
                    issuer: issuer.clone(),
                    why,
                })
        }
    }
}

/// OAuth 2.0 client credentials (RFC 6749, section 4.4), the endpoint found by discovery.
async fn ask_issuer(
    issuer: &str,
    client_id: &str,
    client_secret: &SecretString,
    at_most: Duration,
) -> Result<SecretString, String> {
    let base = Url::parse(issuer).map_err(|problem| problem.to_string())?;
    let line = HttpLine::new(base.clone())?;
    let path = format!(
        "{}/.well-known/openid-configuration",
        base.path().trim_end_matches('/')
    );
    let discovery = line.request(Method::GET, line.on_server(&path), &Credential::None);
    let discovery = line
        .reply(discovery, at_most)
        .await
        .map_err(|it| it.describe())?;
    let endpoint = discovery
        .json
        .as_ref()
        .and_then(|it| it["token_endpoint"].as_str());
    let endpoint = endpoint.ok_or("its discovery document names no `token_endpoint`")?;
    let endpoint = Url::parse(endpoint).map_err(|problem| problem.to_string())?;
    if endpoint.scheme() != "https" && !crate::shape::is_loopback(&endpoint) {
        return Err("its `token_endpoint` is not https".into());
    }
    let form = url::form_urlencoded::Serializer::new(String::new())
        .append_pair("grant_type", "client_credentials")
        .append_pair("client_id", client_id)
        .append_pair("client_secret", client_secret.expose_secret())
        .finish();
    let request = line
        .request(Method::POST, endpoint, &Credential::None)
        .header("Content-Type", "application/x-www-form-urlencoded")
        .body(form);
    let answer = line
        .reply(request, at_most)
        .await
        .map_err(|it| it.describe())?;
    let status = answer.head.as_ref().map_or(0, |it| it.status);
    let token = answer
        .json
        .as_ref()
        .and_then(|it| it["access_token"].as_str());
    match token {
        Some(token) => Ok(token.to_owned().into()),
        None => Err(format!("it answered HTTP {status} without a token")),
    }
}
