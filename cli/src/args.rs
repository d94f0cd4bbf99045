//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    apply, completion, confirm, delete, describe, explain, freeze, get, plan, scale, version,
};
use crate::dev::Dev;

/// Runs containers over many Kubernetes clusters: an application is given once, with a total number of replicas,
/// and the hub divides it, moves it when a cluster is lost, and says why.
#[derive(Debug, Parser)]
#[command(
    name = "godwit",
    version,
    max_term_width = 100,
    subcommand_required = true,
    arg_required_else_help = true
)]
#[command(after_help = "\
Examples:
  godwit apply -f examples/policies -f examples/web.yaml
  godwit get workloads --watch
  godwit describe workload shop/web

The hub's address and certificates come from --config, $GODWIT_CONFIG, the nearest
.godwit/dev/config.yaml (written by `godwit dev`), or ~/.config/godwit/config.yaml.")]
pub(crate) struct Cli {
    /// The context file: the hub's address and this user's certificates
    #[arg(long, global = true, value_name = "FILE", env = "GODWIT_CONFIG", hide_env_values = true)]
    pub(crate) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    /// Hand applications and policies over, or change them
    Apply(apply::Apply),
    /// Show clusters, workloads, policies, migrations, events or the federation
    Get(get::Get),
    /// Show everything about one thing
    Describe(describe::Describe),
    /// Say why a workload's replicas are where they are
    Explain(explain::Explain),
    /// Change the total of a workload
    Scale(scale::Scale),
    /// End workloads, delete policies, forget lost clusters
    Delete(delete::Delete),
    /// Show, confirm or release a freeze of failover
    #[command(subcommand)]
    Freeze(freeze::Freeze),
    /// Let go on what waits for an operator
    #[command(subcommand)]
    Confirm(confirm::Confirm),
    /// Preview a division over described clusters, without a hub
    Plan(plan::Plan),
    /// Start a federation on this machine, or make accidents in it
    Dev(Dev),
    /// Print a script that completes commands in a shell
    Completion(completion::Completion),
    /// Show the versions of this command and of the hub
    Version(version::Version),
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_line_is_consistent() {
        use clap::CommandFactory;
        Cli::command().debug_assert();
    }
}
