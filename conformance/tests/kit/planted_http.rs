//! Checks that apply to HTTP alone: each turned red by a swap of bytes, or by a way of the gateways
//! turned on alone.

use std::collections::HashSet;
use std::sync::Arc;
use std::time::Duration;

use futures_util::StreamExt;
use moorline_conformance::{Applies, Login, Options, Report, Verdict, catalogue, check};
use moorline_dev_wallet::{DevWallet, Dialect};

use crate::person::AtTheWallet;
use crate::planted::red;
use crate::swap::{self, Swap};

/// Runs at a time: they wait more than they work.
const AT_ONCE: usize = 16;

struct Swapped {
    id: &'static str,
    swap: Swap,
}

const fn swap(
    id: &'static str,
    asked: &'static [&'static str],
    from: &'static str,
    to: &'static str,
) -> Swapped {
    Swapped {
        id,
        swap: Swap { asked, from, to },
    }
}

const EVENTS: &[&str] = &["GET ", "/events"];
const NOBODY: &str = "HTTP/1.1 401 Unauthorized";
const OTHER: &str = "HTTP/1.1 403 Unauthorized";

const SWAPS: &[Swapped] = &[
    swap(
        "http.content-type",
        &[],
        "application/json",
        "application/jsom",
    ),
    swap(
        "http.charset",
        &["charset=utf-8"],
        "\"result\"",
        "\"resilt\"",
    ),
    swap(
        "http.status-ok",
        &["listAccounts"],
        "HTTP/1.1 200 OK",
        "HTTP/1.1 201 OK",
    ),
    swap(
        "http.errors-are-json",
        &["toString"],
        "{\"error\"",
        "<\"error\"",
    ),
    swap(
        "http.no-stack-trace",
        &["toString"],
        "not found: ",
        "no     at  ",
    ),
    swap(
        "http.text-refused",
        &["text/plain"],
        "HTTP/1.1 4",
        "HTTP/1.1 5",
    ),
    swap(
        "http.get-refused",
        &["GET /api/v0/dapp HTTP"],
        "HTTP/1.1 4",
        "HTTP/1.1 2",
    ),
    swap("http.large", &["xxxxxxxx"], "\"result\"", "\"resilt\""),
    swap("http.huge", &["xxxxxxxx"], "HTTP/1.1 413", "HTTP/1.1 513"),
    swap(
        "http.retry-after",
        &["\"isConnected\""],
        "retry-after",
        "retry-never",
    ),
    swap(
        "http.cors-preflight",
        &["OPTIONS "],
        "access-control-allow-origin",
        "access-control-refus-origin",
    ),
    swap(
        "http.cors-result",
        &["https://dapp.example", "isConnected"],
        "access-control-allow-origin",
        "access-control-refus-origin",
    ),
    swap(
        "http.cors-error",
        &["https://dapp.example", "listAccounts"],
        "access-control-allow-origin",
        "access-control-refus-origin",
    ),
    swap(
        "prepareExecute.user-url",
        &["\"prepareExecute\"", "moorline-check-tx-"],
        "userUrl",
        "usedUrl",
    ),
    swap("connect.user-url", &["\"connect\""], "userUrl", "usedUrl"),
    swap("sse.opens", EVENTS, "HTTP/1.1 200", "HTTP/1.1 204"),
    swap(
        "sse.content-type",
        EVENTS,
        "text/event-stream",
        "text/event-strean",
    ),
    swap("sse.not-cached", EVENTS, "cache-control", "cache-contrll"),
    swap("sse.data-json", EVENTS, "data: [", "data: <"),
    swap("sse.named", EVENTS, "event: ", "evemt: "),
    swap(
        "sse.query-token",
        &["GET ", "/events?token="],
        "HTTP/1.1 200",
        "HTTP/1.1 400",
    ),
    // Not heard by name is not heard: the second stream is asked for this one.
    swap(
        "sse.second-stream",
        EVENTS,
        "moorline-check-links",
        "moorline-check-lost!",
    ),
    swap(
        "sse.reopens",
        EVENTS,
        "moorline-check-reopened",
        "moorline-check-lost..!!",
    ),
    swap("sse.unauthenticated", EVENTS, NOBODY, OTHER),
    swap(
        "sse.garbage-token",
        &["GET ", "/events", "moorline-check-garbage"],
        NOBODY,
        OTHER,
    ),
    swap("sse.refused-after-end", EVENTS, NOBODY, OTHER),
    swap(
        "security.garbage-token",
        &["moorline-check-garbage", "isConnected"],
        "\"isConnected\":false",
        "\"isConnected\":true ",
    ),
    swap(
        "security.no-echo",
        &["moorline-check-garbage", "listAccounts"],
        "\"code\":4100,\"message\":\"unauthorized: not a token\"",
        "\"code\":4,\"message\":\"moorline-check-garbage-token\"",
    ),
];

