//! Policies: what they say, what they leave to defaults, and what they may not say.

use std::time::Duration;

use godwit_common::policy::{
    ClusterSelector, GroupBy, OnFailure, Policy, Rebalance, Rule, SpreadConstraint, Strategy, Tiers,
    TrafficGate,
};
use godwit_common::policy::{Drift, FailBack, Fencing, Mode, Motion, Survivor};
use godwit_manifest::parse_policies;

const POLICY: &str = "\
apiVersion: godwit.dev/v1
kind: Policy
metadata:
  name: even
spec:
  strategy: weighted
";

fn policy_errors(more: &str) -> String {
    let text = format!("{POLICY}{more}");
    let message = parse_policies(&text).expect_err(&text).to_string();
    message.replace("document 1 (line ", "(").replace("column ", "")
}

/// What follows the policy above, and what is wrong with it.
const MISTAKES: &[(&str, &str)] = &[
    (
        "  clusters: {alpha: {wieght: 1}}",
        "(7, 30): Policy even: spec.clusters.alpha.wieght: this field is unknown; did you mean \"weight\"?",
    ),
    (
        "  clusters: {alpha: {weight: -1}}",
        "(7, 30): Policy even: spec.clusters.alpha.weight: -1 is not valid here; write a whole number from 0 to 2147483647",
    ),
    (
        "  clusters: {Alpha: {weight: 1}}",
        "(7, 21): Policy even: spec.clusters.Alpha: cluster name \"Alpha\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; write the name of a cluster",
    ),
    (
        "  clusters: {alpha: {min: 5, max: 3}}",
        "(7, 35): Policy even: spec.clusters.alpha.max: 3 is below min 5; raise max or lower min",
    ),
    (
        "  lostAfter: 10",
        "(7, 14): Policy even: spec.lostAfter: 10 is not valid here; write a duration from 0s to 1h, such as 10s or 1m30s",
    ),
    (
        "  lostAfter: 2h",
        "(7, 14): Policy even: spec.lostAfter: \"2h\" is not valid here; write a duration from 0s to 1h, such as 10s or 1m30s",
    ),
    (
        "  unreadyAfter: 5s",
        "(7, 17): Policy even: spec.unreadyAfter: \"5s\" is not valid here; write a duration from 10s to 24h, such as 5m or 1m30s",
    ),
    (
        "  lost_after: 10s",
        "(7, 15): Policy even: spec.lost_after: this field is unknown; did you mean \"lostAfter\"?",
    ),
    (
        "  mode: atMost\n  fence: lock",
        "(8, 10): Policy even: spec.fence: \"lock\" is not known; known are confirm, gate",
    ),
    ("  mode: fast", "(7, 9): Policy even: spec.mode: \"fast\" is not known; known are available, atMost"),
    (
        "  maxUnavailable: 10%",
        "(7, 19): Policy even: spec.maxUnavailable: \"10%\" is not valid here; write a whole number from 0 to 1000000",
    ),
    (
        "  trafficGate: {mode: delayed}",
        "(7, 23): Policy even: spec.trafficGate.mode: \"delayed\" is not known; did you mean \"delay\"?",
    ),
    (
        "  trafficGate: {delay: 5s}",
        "(7, 16): Policy even: spec.trafficGate.mode: it is missing; write none, delay or ack",
    ),
    (
        "  trafficGate: {mode: ack, delay: 5s}",
        "(7, 35): Policy even: spec.trafficGate.delay: only the mode delay waits for a time; remove it, or write mode: delay",
    ),
    (
        "  trafficGate: {mode: delay, delay: 0s}",
        "(7, 37): Policy even: spec.trafficGate.delay: \"0s\" is not valid here; write a duration above 0s and up to 1h, such as 15s or 1m30s",
    ),
    (
        "  default: {weight: 0}",
        "(6, 3): Policy even: spec: no cluster can ever get a replica: every weight is 0; give the default or one of the clusters a weight above 0",
    ),
    (
        "  rebalance: sometimes",
        "(7, 14): Policy even: spec.rebalance: \"sometimes\" is not known; known are never, gradual, always",
    ),
    (
        "  priority: 1e9",
        "(7, 13): Policy even: spec.priority: 1000000000 is not valid here; write a whole number from -1000 to 1000",
    ),
    (
        "  strategi: x",
        "(7, 13): Policy even: spec.strategi: this field is unknown; did you mean \"strategy\"?",
    ),
    (
        "  strategy2: duplicate",
        "(7, 14): Policy even: spec.strategy2: this field is unknown; did you mean \"strategy\"?",
    ),
    (
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}",
        "document 2 (line 8, 1): ConfigMap x: ConfigMap of v1 is not a policy; apply applications and policies each on their own",
    ),
    (
        "---\napiVersion: godwit.dev/v2\nkind: Policy\nmetadata: {name: x}",
        "document 2 (line 8, 1): Policy x: there is no Policy in godwit.dev/v2; write apiVersion: godwit.dev/v1 and kind: Policy",
    ),
    (
        "---\napiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {name: even}\nspec: {}",
        "document 2 (line 10, 18): Policy even: metadata.name: there is already a policy even; remove one of the two, or rename it",
    ),
];

