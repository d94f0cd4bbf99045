//! The hub's binary.

fn main() -> std::process::ExitCode {
    godwit_hub::main_with_args(std::env::args_os())
}
