//! Playing a scenario: in virtual time, or against a live wallet.

mod check;
mod command;
mod deeds;
mod describe;
mod epilogue;
mod hooks;
mod lists;
mod live;
mod matching;
mod named;
mod pace;
mod recorder;
mod results;
mod second;
mod store;
mod timeline;
mod wallet;
mod world;

use std::time::Duration;

pub use self::command::{CommandFuture, WalletCommand, WalletControl};
pub use self::live::{ProviderFactory, Unplayable, playable_live, run_live, run_live_stepped};
pub(crate) use self::named::{STAND_IN, is_known};
use self::pace::Stillness;
use self::store::Treatment;
use self::timeline::Timeline;
use self::world::World;
use crate::model::{Action, HookName, Scenario, Step, StoreDeed, Until};
use crate::report::{Failure, Outcome, Report, short};

/// How scenarios are played.
#[derive(Clone, Debug, Default)]
#[non_exhaustive]
pub struct RunOptions {
    /// The seed of everything random, instead of the scenario's own.
    pub seed: Option<u64>,
    /// Whether the timeline is kept when the scenario passes, too.
    pub trace: bool,
}

impl RunOptions {
    /// Plays with this seed instead of the scenario's own.
    #[must_use]
    pub fn with_seed(mut self, seed: u64) -> Self {
        self.seed = Some(seed);
        self
    }

    /// Keeps the timeline of what passes, too.
    #[must_use]
    pub fn with_trace(mut self) -> Self {
        self.trace = true;
        self
    }
}

/// Plays a scenario in virtual time. It blocks for as long as that takes, usually milliseconds,
/// and may be called from anywhere: it plays on a thread of its own.
pub fn run(scenario: &Scenario, options: &RunOptions) -> Report {
    on_own_thread(scenario, options, || play_virtual(scenario, options))
}

fn on_own_thread(
    scenario: &Scenario,
    options: &RunOptions,
    play: impl FnOnce() -> Result<Report, String> + Send,
) -> Report {
    let played = std::thread::scope(|scope| {
        std::thread::Builder::new()
            .name("scenario".into())
            .spawn_scoped(scope, play)
            .map_err(|error| format!("no thread to play on: {error}"))?
            .join()
            .map_err(|_| "the player panicked: this is a defect of moorline-scenarios".to_owned())?
    });
    played.unwrap_or_else(|message| {
        let mut report = Report::new(scenario, seed(scenario, options));
        report.fail(vec![Failure::message(0, 0, "the player", message)]);
        report
    })
}

fn seed(scenario: &Scenario, options: &RunOptions) -> u64 {
    options.seed.unwrap_or(scenario.seed)
}

fn play_virtual(scenario: &Scenario, options: &RunOptions) -> Result<Report, String> {
    let stillness = Stillness::default();
    let hook = stillness.clone();
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .start_paused(true)
        .on_thread_park(move || hook.parking())
        .build()
        .map_err(|error| format!("no runtime to play on: {error}"))?;
    Ok(runtime.block_on(async {
        let seed = seed(scenario, options);
        let world = World::scripted(scenario, seed, stillness);
        play(world, seed, options).await
    }))
}

/// Plays all steps, until one fails.
async fn play(mut world: World<'_>, seed: u64, options: &RunOptions) -> Report {
    let scenario = world.scenario;
    let mut report = Report::new(scenario, seed);
    let mut timeline = Timeline::default();
    let mut failures = match world.build_session() {
        Ok(()) => Vec::new(),
        Err(message) => vec![Failure::message(0, 0, "[policy]", message)],
    };
    world.pace.settle().await;
    for step in &scenario.steps {
        if !failures.is_empty() {
            break;
        }
        timeline.step(&world, step);
        failures = play_step(&mut world, step).await;
        failures.extend(broken_laws(&world, step));
        timeline.catch_up(&world);
        report.played += 1;
    }
    if failures.is_empty() {
        failures = epilogue::play(&mut world).await;
        timeline.catch_up(&world);
    }
    report.elapsed = world.elapsed();
    if failures.is_empty() {
        report.outcome = Outcome::Passed;
    } else {
        report.fail(failures);
    }
    if options.trace || !report.passed() {
        report.timeline = timeline.into_moments();
    }
    report
}

