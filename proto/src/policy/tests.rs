//! Policies there and back, and whatever else may come in.

use std::collections::BTreeMap;

use godwit_common::policy::overrides::{Change, Image, Operation, Verb};
use godwit_common::policy::{
    ClusterSelector, ClusterToleration, Data, Drift, FailBack, Fencing, GroupBy, Mode, Motion,
    ObjectSelector, OnFailure, Override, Prestage, Rollout, Rule, SpreadConstraint, Strategy, Survivor,
    Tiers, TrafficGate, WorkloadSelector,
};
use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{TaintEffect, Toleration};

use super::*;

#[test]
fn a_policy_with_everything_comes_back_as_it_was() {
    let tiers = Tiers::new(vec![everything("east"), named(&["west", "far"])]).unwrap();
    for strategy in [
        Strategy::Weighted,
        Strategy::Capacity,
        Strategy::Spread(Vec::new()),
        Strategy::Spread(constraints()),
        Strategy::Pack,
        Strategy::Ordered(tiers),
        Strategy::Duplicate,
    ] {
        let terms = terms(strategy);
        let wire = to_wire(&terms.placement, terms.lost_after);
        assert_eq!(from_wire("", &wire), Ok(terms));
    }
}

#[test]
fn what_may_run_only_once_comes_back_as_it_was() {
    let motion = Motion { mode: Mode::AtMost(Fencing::Confirm), max_unavailable: 2, ..Motion::default() };
    let wire = to_wire(&Policy { motion, ..Policy::default() }, None);
    assert_eq!((&*wire.mode, &*wire.fence, wire.max_surge_percent), ("at_most", "confirm", None));
    assert_eq!(from_wire("", &wire).map(|terms| terms.placement.motion), Ok(motion));
    let gated = Motion { mode: Mode::AtMost(Fencing::Gate), ..motion };
    let wire = to_wire(&Policy { motion: gated, ..Policy::default() }, None);
    assert_eq!(&*wire.fence, "gate");
    assert_eq!(from_wire("", &wire).map(|terms| terms.placement.motion), Ok(gated));
    // One replica at a time is the least, and the default.
    let least = v1::PolicySpec { mode: "at_most".into(), ..v1::PolicySpec::default() };
    let motion = Motion { max_unavailable: 1, ..motion };
    assert_eq!(from_wire("", &least).map(|terms| terms.placement.motion), Ok(motion));
}

#[test]
fn bounds_of_rules_come_back_as_they_were() {
    let rule = |weight, min, max| Rule::new(weight, min, max).unwrap();
    let most = i32::MAX as u32;
    let placement = Policy {
        default: Some(rule(most, 0, None)),
        clusters: [("east".parse().unwrap(), rule(7, 2, Some(most)))].into(),
        rules: vec![(named(&["west"]), rule(1, most, Some(most)))],
        ..Policy::default()
    };
    let wire = to_wire(&placement, None);
    assert_eq!(from_wire("", &wire), Ok(Terms { placement, ..Terms::default() }));
}

#[test]
fn an_empty_message_is_the_default_policy() {
    assert_eq!(from_wire("", &v1::PolicySpec::default()), Ok(Terms::default()));
    let written = to_wire(&Policy::default(), None);
    assert_eq!((&*written.strategy, &*written.mode, &*written.rebalance), ("weighted", "available", "never"));
    assert_eq!(written.cluster_selector, None);
}

#[test]
fn a_gate_without_a_delay_has_the_usual_one() {
    let gate = |mode: &str| {
        let wire = v1::TrafficGate { mode: mode.to_owned(), delay: None };
        let spec = v1::PolicySpec { traffic_gate: Some(wire), ..Default::default() };
        from_wire("", &spec).unwrap().placement.motion.traffic_gate
    };
    let gates = ["", "none", "delay", "ack"].map(gate);
    let usual = TrafficGate::Delay(Duration::from_secs(15));
    assert_eq!(gates, [TrafficGate::None, TrafficGate::None, usual, TrafficGate::Ack]);
    assert_eq!(to_wire(&Policy::default(), None).traffic_gate, None);
}

#[test]
fn what_a_toleration_leaves_out_tolerates_all_of_it() {
    let wire = |key: &str, operator: &str, value: &str, effect: &str| v1::ClusterToleration {
        key: key.to_owned(),
        operator: operator.to_owned(),
        value: value.to_owned(),
        effect: effect.to_owned(),
        toleration_seconds: None,
    };
    let read = |wire: v1::ClusterToleration| {
        let spec = v1::PolicySpec { tolerations: vec![wire], ..Default::default() };
        let [toleration] = &from_wire("", &spec).unwrap().placement.tolerations[..] else { panic!("one") };
        let Toleration { key, value, effect } = &toleration.taints;
        (key.as_deref().map(str::to_owned), value.as_deref().map(str::to_owned), *effect)
    };
    let own = |text: &str| Some(text.to_owned());
    assert_eq!(read(wire("", "Exists", "", "")), (None, None, None));
    assert_eq!(read(wire("gpu", "Exists", "", "")), (own("gpu"), None, None));
    assert_eq!(read(wire("gpu", "", "", "")), (own("gpu"), own(""), None));
    let equal = read(wire("gpu", "Equal", "a", "NoSchedule"));
    assert_eq!(equal, (own("gpu"), own("a"), Some(TaintEffect::NoSchedule)));
}

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

