//! A stateful workload stays whole in one cluster, where its data is, and does not move by itself (S32).

use std::cmp::Reverse;

use godwit_common::policy::Strategy;
use godwit_planner::{Candidate, Growth};

use crate::ask::{Ask, Outcome, Shares, row};
use crate::state::SeatState;

/// Where a stateful workload is, and what decided that for each candidate.
pub(crate) fn whole(ask: &Ask<'_>, candidates: &[Candidate<'_>], at_most: u32) -> Shares {
    let wanted = ask.spec.replicas;
    let data = |candidate: &Candidate<'_>| ask.seats.get(candidate.cluster).and_then(SeatState::data);
    let home = candidates.iter().filter(|candidate| data(candidate).is_some());
    let home = home.max_by_key(|candidate| data(candidate)).or_else(|| choose(ask, candidates));
    let mut outcome = Outcome { wanted, pending: wanted, ..Outcome::default() };
    let mut counts = Vec::new();
    for candidate in candidates {
        let mut reason = "a stateful workload stays whole in one cluster (S32)".to_owned();
        let mut count = 0;
        if home.is_some_and(|home| home.cluster == candidate.cluster) {
            (count, reason) = at_home(wanted.min(at_most), candidate);
            outcome.pending = wanted - count;
            if outcome.pending > 0 && count == at_most {
                outcome
                    .reasons
                    .push(format!("the quota of namespace {} is used up", ask.spec.id.namespace).into());
            } else if outcome.pending > 0 {
                outcome.reasons.push(format!("{}: {reason}", candidate.cluster).into());
            }
        }
        counts.push(count);
        if ask.report {
            outcome.report.push(row(candidate, count, reason, String::new()));
        }
    }
    if home.is_none() && wanted > 0 && !candidates.is_empty() {
        let reason = format!(
            "no single cluster has room for all {wanted} replicas: a stateful workload is not divided (S32)"
        );
        outcome.reasons.push(reason.into());
    }
    Shares { counts, outcome }
}

/// The home of a new stateful workload: the heaviest cluster that can take all of it, in the first tier that has one;
/// where room counts rather than weight, the one with the most.
fn choose<'c, 'a>(ask: &Ask<'_>, candidates: &'c [Candidate<'a>]) -> Option<&'c Candidate<'a>> {
    let (wanted, strategy) = (ask.spec.replicas, &ask.policy.placement.strategy);
    let takes_all = |candidate: &&Candidate<'_>| {
        let allowed = candidate.growth == Growth::Allowed;
        let maximum =
            candidate.rule.is_ok_and(|rule| rule.weight() > 0 && rule.max().is_none_or(|max| max >= wanted));
        allowed && maximum && candidate.room.total() >= wanted
    };
    let weight = |candidate: &Candidate<'_>| match strategy {
        Strategy::Capacity | Strategy::Pack => candidate.room.total(),
        Strategy::Weighted | Strategy::Spread(_) | Strategy::Ordered(_) | Strategy::Duplicate => {
            candidate.rule.map_or(0, |rule| rule.weight())
        }
    };
    candidates.iter().filter(takes_all).min_by_key(|candidate| {
        (
            (candidate.avoided, candidate.fallback, candidate.tier),
            Reverse(weight(candidate)),
            candidate.tie,
            candidate.cluster,
        )
    })
}

/// How many of a stateful workload run in the cluster that holds its data, and why.
fn at_home(wanted: u32, home: &Candidate<'_>) -> (u32, String) {
    match &home.growth {
        Growth::Allowed => (wanted.min(home.room.total()), "its data is here".into()),
        Growth::Closed(barrier) => (wanted.min(home.held), format!("gets nothing new: {barrier}")),
        Growth::Excluded(barrier) => {
            (0, format!("its data is here and the cluster is {barrier}: it does not move by itself (S32)"))
        }
    }
}
