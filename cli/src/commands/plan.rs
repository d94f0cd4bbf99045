//! `godwit plan`.

mod scenario;

use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use godwit_planner::scenario::{Answer, Scenario, plan};
use serde_json::{Value, json};

use crate::error::Error;
use crate::input;
use crate::output::Format;
use crate::output::colour::Paint;
use crate::output::document::{self, Syntax};
use crate::output::table::{Cell, Table};

/// Preview a division over described clusters, without a hub.
///
/// The planner is the very one that runs in the hub.
#[derive(Debug, Args)]
#[command(after_help = "\
A scenario:
  replicas: 100
  policy:
    clusters: {alpha: {weight: 1}, bravo: {weight: 2}, charlie: {weight: 2, max: 30}}
  clusters:
    - {name: alpha, running: 50}
    - {name: bravo, running: 50, room: 60}
    - {name: charlie}

`running` is what runs there now (0 if absent); `room` is how many fit in total, running ones
included (any number if absent). The policy has the fields of a Policy's spec, among them its
strategy: weighted, capacity, spread, pack, ordered or duplicate. With `clusters` and no
`default`, clusters without an entry are not eligible.

Examples:
  godwit plan -f scenario.yaml
  godwit plan -f - -o json < scenario.json")]
pub(crate) struct Plan {
    /// The scenario, in YAML or JSON; - for standard input
    #[arg(short, long = "filename", value_name = "FILE|-")]
    file: PathBuf,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Plan {
    pub(crate) fn run(self) -> Result<(), Error> {
        let source = input::read_one(&self.file)?;
        let wrong = |reason: String| Error::failed(format!("{}: {reason}", source.label));
        let scenario = scenario::parse(&source.text).map_err(wrong)?;
        let answer = plan(&scenario).map_err(|error| wrong(error.to_string()))?;
        print(&scenario, &answer, self.output, &mut io::stdout().lock())
    }
}

fn print(scenario: &Scenario, answer: &Answer, format: Format, out: &mut dyn Write) -> Result<(), Error> {
    match format {
        Format::Json => document::print(&to_document(scenario, answer), Syntax::Json, out),
        Format::Yaml => document::print(&to_document(scenario, answer), Syntax::Yaml, out),
        Format::Name => {
            let placed = answer.placements.iter().filter(|placement| placement.replicas > 0);
            for placement in placed {
                writeln!(out, "cluster/{}", placement.cluster)?;
            }
            Ok(())
        }
        Format::Table | Format::Wide => {
            let row = |line: &godwit_planner::scenario::Line| {
                vec![
                    Cell::from(line.cluster.as_str()),
                    line.running.to_string().into(),
                    line.replicas.to_string().into(),
                    change(line.running, line.replicas).into(),
                    line.bound.to_string().into(),
                ]
            };
            let rows: Vec<Vec<Cell>> = answer.report.iter().map(row).collect();
            let mut table = Table::new(vec!["CLUSTER", "RUNNING", "REPLICAS", "CHANGE", "REASON"]);
            table.print(&rows, Paint::of_stdout(), out)?;
            if answer.pending > 0 {
                let reasons: Vec<String> = answer.reasons.iter().map(ToString::to_string).collect();
                let reasons =
                    if reasons.is_empty() { "there are no clusters".to_owned() } else { reasons.join("; ") };
                writeln!(out, "{} pending: {reasons}", answer.pending)?;
            }
            Ok(())
        }
    }
}

fn to_document(scenario: &Scenario, answer: &Answer) -> Value {
    let placement = |placement: &godwit_planner::scenario::Placement| json!({"cluster": placement.cluster.as_str(), "replicas": placement.replicas});
    let line = |line: &godwit_planner::scenario::Line| {
        json!({
            "cluster": line.cluster.as_str(),
            "eligible": scenario.policy.rule_for(&line.cluster).is_some(),
            "running": line.running,
            "replicas": line.replicas,
            "reason": line.bound.to_string(),
        })
    };
    json!({
        "placements": answer.placements.iter().map(placement).collect::<Vec<_>>(),
        "pending": answer.pending,
        "report": answer.report.iter().map(line).collect::<Vec<_>>(),
    })
}

fn change(from: u32, to: u32) -> String {
    match i64::from(to) - i64::from(from) {
        0 => "-".to_owned(),
        change => format!("{change:+}"),
    }
}
