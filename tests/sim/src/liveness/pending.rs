//! What is pending has room nowhere, and what has no place in the plan stays only as long as others are missing.

use std::collections::BTreeSet;

use godwit_common::policy::{Rule, Strategy};
use godwit_common::{ClusterName, Resources, Uid};
use godwit_hub_core::{Key, Record, Seat, WorkloadRecord};

use super::is_counted;
use crate::invariants::shrink::{lacking, needed};
use crate::member::Member;
use crate::world::World;

impl World {
    /// What is pending finds room nowhere.
    pub(super) fn check_pending(&self, workload: &WorkloadRecord, missing: &mut Vec<String>) {
        let id = &workload.spec.id;
        let closed = self.closed(workload);
        let takes = |member: &Member| {
            let more = self.could_take(workload, member, &closed)?;
            Some((member.name.clone(), more))
        };
        let open: Vec<(ClusterName, u64)> = self.members.iter().filter_map(takes).collect();
        let placement = self.policy_of(workload).map(|policy| &policy.placement);
        let whole = placement.is_some_and(|placement| workload.spec.is_whole(placement));
        let fits = match whole {
            false => open.iter().any(|(_, more)| *more > 0),
            true => self.could_be_whole(workload, &open),
        };
        // What stays with its data has no place elsewhere, whatever room there is (S32).
        let stays = placement.is_some_and(|placement| !whole && workload.spec.is_pinned(placement));
        let stuck = if stays { self.beyond(workload.uid) } else { 0 };
        if workload.pending > stuck && fits {
            let (pending, reasons) = (workload.pending, &workload.pending_reasons);
            missing.push(format!("{pending} of {id} are pending: {reasons:?}; there is room: {open:?}"));
        }
    }

    /// How many more replicas of a workload a cluster could take; none if its policy does not choose it.
    fn could_take(
        &self,
        workload: &WorkloadRecord,
        member: &Member,
        closed: &BTreeSet<ClusterName>,
    ) -> Option<u64> {
        let placement = &self.policy_of(workload)?.placement;
        let rule = self.rule_of(workload, &member.name).filter(|_| !closed.contains(&member.name))?;
        let placed = self.seat(workload.uid, &member.name).map_or(0, |seat| seat.placed);
        let below = |bound: u32| u64::from(bound.saturating_sub(placed));
        let duplicate = placement.strategy == Strategy::Duplicate && !workload.spec.is_whole(placement);
        let most = match (rule.weight(), rule.max()) {
            (0, _) if duplicate => 0,
            (_, None) if duplicate => below(workload.spec.replicas),
            (_, Some(max)) if duplicate => below(max.min(workload.spec.replicas)),
            (0, _) => below(rule.min()),
            (_, Some(max)) => below(max),
            (_, None) => u64::MAX,
        };
        Some(self.room_beside(member, &workload.spec.pod.requests).min(most))
    }

    /// Whether a workload that is not divided could grow where it is, or be whole somewhere if it is nowhere.
    fn could_be_whole(&self, workload: &WorkloadRecord, open: &[(ClusterName, u64)]) -> bool {
        let placed = |name: &ClusterName| self.seat(workload.uid, name).map_or(0, |seat| seat.placed);
        let weight = |name: &ClusterName| self.rule_of(workload, name).map_or(0, |rule| rule.weight());
        match open.iter().find(|(name, _)| placed(name) > 0) {
            // Where its data is it grows as far as there is room, whatever the shares.
            Some((_, more)) => *more > 0,
            None => {
                // Its data may be where it cannot run at present: then it waits (S32).
                let pinned =
                    self.policy_of(workload).is_some_and(|one| workload.spec.is_pinned(&one.placement));
                let data =
                    |seat: &Seat| seat.placed > 0 || seat.target > 0 || (pinned && seat.cause.is_some());
                let mut seats =
                    self.members.iter().filter_map(|member| self.seat(workload.uid, &member.name));
                let at_home = seats.any(data);
                let whole = u64::from(workload.spec.replicas);
                !at_home && open.iter().any(|(name, more)| *more >= whole && weight(name) > 0)
            }
        }
    }

