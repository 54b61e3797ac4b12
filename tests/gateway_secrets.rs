//! H70 at gateways: no secret appears in anything that is logged, told or shown, over a full life
//! with every way to log in, at every kind of gateway, through everything that goes wrong there.
//!
//! Which secrets were used is not taken from the library: a proxy between program and gateway reads
//! them off the wire. Alone in its program: it collects everything that is logged here, by whomever.

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

#[path = "support/shown.rs"]
mod shown;

use std::collections::BTreeSet;
use std::error::Error;
use std::net::SocketAddr;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use moorline::policy::Backoff;
use moorline::session::{EventItem, EventStream};
use moorline::store::{MemoryStore, RecordName, Store};
use moorline::{EventKind, Policy, Session};
use moorline_cip0103::auth::{
    ApiKey, AuthorizationCode, ClientCredentials, SelfSigned, StaticToken,
};
use moorline_cip0103::types::{LedgerApiRequest, PrepareExecute};
use moorline_cip0103::{Credentials, DappClient, HttpProvider};
use moorline_dev_wallet::{DevWallet, HttpFault, Place, Profile};
use secrecy::ExposeSecret;
use serde_json::{Value, json};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::time::timeout;

use self::shown::{Log, Shown};

const PATIENCE: Duration = Duration::from_secs(20);
const NETWORK: &str = "canton:local";

/// Shows what came of a call: the answer itself is the caller's.
fn outcome<T, E: Error + 'static>(shown: &Shown, place: &str, outcome: Result<T, E>) {
    if let Err(error) = outcome {
        shown.error(place, &error);
    }
}

/// What travels between programs and a gateway.
#[derive(Clone, Default)]
struct Wire(Arc<Mutex<Vec<u8>>>);

impl Wire {
    /// Stands between, at this address.
    fn tap(&self, listener: TcpListener, gateway: SocketAddr) {
        let wire = self.clone();
        tokio::spawn(async move {
            while let Ok((near, _)) = listener.accept().await {
                let Ok(far) = TcpStream::connect(gateway).await else {
                    continue;
                };
                let (near_in, near_out) = near.into_split();
                let (far_in, far_out) = far.into_split();
                tokio::spawn(wire.clone().copy(near_in, far_out));
                tokio::spawn(wire.clone().copy(far_in, near_out));
            }
        });
    }

    async fn copy(
        self,
        mut from: tokio::net::tcp::OwnedReadHalf,
        mut to: tokio::net::tcp::OwnedWriteHalf,
    ) {
        let mut buffer = vec![0; 16 * 1024];
        // Kept apart by connection and direction: nothing is torn.
        let mut seen = Vec::new();
        while let Ok(count) = from.read(&mut buffer).await {
            seen.extend_from_slice(&buffer[..count]);
            if count == 0 || to.write_all(&buffer[..count]).await.is_err() {
                break;
            }
        }
        let mut all = self.0.lock().unwrap();
        all.push(b'\n');
        all.extend(seen);
    }

    /// Every secret that travelled, and each part of a token that says something.
    fn secrets(&self) -> BTreeSet<String> {
        let text = String::from_utf8_lossy(&self.0.lock().unwrap()).into_owned();
        let lower = text.to_lowercase();
        let mut secrets = BTreeSet::new();
        let marks = [
            "authorization: bearer ",
            "authorization: apikey ",
            "authorization: basic ",
            "\"access_token\":\"",
            "\"refresh_token\":\"",
            "\"id_token\":\"",
            "\"accesstoken\":\"",
            "&code=",
            "?code=",
            "&code_verifier=",
            "&refresh_token=",
            "&client_secret=",
            "?token=",
            "&token=",
        ];
        for mark in marks {
            for (at, _) in lower.match_indices(mark) {
                let rest = &text[at + mark.len()..];
                let end = rest.find(|it: char| "\"&\r\n <'\\".contains(it));
                let secret = &rest[..end.unwrap_or(rest.len())];
                let parts: Vec<&str> = secret.split('.').collect();
                // The first part is the same for all tokens.
                let telling = if parts.len() == 3 { &parts[1..] } else { &[] };
                let all = std::iter::once(&secret).chain(telling);
                secrets.extend(all.filter(|it| it.len() >= 8).map(|it| (*it).to_owned()));
            }
        }
        secrets
    }
}

