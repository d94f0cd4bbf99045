//! Which clusters a policy chooses, what it tolerates, and near which workloads it places.

use godwit_common::policy::{
    ClusterSelector, ClusterToleration, Data, Policy, Prestage, Rule, WorkloadSelector,
};
use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{TaintEffect, Toleration};
use godwit_manifest::parse_policies;

fn document(spec: &str) -> String {
    format!("apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec: {spec}\n")
}

fn read(spec: &str) -> Policy {
    match parse_policies(&document(spec)) {
        Ok(mut policies) => policies.remove(0).placement,
        Err(errors) => panic!("{spec}: {errors}"),
    }
}

/// What is wrong, without its place.
fn errors(spec: &str) -> String {
    let errors = parse_policies(&document(spec)).expect_err(spec);
    let line = |error: &godwit_manifest::ManifestError| {
        assert!(error.position.is_some(), "{error}");
        format!("{}: {}; {}", error.field, error.problem, error.remedy)
    };
    errors.errors().iter().map(line).collect::<Vec<_>>().join("\n")
}

fn check(cases: &[(&str, &str)]) {
    for (spec, message) in cases {
        assert_eq!(&errors(spec), message, "{spec}");
    }
}

fn region(region: &str) -> ClusterSelector {
    ClusterSelector { regions: [region.into()].into(), ..ClusterSelector::default() }
}

