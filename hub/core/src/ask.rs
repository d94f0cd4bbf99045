//! One question to the planner: what each cluster may take of a workload, and the answer with its reasons. The same
//! code answers for a dry run and for the real thing (S30).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::policy::{Rebalance, Rule};
use godwit_common::{ClusterName, Uid, WorkloadId};
use godwit_planner::{
    Barrier, Bound, Candidate, Cap, Demand, Division, Growth, Room, Scratch, bounds, divide,
};

use crate::batch::Batch;
use crate::bonds::Bonds;
use crate::candidates::{candidates, outsider};
use crate::contract::{PlanRowView, Policy, WorkloadRecord, WorkloadSpec, Yield};
use crate::destinations;
use crate::missing::Filled;
use crate::returns::Back;
use crate::state::{Data, SeatState, Workload};
use crate::volumes::Stuck;
use crate::whole::whole;

/// How many clusters a reason names before it counts the rest.
const NAMED_MAX: usize = 5;

/// The question.
#[derive(Clone, Copy)]
pub(crate) struct Ask<'a> {
    pub(crate) spec: &'a WorkloadSpec,
    pub(crate) policy: &'a Policy,
    /// Whose plan it is.
    pub(crate) workload: &'a Workload,
    /// What each cluster holds of it; nothing for a workload that is yet to be created.
    pub(crate) seats: &'a BTreeMap<ClusterName, SeatState>,
    /// Its life, if it has one.
    pub(crate) uid: Option<Uid>,
    /// The workload whose clusters it shares.
    pub(crate) leader: Option<&'a WorkloadId>,
    /// What it has given up for others.
    pub(crate) yielded: Option<&'a BTreeMap<ClusterName, Yield>>,
    /// Whether the share of a cluster that has not said yet whether it has what is needed is kept for it.
    pub(crate) patient: bool,
    /// What a cluster is to have again, ahead of others that hold it.
    pub(crate) back: Option<Back<'a>>,
    /// Whether the answer says what decided each cluster's number.
    pub(crate) report: bool,
}

/// The answer.
#[derive(Debug, Clone, Default, PartialEq)]
pub(crate) struct Outcome {
    /// Where the plan changes, in order of name.
    pub(crate) counts: Vec<Count>,
    /// What was divided: the total, times the chosen clusters under `duplicate`.
    pub(crate) wanted: u32,
    pub(crate) pending: u32,
    /// Of the pending ones, those that a quota does not let run.
    pub(crate) withheld: u32,
    pub(crate) reasons: Vec<Arc<str>>,
    /// Under a policy that rebalances: for want of room, or of a cluster, this is not the policy's own division.
    pub(crate) cramped: bool,
    /// Some are pending while a cluster has yet to be heard, or to bring its inventory.
    pub(crate) unheard: bool,
    /// Some of what is pending is so for want of room.
    pub(crate) roomless: bool,
    /// What decided each cluster's number, if that was asked.
    pub(crate) report: Vec<PlanRowView>,
    /// A part was left for the next plan, since this one comes first.
    pub(crate) unfinished: bool,
}

/// What one cluster holds, and what it is to hold.
#[derive(Debug, Clone, PartialEq, Eq)]
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

/// A candidate's place in the batch, and for how many copies there is, or must be, room there already.
pub(crate) struct Site {
    pub(crate) place: usize,
    /// What it holds, whatever the planner is told.
    pub(crate) held: u32,
    pub(crate) occupied: u32,
    /// Why its data is taken to be there, if it is.
    pub(crate) data: Option<Data>,
    /// Its share is kept for it, and given when this is no longer so.
    pub(crate) awaited: Option<Barrier>,
}

/// How many may be placed in all, and why no more.
pub(crate) struct Allowance {
    pub(crate) at_most: u32,
    pub(crate) reason: Option<Arc<str>>,
}

impl<'a> Ask<'a> {
    /// The question about a workload as it is, under the policy given.
    pub(crate) fn of(workload: &'a Workload, policy: &'a Policy) -> Self {
        let WorkloadRecord { uid, spec, leader, yielded, .. } = &workload.record;
        let (uid, leader, yielded) = (Some(*uid), leader.as_ref(), Some(yielded));
        let patient = workload.asks_until.is_some();
        Self {
            spec,
            policy,
            workload,
            seats: &workload.seats,
            uid,
            leader,
            yielded,
            patient,
            back: None,
            report: false,
        }
    }
}

