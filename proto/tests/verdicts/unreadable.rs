//! What is unreadable to one is refused by the other, in the same place and each in its own words.

use serde_json::{Value, json};

use crate::{below, by_message, mistake};

#[test]
fn what_is_unreadable_to_one_is_refused_by_the_other() {
    let selector = json!({"regions": ["eu"]});
    for (spec, written_at, sent_at) in [
        (json!({"strategy": "random"}), "strategy", "strategy"),
        (json!({"mode": "once"}), "mode", "mode"),
        (json!({"mode": "available", "fence": "confirm"}), "fence", "fence"),
        (json!({"rebalance": "now"}), "rebalance", "rebalance"),
        (json!({"priority": 1001}), "priority", "priority"),
        (json!({"priority": -1001}), "priority", "priority"),
        (json!({"maxUnavailable": 1_000_001}), "maxUnavailable", "max_unavailable"),
        (json!({"trafficGate": {"mode": "later"}}), "trafficGate.mode", "traffic_gate.mode"),
        (json!({"trafficGate": {"mode": "none", "delay": "5s"}}), "trafficGate.delay", "traffic_gate.delay"),
        (json!({"trafficGate": {"mode": "delay", "delay": "0s"}}), "trafficGate.delay", "traffic_gate.delay"),
        (
            json!({"trafficGate": {"mode": "delay", "delay": "3601s"}}),
            "trafficGate.delay",
            "traffic_gate.delay",
        ),
        (json!({"strategy": "ordered"}), "tiers", "tiers"),
        (json!({"strategy": "pack", "tiers": [selector]}), "tiers", "tiers"),
        (json!({"strategy": "pack", "spread": [{"by": "zone"}]}), "spread", "spread"),
        (
            json!({"strategy": "spread", "spread": [{"by": "zone", "maxSkew": 0}]}),
            "spread[0].maxSkew",
            "spread[0].max_skew",
        ),
        (
            json!({"strategy": "spread", "spread": [{"by": "zone", "minGroups": 4_294_967_295_u32}]}),
            "spread[0].minGroups",
            "spread[0].min_groups",
        ),
        (json!({"strategy": "spread", "spread": [{"minGroups": 1}]}), "spread[0].by", "spread[0].by"),
        (
            json!({"strategy": "spread", "spread": [{"by": "zone", "whenUnsatisfiable": "Never"}]}),
            "spread[0].whenUnsatisfiable",
            "spread[0].when_unsatisfiable",
        ),
        (
            json!({"clusters": {"a": {"weight": 4_294_967_295_u32}}}),
            "clusters.a.weight",
            "clusters[a].weight",
        ),
        (json!({"clusters": {"A": {}}}), "clusters.A", "clusters"),
        (json!({"rules": [{"weight": 2}]}), "rules[0].clusterSelector", "rules[0].cluster_selector"),
        (
            json!({"tolerations": [{"key": "a", "operator": "Is"}]}),
            "tolerations[0].operator",
            "tolerations[0].operator",
        ),
        (
            json!({"tolerations": [{"key": "a", "effect": "Never"}]}),
            "tolerations[0].effect",
            "tolerations[0].effect",
        ),
        (
            json!({"tolerations": [{"key": "a", "operator": "Exists", "value": "b"}]}),
            "tolerations[0]",
            "tolerations[0].value",
        ),
        (
            json!({"tolerations": [{"operator": "Exists", "tolerationSeconds": 2_147_483_648_u32}]}),
            "tolerations[0].tolerationSeconds",
            "tolerations[0].toleration_seconds",
        ),
    ] {
        refused_by_both(&spec, written_at, sent_at);
    }
}

#[test]
fn what_is_unreadable_of_a_rollout_is_refused_by_both() {
    let of = |field: &str, value: Value| json!({"rollout": {field: value}});
    for (spec, written_at, sent_at) in [
        (of("onFailure", json!("hope")), "rollout.onFailure", "rollout.on_failure"),
        (of("maxClustersAtOnce", json!(0)), "rollout.maxClustersAtOnce", "rollout.max_clusters_at_once"),
        (of("progressDeadline", json!("0s")), "rollout.progressDeadline", "rollout.progress_deadline"),
    ] {
        refused_by_both(&spec, written_at, sent_at);
    }
}

fn refused_by_both(spec: &Value, written_at: &str, sent_at: &str) {
    let sent = by_message(spec).expect_err(&spec.to_string());
    let places = (below("spec", written_at), below("policy", sent_at));
    assert_eq!((mistake(spec).field, sent.field), places, "{spec}");
}
