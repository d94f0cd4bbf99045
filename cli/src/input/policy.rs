//! A policy as its author wrote it, as the message that the hub takes.

use godwit_common::ClusterName;
use godwit_manifest::{ClusterShare, Mode, PolicySpec, Rebalance, Strategy};
use godwit_proto::v1;

/// The message, or why there is none.
pub(super) fn to_message(spec: &PolicySpec) -> Result<v1::Policy, String> {
    let strategy = match &spec.strategy {
        Strategy::Weighted => "weighted",
        Strategy::Capacity => "capacity",
        Strategy::Spread { .. } => "spread",
        Strategy::Pack => "pack",
        Strategy::Ordered { .. } => "ordered",
        Strategy::Duplicate => "duplicate",
    };
    let (tiers, max_skew) = match &spec.strategy {
        Strategy::Ordered { tiers } => (tiers.iter().map(|clusters| tier(clusters)).collect(), None),
        Strategy::Spread { max_skew } => (Vec::new(), *max_skew),
        Strategy::Weighted | Strategy::Capacity | Strategy::Pack | Strategy::Duplicate => (Vec::new(), None),
    };
    let rebalance = match spec.rebalance {
        Rebalance::Never => "never",
        Rebalance::Gradual => "gradual",
        Rebalance::Always => "always",
    };
    let mode = match spec.mode {
        Mode::Available => "available",
    };
    let lost_after = spec.lost_after.map(prost_types::Duration::try_from).transpose();
    let lost_after = lost_after.map_err(|error| format!("policy {}: spec.lostAfter: {error}", spec.name))?;
    let clusters = spec.clusters.iter();
    let message = v1::PolicySpec {
        strategy: strategy.to_owned(),
        default: spec.default.as_ref().map(rule),
        clusters: clusters.map(|(name, share)| (name.to_string(), rule(share))).collect(),
        rebalance: rebalance.to_owned(),
        lost_after,
        mode: mode.to_owned(),
        priority: spec.priority,
        max_unavailable: spec.max_unavailable,
        tiers,
        max_skew,
    };
    Ok(v1::Policy { name: spec.name.to_string(), spec: Some(message), workloads: 0 })
}

fn tier(clusters: &[ClusterName]) -> v1::Tier {
    v1::Tier { clusters: clusters.iter().map(ClusterName::to_string).collect() }
}

fn rule(share: &ClusterShare) -> v1::ClusterRule {
    v1::ClusterRule { weight: Some(share.weight), min: Some(share.min), max: share.max }
}

#[cfg(test)]
mod tests {
    use godwit_manifest::parse_policies;

    use super::*;

    fn convert(spec: &str) -> v1::PolicySpec {
        let text = format!("apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {{name: p}}\nspec: {spec}\n");
        let specs = parse_policies(&text).expect("a policy");
        let policy = to_message(&specs[0]).expect("it can be sent");
        assert_eq!(policy.name, "p");
        policy.spec.expect("a spec")
    }

    #[test]
    fn every_field_arrives() {
        let spec = convert(
            "{default: {weight: 0}, clusters: {alpha: {weight: 3, min: 1, max: 9}}, rebalance: gradual, \
             lostAfter: 1500ms, priority: -2, maxUnavailable: 4}",
        );
        assert_eq!((&*spec.strategy, &*spec.mode, &*spec.rebalance), ("weighted", "available", "gradual"));
        assert_eq!((spec.priority, spec.max_unavailable), (-2, 4));
        let rule = |weight, min, max| v1::ClusterRule { weight: Some(weight), min: Some(min), max };
        assert_eq!(spec.default, Some(rule(0, 0, None)));
        assert_eq!(spec.clusters["alpha"], rule(3, 1, Some(9)));
        let lost_after = spec.lost_after.expect("a duration");
        assert_eq!((lost_after.seconds, lost_after.nanos), (1, 500_000_000));
    }

    #[test]
    fn strategies_arrive_with_what_belongs_to_them() {
        let spec = convert("{strategy: ordered, tiers: [[b, a], [c]]}");
        let tiers: Vec<_> = spec.tiers.iter().map(|tier| tier.clusters.join(",")).collect();
        assert_eq!((&*spec.strategy, tiers.join(" ")), ("ordered", "b,a c".to_owned()));
        let spec = convert("{strategy: spread, maxSkew: 3}");
        assert_eq!((&*spec.strategy, spec.max_skew), ("spread", Some(3)));
        for strategy in ["capacity", "spread", "pack", "duplicate"] {
            let spec = convert(&format!("{{strategy: {strategy}}}"));
            assert_eq!((&*spec.strategy, spec.max_skew), (strategy, None));
        }
    }

    #[test]
    fn what_is_absent_stays_absent() {
        let spec = convert("{clusters: {alpha: {}}}");
        assert_eq!((spec.default, spec.lost_after), (None, None));
    }
}