#[test]
fn mistakes_are_named_with_place_value_and_remedy() {
    for (more, message) in MISTAKES {
        assert_eq!(&policy_errors(more), message, "{more:?}");
    }
}

/// The spec of a policy, and what is wrong with it.
const MISTAKEN_STRATEGIES: &[(&str, &str)] = &[
    (
        "{strategy: packed}",
        "(6, 18): Policy p: spec.strategy: \"packed\" is not known; did you mean \"pack\"?",
    ),
    (
        "{strategy: pack, tiers: [[a]]}",
        "(6, 31): Policy p: spec.tiers: only the strategy ordered has tiers; remove them, or write strategy: ordered",
    ),
    (
        "{maxSkew: 1}",
        "(6, 17): Policy p: spec.maxSkew: a skew is part of a constraint of the strategy spread; write spread: [{by: cluster, maxSkew: 1}]",
    ),
    (
        "{strategy: spread, maxSkew: many}",
        "(6, 35): Policy p: spec.maxSkew: a skew is part of a constraint of the strategy spread; write spread: [{by: cluster, maxSkew: N}]",
    ),
    (
        "{strategy: pack, spread: [{by: zone}]}",
        "(6, 32): Policy p: spec.spread: only the strategy spread has constraints; remove them, or write strategy: spread",
    ),
    (
        "{strategy: spread, spread: [{by: cluster, maxSkew: 0}]}",
        "(6, 58): Policy p: spec.spread[0].maxSkew: 0 is not valid here; write a whole number from 1 to 2147483647",
    ),
    (
        "{strategy: spread, spread: [{by: cluster}]}",
        "(6, 35): Policy p: spec.spread[0]: it constrains nothing; give minGroups, maxGroups or maxSkew, or leave it out",
    ),
    (
        "{strategy: spread, spread: [{by: zone, minGroups: 3, maxGroups: 2}]}",
        "(6, 35): Policy p: spec.spread[0]: maxGroups 2 is below minGroups 3; raise it or lower minGroups",
    ),
    (
        "{strategy: spread, spread: [{by: zone}, {by: zone}]}",
        "(6, 47): Policy p: spec.spread[1]: there are two constraints by zone; make one of the two",
    ),
    (
        "{strategy: spread, spread: [{minGroups: 2}]}",
        "(6, 35): Policy p: spec.spread[0].by: it is missing; write cluster, zone, region, provider or the key of a label",
    ),
    (
        "{strategy: spread, spread: [{by: a/b/c, minGroups: 2}]}",
        "(6, 40): Policy p: spec.spread[0].by: \"a/b/c\" is not a key: its name must be 1 to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; correct it",
    ),
    (
        "{strategy: spread, spread: [{by: zone, whenUnsatisfiable: Never}]}",
        "(6, 65): Policy p: spec.spread[0].whenUnsatisfiable: \"Never\" is not known; known are DoNotSchedule, ScheduleAnyway",
    ),
    (
        "{strategy: spread, spread: [{by: a}, {by: b}, {by: c}, {by: d}, {by: e}]}",
        "(6, 34): Policy p: spec.spread: 5 are too many; give at most 4",
    ),
    (
        "{strategy: ordered}",
        "(6, 7): Policy p: spec.tiers: it is missing; list the clusters to fill first, then the next, such as [[a, b], [c]]",
    ),
    (
        "{strategy: ordered, tiers: []}",
        "(6, 34): Policy p: spec.tiers: there are no tiers; list the clusters to fill first, then the next, such as [[a, b], [c]]",
    ),
    (
        "{strategy: ordered, tiers: [[a], []]}",
        "(6, 40): Policy p: spec.tiers[1]: the tier is empty; remove it, or name a cluster",
    ),
    (
        "{strategy: ordered, tiers: [[a], [b, a]]}",
        "(6, 44): Policy p: spec.tiers[1][1]: a is named twice; leave it in one tier",
    ),
    (
        "{strategy: ordered, tiers: [[a]], clusters: {b: {max: 2}}}",
        "(6, 55): Policy p: spec.clusters.b: it is in no tier, so it never gets anything; add it to one, or leave it out",
    ),
    (
        "{strategy: capacity, clusters: {a: {weight: 2}}}",
        "(6, 51): Policy p: spec.clusters.a.weight: 2 is not valid here: only weighted and ordered heed weights above 1; leave it out, or give 0 for none",
    ),
    (
        "{strategy: duplicate, default: {max: 2}}",
        "(6, 38): Policy p: spec.default: min, max: with duplicate every cluster runs the full number; leave them out",
    ),
    (
        "{strategy: spread, spread: [{by: cluster, maxSkew: 1}], default: {min: 2}}",
        "(6, 78): Policy p: spec.default.min: 2 is not valid here: a minimum breaks the constraints of spread; leave one of them out",
    ),
];

