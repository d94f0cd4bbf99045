//! `godwit diff`.

use std::io::{self, Write};

use clap::Args;
use godwit_proto::{json, v1};
use serde_json::{Value, json};

use super::moves::{Told, is_of};
use super::outcome::Outcome;
use super::sender::Sender;
use super::submission::Submission;
use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, changes, text};
use crate::target::{kind_and_name, reference};

/// What the hub says of what stays as it is.
const UNCHANGED: &str = "unchanged";

/// Show what applying files would change.
///
/// The hub makes a dry run of each policy and application, and tells what would move. Nothing is changed.
#[derive(Debug, Args)]
#[command(after_help = "\
The exit status is 0 if nothing would change, 1 if something would, and 2 if that could not be found
out. What a quota would let move is not foreseen, only that the quota would change.

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
        let documents = self.submission.read()?;
        let mut sender = Sender::new(Client::connect(places).await?)?;
        let mut told = Told::new(&self.submission, &documents, true);
        let mut outcome = Outcome::new(self.output);
        let mut differences = Differences::default();
        for quota in &documents.quotas {
            let name = format!("quota/{}", quota.namespace);
            let answer = sender.apply_quota(quota, true).await;
            if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*name))) {
                differences.note(&name, &answer.action, Vec::new());
            }
        }
        for policy in &documents.policies {
            let name = format!("policy/{}", policy.name);
            let answer = sender.apply_policy(policy, true).await;
            if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*name))) {
                differences.note(&name, &answer.action, told.fresh(&answer.changes));
            }
        }
        for source in &documents.applications {
            let id = sender.request_id()?;
            let request = self.submission.deployment(source, &documents.policies, id, true);
            let answer = sender.deploy(&request).await;
            if let Some(answer) = outcome.taken(answer.map_err(|error| error.about(&*source.label))) {
                differences.application(&answer, &mut told);
            }
        }
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
    /// created, configured or unchanged.
    action: String,
    /// The plans of others that change because of it.
    moved: Vec<v1::PlanChange>,
    /// Its own plan, if it is a workload.
    own: Option<v1::PlanChange>,
}

#[derive(Debug, Default)]
struct Differences {
    found: Vec<Difference>,
}

impl Differences {
    fn note(&mut self, name: &str, action: &str, moved: Vec<v1::PlanChange>) {
        if action == UNCHANGED && moved.is_empty() {
            return;
        }
        self.found.push(Difference {
            name: name.to_owned(),
            line: format!("{name} {action}"),
            action: action.to_owned(),
            moved,
            own: None,
        });
    }

    fn application(&mut self, answer: &v1::DeployResponse, told: &mut Told) {
        for warning in &answer.warnings {
            eprintln!("warning: {}", text::plain(warning));
        }
        let before = self.found.len();
        let others = told.of_others(&answer.workloads, &answer.changes);
        for workload in &answer.workloads {
            let own = answer.changes.iter().find(|change| is_of(change, workload)).cloned();
            if workload.action != UNCHANGED || own.is_some() {
                self.found.push(of_workload(workload, own));
            }
        }
        if !others.is_empty() {
            if self.found.len() == before {
                self.found.extend(answer.workloads.first().map(|first| of_workload(first, None)));
            }
            if let Some(last) = self.found.last_mut() {
                last.moved.extend(others);
            }
        }
    }

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
                    changes::print(&one.moved, out)?;
                }
                Ok(())
            }
        }
    }

    fn document(&self) -> Result<Value, Error> {
        let item = |one: &Difference| {
            let changes = one.own.iter().chain(&one.moved).map(json::to_json);
            let changes = changes.collect::<Result<Vec<_>, _>>()?;
            Ok(json!({ "name": one.name, "action": one.action, "changes": changes }))
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
        action: workload.action.clone(),
        moved: Vec::new(),
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

    #[test]
    fn what_is_unchanged_is_not_there() {
        let mut differences = Differences::default();
        differences.note("policy/even", "unchanged", Vec::new());
        differences.application(&answer("unchanged", Vec::new()), &mut Told::default());
        assert!(differences.found.is_empty());
        assert_eq!(printed(&differences, Format::Table), "");
        assert_eq!(differences.document().expect("JSON"), json!({"items": []}));
    }

    #[test]
    fn each_thing_stands_with_what_moves() {
        let mut differences = Differences::default();
        differences.note("policy/even", "configured", vec![change("api")]);
        differences.application(&answer("configured", vec![change("web")]), &mut Told::default());
        differences.application(&answer("unchanged", vec![change("other")]), &mut Told::default());
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
    }
}
