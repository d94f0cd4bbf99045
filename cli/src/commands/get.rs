//! `godwit get`.

mod watch;

use std::collections::BTreeMap;
use std::io::{self, Write};
use std::time::SystemTime;

use clap::Args;
use godwit_proto::{json, v1};

use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::output::colour::Paint;
use crate::output::document::{self, Syntax};
use crate::output::table::{Cell, Table};
use crate::resources::{Column, Fetched, Filter, Shown, pod};
use crate::target::{self, Resource, Target, TargetParser};

const RESOURCES: &[Resource] = &[
    Resource::Clusters,
    Resource::Workloads,
    Resource::Pods,
    Resource::Placements,
    Resource::Policies,
    Resource::Quotas,
    Resource::Migrations,
    Resource::Events,
    Resource::Orphans,
    Resource::Enrolments,
    Resource::Federation,
];

/// Show clusters, workloads, the pods of a workload, placements, policies, quotas, migrations, events, orphans, clusters that wait
/// to join, or the federation.
#[derive(Debug, Args)]
#[command(after_help = "\
A workload is named as NAME, NAMESPACE/NAME, KIND/NAME or NAMESPACE/KIND/NAME. Lists show all
namespaces unless -n names one; a name alone is looked for in the namespace `default`.

Examples:
  godwit get clusters
  godwit get workloads -n shop --watch
  godwit get pods shop/web
  godwit get placements -l app=web --watch -o json
  godwit get deployment/web -o yaml
  godwit get quotas -o wide
  godwit get events alpha
  godwit get orphans alpha
  godwit get clusters -o json | jq -r '.items[] | select(.state != \"Ready\").name'")]
pub(crate) struct Get {
    /// What to show; with a name too, as in deployment/web
    #[arg(value_parser = TargetParser(RESOURCES))]
    resource: Target,
    /// Only the one of this name; for events, those about this cluster or workload; for pods, their workload; for orphans, their
    /// cluster
    name: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
    /// Go on and show every change
    #[arg(short, long)]
    watch: bool,
    /// Only workloads of this namespace, or its quota
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// Workloads of all namespaces, as without --namespace
    #[arg(short = 'A', long, conflicts_with = "namespace")]
    all_namespaces: bool,
    /// Only placements of workloads with all of these labels
    #[arg(short = 'l', long, value_name = "KEY=VALUE,...", value_parser = labels, default_value = "",
          hide_default_value = true)]
    selector: BTreeMap<String, String>,
}

impl Get {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let target = self.resource.clone().named(self.name.clone())?;
        if !self.selector.is_empty() && target.resource != Resource::Placements {
            let plural = target.resource.plural();
            let message = format!("--selector is for placements only: leave it out to get {plural}");
            return Err(Error::Usage(message));
        }
        if target.resource == Resource::Pods && target.name.is_none() {
            return Err(pod::which_workload());
        }
        let filter = Filter {
            namespace: self.namespace.clone(),
            kind: target.kind,
            name: target.name.clone(),
            labels: self.selector.clone(),
        };
        let client = Client::connect(places).await?;
        match target.resource {
            Resource::Clusters => self.show::<v1::Cluster>(client, filter, target.resource).await,
            Resource::Workloads => self.show::<v1::Workload>(client, filter, target.resource).await,
            Resource::Pods => self.show::<v1::Pod>(client, filter, target.resource).await,
            Resource::Placements => {
                self.show::<v1::WorkloadPlacements>(client, filter, target.resource).await
            }
            Resource::Policies => self.show::<v1::Policy>(client, filter, target.resource).await,
            Resource::Quotas => self.show::<v1::Quota>(client, filter, target.resource).await,
            Resource::Migrations => self.show::<v1::Migration>(client, filter, target.resource).await,
            Resource::Events => self.show::<v1::Event>(client, filter, target.resource).await,
            Resource::Orphans => self.show::<v1::Orphan>(client, filter, target.resource).await,
            Resource::Enrolments => self.show::<v1::Enrolment>(client, filter, target.resource).await,
            Resource::Federation => self.show::<v1::Federation>(client, filter, target.resource).await,
        }
    }

    async fn show<T: Shown>(&self, client: Client, filter: Filter, resource: Resource) -> Result<(), Error> {
        let out = &mut io::stdout().lock();
        if self.watch {
            return watch::watch::<T>(client, &filter, self.output, out).await;
        }
        let fetched = T::fetch(&client, &filter).await?;
        print(&fetched, self.output, resource, out)
    }
}

/// Only the form: which keys and values there may be is for the hub to say.
fn labels(text: &str) -> Result<BTreeMap<String, String>, String> {
    let parts = text.split(',').map(str::trim).filter(|part| !part.is_empty());
    let label = |part: &str| {
        let (key, value) =
            part.split_once('=').ok_or_else(|| format!("{part:?} has no =: write KEY=VALUE"))?;
        Ok((key.trim().to_owned(), value.trim().to_owned()))
    };
    parts.map(label).collect()
}

fn print<T: Shown>(
    fetched: &Fetched<T>,
    format: Format,
    resource: Resource,
    out: &mut dyn Write,
) -> Result<(), Error> {
    let items = match fetched {
        Fetched::One(item) => std::slice::from_ref(item),
        Fetched::Many(items) => items,
    };
    let document = || match fetched {
        Fetched::One(item) => Ok::<_, Error>(json::to_json(item)?),
        Fetched::Many(items) => document::list(items),
    };
    match format {
        Format::Json => document::print(&document()?, Syntax::Json, out),
        Format::Yaml => document::print(&document()?, Syntax::Yaml, out),
        Format::Name => Ok(items.iter().try_for_each(|item| writeln!(out, "{}", item.reference()))?),
        Format::Table | Format::Wide if items.is_empty() => {
            eprintln!("there are no {}", resource.plural());
            Ok(())
        }
        Format::Table | Format::Wide => {
            let columns = Columns::of::<T>(format == Format::Wide);
            let now = SystemTime::now();
            let rows: Vec<Vec<Cell>> = items.iter().map(|item| columns.row(item.cells(now))).collect();
            Ok(columns.table().print(&rows, Paint::of_stdout(), out)?)
        }
    }
}

/// The columns that are shown.
struct Columns {
    all: &'static [Column],
    wide: bool,
}

impl Columns {
    fn of<T: Shown>(wide: bool) -> Self {
        Self { all: T::COLUMNS, wide }
    }

    fn table(&self) -> Table {
        Table::new(self.shown().map(|column| column.header).collect())
    }

    /// The shown cells of all cells.
    fn row(&self, cells: Vec<Cell>) -> Vec<Cell> {
        let both = self.all.iter().zip(cells);
        both.filter(|(column, _)| self.shows(column)).map(|(_, cell)| cell).collect()
    }

    fn shown(&self) -> impl Iterator<Item = &'static Column> {
        self.all.iter().filter(|column| self.shows(column))
    }

    fn shows(&self, column: &Column) -> bool {
        self.wide || !column.wide
    }
}
