//! What is refused, where, and in which words. What readers make of it is for their own tests.

use super::*;
use crate::policy::{
    ClusterSelector, ClusterToleration, GroupBy, Rollout, Rule, SpreadConstraint, Strategy, Tiers,
    WorkloadSelector,
};
use crate::selector::{LabelSelector, Requirement, Test};
use crate::{TaintEffect, Toleration};

#[test]
fn what_can_be_meant_is_not_refused() {
    let mut policy = Policy {
        strategy: Strategy::Spread(vec![by("zone", None, Some(2)), by("example.com/rack", Some(1), None)]),
        selector: labelled("tier", "prod"),
        fallback: vec![region("own"), region("eu"), ClusterSelector::default()],
        default: Some(rule(0, 0, None)),
        rules: vec![(region("eu"), rule(1, 0, Some(9)))],
        priority: -PRIORITY_MAX,
        ..Policy::default()
    };
    let other = WorkloadSelector { namespaces: ["other".into()].into(), ..WorkloadSelector::default() };
    policy.affinity = Affinity { with: vec![everything()], without: vec![other], colocate: true };
    policy.tolerations =
        vec![tolerates(Some("gpu"), None, Some(TaintEffect::NoExecute)), tolerates(None, None, None)];
    assert_eq!((policy.check(), Policy::default().check()), (Vec::new(), Vec::new()));
}

#[test]
fn constraints_that_cannot_be_kept() {
    for (constraints, says) in [
        (vec![by("cluster", None, None)], "spread[0]: it constrains nothing; give minGroups, maxGroups or"),
        (
            vec![by("zone", Some(0), None)],
            "spread[0].minGroups: 0 is too small; give at least 1, or leave it out",
        ),
        (
            vec![by("zone", None, Some(u32::MAX))],
            "spread[0].maxGroups: 4294967295 is too large; give at most",
        ),
        (
            vec![by("zone", Some(3), Some(2))],
            "spread[0]: maxGroups 2 is below minGroups 3; raise it or lower minGroups",
        ),
        (
            vec![by("zone", None, None), by("zone", Some(1), None)],
            "spread[1]: there are two constraints by zone; make one of the two",
        ),
        (vec![by("a b", None, None)], "spread[0].by: \"a b\" is not a key: its name must be"),
    ] {
        refused(&Policy { strategy: Strategy::Spread(constraints), ..Policy::default() }, says);
    }
}

#[test]
fn rollouts_that_cannot_go_on() {
    let policy = |rollout| Policy { rollout, ..Policy::default() };
    let none = Rollout { max_clusters_at_once: 0, ..Rollout::default() };
    refused(&policy(none), "rollout.maxClustersAtOnce: 0 is too small: no cluster would ever get a new");
    let hasty = Rollout { progress_deadline: std::time::Duration::ZERO, ..Rollout::default() };
    refused(&policy(hasty), "rollout.progressDeadline: 0ns is out of range; give a duration from 1s to 24h");
    let order = vec![ClusterSelector::default(), region(" ")];
    refused(&policy(Rollout { order, ..Rollout::default() }), "rollout.order[1].regions: ");
}

#[test]
fn fallback_groups_that_are_never_used() {
    let all = ClusterSelector::default;
    let [own, rented] = ["own", "rented"].map(region);
    let groups = |groups: &[&ClusterSelector]| Policy {
        fallback: groups.iter().map(|group| (*group).clone()).collect(),
        ..Policy::default()
    };
    refused(
        &groups(&[&own, &rented, &own]),
        "fallback[2]: it is the same as fallback[0]; remove one of the two",
    );
    refused(
        &groups(&[&all(), &own]),
        "fallback[0]: it chooses all clusters, so the groups after it are never",
    );
    let duplicate = Policy { strategy: Strategy::Duplicate, ..groups(&[&own]) };
    refused(
        &duplicate,
        "fallback: with duplicate every chosen cluster runs the full number, so nothing falls",
    );
}

