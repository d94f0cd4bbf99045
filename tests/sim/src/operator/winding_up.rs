//! Winding up: what is taken back, mended and cleared away, until everything can settle.

use godwit_agent_core::Stamp;
use godwit_common::{ClusterName, Uid, WorkloadId};
use godwit_hub_core::{
    AccessOrder, Application, Command, DrainState, DrainTerms, Key, MigrationOrder, MigrationState,
    PolicyChoice, Purpose, Record, RolloutOrder, RolloutState,
};

use super::wishes::cpu_of;
use crate::clock::Cx;
use crate::happening::AgentId;
use crate::member::{Member, is_bad};
use crate::scenario::{deploy, workload};
use crate::world::{World, cx};

impl World {
    /// What ends the next quota, cordon, window, taint or pause that is left; and what lets every cluster be a member again.
    pub(super) fn leftover(&self) -> Option<Command> {
        let ended = |record: &Record| match record {
            Record::Cluster(cluster)
                if cluster.maintenance.is_none()
                    && cluster.drain.as_ref().is_some_and(|drain| drain.state == DrainState::Cleaning) =>
            {
                // It leaves, and cannot be called back.
                None
            }
            Record::Retired(retired) => Some(Command::Readmit { cluster: retired.name.clone() }),
            Record::Revocation(record) if record.readmitted.is_none() => {
                Some(Command::Access(AccessOrder::EndRevocation(record.what.clone())))
            }
            Record::Revocation(_) | Record::Token(_) | Record::RoleBinding(_) | Record::Issuer(_) => None,
            Record::Quota(quota) => Some(Command::DeleteQuota { namespace: quota.namespace.clone() }),
            Record::Cluster(cluster) if cluster.maintenance.is_some() => {
                Some(Command::Maintain { cluster: cluster.name.clone(), within: None, drain: None })
            }
            Record::Cluster(cluster) if cluster.cordoned => {
                Some(Command::Cordon { cluster: cluster.name.clone(), cordoned: false })
            }
            Record::Cluster(cluster) if !cluster.taints.is_empty() => {
                let remove = cluster.taints.iter().map(|one| (one.taint.key.clone(), None)).collect();
                let cluster = cluster.name.clone();
                Some(Command::Taint { cluster, add: Vec::new(), remove })
            }
            Record::Federation(_) | Record::Cluster(_) | Record::Policy(_) | Record::Workload(_) => None,
            Record::Seat { .. } | Record::Object(_) | Record::ObjectRow { .. } | Record::Ended(_) => None,
            Record::Migration(migration) if migration.state == MigrationState::Paused => {
                Some(Command::Migrate { migration: migration.id, order: MigrationOrder::Resume })
            }
            Record::Migration(_) | Record::Journal(_) | Record::Request(_) | Record::Revision(_) => None,
        };
        let store = &self.hubs[0].store;
        let rebuilt = || self.members.iter().find_map(|member| self.rebuilt(member.index));
        let mended = || store.values().find_map(|record| self.mended(record));
        store.values().find_map(ended).or_else(rebuilt).or_else(mended)
    }

    /// What lets a workload's rollout come to a good end.
    fn mended(&self, record: &Record) -> Option<Command> {
        let Record::Workload(workload) = record else { return None };
        let revision = self.hubs[0].store.get(&Key::Revision(workload.uid, workload.revision));
        let bad = matches!(revision, Some(Record::Revision(revision)) if is_bad(&revision.spec.manifest));
        let WorkloadId { kind, name, .. } = &workload.spec.id;
        if bad && **kind == *"Job" {
            // It is made once, and gets no better.
            return Some(Command::DeleteWorkload { workload: workload.spec.id.clone() });
        }
        if bad {
            let replicas = workload.spec.replicas;
            return Some(deploy(mending(kind, name, replicas), PolicyChoice::Annotated));
        }
        let held = match workload.rollout.as_ref()?.state {
            RolloutState::Paused | RolloutState::PausedAfterFirst | RolloutState::Failed => true,
            RolloutState::Running | RolloutState::Completed => false,
        };
        let resume = Command::Rollout { workload: workload.spec.id.clone(), order: RolloutOrder::Resume };
        held.then_some(resume)
    }

    /// By what the hub knows a cluster.
    pub(super) fn uid_of(&self, cluster: &ClusterName) -> Option<Uid> {
        Some(self.hubs[0].core.as_ref()?.cluster(cluster)?.uid)
    }

    /// What lets a cluster in that was built anew, once the old one is not heard any more.
    pub(super) fn rebuilt(&self, member: usize) -> Option<Command> {
        let cluster = &self.members[member].name;
        let view = self.hubs[0].core.as_ref()?.cluster(cluster)?;
        let uid = view.claimant.filter(|_| view.agents == 0)?;
        if view.unaccounted > 0 {
            // Nothing of the old one is left: that has to be said of what may run only once (S9).
            return Some(Command::ConfirmDead { cluster: cluster.clone() });
        }
        let (cluster, retires) =
            (cluster.clone(), view.drain.is_some_and(|view| view.drain.purpose == Purpose::Retire));
        let terms = DrainTerms { force: true, ..DrainTerms::default() };
        Some(if retires { Command::Retire { cluster, terms } } else { Command::Rebuilt { cluster, uid } })
    }

    /// What a forgotten history, or another federation, has left in the members is removed by hand (S27).
    pub(super) fn remove_strays(&mut self) -> Option<Command> {
        if !self.checker.histories_may_fork && !self.operator.forgets {
            return None;
        }
        let store = &self.hubs[0].store;
        let federation = store.get(&Key::Federation);
        let Some(Record::Federation(federation)) = federation else { return None };
        // A life may be known, and not in a cluster that was forgotten with it and let in again.
        let known = |uid: Uid, name: &ClusterName| {
            let rows = [Key::Seat(uid, name.clone()), Key::ObjectRow(uid, name.clone())];
            rows.iter().any(|key| store.contains_key(key)) || store.contains_key(&Key::Ended(uid))
        };
        let ours = federation.uid;
        let mut strays = Vec::new();
        for (cluster, member) in self.members.iter().enumerate() {
            // Lives of a forked history may be known here, and the objects be the other federation's all the same.
            let stray = |stamp: Stamp| stamp.fence.federation != ours || !known(stamp.uid, &member.name);
            let found = member.objects.iter().filter(|(_, object)| object.seen.stamp.is_some_and(stray));
            strays.extend(found.map(|(key, _)| (cluster, key.clone())));
        }
        let of_others = |member: &Member| {
            member.fence.as_ref().is_some_and(|fence| fence.record.fence.federation != ours)
        };
        let foreign: Vec<usize> =
            self.members.iter().filter(|one| of_others(one)).map(|one| one.index).collect();
        for cluster in foreign {
            // Its agents have read the fence once, and read it again when they start.
            self.note(|| {
                format!("a person removes the fence of cluster {cluster}: it is of another federation")
            });
            self.members[cluster].fence = None;
            for agent in 0..self.agents[cluster].len() {
                self.crash_and_restart(AgentId { cluster, agent });
            }
        }
        for (cluster, key) in strays {
            self.note(|| format!("a person removes {key} from cluster {cluster}: it is not this hub's"));
            self.members[cluster].remove(cx!(self), &key);
        }
        None
    }
}

/// What an application is mended with: a revision that was never deployed before, and whose pods get ready.
fn mending(kind: &str, name: &str, replicas: u32) -> Application {
    workload(kind, name, replicas, cpu_of(kind, 100), 7)
}
