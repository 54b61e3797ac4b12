//! `wss`: the wallet behind something that speaks TLS.

use moorline::Epoch;
use moorline::provider::{
    ErrorKind, EventSink, OpenMode, OpenRequest, Opened, Provider, ProviderError, Sent,
};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::DevWallet;

use crate::door::Door;
use crate::harness::soon;

async fn open(provider: &WsProvider) -> Result<Opened, ProviderError> {
    let request = OpenRequest::new(Epoch::new(1), OpenMode::Interactive);
    soon(provider.open(request, EventSink::from_fn(Epoch::new(1), |_| {}))).await
}

#[tokio::test]
async fn a_wallet_is_reached_over_tls_and_its_certificate_is_checked() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let door = Door::to(wallet.address()).await;
    let url = format!("wss://localhost:{}/", door.port);

    let trusting = WsProvider::builder(&url).tls_config(door.trust(&[]));
    let trusting = trusting.build().unwrap();
    assert_eq!(open(&trusting).await, Ok(Opened::Established));
    soon(trusting.probe()).await.unwrap();

    // The operating system does not know it.
    let error = open(&WsProvider::new(&url).unwrap()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
    let said = error.to_string();
    assert!(said.contains("certificate is not trusted"), "{said}");
    assert_eq!(wallet.control().seen("connect"), 1);
}
