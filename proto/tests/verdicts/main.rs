//! A policy has the same verdict as a manifest and as a message: what `godwit apply` refuses, the hub refuses from any
//! other client, too.

mod bounds;
mod unreadable;
mod words;

use godwit_manifest::{ManifestError, PolicySpec, parse_policies};
use godwit_proto::json::from_json;
use godwit_proto::policy::{Terms, from_wire};
use godwit_proto::{FieldError, v1};
use serde_json::{Value, json};

/// What is meant.
#[test]
fn what_one_takes_the_other_takes_and_it_means_the_same() {
    for spec in [
        json!({}),
        json!({"strategy": "spread", "spread": [{"by": "zone", "minGroups": 2}, {"by": "a.b/c", "maxSkew": 1,
               "whenUnsatisfiable": "ScheduleAnyway"}], "mode": "available"}),
        json!({"strategy": "ordered", "tiers": [{"names": ["a"]}, {"regions": ["eu"]}], "clusters": {"a": {"weight": 9}}}),
        json!({"rules": [{"clusterSelector": {"providers": ["aws"]}, "weight": 0, "max": 3}], "default": {"min": 1}}),
        json!({"fallback": [{"names": ["b", "a"]}, {"zones": ["z"]}, {}], "rebalance": "gradual", "priority": -1000}),
        json!({"clusterSelector": {"exclude": ["c"], "matchLabels": {"tier": "prod", "empty": ""}, "matchExpressions": [
               {"key": "rank", "operator": "Gt", "values": ["-3"]}, {"key": "x", "operator": "In", "values": ["", "y"]}]}}),
        json!({"tolerations": [{"operator": "Exists", "tolerationSeconds": 2_147_483_647}, {"key": "a", "value": "b"},
               {"key": "a", "operator": "Equal", "effect": "NoExecute", "tolerationSeconds": 0}]}),
        json!({"affinity": [{}, {"names": ["db"]}], "antiAffinity": [{"namespaces": ["*"], "names": ["web"]},
               {"namespaces": ["other"]}], "colocate": true, "preemptible": true, "maxUnavailable": 1_000_000}),
        json!({"trafficGate": {"mode": "ack"}}),
        json!({"trafficGate": {"mode": "delay"}}),
        json!({"trafficGate": {"mode": "delay", "delay": "3600s"}}),
        json!({"rollout": {"order": [{"names": ["first"]}, {"regions": ["eu"]}], "maxClustersAtOnce": 2,
               "pauseAfterFirst": true, "onFailure": "rollback", "progressDeadline": "90s"}}),
        // Tolerated without a time is tolerated for ever.
        json!({"tolerations": [{"key": "a", "operator": "Exists", "effect": "NoSchedule"}]}),
    ] {
        let written = by_manifest(&spec).unwrap_or_else(|errors| panic!("{spec}: {errors:?}"));
        let sent = by_message(&spec).unwrap_or_else(|error| panic!("{spec}: {error}"));
        assert_eq!(written.placement, sent.placement, "{spec}");
        assert_eq!(written.lost_after, sent.lost_after, "{spec}");
    }
}

pub(crate) fn by_manifest(spec: &Value) -> Result<PolicySpec, Vec<ManifestError>> {
    let document =
        json!({"apiVersion": "godwit.dev/v1", "kind": "Policy", "metadata": {"name": "p"}, "spec": spec});
    let policies = parse_policies(&document.to_string());
    policies.map(|mut policies| policies.remove(0)).map_err(|errors| errors.errors().to_vec())
}

/// The only mistake that a manifest has.
#[track_caller]
pub(crate) fn mistake(spec: &Value) -> ManifestError {
    match by_manifest(spec).expect_err(&spec.to_string()).as_slice() {
        [mistake] => mistake.clone(),
        mistakes => panic!("{spec} has one mistake, but {mistakes:?}"),
    }
}

/// As a client sends it. Its JSON form differs from a manifest's in one place: the numbers of a rule by selector.
pub(crate) fn by_message(spec: &Value) -> Result<Terms, FieldError> {
    let mut spec = spec.clone();
    for rule in spec["rules"].as_array_mut().into_iter().flatten() {
        let rule = rule.as_object_mut().expect("a rule");
        let selector = rule.remove("clusterSelector");
        let numbers = std::mem::take(rule);
        rule.insert("rule".to_owned(), numbers.into());
        rule.extend(selector.map(|selector| ("clusterSelector".to_owned(), selector)));
    }
    let message: v1::PolicySpec = from_json(&spec).unwrap_or_else(|error| panic!("{spec}: {error:?}"));
    from_wire("policy", &message)
}

pub(crate) fn below(whole: &str, part: &str) -> String {
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}
