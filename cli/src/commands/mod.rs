//! The commands, one a file.

pub(crate) mod apply;
pub(crate) mod completion;
pub(crate) mod confirm;
pub(crate) mod delete;
pub(crate) mod describe;
pub(crate) mod explain;
pub(crate) mod freeze;
pub(crate) mod get;
pub(crate) mod plan;
pub(crate) mod scale;
pub(crate) mod version;

mod moves;
mod outcome;
mod sender;
mod submission;

use std::future::Future;

use crate::args::{Cli, Command};
use crate::context::Places;
use crate::error::Error;

/// Runs the command.
pub(crate) fn run(cli: Cli) -> Result<(), Error> {
    let places = Places::of_environment(cli.config)?;
    match cli.command {
        Command::Apply(command) => wait(command.run(&places)),
        Command::Get(command) => wait(command.run(&places)),
        Command::Describe(command) => wait(command.run(&places)),
        Command::Explain(command) => wait(command.run(&places)),
        Command::Scale(command) => wait(command.run(&places)),
        Command::Delete(command) => wait(command.run(&places)),
        Command::Freeze(command) => wait(command.run(&places)),
        Command::Confirm(command) => wait(command.run(&places)),
        Command::Plan(command) => command.run(),
        Command::Dev(command) => wait(command.run(&places)),
        Command::Completion(command) => command.run(),
        Command::Version(command) => wait(command.run(&places)),
    }
}

/// One thread is enough for one command.
fn wait(command: impl Future<Output = Result<(), Error>>) -> Result<(), Error> {
    let runtime = tokio::runtime::Builder::new_current_thread().enable_all().build();
    let runtime = runtime.map_err(|error| Error::failed(format!("no runtime: {error}")))?;
    runtime.block_on(command)
}
