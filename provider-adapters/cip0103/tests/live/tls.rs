//! `wss`: the wallet behind something that speaks TLS.

use std::net::SocketAddr;
use std::sync::Arc;

use moorline::Epoch;
use moorline::provider::{
    ErrorKind, EventSink, OpenMode, OpenRequest, Opened, Provider, ProviderError, Sent,
};
use moorline_cip0103::WsProvider;
use moorline_dev_wallet::DevWallet;
use tokio::net::{TcpListener, TcpStream};
use tokio_rustls::TlsAcceptor;
use tokio_rustls::rustls::crypto::ring;
use tokio_rustls::rustls::pki_types::{CertificateDer, PrivateKeyDer, PrivatePkcs8KeyDer};
use tokio_rustls::rustls::{ClientConfig, RootCertStore, ServerConfig};

use crate::harness::soon;

/// A certificate for `localhost` that nobody knows, and a door with it in front of a wallet.
async fn door_to(wallet: SocketAddr) -> (u16, CertificateDer<'static>) {
    let made = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
    let certificate = made.cert.der().clone();
    let key = PrivatePkcs8KeyDer::from(made.signing_key.serialize_der());
    let config = ServerConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_no_client_auth()
        .with_single_cert(vec![certificate.clone()], PrivateKeyDer::Pkcs8(key))
        .unwrap();
    let acceptor = TlsAcceptor::from(Arc::new(config));
    let listener = TcpListener::bind(("127.0.0.1", 0)).await.unwrap();
    let port = listener.local_addr().unwrap().port();
    tokio::spawn(async move {
        while let Ok((socket, _)) = listener.accept().await {
            let acceptor = acceptor.clone();
            tokio::spawn(async move {
                // A client that does not trust the certificate goes away here.
                let Ok(mut outside) = acceptor.accept(socket).await else {
                    return;
                };
                let mut inside = TcpStream::connect(wallet).await.unwrap();
                tokio::io::copy_bidirectional(&mut outside, &mut inside)
                    .await
                    .ok();
            });
        }
    });
    (port, certificate)
}

async fn open(provider: &WsProvider) -> Result<Opened, ProviderError> {
    let request = OpenRequest::new(Epoch::new(1), OpenMode::Interactive);
    soon(provider.open(request, EventSink::from_fn(Epoch::new(1), |_| {}))).await
}

#[tokio::test]
async fn a_wallet_is_reached_over_tls_and_its_certificate_is_checked() {
    let wallet = DevWallet::builder().start().await.unwrap();
    let (port, certificate) = door_to(wallet.address()).await;
    let url = format!("wss://localhost:{port}/");

    let mut roots = RootCertStore::empty();
    roots.add(certificate).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(ring::default_provider()))
        .with_safe_default_protocol_versions()
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let trusting = WsProvider::builder(&url).tls_config(Arc::new(config));
    let trusting = trusting.build().unwrap();
    assert_eq!(open(&trusting).await, Ok(Opened::Established));
    soon(trusting.probe()).await.unwrap();

    // The operating system does not know it.
    let error = open(&WsProvider::new(&url).unwrap()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.sent()),
        (ErrorKind::Unreachable, Sent::No)
    );
    assert_eq!(wallet.control().seen("connect"), 1);
}