impl Shares {
    /// Keeps shares for clusters that are to say first whether they have what is needed: were they left out until then,
    /// whoever answers first would get everything.
    fn withhold(&mut self, candidates: &[Candidate<'_>], sites: &[Site]) {
        let Self { counts, outcome } = self;
        let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
        for (index, (candidate, site)) in candidates.iter().zip(sites).enumerate() {
            let Some(barrier) = &site.awaited else { continue };
            let Some(count) = counts.get_mut(index).filter(|count| **count > candidate.held) else {
                continue;
            };
            outcome.pending += *count - candidate.held;
            *count = candidate.held;
            let bound = Bound::Cap(Cap::Closed(barrier.clone()));
            if let Some(row) = outcome.report.get_mut(index) {
                row.replicas = candidate.held;
                row.reason = bound.to_string();
                row.remedy = bound.remedy(candidate.cluster).unwrap_or_default();
            }
            caps.entry(bound.to_string()).or_default().push(candidate.cluster);
        }
        outcome.reasons.extend(said(caps));
    }
}

impl Batch<'_> {
    /// Asks the planner. What the answer takes is taken from the rooms and the quota.
    pub(crate) fn ask(&mut self, ask: &Ask<'_>, moves: u32, scratch: &mut Scratch) -> Outcome {
        self.prepare(ask.policy);
        let allowance = self.allowance(ask);
        let bonds = Bonds::of(self, ask);
        let bound = destinations::Bound::of(self, ask);
        let known = match &bound {
            None => self.fill_in(ask, moves, &bonds, &allowance),
            Some(_) => None,
        };
        let outcome = match known {
            Some(Filled { outcome, taken }) => {
                debug_assert_eq!(
                    outcome,
                    self.divide_all(ask, moves, &bonds, allowance, None, scratch).outcome
                );
                self.take(ask, taken);
                outcome
            }
            None => {
                let Filled { outcome, taken } =
                    self.divide_all(ask, moves, &bonds, allowance, bound, scratch);
                self.take(ask, taken);
                outcome
            }
        };
        self.spend(ask, &outcome.counts);
        self.note_planned(ask, &outcome.counts);
        outcome
    }

    /// Divides a workload over all clusters that its policy chooses, or that hold some.
    fn divide_all(
        &mut self,
        ask: &Ask<'_>,
        moves: u32,
        bonds: &Bonds,
        mut allowance: Allowance,
        bound: Option<destinations::Bound<'_>>,
        scratch: &mut Scratch,
    ) -> Filled {
        let (empty, spec) = (self.places.is_empty(), ask.spec);
        let (mut candidates, sites) = candidates(self, ask, bonds);
        let heeded = bound.map(|bound| bound.heed(ask, &mut candidates, &sites, &mut allowance));
        if let Some(back) = ask.back {
            give_back(ask, back, allowance.at_most, &mut candidates, &sites);
        }
        let mut shares = match spec.is_whole(&ask.policy.placement) {
            true => whole(ask, &candidates, &sites, &allowance),
            false => {
                let stuck = Stuck::of(ask, &mut candidates, &sites);
                let replicas = spec.replicas - stuck.replicas;
                let moves = if spec.is_pinned(&ask.policy.placement) { 0 } else { moves };
                let mut shares = divided(ask, (replicas, moves), &candidates, &allowance, scratch);
                stuck.add_to(&mut shares, &candidates);
                shares
            }
        };
        shares.withhold(&candidates, &sites);
        let Shares { counts, mut outcome } = shares;
        if outcome.pending > 0 && candidates.is_empty() {
            let reason = match empty {
                true => "no cluster has joined the federation yet",
                false => "the policy chooses none of the clusters",
            };
            outcome.reasons.push(reason.into());
        }
        let is_unheard =
            |one: &Candidate<'_>| matches!(one.growth, Growth::Closed(Barrier::Inventory | Barrier::Suspect));
        outcome.unheard = outcome.pending > 0 && candidates.iter().any(is_unheard);
        let mut taken = Vec::new();
        for ((candidate, after), site) in candidates.iter().zip(counts).zip(sites) {
            let before = site.held;
            if before != after {
                outcome.counts.push(Count { cluster: candidate.cluster.clone(), before, after });
                taken.push((site.place, after.saturating_sub(site.occupied)));
            }
        }
        heeded.unwrap_or_default().settle(&mut outcome);
        Filled { outcome, taken }
    }

    /// Takes the room of what was planned.
    fn take(&mut self, ask: &Ask<'_>, taken: Vec<(usize, u32)>) {
        for (place, replicas) in taken {
            self.stock.take(place, &ask.spec.pod, replicas);
        }
    }

