//! What operators put on a cluster, read and carried out: cordon, maintenance, death, labels, taints.

use std::time::Duration;

use godwit_common::ClusterName;
use godwit_hub_core::{Action, Answer, Changes, Command};
use godwit_proto::v1;
use tonic::Status;

use super::fields::{self, invalid};
use super::{Admin, convert, drains, labels, refusal};
use crate::guard::Caller;

/// The longest window of maintenance.
const WINDOW_MOST: Duration = Duration::from_secs(30 * 24 * 3600);

/// What became of it.
pub(super) struct Marked {
    pub(super) cluster: Option<v1::Cluster>,
    pub(super) action: String,
    pub(super) changes: Vec<v1::PlanChange>,
    pub(super) changes_total: u64,
    pub(super) inputs: String,
}

impl Admin {
    pub(super) async fn cordon(
        &self,
        operator: Caller,
        name: &str,
        cordoned: bool,
        dry_run: bool,
    ) -> Result<Marked, Status> {
        let cluster: ClusterName = fields::name("name", name)?;
        tracing::info!(%operator, %cluster, cordoned, dry_run, "an operator cordons or uncordons a cluster");
        let command = Command::Cordon { cluster: cluster.clone(), cordoned };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn maintain(
        &self,
        operator: Caller,
        request: v1::MaintainClusterRequest,
    ) -> Result<Marked, Status> {
        let v1::MaintainClusterRequest { name, within, dry_run, drain } = request;
        let cluster: ClusterName = fields::name("name", &name)?;
        let within = within.map_or(Ok(Duration::ZERO), Duration::try_from);
        let within = within.ok().filter(|within| *within <= WINDOW_MOST);
        let within = within.ok_or_else(|| invalid("within", "it is out of range: 0 s to 30 days"))?;
        let within = Some(within).filter(|within| !within.is_zero());
        if drain.is_some() && within.is_none() {
            return Err(invalid("drain", "it is for a window that begins: say how long, or leave it out"));
        }
        let drain = drain.as_ref().map(|terms| drains::terms("drain", terms)).transpose()?;
        tracing::info!(%operator, %cluster, ?within, ?drain, dry_run, "an operator announces maintenance, or its end");
        let command = Command::Maintain { cluster: cluster.clone(), within, drain };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn dead(&self, operator: Caller, name: &str, dry_run: bool) -> Result<Marked, Status> {
        let cluster: ClusterName = fields::name("name", name)?;
        tracing::info!(%operator, %cluster, dry_run, "an operator says that a cluster is dead");
        let command = Command::ConfirmDead { cluster: cluster.clone() };
        self.mark(operator, &cluster, command, dry_run).await
    }

    pub(super) async fn label(
        &self,
        operator: Caller,
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
        operator: Caller,
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
    pub(super) async fn mark(
        &self,
        operator: Caller,
        cluster: &ClusterName,
        command: Command,
        dry_run: bool,
    ) -> Result<Marked, Status> {
        match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Applied { action, changes } => Ok(self.marked(cluster, action, &changes)),
            other => Err(refusal::mismatched(&other)),
        }
    }

    pub(super) fn marked(&self, cluster: &ClusterName, action: Action, changes: &Changes) -> Marked {
        Marked {
            cluster: self.driver.view().clusters.get(cluster).map(|view| convert::cluster(view)),
            action: convert::action(action).to_owned(),
            changes: convert::changes(changes),
            changes_total: changes.total,
            inputs: convert::decided_on(changes.inputs),
        }
    }
}
