//! `godwit maintenance`.

use std::time::Duration;

use clap::{Args, Subcommand};
use godwit_proto::v1;

use super::cordon::Clusters;
use super::emptying::{Destination, Terms, Until, time, wait};
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Announce that clusters may be away for a while, or that this is over.
///
/// Within the window a cluster gets nothing new, keeps what it has, and its silence is no loss.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
What runs there is missed while the cluster is away. With --drain it is emptied first, and the window
begins when nothing is left; when it ends, the cluster gets its part of what is new again.

Examples:
  godwit maintenance start cluster alpha --for 2h
  godwit maintenance start cluster alpha --for 2h --drain --wait
  godwit maintenance end cluster alpha")]
pub(crate) enum Maintenance {
    /// Open a window from now on, or change its length
    Start(Box<Start>),
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
    /// Empty it first: what it holds starts elsewhere, and stops there after that
    #[arg(long)]
    drain: bool,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    destination: Destination,
    /// Wait until it is empty, and say how far it is
    #[arg(long, requires = "drain", conflicts_with = "dry_run")]
    wait: bool,
}

// As above.
#[derive(Debug, Args)]
pub(crate) struct End {
    #[command(flatten)]
    clusters: Clusters,
}

impl Maintenance {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (clusters, within, drain, waits) = match self {
            Self::Start(start) => {
                let Start { clusters, within, drain, terms, destination, wait } = *start;
                let terms = drain.then(|| terms.with(destination.to));
                (clusters, Some(within), terms, wait)
            }
            Self::End(End { clusters }) => (clusters, None, None, false),
        };
        let done = match (within, &drain) {
            (Some(_), Some(_)) => "draining; its window begins when it is empty",
            (Some(_), None) => "in maintenance",
            (None, _) => "out of maintenance",
        };
        let within = within.and_then(|within| prost_types::Duration::try_from(within).ok());
        let (names, format, dry_run) = (clusters.names()?, clusters.output, clusters.dry_run);
        let maintain = async |client: &Client, name| {
            let request = v1::MaintainClusterRequest { name, within, dry_run, drain: drain.clone() };
            answer(client.clusters().maintain_cluster(request)).await
        };
        clusters.each(places, done, maintain).await?;
        if waits {
            for name in names {
                wait(&mut Client::connect(places).await?, &name, format, Until::Drained).await?;
            }
        }
        Ok(())
    }
}