    /// What decided each cluster's number. With nothing to move for balance, that is the plan in force and its reasons.
    /// Clusters that the policy does not choose have their rows, too.
    pub(crate) fn explain(&mut self, ask: &Ask<'_>) -> Vec<PlanRowView> {
        let mut rows = self.ask(&Ask { report: true, ..*ask }, 0, &mut Scratch::default()).report;
        let known: BTreeSet<ClusterName> = rows.iter().map(|row| row.cluster.clone()).collect();
        for place in self.places.iter().filter(|place| !known.contains(place.name)) {
            let rule = ask.policy.placement.choose(place.name, &place.cluster.record.traits);
            let Err(unchosen) = rule else { continue };
            let bound = Bound::Cap(Cap::Excluded(Barrier::Unchosen(unchosen)));
            let remedy = bound.remedy(place.name).unwrap_or_default();
            rows.push(row(&outsider(place.name, rule, 0), 0, bound.to_string(), remedy));
        }
        rows.sort_by(|a, b| a.cluster.cmp(&b.cluster));
        rows
    }

    fn allowance(&self, ask: &Ask<'_>) -> Allowance {
        let by_quota = self.by_quota(ask);
        let by_fence = self.by_fence(ask);
        // The one that binds has its say.
        if by_fence.at_most < by_quota.at_most { by_fence } else { by_quota }
    }

    /// How many replicas may be placed before old copies are fenced that nobody sees (S9).
    fn by_fence(&self, ask: &Ask<'_>) -> Allowance {
        let workload = ask.uid.and_then(|uid| self.hub.workloads.get(&uid));
        let free = Allowance { at_most: u32::MAX, reason: None };
        let Some(workload) = workload else { return free };
        let (unfenced, clusters) = self.hub.unfenced(workload);
        if unfenced == 0 {
            return free;
        }
        // What is placed where it is not lost is not taken away.
        let lost = |name: &ClusterName| {
            let cluster = self.hub.clusters.get(name);
            cluster.is_some_and(|cluster| cluster.lost_for(ask.policy.lost_after))
        };
        let placed = ask.seats.iter().filter(|(name, _)| !lost(name)).map(|(_, seat)| seat.seat.placed);
        let held = placed.fold(0, u32::saturating_add);
        // What moves at once starts when all of it is known to be gone.
        let unfenced_parts = match ask.spec.moves_at_once(&ask.policy.placement) {
            true => ask.spec.replicas,
            false => unfenced,
        };
        let at_most = ask.spec.replicas.saturating_sub(unfenced_parts).max(held);
        Allowance { at_most, reason: Some(self.hub.unfenced_because(workload, unfenced, &clusters)) }
    }

    fn by_quota(&self, ask: &Ask<'_>) -> Allowance {
        let held = u64::from(ask.workload.placed());
        match self.allowed(&ask.spec.id, &ask.spec.pod.requests, ask.uid, held) {
            None => Allowance { at_most: u32::MAX, reason: None },
            Some((replicas, what)) => {
                // What runs is not cut to a quota.
                let at_most = u32::try_from(replicas.max(held)).unwrap_or(u32::MAX);
                let reason = format!("quota of namespace {}: {what}", ask.spec.id.namespace);
                Allowance { at_most, reason: Some(reason.into()) }
            }
        }
    }
}

