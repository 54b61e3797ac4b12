//! Lifecycles of wallet sessions as files, played against the real [`moorline::Session`].
//!
//! A `*.scenario.toml` says what happens to a session step by step, and what is then expected of
//! it: status, events in exact order with exact delays, identity, queue, the wallet's traffic, the
//! stored record. [`run`] plays it in virtual time: thirty days take milliseconds, and the same
//! seed gives the same report to the byte. A failure is explained as a timeline with the expected
//! beside the seen. `scenarios/README.md` describes the vocabulary.
//!
//! ```
//! use moorline_scenarios::{RunOptions, parse, run};
//!
//! let scenario = parse(
//!     "inline.scenario.toml",
//!     r#"
//!     name = "drop"
//!     title = "A lost link is back after one attempt"
//!     policy.reconnect = { base = "2s", jitter = false }
//!     step = [
//!         { user = "connect", expect.status = "connected" },
//!         { wallet = "drop", expect.status = "reconnecting" },
//!         { advance = "2s", expect = { status = "connected", elapsed = "2s" } },
//!     ]
//!     "#,
//! )?;
//! let report = run(&scenario, &RunOptions::default());
//! assert!(report.passed(), "{report}");
//! # Ok::<(), moorline_scenarios::LoadError>(())
//! ```
//!
//! # How a run is the same every time
//!
//! One thread plays everything on a current-thread runtime whose clock is paused. After every
//! action the player waits until the runtime is about to go to sleep (tokio calls its
//! `on_thread_park` hook exactly when no task can run any more), so everything that follows from
//! an action has happened before the next one, however many tasks it took. Only then may time
//! pass, and it passes from timer to timer: a paused runtime that has nothing to do moves its
//! clock to the next timer, never past one. Jitter is seeded; nothing else is random.

mod dev_wallet;
mod discover;
mod load;
mod model;
mod play;
mod report;

pub use self::dev_wallet::{ActFuture, DevWalletControl};
pub use self::discover::discover;
pub use self::load::{LoadError, load, parse};
pub use self::model::Scenario;
pub use self::play::{
    CommandFuture, ProviderFactory, RunOptions, Unplayable, WalletCommand, WalletControl,
    playable_live, run, run_live, run_live_stepped,
};
pub use self::report::{Failure, Moment, Outcome, Report, Row, Summary, json_line, junit, text};