fn with_spec(spec: &str) -> String {
    format!("apiVersion: godwit.dev/v1\nkind: Policy\nmetadata:\n  name: p\n\nspec: {spec}\n")
}

#[test]
fn what_does_not_go_with_a_strategy_is_named() {
    for (spec, message) in MISTAKEN_STRATEGIES {
        let errors = parse_policies(&with_spec(spec)).expect_err(spec).to_string();
        assert_eq!(&errors.replace("document 1 (line ", "(").replace("column ", ""), message, "{spec:?}");
    }
}

#[test]
fn every_strategy_is_read() {
    let names = |list: &[&str]| ClusterSelector::of_names(list.iter().map(|name| name.parse().unwrap()));
    let spread = |by: &str, min_groups, max_groups, max_skew, soft| SpreadConstraint {
        by: GroupBy::from(by),
        min_groups,
        max_groups,
        max_skew,
        soft,
    };
    let europe = ClusterSelector { regions: ["eu".into()].into(), ..ClusterSelector::default() };
    for (spec, strategy) in [
        ("{}", Strategy::Weighted),
        ("{strategy: weighted}", Strategy::Weighted),
        ("{strategy: capacity, clusters: {a: {weight: 0}, b: {max: 3}}}", Strategy::Capacity),
        ("{strategy: spread}", Strategy::Spread(Vec::new())),
        (
            "{strategy: spread, spread: [{by: cluster, maxSkew: 2}]}",
            Strategy::Spread(vec![spread("cluster", None, None, Some(2), false)]),
        ),
        (
            "{strategy: spread, spread: [{by: region, minGroups: 2, maxGroups: 3, whenUnsatisfiable: ScheduleAnyway}, \
             {by: example.com/rack, whenUnsatisfiable: DoNotSchedule}]}",
            Strategy::Spread(vec![
                spread("region", Some(2), Some(3), None, true),
                spread("example.com/rack", None, None, None, false),
            ]),
        ),
        ("{strategy: pack}", Strategy::Pack),
        (
            "{strategy: ordered, tiers: [[b, a], [c]], clusters: {c: {weight: 7}}}",
            Strategy::Ordered(Tiers::new(vec![names(&["b", "a"]), names(&["c"])]).unwrap()),
        ),
        (
            "{strategy: ordered, tiers: [[a], {regions: [eu]}], clusters: {c: {weight: 7}}}",
            Strategy::Ordered(Tiers::new(vec![names(&["a"]), europe]).unwrap()),
        ),
        ("{strategy: duplicate}", Strategy::Duplicate),
    ] {
        let policies = parse_policies(&with_spec(spec)).expect(spec);
        assert_eq!(policies[0].placement.strategy, strategy, "{spec:?}");
    }
}

