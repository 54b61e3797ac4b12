//! The identity provider's routes.

use hyper::Method;
use hyper::header::{AUTHORIZATION, CACHE_CONTROL};
use serde_json::{Value, json};

use super::grants::TokenRequest;
use crate::approval::Approval;
use crate::http::{Asked, Broken, Reply};
use crate::pages;
use crate::state::{DevWalletState, Inner};

/// Answers a request to the identity provider.
pub(crate) async fn serve(state: &DevWalletState, asked: Asked) -> Result<Reply, Broken> {
    state.until(|inner| !inner.faults.hang).await;
    if state.lock().gateway.idp.down {
        return Ok(Reply::text(503, "the identity provider is down\n"));
    }
    if let Some(reply) = crate::http::strike_idp(state, &asked)? {
        return Ok(reply);
    }
    let open = |reply: Reply| reply.header(hyper::header::ACCESS_CONTROL_ALLOW_ORIGIN, "*");
    Ok(match (&asked.method, asked.path.as_str()) {
        (&Method::GET, "/idp/.well-known/openid-configuration") => {
            open(Reply::json(200, &state.lock().discovery()))
        }
        (&Method::GET, "/idp/jwks") => {
            let keys = json!({ "keys": [state.lock().gateway.idp.key.jwk()] });
            open(Reply::json(200, &keys))
        }
        (&Method::GET, "/idp/authorize") => authorize(state, &asked),
        (&Method::POST, "/idp/authorize") => decide(state, &asked),
        (&Method::POST, "/idp/token") => open(token(state, &asked)),
        (_, "/idp/authorize" | "/idp/token") => Reply::text(405, "method not allowed\n"),
        _ => Reply::text(404, "there is nothing here\n"),
    })
}

impl Inner {
    fn discovery(&self) -> Value {
        let issuer = self.issuer();
        json!({
            "issuer": issuer,
            "authorization_endpoint": format!("{issuer}/authorize"),
            "token_endpoint": format!("{issuer}/token"),
            "jwks_uri": format!("{issuer}/jwks"),
            "response_types_supported": ["code"],
            "response_modes_supported": ["query"],
            "grant_types_supported":
                ["authorization_code", "client_credentials", "refresh_token"],
            "subject_types_supported": ["public"],
            "id_token_signing_alg_values_supported": ["ES256"],
            "scopes_supported": ["openid", "offline_access", "daml_ledger_api"],
            "token_endpoint_auth_methods_supported":
                ["client_secret_basic", "client_secret_post", "none"],
            "code_challenge_methods_supported": ["S256"],
            "authorization_response_iss_parameter_supported": true,
        })
    }
}

fn token(state: &DevWalletState, asked: &Asked) -> Reply {
    let fields = asked.form();
    let authorization = asked.headers.get(AUTHORIZATION);
    let request = TokenRequest {
        fields: &fields,
        authorization: authorization.and_then(|it| it.to_str().ok()),
    };
    let granted = state.change(|inner| {
        let granted = inner.grant(&request);
        let how = request.field("grant_type").unwrap_or("-");
        let note = match &granted {
            Ok(_) => "granted".to_owned(),
            Err((error, why)) => format!("{error}: {why}"),
        };
        inner.record("token", how, note);
        granted
    });
    match granted {
        Ok(answer) => Reply::json(200, &answer).header(CACHE_CONTROL, "no-store"),
        Err((error, why)) => {
            let status = if error == "invalid_client" { 401 } else { 400 };
            Reply::json(status, &json!({ "error": error, "error_description": why }))
        }
    }
}

/// Shows the form; where nobody is to be asked, goes on at once.
fn authorize(state: &DevWalletState, asked: &Asked) -> Reply {
    let mut inner = state.lock();
    let request = match inner.authorize_request(|name| asked.query(name).map(str::to_owned)) {
        Ok(request) => request,
        Err(why) => return pages::problem(400, &why),
    };
    match inner.approval {
        Approval::Auto | Approval::After(_) => {
            let hint = asked.query("login_hint").map(str::to_owned);
            let user = hint.or_else(|| inner.gateway.users.first().map(|it| it.name.clone()));
            let user = user.unwrap_or_else(|| "dev-user".to_owned());
            let back = inner.grant_code(&request, &user);
            Reply::see_other(back.as_str())
        }
        Approval::Reject => {
            let back = inner.send_back(&request, "error", "access_denied");
            Reply::see_other(back.as_str())
        }
        Approval::Manual => {
            let hint = asked.query("login_hint").unwrap_or_default();
            pages::authorize(&request.client, &asked.query, hint, None)
        }
    }
}

/// Somebody has filled the form in.
fn decide(state: &DevWalletState, asked: &Asked) -> Reply {
    if !pages::is_same_origin(state, asked) {
        return pages::problem(403, "the form was sent from another site");
    }
    let fields = asked.form();
    let field = |name: &str| {
        let mut fields = fields.iter();
        fields.find(|(it, _)| it == name).map(|(_, it)| it.clone())
    };
    let mut inner = state.lock();
    let request = match inner.authorize_request(field) {
        Ok(request) => request,
        Err(why) => return pages::problem(400, &why),
    };
    if field("decision").as_deref() == Some("deny") {
        let back = inner.send_back(&request, "error", "access_denied");
        return Reply::see_other(back.as_str());
    }
    let user = field("user").unwrap_or_default();
    let password = field("password").unwrap_or_default();
    if let Err(why) = inner.check_password(&user, &password) {
        return pages::authorize(&request.client, &fields, &user, Some(&why));
    }
    let back = inner.grant_code(&request, &user);
    Reply::see_other(back.as_str())
}
