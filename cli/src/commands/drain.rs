//! `godwit drain`.

use std::io::{self, Write};
use std::time::Duration;

use clap::Args;
use godwit_common::ClusterName;
use godwit_proto::v1;

use super::cordon::Clusters;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::{Format, text};
use crate::resources::cluster::{self, counted, drain_waits};

/// How often a drain is looked at, and for how long a hub that is away is waited for.
const LOOK: Duration = Duration::from_millis(500);

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
  godwit drain cluster alpha --cancel")]
pub(crate) struct Drain {
    #[command(flatten)]
    clusters: Clusters,
    /// How long it may take before it stops and says so
    #[arg(long, value_name = "TIME", value_parser = time, default_value = "1h")]
    deadline: Duration,
    /// How many replicas of a workload may run meanwhile beyond those that are wanted, in percent of these, whatever
    /// their policy says
    #[arg(long, value_name = "PERCENT", value_parser = clap::value_parser!(u32).range(1..=100))]
    max_surge: Option<u32>,
    /// Stop what finds no place elsewhere all the same, down to the last copy
    #[arg(long)]
    force: bool,
    /// Wait until nothing is left, and say how far it is
    #[arg(long, conflicts_with_all = ["dry_run", "pause", "cancel"])]
    wait: bool,
    /// Let nothing more start or stop for it
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "resume", "cancel"])]
    pause: bool,
    /// Let it go on, with as much time as it had in all
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "cancel"])]
    resume: bool,
    /// End it: what has not moved yet stays
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force"])]
    cancel: bool,
}

impl Drain {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (done, template) = self.request();
        let (wait, names, format) = (self.wait, self.clusters.names()?, self.clusters.output);
        let drain = async |client: &Client, name| {
            answer(client.clusters().drain_cluster(v1::DrainClusterRequest { name, ..template.clone() }))
                .await
        };
        self.clusters.each(places, done, drain).await?;
        if wait {
            for name in names {
                until_drained(&mut Client::connect(places).await?, &name, format).await?;
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
            request.within = prost_types::Duration::try_from(self.deadline).ok();
            request.max_surge_percent = self.max_surge;
            request.force = self.force;
        }
        (done, request)
    }
}

/// Says how far a drain is whenever that changes, until it is done.
async fn until_drained(client: &mut Client, name: &ClusterName, format: Format) -> Result<(), Error> {
    let mut said = String::new();
    loop {
        let found = match cluster::find(client, name.as_str()).await {
            Err(error) if error.is_unavailable() => {
                if let Ok(again) = client.reconnect().await {
                    *client = again;
                }
                tokio::time::sleep(LOOK).await;
                continue;
            }
            found => found?,
        };
        let Some(drain) = &found.drain else {
            return Err(Error::failed(format!(
                "cluster/{name}: it is not drained any more: somebody ended that"
            )));
        };
        let left = format!(
            "{} of {} left",
            counted(drain.pods.into(), "pod"),
            counted(drain.workloads.into(), "workload")
        );
        let (line, ended) = match drain.state.as_str() {
            "Done" => (format!("cluster/{name} drained"), true),
            "Overdue" | "Paused" => {
                let waits = drain_waits(drain).join("; ");
                let state = drain.state.to_lowercase();
                return Err(Error::failed(format!("cluster/{name}: the drain is {state}, {left}: {waits}")));
            }
            _ => (format!("cluster/{name}: {left}"), false),
        };
        if line != said {
            // What programs read is the answer alone.
            match format {
                Format::Table | Format::Wide => writeln!(io::stdout(), "{}", text::plain(&line))?,
                Format::Json | Format::Yaml | Format::Name => eprintln!("{}", text::plain(&line)),
            }
            said = line;
        }
        if ended {
            return Ok(());
        }
        tokio::time::sleep(LOOK).await;
    }
}

/// A time that is asked for.
pub(super) fn time(text: &str) -> Result<Duration, String> {
    let known = godwit_manifest::duration::parse(text).filter(|duration| !duration.is_zero());
    known.ok_or_else(|| "write a time such as 90s, 30m or 4h".to_owned())
}
