//! The development wallet over HTTP, in every profile: the standard passes, the two generations
//! show their deviations by name, and each of their ways turned on alone is found.

use std::sync::Arc;

use moorline_conformance::{DEVIATIONS, Generation, Level, Login, Options, Profile, Report, check};
use moorline_dev_wallet::{DevWallet, Profile as Manners};

use crate::person::AtTheWallet;

fn options(wallet: &DevWallet, login: bool) -> Options {
    let mut options = Options::new(wallet.http_url());
    options.person = Arc::new(AtTheWallet(wallet.control()));
    if login {
        options.login = Login::ClientCredentials {
            issuer: format!("http://{}/idp", wallet.address()),
            client_id: "moorline-backend".into(),
            client_secret: "dev-secret".into(),
        };
    }
    options
}

/// Ids of checks of a level that did not pass.
fn not_passed(report: &Report, level: Level) -> Vec<&'static str> {
    let of_level = report.outcomes.iter().filter(|it| it.check.level == level);
    let not = of_level.filter(|it| !it.verdict.holds());
    not.map(|it| it.check.id).collect()
}

fn names(report: &Report) -> Vec<&'static str> {
    report.deviations().iter().map(|it| it.id).collect()
}

#[tokio::test]
async fn the_standard_without_a_login_passes_every_must() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let report = check(options(&wallet, false)).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    assert_eq!(report.tally(Level::Should).failed, 0, "{}", report.text());
    // What only a token could show.
    let not = not_passed(&report, Level::Must);
    assert_eq!(
        not,
        [
            "sse.unauthenticated",
            "sse.refused-after-end",
            "lifecycle.end-token",
            "security.altered-token",
            "security.other-session",
            "security.other-token",
            "security.other-disconnect",
        ],
        "{}",
        report.text()
    );
    assert_eq!(report.looks_like, Generation::Standard);
}

#[tokio::test]
async fn the_standard_with_a_login_passes_every_must() {
    let wallet = DevWallet::builder()
        .require_login(true)
        .start()
        .await
        .unwrap();
    let report = check(options(&wallet, true)).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    assert_eq!(
        not_passed(&report, Level::Must),
        ["events.login-announced"],
        "{}",
        report.text()
    );
    assert_eq!(report.tally(Level::Should).failed, 0, "{}", report.text());
    assert_eq!(report.looks_like, Generation::Standard);
}

async fn generation(manners: Manners, profile: Profile) -> Report {
    let wallet = DevWallet::builder().profile(manners).start().await.unwrap();
    let mut options = options(&wallet, true);
    options.profile = profile;
    check(options).await.unwrap()
}

/// Everything that is known of it, but for what takes other credentials to show.
const G1: &[&str] = &[
    "G1-error-without-message",
    "G1-no-session-as-internal-error",
    "G1-error-id-null",
    "G1-html-error-bodies",
    "G1-notification-answered",
    "G1-event-names-internal-error",
    "G1-sign-message-missing",
    "G1-no-params-validation",
    "G1-version-placeholder",
    "G1-extra-status-fields",
    "G1-extra-account-fields",
    "G1-unreasoned-refusal",
    "G1-stored-transaction-as-event",
    "G1-no-signed-event",
    "G1-rejection-silent",
    "G1-events-user-wide",
    "G1-stream-survives-disconnect",
    "G1-stream-survives-logout",
    "G1-stream-survives-token",
    "G1-stack-traces",
    "G1-no-batch",
    "G1-reason-ok",
    "G1-user-url-when-connected",
    "G1-connect-announces",
    "G1-sessions-user-wide",
    "G1-prepare-failure-silent",
    "G1-ledger-errors-internal",
    "G1-ledger-get-post-only",
    "G1-network-loss-silent",
    "G1-networks-leak-secrets",
    "G1-close-after-unknown-method",
    "G1-plain-rate-limit",
    "G1-absent-method-unknown",
    "G1-execution-failure-silent",
    "G1-token-outlives-disconnect",
    "G1-deaf-disconnect",
    "G1-idp-outage-is-logout",
];

#[tokio::test]
async fn g1_shows_its_deviations_by_name_and_no_other() {
    let report = generation(Manners::G1, Profile::G1).await;
    assert_eq!(report.looks_like, Generation::G1);
    assert!(report.conforms(), "{}", report.text());
    assert_eq!(report.tally(Level::Should).failed, 0, "{}", report.text());
    assert_eq!(names(&report), G1, "{}", report.text());
}

