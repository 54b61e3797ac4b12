//! The same scenarios against a live wallet, as far as their steps allow.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use moorline::{NetworkLink, Provider, Timestamp};

use super::command::{WalletCommand, WalletControl, command_for};
use super::pace::{Pace, Stillness};
use super::world::World;
use super::{RunOptions, play, seed};
use crate::model::{Action, Check, HookPlan, Scenario, Step};
use crate::report::{Failure, Outcome, Report, short};

/// Makes a provider for each session of a scenario, on the runtime the scenario is played on.
/// What it says of a provider that cannot be made ends the run.
pub type ProviderFactory = dyn Fn() -> Result<Arc<dyn Provider>, String> + Send + Sync;

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

/// How time passes in a live run.
#[derive(Clone, Copy, Debug, Eq, PartialEq)]
enum Time {
    /// As it does.
    Real,
    /// From timer to timer, once nothing is on its way to the wallet or back.
    Stepped,
}

impl Time {
    /// The longest a step may wait.
    fn longest(self) -> Duration {
        match self {
            Self::Real => Duration::from_secs(60),
            Self::Stepped => Duration::from_secs(25 * 3600),
        }
    }
}

/// How long an expectation may take to come true live.
const PATIENCE: Duration = Duration::from_secs(5);

/// Whether a scenario can be played against a live wallet that somebody controls, in real time.
/// Without control less is possible: [`run_live`] decides; and more with [`run_live_stepped`].
///
/// # Errors
///
/// Every step that cannot be played, with the reason.
pub fn playable_live(scenario: &Scenario) -> Result<(), Vec<Unplayable>> {
    let unplayable = find_unplayable(scenario, Time::Real, true, false, |_| true);
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
    control: Option<Arc<dyn WalletControl>>,
    options: &RunOptions,
) -> Report {
    let pace = Pace::Live { patience: PATIENCE };
    run_at(scenario, factory, control, options, Time::Real, pace).await
}

/// Plays a scenario against a live wallet over its real transport, while the program's own clock
/// goes from timer to timer: hours take seconds, and times are exact. The clock stands still while
/// anything is on its way. Only for wallets that somebody controls, as theirs does not move with it.
///
/// Blocks for as long as that takes; it plays on a thread of its own. Give the providers that
/// `factory` makes no timers that need the wallet's answers more often than every few hours, such
/// as pings: each costs a stop.
pub fn run_live_stepped(
    scenario: &Scenario,
    factory: &ProviderFactory,
    control: Arc<dyn WalletControl>,
    options: &RunOptions,
) -> Report {
    super::on_own_thread(scenario, options, || {
        let stillness = Stillness::default();
        let hook = stillness.clone();
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .start_paused(true)
            .on_thread_park(move || hook.parking())
            .build()
            .map_err(|error| format!("no runtime to play on: {error}"))?;
        let pace = Pace::Stepped {
            stillness: stillness.clone(),
            flying: moorline_scripted::Flying::default(),
            patience: PATIENCE,
        };
        let played = run_at(
            scenario,
            factory,
            Some(control),
            options,
            Time::Stepped,
            pace,
        );
        Ok(runtime.block_on(stillness.holding_time(played)))
    })
}

async fn run_at(
    scenario: &Scenario,
    factory: &ProviderFactory,
    control: Option<Arc<dyn WalletControl>>,
    options: &RunOptions,
    time: Time,
    pace: Pace,
) -> Report {
    let seed = seed(scenario, options);
    let supports =
        |command: &WalletCommand| control.as_ref().is_some_and(|it| it.supports(command));
    let over_http = control.as_ref().is_some_and(|it| it.is_over_http());
    let unplayable = find_unplayable(scenario, time, control.is_some(), over_http, supports);
    if !unplayable.is_empty() {
        let mut report = Report::new(scenario, seed);
        report.outcome = Outcome::Skipped;
        report.skipped = unplayable;
        return report;
    }
    let stepped = time == Time::Stepped;
    let world = World::live(scenario, seed, pace, stepped, factory, control.clone());
    if let Some(control) = control
        && let Err(message) = control.carry_out(prepare(scenario, world.start)).await
    {
        let mut report = Report::new(scenario, seed);
        let failure = Failure::message(0, 0, "preparing the wallet", message);
        report.fail(vec![failure]);
        return report;
    }
    play(world, seed, options).await
}

fn prepare(scenario: &Scenario, start: Timestamp) -> WalletCommand {
    WalletCommand::Prepare {
        accounts: scenario.wallet.accounts.clone(),
        network: scenario.wallet.network.clone(),
        link: scenario.wallet.link,
        expires_at: scenario
            .wallet
            .expires_in
            .map(|after| start.saturating_add(after)),
    }
}

