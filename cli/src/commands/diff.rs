//! `godwit diff`.

use std::io::{self, Write};

use clap::Args;
use godwit_proto::{json, v1};
use serde_json::{Value, json};

use super::action::{Action, Answer};
use super::moves::{Moved, is_of};
use super::outcome::Outcome;
use super::submission::Submission;
use super::walk::{Reader, walk};
use crate::context::Places;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, changes, text};
use crate::target::{kind_and_name, reference};

/// Show what applying manifests of applications, policies and quotas would change.
///
/// The hub says of each what would move because of it. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
The exit status is 0 if nothing would change, 1 if something would, and 2 if that could not be found
out.

Examples:
  godwit diff -f examples/policies -f examples/web.yaml
  godwit diff -f web.yaml --replicas 100 --policy weighted -o json")]
pub(crate) struct Diff {
    #[command(flatten)]
    submission: Submission,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Diff {
    /// Whether anything would change.
    pub(crate) async fn run(self, places: &Places) -> Result<bool, Error> {
        let mut outcome = Outcome::new(self.output);
        let mut differences = Differences::default();
        walk(&self.submission, places, true, &mut outcome, &mut differences).await?;
        differences.print(self.output, &mut io::stdout().lock())?;
        outcome.finish()?;
        Ok(!differences.found.is_empty())
    }
}

/// One thing that would change, or that would make others move.
#[derive(Debug)]
struct Difference {
    /// What other commands call it.
    name: String,
    /// What people read.
    line: String,
    action: Action,
    /// The plans of others that change because of it.
    moved: Moved,
    /// Its own plan, if it is a workload.
    own: Option<v1::PlanChange>,
}

#[derive(Debug, Default)]
struct Differences {
    found: Vec<Difference>,
}

impl Reader for Differences {
    fn thing(
        &mut self,
        _: &mut Outcome,
        name: &str,
        answer: &impl Answer,
        moved: Moved,
    ) -> Result<(), Error> {
        let action = answer.action();
        if action != Action::Unchanged || !moved.is_empty() {
            let line = format!("{name} {action}");
            self.found.push(Difference { name: name.to_owned(), line, action, moved, own: None });
        }
        Ok(())
    }

    /// What moves of others stands below the last of the workloads that differ, or else below the first one.
    fn application(
        &mut self,
        _: &mut Outcome,
        answer: &v1::DeployResponse,
        moved: Moved,
    ) -> Result<(), Error> {
        let before = self.found.len();
        for workload in &answer.workloads {
            let own = answer.changes.iter().find(|change| is_of(change, workload)).cloned();
            if Action::of(&workload.action) != Action::Unchanged || own.is_some() {
                self.found.push(of_workload(workload, own));
            }
        }
        if !moved.is_empty() {
            if self.found.len() == before {
                self.found.extend(answer.workloads.first().map(|first| of_workload(first, None)));
            }
            if let Some(last) = self.found.last_mut() {
                last.moved.plans.extend(moved.plans);
                last.moved.untold += moved.untold;
            }
        }
        Ok(())
    }
}

impl Differences {
    fn print(&self, format: Format, out: &mut dyn Write) -> Result<(), Error> {
        match format {
            Format::Json => document::print(&self.document()?, Syntax::Json, out),
            Format::Yaml => document::print(&self.document()?, Syntax::Yaml, out),
            Format::Name => {
                Ok(self.found.iter().try_for_each(|one| writeln!(out, "{}", text::plain(&one.name)))?)
            }
            Format::Table | Format::Wide => {
                for one in &self.found {
                    writeln!(out, "{}", text::plain(&one.line))?;
                    one.moved.print(out)?;
                }
                Ok(())
            }
        }
    }

