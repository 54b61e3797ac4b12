//! Fences over HTTP: told with every call, and with the stream.

use std::sync::Arc;

use moorline::provider::{ErrorKind, Provider, Sent};
use moorline::sync::Fence;
use moorline::{OperationError, Session};
use moorline_dev_wallet::{DevWallet, Profile};
use serde_json::json;

use crate::rig::{builder, soon};

#[tokio::test]
async fn every_call_is_under_the_fence_told_last() {
    let wallet = DevWallet::builder()
        .profile(Profile::G2)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let provider = Arc::new(builder(&wallet).build().unwrap());
    provider.fenced(&Fence::new("lease", 3));
    let session = Session::builder_dyn(provider.clone()).build().unwrap();
    soon(session.connect()).await.unwrap();
    soon(control.until_streams(1)).await;
    let epoch = || control.fences().leases[0].epoch;
    assert_eq!(epoch(), 3);

    provider.fenced(&Fence::new("lease", 4));
    let ask = |session: &Session| {
        let params = json!({ "requestMethod": "get", "resource": "/v2/version" });
        let session = session.clone();
        async move { soon(session.request("ledgerApi", params)).await }
    };
    ask(&session).await.unwrap();
    assert_eq!(epoch(), 4);

    // Somebody else takes over.
    let other = Arc::new(provider.another());
    other.fenced(&Fence::new("lease", 5));
    let taken = Session::builder_dyn(other).build().unwrap();
    soon(taken.connect()).await.unwrap();
    assert_eq!(control.fences().late_acts, 0);
    let OperationError::Provider(error) = ask(&session).await.unwrap_err() else {
        panic!("refused by whom?");
    };
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Refused, Some(-32003))
    );
    assert_eq!(error.sent(), Sent::Answered);
    assert!(!error.is_retryable());
    assert_eq!(control.fences().late_acts, 1);
    ask(&taken).await.unwrap();
}
