//! A cluster as it is: processes of its own that share sessions over an engine, killed, stopped,
//! cut off, while requests go on.
//!
//! No test harness: this program is its own child. Alone it plays on files, for one machine; with
//! the features and the servers of `scripts/services` on these too:
//!
//! ```text
//! scripts/services cargo test -p moorline --features nats,postgres --test cluster
//! ```
//!
//! `MOORLINE_CLUSTER_SESSIONS` sets how many sessions there are (default 1000; 120 on files),
//! `MOORLINE_CLUSTER_TTL_MS` the ttl of the leases (default 3000), `MOORLINE_CLUSTER_ROUNDS` how
//! often all faults are gone through (default 1), `MOORLINE_CLUSTER_ENGINES` which engines.

#![allow(clippy::unwrap_used, clippy::panic, clippy::expect_used)]

mod conductor;
mod engine;
#[path = "../engines/proxy.rs"]
mod proxy;
mod scenario;
mod wallet;
mod words;
mod worker;

use std::process::ExitCode;

fn main() -> ExitCode {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .worker_threads(2)
        .enable_all()
        .build()
        .unwrap();
    if std::env::var(worker::ROLE).is_ok() {
        runtime.block_on(worker::work());
        return ExitCode::SUCCESS;
    }
    runtime.block_on(scenario::all())
}
