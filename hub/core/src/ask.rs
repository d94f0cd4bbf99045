//! One question to the planner: what each cluster may take of a workload, and the answer with its reasons. The same
//! code answers for a dry run and for the real thing (S30).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_planner::{Barrier, Bound, Candidate, ClusterRoom, Growth, Ledger, Room, Scratch, divide, tie};

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
    /// Of every cluster that the policy chooses or that holds some.
    pub(crate) counts: BTreeMap<ClusterName, u32>,
    pub(crate) pending: u32,
    pub(crate) reasons: Vec<Arc<str>>,
    /// What decided, by cluster.
    pub(crate) report: Vec<PlanRowView>,
}

/// The room of the clusters that a batch has looked at, less what the batch has given away (S15).
#[derive(Debug, Default)]
pub(crate) struct Rooms {
    ledger: Ledger,
    known: BTreeSet<ClusterName>,
}

impl Hub {
    /// Asks the planner. What the answer takes is taken from the rooms.
    pub(crate) fn ask(&self, ask: &Ask<'_>, moves: u32, rooms: &mut Rooms, scratch: &mut Scratch) -> Outcome {
        let candidates = self.candidates(ask, rooms);
        let wanted = ask.spec.replicas;
        let mut outcome = match ask.spec.stateful {
            true => whole(ask, &candidates),
            false => divided(wanted, moves, &candidates, scratch),
        };
        for candidate in &candidates {
            let count = outcome.counts.get(candidate.cluster).copied().unwrap_or(0);
            let occupied = ask.seats.get(candidate.cluster).map_or(0, SeatState::occupied);
            rooms.ledger.take(candidate.cluster, &ask.spec.pod, count.saturating_sub(occupied));
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

    fn candidates<'a>(&'a self, ask: &Ask<'a>, rooms: &mut Rooms) -> Vec<Candidate<'a>> {
        let mut candidates = Vec::new();
        for (name, cluster) in &self.clusters {
            let seat = ask.seats.get(name);
            let rule = ask.policy.placement.rule_for(name);
            let held = seat.map_or(0, |seat| seat.seat.placed);
            let runs = seat.is_some_and(|seat| seat.seat.target > 0);
            if rule.is_none() && held == 0 && !(ask.spec.stateful && runs) {
                continue;
            }
            rooms.look_at(self, cluster);
            let fit = rooms.ledger.fits(name, &ask.spec.pod, ask.spec.replicas);
            candidates.push(Candidate {
                cluster: name,
                rule,
                held,
                room: Room::beside(seat.map_or(0, SeatState::occupied), fit.replicas, fit.scarce),
                growth: growth(cluster, ask.policy),
                tie: tie(Some(&ask.spec.id), name),
            });
        }
        candidates
    }
}

impl Rooms {
    /// What a cluster reported as free, less what is on its way there already.
    fn look_at(&mut self, hub: &Hub, cluster: &Cluster) {
        let name = &cluster.record.name;
        if !self.known.insert(name.clone()) {
            return;
        }
        let Some(capacity) = &cluster.capacity else { return };
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
        self.ledger.set(name.clone(), room);
    }
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

fn divided(wanted: u32, moves: u32, candidates: &[Candidate<'_>], scratch: &mut Scratch) -> Outcome {
    let division = divide(wanted, moves, candidates, scratch);
    let mut outcome = Outcome { pending: division.pending, ..Outcome::default() };
    let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
    for (index, candidate) in candidates.iter().enumerate() {
        let count = division.counts.get(index).copied().unwrap_or(0);
        let bound = division.bound(index);
        if division.pending > 0
            && let Some(Bound::Cap(cap)) = &bound
        {
            caps.entry(cap.to_string()).or_default().push(candidate.cluster);
        }
        let reason = bound.map_or_else(String::new, |bound| bound.to_string());
        outcome.report.push(row(candidate, count, reason));
        outcome.counts.insert(candidate.cluster.clone(), count);
    }
    outcome.reasons =
        caps.into_iter().map(|(cap, names)| format!("{}: {cap}", listed(&names)).into()).collect();
    outcome
}

/// A stateful workload stays whole in one cluster, where its data is, and does not move by itself (S32).
fn whole(ask: &Ask<'_>, candidates: &[Candidate<'_>]) -> Outcome {
    let wanted = ask.spec.replicas;
    let runs = |candidate: &&Candidate<'_>| {
        candidate.held > 0 || ask.seats.get(candidate.cluster).is_some_and(|seat| seat.seat.target > 0)
    };
    let home = candidates.iter().find(runs).or_else(|| choose(wanted, candidates));
    let mut outcome = Outcome { pending: wanted, ..Outcome::default() };
    for candidate in candidates {
        let mut reason = "a stateful workload stays whole in one cluster (S32)".to_owned();
        let mut count = 0;
        if home.is_some_and(|home| home.cluster == candidate.cluster) {
            (count, reason) = at_home(wanted, candidate);
            outcome.pending = wanted - count;
            if outcome.pending > 0 {
                outcome.reasons.push(format!("{}: {reason}", candidate.cluster).into());
            }
        }
        outcome.report.push(row(candidate, count, reason));
        outcome.counts.insert(candidate.cluster.clone(), count);
    }
    if home.is_none() && wanted > 0 && !candidates.is_empty() {
        let reason = format!(
            "no single cluster has room for all {wanted} replicas: a stateful workload is not divided (S32)"
        );
        outcome.reasons.push(reason.into());
    }
    outcome
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
