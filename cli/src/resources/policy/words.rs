//! The parts of a policy, each in a readable line.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_proto::v1::{
    ClusterRule, ClusterSelector, ClusterToleration, ImageOverride, Override, Requirement, RolloutPolicy,
    SpreadConstraint, TrafficGate, WorkloadSelector,
};

use crate::output::age;

/// What a cluster may get: `weight 2, min 0, max 9`.
pub(super) fn rule(rule: &ClusterRule) -> String {
    let max = rule.max.map(|max| format!(", max {max}")).unwrap_or_default();
    format!("weight {}, min {}{max}", rule.weight.unwrap_or(1), rule.min.unwrap_or(0))
}

/// How a new revision goes over the clusters: `1 cluster at once, first c1, pause after the first, on failure stop`.
pub(super) fn rollout(rollout: &RolloutPolicy) -> String {
    let RolloutPolicy { order, max_clusters_at_once, pause_after_first, on_failure, progress_deadline } =
        rollout;
    let at_once = max_clusters_at_once.unwrap_or(1);
    let mut parts = vec![format!("{at_once} cluster{} at once", if at_once == 1 { "" } else { "s" })];
    if !order.is_empty() {
        parts.push(format!("first {}", order.iter().map(clusters).collect::<Vec<_>>().join(", then ")));
    }
    if *pause_after_first {
        parts.push("pause after the first".to_owned());
    }
    parts.push(format!("on failure {}", if on_failure.is_empty() { "stop" } else { on_failure }));
    if let Some(deadline) = progress_deadline.and_then(|span| Duration::try_from(span).ok()) {
        parts.push(format!("deadline {deadline:?}"));
    }
    parts.join("; ")
}

/// Which clusters: `region eu or us, tier=prod, not delta`.
pub(super) fn clusters(selector: &ClusterSelector) -> String {
    let ClusterSelector { names, exclude, match_labels, match_expressions, regions, zones, providers } =
        selector;
    let mut parts = Vec::new();
    for (what, values) in [("", names), ("region ", regions), ("zone ", zones), ("provider ", providers)] {
        if !values.is_empty() {
            parts.push(format!("{what}{}", values.join(" or ")));
        }
    }
    parts.extend(labels(match_labels, match_expressions));
    if !exclude.is_empty() {
        parts.push(format!("not {}", exclude.join(" or ")));
    }
    if parts.is_empty() { "all clusters".to_owned() } else { parts.join(", ") }
}

/// Which workloads: `db or cache in its namespace, app=web`.
pub(super) fn workloads(selector: &WorkloadSelector) -> String {
    let WorkloadSelector { namespaces, names, match_labels, match_expressions } = selector;
    let names = match names.is_empty() {
        true => "any workload".to_owned(),
        false => names.join(" or "),
    };
    let place = match namespaces.as_slice() {
        [] => "its namespace".to_owned(),
        all if all.iter().any(|namespace| namespace == "*") => "any namespace".to_owned(),
        some => some.join(" or "),
    };
    let mut parts = vec![format!("{names} in {place}")];
    parts.extend(labels(match_labels, match_expressions));
    parts.join(", ")
}

/// Over which groups: `by zone, at least 2 groups, skew up to 1, DoNotSchedule`.
pub(super) fn spread(constraint: &SpreadConstraint) -> String {
    let SpreadConstraint { by, min_groups, max_groups, max_skew, when_unsatisfiable } = constraint;
    let mut parts = vec![format!("by {by}")];
    parts.extend(min_groups.map(|count| format!("at least {count} groups")));
    parts.extend(max_groups.map(|count| format!("at most {count} groups")));
    parts.extend(max_skew.map(|skew| format!("skew up to {skew}")));
    if !when_unsatisfiable.is_empty() {
        parts.push(when_unsatisfiable.clone());
    }
    parts.join(", ")
}

