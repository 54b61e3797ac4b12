//! A wallet, a session on its gateway side, and its events.

use std::time::Duration;

use moorline::session::EventStream;
use moorline::{EventKind, Session};
use moorline_cip0103::auth::ClientCredentials;
use moorline_cip0103::{GatewayState, HttpProvider, HttpProviderBuilder};
use moorline_dev_wallet::{Control, DevWallet, DevWalletBuilder, Profile};
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;
use tokio::sync::watch;

pub(crate) use crate::support::names::{connecting, name, names_until, sent_to};
pub(crate) use crate::support::session::{PATIENCE, next_event, session, soon};

pub(crate) const GENERATIONS: [Profile; 2] = [Profile::G1, Profile::G2];
pub(crate) const NETWORK: &str = "canton:local";

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
