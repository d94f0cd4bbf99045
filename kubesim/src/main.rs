//! The `kubesim` program.

fn main() -> std::process::ExitCode {
    kubesim::main_with_args(std::env::args_os())
}
