//! What both refuse, in the same place and words.

use serde_json::{Value, json};

use crate::{below, by_message, mistake};

/// A spec, where a manifest has its mistake, where a message has it, and what both say.
type Row = (Value, &'static str, &'static str, &'static str);

#[test]
fn what_one_refuses_the_other_refuses_in_the_same_place_and_words() {
    let rows = [strategies_and_rules(), groups(), clusters(), workloads(), tolerations()];
    for (spec, written_at, sent_at, says) in rows.into_iter().flatten() {
        let written = mistake(&spec);
        let said = format!("{}; {}", written.problem, written.remedy);
        assert!(said.starts_with(says), "{spec}: {says:?} does not begin {said:?}");
        let sent = by_message(&spec).expect_err(&spec.to_string());
        assert_eq!(sent.problem, said, "{spec}");
        assert_eq!(
            (written.field, sent.field),
            (below("spec", written_at), below("policy", sent_at)),
            "{spec}"
        );
    }
}

fn strategies_and_rules() -> Vec<Row> {
    let zone = || json!({"by": "zone"});
    vec![
        (
            json!({"strategy": "spread", "spread": [zone(), {"by": "region"}, zone()]}),
            "spread[2]",
            "spread[2]",
            "there are two constraints by zone; make one of the two",
        ),
        (
            json!({"strategy": "spread", "spread": [{"by": "cluster"}]}),
            "spread[0]",
            "spread[0]",
            "it constrains nothing",
        ),
        (
            json!({"strategy": "spread", "spread": [{"by": "zone", "minGroups": 3, "maxGroups": 2}]}),
            "spread[0]",
            "spread[0]",
            "maxGroups 2 is below minGroups 3",
        ),
        (
            json!({"strategy": "spread", "spread": [{"by": "a b"}]}),
            "spread[0].by",
            "spread[0].by",
            "\"a b\" is not a key: its name must be",
        ),
        (
            json!({"strategy": "spread", "spread": [zone()], "default": {"min": 2}}),
            "default.min",
            "default.min",
            "2 is not valid here: a minimum breaks the constraints of spread; leave one",
        ),
        (
            json!({"strategy": "capacity", "clusters": {"a": {"weight": 2}}}),
            "clusters.a.weight",
            "clusters[a].weight",
            "2 is not valid here: only weighted and ordered heed weights above 1; leave",
        ),
        (
            json!({"strategy": "pack", "rules": [{"clusterSelector": {"regions": ["eu"]}, "weight": 2}]}),
            "rules[0].weight",
            "rules[0].rule.weight",
            "2 is not valid here: only weighted",
        ),
        (
            json!({"strategy": "duplicate", "default": {"max": 2}}),
            "default",
            "default",
            "min, max: with duplicate every cluster runs the full number; leave them out",
        ),
        (
            json!({"strategy": "ordered", "tiers": [{"names": ["a"]}], "clusters": {"b": {}}}),
            "clusters.b",
            "clusters[b]",
            "it is in no tier, so it never gets anything",
        ),
        (
            json!({"clusters": {"a": {"min": 5, "max": 4}}}),
            "clusters.a.max",
            "clusters[a].max",
            "4 is below min 5; raise max or lower min",
        ),
        (
            json!({"rules": [{"clusterSelector": {}, "weight": 2}]}),
            "rules[0].clusterSelector",
            "rules[0].cluster_selector",
            "it chooses all clusters; say which clusters it is for",
        ),
    ]
}

fn groups() -> Vec<Row> {
    let [own, rented] = ["own", "rented"].map(|provider| json!({"providers": [provider]}));
    vec![
        (
            json!({"fallback": [own, rented, own]}),
            "fallback[2]",
            "fallback[2]",
            "it is the same as fallback[0]; remove one of the two",
        ),
        (
            json!({"fallback": [own, {}, rented]}),
            "fallback[1]",
            "fallback[1]",
            "it chooses all clusters, so the groups after it are never used; make it the last one",
        ),
        (
            json!({"strategy": "duplicate", "fallback": [own]}),
            "fallback",
            "fallback",
            "with duplicate every chosen cluster runs the full number, so nothing falls back",
        ),
        (
            json!({"fallback": [{"providers": ["-"]}]}),
            "fallback[0].providers[0]",
            "fallback[0].providers",
            "\"-\" is not a value: it must be at most 63",
        ),
        (
            json!({"strategy": "ordered", "tiers": [{}]}),
            "tiers[0]",
            "tiers[0]",
            "the tier is empty; remove it",
        ),
        (
            json!({"strategy": "ordered", "tiers": [own, {"names": ["a"]}, {"names": ["b", "a"]}]}),
            "tiers[2].names[1]",
            "tiers[2].names",
            "a is named twice; leave it in one tier",
        ),
        (json!({"default": {"weight": 0}}), "", "", "no cluster can ever get a replica: every weight is 0"),
        (
            json!({"strategy": "ordered", "tiers": [{"names": ["a"]}], "clusters": {"a": {"weight": 0}}}),
            "",
            "",
            "no cluster can ever get a replica: every weight is 0",
        ),
    ]
}

fn clusters() -> Vec<Row> {
    let chosen = |selector: Value| json!({"clusterSelector": selector});
    vec![
        (
            chosen(json!({"matchLabels": {"tier": "a b"}})),
            "clusterSelector.matchLabels.tier",
            "cluster_selector.match_labels[tier]",
            "\"a b\" is not a value: it must be at most 63",
        ),
        (
            chosen(json!({"matchLabels": {"A.com/tier": "a"}})),
            "clusterSelector.matchLabels[A.com/tier]",
            "cluster_selector.match_labels[A.com/tier]",
            "\"A.com/tier\" is not a key: what stands before / must be a DNS name",
        ),
        (
            chosen(json!({"matchExpressions": [{"key": "-", "operator": "Exists"}]})),
            "clusterSelector.matchExpressions[0].key",
            "cluster_selector.match_expressions[0].key",
            "\"-\" is not a key: its name must be",
        ),
        (
            chosen(json!({"matchExpressions": [{"key": "a", "operator": "In", "values": ["b", "-"]}]})),
            "clusterSelector.matchExpressions[0].values[1]",
            "cluster_selector.match_expressions[0].values",
            "\"-\" is not a value",
        ),
        (
            chosen(json!({"matchExpressions": [{"key": "a", "operator": "Exists", "values": ["b"]}]})),
            "clusterSelector.matchExpressions[0].values",
            "cluster_selector.match_expressions[0].values",
            "Exists and DoesNotExist take no values; remove them",
        ),
        (
            chosen(json!({"regions": ["eu", ""]})),
            "clusterSelector.regions[1]",
            "cluster_selector.regions",
            "the text is empty; write a value, or remove it",
        ),
        (
            chosen(json!({"zones": ["x", "y", "x"]})),
            "clusterSelector.zones[2]",
            "cluster_selector.zones[2]",
            "x is listed twice; remove one of the two",
        ),
        (
            chosen(json!({"exclude": ["a", "a"]})),
            "clusterSelector.exclude[1]",
            "cluster_selector.exclude[1]",
            "a is listed twice; remove one of the two",
        ),
    ]
}

fn workloads() -> Vec<Row> {
    let near = |selector: Value| json!({"affinity": [selector]});
    vec![
        (
            json!({"antiAffinity": [{"names": ["web"]}, {}]}),
            "antiAffinity[1]",
            "anti_affinity[1]",
            "it chooses every workload, and away from all of them there is no cluster; say which",
        ),
        (
            json!({"antiAffinity": [{"namespaces": ["*"]}]}),
            "antiAffinity[0]",
            "anti_affinity[0]",
            "it chooses every workload",
        ),
        (
            near(json!({"namespaces": ["shop", "Shop"]})),
            "affinity[0].namespaces[1]",
            "affinity[0].namespaces",
            "namespace \"Shop\" is not valid: it must be lower-case letters",
        ),
        (
            near(json!({"names": ["*"]})),
            "affinity[0].names[0]",
            "affinity[0].names",
            "name \"*\" is not valid",
        ),
        (
            near(json!({"matchLabels": {"a": "-"}})),
            "affinity[0].matchLabels.a",
            "affinity[0].match_labels[a]",
            "\"-\" is not a value",
        ),
    ]
}

fn tolerations() -> Vec<Row> {
    let tolerates = |toleration: Value| json!({"tolerations": [toleration]});
    vec![
        (
            tolerates(json!({"value": "a"})),
            "tolerations[0]",
            "tolerations[0]",
            "it names no key; name the taint's key",
        ),
        (
            tolerates(json!({"key": "a b", "operator": "Exists"})),
            "tolerations[0].key",
            "tolerations[0].key",
            "\"a b\" is not a key",
        ),
        (
            tolerates(json!({"key": "a", "value": "b c"})),
            "tolerations[0].value",
            "tolerations[0].value",
            "\"b c\" is not a value",
        ),
        (
            tolerates(json!({"key": "a", "effect": "PreferNoSchedule", "tolerationSeconds": 1})),
            "tolerations[0].tolerationSeconds",
            "tolerations[0].toleration_seconds",
            "only a taint with the effect NoExecute is put up with for a time; remove it",
        ),
    ]
}
