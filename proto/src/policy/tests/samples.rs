//! Policies with nothing left at its default.

use std::time::Duration;

use godwit_common::policy::overrides::{Change, Image, Operation, Verb};
use godwit_common::policy::{
    Affinity, ClusterSelector, ClusterToleration, Data, Drift, FailBack, GroupBy, Mode, Motion,
    ObjectSelector, OnFailure, Override, Policy, Prestage, Rebalance, Rollout, Rule, SpreadConstraint,
    Strategy, Survivor, TrafficGate, WorkloadSelector,
};
use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{TaintEffect, Toleration};

use crate::policy::Terms;

/// Nothing is left at its default, but for rules, which do not go with every strategy.
pub(super) fn terms(strategy: Strategy) -> Terms {
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

pub(super) fn constraints() -> Vec<SpreadConstraint> {
    let constraint =
        |by, soft| SpreadConstraint { by, min_groups: Some(2), max_groups: Some(9), max_skew: Some(1), soft };
    vec![constraint(GroupBy::Region, false), constraint(GroupBy::Label("rack".into()), true)]
}

pub(super) fn named(names: &[&str]) -> ClusterSelector {
    ClusterSelector::of_names(names.iter().map(|name| name.parse().unwrap()))
}

pub(super) fn everything(name: &str) -> ClusterSelector {
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
