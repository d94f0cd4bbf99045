//! `godwit plan`.

#[cfg(test)]
mod scenario;

use std::collections::BTreeSet;
use std::io::{self, Write};
use std::path::PathBuf;

use clap::Args;
use godwit_common::ClusterName;
use godwit_manifest::parse_scenario;
use godwit_planner::scenario::{Answer, Line, Placement, plan};
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
    - name: charlie
      labels: {tier: prod}
      provider: aws
      region: eu-central-1
      zones: [eu-central-1a]
      taints: [{key: spot, effect: PreferNoSchedule}]

`running` is what runs there now (0 if absent); `room` is how many fit in total, running ones
included (any number if absent); the rest is what policies choose clusters by. The policy has the
fields of a Policy's spec, among them its strategy: weighted, capacity, spread, pack, ordered or
duplicate. With `clusters` or `rules` and no `default`, clusters without either are not eligible.

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
        let scenario = parse_scenario(&source.text);
        let scenario =
            scenario.map_err(|errors| Error::failed(input::in_file(&source.label, &errors).join("\n")))?;
        let answer = plan(&scenario).map_err(|error| Error::failed(format!("{}: {error}", source.label)))?;
        print(&answer, self.output, &mut io::stdout().lock())
    }
}

fn print(answer: &Answer, format: Format, out: &mut dyn Write) -> Result<(), Error> {
    match format {
        Format::Json => document::print(&to_document(answer), Syntax::Json, out),
        Format::Yaml => document::print(&to_document(answer), Syntax::Yaml, out),
        Format::Name => {
            let placed = answer.placements.iter().filter(|placement| placement.replicas > 0);
            for placement in placed {
                writeln!(out, "cluster/{}", placement.cluster)?;
            }
            Ok(())
        }
        Format::Table => print_table(answer, false, out),
        Format::Wide => print_table(answer, true, out),
    }
}

fn print_table(answer: &Answer, wide: bool, out: &mut dyn Write) -> Result<(), Error> {
    let row = |line: &Line| {
        let mut row = vec![
            Cell::from(line.cluster.as_str()),
            line.running.to_string().into(),
            line.replicas.to_string().into(),
            change(line.running, line.replicas).into(),
            line.bound.to_string().into(),
        ];
        if wide {
            row.push(line.bound.remedy(&line.cluster).unwrap_or_default().into());
        }
        row
    };
    let rows: Vec<Vec<Cell>> = answer.report.iter().map(row).collect();
    let mut headers = vec!["CLUSTER", "RUNNING", "REPLICAS", "CHANGE", "REASON"];
    if wide {
        headers.push("REMEDY");
    }
    let mut table = Table::new(headers);
    table.print(&rows, Paint::of_stdout(), out)?;
    if answer.pending > 0 {
        let reasons: Vec<String> = answer.reasons.iter().map(ToString::to_string).collect();
        let reasons =
            if reasons.is_empty() { "there are no clusters".to_owned() } else { reasons.join("; ") };
        writeln!(out, "{} pending: {reasons}", answer.pending)?;
    }
    Ok(())
}

fn to_document(answer: &Answer) -> Value {
    // The eligible clusters are those that have a number, be it 0.
    let eligible: BTreeSet<&ClusterName> =
        answer.placements.iter().map(|placement| &placement.cluster).collect();
    let placement = |placement: &Placement| json!({"cluster": placement.cluster.as_str(), "replicas": placement.replicas});
    let line = |line: &Line| {
        json!({
            "cluster": line.cluster.as_str(),
            "eligible": eligible.contains(&line.cluster),
            "running": line.running,
            "replicas": line.replicas,
            "reason": line.bound.to_string(),
            "remedy": line.bound.remedy(&line.cluster),
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
