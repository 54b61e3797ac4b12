//! The same scenarios against a live wallet, as far as their steps allow.

use std::fmt;
use std::future::Future;
use std::pin::Pin;
use std::sync::Arc;
use std::time::Duration;

use moorline::{Account, NetworkId, NetworkLink, Provider};

use super::world::World;
use super::{RunOptions, play, seed};
use crate::model::{Action, Check, Scenario, Step, Utterance, WalletDeed};
use crate::report::{Outcome, Report, short};

/// Makes a provider for each session of a scenario.
pub type ProviderFactory = dyn Fn() -> Arc<dyn Provider> + Send + Sync;

/// What [`WalletControl::carry_out`] returns.
pub type CommandFuture<'a> = Pin<Box<dyn Future<Output = Result<(), String>> + Send + 'a>>;

/// Something a live wallet can be told to do.
#[derive(Clone, Debug, PartialEq)]
#[non_exhaustive]
pub enum WalletCommand {
    /// Begin as the scenario says: first command of every run.
    Prepare {
        /// The accounts, in order.
        accounts: Vec<Account>,
        /// The network.
        network: Option<NetworkId>,
        /// Whether it is in reach.
        link: NetworkLink,
    },
    /// Change the accounts and say so.
    Accounts(Vec<Account>),
    /// Change the network and say so.
    Network(NetworkId),
    /// Lose or find the network and say so.
    Link(NetworkLink),
    /// Cut the link; a new one is accepted.
    Cut,
    /// Cut the link and refuse new ones.
    GoAway,
    /// Accept links again.
    ComeBack,
    /// End the session for certain.
    Revoke,
    /// Approve what the wallet asked a person for.
    Approve,
    /// Refuse it.
    Reject,
    /// Let the credentials end so long from now.
    Expires(Duration),
    /// Send an event that cannot be understood.
    Malformed,
    /// Undo what calls were told to do.
    Behave,
}

/// Control over a live wallet, such as the dev wallet gives.
pub trait WalletControl: Send + Sync {
    /// Whether this wallet can be told to do this.
    fn supports(&self, command: &WalletCommand) -> bool;

    /// Has the wallet do it.
    ///
    /// # Errors
    ///
    /// A sentence that says what went wrong: the step then fails with it.
    fn carry_out(&self, command: WalletCommand) -> CommandFuture<'_>;
}

/// A step that cannot be played live, and why.
#[derive(Clone, Debug, Eq, PartialEq)]
#[non_exhaustive]
pub struct Unplayable {
    /// The step, counted from 1; 0 for the scenario as a whole.
    pub step: usize,
    /// Its line in the file.
    pub line: usize,
    /// Why.
    pub reason: String,
}

impl fmt::Display for Unplayable {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self.step {
            0 => write!(f, "{}", self.reason),
            step => write!(f, "step {step} (line {}): {}", self.line, self.reason),
        }
    }
}

/// The longest a live step waits.
const LONGEST: Duration = Duration::from_secs(60);

/// How long an expectation may take to come true live.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a scenario can be played against a live wallet that somebody controls. Without control
/// less is possible: [`run_live`] decides.
///
/// # Errors
///
/// Every step that cannot be played, with the reason.
pub fn playable_live(scenario: &Scenario) -> Result<(), Vec<Unplayable>> {
    let unplayable = find_unplayable(scenario, |_| true);
    if unplayable.is_empty() {
        Ok(())
    } else {
        Err(unplayable)
    }
}

/// Plays a scenario against a live wallet, in real time, on the runtime it is called on. What
/// cannot be played is reported as skipped with the reasons, never as passed.
///
/// # Cancel safety
///
/// Dropping the future ends the run; the session is closed as its handles are dropped.
pub async fn run_live(
    scenario: &Scenario,
    factory: &ProviderFactory,
    control: Option<&dyn WalletControl>,
    options: &RunOptions,
) -> Report {
    let seed = seed(scenario, options);
    let supports = |command: &WalletCommand| control.is_some_and(|c| c.supports(command));
    let unplayable = find_unplayable(scenario, supports);
    if !unplayable.is_empty() {
        let mut report = Report::new(scenario, seed);
        report.outcome = Outcome::Skipped;
        report.skipped = unplayable;
        return report;
    }
    if let Some(control) = control
        && let Err(message) = control.carry_out(prepare(scenario)).await
    {
        let mut report = Report::new(scenario, seed);
        let failure = crate::report::Failure::message(0, 0, "preparing the wallet", message);
        report.fail(vec![failure]);
        return report;
    }
    let world = World::live(scenario, seed, PATIENCE, factory, control);
    play(world, seed, options).await
}

fn prepare(scenario: &Scenario) -> WalletCommand {
    WalletCommand::Prepare {
        accounts: scenario.wallet.accounts.clone(),
        network: scenario.wallet.network.clone(),
        link: scenario.wallet.link,
    }
}

