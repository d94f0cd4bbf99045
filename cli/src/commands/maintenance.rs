//! `godwit maintenance`.

use std::time::Duration;

use clap::{Args, Subcommand};
use godwit_proto::v1;

use super::cordon::Clusters;
use super::drain::time;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Announce that clusters may be away for a while, or that this is over.
///
/// Within the window a cluster gets nothing new, keeps what it has, and its silence is no loss.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
What runs there is missed while the cluster is away: empty it first, with `godwit drain`, if it may not be.

Examples:
  godwit maintenance start cluster alpha --for 2h
  godwit maintenance end cluster alpha")]
pub(crate) enum Maintenance {
    /// Open a window from now on, or change its length
    Start(Start),
    /// End the window: silence counts from now on
    End(End),
}

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
pub(crate) struct Start {
    #[command(flatten)]
    clusters: Clusters,
    /// How long the window is
    #[arg(long = "for", value_name = "TIME", value_parser = time)]
    within: Duration,
}

// As above.
#[derive(Debug, Args)]
pub(crate) struct End {
    #[command(flatten)]
    clusters: Clusters,
}

impl Maintenance {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (clusters, within, done) = match self {
            Self::Start(Start { clusters, within }) => (clusters, Some(within), "in maintenance"),
            Self::End(End { clusters }) => (clusters, None, "out of maintenance"),
        };
        let within = within.and_then(|within| prost_types::Duration::try_from(within).ok());
        let dry_run = clusters.dry_run;
        let maintain = async |client: &Client, name| {
            let request = v1::MaintainClusterRequest { name, within, dry_run };
            answer(client.clusters().maintain_cluster(request)).await
        };
        clusters.each(places, done, maintain).await
    }
}
