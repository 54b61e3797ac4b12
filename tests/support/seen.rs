//! What is seen of a manager.

use std::sync::Arc;

use moorline::manager::{ManagerEvent, ManagerEvents, ManagerItem, SessionManager};

/// Lets everything that can run without time passing run.
pub(crate) async fn settle() {
    for _ in 0..64 {
        tokio::task::yield_now().await;
    }
}

pub(crate) fn accounts(manager: &SessionManager) -> Vec<String> {
    let sessions = manager.sessions();
    sessions.iter().map(|it| it.account().to_string()).collect()
}

pub(crate) fn active(manager: &SessionManager) -> Option<String> {
    manager.active().ok().map(|it| it.account().to_string())
}

pub(crate) fn published(events: &mut ManagerEvents) -> Vec<Arc<ManagerEvent>> {
    std::iter::from_fn(|| events.try_next())
        .map(|item| match item {
            ManagerItem::Event(event) => event,
            ManagerItem::Missed(missed) => panic!("missed {missed}"),
        })
        .collect()
}
