//! From an address and a login to what speaks with the wallet there.

use std::sync::Arc;

use moorline::Provider;
use moorline_cip0103::auth::{ApiKey, AuthorizationCode, ClientCredentials, StaticToken};
use moorline_cip0103::{Credentials, HttpProvider, WsProvider};

use crate::args::LoginArgs;
use crate::failure::Failure;

/// The provider for this address: its scheme says which transport.
pub(crate) fn provider(url: &str, login: &LoginArgs) -> Result<Arc<dyn Provider>, Failure> {
    let scheme = url.split(':').next().unwrap_or_default();
    let remote = scheme.eq_ignore_ascii_case("http") || scheme.eq_ignore_ascii_case("https");
    let credentials = credentials(login)?;
    if !remote {
        if credentials.is_some() {
            return Err(Failure::Login(
                "a login is for remote gateways, whose address begins with `https:`",
            ));
        }
        return Ok(Arc::new(WsProvider::new(url)?));
    }
    let mut builder = HttpProvider::builder(url);
    if let Some(credentials) = credentials {
        builder = builder.authenticator(credentials);
    }
    if let Some(network) = &login.network {
        builder = builder.network(network);
    }
    Ok(Arc::new(builder.build()?))
}

fn credentials(login: &LoginArgs) -> Result<Option<Credentials>, Failure> {
    if let Some(name) = &login.token_env {
        return Ok(Some(StaticToken::new(secret(name)?.into()).into()));
    }
    if let Some(name) = &login.api_key_env {
        return Ok(Some(ApiKey::new(secret(name)?.into()).into()));
    }
    let Some(issuer) = &login.issuer else {
        return Ok(None);
    };
    let id = login.client_id.as_deref().unwrap_or("moorline-cli");
    let audience = login.audience.as_deref();
    match &login.client_secret_env {
        Some(name) => {
            let mut client = ClientCredentials::new(issuer, id, secret(name)?.into())?;
            if let Some(audience) = audience {
                client = client.audience(audience);
            }
            Ok(Some(client.into()))
        }
        None => {
            let mut code = AuthorizationCode::new(issuer, id)?;
            if let Some(audience) = audience {
                code = code.audience(audience);
            }
            Ok(Some(code.into()))
        }
    }
}

/// What an environment variable holds. Taken from nowhere else.
fn secret(name: &str) -> Result<String, Failure> {
    match std::env::var(name) {
        Ok(secret) if !secret.trim().is_empty() => Ok(secret.trim().to_owned()),
        _ => Err(Failure::NoSecret(name.to_owned())),
    }
}
