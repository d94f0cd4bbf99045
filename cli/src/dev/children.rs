//! The parts of the federation that this program runs as, under hidden names.

use std::ffi::OsString;
use std::process::ExitCode;

/// Runs a part, if `args` ask for one: the second of them is its hidden name. Hands them back otherwise.
pub(crate) fn run_child(args: Vec<OsString>) -> Result<ExitCode, Vec<OsString>> {
    let Some(name) = args.get(1).and_then(|name| name.to_str()) else {
        return Err(args);
    };
    let run = |program: &str| std::iter::once(program.into()).chain(args.iter().skip(2).cloned());
    match name {
        super::HUB_CHILD => Ok(godwit_hub::main_with_args(run("godwit-hub"))),
        super::AGENT => Ok(godwit_agent::main_with_args(run("godwit-agent"))),
        super::KUBESIM => Ok(kubesim::main_with_args(run("kubesim"))),
        _ => Err(args),
    }
}
