//! What must come about once everything is put right: the second phase of every run. Each condition says what is
//! missing, so that a run that does not converge says why.

mod by_hand;
mod held;
mod older;
mod pending;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::{ClusterName, Uid, WorkloadKind};
use godwit_hub_core::{ClusterState, Key, MigrationState, Policy, Record, Seat, WorkloadRecord};

use crate::member::{Member, Pod};
use crate::world::World;

use held::LiveRows;

impl World {
    /// What is not yet as it shall be; nothing once the federation has settled.
    pub fn unsettled(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let store = &self.hubs[0].store;
        let stuck = self.is_stuck();
        let rows = self.live_rows();
        let none = LiveRows::new();
        if self.hubs[0].core.is_none() {
            return vec!["the hub does not run".to_owned()];
        }
        for (key, record) in store {
            match record {
                Record::Federation(federation) if federation.freeze.is_some() => {
                    missing.push("failover is frozen".to_owned());
                }
                Record::Ended(ended) => missing.push(format!("{:?} is not gone everywhere", ended.what)),
                Record::Migration(migration)
                    if migration.state == MigrationState::Paused
                        || migration.state == MigrationState::Running
                            && !stuck
                            && !migration.moves.iter().any(|moved| self.is_changed(moved.workload)) =>
                {
                    missing.push(format!("{} is not completed", migration.id));
                }
                Record::Workload(workload) => self.check_workload(workload, stuck, &mut missing),
                Record::Cluster(cluster) => {
                    let live = rows.get(&cluster.name).unwrap_or(&none);
                    self.check_cluster(cluster, live, &mut missing);
                }
                Record::Seat { workload, cluster, seat }
                    if !self.is_newest(*workload, cluster, seat) && !stuck =>
                {
                    missing
                        .push(format!("{key:?}: told revision {}, rolling {}", seat.revision, seat.rolling));
                }
                Record::Seat { workload, seat, .. }
                    if seat.target != seat.placed
                        && !self.is_short(*workload)
                        && !self.is_changed(*workload) =>
                {
                    missing.push(format!("{key:?}: told {} of {}", seat.target, seat.placed));
                }
                Record::Object(object) => self.check_bounds(object, &mut missing),
                Record::Federation(_) | Record::Migration(_) | Record::Seat { .. } => {}
                Record::Policy(_) | Record::ObjectRow { .. } => {}
                Record::Journal(_) | Record::Request(_) | Record::Quota(_) | Record::Retired(_) => {}
                Record::Revision(_) | Record::Token(_) | Record::Revocation(_) => {}
                Record::RoleBinding(_) | Record::Issuer(_) => {}
            }
        }
        missing
    }

    fn check_workload(&self, workload: &WorkloadRecord, is_stuck: bool, missing: &mut Vec<String>) {
        let id = &workload.spec.id;
        if !is_counted(workload.spec.kind()) {
            return;
        }
        let (is_short, is_changed) = (self.is_short(workload.uid), self.is_changed(workload.uid));
        let manifest = self.manifest_of(workload);
        for member in &self.members {
            let seat = self.seat(workload.uid, &member.name).cloned().unwrap_or_default();
            // As long as others find no node, a planned move has used up its surge (S20).
            let waits = is_stuck && is_short;
            let placed = if waits { seat.placed.min(seat.target) } else { seat.placed };
            let left = self.left(workload.uid, member);
            let placed = left.unwrap_or(placed);
            let pods = member.managed_pods_of(id);
            let ready = pods.iter().filter(|pod| pod.seen.ready).count();
            let is_old = |pod: &Pod| Some(&pod.template) != manifest;
            let stuck = pods.iter().filter(|pod| pod.seen.unschedulable || is_old(pod)).count();
            let excused = if is_stuck { stuck } else { 0 };
            let right = match is_short {
                true => pods.len() >= placed as usize,
                false => pods.len() == placed as usize,
            };
            // Beside what somebody made by hand nothing starts that may run only once; and where somebody took copies away,
            // no others stop. So what is moved may wait for it.
            let barred = left.is_none() && is_changed;
            if !barred && (!right || left.is_none() && ready + excused < placed as usize) {
                let (name, pods) = (&member.name, pods.len());
                missing.push(format!("{name} runs {ready} of {pods} of {id}, {placed} are placed"));
            }
            let old = pods.iter().filter(|pod| is_old(pod)).count();
            if old > 0 && !is_stuck && !self.owes(workload, &member.name) {
                missing.push(format!("{old} pods of {id} in {} are not of its newest revision", member.name));
            }
        }
        if workload.pending > 0 && !is_stuck {
            self.check_pending(workload, missing);
        }
    }

