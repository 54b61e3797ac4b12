//! Fences over a WebSocket: told with the handshake.

use moorline::provider::{ErrorKind, OpenMode, Opened, Provider, Sent};
use moorline::sync::Fence;

use crate::harness::{Rig, soon};

#[tokio::test]
async fn a_connection_is_under_the_fence_it_was_opened_with() {
    let mut rig = Rig::new().await;
    rig.provider.fenced(&Fence::new("lease", 3));
    let opened = rig.open(OpenMode::Interactive).await;
    assert_eq!(opened, Ok(Opened::Established));
    let epoch = |rig: &Rig| rig.control.fences().leases[0].epoch;
    assert_eq!(epoch(&rig), 3);

    // Of no effect on the connection that stands.
    rig.provider.fenced(&Fence::new("lease", 4));
    soon(rig.provider.probe()).await.unwrap();
    assert_eq!(epoch(&rig), 3);
    rig.open(OpenMode::Silent).await.unwrap();
    assert_eq!(epoch(&rig), 4);
    soon(rig.provider.probe()).await.unwrap();
    assert_eq!(rig.control.fences().late_acts, 0);
}

#[tokio::test]
async fn what_comes_late_is_refused_for_good() {
    let mut rig = Rig::new().await;
    rig.provider.fenced(&Fence::new("lease", 1));
    rig.open(OpenMode::Interactive).await.unwrap();
    let other = rig.provider.another();
    other.fenced(&Fence::new("lease", 2));
    let provider = std::mem::replace(&mut rig.provider, other);
    rig.open(OpenMode::Silent).await.unwrap();

    let error = soon(provider.probe()).await.unwrap_err();
    assert_eq!(
        (error.kind(), error.code()),
        (ErrorKind::Refused, Some(-32003))
    );
    assert_eq!(error.sent(), Sent::Answered);
    assert!(!error.is_retryable());
    assert_eq!(rig.control.fences().late_acts, 1);
    soon(rig.provider.probe()).await.unwrap();
}

#[tokio::test]
async fn who_was_told_none_shows_none() {
    let mut rig = Rig::connected().await;
    rig.open(OpenMode::Silent).await.unwrap();
    assert_eq!(rig.control.fences().leases, []);
}
