//! `godwit scale`.

use std::io::{self, Write};

use clap::Args;
use godwit_proto::{json, v1};

use super::apply::deployed;
use super::moves::is_of;
use crate::client::{Client, answer, present};
use crate::context::Places;
use crate::error::Error;
use crate::output::document::{self, Syntax};
use crate::output::{Format, changes, text};
use crate::target::{self, Resource, Target, TargetParser, WorkloadName};

/// Change the total of a workload.
///
/// The hub divides it anew, and moves as little as it can.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit scale workload shop/web --replicas 100
  godwit scale statefulset/store --replicas 3 --dry-run")]
pub(crate) struct Scale {
    /// `workload`; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(&[Resource::Workloads]))]
    resource: Target,
    /// The workload's name
    name: Option<String>,
    /// The new total over all clusters
    #[arg(long, value_name = "N", allow_negative_numbers = true,
          value_parser = clap::value_parser!(u32).range(..=i64::from(godwit_manifest::MAX_REPLICAS)))]
    replicas: u32,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Scale {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let target = self.resource.named(self.name)?;
        let name = WorkloadName::parse(target.require_name()?, target.kind, self.namespace.as_deref())?;
        let client = Client::connect(places).await?;
        let found = name.find(&client).await?;
        let request = v1::ScaleWorkloadRequest {
            namespace: found.namespace,
            kind: found.kind,
            name: found.name,
            replicas: self.replicas.into(),
            dry_run: self.dry_run,
        };
        let scaled = answer(client.workloads().scale_workload(request)).await?;
        let out = &mut io::stdout().lock();
        match self.output {
            Format::Json => document::print(&json::to_json(&scaled)?, Syntax::Json, out),
            Format::Yaml => document::print(&json::to_json(&scaled)?, Syntax::Yaml, out),
            Format::Name => {
                let workload = present(scaled.workload, "workload")?;
                let name = target::reference(&workload.namespace, &workload.kind, &workload.name);
                Ok(writeln!(out, "{}", text::plain(&name))?)
            }
            Format::Table | Format::Wide => {
                let workload = present(scaled.workload, "workload")?;
                writeln!(out, "{}", text::plain(&deployed(&workload, self.dry_run)))?;
                // Whoever follows it, or gives way to it.
                let others: Vec<_> = scaled.changes.iter().filter(|one| !is_of(one, &workload)).collect();
                let untold = scaled.changes_total.saturating_sub(scaled.changes.len() as u64);
                Ok(changes::print(others, untold, out)?)
            }
        }
    }
}
