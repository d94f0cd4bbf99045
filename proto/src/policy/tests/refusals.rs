//! What is refused, and where it stands.

use std::collections::BTreeMap;

use godwit_common::policy::Rule;

use super::samples::named;
use crate::policy::{from_store, from_wire, selector};
use crate::v1;

#[test]
fn words_that_are_not_known_and_numbers_out_of_range_are_refused() {
    let spec = v1::PolicySpec::default;
    let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
    let gated = |mode: &str, delay| v1::PolicySpec {
        traffic_gate: Some(v1::TrafficGate { mode: mode.into(), delay }),
        ..spec()
    };
    for (spec, says) in [
        (
            v1::PolicySpec { strategy: "random".into(), ..spec() },
            "p.strategy: \"random\" is not known: write weighted or capacity",
        ),
        (
            v1::PolicySpec { mode: "once".into(), ..spec() },
            "p.mode: \"once\" is not known: write available or at_most",
        ),
        (
            v1::PolicySpec { mode: "at_most".into(), fence: "lock".into(), ..spec() },
            "p.fence: \"lock\" is not known: write confirm or gate",
        ),
        (v1::PolicySpec { fence: "confirm".into(), ..spec() }, "p.fence: only the mode at_most has a fence"),
        (
            v1::PolicySpec { mode: "at_most".into(), max_surge_percent: Some(1), ..spec() },
            "p.max_surge_percent: 1 is not for the mode at_most",
        ),
        (
            v1::PolicySpec { rebalance: "x".into(), ..spec() },
            "p.rebalance: \"x\" is not known: write never or",
        ),
        (v1::PolicySpec { priority: 1001, ..spec() }, "p.priority: 1001 is out of range"),
        (v1::PolicySpec { priority: i32::MIN, ..spec() }, "p.priority: -2147483648 is out of range"),
        (
            v1::PolicySpec { max_unavailable: u32::MAX, ..spec() },
            "p.max_unavailable: 4294967295 is too large",
        ),
        (gated("now", None), "p.traffic_gate.mode: \"now\" is not known: write none or delay or ack"),
        (gated("ack", duration(15)), "p.traffic_gate.delay: only the mode delay waits for a time"),
        (gated("delay", duration(0)), "p.traffic_gate.delay: 0s is out of range: it must be above 0s"),
        (gated("delay", duration(3601)), "p.traffic_gate.delay: 3601s is out of range"),
        (v1::PolicySpec { max_surge_percent: Some(0), ..spec() }, "p.max_surge_percent: 0 is out of range"),
        (v1::PolicySpec { survivor: "newest".into(), ..spec() }, "p.survivor: \"newest\" is not known"),
        (v1::PolicySpec { fail_back: "always".into(), ..spec() }, "p.fail_back: \"always\" is not known"),
        (
            v1::PolicySpec { drift: "ignore".into(), ..spec() },
            "p.drift: \"ignore\" is not known: write enforce or observe or adopt",
        ),
        (
            v1::PolicySpec { unready_after: duration(9), ..spec() },
            "p.unready_after: 9s is out of range: it must be from 10s to 24h",
        ),
        (v1::PolicySpec { unready_after: duration(-1), ..spec() }, "p.unready_after: -1s is out of range"),
        (v1::PolicySpec { lost_after: duration(-1), ..spec() }, "p.lost_after: -1s is out of range"),
    ] {
        refused(&spec, says);
    }
}

#[test]
fn a_stored_policy_is_read_by_what_was_valid_when_it_was_taken() {
    let nobody = v1::PolicySpec {
        default: Some(v1::ClusterRule { weight: Some(0), ..Default::default() }),
        ..Default::default()
    };
    refused(&nobody, "p: no cluster can ever get a replica: every weight is 0; give the default or");
    assert_eq!(from_store("p", &nobody).unwrap().placement.default, Some(Rule::new(0, 0, None).unwrap()));
    let unreadable = v1::PolicySpec { strategy: "random".into(), ..nobody };
    assert_eq!(from_store("p", &unreadable).unwrap_err().field, "p.strategy");
}

