//! `godwit drain`.

use clap::Args;
use godwit_proto::v1;

use super::cordon::Clusters;
use super::emptying::{Destination, Terms, Until, wait};
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Empty clusters: what they hold starts elsewhere first, and stops there after that.
///
/// They get nothing new, as with `godwit cordon`, until `godwit uncordon`. Below each cluster stands what moves.
#[derive(Debug, Args)]
#[command(after_help = "\
No replica is stopped before another one has been ready in its place for a while. What finds no place
elsewhere stays, and `godwit describe cluster NAME` says why; a StatefulSet stays where its data is.
--force stops these, too.

Examples:
  godwit drain cluster alpha --dry-run
  godwit drain cluster alpha --wait
  godwit drain cluster alpha bravo --deadline 4h --max-surge 50
  godwit drain cluster alpha --to tier=new
  godwit drain cluster alpha --cancel")]
pub(crate) struct Drain {
    #[command(flatten)]
    clusters: Clusters,
    #[command(flatten)]
    terms: Terms,
    #[command(flatten)]
    destination: Destination,
    /// Wait until nothing is left, and say how far it is
    #[arg(long, conflicts_with_all = ["dry_run", "pause", "cancel"])]
    wait: bool,
    /// Let nothing more start or stop for it
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "to", "resume", "cancel"])]
    pause: bool,
    /// Let it go on, with as much time as it had in all
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "to", "cancel"])]
    resume: bool,
    /// End it: what has not moved yet stays
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "to"])]
    cancel: bool,
}

impl Drain {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (done, template) = self.request();
        let (waits, names, format) = (self.wait, self.clusters.names()?, self.clusters.output);
        let drain = async |client: &Client, name| {
            answer(client.clusters().drain_cluster(v1::DrainClusterRequest { name, ..template.clone() }))
                .await
        };
        self.clusters.each(places, done, drain).await?;
        if waits {
            for name in names {
                wait(&mut Client::connect(places).await?, &name, format, Until::Drained).await?;
            }
        }
        Ok(())
    }

    /// What becomes of the clusters, and the request without their names.
    fn request(&self) -> (&'static str, v1::DrainClusterRequest) {
        let (done, order) = match (self.pause, self.resume, self.cancel) {
            (true, _, _) => ("drain paused", v1::DrainOrder::Pause),
            (_, true, _) => ("drain resumed", v1::DrainOrder::Resume),
            (_, _, true) => ("drain cancelled", v1::DrainOrder::Cancel),
            (false, false, false) => ("draining", v1::DrainOrder::Start),
        };
        let mut request = v1::DrainClusterRequest {
            order: order.into(),
            dry_run: self.clusters.dry_run,
            ..v1::DrainClusterRequest::default()
        };
        if order == v1::DrainOrder::Start {
            let v1::DrainTerms { within, max_surge_percent, force, to } =
                self.terms.with(self.destination.to.clone());
            request = v1::DrainClusterRequest { within, max_surge_percent, force, to, ..request };
        }
        (done, request)
    }
}