    fn document(&self) -> Result<Value, Error> {
        let item = |one: &Difference| {
            let changes = one.own.iter().chain(&one.moved.plans).map(json::to_json);
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            let total = changes.len() as u64 + one.moved.untold;
            Ok(json!({
                "name": one.name, "action": one.action.to_string(), "changes": changes, "changesTotal": total
            }))
        };
        let items = self.found.iter().map(item).collect::<Result<Vec<_>, Error>>()?;
        Ok(json!({ "items": items }))
    }
}

fn of_workload(workload: &v1::DeployedWorkload, own: Option<v1::PlanChange>) -> Difference {
    let what = kind_and_name(&workload.kind, &workload.name);
    let place = changes::in_namespace(&workload.namespace);
    let moves = own.as_ref().map(|change| format!(": {}", changes::moves(change)));
    Difference {
        name: reference(&workload.namespace, &workload.kind, &workload.name),
        line: format!("{what} {}{place}{}", workload.action, moves.unwrap_or_default()),
        action: Action::of(&workload.action),
        moved: Moved::default(),
        own,
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn change(name: &str) -> v1::PlanChange {
        let share = v1::ShareChange { cluster: "alpha".into(), before: 4, after: 0 };
        v1::PlanChange {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: name.into(),
            shares: vec![share],
            ..v1::PlanChange::default()
        }
    }

    fn answer(action: &str, changes: Vec<v1::PlanChange>) -> v1::DeployResponse {
        let workload = v1::DeployedWorkload {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            action: action.into(),
            ..v1::DeployedWorkload::default()
        };
        v1::DeployResponse { workloads: vec![workload], changes, ..v1::DeployResponse::default() }
    }

    fn printed(differences: &Differences, format: Format) -> String {
        let mut out = Vec::new();
        differences.print(format, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    fn policy(action: &str) -> v1::ApplyPolicyResponse {
        v1::ApplyPolicyResponse { action: action.to_owned(), ..v1::ApplyPolicyResponse::default() }
    }

    /// The differences of a policy, then of two applications, each with what moves because of it.
    fn differences(
        policy: (v1::ApplyPolicyResponse, Vec<v1::PlanChange>),
        applications: Vec<(v1::DeployResponse, Vec<v1::PlanChange>)>,
    ) -> Differences {
        let mut differences = Differences::default();
        let outcome = &mut Outcome::new(Format::Table);
        let moved = |plans| Moved { plans, untold: 0 };
        let (answer, plans) = policy;
        differences.thing(outcome, "policy/even", &answer, moved(plans)).expect("it only notes");
        for (answer, plans) in applications {
            differences.application(outcome, &answer, moved(plans)).expect("it only notes");
        }
        differences
    }

    #[test]
    fn what_is_unchanged_is_not_there() {
        let same = (answer("unchanged", Vec::new()), Vec::new());
        let differences = differences((policy("unchanged"), Vec::new()), vec![same]);
        assert!(differences.found.is_empty());
        assert_eq!(printed(&differences, Format::Table), "");
        assert_eq!(differences.document().expect("JSON"), json!({"items": []}));
    }

    #[test]
    fn each_thing_stands_with_what_moves() {
        let own = (answer("configured", vec![change("web")]), Vec::new());
        let others = (answer("unchanged", Vec::new()), vec![change("other")]);
        let differences = differences((policy("configured"), vec![change("api")]), vec![own, others]);
        assert_eq!(
            printed(&differences, Format::Table),
            "policy/even configured\n  deployment/api in shop: alpha 4 -> 0\n\
             deployment/web configured in shop: alpha 4 -> 0\n\
             deployment/web unchanged in shop\n  deployment/other in shop: alpha 4 -> 0\n"
        );
        let names = "policy/even\nworkload/shop/deployment/web\nworkload/shop/deployment/web\n";
        assert_eq!(printed(&differences, Format::Name), names);
        let document = differences.document().expect("JSON");
        assert_eq!(document["items"][0]["action"], "configured");
        assert_eq!(document["items"][0]["changes"][0]["shares"][0]["after"], 0);
        assert_eq!(document["items"][0]["changesTotal"], 1);
    }
}
