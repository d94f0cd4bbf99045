//! `godwit confirm-dead`.

use clap::Args;
use godwit_proto::v1;

use super::cordon::Clusters;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Say that lost clusters are dead: workloads that may run only once are replaced, too.
///
/// Under a policy of the mode atMost, what a lost cluster may still run is replaced only after this, or when the cluster is
/// back. Say it only of a cluster that will not start anything again by itself: switched off for good, or wiped.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit confirm-dead cluster alpha --dry-run
  godwit confirm-dead cluster alpha")]
pub(crate) struct ConfirmDead {
    #[command(flatten)]
    clusters: Clusters,
}

impl ConfirmDead {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.clusters.dry_run;
        let confirm = async |client: &Client, name| {
            answer(client.clusters().confirm_dead(v1::ConfirmDeadRequest { name, dry_run })).await
        };
        self.clusters.each(places, "confirmed dead", confirm).await
    }
}