/// Waits, but not for ever.
async fn soon<T>(what: impl Future<Output = T>) -> T {
    timeout(PATIENCE, what).await.expect("it never happened")
}

/// Notes every event until the session is closed, and goes where a person is sent to.
fn follow(session: &Session, shown: &Shown) -> tokio::task::JoinHandle<()> {
    let (mut events, shown): (EventStream, Shown) = (session.events(), shown.clone());
    tokio::spawn(async move {
        while let Some(item) = events.next().await {
            let EventItem::Event(event) = item else {
                continue;
            };
            shown.debug("event", &event);
            shown.add("event", serde_json::to_string(&event).unwrap());
            if let EventKind::UserActionRequired { action } = &event.kind {
                tokio::spawn(browse(action.url.to_string()));
            }
        }
    })
}

/// Opens a page as a browser would, and goes where it is sent.
async fn browse(url: String) -> Option<String> {
    let mut url = url;
    loop {
        let rest = url.strip_prefix("http://")?.to_owned();
        let (place, path) = rest.split_once('/')?;
        let mut socket = TcpStream::connect(place).await.ok()?;
        let get = format!("GET /{path} HTTP/1.1\r\nhost: {place}\r\nconnection: close\r\n\r\n");
        socket.write_all(get.as_bytes()).await.ok()?;
        let mut answer = String::new();
        socket.read_to_string(&mut answer).await.ok()?;
        let location = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.trim().to_owned())
        });
        match location {
            Some(next) if next.starts_with('/') => url = format!("http://{place}{next}"),
            Some(next) => url = next,
            None => return Some(answer),
        }
    }
}

fn policy() -> Policy {
    Policy {
        reconnect: Backoff {
            base: Duration::from_millis(10),
            cap: Duration::from_millis(50),
            max_attempts: None,
            ..Backoff::default()
        },
        ..Policy::default()
    }
}

/// A gateway, and the address at which everything that travels is seen.
async fn gateway(profile: Profile, wire: &Wire) -> (DevWallet, String) {
    let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
    let public = format!("http://{}", listener.local_addr().unwrap());
    let wallet = DevWallet::builder()
        .profile(profile)
        .require_login(true)
        .token_ttl(Duration::from_secs(5))
        .public_url(&public)
        .start()
        .await
        .unwrap();
    wire.tap(listener, wallet.address());
    (wallet, public)
}

fn logins(wallet: &DevWallet, public: &str, profile: Profile) -> Vec<(&'static str, Credentials)> {
    let issuer = format!("{public}/idp");
    let control = wallet.control();
    let backend =
        ClientCredentials::new(&issuer, "moorline-backend", "dev-secret".to_owned().into());
    let in_body =
        ClientCredentials::new(&issuer, "moorline-backend", "dev-secret".to_owned().into());
    let mut logins: Vec<(&'static str, Credentials)> = vec![
        (
            "token",
            StaticToken::new(control.issue_token("carol").unwrap()).into(),
        ),
        ("client credentials", backend.unwrap().into()),
        (
            "secret in the body",
            in_body.unwrap().secret_in_body().into(),
        ),
        (
            "code",
            AuthorizationCode::new(&issuer, "moorline-cli")
                .unwrap()
                .into(),
        ),
    ];
    let signed = SelfSigned::new("dave", "dev-self-signed".to_owned().into());
    logins.push((
        "self-signed",
        signed
            .audience("moorline-dev-wallet")
            .key_id(NETWORK)
            .into(),
    ));
    if profile == Profile::G2 {
        logins.push(("key", ApiKey::new("dev-api-key".to_owned().into()).into()));
    }
    logins
}

