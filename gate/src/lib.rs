//! The supervisor in pods (S9): it starts a process when its cluster's lease stands, and ends it when that ends. It asks
//! nobody and opens no socket: all that it knows is a file and the clock of its machine, so that it needs neither an agent
//! nor an API server to do what the hub counts on.
//!
//! It is the first process of its container. If it ends, in whatever way, the kernel ends everything else in there.
//!
//! [`lease`] is shared with the agent, which writes what this reads.

mod args;
pub mod clock;
mod holder;
mod install;
pub mod lease;
mod processes;
mod signals;
mod stage;
mod supervise;

use std::ffi::OsString;
use std::process::ExitCode;

use args::Asked;

/// The command line is wrong.
const USAGE: u8 = 64;
/// What is asked for cannot be done here.
const UNABLE: u8 = 78;

/// Runs the program; the first argument is its name.
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let asked = match args::parse(args) {
        Ok(asked) => asked,
        Err(problem) => {
            say(&problem);
            return ExitCode::from(USAGE);
        }
    };
    let done = match asked {
        Asked::Help => {
            println!("{}", args::HELP);
            Ok(0)
        }
        Asked::Install(path) => install::install(&path).map(|()| 0),
        Asked::Check(terms) => holder::check(terms).map(|stands| u8::from(!stands)),
        Asked::Supervise { terms, grace, command } => supervise::run(terms, grace, command),
    };
    ExitCode::from(done.unwrap_or_else(|problem| {
        say(&problem);
        UNABLE
    }))
}

/// One line for whoever reads the container's log.
fn say(text: &str) {
    eprintln!("godwit-gate: {text}");
}