#[test]
fn rules_are_refused_by_where_they_stand() {
    let rule = |weight, min, max| v1::ClusterRule { weight, min, max };
    let entry = |name: &str, rule| v1::PolicySpec {
        clusters: BTreeMap::from([(name.to_owned(), rule)]),
        ..v1::PolicySpec::default()
    };
    let strategy = |strategy: &str, spec| v1::PolicySpec { strategy: strategy.to_owned(), ..spec };
    let over = i32::MAX as u32 + 1;
    let selected = |rule| v1::PolicySpec {
        rules: vec![v1::SelectedRule { cluster_selector: Some(selector::to_wire(&named(&["far"]))), rule }],
        ..v1::PolicySpec::default()
    };
    let default = v1::PolicySpec { default: Some(rule(None, Some(1), None)), ..Default::default() };
    for (spec, says) in [
        (
            entry("east", rule(Some(over), None, None)),
            "p.clusters[east].weight: 2147483648 is too large; give at most",
        ),
        (entry("east", rule(None, Some(5), Some(4))), "p.clusters[east].max: 4 is below min 5; raise max"),
        (entry("East", rule(None, None, None)), "p.clusters: cluster name \"East\" is not valid"),
        (selected(Some(rule(None, Some(over), None))), "p.rules[0].rule.min: 2147483648 is too large"),
        (
            strategy("pack", selected(Some(rule(Some(2), None, None)))),
            "p.rules[0].rule.weight: 2 is not valid here: only weighted",
        ),
        (
            strategy("pack", entry("east", rule(Some(2), None, None))),
            "p.clusters[east].weight: 2 is not valid here: only weighted",
        ),
        (strategy("duplicate", default), "p.default: min, max: with duplicate"),
    ] {
        refused(&spec, says);
    }
}

#[test]
fn what_does_not_go_with_a_strategy_is_refused() {
    let tier = |names: &[&str]| selector::to_wire(&named(names));
    let spec = |strategy: &str, tiers: &[&[&str]], spread: Vec<v1::SpreadConstraint>| v1::PolicySpec {
        strategy: strategy.to_owned(),
        tiers: tiers.iter().map(|names| tier(names)).collect(),
        spread,
        ..v1::PolicySpec::default()
    };
    let by = |by: &str, min, max| v1::SpreadConstraint {
        by: by.to_owned(),
        min_groups: min,
        max_groups: max,
        ..v1::SpreadConstraint::default()
    };
    let when = v1::SpreadConstraint { when_unsatisfiable: "Perhaps".into(), ..by("zone", None, None) };
    let mut capital = spec("ordered", &[&["a"]], Vec::new());
    capital.tiers[0].names.push("A".to_owned());
    for (spec, says) in [
        (spec("ordered", &[], Vec::new()), "p.tiers: there are no tiers; list"),
        (spec("ordered", &[&["a"], &[]], Vec::new()), "p.tiers[1]: the tier is empty; remove it"),
        (spec("ordered", &[&["a"], &["a", "b"]], Vec::new()), "p.tiers[1].names: a is named twice; leave"),
        (capital, "p.tiers[0].names[1]: cluster name \"A\" is not valid"),
        (spec("pack", &[&["a"]], Vec::new()), "p.tiers: pack has no tiers: leave them out, or write ordered"),
        (spec("", &[], vec![by("zone", None, None)]), "p.spread: weighted has no constraints"),
        (spec("spread", &[], vec![by("", Some(1), None)]), "p.spread[0].by: \"\" is not a key"),
        (spec("spread", &[], vec![by("cluster", None, None)]), "p.spread[0]: it constrains nothing"),
        (spec("spread", &[], vec![by("zone", Some(0), None)]), "p.spread[0].min_groups: 0 is too small"),
        (
            spec("spread", &[], vec![by("zone", None, Some(u32::MAX))]),
            "p.spread[0].max_groups: 4294967295 is too",
        ),
        (
            spec("spread", &[], vec![by("zone", Some(3), Some(2))]),
            "p.spread[0]: maxGroups 2 is below minGroups 3",
        ),
        (spec("spread", &[], vec![when]), "p.spread[0].when_unsatisfiable: \"Perhaps\" is not known"),
    ] {
        refused(&spec, says);
    }
}

