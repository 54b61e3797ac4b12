//! From an address and a login to what speaks with the wallet there.

use std::sync::Arc;

use moorline::Provider;
use moorline_cip0103::auth::{ApiKey, AuthorizationCode, ClientCredentials, StaticToken};
use moorline_cip0103::{Credentials, HttpProvider, WsProvider};

use crate::args::LoginArgs;
use crate::failure::Failure;
use crate::login::Shown;

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
    let audience = login.audience.as_deref();
    match login.credential.shown()? {
        Shown::Token(token) => Ok(Some(StaticToken::new(token).into())),
        Shown::ApiKey(key) => Ok(Some(ApiKey::new(key).into())),
        Shown::Client { issuer, id, secret } => {
            let mut client = ClientCredentials::new(&issuer, &id, secret)?;
            if let Some(audience) = audience {
                client = client.audience(audience);
            }
            Ok(Some(client.into()))
        }
        Shown::Nothing => {
            let Some(issuer) = &login.credential.issuer else {
                return Ok(None);
            };
            let id = login.credential.client_id.as_deref();
            let mut code = AuthorizationCode::new(issuer, id.unwrap_or("moorline-cli"))?;
            if let Some(audience) = audience {
                code = code.audience(audience);
            }
            Ok(Some(code.into()))
        }
    }
}