/// Which taints: `spot=high:NoSchedule`, `spot:NoExecute for 5m`, `every taint`.
pub(super) fn toleration(toleration: &ClusterToleration) -> String {
    let ClusterToleration { key, operator, value, effect, toleration_seconds } = toleration;
    // What is not Exists is Equal, which may be left out.
    let mut text = match (key.is_empty(), operator == "Exists") {
        (true, _) => "every taint".to_owned(),
        (false, true) => key.clone(),
        (false, false) => format!("{key}={value}"),
    };
    if !effect.is_empty() {
        text.push_str(&if key.is_empty() { format!(" with {effect}") } else { format!(":{effect}") });
    }
    if let Some(seconds) = toleration_seconds {
        text.push_str(&format!(" for {}", age::short(Duration::from_secs((*seconds).into()))));
    }
    text
}

/// What a planned step waits for: `none`, `delay 15s`, `ack`.
pub(super) fn gate(gate: Option<&TrafficGate>) -> String {
    let Some(TrafficGate { mode, delay }) = gate else { return "none".to_owned() };
    let delay = delay.and_then(|delay| Duration::try_from(delay).ok());
    delay.map_or_else(|| mode.clone(), |delay| format!("{mode} {delay:?}"))
}

/// What is different, of what, and where: `region eu: image registry eu.io, env A=b; of Deployment`.
pub(super) fn different(rule: &Override) -> String {
    let Override { cluster_selector, objects, containers, image, env, labels, annotations, .. } = rule;
    let mut parts = Vec::new();
    if let Some(ImageOverride { registry, prefix, tag }) = image {
        let fields = [("registry", registry), ("prefix", prefix), ("tag", tag)];
        let fields = fields.into_iter().filter(|(_, value)| !value.is_empty());
        parts.extend(fields.map(|(name, value)| format!("image {name} {value}")));
    }
    for (what, texts) in [("env", env), ("label", labels), ("annotation", annotations)] {
        parts.extend(texts.iter().map(|(key, value)| format!("{what} {key}={value}")));
    }
    if !rule.storage_class.is_empty() {
        parts.push(format!("storage class {}", rule.storage_class));
    }
    parts.extend(rule.json_patch.iter().map(|one| format!("{} {}", one.op, one.path)));
    if !containers.is_empty() {
        parts.push(format!("of containers {}", containers.join(" or ")));
    }
    let objects = objects.clone().unwrap_or_default();
    for (what, values) in [("", objects.kinds), ("named ", objects.names), ("in ", objects.namespaces)] {
        if !values.is_empty() {
            parts.push(format!("{what}{}", values.join(" or ")));
        }
    }
    format!("{}: {}", clusters(&cluster_selector.clone().unwrap_or_default()), parts.join(", "))
}

/// A list whose order matters: `1. alpha`, `2. region eu`.
pub(super) fn numbered<T>(items: &[T], text: fn(&T) -> String) -> Vec<String> {
    items.iter().enumerate().map(|(index, item)| format!("{}. {}", index + 1, text(item))).collect()
}

fn labels(equal: &BTreeMap<String, String>, others: &[Requirement]) -> Vec<String> {
    let equal = equal.iter().map(|(key, value)| format!("{key}={value}"));
    equal.chain(others.iter().map(requirement)).collect()
}

/// As kubectl writes it.
fn requirement(requirement: &Requirement) -> String {
    let Requirement { key, operator, values } = requirement;
    let values = values.join(", ");
    match operator.as_str() {
        "In" => format!("{key} in ({values})"),
        "NotIn" => format!("{key} notin ({values})"),
        "Exists" => key.clone(),
        "DoesNotExist" => format!("!{key}"),
        "Gt" => format!("{key} > {values}"),
        "Lt" => format!("{key} < {values}"),
        // A newer hub may have more.
        other => format!("{key} {other} {values}"),
    }
}

#[cfg(test)]
mod tests {
    use godwit_proto::v1::{ObjectSelector, PatchOperation};

    use super::*;

    fn texts(texts: &[&str]) -> Vec<String> {
        texts.iter().map(|text| (*text).to_owned()).collect()
    }