/// Everything that is known of it, but for what takes an API key to show.
const G2: &[&str] = &[
    "G1-no-session-as-internal-error",
    "G1-error-id-null",
    "G2-parse-error-as-internal",
    "G1-notification-answered",
    "G1-event-names-internal-error",
    "G2-sign-message-two-step",
    "G2-message-signature-event",
    "G1-no-params-validation",
    "G1-version-placeholder",
    "G1-extra-status-fields",
    "G1-extra-account-fields",
    "G1-unreasoned-refusal",
    "G1-stored-transaction-as-event",
    "G2-signed-without-signature",
    "G1-stream-survives-disconnect",
    "G1-stream-survives-token",
    "G1-stack-traces",
    "G1-no-batch",
    "G1-reason-ok",
    "G1-user-url-when-connected",
    "G1-connect-announces",
    "G1-prepare-failure-silent",
    "G1-ledger-errors-internal",
    "G1-ledger-get-post-only",
    "G1-network-loss-silent",
    "G1-plain-rate-limit",
    "G1-absent-method-unknown",
    "G1-execution-failure-silent",
    "G1-token-outlives-disconnect",
    "G1-deaf-disconnect",
    "G1-idp-outage-is-logout",
];

#[tokio::test]
async fn g2_shows_its_deviations_by_name_and_no_other() {
    let report = generation(Manners::G2, Profile::Auto).await;
    assert_eq!(report.looks_like, Generation::G2);
    assert!(report.conforms(), "{}", report.text());
    assert_eq!(report.tally(Level::Should).failed, 0, "{}", report.text());
    assert_eq!(names(&report), G2, "{}", report.text());
}

#[tokio::test]
async fn neither_is_forgiven_by_the_letter_of_the_standard_or_for_the_other() {
    let (g1, g2, mistaken) = tokio::join!(
        generation(Manners::G1, Profile::Strict),
        generation(Manners::G2, Profile::Strict),
        generation(Manners::G1, Profile::G2),
    );
    for report in [g1, g2] {
        assert!(!report.conforms(), "{}", report.text());
        assert!(report.tally(Level::Must).failed >= 10, "{}", report.text());
        assert_eq!(report.tally(Level::Must).deviations, 0);
        assert!(!names(&report).is_empty());
    }
    assert!(!mistaken.conforms());
}

#[tokio::test]
async fn a_self_signed_token_that_is_not_verified_is_found() {
    let wallet = DevWallet::builder()
        .profile(Manners::G1)
        .start()
        .await
        .unwrap();
    let mut options = options(&wallet, false);
    options.profile = Profile::G1;
    options.login = Login::Token(
        wallet
            .control()
            .self_signed_token("dev-user", "canton:local"),
    );
    let report = check(options).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    assert!(
        names(&report).contains(&"G1-token-not-verified"),
        "{}",
        report.text()
    );
}

#[tokio::test]
async fn an_api_key_that_opens_session_after_session_is_found() {
    let wallet = DevWallet::builder()
        .profile(Manners::G2)
        .start()
        .await
        .unwrap();
    let mut options = options(&wallet, false);
    options.profile = Profile::G2;
    options.login = Login::ApiKey("dev-api-key".into());
    let report = check(options).await.unwrap();
    assert!(report.conforms(), "{}", report.text());
    for name in ["G2-api-key-session-anew", "G2-api-key-unattended"] {
        assert!(names(&report).contains(&name), "{}", report.text());
    }
}

#[test]
fn every_deviation_with_a_name_is_shown_by_some_wallet() {
    let by_credentials = [
        "G1-token-not-verified",
        "G2-api-key-session-anew",
        "G2-api-key-unattended",
    ];
    // `planted_http`: the development wallet sends them.
    let by_swap = ["G1-cors-after-auth"];
    for deviation in DEVIATIONS {
        let shown = [G1, G2, &by_credentials, &by_swap];
        assert!(
            shown.iter().any(|it| it.contains(&deviation.id)),
            "nobody shows {}",
            deviation.id
        );
    }
}

#[tokio::test]
async fn a_stream_that_says_it_lives_is_found() {
    let heartbeat = std::time::Duration::from_millis(20);
    let wallet = DevWallet::builder().heartbeat(heartbeat).start().await;
    let report = check(options(&wallet.unwrap(), false)).await.unwrap();
    let verdict = &report.outcome("sse.heartbeat").unwrap().verdict;
    assert!(verdict.holds(), "{verdict:?}");
    assert!(report.conforms(), "{}", report.text());
}