#[test]
fn a_cluster_selector_has_seven_fields() {
    let spec = "
  clusterSelector:
    names: [b, a]
    exclude: [c]
    matchLabels: {tier: prod, example.com/empty: \"\"}
    matchExpressions:
      - {key: gpu, operator: Exists}
      - {key: example.com/rank, operator: Gt, values: [\"-3\"]}
      - {key: stage, operator: NotIn, values: [dev, test]}
    regions: [eu]
    zones: [eu-a, eu-b]
    providers: [aws]";
    let requirement = |key: &str, test| Requirement { key: key.into(), test };
    let expected = ClusterSelector {
        names: ["a", "b"].map(|name| name.parse().unwrap()).into(),
        exclude: ["c".parse().unwrap()].into(),
        labels: LabelSelector {
            labels: [("tier".into(), "prod".into()), ("example.com/empty".into(), "".into())].into(),
            expressions: vec![
                requirement("gpu", Test::Exists),
                requirement("example.com/rank", Test::Gt(-3)),
                requirement("stage", Test::NotIn(["dev".into(), "test".into()].into())),
            ],
        },
        regions: ["eu".into()].into(),
        zones: ["eu-a".into(), "eu-b".into()].into(),
        providers: ["aws".into()].into(),
    };
    assert_eq!(read(spec).selector, expected);
    assert!(read("{clusterSelector: {}}").selector.is_empty());
}

#[test]
fn mistakes_in_a_cluster_selector_are_named() {
    let long = format!("{{clusterSelector: {{regions: [{}]}}}}", "x".repeat(64));
    assert!(errors(&long).contains("it must be at most 63 letters"), "{}", errors(&long));
    check(&[
        (
            "{clusterSelector: {region: [eu]}}",
            "spec.clusterSelector.region: this field is unknown; did you mean \"regions\"?",
        ),
        (
            "{clusterSelector: {regions: []}}",
            "spec.clusterSelector.regions: the list is empty; list what is meant, or remove the field",
        ),
        (
            "{clusterSelector: {regions: eu}}",
            "spec.clusterSelector.regions: \"eu\" is not valid here; write a list",
        ),
        (
            "{clusterSelector: {names: [a, a, A]}}",
            "spec.clusterSelector.names[1]: a is listed twice; remove one of the two\n\
             spec.clusterSelector.names[2]: cluster name \"A\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; write the name of a cluster",
        ),
        (
            "{clusterSelector: {zones: [a, a, \"\", \"b c\"]}}",
            "spec.clusterSelector.zones[1]: a is listed twice; remove one of the two\n\
             spec.clusterSelector.zones[2]: the text is empty; write a value, or remove it\n\
             spec.clusterSelector.zones[3]: \"b c\" is not a value: it must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; correct it",
        ),
        (
            "{clusterSelector: {matchLabels: {UPPER.example/x: a, u: 1, z: \"-\"}}}",
            "spec.clusterSelector.matchLabels[UPPER.example/x]: \"UPPER.example/x\" is not a key: what stands before / must be a DNS name, such as example.com; correct it\n\
             spec.clusterSelector.matchLabels.u: 1 is not a text; put it in quotes: \"1\"\n\
             spec.clusterSelector.matchLabels.z: \"-\" is not a value: it must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; correct it",
        ),
        (
            "{clusterSelector: {matchExpressions: [{key: a, operator: In, values: b}]}}",
            "spec.clusterSelector.matchExpressions[0].values: \"b\" is not valid here; write a list\n\
             spec.clusterSelector.matchExpressions[0].values: In and NotIn need at least one value; list them",
        ),
        (
            "{clusterSelector: {matchExpressions: [{key: a, operator: in, values: [b]}, {key: a, operator: In}, {key: a, operator: Exists, values: [b]}, {key: a, operator: Gt, values: [b]}, {operator: In, values: [a]}]}}",
            "spec.clusterSelector.matchExpressions[0].operator: \"in\" is not known; did you mean \"In\"?\n\
             spec.clusterSelector.matchExpressions[1]: In and NotIn need at least one value; list them\n\
             spec.clusterSelector.matchExpressions[2].values: Exists and DoesNotExist take no values; remove them\n\
             spec.clusterSelector.matchExpressions[3].values: Gt and Lt take exactly one value, a whole number; write it in quotes\n\
             spec.clusterSelector.matchExpressions[4].key: it is missing; name the label",
        ),
    ]);
}

#[test]
fn rules_by_selector_keep_their_order() {
    let policy = read(
        "{rules: [{clusterSelector: {regions: [eu]}, weight: 3, max: 9}, {clusterSelector: {regions: [us]}, min: 1}]}",
    );
    let rule = |weight, min, max| Rule::new(weight, min, max).unwrap();
    assert_eq!(policy.rules, [(region("eu"), rule(3, 0, Some(9))), (region("us"), rule(1, 1, None))]);
    let empty = "it chooses all clusters; say which clusters it is for (a rule for all others is the policy's default)";
    let missing =
        "it is missing; say which clusters it is for (a rule for all others is the policy's default)";
    check(&[
        ("{rules: [{clusterSelector: {}, weight: 2}]}", &format!("spec.rules[0].clusterSelector: {empty}")),
        ("{rules: [{weight: 2}]}", &format!("spec.rules[0].clusterSelector: {missing}")),
        (
            "{rules: [{clusterSelector: {regions: [eu]}, min: 5, max: 4}]}",
            "spec.rules[0].max: 4 is below min 5; raise max or lower min",
        ),
        (
            "{strategy: pack, rules: [{clusterSelector: {regions: [eu]}, weight: 2}, {clusterSelector: {regions: [us]}, weight: 3}], default: {weight: 4}}",
            "spec.rules[0].weight: 2 is not valid here: only weighted and ordered heed weights above 1; leave it out, or give 0 for none\n\
             spec.rules[1].weight: 3 is not valid here: only weighted and ordered heed weights above 1; leave it out, or give 0 for none\n\
             spec.default.weight: 4 is not valid here: only weighted and ordered heed weights above 1; leave it out, or give 0 for none",
        ),
        (
            "{rules: [{clusterSelector: {regions: [eu]}, weight: 0}]}",
            "spec: no cluster can ever get a replica: every weight is 0; give the default or one of the clusters a weight above 0",
        ),
    ]);
    let many = "{clusterSelector: {names: [a]}}, ".repeat(1_001);
    assert_eq!(errors(&format!("{{rules: [{many}]}}")), "spec.rules: 1001 are too many; give at most 1000");
}

#[test]
fn every_cluster_of_a_tier_without_a_rule_has_the_common_one() {
    let zero = "clusters: {a: {weight: 0}}";
    assert_eq!(read(&format!("{{strategy: ordered, tiers: [[a], [b]], {zero}}}")).clusters.len(), 1);
    assert_eq!(read(&format!("{{strategy: ordered, tiers: [{{regions: [eu]}}], {zero}}}")).clusters.len(), 1);
    let none = errors(&format!("{{strategy: ordered, tiers: [[a]], {zero}}}"));
    assert!(none.contains("no cluster can ever get a replica"), "{none}");
}

#[test]
fn tiers_and_fallback_groups_are_names_or_conditions() {
    let policy = read("{fallback: [[a, b], {regions: [eu]}, {}]}");
    let names = ClusterSelector::of_names(["a", "b"].map(|name| name.parse().unwrap()));
    assert_eq!(policy.fallback, [names, region("eu"), ClusterSelector::default()]);
    check(&[
        (
            "{fallback: [{}, {regions: [eu]}]}",
            "spec.fallback[0]: it chooses all clusters, so the groups after it are never used; make it the last one, or say which clusters it has",
        ),
        (
            "{fallback: [[]]}",
            "spec.fallback[0]: the group is empty; name a cluster, or write {} for all clusters that are left",
        ),
        (
            "{fallback: [eu]}",
            "spec.fallback[0]: \"eu\" is not valid here; write a list of clusters, or a mapping such as {regions: [eu]}",
        ),
        (
            "{strategy: duplicate, fallback: [[a]]}",
            "spec.fallback: with duplicate every chosen cluster runs the full number, so nothing falls back; remove it, or choose another strategy",
        ),
        (
            "{strategy: ordered, tiers: [{}]}",
            "spec.tiers[0]: the tier is empty; remove it, or name a cluster",
        ),
        (
            "{strategy: ordered, tiers: [[a], {names: [b, a]}]}",
            "spec.tiers[1].names[1]: a is named twice; leave it in one tier",
        ),
    ]);
    let many = format!("{{fallback: [{}]}}", "[a], ".repeat(65));
    assert_eq!(errors(&many), "spec.fallback: 65 are too many; give at most 64");
}

#[test]
fn tolerations_of_clusters_are_those_of_pods_with_a_time() {
    let policy = read(
        "{tolerations: [{key: spot, operator: Exists}, {key: team, value: shop, effect: NoExecute, tolerationSeconds: 300}, {operator: Exists, tolerationSeconds: 0}]}",
    );
    let toleration = |key: Option<&str>, value: Option<&str>, effect, seconds| ClusterToleration {
        taints: Toleration { key: key.map(Into::into), value: value.map(Into::into), effect },
        seconds,
    };
    let expected = [
        toleration(Some("spot"), None, None, None),
        toleration(Some("team"), Some("shop"), Some(TaintEffect::NoExecute), Some(300)),
        toleration(None, None, None, Some(0)),
    ];
    assert_eq!(policy.tolerations, expected);
    check(&[
        (
            "{tolerations: [{key: a, operator: Exists, effect: NoSchedule, tolerationSeconds: 5}]}",
            "spec.tolerations[0].tolerationSeconds: only a taint with the effect NoExecute is put up with for a time; remove it, or write effect: NoExecute",
        ),
        (
            "{tolerations: [{key: a, operator: Exists, tolerationSeconds: -1}]}",
            "spec.tolerations[0].tolerationSeconds: -1 is not valid here; write a whole number from 0 to 2147483647",
        ),
        (
            "{tolerations: [{value: a}, {key: a b}]}",
            "spec.tolerations[0]: it names no key; name the taint's key, or write operator: Exists for every taint\n\
             spec.tolerations[1].key: \"a b\" is not a key: its name must be 1 to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit; correct it",
        ),
    ]);
    let many = format!("{{tolerations: [{}]}}", "{key: a}, ".repeat(65));
    assert_eq!(errors(&many), "spec.tolerations: 65 are too many; give at most 64");
}

#[test]
fn affinity_chooses_workloads() {
    let policy = read(
        "{affinity: [{names: [db]}, {}], antiAffinity: [{namespaces: [\"*\"], matchLabels: {noisy: \"true\"}}, {namespaces: [other]}], colocate: true, preemptible: true}",
    );
    let named = WorkloadSelector { names: ["db".into()].into(), ..WorkloadSelector::default() };
    assert_eq!(policy.affinity.with, [named, WorkloadSelector::default()]);
    let noisy = WorkloadSelector {
        namespaces: ["*".into()].into(),
        labels: LabelSelector {
            labels: [("noisy".into(), "true".into())].into(),
            ..LabelSelector::default()
        },
        ..WorkloadSelector::default()
    };
    let other = WorkloadSelector { namespaces: ["other".into()].into(), ..WorkloadSelector::default() };
    assert_eq!(policy.affinity.without, [noisy, other]);
    assert!(policy.affinity.colocate && policy.preemptible);
    let everything = "it chooses every workload, and away from all of them there is no cluster; say which by names, matchLabels or matchExpressions";
    check(&[
        ("{antiAffinity: [{}]}", &format!("spec.antiAffinity[0]: {everything}")),
        ("{antiAffinity: [{namespaces: [\"*\"]}]}", &format!("spec.antiAffinity[0]: {everything}")),
        (
            "{affinity: [{name: [db]}]}",
            "spec.affinity[0].name: this field is unknown; did you mean \"names\"?",
        ),
        (
            "{affinity: [{namespaces: [Shop]}], antiAffinity: [{names: [a, a]}]}",
            "spec.antiAffinity[0].names[1]: a is listed twice; remove one of the two\n\
             spec.affinity[0].namespaces[0]: namespace \"Shop\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; correct it",
        ),
        ("{colocate: maybe}", "spec.colocate: \"maybe\" is not valid here; write true or false"),
        ("{preemptible: 1}", "spec.preemptible: 1 is not valid here; write true or false"),
    ]);
    let many = format!("{{affinity: [{}]}}", "{names: [a]}, ".repeat(17));
    assert_eq!(errors(&many), "spec.affinity: 17 are too many; give at most 16");
}

#[test]
fn data_stays_and_nothing_is_divided_unless_the_policy_says_so() {
    let policy = read("{}");
    assert_eq!((policy.data, policy.divide, policy.prestage), (Data::Keep, false, Prestage::Eligible));
    let policy = read("{data: disposable, divide: true, prestage: placed}");
    assert_eq!((policy.data, policy.divide, policy.prestage), (Data::Disposable, true, Prestage::Placed));
    check(&[
        ("{data: lost}", "spec.data: \"lost\" is not known; known are keep, replicated, disposable"),
        ("{exportServices: 1}", "spec.exportServices: 1 is not valid here; write true or false"),
        ("{divide: often}", "spec.divide: \"often\" is not valid here; write true or false"),
        ("{prestage: placd}", "spec.prestage: \"placd\" is not known; did you mean \"placed\"?"),
    ]);
}

#[test]
fn all_mistakes_of_a_policy_are_reported_together() {
    let said = errors(
        "{strategy: spread, spread: [{by: cluster}], clusterSelector: {regions: []}, priority: 2000, colocate: 3, lostAfter: x}",
    );
    assert_eq!(said.lines().count(), 5, "{said}");
}

#[test]
fn what_could_not_be_read_is_no_cause_of_other_mistakes() {
    check(&[
        // Which groups there are is not known, so neither is which of them are alike, or never used.
        (
            "{fallback: [{}, eu, {}]}",
            "spec.fallback[1]: \"eu\" is not valid here; write a list of clusters, or a mapping such as {regions: [eu]}",
        ),
        (
            "{clusters: {a: {weight: -1}}, default: {weight: 0}}",
            "spec.clusters.a.weight: -1 is not valid here; write a whole number from 0 to 2147483647",
        ),
        // Entries have names: the others can be judged.
        (
            "{strategy: pack, clusters: {a: {weight: -1}, b: {weight: 2}}}",
            "spec.clusters.a.weight: -1 is not valid here; write a whole number from 0 to 2147483647\n\
             spec.clusters.b.weight: 2 is not valid here: only weighted and ordered heed weights above 1; leave it out, or give 0 for none",
        ),
    ]);
}
