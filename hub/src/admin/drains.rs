//! Clusters that are emptied, retired or replaced: requests, read and carried out (S20, S21, S23).

use std::time::Duration;

use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Answer, Command, DrainOrder, DrainTerms};
use godwit_proto::policy::selector_from_wire;
use godwit_proto::v1;
use tonic::Status;

use super::fields::{self, invalid};
use super::marks::Marked;
use super::{Admin, refusal};
use crate::guard::Caller;

/// The shortest and the longest time that a drain may have.
const TIME_LEAST: Duration = Duration::from_secs(1);
const TIME_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

impl Admin {
    pub(super) async fn drain(
        &self,
        operator: Caller,
        request: v1::DrainClusterRequest,
    ) -> Result<Marked, Status> {
        let cluster: ClusterName = fields::name("name", &request.name)?;
        let dry_run = request.dry_run;
        let order = order(request)?;
        tracing::info!(%operator, %cluster, ?order, dry_run, "an operator drains a cluster");
        let command = Command::Drain { cluster: cluster.clone(), order };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn retire(
        &self,
        operator: Caller,
        request: v1::RetireClusterRequest,
    ) -> Result<Marked, Status> {
        let v1::RetireClusterRequest { name, drain, undo, dry_run } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let command = match (undo, drain) {
            (true, Some(_)) => {
                return Err(invalid("drain", "nothing is emptied when a retirement is undone: leave it out"));
            }
            (true, None) => Command::Readmit { cluster: cluster.clone() },
            (false, drain) => {
                let terms = terms("drain", &drain.unwrap_or_default())?;
                Command::Retire { cluster: cluster.clone(), terms }
            }
        };
        tracing::info!(%operator, %cluster, ?command, dry_run, "an operator retires a cluster");
        self.mark(operator, &cluster, command, dry_run).await
    }

    /// Besides, the policies that were changed.
    pub(super) async fn replace(
        &self,
        operator: Caller,
        request: v1::ReplaceClusterRequest,
    ) -> Result<(Marked, Vec<String>), Status> {
        use v1::replace_cluster_request::By;
        let v1::ReplaceClusterRequest { name, by, drain, dry_run } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let command = match by {
            None => {
                return Err(invalid("with", "it is missing, as is uid: say by what the cluster is replaced"));
            }
            Some(By::Uid(_)) if drain.is_some() => {
                let problem = "a cluster that was built anew has nothing that could be emptied: leave it out";
                return Err(invalid("drain", problem));
            }
            Some(By::Uid(uid)) => {
                let uid: Uid = fields::name("uid", &uid)?;
                Command::Rebuilt { cluster: cluster.clone(), uid }
            }
            Some(By::With(with)) => {
                let drain = drain.unwrap_or_default();
                if drain.to.is_some() {
                    return Err(invalid(
                        "drain.to",
                        "what leaves goes to the cluster that takes over: leave it out",
                    ));
                }
                let (with, terms) = (fields::name("with", &with)?, terms("drain", &drain)?);
                Command::Replace { cluster: cluster.clone(), with, terms }
            }
        };
        tracing::info!(%operator, %cluster, ?command, dry_run, "an operator replaces a cluster");
        match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Replaced { action, changes, policies } => {
                let policies = policies.iter().map(ToString::to_string).collect();
                Ok((self.marked(&cluster, action, &changes), policies))
            }
            Answer::Applied { action, changes } => Ok((self.marked(&cluster, action, &changes), Vec::new())),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

fn order(request: v1::DrainClusterRequest) -> Result<DrainOrder, Status> {
    let v1::DrainClusterRequest { name: _, order, within, max_surge_percent, force, dry_run: _, to } =
        request;
    let order = v1::DrainOrder::try_from(order)
        .map_err(|_| invalid("order", format!("{order} is not known: use START, PAUSE, RESUME or CANCEL")))?;
    let given = within.is_some() || max_surge_percent.is_some() || force || to.is_some();
    match order {
        v1::DrainOrder::Unspecified | v1::DrainOrder::Start => {
            let stated = v1::DrainTerms { within, max_surge_percent, force, to };
            terms("", &stated).map(DrainOrder::Start)
        }
        v1::DrainOrder::Pause | v1::DrainOrder::Resume | v1::DrainOrder::Cancel if given => {
            let problem = "within, max_surge_percent, force and to are for starting only: leave them out";
            Err(invalid("order", problem))
        }
        v1::DrainOrder::Pause => Ok(DrainOrder::Pause),
        v1::DrainOrder::Resume => Ok(DrainOrder::Resume),
        v1::DrainOrder::Cancel => Ok(DrainOrder::Cancel),
    }
}

/// On which terms a cluster is emptied; `at` is the field that says so, if they are not said beside its name.
pub(super) fn terms(at: &str, terms: &v1::DrainTerms) -> Result<DrainTerms, Status> {
    let v1::DrainTerms { within, max_surge_percent, force, to } = terms;
    let usual = DrainTerms::default();
    let field = |name: &str| if at.is_empty() { name.to_owned() } else { format!("{at}.{name}") };
    let within = within.map_or(Ok(usual.within), Duration::try_from);
    let within = within.ok().filter(|within| (TIME_LEAST..=TIME_MOST).contains(within));
    let within = within.ok_or_else(|| invalid(&field("within"), "it is out of range: 1 s to 30 days"))?;
    if let Some(percent) = max_surge_percent.filter(|percent| !(1..=100).contains(percent)) {
        let problem = format!("{percent} is out of range: 1 to 100");
        return Err(invalid(&field("max_surge_percent"), problem));
    }
    let to = to.as_ref().map(|to| selector_from_wire(&field("to"), to)).transpose();
    let to = to.map_err(|error| invalid(&error.field, &error.problem))?;
    Ok(DrainTerms { within, max_surge: *max_surge_percent, force: *force, to })
}