    fn required(key: &str, operator: &str, values: &[&str]) -> Requirement {
        Requirement { key: key.into(), operator: operator.into(), values: texts(values) }
    }

    #[test]
    fn selectors_read_like_a_sentence() {
        assert_eq!(clusters(&ClusterSelector::default()), "all clusters");
        let selector = ClusterSelector {
            names: texts(&["alpha", "bravo"]),
            exclude: texts(&["delta"]),
            match_labels: [("tier".to_owned(), "prod".to_owned())].into(),
            match_expressions: vec![
                required("disk", "In", &["nvme", "ssd"]),
                required("old", "DoesNotExist", &[]),
                required("gen", "Gt", &["3"]),
            ],
            regions: texts(&["eu", "us"]),
            ..ClusterSelector::default()
        };
        assert_eq!(
            clusters(&selector),
            "alpha or bravo, region eu or us, tier=prod, disk in (nvme, ssd), !old, gen > 3, not delta"
        );
        let selector = WorkloadSelector { names: texts(&["db"]), ..WorkloadSelector::default() };
        assert_eq!(workloads(&selector), "db in its namespace");
        let selector = WorkloadSelector {
            namespaces: texts(&["*"]),
            match_expressions: vec![required("noisy", "Exists", &[])],
            ..WorkloadSelector::default()
        };
        assert_eq!(workloads(&selector), "any workload in any namespace, noisy");
    }

    #[test]
    fn what_is_different_is_one_line() {
        let rule = Override {
            cluster_selector: Some(ClusterSelector { regions: texts(&["eu"]), ..ClusterSelector::default() }),
            image: Some(ImageOverride { registry: "eu.io".into(), ..ImageOverride::default() }),
            env: [("A".to_owned(), "b".to_owned())].into(),
            objects: Some(ObjectSelector { kinds: texts(&["Deployment"]), ..ObjectSelector::default() }),
            json_patch: vec![PatchOperation {
                op: "remove".into(),
                path: "/spec/a".into(),
                ..PatchOperation::default()
            }],
            ..Override::default()
        };
        assert_eq!(different(&rule), "region eu: image registry eu.io, env A=b, remove /spec/a, Deployment");
    }

    #[test]
    fn gates_are_a_word_or_two() {
        let named = |mode: &str, seconds: Option<i64>| TrafficGate {
            mode: mode.into(),
            delay: seconds.map(|seconds| prost_types::Duration { seconds, nanos: 0 }),
        };
        let gates = [None, Some(named("ack", None)), Some(named("delay", Some(15)))];
        assert_eq!(gates.map(|one| gate(one.as_ref())), ["none", "ack", "delay 15s"]);
    }

    #[test]
    fn tolerations_and_constraints_are_one_line_each() {
        let tolerated = |key: &str, operator: &str, value: &str, effect: &str, seconds| {
            let [key, operator, value, effect] = [key, operator, value, effect].map(str::to_owned);
            toleration(&ClusterToleration { key, operator, value, effect, toleration_seconds: seconds })
        };
        assert_eq!(tolerated("spot", "Exists", "", "NoExecute", Some(300)), "spot:NoExecute for 5m");
        assert_eq!(tolerated("spot", "", "high", "", None), "spot=high");
        assert_eq!(tolerated("", "Exists", "", "", None), "every taint");
        assert_eq!(tolerated("", "Exists", "", "NoSchedule", None), "every taint with NoSchedule");
        let constraint = SpreadConstraint {
            by: "zone".into(),
            min_groups: Some(2),
            max_groups: None,
            max_skew: Some(1),
            when_unsatisfiable: "DoNotSchedule".into(),
        };
        assert_eq!(spread(&constraint), "by zone, at least 2 groups, skew up to 1, DoNotSchedule");
        assert_eq!(
            numbered(&[constraint], spread)[0],
            "1. by zone, at least 2 groups, skew up to 1, DoNotSchedule"
        );
    }
}
