//! The agent's process.

use std::process::ExitCode;

fn main() -> ExitCode {
    godwit_agent::main_with_args(std::env::args_os())
}
