//! The identity provider.

use moorline_dev_wallet::{Approval, DevWallet, DevWalletConfig, Profile};
use serde_json::{Value, json};

use crate::client::{Client, Reply, Wire, builder, wallet};

const FORM: [(&str, &str); 1] = [("content-type", "application/x-www-form-urlencoded")];
/// RFC 7636, appendix B.
const VERIFIER: &str = "dBjftJeZ4CVP-mB92K27uhbUJU1p1r_wW1gFWFOEjXk";
const CHALLENGE: &str = "E9Melhoa2OwvFrEMTJguCHaoeK1t8URWbuGJSstw-cM";

async fn token(wallet: &DevWallet, form: &str) -> Reply {
    let mut wire = Wire::to(wallet).await;
    wire.ask("POST", "/idp/token", &FORM, form).await.unwrap()
}

fn authorize(redirect: &str) -> String {
    format!(
        "/idp/authorize?response_type=code&client_id=moorline-cli&redirect_uri={redirect}\
         &scope=openid%20daml_ledger_api%20offline_access&state=st&nonce=n1\
         &code_challenge={CHALLENGE}&code_challenge_method=S256"
    )
}

fn code_in(reply: &Reply) -> String {
    let location = reply.header("location");
    assert!(
        location.starts_with("http://127.0.0.1:5555/cb?"),
        "{reply:?}"
    );
    assert!(location.contains("state=st"), "{location}");
    let code = location.split("code=").nth(1).unwrap();
    code.split('&').next().unwrap().to_owned()
}

#[tokio::test]
async fn discovery_and_keys() {
    let wallet = wallet(Profile::G1).await;
    let mut wire = Wire::to(&wallet).await;
    let path = "/idp/.well-known/openid-configuration";
    let found = wire.ask("GET", path, &[], "").await.unwrap().json();
    let issuer = format!("http://{}/idp", wallet.address());
    assert_eq!(found["issuer"], json!(issuer));
    assert_eq!(found["token_endpoint"], json!(format!("{issuer}/token")));
    let keys = wire.ask("GET", "/idp/jwks", &[], "").await.unwrap().json();
    assert_eq!(
        (&keys["keys"][0]["alg"], &keys["keys"][0]["crv"]),
        (&json!("ES256"), &json!("P-256"))
    );
    wallet.control().idp_down(true);
    assert_eq!(wire.ask("GET", path, &[], "").await.unwrap().status, 503);
}

#[tokio::test]
async fn client_credentials() {
    let wallet = wallet(Profile::G1).await;
    let basic = "Basic bW9vcmxpbmUtYmFja2VuZDpkZXYtc2VjcmV0"; // moorline-backend:dev-secret
    let mut wire = Wire::to(&wallet).await;
    let headers = [FORM[0], ("authorization", basic)];
    let form = "grant_type=client_credentials&scope=daml_ledger_api";
    let reply = wire
        .ask("POST", "/idp/token", &headers, form)
        .await
        .unwrap();
    let answer = reply.json();
    assert_eq!(
        (&answer["token_type"], &answer["expires_in"]),
        (&json!("Bearer"), &json!(3600))
    );
    for (form, status, error) in [
        (
            "grant_type=client_credentials&client_id=moorline-backend&client_secret=no",
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=nobody",
            401,
            "invalid_client",
        ),
        (
            "grant_type=client_credentials&client_id=moorline-cli",
            400,
            "unauthorized_client",
        ),
        (
            "grant_type=password&client_id=moorline-cli",
            400,
            "unsupported_grant_type",
        ),
        (
            "grant_type=authorization_code&client_id=moorline-cli&code=x",
            400,
            "invalid_grant",
        ),
    ] {
        let reply = token(&wallet, form).await;
        assert_eq!(
            (reply.status, &reply.json()["error"]),
            (status, &json!(error)),
            "{form}"
        );
    }
}

