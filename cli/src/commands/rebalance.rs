//! `godwit rebalance`.

use clap::Args;
use godwit_proto::v1;
use godwit_proto::v1::rebalance_request::What;

use super::action::{Answer, dry};
use super::moves::Moved;
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::target::{self, Resource, Target, TargetParser, WorkloadName, reference};

/// Move workloads to their policy's own division, whatever the policy says of balance.
///
/// After a drain, a loss or a cluster that joined, most policies move nothing back by themselves.
#[derive(Debug, Args)]
#[command(after_help = "\
Replicas start in their new places first, and stop in the old ones after that.

Examples:
  godwit rebalance workload shop/web --dry-run
  godwit rebalance policy even
  godwit rebalance --all")]
pub(crate) struct Rebalance {
    /// `workload` or `policy`; with its name too, as in deployment/web
    #[arg(value_parser = TargetParser(&[Resource::Workloads, Resource::Policies]),
          required_unless_present = "all", conflicts_with = "all")]
    resource: Option<Target>,
    /// Its name
    #[arg(conflicts_with = "all")]
    name: Option<String>,
    /// All workloads
    #[arg(long)]
    all: bool,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The workload's namespace, if it is not `default`
    #[arg(short, long, value_parser = target::namespace)]
    namespace: Option<String>,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Rebalance {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let (name, what) = self.what(&client).await?;
        let request = v1::RebalanceRequest { what: Some(what), dry_run: self.dry_run };
        let answer = answer(client.workloads().rebalance(request)).await?;
        let became = format!("{}{}", answer.action().or("rebalanced"), dry(self.dry_run));
        let moved = Moved { plans: answer.changes().to_vec(), untold: answer.untold() };
        let mut outcome = Outcome::new(self.output);
        outcome.thing(&answer, &name, &became, &moved)?;
        outcome.finish()
    }

    /// What other commands call it, and what the hub is asked for.
    async fn what(&self, client: &Client) -> Result<(String, What), Error> {
        let Some(resource) = self.resource.clone() else {
            return Ok(("all workloads".to_owned(), What::All(true)));
        };
        let target = resource.named(self.name.clone())?;
        let name = target.require_name()?;
        if target.resource == Resource::Policies {
            return Ok((format!("policy/{name}"), What::Policy(name.to_owned())));
        }
        let found = WorkloadName::parse(name, target.kind, self.namespace.as_deref())?.find(client).await?;
        let v1::Workload { namespace, kind, name, .. } = found;
        let shown = reference(&namespace, &kind, &name);
        Ok((shown, What::Workload(v1::WorkloadName { namespace, kind, name })))
    }
}
