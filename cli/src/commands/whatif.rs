//! `godwit whatif`.

use std::collections::BTreeMap;
use std::io::{self, Write};

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::{json, v1};

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::colour::{Colour, Paint};
use crate::output::document::{self, Syntax};
use crate::output::table::{Cell, Table};
use crate::output::{Format, changes};
use crate::target::{full_name, reference};

/// Show where everything would go if clusters were lost, drained or added.
///
/// The planner that would decide it says so, for the federation as it is now. Nothing is changed.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("supposed").required(true).multiple(true).args(["lose", "drain", "add"]))]
#[command(after_help = "\
A cluster that is added is empty and well, without taints and not cordoned, and otherwise like the
member after the =. What gives way to a higher priority counts as stopped already.

Examples:
  godwit whatif --lose alpha
  godwit whatif --lose alpha,bravo --add echo=alpha
  godwit whatif --drain charlie -o json | jq .pendingAfter")]
pub(crate) struct WhatIf {
    /// Clusters that are lost; may be repeated
    #[arg(long, value_name = "A[,B]", value_delimiter = ',')]
    lose: Vec<ClusterName>,
    /// Clusters that are drained; may be repeated
    #[arg(long, value_name = "A[,B]", value_delimiter = ',')]
    drain: Vec<ClusterName>,
    /// Clusters that join, each like a member; may be repeated
    #[arg(long, value_name = "NEW=LIKE[,..]", value_delimiter = ',', value_parser = addition)]
    add: Vec<(ClusterName, ClusterName)>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl WhatIf {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let request = self.request()?;
        let client = Client::connect(places).await?;
        let found = answer(client.plans().what_if(request)).await?;
        print(&found, self.output, Paint::of_stdout(), &mut io::stdout().lock())
    }

    fn request(&self) -> Result<v1::WhatIfRequest, Error> {
        let names = |names: &[ClusterName]| names.iter().map(ToString::to_string).collect();
        let mut add = BTreeMap::new();
        for (new, like) in &self.add {
            if add.insert(new.to_string(), like.to_string()).is_some() {
                return Err(Error::Usage(format!("--add: {new} is there twice; add each cluster once")));
            }
        }
        Ok(v1::WhatIfRequest { lose: names(&self.lose), drain: names(&self.drain), add })
    }
}

fn addition(text: &str) -> Result<(ClusterName, ClusterName), String> {
    let Some((new, like)) = text.split_once('=') else {
        return Err("write NEW=LIKE: the name of the new cluster, and the member that it is like".to_owned());
    };
    let name = |text: &str| text.parse::<ClusterName>().map_err(|error| error.to_string());
    Ok((name(new)?, name(like)?))
}

fn print(found: &v1::WhatIfResponse, format: Format, paint: Paint, out: &mut dyn Write) -> Result<(), Error> {
    match format {
        Format::Json => document::print(&json::to_json(found)?, Syntax::Json, out),
        Format::Yaml => document::print(&json::to_json(found)?, Syntax::Yaml, out),
        Format::Name => Ok(found.changes.iter().try_for_each(|change| {
            writeln!(out, "{}", reference(&change.namespace, &change.kind, &change.name))
        })?),
        Format::Table | Format::Wide if found.workloads == 0 => {
            Ok(writeln!(out, "nothing would change: every replica would stay where it is")?)
        }
        Format::Table | Format::Wide => {
            let wide = format == Format::Wide;
            let mut headers = vec!["WORKLOAD", "POLICY", "CHANGE", "PENDING"];
            if wide {
                headers.push("PENDING-BECAUSE");
            }
            let rows: Vec<Vec<Cell>> = found.changes.iter().map(|change| row(change, wide)).collect();
            Table::new(headers).print(&rows, paint, out)?;
            Ok(writeln!(out, "{}", summary(found))?)
        }
    }
}

fn row(change: &v1::PlanChange, wide: bool) -> Vec<Cell> {
    let (before, after) = (change.pending_before, change.pending_after);
    let colour = (after > before).then_some(Colour::Red);
    let mut row = vec![
        full_name(&change.namespace, &change.kind, &change.name).into(),
        Cell::from(&*change.policy),
        changes::shares(change).join(", ").into(),
        Cell::from(from_to(before.into(), after.into())).coloured(colour),
    ];
    if wide {
        row.push(change.reasons.join("; ").into());
    }
    row
}

/// `12 workloads change, 40 replicas move; pending 0 -> 3`.
fn summary(found: &v1::WhatIfResponse) -> String {
    let workloads = match found.workloads {
        1 => "1 workload changes".to_owned(),
        many => format!("{many} workloads change"),
    };
    let moved = match found.moved {
        1 => "1 replica moves".to_owned(),
        many => format!("{many} replicas move"),
    };
    let pending = from_to(found.pending_before, found.pending_after);
    let shown = match found.workloads > found.changes.len() as u64 {
        true => format!(" (the {} most urgent are shown)", found.changes.len()),
        false => String::new(),
    };
    format!("{workloads}{shown}, {moved}; pending {pending}")
}

fn from_to(before: u64, after: u64) -> String {
    if before == after { after.to_string() } else { format!("{before} -> {after}") }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn found() -> v1::WhatIfResponse {
        let share = |cluster: &str, before, after| v1::ShareChange { cluster: cluster.into(), before, after };
        let change = v1::PlanChange {
            namespace: "shop".into(),
            kind: "Deployment".into(),
            name: "web".into(),
            policy: "even".into(),
            shares: vec![share("alpha", 4, 0), share("bravo", 4, 7)],
            pending_before: 0,
            pending_after: 1,
            reasons: vec!["no room".into()],
        };
        v1::WhatIfResponse {
            changes: vec![change],
            workloads: 1,
            moved: 3,
            pending_before: 0,
            pending_after: 1,
        }
    }

    fn printed(found: &v1::WhatIfResponse, format: Format) -> String {
        let mut out = Vec::new();
        print(found, format, Paint::Never, &mut out).expect("a vector takes everything");
        String::from_utf8(out).expect("text")
    }

    #[test]
    fn the_table_says_what_moves_and_the_last_line_how_much() {
        insta::assert_snapshot!(printed(&found(), Format::Wide), @"
        WORKLOAD              POLICY   CHANGE                       PENDING   PENDING-BECAUSE
        shop/deployment/web   even     alpha 4 -> 0, bravo 4 -> 7   0 -> 1    no room
        1 workload changes, 3 replicas move; pending 0 -> 1
        ");
        assert_eq!(printed(&found(), Format::Name), "workload/shop/deployment/web\n");
        let many = v1::WhatIfResponse { workloads: 1200, pending_after: 0, ..found() };
        let last = "1200 workloads change (the 1 most urgent are shown), 3 replicas move; pending 0\n";
        assert!(printed(&many, Format::Table).ends_with(last), "{}", printed(&many, Format::Table));
        assert!(printed(&v1::WhatIfResponse::default(), Format::Table).starts_with("nothing would change"));
    }

    #[test]
    fn what_is_added_is_like_a_member() {
        let name = |text: &str| text.parse::<ClusterName>().expect("a name");
        assert_eq!(addition("echo=alpha"), Ok((name("echo"), name("alpha"))));
        assert!(addition("echo").is_err_and(|said| said.starts_with("write NEW=LIKE")));
        assert!(addition("Echo=alpha").is_err());
        assert!(addition("echo=").is_err());
    }
}