fn find_unplayable(
    scenario: &Scenario,
    supports: impl Fn(&WalletCommand) -> bool,
) -> Vec<Unplayable> {
    let mut found = Vec::new();
    let whole = |reason: &str| Unplayable {
        step: 0,
        line: 1,
        reason: reason.into(),
    };
    if let Some(reason) = &scenario.virtual_only {
        found.push(whole(reason));
    }
    if !scenario.wallet.on.is_empty() {
        found.push(whole("a live wallet does not follow `[wallet.on]`"));
    }
    if scenario.wallet.expires_in.is_some() {
        found.push(whole("a live wallet has its own credentials' expiry"));
    }
    let names_somebody = scenario.steps.iter().any(|step| {
        step.expect
            .iter()
            .any(|expect| names_identity(&expect.check))
    });
    if names_somebody && !supports(&prepare(scenario)) {
        found.push(whole(
            "accounts or network are expected by name, and nobody can give this wallet the \
             scenario's",
        ));
    }
    for step in &scenario.steps {
        let reasons = action_reason(step, &supports).into_iter().chain(
            step.expect
                .iter()
                .filter_map(|expect| check_reason(&expect.check)),
        );
        found.extend(reasons.map(|reason| Unplayable {
            step: step.number,
            line: step.line,
            reason,
        }));
    }
    found
}

fn names_identity(check: &Check) -> bool {
    matches!(
        check,
        Check::Accounts(_) | Check::Primary(_) | Check::Network(_) | Check::Identity(_)
    )
}

fn action_reason(step: &Step, supports: impl Fn(&WalletCommand) -> bool) -> Option<String> {
    match step.action.as_ref()? {
        Action::Wallet(deed) => match command_for(deed) {
            Err(reason) => Some(reason),
            Ok(command) => (!supports(&command)).then(|| {
                format!(
                    "nobody can tell this wallet: {}",
                    super::describe::wallet(deed)
                )
            }),
        },
        Action::Sleep(_) | Action::ClockBack(_) => {
            Some("the computer's clock is not set for a test".into())
        }
        Action::Advance(by) if *by > LONGEST => {
            Some(format!("it would take {} of real time", short(*by)))
        }
        _ => None,
    }
}

fn check_reason(check: &Check) -> Option<String> {
    let timed = |wanted: &[crate::model::EventPattern]| {
        wanted.iter().any(|event| {
            event.at.is_some()
                || event.after.is_some()
                || event.fields.iter().any(|(key, _)| key.ends_with("At"))
        })
    };
    match check {
        Check::Calls(_) | Check::Count(..) | Check::Executed(..) | Check::Pending(_) => {
            Some("what reached a live wallet is not known here".into())
        }
        Check::Elapsed(_) | Check::ExpiresAt(_) => {
            Some("exact times are known in virtual time only".into())
        }
        Check::Events(wanted) | Check::Includes(wanted) if timed(wanted) => {
            Some("exact times are known in virtual time only".into())
        }
        _ => None,
    }
}

/// What a live wallet is told for a step.
pub(super) fn command_for(deed: &WalletDeed) -> Result<WalletCommand, String> {
    let cannot = |what: &str| Err(format!("a live wallet cannot be told to {what}"));
    match deed {
        WalletDeed::Away(_) => Ok(WalletCommand::GoAway),
        WalletDeed::Back => Ok(WalletCommand::ComeBack),
        WalletDeed::Behave => Ok(WalletCommand::Behave),
        WalletDeed::Say(utterance, target, times) => {
            if *target != crate::model::Target::default() {
                return cannot("lie, or to speak through a connection that is gone");
            }
            if *times != 1 {
                return cannot("say something many times");
            }
            match utterance {
                Utterance::Dropped(_) => Ok(WalletCommand::Cut),
                Utterance::Accounts(accounts) => Ok(WalletCommand::Accounts(accounts.clone())),
                Utterance::Network(network) => Ok(WalletCommand::Network(network.clone())),
                Utterance::Link(link) => Ok(WalletCommand::Link(*link)),
                Utterance::Expires(after) => Ok(WalletCommand::Expires(*after)),
                Utterance::Revoked => Ok(WalletCommand::Revoke),
                Utterance::Approved => Ok(WalletCommand::Approve),
                Utterance::UserRejected => Ok(WalletCommand::Reject),
                Utterance::Malformed(..) => Ok(WalletCommand::Malformed),
                Utterance::Ready | Utterance::Recheck => cannot("speak without a reason"),
                Utterance::UserAction(_) | Utterance::Message(..) => {
                    cannot("say this word for word")
                }
            }
        }
        WalletDeed::Script(..) | WalletDeed::Answer(..) | WalletDeed::FailPending => {
            cannot("treat single calls as scripted")
        }
        WalletDeed::Set(_) | WalletDeed::SetAway(_) | WalletDeed::SetBack => {
            cannot("change without saying so")
        }
    }
}
