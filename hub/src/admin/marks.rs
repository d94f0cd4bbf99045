//! What operators put on a cluster, read and carried out: cordon, drain, maintenance, labels, taints.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::ClusterName;
use godwit_hub_core::{Answer, Command, DrainOrder};
use godwit_proto::v1;
use tonic::Status;

use super::fields::{self, invalid};
use super::{Admin, convert, labels, refusal};

/// How long a drain may take if nobody says otherwise (S21), and at least.
const DRAIN_TIME: Duration = Duration::from_secs(3600);
const DRAIN_TIME_LEAST: Duration = Duration::from_secs(1);
/// The longest drain, and the longest window of maintenance.
const TIME_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What became of it.
pub(super) struct Marked {
    pub(super) cluster: Option<v1::Cluster>,
    pub(super) action: String,
    pub(super) changes: Vec<v1::PlanChange>,
    pub(super) changes_total: u64,
}

impl Admin {
    pub(super) async fn cordon(
        &self,
        operator: Arc<str>,
        name: &str,
        cordoned: bool,
        dry_run: bool,
    ) -> Result<Marked, Status> {
        let cluster: ClusterName = fields::name("name", name)?;
        tracing::info!(%operator, %cluster, cordoned, dry_run, "an operator cordons or uncordons a cluster");
        let command = Command::Cordon { cluster: cluster.clone(), cordoned };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn drain(
        &self,
        operator: Arc<str>,
        request: v1::DrainClusterRequest,
    ) -> Result<Marked, Status> {
        let cluster: ClusterName = fields::name("name", &request.name)?;
        let order = drain_order(&request)?;
        let dry_run = request.dry_run;
        tracing::info!(%operator, %cluster, ?order, dry_run, "an operator drains a cluster");
        let command = Command::Drain { cluster: cluster.clone(), order };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn maintain(
        &self,
        operator: Arc<str>,
        request: v1::MaintainClusterRequest,
    ) -> Result<Marked, Status> {
        let v1::MaintainClusterRequest { name, within, dry_run } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let within = within.map_or(Ok(Duration::ZERO), Duration::try_from);
        let within = within.ok().filter(|within| *within <= TIME_MOST);
        let within = within.ok_or_else(|| invalid("within", "it is out of range: 0 s to 30 days"))?;
        tracing::info!(%operator, %cluster, ?within, dry_run, "an operator announces maintenance, or its end");
        let within = Some(within).filter(|within| !within.is_zero());
        let command = Command::Maintain { cluster: cluster.clone(), within };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn label(
        &self,
        operator: Arc<str>,
        request: v1::LabelClusterRequest,
    ) -> Result<Marked, Status> {
        let v1::LabelClusterRequest { name, set, remove, dry_run } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let (set, remove) = (labels::labels("set", &set)?, labels::keys("remove", &remove)?);
        if set.is_empty() && remove.is_empty() {
            return Err(invalid("set", "it is empty, as is remove: name a label"));
        }
        if let Some(both) = remove.iter().find(|key| set.contains_key(*key)) {
            return Err(invalid("remove", format!("{both} is set, too: leave it in one of the two")));
        }
        tracing::info!(%operator, %cluster, dry_run, "an operator labels a cluster");
        let command = Command::Label { cluster: cluster.clone(), set, remove };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn taint(
        &self,
        operator: Arc<str>,
        request: v1::TaintClusterRequest,
    ) -> Result<Marked, Status> {
        let v1::TaintClusterRequest { name, add, remove, dry_run } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let (add, remove) = (labels::taints("add", &add)?, labels::taint_names("remove", &remove)?);
        if add.is_empty() && remove.is_empty() {
            return Err(invalid("add", "it is empty, as is remove: name a taint"));
        }
        tracing::info!(%operator, %cluster, dry_run, "an operator taints a cluster");
        let command = Command::Taint { cluster: cluster.clone(), add, remove };
        self.mark(operator, &cluster, command, dry_run).await
    }

    /// The view is ahead of the answer: it shows the cluster as the command left it.
    async fn mark(
        &self,
        operator: Arc<str>,
        cluster: &ClusterName,
        command: Command,
        dry_run: bool,
    ) -> Result<Marked, Status> {
        match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Applied { action, changes } => Ok(Marked {
                cluster: self.driver.view().clusters.get(cluster).map(|view| convert::cluster(view)),
                action: convert::action(action).to_owned(),
                changes: convert::changes(&changes),
                changes_total: changes.total,
            }),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

fn drain_order(request: &v1::DrainClusterRequest) -> Result<DrainOrder, Status> {
    let v1::DrainClusterRequest { order, within, max_surge_percent, force, .. } = request;
    let order = v1::DrainOrder::try_from(*order)
        .map_err(|_| invalid("order", format!("{order} is not known: use START, PAUSE, RESUME or CANCEL")))?;
    let terms = within.is_some() || max_surge_percent.is_some() || *force;
    match order {
        v1::DrainOrder::Unspecified | v1::DrainOrder::Start => {}
        v1::DrainOrder::Pause | v1::DrainOrder::Resume | v1::DrainOrder::Cancel if terms => {
            let problem = "within, max_surge_percent and force are for starting only: leave them out";
            return Err(invalid("order", problem));
        }
        v1::DrainOrder::Pause => return Ok(DrainOrder::Pause),
        v1::DrainOrder::Resume => return Ok(DrainOrder::Resume),
        v1::DrainOrder::Cancel => return Ok(DrainOrder::Cancel),
    }
    let within = within.map_or(Ok(DRAIN_TIME), Duration::try_from);
    let within = within.ok().filter(|within| (DRAIN_TIME_LEAST..=TIME_MOST).contains(within));
    let within = within.ok_or_else(|| invalid("within", "it is out of range: 1 s to 30 days"))?;
    if let Some(percent) = max_surge_percent.filter(|percent| !(1..=100).contains(percent)) {
        return Err(invalid("max_surge_percent", format!("{percent} is out of range: 1 to 100")));
    }
    Ok(DrainOrder::Start { within, max_surge: *max_surge_percent, force: *force })
}
