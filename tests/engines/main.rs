//! Engines as they are: real servers, killed, paused, cut off. `scripts/services` starts them:
//!
//! ```text
//! scripts/services cargo test -p moorline --features nats,postgres --test engines
//! ```

#![allow(clippy::unwrap_used, clippy::expect_used, clippy::panic)]

mod changes;
mod contract;
mod engine;
mod outage;
mod proxy;
mod refusals;
mod updates;

#[path = "../stores/promises.rs"]
mod promises;
#[allow(dead_code)]
#[path = "../stores/support.rs"]
mod support;

/// The same test on each engine.
macro_rules! on_every_engine {
    ($($(#[$attribute:meta])* $name:ident;)+) => {
        mod nats {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::engine::Engine::Nats).await;
            })+
        }
        mod postgres {
            $($(#[$attribute])* #[tokio::test(flavor = "multi_thread", worker_threads = 2)]
            async fn $name() {
                super::$name(crate::engine::Engine::Postgres).await;
            })+
        }
    };
}
pub(crate) use on_every_engine;
