//! The command `godwit`.

use std::process::ExitCode;

fn main() -> ExitCode {
    godwit_cli::main_with_args(std::env::args_os())
}
