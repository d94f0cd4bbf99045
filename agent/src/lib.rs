//! The Godwit agent: holds a stream to the hub, and acts on the Kubernetes API of its cluster. It decides nothing
//! itself: every decision is the machine's in `godwit-agent-core`; here are the sockets, the calls and the clock.

mod args;
mod clock;
mod cluster;
mod config;
mod gate;
mod identity;
mod inquiries;
mod run;
mod session;

use std::ffi::OsString;
use std::io::Write;
use std::process::ExitCode;
use std::time::Duration;

use anyhow::Context;
use clap::Parser;
use godwit_rt::{shutdown, telemetry, tls};

use args::Args;
use config::{Settings, Sources};

/// What a mistake in the flags or the settings ends with.
const EXIT_USAGE: u8 = 2;

/// Runs the agent until it is told to stop; the first argument is the program's name.
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    tls::install_provider();
    let args = match Args::try_parse_from(args) {
        Ok(args) => args,
        Err(error) => {
            // Help and version are "errors" too, and succeed. A closed standard output is no reason to fail.
            let _ = error.print();
            return ExitCode::from(u8::try_from(error.exit_code()).unwrap_or(EXIT_USAGE));
        }
    };
    let settings = match prepare(&args) {
        Ok(settings) => settings,
        Err(error) => {
            eprintln!("godwit-agent: {error:#}");
            return ExitCode::from(EXIT_USAGE);
        }
    };
    if args.check_config {
        return ExitCode::SUCCESS;
    }
    match serve(settings, args.exit_with_stdin) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            tracing::error!("{error:#}");
            ExitCode::FAILURE
        }
    }
}

fn prepare(args: &Args) -> anyhow::Result<Settings> {
    // What is not Unicode cannot be a setting.
    let environment = std::env::vars_os();
    let environment =
        environment.filter_map(|(key, value)| Some((key.into_string().ok()?, value.into_string().ok()?)));
    let sources =
        Sources { file: args.config.clone(), environment: environment.collect(), flags: args.settings() };
    let (settings, leaves) = config::load(&sources)?;
    telemetry::init(&settings.log_filter, settings.log_format).context("log.filter")?;
    if args.check_config {
        write!(std::io::stdout(), "{leaves}")?;
    }
    Ok(settings)
}

fn serve(settings: Settings, exit_with_stdin: bool) -> anyhow::Result<()> {
    let runtime = tokio::runtime::Builder::new_multi_thread().enable_all().build();
    let runtime = runtime.context("the runtime cannot start")?;
    let result = runtime.block_on(async {
        let stop = shutdown::on_signals().context("signals cannot be heard")?;
        if exit_with_stdin {
            shutdown::exit_with_stdin(&stop);
        }
        run::run(settings, stop).await
    });
    runtime.shutdown_timeout(RUNTIME_END);
    result
}

/// How long the runtime's own tasks may take to end: the look-up of a hub's name must not hold up the process.
const RUNTIME_END: Duration = Duration::from_secs(1);
