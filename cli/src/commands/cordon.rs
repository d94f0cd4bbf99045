//! `godwit cordon` and `godwit uncordon`.

use clap::Args;
use godwit_proto::v1;

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
  godwit cordon cluster/alpha cluster/bravo")]
pub(crate) struct Cordon {
    #[command(flatten)]
    clusters: Clusters,
}

/// Let clusters get their part of what is new again.
///
/// What moves at once stands below the cluster; what waits for room follows a moment later.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit uncordon cluster alpha
  godwit uncordon cluster alpha bravo -o json")]
pub(crate) struct Uncordon {
    #[command(flatten)]
    clusters: Clusters,
}

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
struct Clusters {
    /// `cluster`; with a name too, as in cluster/alpha
    #[arg(value_parser = TargetParser(&[Resource::Clusters]))]
    resource: Target,
    /// The clusters' names
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Cordon {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let names = self.clusters.resource.cluster_names(&self.clusters.names)?;
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.clusters.output);
        for name in names {
            let request = v1::CordonClusterRequest { name: name.to_string(), dry_run: false };
            let answer = answer(client.clusters().cordon_cluster(request)).await;
            if let Some(answer) = outcome.taken_of_cluster(answer, &name) {
                outcome.cluster(&answer, &name, "cordoned", &answer.action, &answer.changes)?;
            }
        }
        outcome.finish()
    }
}

impl Uncordon {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let names = self.clusters.resource.cluster_names(&self.clusters.names)?;
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.clusters.output);
        for name in names {
            let request = v1::UncordonClusterRequest { name: name.to_string(), dry_run: false };
            let answer = answer(client.clusters().uncordon_cluster(request)).await;
            if let Some(answer) = outcome.taken_of_cluster(answer, &name) {
                outcome.cluster(&answer, &name, "uncordoned", &answer.action, &answer.changes)?;
            }
        }
        outcome.finish()
    }
}
