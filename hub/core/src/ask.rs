//! One question to the planner: what each cluster may take of a workload, and the answer with its reasons. The same
//! code answers for a dry run and for the real thing (S30).

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_planner::{Barrier, Bound, Candidate, ClusterRoom, Division, Growth, Room, Scratch, divide, tie};

use crate::contract::{ClusterState, PlanRowView, Policy, WorkloadSpec};
use crate::hub::Hub;
use crate::state::{Cluster, SeatState};

/// How many clusters a reason names before it counts the rest.
const NAMED_MAX: usize = 5;

/// The question.
pub(crate) struct Ask<'a> {
    pub(crate) spec: &'a WorkloadSpec,
    pub(crate) policy: &'a Policy,
    /// What each cluster holds of it; nothing for a workload that is yet to be created.
    pub(crate) seats: &'a BTreeMap<ClusterName, SeatState>,
}

/// The answer.
#[derive(Debug, Clone, Default)]
pub(crate) struct Outcome {
    /// Of every cluster that the policy chooses or that holds some, in order of name.
    pub(crate) counts: Vec<Count>,
    pub(crate) pending: u32,
    pub(crate) reasons: Vec<Arc<str>>,
}

/// What one cluster holds, and what it is to hold.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) cluster: ClusterName,
    pub(crate) before: u32,
    pub(crate) after: u32,
}

/// The room of the clusters that a batch has looked at, less what the batch has given away (S15). One entry for each
/// cluster of the federation, in order of name.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Vec<Option<ClusterRoom>>);

impl Hub {
    /// Asks the planner. What the answer takes is taken from the rooms.
    pub(crate) fn ask(&self, ask: &Ask<'_>, moves: u32, rooms: &mut Rooms, scratch: &mut Scratch) -> Outcome {
        let (candidates, places) = self.candidates(ask, rooms);
        let mut outcome = match ask.spec.stateful {
            true => whole(ask, &candidates).0,
            false => divided(&divide(ask.spec.replicas, moves, &candidates, scratch), &candidates),
        };
        for (count, (place, occupied)) in outcome.counts.iter().zip(places) {
            rooms.take(place, ask, count.after.saturating_sub(occupied));
        }
        if outcome.pending > 0 && candidates.is_empty() {
            let reason = match self.clusters.is_empty() {
                true => "no cluster has joined the federation yet",
                false => "the policy chooses none of the clusters",
            };
            outcome.reasons.push(reason.into());
        }
        outcome
    }

    /// The same question, and what decided each cluster's number. With nothing to move for balance, that is the plan in
    /// force and its reasons.
    pub(crate) fn explain(&self, ask: &Ask<'_>) -> Vec<PlanRowView> {
        let (candidates, _) = self.candidates(ask, &mut Rooms::default());
        if ask.spec.stateful {
            return whole(ask, &candidates).1;
        }
        let mut scratch = Scratch::default();
        let division = divide(ask.spec.replicas, 0, &candidates, &mut scratch);
        let reason = |index| division.bound(index).map_or_else(String::new, |bound| bound.to_string());
        let counts = division.counts.iter().copied();
        candidates
            .iter()
            .zip(counts)
            .enumerate()
            .map(|(index, (candidate, count))| row(candidate, count, reason(index)))
            .collect()
    }

    /// Every cluster that the policy chooses or that holds some; beside it, its place in the rooms, and for how many
    /// copies there is, or must be, room there already.
    fn candidates<'a>(&'a self, ask: &Ask<'a>, rooms: &mut Rooms) -> (Vec<Candidate<'a>>, Vec<(usize, u32)>) {
        rooms.0.resize_with(self.clusters.len(), || None);
        let (mut candidates, mut places) = (Vec::new(), Vec::new());
        // Both in order of name: one walk finds every seat.
        let mut seats = ask.seats.iter().peekable();
        for (place, (name, cluster)) in self.clusters.iter().enumerate() {
            while seats.next_if(|(seat, _)| *seat < name).is_some() {}
            let seat = seats.next_if(|(seat, _)| *seat == name).map(|(_, seat)| seat);
            let rule = ask.policy.placement.rule_for(name);
            let held = seat.map_or(0, |seat| seat.seat.placed);
            let data = ask.spec.stateful && seat.is_some_and(|seat| seat.data().is_some());
            if rule.is_none() && held == 0 && !data {
                continue;
            }
            let fit = rooms.at(place, self, cluster).fits(&ask.spec.pod, ask.spec.replicas);
            let occupied = seat.map_or(0, SeatState::occupied);
            places.push((place, occupied));
            candidates.push(Candidate {
                cluster: name,
                rule,
                held,
                room: Room::beside(occupied, fit.replicas, fit.scarce),
                growth: growth(cluster, ask.policy),
                tie: tie(Some(&ask.spec.id), name),
            });
        }
        (candidates, places)
    }
}

impl Rooms {
    /// The room of a cluster, looked at when first asked for.
    fn at(&mut self, place: usize, hub: &Hub, cluster: &Cluster) -> &mut ClusterRoom {
        self.0[place].get_or_insert_with(|| room_left(hub, cluster))
    }

    fn take(&mut self, place: usize, ask: &Ask<'_>, replicas: u32) {
        if let Some(Some(room)) = self.0.get_mut(place)
            && replicas > 0
        {
            room.take(&ask.spec.pod, replicas);
        }
    }
}