#[test]
fn selectors_and_tolerations_are_refused_by_where_they_stand() {
    let chosen = |selector| v1::PolicySpec { cluster_selector: Some(selector), ..Default::default() };
    let test = |key: &str, operator: &str, values: &[&str]| {
        let values = values.iter().map(ToString::to_string).collect();
        let requirement = v1::Requirement { key: key.to_owned(), operator: operator.to_owned(), values };
        chosen(v1::ClusterSelector { match_expressions: vec![requirement], ..Default::default() })
    };
    let tolerates = |toleration| v1::PolicySpec { tolerations: vec![toleration], ..Default::default() };
    let toleration = |key: &str, operator: &str, value: &str, effect: &str| v1::ClusterToleration {
        key: key.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
        toleration_seconds: Some(1),
    };
    let near = |selector| v1::PolicySpec { affinity: vec![selector], ..Default::default() };
    let regions = |texts: &[&str]| {
        let regions = texts.iter().map(ToString::to_string).collect();
        chosen(v1::ClusterSelector { regions, ..Default::default() })
    };
    for (spec, says) in [
        (
            test("a", "Like", &["b"]),
            "p.cluster_selector.match_expressions[0].operator: the operator is not known",
        ),
        (test("", "Exists", &[]), "p.cluster_selector.match_expressions[0].key: \"\" is not a key"),
        (test("a", "In", &[]), "p.cluster_selector.match_expressions[0].values: In and NotIn need"),
        (regions(&[""]), "p.cluster_selector.regions: the text is empty"),
        (regions(&["eu", "us", "eu"]), "p.cluster_selector.regions[2]: eu is listed twice; remove one"),
        (tolerates(toleration("", "", "", "")), "p.tolerations[0]: it names no key"),
        (tolerates(toleration("a", "Exists", "b", "")), "p.tolerations[0].value: Exists has no value"),
        (tolerates(toleration("a", "Is", "b", "")), "p.tolerations[0].operator: \"Is\" is not known"),
        (tolerates(toleration("a", "", "b", "Never")), "p.tolerations[0].effect: \"Never\" is not known"),
        (
            tolerates(toleration("a", "", "b", "NoSchedule")),
            "p.tolerations[0].toleration_seconds: only a taint with the effect NoExecute",
        ),
        (
            near(v1::WorkloadSelector { namespaces: vec!["Shop".into()], ..Default::default() }),
            "p.affinity[0].namespaces: namespace \"Shop\" is not valid",
        ),
        (
            near(v1::WorkloadSelector { names: vec!["*".into()], ..Default::default() }),
            "p.affinity[0].names: name \"*\" is not valid",
        ),
    ] {
        refused(&spec, says);
    }
}

#[test]
fn lists_have_bounds() {
    let spec = v1::PolicySpec::default;
    let rule = || v1::SelectedRule { cluster_selector: Some(selector::to_wire(&named(&["a"]))), rule: None };
    let groups = |count: usize| (0..count).map(|number| selector::to_wire(&named(&[&format!("c{number}")])));
    let names = |count: usize| (0..count).map(|number| format!("c{number}")).collect::<Vec<_>>();
    let entries = |count| names(count).into_iter().map(|name| (name, v1::ClusterRule::default())).collect();
    let tolerations = |count| {
        let all = v1::ClusterToleration { operator: "Exists".into(), ..Default::default() };
        vec![all; count]
    };
    let near = |count| vec![v1::WorkloadSelector { names: vec!["db".into()], ..Default::default() }; count];
    let constraints = |count| {
        names(count).into_iter().map(|by| v1::SpreadConstraint { by, ..Default::default() }).collect()
    };
    let values = |count| v1::ClusterSelector { zones: names(count), ..Default::default() };
    for (max, field, make) in [
        (10_000, "clusters", &(|count| v1::PolicySpec { clusters: entries(count), ..spec() }) as &Make<'_>),
        (1_000, "rules", &|count| v1::PolicySpec { rules: vec![rule(); count], ..spec() }),
        (64, "tiers", &|count| v1::PolicySpec {
            strategy: "ordered".into(),
            tiers: groups(count).collect(),
            ..spec()
        }),
        (64, "fallback", &|count| v1::PolicySpec { fallback: groups(count).collect(), ..spec() }),
        (4, "spread", &|count| v1::PolicySpec {
            strategy: "spread".into(),
            spread: constraints(count),
            ..spec()
        }),
        (64, "tolerations", &|count| v1::PolicySpec { tolerations: tolerations(count), ..spec() }),
        (16, "affinity", &|count| v1::PolicySpec { affinity: near(count), ..spec() }),
        (64, "rollout.order", &|count| {
            let order = vec![v1::ClusterSelector::default(); count];
            v1::PolicySpec {
                rollout: Some(v1::RolloutPolicy { order, ..v1::RolloutPolicy::default() }),
                ..spec()
            }
        }),
        (16, "anti_affinity", &|count| v1::PolicySpec { anti_affinity: near(count), ..spec() }),
        (1_000, "cluster_selector.zones", &|count| v1::PolicySpec {
            cluster_selector: Some(values(count)),
            ..spec()
        }),
    ] {
        assert!(from_wire("p", &make(max)).is_ok(), "{field}");
        refused(&make(max + 1), &format!("p.{field}: {} are too many; give at most {max}", max + 1));
    }
}

/// A spec with so many entries of one list.
type Make<'a> = dyn Fn(usize) -> v1::PolicySpec + 'a;

fn refused(spec: &v1::PolicySpec, says: &str) {
    let error = from_wire("p", spec).unwrap_err().to_string();
    assert!(error.starts_with(says), "{says:?} does not begin {error:?}");
}
