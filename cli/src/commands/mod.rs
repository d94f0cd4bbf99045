//! The commands, one a file.

pub(crate) mod ack;
pub(crate) mod agent;
pub(crate) mod apply;
pub(crate) mod approve;
pub(crate) mod authority;
pub(crate) mod backup;
pub(crate) mod completion;
pub(crate) mod confirm;
pub(crate) mod confirm_dead;
pub(crate) mod cordon;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod diff;
pub(crate) mod drain;
pub(crate) mod explain;
pub(crate) mod freeze;
pub(crate) mod get;
pub(crate) mod import;
pub(crate) mod label;
pub(crate) mod login;
pub(crate) mod logout;
pub(crate) mod logs;
pub(crate) mod maintenance;
pub(crate) mod migrate;
pub(crate) mod plan;
pub(crate) mod rebalance;
pub(crate) mod render;
pub(crate) mod replace;
pub(crate) mod retire;
pub(crate) mod revoke;
pub(crate) mod role;
pub(crate) mod rollout;
pub(crate) mod scale;
pub(crate) mod taint;
pub(crate) mod token;
pub(crate) mod version;
pub(crate) mod whatif;
pub(crate) mod whoami;

mod action;
mod emptying;
mod moves;
mod outcome;
mod sender;
mod submission;
mod walk;

use std::future::Future;
use std::process::ExitCode;

use crate::args::{Cli, Command};
use crate::context::Places;
use crate::error::{DIFFERENT, Error};

/// Runs the command, and says what the process ends with.
pub(crate) fn run(cli: Cli) -> ExitCode {
    let compares = matches!(cli.command, Command::Diff(_));
    match carry_out(cli) {
        Ok(code) => code,
        Err(error) => {
            error.report();
            // A status of its own says that there are differences, so that a failure needs another.
            if compares { error.exit_code_of_diff() } else { error.exit_code() }
        }
    }
}

fn carry_out(cli: Cli) -> Result<ExitCode, Error> {
    let places = Places::of_environment(cli.config)?;
    match cli.command {
        Command::Diff(command) => {
            let different = wait(command.run(&places))?;
            return Ok(if different { ExitCode::from(DIFFERENT) } else { ExitCode::SUCCESS });
        }
        Command::Apply(command) => wait(command.run(&places)),
        Command::Import(command) => wait(command.run(&places)),
        Command::Get(command) => wait(command.run(&places)),
        Command::Describe(command) => wait(command.run(&places)),
        Command::Explain(command) => wait(command.run(&places)),
        Command::Render(command) => wait(command.run(&places)),
        Command::Logs(command) => wait(command.run(&places)),
        Command::Scale(command) => wait(command.run(&places)),
        Command::Delete(command) => wait(command.run(&places)),
        Command::Cordon(command) => wait(command.run(&places)),
        Command::Uncordon(command) => wait(command.run(&places)),
        Command::Drain(command) => wait(command.run(&places)),
        Command::Retire(command) => wait(command.run(&places)),
        Command::Replace(command) => wait(command.run(&places)),
        Command::Maintenance(command) => wait(command.run(&places)),
        Command::Ack(command) => wait(command.run(&places)),
        Command::Pause(command) => wait(command.run(&places)),
        Command::Resume(command) => wait(command.run(&places)),
        Command::Cancel(command) => wait(command.run(&places)),
        Command::Rebalance(command) => wait(command.run(&places)),
        Command::Rollout(command) => wait(command.run(&places)),
        Command::Label(command) => wait(command.run(&places)),
        Command::Taint(command) => wait(command.run(&places)),
        Command::WhatIf(command) => wait(command.run(&places)),
        Command::Freeze(command) => wait(command.run(&places)),
        Command::Backup(command) => wait(command.run(&places)),
        Command::Token(command) => wait(command.run(&places)),
        Command::Approve(command) => wait(command.run(&places)),
        Command::Deny(command) => wait(command.run(&places)),
        Command::Revoke(command) => wait(command.run(&places)),
        Command::Authority(command) => wait(command.run(&places)),
        Command::Role(command) => wait(command.run(&places)),
        Command::Login(command) => wait(command.run(&places)),
        Command::Logout(command) => command.run(&places),
        Command::WhoAmI(command) => wait(command.run(&places)),
        Command::Confirm(command) => wait(command.run(&places)),
        Command::ConfirmDead(command) => wait(command.run(&places)),
        Command::Plan(command) => command.run(),
        Command::Agent(command) => command.run(&places),
        Command::Dev(command) => wait(command.run(&places)),
        Command::Completion(command) => command.run(),
        Command::Version(command) => wait(command.run(&places)),
    }?;
    Ok(ExitCode::SUCCESS)
}

/// One thread is enough for one command.
fn wait<T>(command: impl Future<Output = Result<T, Error>>) -> Result<T, Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    runtime.block_on(command)
}
