//! `godwit import`.

use std::io::{self, Write};

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::{json, v1};

use super::apply::deployed;
use super::moves::Moved;
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::{Format, text};
use crate::target::{self, Resource, Target, reference};

/// Take over what runs in member clusters already, without restarting any of it.
///
/// The total is what runs, and it stays where it is. Where clusters differ, the import is refused and says in what, unless
/// --from says which of them is right. Everything is taken over or nothing, and importing again does no harm.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit import --cluster alpha,bravo -n shop web --policy even --dry-run
  godwit import --cluster alpha,bravo -n shop -l team=shop --with-dependents
  godwit import --cluster alpha,bravo -n shop deployment/web statefulset/db --from alpha")]
pub(crate) struct Import {
    /// Workloads, as in `web`, `deployment/web` or `statefulset/db`; without any, all that --selector chooses
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The clusters that have it; may be repeated
    #[arg(long = "cluster", value_name = "NAME", required = true, value_delimiter = ',')]
    clusters: Vec<ClusterName>,
    /// All that has these labels, as in `app=web`
    #[arg(short = 'l', long, conflicts_with = "names", required_unless_present_any = ["names", "all"])]
    selector: Option<String>,
    /// All of the namespace
    #[arg(long, conflicts_with_all = ["names", "selector"])]
    all: bool,
    /// The policy that it comes under
    #[arg(long, value_name = "NAME")]
    policy: Option<String>,
    /// Where clusters differ, what this one has is right
    #[arg(long, value_name = "CLUSTER")]
    from: Option<ClusterName>,
    /// Take Services, budgets, autoscalers, and the ConfigMaps, Secrets and accounts that pods name, too
    #[arg(long)]
    with_dependents: bool,
    /// Take it over even if the policy wants it elsewhere
    #[arg(long)]
    allow_moves: bool,
    /// Where --from changes fields that others have, take them away from them
    #[arg(long)]
    force_conflicts: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Import {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let workloads = self.names.iter().map(|name| named(name)).collect::<Result<_, Error>>()?;
        let request = v1::ImportRequest {
            clusters: self.clusters.iter().map(ToString::to_string).collect(),
            namespace: self.namespace.clone().unwrap_or_default(),
            workloads,
            selector: self.selector.clone().unwrap_or_default(),
            policy_name: self.policy.clone().unwrap_or_default(),
            from: self.from.as_ref().map(ToString::to_string).unwrap_or_default(),
            with_dependents: self.with_dependents,
            allow_moves: self.allow_moves,
            force_conflicts: self.force_conflicts,
            dry_run: self.dry_run,
        };
        let client = Client::connect(places).await?;
        let answer = answer(client.workloads().import(request)).await?;
        for warning in &answer.warnings {
            eprintln!("warning: {}", text::plain(warning));
        }
        let mut outcome = Outcome::new(self.output);
        tell(&answer, &mut outcome)?;
        outcome.finish()
    }
}

/// A workload as it is named on the command line; a Deployment if its kind is not.
fn named(text: &str) -> Result<v1::ImportName, Error> {
    let Some((kind, name)) = text.split_once('/') else {
        return Ok(v1::ImportName { kind: String::new(), name: text.to_owned() });
    };
    let target = Target::parse(kind).filter(|target| target.resource == Resource::Workloads);
    let kind = target.and_then(|target| target.kind);
    let kind = kind.ok_or_else(|| {
        Error::Usage(format!(
            "{kind:?} is no kind of workload: write deployment, statefulset, daemonset or cronjob"
        ))
    })?;
    Ok(v1::ImportName { kind: kind.to_owned(), name: name.to_owned() })
}

fn tell(answer: &v1::ImportResponse, outcome: &mut Outcome) -> Result<(), Error> {
    let mut out = io::stdout();
    match outcome.format {
        Format::Json | Format::Yaml => outcome.document(json::to_json(answer)?),
        Format::Name => {
            for workload in &answer.workloads {
                let name = reference(&workload.namespace, &workload.kind, &workload.name);
                writeln!(out, "{}", text::plain(&name))?;
            }
        }
        Format::Table | Format::Wide => {
            for line in lines(answer) {
                writeln!(out, "{}", text::plain(&line))?;
            }
            let own = |change: &&v1::PlanChange| {
                let is = |one: &v1::DeployedWorkload| {
                    (&one.namespace, &one.kind, &one.name) == (&change.namespace, &change.kind, &change.name)
                };
                answer.workloads.iter().any(is)
            };
            // That what runs is the plan from now on is no move.
            let (own, others): (Vec<_>, Vec<_>) = answer.changes.iter().partition(|change| own(change));
            let told = (own.len() + others.len()) as u64;
            let untold = answer.changes_total.saturating_sub(told);
            Moved { plans: others.into_iter().cloned().collect(), untold }.print(&mut out)?;
        }
    }
    Ok(())
}

fn lines(answer: &v1::ImportResponse) -> Vec<String> {
    let mut lines: Vec<String> = answer
        .workloads
        .iter()
        .map(|workload| {
            let action = match workload.action.as_str() {
                "created" => "imported",
                other => other,
            };
            deployed(&v1::DeployedWorkload { action: action.to_owned(), ..workload.clone() }, answer.dry_run)
        })
        .collect();
    for v1::ImportDifference { object, field, values } in &answer.differences {
        let values: Vec<String> = values.iter().map(|(name, value)| format!("{value} in {name}")).collect();
        lines.push(format!("differs: {object}: {field}: {}", values.join(", ")));
    }
    if !answer.objects.is_empty() {
        lines.push(format!("goes along: {}", answer.objects.join(", ")));
    }
    if !answer.left.is_empty() {
        lines.push(format!("left as it is: {} (--with-dependents takes it along)", answer.left.join(", ")));
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kind_is_written_as_for_kubectl() {
        let kind = |text: &str| named(text).map(|name| (name.kind, name.name)).ok();
        assert_eq!(kind("web"), Some((String::new(), "web".to_owned())));
        assert_eq!(kind("sts/db"), Some(("StatefulSet".to_owned(), "db".to_owned())));
        assert_eq!(kind("cluster/alpha"), None);
        assert_eq!(kind("workload/web"), None);
    }

    #[test]
    fn the_answer_names_what_was_taken_and_what_was_not() {
        let share = |cluster: &str, replicas| v1::Share { cluster: cluster.into(), replicas };
        let web = v1::DeployedWorkload {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            action: "created".into(),
            replicas: 8,
            placements: vec![share("alpha", 3), share("bravo", 5)],
            clusters: 2,
            ..v1::DeployedWorkload::default()
        };
        let answer = v1::ImportResponse {
            workloads: vec![web],
            objects: vec!["Service shop/web".into()],
            left: vec!["Secret shop/key".into()],
            dry_run: true,
            ..v1::ImportResponse::default()
        };
        assert_eq!(
            lines(&answer),
            [
                "deployment/web imported in shop (dry run): 3 alpha, 5 bravo",
                "goes along: Service shop/web",
                "left as it is: Secret shop/key (--with-dependents takes it along)",
            ]
        );
    }
}
