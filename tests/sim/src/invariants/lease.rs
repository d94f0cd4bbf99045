//! S9, the fence `gate`: leases are renewed by a hub that leads, to who leads a cluster whose inventory has come; what
//! counts as gone has ended; and nothing starts where it was given up before that is known there.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::link::Down;
use godwit_common::policy::Fencing;
use godwit_common::{ClusterName, Generation, Uid, WorkloadId};
use godwit_hub_core::{Effect, FreezeCause, Key, Record};

use super::witness::Witness;
use super::{Records, SeatChange};
use crate::member::Member;

/// Copies that were given up: a workload in a cluster.
pub(super) type Ended = BTreeSet<(Uid, ClusterName)>;

/// What was given up and has not been seen to start again, and from which generation on its cluster knows of that.
pub(super) type GivenUp = BTreeMap<(Uid, ClusterName), Generation>;

/// What one life of a hub has granted, and when, in true time.
#[derive(Debug, Default)]
pub(super) struct Leases {
    started: u64,
    granted: BTreeMap<ClusterName, u64>,
}

impl Leases {
    /// The life begins: whatever was granted before, was until now.
    pub(super) fn since(started: u64) -> Self {
        Self { started, granted: BTreeMap::new() }
    }

    /// What a step grants.
    pub(super) fn check(
        &mut self,
        records: &Records,
        witness: &Witness,
        (effects, given_up): (&[Effect], &GivenUp),
        now: u64,
    ) {
        for effect in effects {
            let Effect::Send { session, message: Down::Grant { .. } } = effect else { continue };
            let Some(Record::Federation(federation)) = records.get(&Key::Federation) else { continue };
            let stopped = federation.freeze.as_ref().map(|freeze| freeze.cause);
            assert!(
                stopped != Some(FreezeCause::NewerHistory),
                "S9: a hub renews leases that has heard of a later history than its own"
            );
            let Some(cluster) = witness.cluster_of(*session) else {
                panic!("S9: a lease is granted to {session:?}, which was not welcomed, or is over");
            };
            let lead = witness.told(cluster).and_then(|told| told.leader.as_ref());
            let leads = lead.is_some_and(|lead| lead.session == *session && lead.inventoried);
            assert!(leads, "S9: a lease is granted to {cluster} before its inventory");
            let accepted = lead.map(|lead| lead.accepted);
            let unknown =
                given_up.iter().find(|((_, name), known)| name == cluster && Some(**known) > accepted);
            assert!(
                unknown.is_none(),
                "S9: a lease is granted to {cluster}, which does not know that {unknown:?} was given up"
            );
            self.granted.insert(cluster.clone(), now);
        }
    }

    /// What counts as gone after a step, since it ends by itself: its time has passed. What was not `bounded` before it was
    /// not written down: the hub may have known all along that less may run.
    pub(super) fn ended(
        &self,
        records: &Records,
        effects: &[Effect],
        (seats, bounded): (&[SeatChange], &BTreeSet<Uid>),
        (wait, now): (u64, u64),
    ) -> Ended {
        let fenced = effects.iter().filter_map(|effect| match effect {
            Effect::Put(Record::Journal(entry)) if &*entry.reason == "ClusterFenced" => Some(&entry.subject),
            Effect::Put(_) | Effect::Delete(_) => None,
            Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => None,
        });
        let mut ended = Ended::new();
        for subject in fenced {
            let seats = seats.iter().filter(|seat| seat.cluster.as_str() == &**subject);
            let seats = seats.filter(|seat| seat.before.supervised || bounded.contains(&seat.workload));
            for seat in seats.filter(|seat| seat.before.may_run > 0 && seat.after.may_run == 0) {
                let SeatChange { workload, cluster, before, .. } = seat;
                assert!(before.supervised, "S9: what {cluster} runs of {workload} ends by nothing");
                assert!(
                    is_gated(records, *workload),
                    "S9: {workload} in {cluster} counts as gone without a word"
                );
                let last = self.granted.get(cluster).copied().unwrap_or_default().max(self.started);
                assert!(
                    now + 1 + wait / 1_000 >= last + wait,
                    "S9: {workload} in {cluster} counts as gone {} ms after its last lease, not {wait}",
                    now - last
                );
                ended.insert((*workload, cluster.clone()));
            }
        }
        ended
    }
}

/// What counts as gone must have ended.
pub(super) fn check_ended(records: &Records, members: &[Member], (uid, cluster): &(Uid, ClusterName)) {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(*uid)) else { return };
    let id = &workload.spec.id;
    let processes = members.iter().filter(|member| member.name == *cluster);
    let processes: u32 = processes.map(|member| member.running(id, *uid)).sum();
    assert!(processes == 0, "S9: {processes} of {id} run in {cluster}, where they count as gone");
}

/// A process starts in a member. What was given up there may start again only after its agent has accepted rows that say
/// so: then they said that more is wanted since.
pub(super) fn check_start(given_up: &mut GivenUp, member: &Member, id: &WorkloadId, life: Uid) {
    let key = (life, member.name.clone());
    let Some(known_from) = given_up.get(&key) else { return };
    let held = member.fence.as_ref().map(|fence| fence.record.fence.generation);
    assert!(
        held >= Some(*known_from),
        "S9: a process of {id} starts in {}, which does not know that it was given up",
        member.name
    );
    given_up.remove(&key);
}

/// A cluster that leaves, or is built anew under its name, takes with it what was given up there: what bears the name after
/// that never ran it.
pub(super) fn leave(given_up: &mut GivenUp, records: &Records, effects: &[Effect]) {
    for effect in effects {
        let left = match effect {
            Effect::Delete(Key::Cluster(name)) => name,
            Effect::Put(Record::Cluster(after)) => match records.get(&Key::Cluster(after.name.clone())) {
                Some(Record::Cluster(before)) if before.uid != after.uid => &after.name,
                Some(_) | None => continue,
            },
            Effect::Put(_) | Effect::Delete(_) => continue,
            Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => continue,
        };
        given_up.retain(|(_, cluster), _| cluster != left);
    }
}

/// A hub starts: what a step gave up that was never durable, nobody has given up.
pub(super) fn restart(given_up: &mut GivenUp, store: &Records) {
    given_up.retain(|(_, cluster), known| {
        let record = store.get(&Key::Cluster(cluster.clone()));
        matches!(record, Some(Record::Cluster(record)) if record.generation >= *known)
    });
}

fn is_gated(records: &Records, uid: Uid) -> bool {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else { return false };
    let policy = records.get(&Key::Policy(workload.policy.clone()));
    matches!(policy, Some(Record::Policy(policy)) if policy.placement.motion.fencing() == Some(Fencing::Gate))
}