/// What no session may do, whatever the step expects.
fn broken_laws(world: &World<'_>, step: &Step) -> Vec<Failure> {
    let failure = |message| Failure::message(step.number, step.line, "a law", message);
    let restless = world.pace.is_restless().then(|| {
        format!(
            "the session never comes to rest: its events follow each other without end, or more \
             than {} timers fired",
            pace::PAUSES
        )
    });
    let elsewhere = world.second.iter().flat_map(|it| it.broken());
    let broken = world
        .log
        .broken()
        .into_iter()
        .chain(elsewhere)
        .chain(restless);
    broken.map(failure).collect()
}

async fn play_step(world: &mut World<'_>, step: &Step) -> Vec<Failure> {
    if let Some(action) = &step.action
        && let Err(message) = act(world, action).await
    {
        return vec![Failure::message(
            step.number,
            step.line,
            "the step",
            message,
        )];
    }
    let patience = world.pace.patience();
    let start = std::time::Instant::now();
    loop {
        if let Err(message) = world.ask_what_was_executed(&step.expect).await {
            return vec![Failure::message(
                step.number,
                step.line,
                "the wallet",
                message,
            )];
        }
        let mut looked = world.looked;
        let failures = world.check(&step.expect, &mut looked);
        if failures.is_empty() || start.elapsed() >= patience {
            world.looked = looked;
            return failures
                .into_iter()
                .map(|failure| Failure {
                    step: step.number,
                    ..failure
                })
                .collect();
        }
        world.pace.settle().await;
    }
}

async fn act(world: &mut World<'_>, action: &Action) -> Result<(), String> {
    match action {
        Action::User(deed) => world.user(deed).await?,
        Action::Wallet(deed) => world.wallet(deed).await?,
        Action::Store(deed) => store(world, deed),
        Action::Other(notice) => world.other.send(notice.clone()),
        Action::Second(command) => world.second(*command).await?,
        Action::Hook(name, plan) => {
            let hook = match name {
                HookName::Reauth => &world.reauth,
                HookName::Invalidate => &world.invalidate,
            };
            if let Some(hook) = hook {
                hook.replan(plan);
            }
        }
        Action::Advance(by) => world.pace.advance(*by).await,
        Action::Sleep(by) => {
            if let Some(clock) = &world.clock {
                clock.jump_forward(*by);
            }
        }
        Action::ClockBack(by) => {
            if let Some(clock) = &world.clock {
                clock.jump_back(*by);
            }
        }
        Action::Until(until) => wait(world, until).await?,
        Action::Restart(how) => world.restart(*how).await?,
    }
    world.pace.settle().await;
    Ok(())
}

async fn wait(world: &World<'_>, until: &Until) -> Result<(), String> {
    let from = world.log.len();
    let is_true = || match (&until.status, &until.event) {
        (Some(status), _) => world
            .session
            .as_ref()
            .is_some_and(|session| check::status_name(session.status()) == status),
        (None, Some(event)) => world.log.has(event, from),
        (None, None) => true,
    };
    if world.pace.until(until.within, is_true).await {
        return Ok(());
    }
    let what = match (&until.status, &until.event) {
        (Some(status), _) => format!("status `{status}`"),
        (None, event) => format!("event `{}`", event.as_deref().unwrap_or_default()),
    };
    Err(format!(
        "{what} did not come within {}",
        short(until.within)
    ))
}

fn store(world: &World<'_>, deed: &StoreDeed) {
    let (store, now) = (&world.store, world.now());
    match deed {
        StoreDeed::Slow(calls, by) => store.treat(*calls, &Treatment::Slow(*by)),
        StoreDeed::Fails(calls, times) => store.treat(*calls, &Treatment::Fails(*times)),
        StoreDeed::Hangs(calls) => store.treat(*calls, &Treatment::Hangs),
        StoreDeed::Works => store.treat(crate::model::StoreCall::All, &Treatment::Works),
        StoreDeed::Corrupt => store.corrupt(),
        StoreDeed::Replay => store.replay(),
        StoreDeed::LoseKey(lost) => store.lose_key(*lost),
        StoreDeed::Erase => store.end(now),
        StoreDeed::Put {
            accounts,
            network,
            expires_in,
            provider,
        } => {
            let expires_at = expires_in.map(|after: Duration| now.saturating_add(after));
            let provider = provider.as_deref().unwrap_or(&world.kind);
            store.put(accounts.clone(), network.clone(), expires_at, provider, now);
        }
    }
}
