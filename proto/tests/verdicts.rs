//! A policy has the same verdict as a manifest and as a message: what `godwit apply` refuses, the hub refuses from any
//! other client, too.

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

/// A spec, where a manifest has its mistake, where a message has it, and what both say.
type Row = (Value, &'static str, &'static str, &'static str);

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

/// So many entries of something.
type Make = fn(usize) -> Value;

#[test]
fn lists_have_the_same_bounds() {
    let limits: [(usize, &str, &str, Make); 12] = [
        (
            10_000,
            "clusters",
            "clusters",
            |count| json!({"clusters": names(count).into_iter().map(|name| (name, json!({}))).collect::<serde_json::Map<_, _>>()}),
        ),
        (
            1_000,
            "rules",
            "rules",
            |count| json!({"rules": vec![json!({"clusterSelector": {"names": ["a"]}}); count]}),
        ),
        (64, "tiers", "tiers", |count| json!({"strategy": "ordered", "tiers": groups_of_one(count)})),
        (64, "fallback", "fallback", |count| json!({"fallback": groups_of_one(count)})),
        (4, "spread", "spread", |count| {
            let constraints: Vec<Value> = names(count).into_iter().map(|by| json!({"by": by})).collect();
            json!({"strategy": "spread", "spread": constraints})
        }),
        (
            64,
            "tolerations",
            "tolerations",
            |count| json!({"tolerations": vec![json!({"operator": "Exists"}); count]}),
        ),
        (16, "affinity", "affinity", |count| json!({"affinity": vec![json!({"names": ["a"]}); count]})),
        (
            16,
            "antiAffinity",
            "anti_affinity",
            |count| json!({"antiAffinity": vec![json!({"names": ["a"]}); count]}),
        ),
        (
            10_000,
            "clusterSelector.names",
            "cluster_selector.names",
            |count| json!({"clusterSelector": {"names": names(count)}}),
        ),
        (
            1_000,
            "clusterSelector.regions",
            "cluster_selector.regions",
            |count| json!({"clusterSelector": {"regions": names(count)}}),
        ),
        (1_000, "clusterSelector.matchLabels", "cluster_selector.match_labels", |count| {
            let labels: serde_json::Map<_, _> =
                names(count).into_iter().map(|key| (key, json!(""))).collect();
            json!({"clusterSelector": {"matchLabels": labels}})
        }),
        (
            1_000,
            "affinity[0].matchExpressions[0].values",
            "affinity[0].match_expressions[0].values",
            |count| json!({"affinity": [{"matchExpressions": [{"key": "a", "operator": "In", "values": names(count)}]}]}),
        ),
    ];
    for (max, written_at, sent_at, make) in limits {
        assert!(by_manifest(&make(max)).is_ok() && by_message(&make(max)).is_ok(), "{max} {written_at}");
        let over = make(max + 1);
        let (written, sent) = (mistake(&over), by_message(&over).expect_err(sent_at));
        assert_eq!((written.field, sent.field), (below("spec", written_at), below("policy", sent_at)));
        let said = format!("{}; {}", written.problem, written.remedy);
        assert_eq!(
            (&*said, &*sent.problem),
            (&*format!("{} are too many; give at most {max}", max + 1), &*said)
        );
    }
}

fn by_manifest(spec: &Value) -> Result<PolicySpec, Vec<ManifestError>> {
    let document =
        json!({"apiVersion": "godwit.dev/v1", "kind": "Policy", "metadata": {"name": "p"}, "spec": spec});
    let policies = parse_policies(&document.to_string());
    policies.map(|mut policies| policies.remove(0)).map_err(|errors| errors.errors().to_vec())
}

/// The only mistake that a manifest has.
#[track_caller]
fn mistake(spec: &Value) -> ManifestError {
    match by_manifest(spec).expect_err(&spec.to_string()).as_slice() {
        [mistake] => mistake.clone(),
        mistakes => panic!("{spec} has one mistake, but {mistakes:?}"),
    }
}

/// As a client sends it. Its JSON form differs from a manifest's in one place: the numbers of a rule by selector.
fn by_message(spec: &Value) -> Result<Terms, FieldError> {
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

fn below(whole: &str, part: &str) -> String {
    if part.is_empty() { whole.to_owned() } else { format!("{whole}.{part}") }
}

fn names(count: usize) -> Vec<String> {
    (0..count).map(|number| format!("c{number}")).collect()
}

fn groups_of_one(count: usize) -> Vec<Value> {
    names(count).into_iter().map(|name| json!({"names": [name]})).collect()
}
