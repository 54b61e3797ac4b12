//! A wallet, a session on its gateway side, and its events.

use std::time::Duration;

use moorline::policy::Backoff;
use moorline::session::{EventItem, EventStream};
use moorline::{EventKind, Policy, Session};
use moorline_cip0103::auth::ClientCredentials;
use moorline_cip0103::{GatewayState, HttpProvider, HttpProviderBuilder, STREAM_GAP};
use moorline_dev_wallet::{Control, DevWallet, DevWalletBuilder, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

/// Longer than anything takes; reached only by a test that fails.
pub(crate) const PATIENCE: Duration = Duration::from_secs(20);

pub(crate) const GENERATIONS: [Profile; 2] = [Profile::G1, Profile::G2];
pub(crate) const NETWORK: &str = "canton:local";

/// Waits, but not for ever.
pub(crate) async fn soon<T>(what: impl Future<Output = T>) -> T {
    tokio::time::timeout(PATIENCE, what)
        .await
        .expect("it never happened")
}

pub(crate) fn issuer(wallet: &DevWallet) -> String {
    wallet.http_url().replace("/api/v0/dapp", "/idp")
}

pub(crate) fn backend(wallet: &DevWallet) -> ClientCredentials {
    let secret = "dev-secret".to_owned().into();
    ClientCredentials::new(&issuer(wallet), "moorline-backend", secret).unwrap()
}

/// A provider that logs in by itself and is quick to come back.
pub(crate) fn builder(wallet: &DevWallet) -> HttpProviderBuilder {
    HttpProvider::builder(&wallet.http_url())
        .authenticator(backend(wallet))
        .network(NETWORK)
        .stream_backoff(Duration::from_millis(5), Duration::from_millis(50))
}

/// A session that recovers fast and for ever.
pub(crate) fn session(provider: HttpProvider) -> Session {
    let reconnect = Backoff {
        base: Duration::from_millis(5),
        cap: Duration::from_millis(50),
        max_attempts: None,
        ..Backoff::default()
    };
    let policy = Policy {
        reconnect,
        ..Policy::default()
    };
    Session::builder(provider)
        .policy(policy)
        .event_capacity(4096)
        .build()
        .unwrap()
}

/// A wallet, and a session that is connected to it with its stream open.
pub(crate) struct Rig {
    _wallet: DevWallet,
    pub(crate) control: Control,
    pub(crate) session: Session,
    pub(crate) events: EventStream,
    pub(crate) gateway: watch::Receiver<GatewayState>,
}

impl Rig {
    pub(crate) async fn new(profile: Profile) -> Self {
        Self::with(profile, |wallet| wallet, |provider| provider).await
    }

    pub(crate) async fn with(
        profile: Profile,
        wallet: impl FnOnce(DevWalletBuilder) -> DevWalletBuilder,
        provider: impl FnOnce(HttpProviderBuilder) -> HttpProviderBuilder,
    ) -> Self {
        let wallet = wallet(DevWallet::builder().profile(profile));
        let wallet = wallet.start().await.unwrap();
        let provider = provider(builder(&wallet)).build().unwrap();
        let gateway = provider.watch();
        let session = session(provider);
        soon(session.connect()).await.unwrap();
        let control = wallet.control();
        soon(control.until_streams(1)).await;
        let events = session.events();
        Self {
            _wallet: wallet,
            control,
            session,
            events,
            gateway,
        }
    }

    /// The names of the events up to one with this name, it included.
    pub(crate) async fn until(&mut self, last: &str) -> Vec<String> {
        names_until(&mut self.events, last).await
    }

    pub(crate) async fn next<T>(&mut self, wanted: impl FnMut(&EventKind) -> Option<T>) -> T {
        next_event(&mut self.events, wanted).await
    }
}

pub(crate) async fn next_event<T>(
    events: &mut EventStream,
    mut wanted: impl FnMut(&EventKind) -> Option<T>,
) -> T {
    let mut passed = Vec::new();
    let waiting = async {
        loop {
            match events.next().await.expect("the session is closed") {
                EventItem::Event(event) => {
                    passed.push(format!("{:?}", event.kind));
                    if let Some(found) = wanted(&event.kind) {
                        return found;
                    }
                }
                EventItem::Missed(missed) => panic!("{missed} events missed"),
            }
        }
    };
    match tokio::time::timeout(PATIENCE, waiting).await {
        Ok(found) => found,
        Err(_) => panic!("it never happened; what did: {passed:#?}"),
    }
}

pub(crate) async fn names_until(events: &mut EventStream, last: &str) -> Vec<String> {
    let mut names = Vec::new();
    next_event(events, |kind| {
        let name = name(kind);
        names.push(name.clone());
        (name == last).then_some(())
    })
    .await;
    names
}

/// What an event is called. Gap marks are `gap:PHASE`, other events of the wallet their own name.
pub(crate) fn name(kind: &EventKind) -> String {
    match kind {
        EventKind::Provider(message) if &*message.name == STREAM_GAP => {
            format!("gap:{}", message.payload["phase"].as_str().unwrap())
        }
        EventKind::Provider(message) => message.name.to_string(),
        other => other.name().to_owned(),
    }
}

pub(crate) fn has(names: &[String], name: &str) -> bool {
    names.iter().any(|it| it == name)
}

/// Opens a page as a browser would, and goes where it is sent.
pub(crate) async fn browse(url: String) -> String {
    let mut url = url::Url::parse(&url).unwrap();
    loop {
        let (host, port) = (url.host_str().unwrap(), url.port().unwrap());
        let mut socket = TcpStream::connect((host, port)).await.unwrap();
        let target = &url[url::Position::BeforePath..];
        let get =
            format!("GET {target} HTTP/1.1\r\nhost: {host}:{port}\r\nconnection: close\r\n\r\n");
        socket.write_all(get.as_bytes()).await.unwrap();
        let mut answer = String::new();
        soon(socket.read_to_string(&mut answer)).await.unwrap();
        let location = answer.lines().find_map(|line| {
            let (name, value) = line.split_once(':')?;
            name.eq_ignore_ascii_case("location")
                .then(|| value.trim().to_owned())
        });
        match location {
            Some(next) => url = url.join(&next).unwrap(),
            None => return answer,
        }
    }
}
