//! Every program of Godwit in one, for the end-to-end tests: `godwit-e2e hub …` is `godwit-hub …`, and so on. Cargo builds
//! the programs of a package before its tests, but not those of other packages: this one is never stale.

use std::ffi::OsString;
use std::process::ExitCode;

fn main() -> ExitCode {
    let mut args = std::env::args_os().skip(1);
    let part = args.next().unwrap_or_default();
    let named = |program: &str| std::iter::once(OsString::from(program)).chain(args);
    match part.to_str() {
        Some("hub") => godwit_hub::main_with_args(named("godwit-hub")),
        Some("agent") => godwit_agent::main_with_args(named("godwit-agent")),
        Some("gate") => godwit_gate::main_with_args(named("godwit-gate")),
        Some("kubesim") => kubesim::main_with_args(named("kubesim")),
        Some("cli") => godwit_cli::main_with_args(named("godwit")),
        // `godwit dev` starts its parts by calling its own program with hidden words.
        Some(hidden) if hidden.starts_with("__") => godwit_cli::main_with_args(std::env::args_os()),
        Some(_) | None => {
            eprintln!("godwit-e2e: {part:?} is no part of Godwit: use hub, agent, gate, kubesim or cli");
            ExitCode::from(2)
        }
    }
}
