//! `godwit apply`.

use std::io::{self, Write};

use clap::Args;
use godwit_proto::{json, v1};

use super::action::{Answer, dry};
use super::moves::Moved;
use super::outcome::Outcome;
use super::submission::Submission;
use super::walk::{Reader, walk};
use crate::context::Places;
use crate::error::Error;
use crate::output::{Format, changes, text};
use crate::target::{kind_and_name, reference};

/// The most clusters that a line names.
const NAMED_MAX: usize = 19;

/// Apply manifests of applications, policies and quotas.
///
/// An application is plain Kubernetes manifests; `spec.replicas` is the total over all clusters. Quotas go first, then
/// policies. All files are checked before anything is sent; each application is taken as a whole or not at all.
#[derive(Debug, Args)]
#[command(after_help = "\
Below each stands what moves because of it, which `godwit diff` shows beforehand.

Examples:
  godwit apply -f examples/policies -f examples/web.yaml
  godwit apply -f web.yaml --replicas 100 --policy weighted --dry-run
  kustomize build . | godwit apply -f -")]
pub(crate) struct Apply {
    #[command(flatten)]
    submission: Submission,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Apply {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let mut outcome = Outcome::new(self.output);
        let mut teller = Teller { dry_run: self.dry_run };
        walk(&self.submission, places, self.dry_run, &mut outcome, &mut teller).await?;
        outcome.finish()
    }
}

/// Tells each answer as it comes.
struct Teller {
    dry_run: bool,
}

impl Reader for Teller {
    fn thing(
        &mut self,
        outcome: &mut Outcome,
        name: &str,
        answer: &impl Answer,
        moved: Moved,
    ) -> Result<(), Error> {
        let became = format!("{}{}", answer.action(), dry(self.dry_run));
        outcome.thing(answer, name, &became, &moved)
    }

    fn application(
        &mut self,
        outcome: &mut Outcome,
        answer: &v1::DeployResponse,
        moved: Moved,
    ) -> Result<(), Error> {
        match outcome.format {
            Format::Json | Format::Yaml => outcome.document(json::to_json(answer)?),
            Format::Name => {
                for workload in &answer.workloads {
                    let name = reference(&workload.namespace, &workload.kind, &workload.name);
                    writeln!(io::stdout(), "{}", text::plain(&name))?;
                }
            }
            Format::Table | Format::Wide => {
                for workload in &answer.workloads {
                    writeln!(io::stdout(), "{}", text::plain(&deployed(workload, answer.dry_run)))?;
                }
                if !answer.objects.is_empty() {
                    let line = format!("goes ahead of them: {}", answer.objects.join(", "));
                    writeln!(io::stdout(), "{}", text::plain(&line))?;
                }
                moved.print(&mut io::stdout())?;
            }
        }
        Ok(())
    }
}

/// What became of a workload, in one line.
pub(super) fn deployed(workload: &v1::DeployedWorkload, dry_run: bool) -> String {
    let place = match (workload.clusters, workload.replicas) {
        (0, 0) => "no replicas wanted".to_owned(),
        (0, _) => "nothing placed".to_owned(),
        (clusters, _) => {
            let share = |share: &v1::Share| format!("{} {}", share.replicas, share.cluster);
            some(workload.placements.iter().map(share), clusters, ", ")
        }
    };
    let pending = match (workload.pending, workload.reasons.is_empty()) {
        (0, _) => String::new(),
        (pending, true) => format!("; {pending} pending"),
        (pending, false) => format!("; {pending} pending: {}", workload.reasons.join("; ")),
    };
    let rollout = match workload.rollout_clusters {
        0 => String::new(),
        clusters => {
            let names = some(workload.rollout.iter().cloned(), clusters, ", then ");
            format!("; revision {} goes to {names}", workload.revision)
        }
    };
    format!(
        "{} {}{}{}: {place}{pending}{rollout}",
        kind_and_name(&workload.kind, &workload.name),
        workload.action,
        changes::in_namespace(&workload.namespace),
        dry(dry_run)
    )
}

/// The first of so many, as far as a line has room for them.
fn some(names: impl Iterator<Item = String>, count: u32, separator: &str) -> String {
    let mut names: Vec<String> = names.take(NAMED_MAX).collect();
    let more = (count as usize).saturating_sub(names.len());
    if more > 0 {
        names.push(format!("{more} more"));
    }
    names.join(separator)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn workload() -> v1::DeployedWorkload {
        let share = |cluster: &str, replicas| v1::Share { cluster: cluster.into(), replicas };
        v1::DeployedWorkload {
            namespace: "default".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            action: "configured".into(),
            replicas: 100,
            placements: vec![share("alpha", 20), share("bravo", 40), share("charlie", 40)],
            clusters: 3,
            ..v1::DeployedWorkload::default()
        }
    }

    #[test]
    fn a_line_says_where_everything_goes() {
        assert_eq!(deployed(&workload(), false), "deployment/web configured: 20 alpha, 40 bravo, 40 charlie");
        let short = v1::DeployedWorkload {
            namespace: "shop".into(),
            placements: Vec::new(),
            clusters: 0,
            pending: 100,
            reasons: vec!["no CPU left".into(), "delta is lost".into()],
            ..workload()
        };
        assert_eq!(
            deployed(&short, true),
            "deployment/web configured in shop (dry run): nothing placed; 100 pending: no CPU left; delta is lost"
        );
        let none = v1::DeployedWorkload { replicas: 0, placements: Vec::new(), clusters: 0, ..workload() };
        assert_eq!(deployed(&none, false), "deployment/web configured: no replicas wanted");
    }

    #[test]
    fn a_line_has_room_for_some_clusters_only() {
        let names = |count: usize| (0..count).map(|index| format!("c{index:02}")).collect::<Vec<_>>();
        assert_eq!(some(names(3).into_iter(), 3, ", "), "c00, c01, c02");
        let long = some(names(30).into_iter(), 9_000, ", then ");
        assert!(long.ends_with("c18, then 8981 more"), "{long}");
    }
}