#[test]
fn rules_that_do_not_go_with_the_strategy() {
    let [heavy, none, least] = [(2, 0), (0, 0), (1, 1)].map(|(weight, min)| rule(weight, min, None));
    let tier = |name: &str| ClusterSelector::of_names([name.parse().unwrap()]);
    let ordered = || Strategy::Ordered(Tiers::new(vec![tier("a")]).unwrap());
    let skewed = || Strategy::Spread(vec![by("zone", None, None)]);
    let only_weighted =
        ".weight: 2 is not valid here: only weighted and ordered heed weights above 1; leave it";
    for (strategy, rule, says) in [
        (Strategy::Weighted, heavy, None),
        (ordered(), heavy, None),
        (Strategy::Capacity, heavy, Some(only_weighted)),
        (Strategy::Pack, heavy, Some(only_weighted)),
        (skewed(), heavy, Some(only_weighted)),
        (Strategy::Pack, none, None),
        (Strategy::Pack, least, None),
        (Strategy::Duplicate, none, None),
        (
            Strategy::Duplicate,
            least,
            Some(": min, max: with duplicate every cluster runs the full number; leave"),
        ),
        (
            skewed(),
            least,
            Some(".min: 1 is not valid here: a minimum breaks the constraints of spread; leave"),
        ),
        (Strategy::Spread(Vec::new()), least, None),
    ] {
        let with = |policy: Policy| Policy { strategy: strategy.clone(), ..policy };
        let by_default = with(Policy { default: Some(rule), ..Policy::default() });
        let by_name = with(Policy { clusters: [("a".parse().unwrap(), rule)].into(), ..Policy::default() });
        let by_selector = with(Policy { rules: vec![(region("eu"), rule)], ..Policy::default() });
        for (place, policy) in [("default", by_default), ("clusters[a]", by_name), ("rules[0]", by_selector)]
        {
            match says {
                Some(says) => refused(&policy, &format!("{place}{says}")),
                None => assert_eq!(policy.check_parts(), [], "{policy:?}"),
            }
        }
    }
    let untiered =
        Policy { strategy: ordered(), clusters: [("b".parse().unwrap(), none)].into(), ..Policy::default() };
    refused(
        &untiered,
        "clusters[b]: it is in no tier, so it never gets anything; add it to one, or leave it out",
    );
    let for_all = Policy { rules: vec![(ClusterSelector::default(), heavy)], ..Policy::default() };
    refused(
        &for_all,
        "rules[0].clusterSelector: it chooses all clusters; say which clusters it is for (a rule",
    );
}

#[test]
fn selectors_of_what_cannot_be() {
    let with = |selector| Policy { selector, ..Policy::default() };
    let requires = |key: &str, test| {
        let expressions = vec![Requirement { key: key.into(), test }];
        with(ClusterSelector {
            labels: LabelSelector { expressions, ..LabelSelector::default() },
            ..Default::default()
        })
    };
    for (policy, says) in [
        (with(labelled("a b", "")), "clusterSelector.matchLabels[a b]: \"a b\" is not a key: its name must"),
        (with(labelled("a", "b c")), "clusterSelector.matchLabels[a]: \"b c\" is not a value: it must be"),
        (requires("", Test::Exists), "clusterSelector.matchExpressions[0].key: \"\" is not a key"),
        (
            requires("a", Test::In(["b".into(), "-".into()].into())),
            "clusterSelector.matchExpressions[0].values: \"-\" is not a value",
        ),
        (with(region("")), "clusterSelector.regions: the text is empty; write a value, or remove it"),
        (with(region("a\nb")), "clusterSelector.regions: \"a\\nb\" is not a value: it must be at most 63"),
        (Policy { fallback: vec![region("-")], ..Policy::default() }, "fallback[0].regions: \"-\" is not"),
        (
            Policy { rules: vec![(region("-"), Rule::default())], ..Policy::default() },
            "rules[0].clusterSelector.regions: \"-\" is not a value",
        ),
        (
            Policy {
                strategy: Strategy::Ordered(Tiers::new(vec![region("-")]).unwrap()),
                ..Policy::default()
            },
            "tiers[0].regions: \"-\" is not a value",
        ),
    ] {
        refused(&policy, says);
    }
}

#[test]
fn workloads_that_cannot_be_or_are_all_of_them() {
    let near =
        |with| Policy { affinity: Affinity { with: vec![with], ..Affinity::default() }, ..Policy::default() };
    let away = |without| Policy {
        affinity: Affinity { without: vec![without], ..Affinity::default() },
        ..Policy::default()
    };
    let in_namespace =
        |text: &str| WorkloadSelector { namespaces: [text.into()].into(), ..WorkloadSelector::default() };
    let named = |text: &str| WorkloadSelector { names: [text.into()].into(), ..WorkloadSelector::default() };
    refused(
        &near(in_namespace("Shop")),
        "affinity[0].namespaces: namespace \"Shop\" is not valid: it must be",
    );
    refused(&near(named("*")), "affinity[0].names: name \"*\" is not valid: it must be");
    refused(
        &away(everything()),
        "antiAffinity[0]: it chooses every workload, and away from all of them there",
    );
    refused(&away(in_namespace("*")), "antiAffinity[0]: it chooses every workload");
    for policy in [near(in_namespace("*")), away(in_namespace("shop")), away(named("web"))] {
        assert_eq!(policy.check(), []);
    }
}

