//! A policy as its author wrote it, as the message that the hub takes.

use godwit_manifest::PolicySpec;
use godwit_proto::{policy, v1};

/// The message.
pub(super) fn to_message(spec: &PolicySpec) -> v1::Policy {
    let PolicySpec { name, placement, lost_after } = spec;
    let spec = policy::to_wire(placement, *lost_after);
    v1::Policy { name: name.to_string(), spec: Some(spec), workloads: 0 }
}

#[cfg(test)]
mod tests {
    use godwit_manifest::parse_policies;

    use super::*;

    fn convert(spec: &str) -> v1::PolicySpec {
        let text = format!("apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec: {spec}\n");
        let specs = parse_policies(&text).expect("a policy");
        let policy = to_message(&specs[0]);
        assert_eq!(policy.name, "p");
        policy.spec.expect("a spec")
    }

    #[test]
    fn every_field_arrives() {
        let spec = convert(
            "{default: {weight: 0}, clusters: {alpha: {weight: 3, min: 1, max: 9}}, rebalance: gradual, \
             lostAfter: 1500ms, priority: -2, maxSurge: 50%, maxUnavailable: 4, \
             trafficGate: {mode: ack}, unreadyAfter: 2m}",
        );
        assert_eq!((&*spec.strategy, &*spec.mode, &*spec.rebalance), ("weighted", "available", "gradual"));
        assert_eq!((spec.priority, spec.max_surge_percent, spec.max_unavailable), (-2, Some(50), 4));
        assert_eq!(spec.traffic_gate.expect("a gate").mode, "ack");
        assert_eq!(spec.unready_after.map(|wait| wait.seconds), Some(120));
        let rule = |weight, min, max| v1::ClusterRule { weight: Some(weight), min: Some(min), max };
        assert_eq!(spec.default, Some(rule(0, 0, None)));
        assert_eq!(spec.clusters["alpha"], rule(3, 1, Some(9)));
        let lost_after = spec.lost_after.expect("a duration");
        assert_eq!((lost_after.seconds, lost_after.nanos), (1, 500_000_000));
    }

    #[test]
    fn the_hub_takes_what_is_sent() {
        for strategy in ["capacity", "spread", "pack", "duplicate"] {
            let spec = convert(&format!("{{strategy: {strategy}}}"));
            assert_eq!(spec.strategy, strategy);
            assert!(policy::from_wire("spec", &spec).is_ok(), "{spec:?}");
        }
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let spec = convert("{clusters: {alpha: {}}}");
        assert_eq!((spec.default, spec.lost_after), (None, None));
    }
}
