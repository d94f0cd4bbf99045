//! What is not divided stays whole in one cluster: a StatefulSet, a Job, a CronJob. Once it is somewhere, it leaves only
//! when that cluster may hold it no longer; and not even then as long as its data is there (S32, S33).

use std::cmp::Reverse;
use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_common::policy::Strategy;
use godwit_planner::{Bound, Candidate, Cap, Growth};

use crate::ask::{Allowance, Ask, Outcome, Shares, Site, row, said};
use crate::state::Data;
use crate::volumes;

const HOME: &str = "it is whole in one cluster (S32), which is this one";
const ELSEWHERE: &str = "it stays whole in one cluster (S32), which is another";

/// Where a whole workload is, and what decided that for each candidate.
pub(crate) fn whole(
    ask: &Ask<'_>,
    candidates: &[Candidate<'_>],
    sites: &[Site],
    allowance: &Allowance,
) -> Shares {
    let wanted = ask.spec.replicas;
    let home = home(ask, candidates, sites);
    let mut outcome = Outcome { wanted, pending: wanted, ..Outcome::default() };
    let mut counts = Vec::with_capacity(candidates.len());
    for candidate in candidates {
        let is_home = home.is_some_and(|home| home.cluster == candidate.cluster);
        let (count, reason, remedy) = match home {
            Some(_) if is_home => at_home(wanted.min(allowance.at_most), candidate),
            Some(_) => (0, ELSEWHERE.to_owned(), None),
            None => unable(wanted, candidate),
        };
        if is_home {
            outcome.pending = wanted - count;
            outcome.withheld = wanted.saturating_sub(allowance.at_most);
            // What stays with its data waits for its cluster, whatever else it may wait for.
            let bound = count == allowance.at_most && !is_excluded(candidate);
            let quota = allowance.reason.clone().filter(|_| bound);
            let why = || quota.unwrap_or_else(|| format!("{}: {reason}", candidate.cluster).into());
            outcome.reasons.extend((outcome.pending > 0).then(why));
        }
        counts.push(count);
        if ask.report {
            outcome.report.push(row(candidate, count, reason, remedy.unwrap_or_default()));
        }
    }
    if home.is_none() && wanted > 0 {
        outcome.withheld = wanted.saturating_sub(allowance.at_most);
        outcome.reasons = homeless(wanted, candidates);
        outcome.reasons.extend(allowance.reason.clone().filter(|_| outcome.withheld > 0));
    }
    Shares { counts, outcome }
}

/// Where it is, or where its data is; for one that is nowhere, where it begins.
fn home<'c, 'a>(ask: &Ask<'_>, candidates: &'c [Candidate<'a>], sites: &[Site]) -> Option<&'c Candidate<'a>> {
    let pinned = ask.spec.is_pinned(&ask.policy.placement);
    let stays = |candidate: &Candidate<'_>, data: Data| {
        pinned || (data > Data::Was && candidate.rule.is_ok() && !is_excluded(candidate))
    };
    let homes = candidates.iter().zip(sites).filter_map(|(candidate, site)| {
        let data = site.data.filter(|data| stays(candidate, *data))?;
        Some((data, candidate))
    });
    let home = homes.max_by_key(|(data, _)| *data).map(|(_, candidate)| candidate);
    home.or_else(|| choose(ask, candidates))
}

fn is_excluded(candidate: &Candidate<'_>) -> bool {
    matches!(candidate.growth, Growth::Excluded(_))
}

/// The home of one that is nowhere: the heaviest cluster that can take all of it, in the first tier that has one; where
/// room counts rather than weight, the one with the most.
fn choose<'c, 'a>(ask: &Ask<'_>, candidates: &'c [Candidate<'a>]) -> Option<&'c Candidate<'a>> {
    let (wanted, strategy) = (ask.spec.replicas, &ask.policy.placement.strategy);
    let weight = |candidate: &Candidate<'_>| match strategy {
        Strategy::Capacity | Strategy::Pack => candidate.room.total(),
        Strategy::Weighted | Strategy::Spread(_) | Strategy::Ordered(_) | Strategy::Duplicate => {
            candidate.rule.map_or(0, |rule| rule.weight())
        }
    };
    let able = candidates.iter().filter(|candidate| takes_all(wanted, candidate));
    able.min_by_key(|candidate| {
        (
            (candidate.avoided, candidate.fallback, candidate.tier),
            Reverse(weight(candidate)),
            candidate.tie,
            candidate.cluster,
        )
    })
}

/// Whether all of it may start in a cluster.
fn takes_all(wanted: u32, candidate: &Candidate<'_>) -> bool {
    let allowed = candidate.growth == Growth::Allowed;
    let maximum =
        candidate.rule.is_ok_and(|rule| rule.weight() > 0 && rule.max().is_none_or(|max| max >= wanted));
    allowed && maximum && candidate.room.total() >= wanted
}

/// What keeps it from starting there.
fn obstacle(wanted: u32, candidate: &Candidate<'_>) -> Option<Cap> {
    if takes_all(wanted, candidate) { None } else { candidate.cap() }
}

/// Why it starts nowhere.
fn homeless(wanted: u32, candidates: &[Candidate<'_>]) -> Vec<Arc<str>> {
    let mut caps: BTreeMap<String, Vec<&ClusterName>> = BTreeMap::new();
    let mut too_small = false;
    for candidate in candidates {
        if let Some(cap) = obstacle(wanted, candidate) {
            too_small |= matches!(cap, Cap::Room(_) | Cap::Maximum);
            caps.entry(cap.to_string()).or_default().push(candidate.cluster);
        }
    }
    let mut reasons = said(caps);
    if too_small && wanted > 1 {
        reasons.push(
            format!(
                "no single cluster takes all {wanted} replicas, and it is not divided: its policy does not say \
                 divide: true (S32)"
            )
            .into(),
        );
    }
    reasons
}

fn unable(wanted: u32, candidate: &Candidate<'_>) -> (u32, String, Option<String>) {
    let Some(cap) = obstacle(wanted, candidate) else {
        return (0, ELSEWHERE.to_owned(), None);
    };
    (0, cap.to_string(), Bound::Cap(cap).remedy(candidate.cluster))
}

/// How many run in the cluster that is its home, why no more, and what would change that.
fn at_home(wanted: u32, home: &Candidate<'_>) -> (u32, String, Option<String>) {
    let (count, reason) = match &home.growth {
        Growth::Allowed => (wanted.min(home.room.total()), HOME.to_owned()),
        Growth::Closed(barrier) => (wanted.min(home.held), format!("gets nothing new: {barrier}")),
        Growth::Excluded(barrier) => {
            return (0, volumes::stays(barrier), Some(volumes::remedy(home, barrier.clone())));
        }
    };
    match home.cap().filter(|_| count < wanted) {
        Some(cap @ Cap::Room(_)) => (count, format!("{HOME}; {cap}"), Bound::Cap(cap).remedy(home.cluster)),
        Some(cap) => (count, reason, Bound::Cap(cap).remedy(home.cluster)),
        None => (count, reason, None),
    }
}
