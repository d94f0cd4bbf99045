//! `godwit rollout`.

use std::io::{self, Write};
use std::time::Duration;

use clap::{Args, Subcommand};
use godwit_proto::{json, v1};
use serde_json::Value;

use super::action::{Action, Answer, dry};
use super::emptying::time;
use super::moves::Moved;
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::output::age;
use crate::output::colour::{Colour, Paint};
use crate::output::document::{self, Syntax};
use crate::output::table::{Cell, Table};
use crate::output::text;
use crate::resources::workload::rollout_line;
use crate::target::{self, Resource, Target, TargetParser, WorkloadName, reference};

/// How often a rollout is looked at.
const LOOK: Duration = Duration::from_millis(500);

/// Show, hold or take back the way of a new revision over the clusters.
///
/// `godwit apply` begins a rollout: cluster by cluster, as the policy's `rollout` says.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  godwit rollout status deployment/web --watch
  godwit rollout pause deployment/web
  godwit rollout undo deployment/web --to-revision 3
  godwit rollout history deployment/web")]
pub(crate) enum Rollout {
    /// Show how far the newest revision is
    Status(Status),
    /// Let no further cluster get the newest revision
    Pause(Pause),
    /// Let it go on, after a failure too
    Resume(Resume),
    /// Bring an older revision back, as a new one
    Undo(Undo),
    /// List the revisions that are kept
    History(History),
}

// No comments here for help: clap would take them for the commands' own.
#[derive(Debug, Args)]
struct Which {
    /// `workload`; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(&[Resource::Workloads]))]
    resource: Target,
    /// The workload's name
    name: Option<String>,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

#[derive(Debug, Args)]
#[command(after_help = "\
It ends with 0 when every cluster has the revision, and while it is on its way; with 1 when it has failed,
or an older one came back in its place. With --watch it waits for either.")]
pub(crate) struct Status {
    #[command(flatten)]
    which: Which,
    /// Wait until every cluster has it, or it has failed
    #[arg(short, long)]
    watch: bool,
    /// How long to wait at most
    #[arg(long, value_name = "TIME", value_parser = time, requires = "watch")]
    timeout: Option<Duration>,
}

#[derive(Debug, Args)]
pub(crate) struct Pause {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Resume {
    #[command(flatten)]
    which: Which,
}

#[derive(Debug, Args)]
pub(crate) struct Undo {
    #[command(flatten)]
    which: Which,
    /// The revision to go back to; else the newest one before that did not fail
    #[arg(long, value_name = "N")]
    to_revision: Option<u64>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
}

#[derive(Debug, Args)]
pub(crate) struct History {
    #[command(flatten)]
    which: Which,
    /// Only this revision, with its manifest
    #[arg(long, value_name = "N")]
    revision: Option<u64>,
}

impl Which {
    async fn find(&self, client: &Client) -> Result<v1::Workload, Error> {
        let target = self.resource.clone().named(self.name.clone())?;
        let name = WorkloadName::parse(target.require_name()?, target.kind, self.namespace.as_deref())?;
        name.find(client).await
    }
}

impl Rollout {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let mut client = Client::connect(places).await?;
        match self {
            Self::Status(status) => status.run(&mut client).await,
            Self::Pause(Pause { which }) => {
                let v1::Workload { namespace, kind, name, .. } = which.find(&client).await?;
                let shown = reference(&namespace, &kind, &name);
                let request = v1::PauseRolloutRequest { namespace, kind, name };
                let answer = answer(client.rollouts().pause_rollout(request)).await?;
                let became = Action::of(&answer.action).or("rollout paused");
                say(which.output, &shown, &became, json::to_json(&answer)?)
            }
            Self::Resume(Resume { which }) => {
                let v1::Workload { namespace, kind, name, .. } = which.find(&client).await?;
                let shown = reference(&namespace, &kind, &name);
                let request = v1::ResumeRolloutRequest { namespace, kind, name };
                let answer = answer(client.rollouts().resume_rollout(request)).await?;
                let became = Action::of(&answer.action).or("rollout resumed");
                say(which.output, &shown, &became, json::to_json(&answer)?)
            }
            Self::Undo(undo) => undo.run(&client).await,
            Self::History(history) => history.run(&client).await,
        }
    }
}

impl Status {
    async fn run(self, client: &mut Client) -> Result<(), Error> {
        let waited = self.watched(client);
        match self.timeout {
            Some(timeout) => tokio::time::timeout(timeout, waited)
                .await
                .map_err(|_| Error::failed(format!("it is not done within {timeout:?}")))?,
            None => waited.await,
        }
    }

    /// Says how far it is; with `--watch` whenever that changes, until it is over.
    async fn watched(&self, client: &mut Client) -> Result<(), Error> {
        let mut said = String::new();
        loop {
            let found = match self.which.find(client).await {
                Err(error) if error.is_unavailable() && self.watch => {
                    if let Ok(again) = client.reconnect().await {
                        *client = again;
                    }
                    tokio::time::sleep(LOOK).await;
                    continue;
                }
                found => found?,
            };
            let rollout = found.rollout.clone().unwrap_or_default();
            let name = reference(&found.namespace, &found.kind, &found.name);
            let (line, end) = (rollout_line(&rollout), end_of(&rollout));
            if line != said {
                self.show(&name, &line, &rollout)?;
                said = line;
            }
            match end {
                Some(End::Failed) => return Err(Error::failed(format!("{name}: {}", rollout.message))),
                Some(End::Done) => return Ok(()),
                None if !self.watch => return Ok(()),
                None => tokio::time::sleep(LOOK).await,
            }
        }
    }

