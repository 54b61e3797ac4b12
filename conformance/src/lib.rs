//! Checks any CIP-0103 wallet against the standard.
//!
//! [`check`] asks a wallet everything there is to ask, over the transport it speaks, and decides
//! from what came back: method by method, event by event, error by error, lifecycle by lifecycle.
//! Every check has a name that does not change, a level (MUST, SHOULD, MAY) and the paragraph it
//! rests on; every failure says what was expected, what was seen, and what to do. A wallet that
//! does nothing fails nearly everything; what a wallet could not be expected to do (a person was
//! needed, or a token) is told apart.
//!
//! ```
//! use moorline_conformance::{Level, Options, check};
//! use moorline_dev_wallet::DevWallet;
//!
//! # #[tokio::main(flavor = "current_thread")]
//! # async fn main() -> Result<(), Box<dyn std::error::Error>> {
//! let wallet = DevWallet::builder().start().await?;
//! let report = check(Options::new(wallet.url())).await?;
//! println!("{}", report.text());
//! assert_eq!(report.tally(Level::Must).failed, 0);
//! # Ok(())
//! # }
//! ```
//!
//! # How it is built
//!
//! A run has two halves. The survey talks to the wallet and notes everything, raw: it decides
//! nothing. The judges are functions of what was noted: they talk to nobody. A failure that is a
//! deviation known of wallets out there gets its name from the table in [`DEVIATIONS`].
//!
//! # Secrets
//!
//! Tokens that are handed in, and those a wallet tells, are taken out of everything that is
//! reported. The kit sends credentials to the wallet, and to a user API on the same server, and
//! nowhere else.

mod check;
mod checks;
mod deviation;
mod evidence;
mod line;
mod login;
mod options;
mod person;
mod redaction;
mod reply;
mod report;
mod run;
mod shape;
mod survey;

pub use self::check::{Applies, Check, Level, Transport};
pub use self::checks::catalogue;
pub use self::deviation::{DEVIATIONS, Deviation, Generation, Profile};
pub use self::options::{Login, Options};
pub use self::person::{Deed, DevWalletPerson, Doing, Interactive, Nobody, Person, Unable};
pub use self::report::{Outcome, Report, Tally, Verdict, list};
pub use self::run::{CheckError, check, transport};