    /// The clusters of which room and rule alone do not decide what they may take of a workload. What else may keep them
    /// from growing has its own stories, and is not worked out here a second time.
    fn closed(&self, workload: &WorkloadRecord) -> BTreeSet<ClusterName> {
        let store = &self.hubs[0].store;
        let all = || self.members.iter().map(|member| member.name.clone());
        let Some(policy) = self.policy_of(workload) else { return all().collect() };
        let placement = &policy.placement;
        let repels = |record: &Record| {
            if let Record::Policy(policy) = record {
                !policy.placement.affinity.without.is_empty()
            } else {
                false
            }
        };
        let open = placement.affinity.is_empty()
            && placement.fallback.is_empty()
            && placement.strategy.constraints().is_empty()
            && !store.values().any(repels);
        if !open {
            return all().collect();
        }
        let lowered = self.lowered(workload);
        let closed = |name: &ClusterName| {
            let Some(Record::Cluster(cluster)) = store.get(&Key::Cluster(name.clone())) else { return true };
            cluster.cordoned
                || cluster.maintenance.is_some()
                || !cluster.taints.is_empty()
                || workload.yielded.contains_key(name)
                || lowered.contains(name)
                || self.owes(workload, name)
        };
        all().filter(closed).collect()
    }

    /// How many more pods of a size a cluster has room for, beside the copies that are planned or told there and do not
    /// exist: what somebody did by hand, there or in another cluster, may keep them from it for as long as it stands (S29),
    /// and room for them is promised all the time (S15). Which nodes they will find is open, so each takes as much as it
    /// can; and while there is none for all of them, there is none for anybody else.
    fn room_beside(&self, member: &Member, requests: &Resources) -> u64 {
        let mut room = member.room_for(requests);
        for (_, record) in self.hubs[0].store.range(Key::Workload(Uid(0))..) {
            let Record::Workload(WorkloadRecord { uid, spec, .. }) = record else { break };
            let Some(seat) = self.seat(*uid, &member.name) else { continue };
            let here = match is_counted(spec.kind()) {
                true => u32::try_from(member.pods_of(&spec.id).count()).unwrap_or(u32::MAX),
                // Of these the object alone counts, and it is there unless somebody deleted it.
                false => self.left(*uid, member).unwrap_or(u32::MAX),
            };
            let promised = u64::from(seat.placed.max(seat.target).saturating_sub(here));
            if promised > member.room_for(&spec.pod.requests) {
                return 0;
            }
            room = room.saturating_sub(promised * covered(&spec.pod.requests, requests));
        }
        room
    }

    /// The clusters of which it is lowered, for what was seen there, what they are taken to hold of a workload that waits
    /// (S3, S17).
    fn lowered(&self, workload: &WorkloadRecord) -> BTreeSet<ClusterName> {
        let core = self.hubs[0].core.as_ref().filter(|_| workload.pending > 0);
        let rows = core.and_then(|core| core.plan(&workload.spec.id)).map(|plan| plan.report);
        let lowered = ["could not be scheduled", "did not get ready"];
        let rows = rows.into_iter().flatten();
        rows.filter(|row| lowered.iter().any(|reason| row.reason.ends_with(reason)))
            .map(|row| row.cluster)
            .collect()
    }

    fn rule_of(&self, workload: &WorkloadRecord, name: &ClusterName) -> Option<Rule> {
        let Record::Cluster(cluster) = self.hubs[0].store.get(&Key::Cluster(name.clone()))? else {
            return None;
        };
        self.policy_of(workload)?.placement.choose(name, &cluster.traits).ok()
    }

    /// Whether fewer replicas of a workload are ready than are wanted: then those stay that have no place in the plan,
    /// for no step may take any away. So do those that stand in for pending ones (S20).
    pub(super) fn is_short(&self, uid: Uid) -> bool {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return false;
        };
        let policy = self.policy_of(workload);
        let beyond = self.beyond(uid);
        let short = self.ready(&workload.spec.id) <= needed(workload, policy);
        short || beyond <= workload.pending - lacking(workload, policy)
    }

    /// How many replicas of a workload clusters were told to run beyond what is placed there.
    fn beyond(&self, uid: Uid) -> u32 {
        let seats = self.members.iter().filter_map(|member| self.seat(uid, &member.name));
        seats.map(|seat| seat.target.saturating_sub(seat.placed)).sum()
    }
}

/// How many pods of one size a pod of another may leave no room for, on whatever node.
fn covered(other: &Resources, requests: &Resources) -> u64 {
    let times = |asked: u64, each: u64| if each == 0 { 0 } else { asked.div_ceil(each) };
    // More than these the simulator's workloads do not ask for.
    times(other.cpu_millis, requests.cpu_millis)
        .max(times(other.memory_bytes, requests.memory_bytes))
        .max(times(other.pods, requests.pods))
}
