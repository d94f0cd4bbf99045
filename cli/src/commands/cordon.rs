//! `godwit cordon` and `godwit uncordon`.

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::v1;

use super::action::Answer;
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::target::{Resource, Target, TargetParser};

/// Let clusters get nothing new.
///
/// What runs there stays; `godwit taint` with the effect NoExecute moves it away.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit cordon cluster alpha
  godwit cordon cluster/alpha cluster/bravo --dry-run")]
pub(crate) struct Cordon {
    #[command(flatten)]
    clusters: Clusters,
}

/// Let clusters get their part of what is new again.
///
/// Below the cluster stands what was waiting and is placed there now.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit uncordon cluster alpha --dry-run
  godwit uncordon cluster alpha bravo -o json")]
pub(crate) struct Uncordon {
    #[command(flatten)]
    clusters: Clusters,
}

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
pub(super) struct Clusters {
    /// `cluster`; with a name too, as in cluster/alpha
    #[arg(value_parser = TargetParser(&[Resource::Clusters]))]
    resource: Target,
    /// The clusters' names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    pub(super) dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Cordon {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.clusters.dry_run;
        let cordon = async |client: &Client, name| {
            answer(client.clusters().cordon_cluster(v1::CordonClusterRequest { name, dry_run })).await
        };
        self.clusters.each(places, "cordoned", cordon).await
    }
}

impl Uncordon {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.clusters.dry_run;
        let uncordon = async |client: &Client, name| {
            answer(client.clusters().uncordon_cluster(v1::UncordonClusterRequest { name, dry_run })).await
        };
        self.clusters.each(places, "uncordoned", uncordon).await
    }
}

impl Clusters {
    pub(super) fn names(&self) -> Result<Vec<ClusterName>, Error> {
        self.resource.clone().cluster_names(&self.names)
    }

    /// Does something with each of them, and tells what became of it.
    pub(super) async fn each<A: Answer>(
        self,
        places: &Places,
        done: &str,
        call: impl AsyncFn(&Client, String) -> Result<A, Error>,
    ) -> Result<(), Error> {
        let names = self.names()?;
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.output);
        for name in names {
            outcome.cluster(call(&client, name.to_string()).await, &name, done, self.dry_run)?;
        }
        outcome.finish()
    }
}
