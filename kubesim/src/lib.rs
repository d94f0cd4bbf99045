//! A small Kubernetes API server with simulated nodes, scheduler and kubelets. It never starts a container and never
//! writes a file but the kubeconfig that it was asked for: its state is in memory, and ends with it.

mod admission;
mod api;
mod controllers;
mod error;
pub mod issuer;
mod kinds;
mod kubeconfig;
mod kubelet;
mod object;
mod options;
mod patch;
mod scheduler;
mod seed;
mod server;
mod store;
mod tls;

use std::ffi::OsString;
use std::process::ExitCode;

use anyhow::Context;
use clap::Parser;

pub use options::Config;
use options::Options;
pub use server::Simulation;

/// Runs the simulator as the command line `args` say, the program's name first, until it is told to stop.
pub fn main_with_args(args: impl IntoIterator<Item = OsString>) -> ExitCode {
    let options = match Options::try_parse_from(args) {
        Ok(options) => options,
        Err(error) => {
            let code = error.exit_code();
            // There is nowhere left to report that the usage could not be printed.
            let _ = error.print();
            return ExitCode::from(u8::try_from(code).unwrap_or(2));
        }
    };
    let filter = tracing_subscriber::EnvFilter::try_from_default_env()
        .unwrap_or_else(|_| tracing_subscriber::EnvFilter::new("warn"));
    // A subscriber that stands already, in a test for example, stays.
    let _ = tracing_subscriber::fmt().with_env_filter(filter).with_writer(std::io::stderr).try_init();
    match run(&options) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("kubesim: {error:#}");
            ExitCode::FAILURE
        }
    }
}

fn run(options: &Options) -> anyhow::Result<()> {
    let config = options.config()?;
    let runtime = tokio::runtime::Builder::new_multi_thread()
        .enable_all()
        .build()
        .context("the runtime could not be started")?;
    let result = runtime.block_on(async {
        let simulation = Simulation::start(config).await?;
        if let Some(path) = &options.kubeconfig_out {
            kubeconfig::write(path, simulation.kubeconfig())?;
        }
        println!("kubesim {} ready {}", options.name, simulation.url());
        simulation.run(stop_signal(options.exit_with_stdin)).await
    });
    runtime.shutdown_background();
    result
}

/// Returns when the process is told to stop: by a signal, or by the end of its input when that counts.
async fn stop_signal(exit_with_stdin: bool) {
    use tokio::signal::unix::{SignalKind, signal};
    let terminated = async {
        match signal(SignalKind::terminate()) {
            Ok(mut signal) => drop(signal.recv().await),
            Err(_) => std::future::pending().await,
        }
    };
    let input_ended = input_end(exit_with_stdin);
    tokio::select! {
        _ = tokio::signal::ctrl_c() => {}
        () = terminated => {}
        () = input_ended => {}
    }
}

/// Returns when stdin has ended, if `counts`. The read waits in a thread of its own, which ends with the process.
async fn input_end(counts: bool) {
    let (sender, ended) = tokio::sync::oneshot::channel::<()>();
    if !counts {
        std::future::pending::<()>().await;
    }
    std::thread::spawn(move || {
        // An input that cannot be read has ended too.
        let _ = std::io::copy(&mut std::io::stdin(), &mut std::io::sink());
        drop(sender);
    });
    let _ = ended.await;
}
