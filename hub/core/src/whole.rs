//! A stateful workload stays whole in one cluster, where its data is, and does not move by itself (S32).

use godwit_planner::{Candidate, Growth, Room};

use crate::ask::{Ask, Outcome, Shares};
use crate::state::SeatState;

/// Where a stateful workload is, and what decided that for each candidate.
pub(crate) fn whole(ask: &Ask<'_>, candidates: &[Candidate<'_>]) -> (Shares, Vec<String>) {
    let wanted = ask.spec.replicas;
    let data = |candidate: &Candidate<'_>| ask.seats.get(candidate.cluster).and_then(SeatState::data);
    let home = candidates.iter().filter(|candidate| data(candidate).is_some());
    let home = home.max_by_key(|candidate| data(candidate)).or_else(|| choose(wanted, candidates));
    let mut outcome = Outcome { pending: wanted, ..Outcome::default() };
    let (mut counts, mut decided) = (Vec::new(), Vec::new());
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
        counts.push(count);
        decided.push(reason);
    }
    if home.is_none() && wanted > 0 && !candidates.is_empty() {
        let reason = format!(
            "no single cluster has room for all {wanted} replicas: a stateful workload is not divided (S32)"
        );
        outcome.reasons.push(reason.into());
    }
    (Shares { counts, outcome }, decided)
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