/// Nothing is left at its default, but for rules, which do not go with every strategy.
fn terms(strategy: Strategy) -> Terms {
    let taints = Toleration { key: Some("gpu".into()), value: Some("".into()), effect: None };
    let placement = Policy {
        fallback: fallback(&strategy),
        strategy,
        selector: everything("east"),
        tolerations: vec![
            ClusterToleration { taints, seconds: None },
            ClusterToleration {
                taints: Toleration { effect: Some(TaintEffect::NoExecute), ..Toleration::default() },
                seconds: Some(0),
            },
        ],
        affinity: Affinity { with: vec![near("a"), near("*")], without: vec![near("b")], colocate: true },
        default: Some(Rule::new(0, 0, None).unwrap()),
        clusters: [("east".parse().unwrap(), Rule::default())].into(),
        rules: vec![(everything("far"), Rule::default())],
        rebalance: Rebalance::Gradual,
        priority: -5,
        preemptible: true,
        motion: Motion {
            mode: Mode::Available,
            max_surge: 40,
            max_unavailable: 7,
            traffic_gate: TrafficGate::Delay(Duration::from_millis(1_500)),
            survivor: Survivor::KeepOriginal,
            fail_back: FailBack::Immediate,
            unready_after: Duration::from_secs(90),
            drift: Drift::Adopt,
        },
        rollout: Rollout {
            order: vec![everything("first"), ClusterSelector::default()],
            max_clusters_at_once: 2,
            pause_after_first: true,
            on_failure: OnFailure::Rollback,
            progress_deadline: Duration::from_secs(90),
        },
        data: Data::Replicated,
        divide: true,
        prestage: Prestage::Placed,
        export_services: true,
        overrides: overrides(),
    };
    Terms { placement, lost_after: Some(Duration::from_millis(2_500)) }
}

fn overrides() -> Vec<Override> {
    vec![Override {
        selector: everything("first"),
        objects: ObjectSelector {
            kinds: ["ConfigMap".into(), "Deployment".into()].into(),
            namespaces: ["shop".into()].into(),
            names: ["web".into()].into(),
        },
        change: Change {
            containers: ["web".into()].into(),
            image: Image {
                registry: Some("eu.example.com:5000".into()),
                prefix: Some("mirror".into()),
                tag: Some("2".into()),
            },
            env: [("MODE".into(), "a b".into())].into(),
            labels: [("tier".into(), "eu".into())].into(),
            annotations: [("note".into(), "any text".into())].into(),
            storage_class: Some("fast".into()),
            patch: vec![
                Operation {
                    verb: Verb::Add,
                    path: "/spec/paused".into(),
                    from: None,
                    value: Some("{\"a\":[1,-2.5,\"x\",true,null],\"b\":{}}".into()),
                },
                Operation {
                    verb: Verb::Copy,
                    path: "/spec/b".into(),
                    from: Some("/spec/a".into()),
                    value: None,
                },
            ],
        },
    }]
}

/// Which does not go with every strategy, either.
fn fallback(strategy: &Strategy) -> Vec<ClusterSelector> {
    match strategy {
        Strategy::Duplicate => Vec::new(),
        Strategy::Weighted
        | Strategy::Capacity
        | Strategy::Spread(_)
        | Strategy::Pack
        | Strategy::Ordered(_) => vec![everything("west"), ClusterSelector::default()],
    }
}

fn constraints() -> Vec<SpreadConstraint> {
    let constraint =
        |by, soft| SpreadConstraint { by, min_groups: Some(2), max_groups: Some(9), max_skew: Some(1), soft };
    vec![constraint(GroupBy::Region, false), constraint(GroupBy::Label("rack".into()), true)]
}

fn named(names: &[&str]) -> ClusterSelector {
    ClusterSelector::of_names(names.iter().map(|name| name.parse().unwrap()))
}

fn everything(name: &str) -> ClusterSelector {
    ClusterSelector {
        exclude: ["off".parse().unwrap()].into(),
        labels: labels(),
        regions: ["eu".into()].into(),
        zones: ["eu-a".into(), "eu-b".into()].into(),
        providers: ["aws".into()].into(),
        ..named(&[name])
    }
}

fn near(namespace: &str) -> WorkloadSelector {
    WorkloadSelector { namespaces: [namespace.into()].into(), names: ["web".into()].into(), labels: labels() }
}

fn labels() -> LabelSelector {
    let values = || ["a".into(), "b".into()].into();
    let tests = [
        Test::In(values()),
        Test::NotIn(values()),
        Test::Exists,
        Test::DoesNotExist,
        Test::Gt(-3),
        Test::Lt(3),
    ];
    LabelSelector {
        labels: [("tier".into(), "web".into())].into(),
        expressions: tests.map(|test| Requirement { key: "k".into(), test }).into(),
    }
}