#[test]
fn what_a_policy_leaves_out_has_its_default() {
    let policies = parse_policies(POLICY).unwrap();
    let [policy] = policies.as_slice() else {
        panic!("one policy, but {policies:?}");
    };
    assert_eq!(policy.name.as_str(), "even");
    assert_eq!(policy.placement, Policy::default());
    assert_eq!(policy.lost_after, None);
    assert_eq!(policy.placement.motion, Motion::default());
}

#[test]
fn everything_that_a_policy_says_is_read() {
    let text = format!(
        "{POLICY}{}",
        "
  default: {weight: 3, min: 1}
  clusters:
    alpha: {weight: 0, max: 5}
    bravo: {}
    \"7\": {min: 2, weight: 2147483647, max: 2147483647}
  rebalance: gradual
  lostAfter: 0
  mode: available
  priority: -5
  maxUnavailable: 10
  trafficGate: {mode: delay, delay: 1m30s}
  survivor: keepOriginal
  drift: observe
  failBack: gradual
  unreadyAfter: 2m
  rollout: {order: [canary, [east, west], {regions: [eu]}], onFailure: rollback, progressDeadline: 90s}
"
    );
    let policy = parse_policies(&text).unwrap().remove(0);
    let rules: Vec<(&str, u32, u32, Option<u32>)> = policy
        .placement
        .clusters
        .iter()
        .map(|(name, rule)| (name.as_str(), rule.weight(), Rule::min(*rule), Rule::max(*rule)))
        .collect();
    let most = i32::MAX as u32;
    let expected = [("7", most, 2, Some(most)), ("alpha", 0, 0, Some(5)), ("bravo", 1, 0, None)];
    assert_eq!(rules, expected);
    assert_eq!(policy.placement.rebalance, Rebalance::Gradual);
    assert_eq!(policy.lost_after, Some(Duration::ZERO));
    assert_eq!(policy.placement.priority, -5);
    let motion = Motion {
        max_unavailable: 10,
        survivor: Survivor::KeepOriginal,
        fail_back: FailBack::Gradual,
        traffic_gate: TrafficGate::Delay(Duration::from_secs(90)),
        unready_after: Duration::from_secs(120),
        drift: Drift::Observe,
        ..Motion::default()
    };
    assert_eq!(policy.placement.motion, motion);
    assert_eq!(policy.placement.default, Some(Rule::new(3, 1, None).unwrap()));
    let rollout = &policy.placement.rollout;
    let names: Vec<usize> = rollout.order.iter().map(|selector| selector.names.len()).collect();
    assert_eq!((names, rollout.max_clusters_at_once, rollout.pause_after_first), (vec![1, 2, 0], 1, false));
    assert_eq!(
        (rollout.on_failure, rollout.progress_deadline),
        (OnFailure::Rollback, Duration::from_secs(90))
    );
}

#[test]
fn a_policy_for_what_may_run_only_once() {
    let read = |spec: &str| parse_policies(&format!("{POLICY}{spec}\n"));
    let policy = read("  mode: atMost").unwrap().remove(0);
    let motion = Motion { mode: Mode::AtMost(Fencing::Confirm), max_unavailable: 1, ..Motion::default() };
    assert_eq!(policy.placement.motion, motion);
    let gated = read("  mode: atMost\n  fence: gate").unwrap().remove(0).placement.motion;
    assert_eq!(gated, Motion { mode: Mode::AtMost(Fencing::Gate), ..motion });
    for (spec, problem) in [
        ("  mode: atMost\n  maxUnavailable: 0", "0 leaves no way to move anything in the mode atMost"),
        ("  mode: atMost\n  maxSurge: 10%", "in the mode atMost nothing starts before another has ended"),
        ("  fence: confirm", "only the mode atMost has a fence"),
        ("  fence: gate", "only the mode atMost has a fence"),
        ("  maxSurge: 101%", "write a percentage from 1% to 100%"),
    ] {
        let errors = read(spec).expect_err(spec);
        let [error] = errors.errors() else { panic!("{spec}: one mistake, but {errors:?}") };
        assert!(error.to_string().contains(problem), "{spec}: {error}");
    }
}
