//! Where what leaves a drained cluster may go, if its drain says so: `godwit drain --to` (S20). It binds no more replicas
//! than leave because of that drain: what is lost, or wanted beyond them, goes wherever its policy lets it (S22).

use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_common::policy::{ClusterSelector, Strategy};
use godwit_planner::{Barrier, Candidate, Growth};

use crate::ask::{Allowance, Ask, Outcome, Site};
use crate::batch::{Batch, Place};

/// What of a workload goes to certain clusters only.
#[derive(Debug)]
pub(crate) struct Bound<'h> {
    /// The drains that say so, and where to; any of them will do.
    drains: Vec<(&'h ClusterName, &'h ClusterSelector)>,
    /// Which places these are, by number.
    goes: Vec<bool>,
    /// How many replicas.
    replicas: u32,
}

/// How one plan heeds that.
#[derive(Debug, Default)]
pub(crate) struct Heeded {
    /// Replicas that are left for the next plan, since what is not bound comes first.
    left: u32,
}

impl<'h> Bound<'h> {
    /// What of a workload is bound; none in all but few plans.
    pub(crate) fn of(batch: &Batch<'h>, ask: &Ask<'_>) -> Option<Self> {
        let placement = &ask.policy.placement;
        // Neither moves: each cluster has the full number, and data stays where it is (S32).
        let everywhere = placement.strategy == Strategy::Duplicate && !ask.spec.is_whole(placement);
        if everywhere || ask.spec.is_pinned(placement) {
            return None;
        }
        let (mut drains, mut leaving, mut left) = (Vec::new(), 0_u32, 0_u32);
        for index in &batch.directed {
            let Place { name, cluster, .. } = batch.places.get(*index)?;
            let to = cluster.record.drain.as_ref().and_then(|drain| drain.to.as_ref());
            let (Some(to), Some(seat)) = (to, ask.seats.get(*name)) else { continue };
            // If it is lost, it is a drain no longer (S22).
            if seat.left() == 0 || cluster.lost_for(ask.policy.lost_after) {
                continue;
            }
            drains.push((*name, to));
            leaving = leaving.saturating_add(seat.seat.placed);
            left = left.saturating_add(seat.seat.target.saturating_sub(seat.seat.placed));
        }
        let record = ask.uid.and_then(|uid| batch.hub.workloads.get(&uid)).map(|workload| &workload.record);
        // What copies there stand in for: they leave when it has a place.
        let waiting = record.map_or(0, |record| record.pending).min(left);
        let replicas = leaving.saturating_add(waiting);
        let goes = |Place { name, cluster, .. }: &Place<'_>| {
            drains.iter().any(|(_, to)| to.matches(name, &cluster.record.traits))
        };
        let goes = batch.places.iter().map(goes).collect();
        // As long as copies are left, balance leads nowhere else either.
        (!drains.is_empty()).then_some(Self { drains, goes, replicas })
    }

    /// Keeps the growth of the candidates to where they may go, if nothing but what is bound is to be placed. Otherwise
    /// that comes first, and what is bound is left for the next plan.
    pub(crate) fn heed(
        &self,
        ask: &Ask<'_>,
        candidates: &mut [Candidate<'_>],
        sites: &[Site],
        allowance: &mut Allowance,
    ) -> Heeded {
        let stays = |candidate: &&Candidate<'_>| {
            candidate.rule.is_ok() && !matches!(candidate.growth, Growth::Excluded(_))
        };
        let kept: u32 = candidates.iter().filter(stays).map(|one| one.held).fold(0, u32::saturating_add);
        let free = ask.spec.replicas.saturating_sub(kept).saturating_sub(self.replicas);
        // What is not divided is not bound in part.
        if free == 0 || ask.spec.is_whole(&ask.policy.placement) {
            self.restrict(candidates, sites);
            return Heeded::default();
        }
        let (before, after) = (allowance.at_most.min(ask.spec.replicas), kept.saturating_add(free));
        if after >= before {
            return Heeded::default();
        }
        *allowance = Allowance { at_most: after, reason: Some(self.barrier().to_string().into()) };
        Heeded { left: before - after }
    }

    fn restrict(&self, candidates: &mut [Candidate<'_>], sites: &[Site]) {
        for (candidate, site) in candidates.iter_mut().zip(sites) {
            let goes = self.goes.get(site.place).copied().unwrap_or(false);
            if !goes && candidate.growth == Growth::Allowed {
                candidate.growth = Growth::Closed(self.barrier());
            }
        }
    }

    fn barrier(&self) -> Barrier {
        let joined = |texts: Vec<String>| -> Arc<str> { texts.join(" or ").into() };
        let from = joined(self.drains.iter().map(|(name, _)| name.to_string()).collect());
        let to = joined(self.drains.iter().map(|(_, to)| to.to_string()).collect());
        Barrier::Directed { from, to }
    }
}

impl Heeded {
    /// What was left for the next plan is withheld by nobody.
    pub(crate) fn settle(self, outcome: &mut Outcome) {
        outcome.withheld = outcome.withheld.saturating_sub(self.left);
        outcome.unfinished = self.left > 0 && !outcome.counts.is_empty();
    }
}

impl Batch<'_> {
    /// The places, by their numbers, of the clusters whose drains say where what leaves may go.
    pub(crate) fn directed(places: &[Place<'_>]) -> Vec<usize> {
        let directs = |place: &Place<'_>| {
            let drain = place.cluster.record.drain.as_ref();
            drain.is_some_and(|drain| drain.to.is_some() && !drain.state.is_empty())
        };
        places.iter().enumerate().filter(|(_, place)| directs(place)).map(|(index, _)| index).collect()
    }
}
