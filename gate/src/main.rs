//! The program `godwit-gate`.

use std::process::ExitCode;

fn main() -> ExitCode {
    godwit_gate::main_with_args(std::env::args_os())
}
