//! Reading the fields of a policy's spec.

use std::time::Duration;

use godwit_common::policy::{ClusterSelector, Policy, Rebalance};

use super::{Mode, affinity, rule, selector, strategy, whole};
use crate::field::{Field, Object};
use crate::{MAX_REPLICAS, duration, toleration};

/// Priorities lie between this and its negative.
const PRIORITY_MAX: i32 = 1_000;
/// The most groups of a fallback: nobody has more providers and regions to fall back on, and each is tried in turn.
const GROUPS_MAX: usize = 64;
/// Past an hour a lost cluster is an operator's decision, and no longer a time-out's.
const LOST_AFTER_MAX: Duration = Duration::from_secs(3600);

const FIELDS: [&str; 18] = [
    "affinity",
    "antiAffinity",
    "clusterSelector",
    "clusters",
    "colocate",
    "default",
    "fallback",
    "lostAfter",
    "maxUnavailable",
    "mode",
    "preemptible",
    "priority",
    "rebalance",
    "rules",
    "spread",
    "strategy",
    "tiers",
    "tolerations",
];

/// What a spec says: a [`PolicySpec`](super::PolicySpec) without its name.
pub(crate) struct Spec {
    pub(crate) placement: Policy,
    pub(crate) lost_after: Option<Duration>,
    pub(crate) mode: Mode,
    pub(crate) max_unavailable: u32,
}

/// Reads a spec. After a mistake, which is reported, the result has defaults in place of what could not be read.
pub(crate) fn read(spec: &Object<'_>) -> Spec {
    spec.only_or(&FIELDS, &[strategy::RETIRED_SKEW]);
    let strategy = strategy::read(spec);
    let is_known = strategy.is_some();
    let placement = Policy {
        strategy: strategy.unwrap_or_default(),
        selector: spec.get("clusterSelector").and_then(|field| selector::read(&field)).unwrap_or_default(),
        fallback: fallback(spec),
        tolerations: toleration::of_policy(spec),
        affinity: affinity::read(spec),
        default: spec.get("default").map(|field| rule::read(&field)),
        clusters: rule::by_name(spec),
        rules: rule::by_selector(spec),
        rebalance: rebalance(spec),
        priority: priority(spec),
        preemptible: spec.flag("preemptible"),
    };
    if is_known {
        whole::check(spec, &placement);
    }
    Spec {
        placement,
        lost_after: lost_after(spec),
        mode: mode(spec),
        max_unavailable: spec.get("maxUnavailable").and_then(|field| field.count(MAX_REPLICAS)).unwrap_or(0),
    }
}

/// The groups of a fallback. The last may be the empty selector: all that are left.
fn fallback(spec: &Object<'_>) -> Vec<ClusterSelector> {
    let Some(field) = spec.get("fallback") else {
        return Vec::new();
    };
    let items = field.items_up_to(GROUPS_MAX);
    let mut groups = Vec::new();
    for (index, item) in items.iter().enumerate() {
        let before = item.mistakes();
        let Some(group) = selector::group(item) else { continue };
        if group.is_empty() && item.mistakes() == before && index + 1 < items.len() {
            item.refuse(
                "it chooses all clusters, so the groups after it are never used",
                "make it the last one, or say which clusters it has",
            );
        }
        groups.push(group);
    }
    groups
}

fn rebalance(spec: &Object<'_>) -> Rebalance {
    let choices =
        [("never", Rebalance::Never), ("gradual", Rebalance::Gradual), ("always", Rebalance::Always)];
    let chosen = spec.get("rebalance").and_then(|field| field.choice(&choices));
    chosen.unwrap_or_default()
}

fn mode(spec: &Object<'_>) -> Mode {
    let Some(field) = spec.get("mode") else {
        return Mode::Available;
    };
    if matches!(field.node.as_text(), Some("atMost" | "at_most")) {
        field.refuse(
            "the mode atMost is not available: it needs a fence that stops the old copies before new ones start",
            "write mode: available, where both copies may run during a partition",
        );
        return Mode::Available;
    }
    field.choice(&[("available", Mode::Available)]).unwrap_or(Mode::Available)
}

fn priority(spec: &Object<'_>) -> i32 {
    let field = spec.get("priority");
    let number = field.and_then(|field| field.integer(i64::from(-PRIORITY_MAX), i64::from(PRIORITY_MAX)));
    number.and_then(|number| i32::try_from(number).ok()).unwrap_or(0)
}

fn lost_after(spec: &Object<'_>) -> Option<Duration> {
    let field = spec.get("lostAfter")?;
    let duration = duration::parse(&text_of(&field)).filter(|duration| *duration <= LOST_AFTER_MAX);
    if duration.is_none() {
        field.refuse_value("a duration from 0s to 1h, such as 10s or 1m30s");
    }
    duration
}

/// A text, or what YAML took for something else: the duration `0` is a number to it.
fn text_of(field: &Field<'_>) -> String {
    match field.node.as_text() {
        Some(text) => text.to_owned(),
        None => field.node.describe(),
    }
}