/// Lets a cluster that may grow hold what it is to have again, as if it did already, and keep it: what is too much then is
/// taken from the others, in the policy's own order. Their minimums, its maximum and its room come first.
fn give_back(ask: &Ask<'_>, back: Back<'_>, at_most: u32, candidates: &mut [Candidate<'_>], sites: &[Site]) {
    let Ok(index) = candidates.binary_search_by(|candidate| candidate.cluster.cmp(back.cluster)) else {
        return;
    };
    let minimum = |candidate: &Candidate<'_>| candidate.rule.map_or(0, |rule| rule.min().min(candidate.held));
    let others = candidates.iter().enumerate().filter(|(other, _)| *other != index);
    let needed = others.map(|(_, candidate)| minimum(candidate)).fold(0, u32::saturating_add);
    let (Some(candidate), Some(site)) = (candidates.get_mut(index), sites.get(index)) else { return };
    let Ok(rule) = candidate.rule else { return };
    if candidate.growth != Growth::Allowed || site.awaited.is_some() {
        return;
    }
    candidate.held = candidate.held.saturating_add(back.replicas);
    // Groups of clusters have no minimums: there the emptiest keep what they have.
    if ask.policy.placement.strategy.constraints().is_empty() {
        let all = ask.spec.replicas.min(at_most);
        let kept = candidate.held.min(all.saturating_sub(needed)).min(rule.max().unwrap_or(u32::MAX));
        let rule = Rule::new(rule.weight(), rule.min().max(kept), rule.max());
        candidate.rule = rule.map_or(candidate.rule, Ok);
    }
}

fn divided(
    ask: &Ask<'_>,
    (replicas, moves): (u32, u32),
    candidates: &[Candidate<'_>],
    allowance: &Allowance,
    scratch: &mut Scratch,
) -> Shares {
    let demand =
        Demand { replicas, at_most: allowance.at_most, moves, strategy: &ask.policy.placement.strategy };
    let division = divide(&demand, candidates, scratch);
    let rebalances = ask.policy.placement.rebalance != Rebalance::Never;
    let short = division.pending - division.withheld;
    let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
    let (mut cramped, mut roomless) = (false, false);
    // Most plans are neither short of room nor in search of balance: for them nobody asks what decided each number.
    if rebalances || short > 0 {
        for (index, candidate) in candidates.iter().enumerate() {
            if let Some(cap) = division.cap(index) {
                cramped |= rebalances && may_pass(&cap);
                roomless |= short > 0 && matches!(cap, Cap::Room(_));
                caps.entry(cap.to_string()).or_default().push(candidate.cluster);
            }
        }
    }
    let (wanted, pending, withheld) = (division.wanted, division.pending, division.withheld);
    let mut reasons: Vec<Arc<str>> = match short {
        0 => Vec::new(),
        _ => said(caps),
    };
    reasons.extend(allowance.reason.clone().filter(|_| withheld > 0));
    let report = if ask.report { report(&demand, &division, candidates) } else { Vec::new() };
    Shares {
        counts: division.counts.to_vec(),
        outcome: Outcome {
            wanted,
            pending,
            withheld,
            reasons,
            cramped,
            roomless,
            report,
            ..Outcome::default()
        },
    }
}

/// Whether what keeps a cluster from getting more may end without anybody asking for it.
fn may_pass(cap: &Cap) -> bool {
    match cap {
        Cap::Room(_) | Cap::Closed(_) | Cap::Fallback | Cap::MinGroups => true,
        Cap::Excluded(barrier) => !matches!(barrier, Barrier::Unchosen(_)),
        Cap::Maximum | Cap::ZeroWeight | Cap::Skew | Cap::MaxGroups | Cap::NoGroup => false,
    }
}

fn report(demand: &Demand<'_>, division: &Division<'_>, candidates: &[Candidate<'_>]) -> Vec<PlanRowView> {
    let rows = candidates.iter().zip(division.counts).zip(bounds(demand, candidates, division));
    rows.map(|((candidate, count), bound)| {
        let remedy = bound.remedy(candidate.cluster);
        row(candidate, *count, bound.to_string(), remedy.unwrap_or_default())
    })
    .collect()
}

/// One cluster's row of a report.
pub(crate) fn row(candidate: &Candidate<'_>, replicas: u32, reason: String, remedy: String) -> PlanRowView {
    let rule = candidate.rule.unwrap_or_default();
    let room = match &candidate.room {
        Room::Unlimited => None,
        Room::Limited { replicas, .. } => Some(*replicas),
    };
    PlanRowView {
        cluster: candidate.cluster.clone(),
        eligible: candidate.rule.is_ok() && !matches!(candidate.growth, Growth::Excluded(_)),
        weight: rule.weight(),
        min: rule.min(),
        max: rule.max(),
        room,
        replicas,
        reason,
        remedy,
    }
}

/// The reasons why clusters do not take more, those of equal reason together.
pub(crate) fn said(caps: BTreeMap<String, Vec<&ClusterName>>) -> Vec<Arc<str>> {
    caps.into_iter().map(|(cap, names)| format!("{}: {cap}", listed(&names)).into()).collect()
}

/// So many names of clusters as a reason has, and how many more there are.
pub(crate) fn listed(names: &[&ClusterName]) -> String {
    let named: Vec<&str> = names.iter().take(NAMED_MAX).map(|name| name.as_str()).collect();
    match names.len().saturating_sub(NAMED_MAX) {
        0 => named.join(", "),
        more => format!("{} and {more} more", named.join(", ")),
    }
}
