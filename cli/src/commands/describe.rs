//! `godwit describe`.

use std::io;
use std::time::SystemTime;

use clap::Args;
use godwit_proto::v1;

use super::explain;
use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::age;
use crate::output::colour::{self, Paint};
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::resources::{cluster, event, federation, migration, pod, policy, quota, workload};
use crate::target::{self, Resource, Target, TargetParser, WorkloadName};

const RESOURCES: &[Resource] = &[
    Resource::Clusters,
    Resource::Workloads,
    Resource::Policies,
    Resource::Quotas,
    Resource::Migrations,
    Resource::Federation,
];

/// The newest events that are shown with a thing; `godwit get events` shows all.
const EVENTS_SHOWN: usize = 20;

/// Show everything about one thing, with its latest events.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit describe cluster alpha
  godwit describe workload shop/web
  godwit describe migration m-12")]
pub(crate) struct Describe {
    /// What it is; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(RESOURCES))]
    resource: Target,
    /// Its name; the federation needs none
    name: Option<String>,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
}

impl Describe {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let target = self.resource.named(self.name)?;
        if target.resource != Resource::Federation {
            target.require_name()?;
        }
        let client = Client::connect(places).await?;
        let now = SystemTime::now();
        let out = &mut io::stdout().lock();
        let sheet = &mut Sheet::new(out, Paint::of_stdout());
        match target.resource {
            Resource::Clusters => {
                let found = cluster::find(&client, target.require_name()?).await?;
                let events = event::about(&client, &found.name).await?;
                let loss = migration::last_loss(&client, &found.name).await?;
                cluster::describe(&found, now, sheet)?;
                if let Some(loss) = loss {
                    let heading = format!("Last loss ({})", loss.id);
                    migration::describe_timeline(&heading, &loss, sheet)?;
                }
                describe_events(&events, now, sheet)?;
            }
            Resource::Workloads => {
                let name =
                    WorkloadName::parse(target.require_name()?, target.kind, self.namespace.as_deref())?;
                let found = name.find(&client).await?;
                // What is ending is planned no more.
                let plan = match found.deleting {
                    true => v1::Plan::default(),
                    false => explain::plan_of(&client, &found).await?,
                };
                let subject = event::workload_subject(&found.kind, &found.namespace, &found.name);
                let events = event::about(&client, &subject).await?;
                workload::describe(&found, &plan, now, sheet)?;
                describe_events(&events, now, sheet)?;
                // What the members tell comes on top: who does not answer is no reason to tell nothing.
                let pods = pod::list(&client, &found, true).await.unwrap_or_default();
                pod::describe_events(&pods.items, now, sheet)?;
            }
            Resource::Policies => {
                policy::describe(&policy::find(&client, target.require_name()?).await?, sheet)?
            }
            Resource::Quotas => quota::describe(&quota::find(&client, target.require_name()?).await?, sheet)?,
            Resource::Migrations => {
                migration::describe(&migration::find(&client, target.require_name()?).await?, now, sheet)?;
            }
            Resource::Federation => federation::describe(&federation::find(&client).await?, now, sheet)?,
            Resource::Events
            | Resource::Pods
            | Resource::Placements
            | Resource::Orphans
            | Resource::Enrolments => {
                let plural = target.resource.plural();
                return Err(Error::Usage(format!("{plural} are described by `godwit get {plural}`")));
            }
        }
        Ok(())
    }
}

fn describe_events(events: &[v1::Event], now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    let newest = events.len().saturating_sub(EVENTS_SHOWN);
    let row = |event: &v1::Event| {
        vec![
            Cell::from(age::since(event.time.as_ref(), now)),
            Cell::from(&*event.r#type).coloured(colour::of_event(&event.r#type)),
            Cell::from(&*event.reason),
            Cell::from(&*event.rule),
            Cell::from(&*event.message),
        ]
    };
    let rows: Vec<Vec<Cell>> = events.iter().skip(newest).map(row).collect();
    sheet.table("Events", vec!["AGE", "TYPE", "REASON", "RULE", "MESSAGE"], &rows, "none")
}