#[test]
fn tolerations_of_no_taint() {
    let with = |toleration| Policy { tolerations: vec![toleration], ..Policy::default() };
    let for_seconds =
        |seconds, effect| ClusterToleration { seconds: Some(seconds), ..tolerates(Some("a"), None, effect) };
    for (toleration, says) in [
        (tolerates(None, Some("b"), None), "tolerations[0]: it names no key; name the taint's key, or write"),
        (tolerates(Some("a b"), None, None), "tolerations[0].key: \"a b\" is not a key"),
        (tolerates(Some("a"), Some("b c"), None), "tolerations[0].value: \"b c\" is not a value"),
        (
            for_seconds(1, Some(TaintEffect::NoSchedule)),
            "tolerations[0].tolerationSeconds: only a taint with the effect NoExecute is put up with for a time",
        ),
        (
            for_seconds(u32::MAX, None),
            "tolerations[0].tolerationSeconds: 4294967295 is too large; give at most",
        ),
    ] {
        refused(&with(toleration), says);
    }
}

#[test]
fn nobody_gets_anything() {
    let none = rule(0, 0, None);
    let entry = |rule| Policy { clusters: [("a".parse().unwrap(), rule)].into(), ..Policy::default() };
    let ordered =
        |tier| Policy { strategy: Strategy::Ordered(Tiers::new(vec![tier]).unwrap()), ..entry(none) };
    let only = ClusterSelector::of_names(["a".parse().unwrap()]);
    for policy in [
        Policy { default: Some(none), ..Policy::default() },
        Policy { rules: vec![(region("eu"), none)], ..Policy::default() },
        entry(rule(9, 0, Some(0))),
        ordered(only),
    ] {
        refused(
            &policy,
            "no cluster can ever get a replica: every weight is 0; give the default or one of the",
        );
        assert_eq!(policy.check_parts(), []);
    }
    for policy in [entry(rule(0, 1, None)), Policy { default: Some(rule(1, 0, None)), ..entry(none) }] {
        assert_eq!(policy.check(), []);
    }
    // Others of the tier have no entry, and so the common rule.
    assert_eq!(ordered(region("eu")).check(), []);
}

#[test]
fn several_mistakes_are_all_named_up_to_a_limit() {
    let policy = Policy { priority: 1_001, fallback: vec![region("a b"); 2], ..Policy::default() };
    let places: Vec<String> = policy.check().iter().map(|mistake| mistake.place.to_string()).collect();
    assert_eq!(places, ["fallback[1]", "fallback[0].regions", "fallback[1].regions", "priority"]);
    let many = Policy { fallback: vec![region("a b"); MISTAKES_MAX], ..Policy::default() };
    assert_eq!(many.check().len(), MISTAKES_MAX);
}

#[track_caller]
fn refused(policy: &Policy, says: &str) {
    let mistakes = policy.check();
    let [mistake] = mistakes.as_slice() else {
        panic!("one mistake, but {mistakes:?}");
    };
    assert!(mistake.to_string().starts_with(says), "{says:?} does not begin {:?}", mistake.to_string());
}

fn by(by: &str, min_groups: Option<u32>, max_groups: Option<u32>) -> SpreadConstraint {
    SpreadConstraint { by: GroupBy::from(by), min_groups, max_groups, max_skew: None, soft: false }
}

fn rule(weight: u32, min: u32, max: Option<u32>) -> Rule {
    Rule::new(weight, min, max).unwrap()
}

fn region(region: &str) -> ClusterSelector {
    ClusterSelector { regions: [region.into()].into(), ..ClusterSelector::default() }
}

fn labelled(key: &str, value: &str) -> ClusterSelector {
    let labels = LabelSelector { labels: [(key.into(), value.into())].into(), ..LabelSelector::default() };
    ClusterSelector { labels, ..ClusterSelector::default() }
}

fn everything() -> WorkloadSelector {
    WorkloadSelector::default()
}

fn tolerates(key: Option<&str>, value: Option<&str>, effect: Option<TaintEffect>) -> ClusterToleration {
    let taints = Toleration { key: key.map(Into::into), value: value.map(Into::into), effect };
    ClusterToleration { taints, seconds: None }
}
