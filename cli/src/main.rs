//! The `moorline` command.

mod accounts;
mod args;
mod check;
mod connect;
mod countdown;
mod demo;
mod describe;
mod failure;
mod graph;
mod interrupt;
#[cfg(feature = "keyring")]
mod keyring;
mod live;
mod login;
mod output;
mod provider;
mod run;
mod sessions;
mod stores;
mod timeline;
mod top;
mod wallet;

use std::process::ExitCode;

use clap::Parser;

use self::args::{Args, Command};
use self::failure::Failure;
use self::output::Output;

fn main() -> ExitCode {
    let args = Args::parse();
    let result = match args.command.unwrap_or_default() {
        Command::Graph { format } => output::whole(&graph::draw(format)).map_err(Failure::from),
        Command::Demo { json } => in_runtime(demo::run(Output::new(json))),
        Command::Run(options) => in_runtime(run::run(options)),
        Command::Check(options) => in_runtime(check::run(options)),
        Command::Connect(options) => in_runtime(connect::run(options)),
        Command::Sessions(options) => in_runtime(sessions::run(options)),
        Command::Accounts(options) => in_runtime(accounts::run(options)),
        Command::Top(options) => in_runtime(top::run(options)),
        Command::Wallet(options) => in_runtime(wallet::run(options)),
    };
    match result {
        Ok(()) => ExitCode::SUCCESS,
        Err(failure) => {
            output::complain(&format!("moorline: {failure}"));
            failure.exit_code()
        }
    }
}

fn in_runtime(command: impl Future<Output = Result<(), Failure>>) -> Result<(), Failure> {
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()?;
    runtime.block_on(command)
}
