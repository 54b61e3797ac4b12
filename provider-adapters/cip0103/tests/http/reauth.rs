//! Re-authentication by the adapter's own means: what is a refusal, and what may pass.

use std::time::Duration;

use moorline::provider::{ErrorKind, Provider, ProviderError};
use moorline::{DisconnectReason, EventKind, ReconnectCause, Status};
use moorline_cip0103::auth::{Authenticator, AuthorizationCode, ClientCredentials};
use moorline_cip0103::{HttpProvider, HttpProviderBuilder};
use serde_json::{Value, json};

use crate::gate::{Gate, Reply};
use crate::rig::{builder, names_until, next_event, session, soon};

const JSON: &str = "content-type: application/json\r\n";
const LATER: &str = "retry-after: 7\r\n";

/// An identity provider that has told where it has what, and answers tokens as a test says.
async fn issuer() -> Gate {
    let idp = Gate::start().await;
    let url = idp.url();
    let found = json!({
        "issuer": url,
        "authorization_endpoint": format!("{url}/authorize"),
        "token_endpoint": format!("{url}/token"),
    });
    let known = "/api/v0/dapp/.well-known/openid-configuration";
    idp.once(known, Reply::Http(200, JSON, found.to_string()));
    idp
}

fn answers(idp: &Gate, status: u16, head: &'static str, body: &Value) {
    idp.once(
        "/api/v0/dapp/token",
        Reply::Http(status, head, body.to_string()),
    );
}

fn issues(idp: &Gate, token: &str, seconds: u64) {
    let body = json!({ "access_token": token, "token_type": "bearer", "expires_in": seconds });
    answers(idp, 200, JSON, &body);
}

fn program(idp: &Gate) -> ClientCredentials {
    ClientCredentials::new(&idp.url(), "backend", "dev".to_owned().into()).unwrap()
}

fn person(idp: &Gate) -> AuthorizationCode {
    let code = AuthorizationCode::new(&idp.url(), "app").unwrap();
    code.refresh_token("dev".to_owned().into())
}

/// Why a provider with these credentials is not re-authenticated.
async fn error_of(credentials: impl Authenticator) -> ProviderError {
    let provider = HttpProvider::builder("http://127.0.0.1:9/api/v0/dapp")
        .authenticator(credentials)
        .build()
        .unwrap();
    soon(provider.reauthenticate()).await.unwrap_err()
}

#[tokio::test]
async fn a_no_of_the_identity_provider_is_a_refusal() {
    for (status, said) in [
        (400, "invalid_grant"),
        (401, "invalid_client"),
        (400, "unauthorized_client"),
    ] {
        let idp = issuer().await;
        answers(&idp, status, JSON, &json!({ "error": said }));
        let error = error_of(program(&idp)).await;
        assert_eq!(error.kind(), ErrorKind::Refused, "{said}: {error}");
        assert!(error.message().contains(said), "{error}");

        // Without its refresh token only a person can go on.
        let idp = issuer().await;
        answers(&idp, status, JSON, &json!({ "error": said }));
        let error = error_of(person(&idp)).await;
        assert_eq!(error.kind(), ErrorKind::SessionGone, "{said}: {error}");
        assert!(!error.is_retryable());
    }
}

#[tokio::test]
async fn an_identity_provider_that_is_away_or_busy_refuses_nothing() {
    let seven = Some(Duration::from_secs(7));
    let unavailable = json!({ "error": "temporarily_unavailable" });
    for (status, head, body, after) in [
        (429, LATER, Value::Null, seven),
        (503, LATER, Value::Null, seven),
        (500, "", Value::Null, None),
        (502, "", json!("<html>bad gateway</html>"), None),
        (400, JSON, unavailable, None),
        (403, "", json!("<html>not now</html>"), None),
    ] {
        let idp = issuer().await;
        answers(&idp, status, head, &body);
        let error = error_of(program(&idp)).await;
        assert!(error.is_retryable(), "{status}: {error}");
        assert_eq!(error.retry_after(), after, "{status}");

        // The refresh token is still good for the next try.
        let idp = issuer().await;
        answers(&idp, status, head, &body);
        issues(&idp, "fresh", 3600);
        let provider = HttpProvider::builder("http://127.0.0.1:9/api/v0/dapp")
            .authenticator(person(&idp))
            .build()
            .unwrap();
        let error = soon(provider.reauthenticate()).await.unwrap_err();
        assert!(error.is_retryable(), "{status}: {error}");
        soon(provider.reauthenticate()).await.unwrap();
    }
}