    fn show(&self, name: &str, line: &str, rollout: &v1::Rollout) -> Result<(), Error> {
        let out = &mut io::stdout().lock();
        match self.which.output {
            Format::Json if self.watch => document::print_next(&json::to_json(rollout)?, Syntax::Json, out),
            Format::Json => document::print(&json::to_json(rollout)?, Syntax::Json, out),
            Format::Yaml => document::print_next(&json::to_json(rollout)?, Syntax::Yaml, out),
            Format::Name => Ok(writeln!(out, "{}", text::plain(name))?),
            Format::Table | Format::Wide => {
                writeln!(out, "{}", text::plain(&format!("{name}: {line}")))?;
                let shown = if self.watch { 1 } else { usize::MAX };
                for wait in rollout.waiting.iter().take(shown) {
                    writeln!(out, "  {}", text::plain(&format!("{}: {}", wait.cluster, wait.reason)))?;
                }
                Ok(())
            }
        }
    }
}

/// How a rollout ended.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum End {
    /// Every cluster has the revision that was deployed.
    Done,
    /// It failed, whether or not another one came back in its place.
    Failed,
}

/// Whether there is nothing more to wait for.
fn end_of(rollout: &v1::Rollout) -> Option<End> {
    let everywhere = rollout.clusters_updated >= rollout.clusters;
    match rollout.state.as_str() {
        "Failed" => Some(End::Failed),
        "Completed" if rollout.instead_of.is_some() => Some(End::Failed),
        "Completed" => Some(End::Done),
        "" if everywhere => Some(End::Done),
        _ => None,
    }
}

impl Undo {
    async fn run(self, client: &Client) -> Result<(), Error> {
        let v1::Workload { namespace, kind, name, .. } = self.which.find(client).await?;
        let shown = reference(&namespace, &kind, &name);
        let Undo { to_revision, dry_run, .. } = self;
        let request = v1::UndoRolloutRequest { namespace, kind, name, to_revision, dry_run };
        let answer = answer(client.rollouts().undo_rollout(request)).await?;
        let clusters = match answer.clusters.as_slice() {
            [] => String::new(),
            clusters => format!(": {}", clusters.join(", ")),
        };
        let done = format!("rolled back, as revision {}{clusters}", answer.revision);
        let became = format!("{}{}", answer.action().or(&done), dry(dry_run));
        let moved = Moved { plans: answer.changes().to_vec(), untold: answer.untold() };
        let mut outcome = Outcome::new(self.which.output);
        outcome.thing(&answer, &shown, &became, &moved)?;
        outcome.finish()
    }
}

impl History {
    async fn run(self, client: &Client) -> Result<(), Error> {
        let v1::Workload { namespace, kind, name, .. } = self.which.find(client).await?;
        let request = v1::ListRevisionsRequest { namespace, kind, name, revision: self.revision };
        let items = answer(client.rollouts().list_revisions(request)).await?.items;
        let out = &mut io::stdout().lock();
        match self.which.output {
            Format::Json => document::print(&document::list(&items)?, Syntax::Json, out),
            Format::Yaml => document::print(&document::list(&items)?, Syntax::Yaml, out),
            Format::Name => {
                for item in &items {
                    writeln!(out, "{}", item.number)?;
                }
                Ok(())
            }
            Format::Table | Format::Wide => {
                let headers = vec!["REVISION", "STATE", "CREATED", "BY", "DIGEST", "CLUSTERS"];
                let rows: Vec<Vec<Cell>> = items.iter().map(row).collect();
                Table::new(headers).print(&rows, Paint::of_stdout(), out)?;
                for item in items.iter().filter(|item| !item.manifest.is_empty()) {
                    let manifest: Value = serde_json::from_str(&item.manifest)
                        .map_err(|error| Error::failed(format!("the manifest is no JSON: {error}")))?;
                    document::print_next(&manifest, Syntax::Yaml, out)?;
                }
                Ok(())
            }
        }
    }
}

fn row(revision: &v1::Revision) -> Vec<Cell> {
    let colour = (revision.state == "Failed").then_some(Colour::Red);
    vec![
        Cell::from(revision.number.to_string()),
        Cell::from(&*revision.state).coloured(colour),
        Cell::from(age::moment(revision.created.as_ref())),
        Cell::from(&*revision.created_by),
        Cell::from(&*revision.digest),
        Cell::from(revision.clusters.join(", ")),
    ]
}

/// What became of a workload's rollout.
fn say(format: Format, name: &str, became: &str, answer: Value) -> Result<(), Error> {
    let out = &mut io::stdout().lock();
    match format {
        Format::Json => document::print(&answer, Syntax::Json, out),
        Format::Yaml => document::print(&answer, Syntax::Yaml, out),
        Format::Name => Ok(writeln!(out, "{}", text::plain(name))?),
        Format::Table | Format::Wide => Ok(writeln!(out, "{}", text::plain(&format!("{name} {became}")))?),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_rollback_is_a_failure_of_what_was_deployed() {
        let rollout = |state: &str, instead_of| v1::Rollout {
            state: state.into(),
            instead_of,
            clusters: 2,
            clusters_updated: 1,
            ..v1::Rollout::default()
        };
        assert_eq!(end_of(&rollout("Running", None)), None);
        assert_eq!(end_of(&rollout("PausedAfterFirst", None)), None);
        assert_eq!(end_of(&rollout("Failed", None)), Some(End::Failed));
        assert_eq!(end_of(&rollout("Completed", None)), Some(End::Done));
        assert_eq!(end_of(&rollout("Running", Some(5))), None);
        assert_eq!(end_of(&rollout("Completed", Some(5))), Some(End::Failed));
        assert_eq!(end_of(&rollout("", None)), None, "the first revision starts everywhere at once");
        let done = v1::Rollout { clusters_updated: 2, ..rollout("", None) };
        assert_eq!(end_of(&done), Some(End::Done));
    }
}
