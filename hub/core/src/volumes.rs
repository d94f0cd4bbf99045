//! Data that is in a cluster and stays there: what runs beside it does not move when that cluster is lost or drained, unless
//! its policy says so (S32). Whoever says that the cluster is dead, or deletes it, gives its data up.

use std::fmt;

use godwit_common::policy::Strategy;
use godwit_planner::{Barrier, Bound, Candidate, Cap, Growth};

use crate::ask::{Ask, Shares, Site};
use crate::state::Data;

/// Replicas of a divided workload that stay where their data is, in clusters that may not run them now.
#[derive(Debug, Default)]
pub(crate) struct Stuck {
    /// How many in all.
    pub(crate) replicas: u32,
    /// Which candidates, how many there, and why.
    there: Vec<(usize, u32, Barrier)>,
}

impl Stuck {
    /// Finds them. A cluster that may run them again holds what it held.
    pub(crate) fn of(ask: &Ask<'_>, candidates: &mut [Candidate<'_>], sites: &[Site]) -> Self {
        let placement = &ask.policy.placement;
        let mut stuck = Self::default();
        // Where every cluster runs the full number, nothing moves to begin with.
        if !ask.spec.is_pinned(placement) || placement.strategy == Strategy::Duplicate {
            return stuck;
        }
        for (index, (candidate, site)) in candidates.iter_mut().zip(sites).enumerate() {
            if site.data.is_none_or(|data| data < Data::Runs) {
                continue;
            }
            match barrier(candidate) {
                Some(barrier) => {
                    let left = ask.spec.replicas.saturating_sub(stuck.replicas);
                    let replicas = site.occupied.min(left);
                    stuck.replicas += replicas;
                    stuck.there.push((index, replicas, barrier));
                }
                None if candidate.held == 0 => candidate.held = site.occupied,
                None => {}
            }
        }
        stuck
    }

    /// They are pending, and say why.
    pub(crate) fn add_to(self, shares: &mut Shares, candidates: &[Candidate<'_>]) {
        let outcome = &mut shares.outcome;
        outcome.wanted = outcome.wanted.saturating_add(self.replicas);
        outcome.pending = outcome.pending.saturating_add(self.replicas);
        for (index, replicas, barrier) in self.there {
            let Some(candidate) = candidates.get(index).filter(|_| replicas > 0) else { continue };
            let reason = stays(&barrier);
            outcome.reasons.push(format!("{}: {reason}", candidate.cluster).into());
            if let Some(row) = outcome.report.get_mut(index) {
                row.reason = reason;
                row.remedy = remedy(candidate, barrier);
            }
        }
    }
}

/// Why a candidate may hold nothing at all, if so.
fn barrier(candidate: &Candidate<'_>) -> Option<Barrier> {
    match (&candidate.growth, candidate.rule) {
        (Growth::Excluded(barrier), _) => Some(barrier.clone()),
        (Growth::Allowed | Growth::Closed(_), Err(unchosen)) => Some(Barrier::Unchosen(unchosen)),
        (Growth::Allowed | Growth::Closed(_), Ok(_)) => None,
    }
}

/// Why replicas are pending whose data is in a cluster that may not run them now.
pub(crate) fn stays(barrier: &impl fmt::Display) -> String {
    format!("volumes: its data is there and stays there, so it does not move ({barrier}; S32)")
}

/// What would let them run again: the cluster, or the policy.
pub(crate) fn remedy(candidate: &Candidate<'_>, barrier: Barrier) -> String {
    let policy = "data: replicated or data: disposable in the policy";
    let cluster = Bound::Cap(Cap::Excluded(barrier)).remedy(candidate.cluster);
    cluster.map_or_else(|| policy.to_owned(), |cluster| format!("{cluster}, or {policy}"))
}