#[tokio::test]
async fn an_identity_provider_that_is_not_there_refuses_nothing() {
    let idp = issuer().await;
    idp.go_away();
    let error = error_of(program(&idp)).await;
    assert!(error.is_retryable(), "{error}");
}

/// Why a session is not made again at this gateway.
async fn error_at(gate: &Gate) -> ProviderError {
    let builder: HttpProviderBuilder = builder(gate).network("canton:one");
    let provider = builder.build().unwrap();
    soon(provider.reauthenticate()).await.unwrap_err()
}

#[tokio::test]
async fn a_gateway_that_is_away_or_busy_refuses_nothing() {
    for (status, kind) in [
        (429, ErrorKind::RateLimited),
        (503, ErrorKind::Unreachable),
        (502, ErrorKind::Unreachable),
        (504, ErrorKind::TimedOut),
        (500, ErrorKind::Internal),
    ] {
        let gate = Gate::start().await;
        gate.stand().session = false;
        for _ in 0..2 {
            gate.once("status", Reply::Http(status, LATER, String::new()));
            gate.once("addSession", Reply::Http(status, LATER, String::new()));
        }
        let error = error_at(&gate).await;
        assert_eq!(error.kind(), kind, "{status}: {error}");
        assert!(error.is_retryable());
        assert_eq!(
            error.retry_after(),
            Some(Duration::from_secs(7)),
            "{status}"
        );
    }
    let gate = Gate::start().await;
    gate.go_away();
    let error = error_at(&gate).await;
    assert_eq!(error.kind(), ErrorKind::Unreachable, "{error}");
    // It may be the gateway that cannot ask its identity provider.
    let gate = Gate::start().await;
    gate.stand().idp_up = false;
    let error = error_at(&gate).await;
    assert_eq!(error.kind(), ErrorKind::Unauthorized, "{error}");
    assert!(error.is_retryable());
}

#[tokio::test]
async fn tokens_that_run_out_during_an_outage_log_nobody_out() {
    let gate = Gate::start().await;
    gate.stand().open = true;
    let idp = issuer().await;
    issues(&idp, "first", 1);
    let provider = builder(&gate).authenticator(program(&idp)).build();
    let session = session(provider.unwrap());
    let mut events = session.events();
    soon(session.connect()).await.unwrap();
    idp.go_away();
    let mut names = names_until(&mut events, "reauth:started").await;
    for _ in 0..3 {
        names.extend(names_until(&mut events, "reconnect:attempt").await);
    }
    let cause = ReconnectCause::Reauthentication;
    assert_eq!(session.status(), Status::Reconnecting { cause });
    let waits = session.clone();
    let held = tokio::spawn(async move { waits.request("status", Value::Null).await });

    issues(&idp, "second", 2);
    idp.come_back();
    names.extend(names_until(&mut events, "reauth:succeeded").await);
    soon(held).await.unwrap().unwrap();
    for bad in ["session:disconnected", "reauth:failed"] {
        assert!(!names.iter().any(|name| name == bad), "{names:?}");
    }

    // Taken back meanwhile: a no is a no.
    for _ in 0..8 {
        answers(&idp, 400, JSON, &json!({ "error": "invalid_grant" }));
    }
    let reason = next_event(&mut events, |kind| match kind {
        EventKind::Disconnected { reason, .. } => Some(*reason),
        _ => None,
    });
    assert_eq!(reason.await, DisconnectReason::ReauthFailed);
    let error = session.snapshot().last_error.clone().unwrap();
    assert_eq!(error.kind(), ErrorKind::Refused, "{error}");
}