/// What a cluster reported as free, less what is on its way there already.
fn room_left(hub: &Hub, cluster: &Cluster) -> ClusterRoom {
    let name = &cluster.record.name;
    let Some(capacity) = &cluster.capacity else { return ClusterRoom::default() };
    let mut room = ClusterRoom::new(capacity.classes.iter().cloned());
    for (uid, replicas) in &cluster.on_the_way {
        let Some(workload) = hub.workloads.get(uid) else {
            continue;
        };
        let taken = room.take(workload.shape(), *replicas);
        let stuck = workload.seats.get(name).map_or(0, SeatState::unschedulable);
        // Replicas of several sizes may need all that is left to find their places, unless it is known that they
        // find none.
        if taken < replicas.saturating_sub(stuck) {
            room = ClusterRoom::default();
        }
    }
    room
}

/// Whether a cluster may get more of what is under this policy.
fn growth(cluster: &Cluster, policy: &Policy) -> Growth {
    if cluster.lost_for(policy.lost_after) {
        return Growth::Excluded(Barrier::Lost);
    }
    match cluster.health.state {
        ClusterState::Ready if cluster.reporting() => Growth::Allowed,
        ClusterState::Ready | ClusterState::Unknown | ClusterState::Joining | ClusterState::Returning => {
            Growth::Closed(Barrier::Inventory)
        }
        ClusterState::Suspect | ClusterState::Lost => Growth::Closed(Barrier::Suspect),
    }
}

fn divided(division: &Division<'_>, candidates: &[Candidate<'_>]) -> Outcome {
    let counts =
        candidates.iter().zip(division.counts).map(|(candidate, after)| count(candidate, *after)).collect();
    let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate().filter(|_| division.pending > 0) {
        if let Some(Bound::Cap(cap)) = division.bound(index) {
            caps.entry(cap.to_string()).or_default().push(candidate.cluster);
        }
    }
    let reasons = caps.into_iter().map(|(cap, names)| format!("{}: {cap}", listed(&names)).into()).collect();
    Outcome { counts, pending: division.pending, reasons }
}

/// A stateful workload stays whole in one cluster, where its data is, and does not move by itself (S32).
fn whole(ask: &Ask<'_>, candidates: &[Candidate<'_>]) -> (Outcome, Vec<PlanRowView>) {
    let wanted = ask.spec.replicas;
    let data = |candidate: &Candidate<'_>| ask.seats.get(candidate.cluster).and_then(SeatState::data);
    let home = candidates.iter().filter(|candidate| data(candidate).is_some());
    let home = home.max_by_key(|candidate| data(candidate)).or_else(|| choose(wanted, candidates));
    let (mut outcome, mut report) = (Outcome { pending: wanted, ..Outcome::default() }, Vec::new());
    for candidate in candidates {
        let mut reason = "a stateful workload stays whole in one cluster (S32)".to_owned();
        let mut after = 0;
        if home.is_some_and(|home| home.cluster == candidate.cluster) {
            (after, reason) = at_home(wanted, candidate);
            outcome.pending = wanted - after;
            if outcome.pending > 0 {
                outcome.reasons.push(format!("{}: {reason}", candidate.cluster).into());
            }
        }
        report.push(row(candidate, after, reason));
        outcome.counts.push(count(candidate, after));
    }
    if home.is_none() && wanted > 0 && !candidates.is_empty() {
        let reason = format!(
            "no single cluster has room for all {wanted} replicas: a stateful workload is not divided (S32)"
        );
        outcome.reasons.push(reason.into());
    }
    (outcome, report)
}

fn count(candidate: &Candidate<'_>, after: u32) -> Count {
    Count { cluster: candidate.cluster.clone(), before: candidate.held, after }
}

/// The home of a new stateful workload: the heaviest cluster that can take all of it.
fn choose<'c, 'a>(wanted: u32, candidates: &'c [Candidate<'a>]) -> Option<&'c Candidate<'a>> {
    let takes_all = |candidate: &&Candidate<'_>| {
        let allowed = candidate.growth == Growth::Allowed;
        let maximum = candidate
            .rule
            .is_some_and(|rule| rule.weight() > 0 && rule.max().is_none_or(|max| max >= wanted));
        allowed && maximum && room_of(candidate) >= wanted
    };
    let weight = |candidate: &Candidate<'_>| candidate.rule.map_or(0, |rule| rule.weight());
    candidates
        .iter()
        .filter(takes_all)
        .min_by_key(|candidate| (std::cmp::Reverse(weight(candidate)), candidate.tie, candidate.cluster))
}

/// How many of a stateful workload run in the cluster that holds its data, and why.
fn at_home(wanted: u32, home: &Candidate<'_>) -> (u32, String) {
    match &home.growth {
        Growth::Allowed => (wanted.min(room_of(home)), "its data is here".into()),
        Growth::Closed(barrier) => (wanted.min(home.held), format!("gets nothing new: {barrier}")),
        Growth::Excluded(barrier) => {
            (0, format!("its data is here and the cluster is {barrier}: it does not move by itself (S32)"))
        }
    }
}

fn room_of(candidate: &Candidate<'_>) -> u32 {
    match &candidate.room {
        Room::Unlimited => u32::MAX,
        Room::Limited { replicas, .. } => *replicas,
    }
}

fn row(candidate: &Candidate<'_>, replicas: u32, reason: String) -> PlanRowView {
    let rule = candidate.rule.unwrap_or_default();
    let room = match &candidate.room {
        Room::Unlimited => None,
        Room::Limited { replicas, .. } => Some(*replicas),
    };
    PlanRowView {
        cluster: candidate.cluster.clone(),
        eligible: candidate.rule.is_some() && !matches!(candidate.growth, Growth::Excluded(_)),
        weight: rule.weight(),
        min: rule.min(),
        max: rule.max(),
        room,
        replicas,
        reason,
    }
}

fn listed(names: &[&ClusterName]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
