//! Policies and quotas.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::policy::{
    self, Affinity, ClusterSelector, ClusterToleration, Drift, FailBack, Mode, Motion, Rebalance, Rule,
    Strategy, Survivor, TrafficGate, WorkloadSelector,
};
use godwit_common::quota::Quota;
use godwit_hub_core::{Policy, QuotaRecord, Record};

use super::{clusters, labels, name, toleration};

pub(crate) fn policy() -> Record {
    policy_of(Strategy::Weighted)
}

pub(crate) fn policy_of(strategy: Strategy) -> Record {
    let rule = |weight, min, max| Rule::new(weight, min, max).expect("within bounds");
    // Weights, minimums and maximums do not go with every strategy.
    let bounded = matches!(strategy, Strategy::Weighted);
    Record::Policy(Policy {
        name: name("spread"),
        placement: policy::Policy {
            selector: ClusterSelector {
                exclude: [name("off")].into(),
                labels: labels(),
                regions: ["eu".into()].into(),
                zones: ["eu-a".into()].into(),
                providers: ["aws".into()].into(),
                ..clusters(&["east", "west", "far"])
            },
            fallback: vec![clusters(&["east"]), ClusterSelector::default()],
            tolerations: vec![ClusterToleration { taints: toleration(), seconds: Some(300) }],
            affinity: Affinity { with: vec![near("shop")], without: vec![near("*")], colocate: true },
            default: Some(if bounded { rule(3, 0, None) } else { rule(0, 0, None) }),
            clusters: BTreeMap::from([(name("east"), rule(1, 2 * u32::from(bounded), bounded.then_some(9)))]),
            rules: vec![(clusters(&["far"]), rule(0, 0, None))],
            strategy,
            rebalance: Rebalance::Gradual,
            priority: -4,
            preemptible: true,
            motion: Motion {
                mode: Mode::Available,
                max_surge: 70,
                max_unavailable: 3,
                traffic_gate: TrafficGate::Delay(Duration::from_secs(20)),
                survivor: Survivor::KeepOriginal,
                fail_back: FailBack::Gradual,
                unready_after: Duration::from_secs(90),
                drift: Drift::Observe,
            },
            rollout: policy::Rollout {
                order: vec![clusters(&["east"])],
                max_clusters_at_once: 2,
                pause_after_first: true,
                on_failure: policy::OnFailure::Rollback,
                progress_deadline: Duration::from_secs(90),
            },
            data: policy::Data::Replicated,
            divide: true,
            prestage: policy::Prestage::Placed,
            export_services: true,
            overrides: overrides(),
        },
        lost_after: Duration::from_millis(2_500),
    })
}

pub(super) fn quota() -> Record {
    let quota = Quota {
        replicas: Some(1),
        cpu_millis: Some(2),
        memory_bytes: Some(3),
        ephemeral_bytes: Some(4),
        extended: vec![("amd.com/gpu".into(), 0), ("nvidia.com/gpu".into(), 5)],
    };
    Record::Quota(QuotaRecord { namespace: "shop".into(), quota })
}

/// That every field of a rule gets through, the tests of its conversion show.
pub(super) fn overrides() -> Vec<policy::Override> {
    let change = policy::overrides::Change { storage_class: Some("fast".into()), ..Default::default() };
    vec![policy::Override { selector: clusters(&["east"]), change, ..Default::default() }]
}

fn near(namespace: &str) -> WorkloadSelector {
    let namespaces = [namespace.into()].into();
    WorkloadSelector { namespaces, names: ["web".into()].into(), labels: labels() }
}
