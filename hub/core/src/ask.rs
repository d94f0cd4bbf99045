//! One question to the planner: what each cluster may take of a workload, and the answer with its reasons. The same
//! code answers for a dry run and for the real thing (S30).

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_planner::{
    Barrier, Bound, Candidate, Cap, ClusterRoom, Growth, Rebalance, Room, Scratch, divide, tie,
};

use crate::contract::{ClusterState, PlanRowView, Policy, WorkloadSpec};
use crate::hub::Hub;
use crate::state::{Cluster, SeatState};
use crate::whole::whole;

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
    /// Where the plan changes, in order of name.
    pub(crate) counts: Vec<Count>,
    /// What was divided: the total, times the chosen clusters under `duplicate`.
    pub(crate) wanted: u32,
    pub(crate) pending: u32,
    pub(crate) reasons: Vec<Arc<str>>,
    /// Under a policy that rebalances: for want of room, or of a cluster, this is not the policy's own division.
    pub(crate) cramped: bool,
}

/// What one cluster holds, and what it is to hold.
#[derive(Debug, Clone)]
pub(crate) struct Count {
    pub(crate) cluster: ClusterName,
    pub(crate) before: u32,
    pub(crate) after: u32,
}

/// The count of each candidate, and the rest of the answer.
pub(crate) struct Shares {
    pub(crate) counts: Vec<u32>,
    pub(crate) outcome: Outcome,
}

/// The room of the clusters that a batch has looked at, less what the batch has given away (S15). One entry for each
/// cluster of the federation, in order of name.
#[derive(Debug, Default)]
pub(crate) struct Rooms(Vec<Option<ClusterRoom>>);

impl Hub {
    /// Asks the planner. What the answer takes is taken from the rooms.
    pub(crate) fn ask(&self, ask: &Ask<'_>, moves: u32, rooms: &mut Rooms, scratch: &mut Scratch) -> Outcome {
        let (candidates, places) = self.candidates(ask, rooms);
        let Shares { counts, mut outcome } = match ask.spec.stateful {
            true => whole(ask, &candidates).0,
            false => divided(ask, moves, &candidates, scratch),
        };
        for ((candidate, after), (place, occupied)) in candidates.iter().zip(counts).zip(places) {
            let before = candidate.held;
            if before != after {
                outcome.counts.push(Count { cluster: candidate.cluster.clone(), before, after });
                rooms.take(place, ask, after.saturating_sub(occupied));
            }
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
            let (shares, reasons) = whole(ask, &candidates);
            let rows = candidates.iter().zip(shares.counts).zip(reasons);
            return rows.map(|((candidate, count), reason)| row(candidate, count, reason)).collect();
        }
        let mut scratch = Scratch::default();
        let strategy = &ask.policy.placement.strategy;
        let division = divide(ask.spec.replicas, 0, strategy, &candidates, &mut scratch);
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
        let limit = ask.policy.placement.strategy.room_that_matters(ask.spec.replicas);
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
            let fit = rooms.at(place, self, cluster).fits(&ask.spec.pod, limit);
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
pub(crate) fn room_left(hub: &Hub, cluster: &Cluster) -> ClusterRoom {
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

fn divided(ask: &Ask<'_>, moves: u32, candidates: &[Candidate<'_>], scratch: &mut Scratch) -> Shares {
    let strategy = &ask.policy.placement.strategy;
    let division = divide(ask.spec.replicas, moves, strategy, candidates, scratch);
    let rebalances = ask.policy.placement.rebalance != Rebalance::Never;
    let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
    let mut cramped = false;
    // Most plans are neither short of room nor in search of balance: for them nobody asks what decided each number.
    if rebalances || division.pending > 0 {
        for (index, candidate) in candidates.iter().enumerate() {
            if let Some(Bound::Cap(cap)) = division.bound(index) {
                cramped |= rebalances && may_pass(&cap);
                caps.entry(cap.to_string()).or_default().push(candidate.cluster);
            }
        }
    }
    let (wanted, pending) = (division.wanted, division.pending);
    let reasons = match pending {
        0 => Vec::new(),
        _ => caps.into_iter().map(|(cap, names)| format!("{}: {cap}", listed(&names)).into()).collect(),
    };
    Shares {
        counts: division.counts.to_vec(),
        outcome: Outcome { wanted, pending, reasons, cramped, ..Outcome::default() },
    }
}

/// Whether what keeps a cluster from getting more may end without anybody asking for it.
fn may_pass(cap: &Cap) -> bool {
    match cap {
        Cap::Room(_) | Cap::Closed(_) => true,
        Cap::Excluded(barrier) => *barrier != Barrier::Policy,
        Cap::Maximum | Cap::ZeroWeight | Cap::Skew => false,
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
