//! `godwit retire`.

use clap::Args;
use godwit_proto::v1;

use super::cordon::Clusters;
use super::emptying::{Destination, Terms, Until, wait};
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Take clusters out: empty them, remove what was applied there, and forget them.
///
/// What they hold starts elsewhere first, as with `godwit drain`. It goes on in the hub, whatever becomes of this command.
#[derive(Debug, Args)]
#[command(after_help = "\
`godwit drain cluster NAME --pause`, `--resume` and `--cancel` hold for it as well, until the
removal begins. Namespaces, kinds of custom resources and volume claims stay in the cluster. A
retired cluster does not join again by itself; uninstall its agents when you like.

Examples:
  godwit retire cluster alpha --dry-run
  godwit retire cluster alpha --wait
  godwit retire cluster alpha --to tier=new --deadline 4h
  godwit retire cluster delta --force
  godwit retire cluster alpha --undo")]
pub(crate) struct Retire {
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    destination: Destination,
    /// Wait until they have left, and say how far it is
    #[arg(long, conflicts_with_all = ["dry_run", "undo"])]
    wait: bool,
    /// Let a cluster of this name that was retired join again, as a new one
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "to"])]
    undo: bool,
}

impl Retire {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Self { clusters, terms, destination, wait: waits, undo } = self;
        let (names, format, dry_run) = (clusters.names()?, clusters.output, clusters.dry_run);
        let drain = (!undo).then(|| terms.with(destination.to));
        let retire = async |client: &Client, name| {
            let request = v1::RetireClusterRequest { name, drain: drain.clone(), undo, dry_run };
            answer(client.clusters().retire_cluster(request)).await
        };
        let done = if undo { "may join again" } else { "retiring" };
        clusters.each(places, done, retire).await?;
        if waits {
            for name in names {
                wait(&mut Client::connect(places).await?, &name, format, Until::Retired).await?;
            }
        }
        Ok(())
    }
}
