//! The parts of a policy that stand for themselves: constraints, fallback groups, tolerations, affinity.

use std::collections::{BTreeMap, BTreeSet};

use super::{Check, selectors};
use crate::policy::limits::{PROGRESS_DEADLINE_MAX, PROGRESS_DEADLINE_MIN, TOLERATION_SECONDS_MAX};
use crate::policy::mistake::Step;
use crate::policy::{
    ClusterSelector, ClusterToleration, GroupBy, REPLICAS_MAX, Rollout, SpreadConstraint, Strategy,
    StrategyKind, WorkloadSelector,
};
use crate::{TaintEffect, Toleration, label};

/// The constraints of a spread, seen from their list.
pub(super) fn constraints(check: &mut Check, constraints: &[SpreadConstraint]) {
    let mut seen = BTreeSet::new();
    for (index, one) in constraints.iter().enumerate() {
        check.within(Step::Item(index), |check| {
            constraint(check, one);
            if !seen.insert(&one.by) {
                let problem = format!("there are two constraints by {}", one.by.as_str());
                check.refuse(problem, "make one of the two");
            }
        });
    }
}

/// The groups of a fallback, seen from their list; each by itself is a selector.
pub(super) fn fallback(check: &mut Check, strategy: &Strategy, groups: &[ClusterSelector]) {
    if strategy.kind() == StrategyKind::Duplicate && !groups.is_empty() {
        check.refuse(
            "with duplicate every chosen cluster runs the full number, so nothing falls back",
            "remove it, or choose another strategy",
        );
    }
    let mut seen = BTreeMap::new();
    for (index, group) in groups.iter().enumerate() {
        let before = seen.insert(group, index);
        check.within(Step::Item(index), |check| {
            if group.is_empty() && index + 1 < groups.len() {
                check.refuse(
                    "it chooses all clusters, so the groups after it are never used",
                    "make it the last one, or say which clusters it has",
                );
            } else if let Some(before) = before {
                check.refuse(format!("it is the same as fallback[{before}]"), "remove one of the two");
            }
        });
    }
}

/// How a new revision goes over the clusters.
pub(super) fn rollout(check: &mut Check, rollout: &Rollout) {
    let Rollout { order, max_clusters_at_once, pause_after_first: _, on_failure: _, progress_deadline } =
        rollout;
    check.items("order", order, selectors::clusters);
    if *max_clusters_at_once == 0 {
        let problem = "0 is too small: no cluster would ever get a new revision";
        check.field("maxClustersAtOnce", |check| check.refuse(problem, "give at least 1, or leave it out"));
    }
    if *progress_deadline < PROGRESS_DEADLINE_MIN || *progress_deadline > PROGRESS_DEADLINE_MAX {
        let problem = format!("{progress_deadline:?} is out of range");
        check.field("progressDeadline", |check| check.refuse(problem, "give a duration from 1s to 24h"));
    }
}

pub(super) fn toleration(check: &mut Check, toleration: &ClusterToleration) {
    let ClusterToleration { taints: Toleration { key, value, effect }, seconds } = toleration;
    if key.is_none() && value.is_some() {
        check.refuse("it names no key", "name the taint's key, or write operator: Exists for every taint");
    }
    for (name, text, form) in
        [("key", key, label::check_key as fn(&str) -> _), ("value", value, label::check_value)]
    {
        if let Some(Err(error)) = text.as_deref().map(form) {
            check.field(name, |check| check.refuse(error.to_string(), "correct it"));
        }
    }
    let Some(seconds) = seconds else { return };
    check.field("tolerationSeconds", |check| {
        if *seconds > TOLERATION_SECONDS_MAX {
            let remedy = format!("give at most {TOLERATION_SECONDS_MAX}");
            check.refuse(format!("{seconds} is too large"), remedy);
        }
        if let Some(TaintEffect::NoSchedule | TaintEffect::PreferNoSchedule) = effect {
            check.refuse(
                "only a taint with the effect NoExecute is put up with for a time",
                "remove it, or write effect: NoExecute",
            );
        }
    });
}

/// Away from everything is nowhere, sooner or later. One other namespace as a whole is a wish that can be met.
pub(super) fn away_from(check: &mut Check, selector: &WorkloadSelector) {
    selectors::workloads(check, selector);
    let anywhere = selector.namespaces.is_empty() || selector.looks_everywhere();
    if anywhere && selector.names.is_empty() && selector.labels.is_empty() {
        check.refuse(
            "it chooses every workload, and away from all of them there is no cluster",
            "say which by names, matchLabels or matchExpressions",
        );
    }
}

fn constraint(check: &mut Check, constraint: &SpreadConstraint) {
    let SpreadConstraint { by, min_groups, max_groups, max_skew, soft: _ } = constraint;
    if let GroupBy::Label(key) = by
        && let Err(error) = label::check_key(key)
    {
        check.field("by", |check| check.refuse(error.to_string(), "correct it"));
    }
    if *by == GroupBy::Cluster && [min_groups, max_groups, max_skew] == [&None; 3] {
        check.refuse("it constrains nothing", "give minGroups, maxGroups or maxSkew, or leave it out");
    }
    for (name, bound) in [("minGroups", min_groups), ("maxGroups", max_groups), ("maxSkew", max_skew)] {
        check.field(name, |check| match bound {
            Some(0) => check.refuse("0 is too small", "give at least 1, or leave it out"),
            Some(bound) if *bound > REPLICAS_MAX => {
                check.refuse(format!("{bound} is too large"), format!("give at most {REPLICAS_MAX}"));
            }
            Some(_) | None => {}
        });
    }
    if let (Some(min), Some(max)) = (min_groups, max_groups)
        && max < min
    {
        check.refuse(format!("maxGroups {max} is below minGroups {min}"), "raise it or lower minGroups");
    }
}
