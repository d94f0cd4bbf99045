//! `godwit replace`.

use std::io::{self, Write};

use clap::Args;
use godwit_common::{ClusterName, Uid};
use godwit_proto::v1;
use godwit_proto::v1::replace_cluster_request::By;

use super::emptying::{Terms, Until, wait};
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::{Format, text};
use crate::resources::cluster;
use crate::target::{Resource, Target, TargetParser};

/// Let another cluster take the place of one, or accept that it was built anew under its old name.
///
/// With --with, the other one gets its labels and taints, stands beside it in every policy that names it, and takes over
/// all that it holds, surge first; then the old one is retired.
#[derive(Debug, Args)]
#[command(group = clap::ArgGroup::new("by").required(true).args(["with", "uid", "rebuilt"]))]
#[command(after_help = "\
Labels and taints that the new one has already stand. Policies are changed in the hub: change the
files that they come from, too. After --uid or --rebuilt, what may still run in the old cluster
counts as gone: nobody stops it.

Examples:
  godwit replace cluster alpha --with alpha2 --dry-run
  godwit replace cluster alpha --with alpha2 --wait
  godwit replace cluster alpha --rebuilt
  godwit replace cluster alpha --uid 6ba7b810-9dad-11d1-80b4-00c04fd430c8")]
pub(crate) struct Replace {
    /// `cluster`; with a name too, as in cluster/alpha
    #[arg(value_parser = TargetParser(&[Resource::Clusters]))]
    resource: Target,
    /// The cluster's name
    #[arg(value_name = "NAME")]
    names: Vec<String>,
    /// The member that takes its place
    #[arg(long, value_name = "NAME")]
    with: Option<ClusterName>,
    /// It was built anew, and the UID of its namespace kube-system is this one
    #[arg(long, value_name = "UID", conflicts_with_all = ["deadline", "max_surge", "force", "wait"])]
    uid: Option<Uid>,
    /// It was built anew, and is the one that the hub has refused last
    #[arg(long, conflicts_with_all = ["deadline", "max_surge", "force", "wait"])]
    rebuilt: bool,
    #[command(flatten)]
    terms: Terms,
    /// Wait until the old one has left, and say how far it is
    #[arg(long, conflicts_with = "dry_run")]
    wait: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Replace {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let (name, rest) = self.resource.clone().cluster_name_before(&self.names)?;
        if let Some(more) = rest.first() {
            return Err(Error::Usage(format!("{more:?} follows {name}: replace one cluster at a time")));
        }
        let mut client = Client::connect(places).await?;
        let (by, drain) = match (&self.with, self.uid) {
            (Some(with), _) => (By::With(with.to_string()), Some(self.terms.with(None))),
            (None, Some(uid)) => (By::Uid(uid.to_string()), None),
            (None, None) => (By::Uid(claimant(&client, &name).await?), None),
        };
        let done = match &by {
            By::With(with) => format!("retiring, {with} takes its place"),
            By::Uid(uid) => format!("replaced, its UID is {uid}"),
        };
        let request =
            v1::ReplaceClusterRequest { name: name.to_string(), by: Some(by), drain, dry_run: self.dry_run };
        let answer = answer(client.clusters().replace_cluster(request)).await;
        let policies = answer.as_ref().map(|answer| answer.policies.clone()).unwrap_or_default();
        let mut outcome = Outcome::new(self.output);
        outcome.cluster(answer, &name, &done, self.dry_run)?;
        outcome.finish()?;
        if let (Some(with), Format::Table | Format::Wide) = (&self.with, self.output) {
            for policy in policies {
                let line = format!("policy/{policy} names {with} beside {name} now: change its file, too");
                writeln!(io::stdout(), "{}", text::plain(&line))?;
            }
        }
        if self.wait {
            wait(&mut client, &name, self.output, Until::Retired).await?;
        }
        Ok(())
    }
}

/// The UID of the cluster that would have the name of another, and was refused.
async fn claimant(client: &Client, name: &ClusterName) -> Result<String, Error> {
    let found = cluster::find(client, name.as_str()).await?;
    if found.claimant_uid.is_empty() {
        return Err(Error::failed(format!(
            "cluster/{name}: no other cluster has asked to join under its name since the hub started"
        ))
        .with_hint("start the agents of the new one first, or give its UID with --uid"));
    }
    Ok(found.claimant_uid)
}