fn find_unplayable(
    scenario: &Scenario,
    time: Time,
    controlled: bool,
    over_http: bool,
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
    if let Some(reason) = scenario.not_over_http.as_ref().filter(|_| over_http) {
        found.push(whole(reason));
    }
    let setup = &scenario.wallet;
    if !setup.on.is_empty() && !controlled {
        found.push(whole("nobody can have this wallet follow `[wallet.on]`"));
    }
    let mut scripts = setup.on.iter().flat_map(|(_, script)| script.behaviours());
    if scripts.any(|behaviour| !behaviour.is_arrangeable()) {
        found.push(whole(
            "a live wallet can neither panic nor fail in the words of this program, as `[wallet.on]` wants",
        ));
    }
    if setup.expires_in.is_some() && !controlled {
        found.push(whole("a live wallet has its own credentials' expiry"));
    }
    if setup.capabilities != moorline::provider::Capabilities::default() {
        found.push(whole("what an adapter can do is not for a scenario to say"));
    }
    if time == Time::Real && setup.link == NetworkLink::Unknown {
        found.push(whole("a live wallet says whether it reaches its network"));
    }
    let names_somebody = scenario.steps.iter().any(|step| {
        step.expect
            .iter()
            .any(|expect| names_identity(&expect.check))
    });
    if names_somebody && !supports(&prepare(scenario, Timestamp::EPOCH)) {
        found.push(whole(
            "accounts or network are expected by name, and nobody can give this wallet the \
             scenario's",
        ));
    }
    if let Some(hook) = &scenario.session.reauth
        && hook_needs_wallet(hook)
        && !supports(&WalletCommand::Admit(None))
    {
        found.push(whole("nobody can make this wallet's session good again"));
    }
    for step in &scenario.steps {
        let reasons = action_reason(step, time, controlled, &supports)
            .into_iter()
            .chain(
                step.expect
                    .iter()
                    .filter_map(|expect| check_reason(&expect.check, time, controlled)),
            );
        found.extend(reasons.map(|reason| Unplayable {
            step: step.number,
            line: step.line,
            reason,
        }));
    }
    found
}

fn hook_needs_wallet(plan: &HookPlan) -> bool {
    plan.iter()
        .any(|(behaviour, _)| matches!(behaviour.does, crate::model::HookDoes::Ok))
}

fn names_identity(check: &Check) -> bool {
    matches!(
        check,
        Check::Accounts(_) | Check::Primary(_) | Check::Network(_) | Check::Identity(_)
    )
}

fn action_reason(
    step: &Step,
    time: Time,
    controlled: bool,
    supports: impl Fn(&WalletCommand) -> bool,
) -> Option<String> {
    let nobody = |deed| {
        format!(
            "nobody can tell this wallet: {}",
            super::describe::wallet(deed)
        )
    };
    match step.action.as_ref()? {
        Action::Wallet(deed) => match command_for(deed, Timestamp::EPOCH) {
            Err(reason) => Some(reason),
            Ok(Some((command, _))) => (!supports(&command)).then(|| nobody(deed)),
            Ok(None) => (!controlled).then(|| nobody(deed)),
        },
        Action::Second(_) => {
            Some("a second process is played beside a scripted wallet only".into())
        }
        Action::Advance(by) if *by > time.longest() => Some(match time {
            Time::Real => format!("it would take {} of real time", short(*by)),
            Time::Stepped => format!("{} are too many timers to stop at", short(*by)),
        }),
        _ => None,
    }
}

fn check_reason(check: &Check, time: Time, controlled: bool) -> Option<String> {
    let timed = |wanted: &[crate::model::EventPattern]| {
        wanted.iter().any(|event| {
            event.at.is_some()
                || event.after.is_some()
                || event.fields.iter().any(|(key, _)| key.ends_with("At"))
        })
    };
    let exact = "exact times are known with a clock that is stepped only";
    let real = time == Time::Real;
    match check {
        Check::Executed(..) if !controlled => {
            Some("what a live wallet executed is not known here".into())
        }
        Check::Count(what, ..) if what == "probe" || what == "total" => Some(
            "a live wallet says more, and the session looks more often: probes are not counted"
                .into(),
        ),
        Check::Calls(wanted) if real && wanted.iter().any(|call| call.at.is_some()) => {
            Some(exact.into())
        }
        Check::Events(wanted) | Check::Includes(wanted)
            if wanted
                .iter()
                .any(|event| event.fields.iter().any(|(key, _)| key == "url")) =>
        {
            Some("a live wallet has addresses of its own".into())
        }
        Check::Elapsed(_) | Check::ExpiresAt(_) if real => Some(exact.into()),
        Check::Events(wanted) | Check::Includes(wanted) if real && timed(wanted) => {
            Some(exact.into())
        }
        _ => None,
    }
}
