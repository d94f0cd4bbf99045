//! `godwit explain`.

use std::io::{self, Write};

use clap::Args;
use godwit_proto::{json, v1};

use crate::client::{Client, answer, present};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::output::colour::Paint;
use crate::output::document::{self, Syntax};
use crate::output::sheet::Sheet;
use crate::resources::workload;
use crate::target::{self, Resource, Target, TargetParser, WorkloadName};

/// Say why a workload's replicas are where they are.
///
/// For each cluster: its share, the bounds, how much room there is, what decided, and what would change it.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit explain workload shop/web
  godwit explain workload shop/web -o wide
  godwit explain statefulset/store -o json")]
pub(crate) struct Explain {
    /// `workload`; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(&[Resource::Workloads]))]
    resource: Target,
    /// The workload's name
    name: Option<String>,
    /// Its namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Explain {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let target = self.resource.named(self.name)?;
        let name = WorkloadName::parse(target.require_name()?, target.kind, self.namespace.as_deref())?;
        let client = Client::connect(places).await?;
        let found = name.find(&client).await?;
        let plan = plan_of(&client, &found).await?;
        let out = &mut io::stdout().lock();
        match self.output {
            Format::Json => document::print(&json::to_json(&plan)?, Syntax::Json, out),
            Format::Yaml => document::print(&json::to_json(&plan)?, Syntax::Yaml, out),
            Format::Name => {
                Ok(writeln!(out, "{}", target::reference(&plan.namespace, &plan.kind, &plan.name))?)
            }
            Format::Table | Format::Wide => {
                let sheet = &mut Sheet::new(out, Paint::of_stdout());
                sheet.line("Workload", target::full_name(&plan.namespace, &plan.kind, &plan.name))?;
                sheet.line("Inputs", &plan.inputs)?;
                sheet.line("Policy", &plan.policy)?;
                sheet.line("Replicas", format!("{}, {} of them pending", plan.replicas, plan.pending))?;
                sheet.lines("Pending because", &plan.reasons)?;
                Ok(workload::describe_plan(&plan, self.output == Format::Wide, sheet)?)
            }
        }
    }
}

/// The plan in force for a workload.
pub(super) async fn plan_of(client: &Client, workload: &v1::Workload) -> Result<v1::Plan, Error> {
    let request = v1::GetPlanRequest {
        namespace: workload.namespace.clone(),
        kind: workload.kind.clone(),
        name: workload.name.clone(),
    };
    present(answer(client.plans().get_plan(request)).await?.plan, "plan")
}