#[tokio::test]
async fn a_code_with_pkce_and_a_refresh() {
    let wallet = wallet(Profile::G2).await;
    let mut wire = Wire::to(&wallet).await;
    let asking = authorize("http://127.0.0.1:5555/cb");
    let reply = wire.ask("GET", &asking, &[], "").await.unwrap();
    assert_eq!(reply.status, 303);
    let code = code_in(&reply);
    let form = |verifier: &str| {
        format!(
            "grant_type=authorization_code&client_id=moorline-cli&code={code}\
             &redirect_uri=http://127.0.0.1:5555/cb&code_verifier={verifier}"
        )
    };
    let answer = token(&wallet, &form(VERIFIER)).await.json();
    assert!(
        answer["access_token"].is_string() && answer["id_token"].is_string(),
        "{answer}"
    );
    let again = token(&wallet, &form(VERIFIER)).await;
    assert_eq!(
        again.json()["error"],
        "invalid_grant",
        "a code is good once"
    );
    let refresh = answer["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&client_id=moorline-cli&refresh_token={refresh}");
    let renewed = token(&wallet, &form).await.json();
    assert_ne!(renewed["access_token"], answer["access_token"]);
    assert_eq!(token(&wallet, &form).await.json()["error"], "invalid_grant");
    let mut client = Client::on(&wallet).await;
    client.token = Some(renewed["access_token"].as_str().unwrap().to_owned());
    let user = client.user("getUser", Value::Null).await;
    assert_eq!(user["userId"], "dev-user");
    wallet.control().forget_refresh_tokens();
    let next = renewed["refresh_token"].as_str().unwrap();
    let form = format!("grant_type=refresh_token&client_id=moorline-cli&refresh_token={next}");
    assert_eq!(token(&wallet, &form).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn a_wrong_verifier() {
    let wallet = wallet(Profile::G2).await;
    let mut wire = Wire::to(&wallet).await;
    let asking = authorize("http://127.0.0.1:5555/cb");
    let code = code_in(&wire.ask("GET", &asking, &[], "").await.unwrap());
    let form = format!(
        "grant_type=authorization_code&client_id=moorline-cli&code={code}&code_verifier=wrong"
    );
    assert_eq!(token(&wallet, &form).await.json()["error"], "invalid_grant");
}

#[tokio::test]
async fn requests_that_nobody_is_sent_on_for() {
    let wallet = wallet(Profile::G2).await;
    for path in [
        authorize("https://evil.example/cb"),
        authorize("javascript:alert(1)"),
        authorize("http://127.0.0.1:5555/cb").replace("moorline-cli", "nobody"),
        authorize("http://127.0.0.1:5555/cb").replace("S256", "plain"),
        authorize("http://127.0.0.1:5555/cb").replace("code_challenge", "no"),
    ] {
        let mut wire = Wire::to(&wallet).await;
        let reply = wire.ask("GET", &path, &[], "").await.unwrap();
        assert_eq!(
            (reply.status, reply.header("location")),
            (400, ""),
            "{path}"
        );
    }
}

#[tokio::test]
async fn a_person_fills_the_form_in() {
    let config = "[[users]]\nname = \"carol\"\npassword = \"pa ss\"\n";
    let config = DevWalletConfig::from_toml(config, "w.toml").unwrap();
    let wallet = builder(Profile::G2)
        .config(config)
        .approval(Approval::Manual);
    let wallet = wallet.start().await.unwrap();
    let asking = authorize("http://127.0.0.1:5555/cb");
    let mut wire = Wire::to(&wallet).await;
    let page = wire.ask("GET", &asking, &[], "").await.unwrap();
    assert!(
        page.status == 200 && page.body.contains("moorline-cli"),
        "{page:?}"
    );
    let query = asking.split_once('?').unwrap().1;
    for (rest, status) in [
        ("user=carol&password=wrong&decision=allow", 403),
        ("user=carol&password=pa+ss&decision=allow", 303),
        ("user=carol&decision=deny", 303),
    ] {
        let mut wire = Wire::to(&wallet).await;
        let form = format!("{query}&{rest}");
        let reply = wire
            .ask("POST", "/idp/authorize", &FORM, &form)
            .await
            .unwrap();
        assert_eq!(reply.status, status, "{rest}");
        if rest.contains("deny") {
            assert!(reply.header("location").contains("error=access_denied"));
        } else if status == 303 {
            code_in(&reply);
        }
    }
}