/// Ways of the gateways, and the check each turns red.
const WAYS: &[(&str, &str)] = &[
    ("bare-errors", "errors.message"),
    ("html-errors", "framing.parse-error"),
    ("vague-parse-errors", "framing.parse-error"),
    ("null-id-on-refusal", "framing.error-id"),
    ("no-batch", "framing.batch"),
    ("answers-notifications", "framing.notification-http"),
    ("prototype-methods-crash", "framing.prototype-method"),
    ("event-names-crash", "methods.event-names-unknown"),
    ("unchecked-params", "prepareExecute.params"),
    ("version-todo", "status.provider-version"),
    ("extra-status-fields", "status.no-extra-fields"),
    ("account-rights", "accounts.no-extra-fields"),
    ("reason-ok", "connect.reason-only-when-not"),
    (
        "user-url-when-connected",
        "connect.user-url-only-when-needed",
    ),
    ("connect-announces", "events.connected-only-at-login"),
    ("user-wide-sessions", "security.other-disconnect"),
    ("user-wide-streams", "security.other-session"),
    ("user-wide-streams", "security.other-token"),
    ("streams-outlive-logout", "sse.ends-with-logout"),
    (
        "streams-outlive-disconnect+streams-outlive-token",
        "sse.ends-with-session",
    ),
    ("streams-outlive-token", "sse.ends-with-token"),
    (
        "no-session-is-internal+token-outlives-disconnect",
        "lifecycle.end-4100",
    ),
    ("tx-superset", "txChanged.no-extra-fields"),
    ("signed-unannounced", "txChanged.signed"),
    ("signed-without-signature", "txChanged.shape"),
    ("reject-is-silent", "reject.failed"),
    ("prepare-failure-is-silent", "txChanged.refused-ends"),
    ("internal-ledger-errors", "ledgerApi.unknown-resource-code"),
    ("ledger-get-post-only", "ledgerApi.verbs"),
    ("network-loss-is-silent", "events.network"),
    ("sign-message-crashes", "methods.signMessage"),
    ("sign-message-by-event", "signMessage.shape"),
    ("leaks-secrets", "security.networks-without-secrets"),
    ("close-after-unknown-method", "http.kept"),
    ("plain-rate-limit", "http.limit-code"),
    ("absent-method-unknown", "methods.unsupported"),
    ("execute-failure-is-silent", "txChanged.failed"),
    ("token-outlives-disconnect", "lifecycle.end-token"),
    ("deaf-disconnect", "lifecycle.expired-disconnect"),
    ("idp-outage-is-logout", "lifecycle.idp-outage"),
];

/// What `planted` or the null wallets turn red over a WebSocket by the same judge, or what is shown
/// otherwise below.
const ELSEWHERE: &[&str] = &[
    // Absent from the development wallet: a MAY that can fail.
    "sse.heartbeat",
    "sse.event-ids",
    // `gateways::a_self_signed_token_that_is_not_verified_is_found`.
    "security.altered-token",
];

async fn run(dialect: Dialect, swap: Option<Swap>) -> Report {
    // The wallet must know where it is reached, or tells addresses that are not the kit's.
    let (listener, proxy) = swap::listen().await;
    let mut builder = DevWallet::builder().dialect(dialect).require_login(true);
    if swap.is_some() {
        builder = builder.public_url(format!("http://{proxy}"));
    }
    let wallet = builder.start().await.unwrap();
    let address = match swap {
        Some(swap) => {
            swap::pass_on(listener, wallet.address(), swap);
            proxy
        }
        None => wallet.address(),
    };
    let mut options = Options::new(format!("http://{address}/api/v0/dapp"));
    options.person = Arc::new(AtTheWallet(wallet.control()));
    options.timeout = Duration::from_secs(3);
    options.login = Login::ClientCredentials {
        issuer: format!("http://{address}/idp"),
        client_id: "moorline-backend".into(),
        client_secret: "dev-secret".into(),
    };
    check(options).await.unwrap()
}

#[test]
fn every_check_over_http_alone_can_be_turned_red() {
    let mut shown: HashSet<&str> = SWAPS.iter().map(|it| it.id).collect();
    shown.extend(WAYS.iter().map(|it| it.1));
    shown.extend(ELSEWHERE);
    let alone = catalogue().filter(|it| it.applies == Applies::Http);
    let missing: Vec<&str> = alone
        .map(|it| it.id)
        .filter(|id| !shown.contains(id))
        .collect();
    assert_eq!(missing, [""; 0]);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_swap_of_bytes_turns_its_check_red() {
    let runs = futures_util::stream::iter(SWAPS).map(async |swapped| {
        let report = run(Dialect::STRICT, Some(swapped.swap)).await;
        let found = red(&report).contains(swapped.id);
        (!found).then(|| {
            let verdict = report
                .outcome(swapped.id)
                .map(|it| format!("{:?}", it.verdict));
            format!("{}: {verdict:?}", swapped.id)
        })
    });
    let green: Vec<Option<String>> = runs.buffer_unordered(AT_ONCE).collect().await;
    let green: Vec<String> = green.into_iter().flatten().collect();
    assert!(green.is_empty(), "not red:\n{}", green.join("\n"));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_way_of_the_gateways_turns_its_check_red_and_has_a_name() {
    let runs = futures_util::stream::iter(WAYS).map(async |(way, id)| {
        let mut dialect = Dialect::STRICT;
        for way in way.split('+') {
            assert!(dialect.set(way, true), "no way {way}");
        }
        let report = run(dialect, None).await;
        let verdict = report.outcome(id).map(|it| &it.verdict);
        match verdict {
            Some(Verdict::Failed {
                deviation: Some(_), ..
            }) => None,
            other => Some(format!("{way}: {id} is {other:?}")),
        }
    });
    let green: Vec<Option<String>> = runs.buffer_unordered(AT_ONCE).collect().await;
    let green: Vec<String> = green.into_iter().flatten().collect();
    assert!(
        green.is_empty(),
        "not red, or without a name:\n{}",
        green.join("\n")
    );
}
