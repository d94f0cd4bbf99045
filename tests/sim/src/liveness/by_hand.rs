//! What people have changed in a member by hand: it is set right, or left and shown (S29).

use godwit_common::policy::Drift;
use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{Key, Record, WorkloadRecord};

use crate::member::{Member, Object};
use crate::world::World;

impl World {
    /// What somebody has changed of an object beside its number is set right, or shown where it is left (S29).
    pub(super) fn check_edit(&self, uid: Uid, cluster: &ClusterName, object: &Object) -> Option<String> {
        let users = self.hubs[0].store.values().filter_map(|record| match record {
            Record::Workload(workload) => {
                let leans = workload.objects.contains(&uid) || workload.leaving.contains(&uid);
                (workload.uid == uid || leans).then_some(workload)
            }
            Record::Federation(_) | Record::Policy(_) | Record::Revision(_) | Record::Seat { .. } => None,
            Record::Object(_) | Record::ObjectRow { .. } | Record::Ended(_) | Record::Cluster(_) => None,
            Record::Migration(_) | Record::Journal(_) | Record::Request(_) | Record::Quota(_) => None,
            Record::Retired(_) | Record::Token(_) | Record::Revocation(_) => None,
            Record::RoleBinding(_) | Record::Issuer(_) => None,
        });
        let tolerates = |workload: &&WorkloadRecord| {
            self.policy_of(workload).is_some_and(|policy| policy.placement.motion.drift.is_tolerated())
        };
        let (lets, sets): (Vec<_>, Vec<_>) = users.partition(tolerates);
        let shows = |workload: &WorkloadRecord| {
            let view = self.hubs[0].core.as_ref()?.workload(workload.uid)?;
            view.placements.iter().find(|one| one.cluster == *cluster).map(|one| !one.edited.is_empty())
        };
        let key = &object.seen.key;
        match sets.is_empty() {
            false => Some(format!("what somebody changed of {key} in {cluster} is not set right")),
            // Where the workload has no seat any more there is nothing to show it beside.
            true if lets.iter().all(|workload| shows(workload) != Some(false)) => None,
            true => Some(format!("what somebody changed of {key} in {cluster} is not shown")),
        }
    }

    /// Whether somebody has changed a workload by hand, and is let.
    pub(super) fn is_changed(&self, uid: Uid) -> bool {
        self.members.iter().any(|member| self.left(uid, member).is_some())
    }

    /// How many copies of a workload somebody has asked for in a cluster by hand, where that is left as it is (S29). A
    /// number that may be taken over is not.
    pub(super) fn left(&self, uid: Uid, member: &Member) -> Option<u32> {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return None;
        };
        let drift = self.policy_of(workload)?.placement.motion.drift;
        let seat = self.seat(uid, &member.name).filter(|seat| seat.shown && drift.is_tolerated())?;
        let is_its = |object: &&Object| object.seen.stamp.is_some_and(|stamp| stamp.uid == uid);
        let Some(object) = member.objects.values().find(is_its) else { return Some(0) };
        let replicas = object.seen.replicas.filter(|replicas| *replicas != seat.target)?;
        let view = self.hubs[0].core.as_ref()?.workload(uid)?;
        let placement = view.placements.iter().find(|placement| placement.cluster == member.name)?;
        let waits = |reason: &str| reason.contains("not taken over") && !reason.contains("not as long as");
        let moves = placement.target != placement.sent;
        (drift == Drift::Observe || moves || waits(&placement.reason)).then_some(replicas)
    }
}
