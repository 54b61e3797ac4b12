//! `moorline run`: scenarios, in virtual time or against a live wallet.

use std::path::PathBuf;
use std::sync::Arc;

use moorline_scenarios::{
    LoadError, Outcome, Report, RunOptions, Scenario, Summary, discover, json_line, junit, load,
    run_live, run_live_stepped, text,
};
use serde_json::json;

use crate::args::RunArgs;
use crate::failure::Failure;
use crate::live::LiveWallet;
use crate::output::{Output, complain};

pub(crate) async fn run(args: RunArgs) -> Result<(), Failure> {
    let output = Output::new(args.json);
    let scenarios = load_all(&args.paths, output)?;
    let options = match args.seed {
        Some(seed) => RunOptions::default().with_seed(seed),
        None => RunOptions::default(),
    };
    let wallet = match &args.live {
        Some(url) => Some(Arc::new(LiveWallet::find(url, args.admin.as_deref())?)),
        None => None,
    };
    let mut reports = Vec::new();
    for scenario in &scenarios {
        let report = match &wallet {
            Some(wallet) => live(scenario, wallet, &options).await,
            None => moorline_scenarios::run(scenario, &options),
        };
        print(&report, output);
        reports.push(report);
    }
    if let Some(path) = &args.junit {
        std::fs::write(path, junit(&reports)).map_err(|source| Failure::Report {
            path: path.clone(),
            source,
        })?;
    }
    let summary = Summary::of(&reports);
    output.json_line(&summary.json_line());
    output.say(&format!(
        "\n{} scenarios: {} passed, {} failed, {} skipped",
        summary.total, summary.passed, summary.failed, summary.skipped
    ));
    match summary.failed {
        0 => Ok(()),
        failed => Err(Failure::Scenarios {
            failed,
            total: summary.total,
        }),
    }
}

/// Plays against a live wallet.
async fn live(scenario: &Scenario, wallet: &Arc<LiveWallet>, options: &RunOptions) -> Report {
    let stepped = wallet.is_controlled();
    let factory = wallet.providers(stepped);
    match wallet.control() {
        Some(control) => {
            // It blocks, and has a runtime of its own.
            tokio::task::block_in_place(|| run_live_stepped(scenario, &factory, control, options))
        }
        None => run_live(scenario, &factory, None, options).await,
    }
}

/// Loads every file before any is played, and says of every bad one what is wrong with it.
fn load_all(paths: &[PathBuf], output: Output) -> Result<Vec<Scenario>, Failure> {
    let (mut scenarios, mut problems) = (Vec::new(), Vec::<LoadError>::new());
    match discover(paths) {
        Ok(files) => {
            for file in files {
                match load(&file) {
                    Ok(scenario) => scenarios.push(scenario),
                    Err(problem) => problems.push(problem),
                }
            }
        }
        Err(problem) => problems.push(problem),
    }
    for problem in &problems {
        output.object(&json!({ "type": "error", "message": problem.to_string() }));
        complain(&problem.to_string());
    }
    match problems.len() {
        0 => Ok(scenarios),
        bad => Err(Failure::BadScenarios(bad)),
    }
}

fn print(report: &Report, output: Output) {
    output.json_line(&json_line(report));
    match report.outcome {
        Outcome::Passed => output.say(&format!("passed   {}", report.name)),
        Outcome::Failed => output.say(&format!("FAILED   {}\n\n{}", report.name, text(report))),
        Outcome::Skipped => {
            output.say(&format!("skipped  {}", report.name));
            for reason in &report.skipped {
                output.say(&format!("           {reason}"));
            }
        }
    }
}
