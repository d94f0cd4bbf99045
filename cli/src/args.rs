//! The command line.

use std::path::PathBuf;

use clap::{Parser, Subcommand};

use crate::commands::{
    ack, agent, apply, approve, authority, backup, completion, confirm, confirm_dead, cordon, delete,
    describe, diff, drain, explain, freeze, get, import, label, login, logout, logs, maintenance, migrate,
    plan, rebalance, render, replace, retire, revoke, role, rollout, scale, taint, token, version, whatif,
    whoami,
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
.godwit/dev/config.yaml (written by `godwit dev`), or ~/.config/godwit/config.yaml (written by
`godwit login`).")]
pub(crate) struct Cli {
    /// The context file: the hub's address and this user's certificates
    #[arg(
        long,
        global = true,
        value_name = "FILE",
        env = "GODWIT_CONFIG",
        hide_env_values = true,
        display_order = 900
    )]
    pub(crate) config: Option<PathBuf>,
    /// What to do.
    #[command(subcommand)]
    pub(crate) command: Command,
}

// What each one does is said where it is defined.
#[derive(Debug, Subcommand)]
pub(crate) enum Command {
    Apply(apply::Apply),
    Diff(diff::Diff),
    Import(import::Import),
    Get(get::Get),
    Describe(describe::Describe),
    Explain(explain::Explain),
    Render(render::Render),
    Logs(logs::Logs),
    Scale(scale::Scale),
    Delete(delete::Delete),
    Cordon(cordon::Cordon),
    Uncordon(cordon::Uncordon),
    Drain(drain::Drain),
    Retire(retire::Retire),
    Replace(replace::Replace),
    #[command(subcommand)]
    Maintenance(maintenance::Maintenance),
    Pause(migrate::Pause),
    Resume(migrate::Resume),
    Cancel(migrate::Cancel),
    Rebalance(rebalance::Rebalance),
    Ack(ack::Ack),
    #[command(subcommand)]
    Rollout(rollout::Rollout),
    Label(label::Label),
    Taint(taint::Taint),
    #[command(name = "whatif")]
    WhatIf(whatif::WhatIf),
    #[command(subcommand)]
    Freeze(freeze::Freeze),
    Backup(backup::Backup),
    #[command(subcommand)]
    Token(token::Token),
    #[command(subcommand)]
    Approve(approve::Approve),
    #[command(subcommand)]
    Deny(approve::Deny),
    #[command(subcommand)]
    Revoke(revoke::Revoke),
    #[command(subcommand)]
    Authority(authority::Authority),
    #[command(subcommand)]
    Role(role::Role),
    Login(login::Login),
    Logout(logout::Logout),
    #[command(name = "whoami")]
    WhoAmI(whoami::WhoAmI),
    #[command(subcommand)]
    Confirm(confirm::Confirm),
    ConfirmDead(confirm_dead::ConfirmDead),
    Plan(plan::Plan),
    #[command(subcommand)]
    Agent(agent::Agent),
    Dev(Dev),
    Completion(completion::Completion),
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