/// One session from its beginning to its end.
async fn life(
    wallet: &DevWallet,
    public: &str,
    name: &str,
    credentials: Credentials,
    shown: &Shown,
) {
    let control = wallet.control();
    shown.debug("credentials", &credentials);
    let provider = HttpProvider::builder(&format!("{public}/api/v0/dapp"))
        .authenticator(credentials)
        .network(NETWORK)
        .all_transactions(true)
        .token_in_url(name == "token")
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50));
    let provider = provider.build().unwrap();
    shown.debug("provider", &provider);
    let gateway = provider.watch();
    let store = MemoryStore::new();
    let session = Session::builder(provider)
        .policy(policy())
        .store(store.clone(), "secrets")
        .event_capacity(10_000)
        .build()
        .unwrap();
    let following = follow(&session, shown);
    let connected = soon(session.connect()).await;
    // Of what fails at once nothing could leak.
    assert!(connected.is_ok(), "{name}: {connected:?}");
    let dapp = DappClient::new(session.clone());
    shown.debug("client", &dapp);

    // What the gateway itself would show. Every answer may hold a token, and errors may not.
    let token = control.log_in("erin", NETWORK).unwrap();
    let secret = token.expose_secret();
    outcome(
        shown,
        "status",
        soon(dapp.status())
            .await
            .map(|it| shown.debug("status", &it)),
    );
    let network = soon(dapp.get_active_network()).await;
    outcome(
        shown,
        "network",
        network.map(|it| shown.debug("network", &it)),
    );
    outcome(shown, "accounts", soon(dapp.list_accounts()).await);
    outcome(shown, "signature", soon(dapp.sign_message("hello")).await);
    let commands = json!([{ "CreateCommand": { "templateId": "#a:B:C", "createArguments": {} } }]);
    let request = PrepareExecute::new(commands).with_command_id(format!("secrets-{name}"));
    let executed = dapp.prepare_execute_and_wait(request, Duration::from_secs(2));
    outcome(shown, "transaction", soon(executed).await);
    let ledger = LedgerApiRequest::get("/v2/nothing-here");
    outcome(shown, "ledger", soon(dapp.ledger_api(&ledger)).await);

    // The gateway repeats tokens wherever it can.
    let echo = json!({ "accessToken": secret, "note": format!("Bearer {secret}."), "d": [{ "t": secret }] });
    for event in [
        "custom",
        "statusChanged",
        "connected",
        "accountsChanged",
        "txChanged",
    ] {
        for data in [
            echo.to_string(),
            format!("[{echo}]"),
            format!("{{\"t\":\"{secret}\""),
        ] {
            control.stream_raw(&format!("event: {event}\ndata: {data}\n\n"));
        }
    }
    control.stream_raw(&format!(
        "event: of-{secret}\ndata: {echo}\n\n:{secret}\n\nid: {secret}\n\n"
    ));
    let own = session.request("status", Value::Null).await;
    let own = own
        .ok()
        .and_then(|status| Some(status["session"]["accessToken"].as_str()?.to_owned()));
    let own = own.unwrap_or_else(|| secret.to_owned());
    let faults = [
        HttpFault::StringError {
            message: format!("`{own}` is no token; Bearer {secret}"),
        },
        HttpFault::Html { status: 500 },
        HttpFault::Redirect {
            to: format!("{public}/?token={own}"),
        },
        HttpFault::ContentType {
            value: format!("text/{}", "html"),
        },
        HttpFault::BareError { code: 4100 },
        HttpFault::Garbage,
        HttpFault::Truncated { bytes: 60 },
        HttpFault::RateLimit { retry_after: None },
        HttpFault::CloseUnanswered,
    ];
    for fault in faults {
        control.misbehave_at(Place::Dapp, Some("listAccounts"), fault, Some(1));
        outcome(shown, "fault", soon(dapp.list_accounts()).await);
        control.behave();
    }
    control.reply_errors_to(
        "signMessage",
        -32603,
        &format!("bad token {own}, and {secret}"),
    );
    outcome(shown, "signature", soon(dapp.sign_message("again")).await);
    control.reply_normally();

    // Streams break, tokens end, the identity provider is away, others log in.
    control.drop_streams();
    control.log_in_elsewhere();
    control.idp_down(true);
    control.expire_session();
    shown.debug("verdict", &soon(session.verify()).await);
    tokio::time::sleep(Duration::from_millis(300)).await;
    control.idp_down(false);
    shown.debug("verdict", &soon(session.verify()).await);
    // Past the end of its token.
    tokio::time::sleep(Duration::from_millis(5200)).await;
    shown.debug("session", &session);
    shown.snapshot(&session.snapshot());
    control.revoke_sessions();
    shown.debug("verdict", &soon(session.verify()).await);
    shown.debug("gateway", &gateway.borrow().clone());
    shown.debug(
        "record",
        &store.load(&RecordName::new("secrets")).await.unwrap(),
    );
    shown.debug("report", &soon(session.disconnect()).await);
    shown.debug("session", &session);
    shown.snapshot(&session.snapshot());
    soon(session.close()).await;
    soon(following).await.unwrap();
}