    /// The manifest of a workload's newest revision.
    fn manifest_of(&self, workload: &WorkloadRecord) -> Option<&Arc<str>> {
        let record = self.hubs[0].store.get(&Key::Revision(workload.uid, workload.revision))?;
        if let Record::Revision(revision) = record { Some(&revision.spec.manifest) } else { None }
    }

    /// Whether a cluster was told the newest revision, and is there (S31).
    fn is_newest(&self, uid: Uid, cluster: &ClusterName, seat: &Seat) -> bool {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return false;
        };
        let is_newest = seat.revision == workload.revision && !seat.rolling;
        // Where nothing runs, it comes once all that run it have it, and some of these have to wait.
        let held_up = || self.members.iter().any(|member| self.owes(workload, &member.name));
        is_newest || self.owes(workload, cluster) || seat.target == 0 && held_up()
    }

    /// Whether replicas found no node. Those of several sizes may be packed otherwise than was planned, which is for
    /// S17 to mend; those of one size never, unless several histories have placed them.
    fn is_stuck(&self) -> bool {
        let (uniform, forked) = (self.operator.uniform, self.checker.histories_may_fork);
        self.members.iter().any(|member| {
            // Of what somebody started by hand nobody has counted the room, even if it was taken over since.
            let excused = !uniform || forked || member.crowded;
            excused && member.pods.values().any(|pod| pod.seen.unschedulable)
        })
    }

    fn policy_of(&self, workload: &WorkloadRecord) -> Option<&Policy> {
        let record = self.hubs[0].store.get(&Key::Policy(workload.policy.clone()))?;
        if let Record::Policy(policy) = record { Some(policy) } else { None }
    }

    /// A seat, as hub 0 has stored it.
    pub fn seat(&self, uid: Uid, cluster: &ClusterName) -> Option<&Seat> {
        let record = self.hubs[0].store.get(&Key::Seat(uid, cluster.clone()))?;
        if let Record::Seat { seat, .. } = record { Some(seat) } else { None }
    }

    /// The generation of each cluster's targets, as hub 0 has stored it.
    pub fn generations(&self) -> BTreeMap<ClusterName, u64> {
        let generation = |record: &Record| {
            if let Record::Cluster(cluster) = record {
                return Some((cluster.name.clone(), cluster.generation.0));
            }
            None
        };
        self.hubs[0].store.values().filter_map(generation).collect()
    }

    /// Whether hub 0 hears every cluster.
    pub fn all_ready(&self) -> bool {
        let core = self.hubs[0].core.as_ref();
        let ready = |member: &Member| {
            core.and_then(|core| core.cluster(&member.name))
                .is_some_and(|view| view.state == ClusterState::Ready)
        };
        self.members.iter().all(ready)
    }

    /// The targets in force, to see whether they still change.
    pub fn targets(&self) -> BTreeSet<(Uid, ClusterName, u32)> {
        let target = |record: &Record| {
            if let Record::Seat { workload, cluster, seat } = record {
                return Some((*workload, cluster.clone(), seat.target));
            }
            None
        };
        self.hubs[0].store.values().filter_map(target).collect()
    }
}

/// Whether what workloads of a kind run is the hub's to count.
fn is_counted(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::Job => true,
        WorkloadKind::DaemonSet | WorkloadKind::CronJob => false,
    }
}
