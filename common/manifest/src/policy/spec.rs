//! Reading the fields of a policy's spec.

use std::time::Duration;

use godwit_common::policy::limits::{FALLBACK_MAX, LOST_AFTER_MAX, PRIORITY_MAX};
use godwit_common::policy::{ClusterSelector, Data, Mistake, Policy, Prestage, Rebalance};

use super::{affinity, mistakes, motion, overrides, rollout, rule, selector, strategy};
use crate::field::{Field, Object};
use crate::{duration, toleration};

const FIELDS: [&str; 31] = [
    "affinity",
    "antiAffinity",
    "clusterSelector",
    "clusters",
    "colocate",
    "data",
    "default",
    "divide",
    "exportServices",
    "failBack",
    "fallback",
    "fence",
    "lostAfter",
    "maxSurge",
    "maxUnavailable",
    "mode",
    "overrides",
    "preemptible",
    "prestage",
    "priority",
    "rebalance",
    "rollout",
    "rules",
    "spread",
    "strategy",
    "survivor",
    "drift",
    "tiers",
    "tolerations",
    "trafficGate",
    "unreadyAfter",
];

/// What a spec says: a [`PolicySpec`](super::PolicySpec) without its name.
pub(crate) struct Spec {
    pub(crate) placement: Policy,
    pub(crate) lost_after: Option<Duration>,
}

/// Reads a spec. After a mistake, which is reported, the result has defaults in place of what could not be read. `check`
/// says what is wrong with a policy that could be read.
pub(crate) fn read(spec: &Object<'_>, check: fn(&Policy) -> Vec<Mistake>) -> Spec {
    spec.only_or(&FIELDS, &[strategy::RETIRED_SKEW]);
    let placement = Policy {
        strategy: strategy::read(spec).unwrap_or_default(),
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
        motion: motion::read(spec),
        rollout: rollout::read(spec),
        data: data(spec),
        divide: spec.flag("divide"),
        prestage: prestage(spec),
        export_services: spec.flag("exportServices"),
        overrides: overrides::read(spec),
    };
    let lost_after = lost_after(spec);
    mistakes::refuse(spec, check(&placement));
    Spec { placement, lost_after }
}

fn fallback(spec: &Object<'_>) -> Vec<ClusterSelector> {
    let empty = ("the group is empty", "name a cluster, or write {} for all clusters that are left");
    let items = spec.get("fallback").map(|field| field.items_up_to(FALLBACK_MAX)).unwrap_or_default();
    items.iter().filter_map(|group| selector::names_or_conditions(group, empty)).collect()
}

fn rebalance(spec: &Object<'_>) -> Rebalance {
    let choices = Rebalance::ALL.map(|choice| (choice.name(), choice));
    spec.get("rebalance").and_then(|field| field.choice(&choices)).unwrap_or_default()
}

fn data(spec: &Object<'_>) -> Data {
    let choices = Data::ALL.map(|choice| (choice.name(), choice));
    spec.get("data").and_then(|field| field.choice(&choices)).unwrap_or_default()
}

fn prestage(spec: &Object<'_>) -> Prestage {
    let choices = Prestage::ALL.map(|choice| (choice.name(), choice));
    spec.get("prestage").and_then(|field| field.choice(&choices)).unwrap_or_default()
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
pub(super) fn text_of(field: &Field<'_>) -> String {
    match field.node.as_text() {
        Some(text) => text.to_owned(),
        None => field.node.describe(),
    }
}