#[tokio::test(flavor = "multi_thread", worker_threads = 2)]
async fn h70_no_secret_of_a_gateway_is_shown_anywhere() {
    let log = Log::collect();
    let (shown, wire) = (Shown::default(), Wire::default());
    let mut lives = Vec::new();
    for profile in Profile::ALL {
        let (first, public) = gateway(profile, &wire).await;
        let names: Vec<&str> = logins(&first, &public, profile)
            .iter()
            .map(|it| it.0)
            .collect();
        for name in names {
            let (shown, wire) = (shown.clone(), wire.clone());
            lives.push(tokio::spawn(async move {
                // A gateway of its own: what goes wrong is for everybody.
                let (wallet, public) = gateway(profile, &wire).await;
                let mut logins = logins(&wallet, &public, profile);
                let position = logins.iter().position(|it| it.0 == name).unwrap();
                let (_, credentials) = logins.swap_remove(position);
                life(&wallet, &public, name, credentials, &shown).await;
                wallet.stop().await;
            }));
        }
    }
    for life in lives {
        timeout(Duration::from_secs(60), life)
            .await
            .expect("nothing hangs")
            .unwrap();
    }
    // What was on the way is at its end.
    tokio::time::sleep(Duration::from_millis(200)).await;
    let mut secrets = wire.secrets();
    secrets.extend(["dev-secret", "dev-api-key", "dev-self-signed"].map(str::to_owned));
    let on_the_wire = String::from_utf8_lossy(&wire.0.lock().unwrap()).to_lowercase();
    for mark in [
        "bearer ",
        "apikey ",
        "basic ",
        "code_verifier=",
        "refresh_token",
        "?token=",
    ] {
        assert!(on_the_wire.contains(mark), "no {mark} was used");
    }
    assert!(
        secrets.len() > 40,
        "only {} secrets were seen",
        secrets.len()
    );

    let logged = log.text();
    for target in ["moorline_cip0103", "moorline::", "hyper_util"] {
        assert!(logged.contains(target), "{target} logs");
    }
    for line in logged.lines() {
        // A line begins with when and who.
        shown.add(&line.chars().take(90).collect::<String>(), line);
    }
    let mut leaks = shown.leaks(&secrets);
    let count = leaks.len();
    leaks.truncate(12);
    assert!(leaks.is_empty(), "{count} leaks:\n{}", leaks.join("\n"));

    // The check can fail: a planted leak is found, in a log and in an event.
    for secret in secrets.iter().take(5) {
        tracing::trace!(target: "planted", value = %secret);
        let planted = Shown::default();
        planted.add("log", log.text());
        planted.debug(
            "message",
            &moorline::provider::Message::new("x", json!([secret])),
        );
        assert_eq!(planted.leaks(&secrets).len(), 2);
    }
}
