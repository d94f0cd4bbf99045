//! The hub's shell: it owns the clock, the store, the sockets and the configuration, and carries events to the
//! federation's machine and effects away from it. It never decides where anything runs.
//!
//! An agent's message goes from its session through one bounded queue to the driver, the machine's only owner; what
//! the machine decides is committed to the store before anything of it leaves. Operators read an immutable view.

mod admin;
mod args;
mod audit;
mod authority;
pub mod config;
mod driver;
mod guard;
mod inquiries;
mod metrics;
mod serve;
mod sessions;
pub mod store;
mod webhook;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;
use godwit_rt::telemetry::{self, LogFormat};
use godwit_rt::tls;

use args::Args;

/// What a program that runs a hub allocates with. The image is linked with musl, whose own allocator lets in one thread at a
/// time.
#[cfg(feature = "jemalloc")]
pub use tikv_jemallocator::Jemalloc as Allocator;

/// Runs the hub as a process of its own would: until SIGTERM or SIGINT. The first of `args` is the program's name.
/// Ends with 0, with 1 after a failure, with 2 after a mistake on the command line or in the settings.
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // To standard output for --help, to standard error for mistakes; if that is closed, nobody reads it.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(USAGE));
        }
    };
    match run(&args) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            // Logging may not have begun, or may be filtered out: why a hub is not there must always be readable.
            eprintln!("godwit-hub: {error:#}");
            if error.is::<config::ConfigError>() { ExitCode::from(USAGE) } else { ExitCode::FAILURE }
        }
    }
}

/// After a mistake of whoever started it, as clap has it.
const USAGE: u8 = 2;

fn run(args: &Args) -> anyhow::Result<()> {
    tls::install_provider();
    let loaded = config::load(&args.sources(environment()))?;
    if args.print_config {
        return Ok(write!(std::io::stdout(), "{}", loaded.to_toml())?);
    }
    let settings = loaded.settings;
    let format: LogFormat = settings.log.format.parse()?;
    telemetry::init(&settings.log.filter, format).context("log.filter")?;
    loaded.warnings.iter().for_each(|warning| tracing::warn!("{warning}"));
    if args.check_config {
        authority::check(&settings)?;
        serve::place(&settings)?;
        return Ok(writeln!(std::io::stdout(), "the configuration is valid")?);
    }
    if let (Some(name), Some(folder)) = (&args.issue_admin, &args.out) {
        return authority::issue_admin(&settings, name, folder);
    }
    if let Some(backup) = &args.restore {
        return serve::restore(&settings, backup);
    }
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build().context("no runtime")?;
    let result = runtime.block_on(serve::run(settings, args));
    runtime.shutdown_timeout(serve::RUNTIME_END);
    result
}

/// What of the environment is text; nothing else is a setting.
fn environment() -> Vec<(String, String)> {
    let text =
        |(name, value): (OsString, OsString)| Some((name.into_string().ok()?, value.into_string().ok()?));
    std::env::vars_os().filter_map(text).collect()
}
