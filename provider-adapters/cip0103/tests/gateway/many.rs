//! Many sessions on one gateway: they share connections, and come back together.

use std::time::Duration;

use futures_util::future::join_all;
use moorline_dev_wallet::{DevWallet, Profile};

use crate::rig::{builder, has, names_until, session, soon};

const SESSIONS: usize = 100;

#[tokio::test]
async fn many_sessions_share_connections_and_all_come_back() {
    let wallet = DevWallet::builder()
        .profile(Profile::G2)
        .start()
        .await
        .unwrap();
    let control = wallet.control();
    let first = builder(&wallet)
        .stream_opens_per_second(50)
        .build()
        .unwrap();
    let sessions: Vec<_> = (0..SESSIONS).map(|_| session(first.another())).collect();
    for connected in soon(join_all(sessions.iter().map(|it| it.connect()))).await {
        connected.unwrap();
    }
    soon(control.until_streams(SESSIONS)).await;
    // One connection for each stream; requests share the others. What is idle is closed soon.
    soon(async {
        while control.sockets() > SESSIONS + 40 {
            tokio::time::sleep(Duration::from_millis(50)).await;
        }
    })
    .await;
    assert_eq!(
        control.user_sessions(),
        1,
        "they share the one of their credential"
    );
    let events: Vec<_> = sessions.iter().map(|it| it.events()).collect();
    let cut = tokio::time::Instant::now();
    assert_eq!(control.drop_streams(), SESSIONS);
    let heard = join_all(
        events
            .into_iter()
            .map(|mut events| async move { names_until(&mut events, "gap:ended").await }),
    );
    for names in soon(heard).await {
        assert!(
            has(&names, "gap:began") && !has(&names, "session:reconnecting"),
            "{names:?}"
        );
    }
    assert!(
        cut.elapsed() >= Duration::from_millis(500),
        "they did not come all at once"
    );
    assert_eq!(control.streams(), SESSIONS);
}
