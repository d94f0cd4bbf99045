//! The operator's command: reads and changes a federation through the hub's admin services, in kubectl's manner. It
//! keeps no state of its own but a login, and decides nothing that the hub decides.

mod args;
mod client;
mod commands;
mod context;
mod dev;
mod error;
mod input;
mod login;
mod output;
mod resources;
mod target;

use std::ffi::OsString;
use std::process::ExitCode;

use clap::Parser;

use crate::args::Cli;

/// Runs one command: `args` begins with the program's name. The status is 0, 1 (failed) or 2 (usage); of `diff`
/// 0, 1 (there are differences) or 2 (failed).
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match dev::run_child(args.into_iter().collect()) {
        Ok(ended) => return ended,
        Err(args) => args,
    };
    godwit_rt::tls::install_provider();
    let cli = match Cli::try_parse_from(args) {
        Ok(cli) => cli,
        Err(error) => {
            // Help and versions go to standard output, mistakes to standard error; nothing more can be done if that fails.
            let _ = error.print();
            return u8::try_from(error.exit_code()).map_or(ExitCode::FAILURE, ExitCode::from);
        }
    };
    commands::run(cli)
}
