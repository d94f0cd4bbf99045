//! What operators ask for. A command is checked whole before anything of it is done.

mod access;
mod answers;
mod approval;
mod authority;
mod cluster;
mod deploy;
mod drain;
mod give_back;
mod import;
mod import_again;
mod issuers;
mod migrate;
mod policy;
mod quota;
mod rebalance;
mod removal;
mod replace;
mod requests;
mod retire;
mod revocation;
mod roles;
mod rollout;
mod take;

use std::sync::Arc;

use godwit_common::{ClusterName, Now, WorkloadId};

pub(crate) use issuers::Arrivals;

use crate::contract::{Answer, Command, FreezeCause, Refused, RefusedKind, Severity};
use crate::hub::Hub;
use crate::shared::Shared;

impl Hub {
    /// Carries a command out, or says why not; never by halves.
    pub(crate) fn command(&mut self, command: Command) -> Result<Answer, Refused> {
        self.note_changes();
        let answer = self.carry_out(command);
        self.before = None;
        answer
    }

    /// What a command of the operator of that name would come to: it is carried out on a copy (S30).
    pub fn rehearse(&self, now: Now, by: Arc<str>, command: Command) -> Result<Answer, Refused> {
        let mut copy = self.clone();
        copy.begin(now);
        copy.operator = by;
        // A mark that was used before asks again what would be.
        copy.requests = Shared::default();
        copy.command(command)
    }

    fn carry_out(&mut self, command: Command) -> Result<Answer, Refused> {
        self.authorise(&command)?;
        self.check_doubt(&command)?;
        match command {
            Command::Deploy(deploy) => self.deploy(deploy),
            Command::Scale { workload, replicas } => self.scale(&workload, replicas),
            Command::DeleteWorkload { workload } => self.delete_workload(&workload),
            Command::ApplyPolicy(policy) => self.apply_policy(policy),
            Command::DeletePolicy { name } => self.delete_policy(&name),
            Command::ConfirmRemoval { cluster } => self.confirm_removal(&cluster),
            Command::ConfirmDead { cluster } => self.confirm_dead(&cluster),
            Command::DeleteCluster { cluster, force } => self.delete_cluster(&cluster, force),
            Command::Cordon { cluster, cordoned } => self.cordon(&cluster, cordoned),
            Command::Migrate { migration, order } => self.migrate(migration, order),
            Command::Maintain { cluster, within, drain } => self.maintain(&cluster, within, drain.as_ref()),
            Command::Retire { cluster, terms } => self.retire(&cluster, &terms),
            Command::Readmit { cluster } => self.readmit(&cluster),
            Command::Replace { cluster, with, terms } => self.replace(&cluster, &with, &terms),
            Command::Rebuilt { cluster, uid } => self.rebuilt(&cluster, uid),
            Command::Rebalance(what) => self.rebalance(&what),
            Command::Drain { cluster, order } => self.drain(&cluster, order),
            Command::Acknowledge { workload, cluster, withdrawal } => {
                self.acknowledge(&workload, &cluster, withdrawal)
            }
            Command::Rollout { workload, order } => self.rollout(&workload, order),
            Command::Label { cluster, set, remove } => self.label(&cluster, set, &remove),
            Command::Taint { cluster, add, remove } => self.taint(&cluster, add, &remove),
            Command::ApplyQuota(record) => self.apply_quota(record),
            Command::DeleteQuota { namespace } => self.delete_quota(&namespace),
            Command::Access(order) => self.access(order),
            Command::ConfirmFreeze => self.end_freeze(true),
            Command::ReleaseFreeze => self.end_freeze(false),
        }
    }

    fn end_freeze(&mut self, confirm: bool) -> Result<Answer, Refused> {
        let Some(freeze) = &self.federation.freeze else {
            return Err(refused(
                RefusedKind::FailedPrecondition,
                "failover is not frozen: there is nothing to end",
            ));
        };
        match (confirm, freeze.cause) {
            (true, FreezeCause::NewerHistory | FreezeCause::Recovery) => {
                let message = "this freeze is about the hub's own history, not about lost clusters: \
                               look at `godwit describe federation`, then use `godwit freeze release`";
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (true, FreezeCause::MassLoss) => self.confirm_freeze(),
            (false, FreezeCause::MassLoss) => self.release_freeze(),
            (false, FreezeCause::NewerHistory | FreezeCause::Recovery) => {
                self.accept_view()?;
                self.release_freeze();
            }
        }
        Ok(Answer::Done)
    }

    fn confirm_removal(&mut self, name: &ClusterName) -> Result<Answer, Refused> {
        if !self.clusters.contains_key(name) {
            return Err(no_cluster(name));
        }
        let message = "the removals that were held back go on";
        let entry = self.note_command(Severity::Normal, "S27", "RemovalConfirmed", name.as_str(), message);
        Ok(Answer::RemovalsReleased(self.release_removals(name, entry)))
    }
}

/// A refusal.
pub(crate) fn refused(kind: RefusedKind, message: impl Into<String>) -> Refused {
    Refused { kind, message: message.into() }
}

pub(crate) fn no_cluster(name: &ClusterName) -> Refused {
    refused(
        RefusedKind::NotFound,
        format!("cluster {name} is not a member; `godwit get clusters` lists them"),
    )
}

pub(crate) fn no_workload(id: &WorkloadId) -> Refused {
    refused(RefusedKind::NotFound, format!("{id} is not deployed; `godwit get workloads` lists what is"))
}
