//! A policy's strategy, both ways.

use godwit_common::ClusterName;
use godwit_manifest::MAX_REPLICAS;
use godwit_planner::{Mismatch, Policy, Strategy, Tiers};
use godwit_proto::v1;
use tonic::Status;

use super::policy::{CLUSTERS_MAX, bounded, one_of};
use crate::admin::fields::{invalid, name};

const NAMES: [&str; 6] = ["weighted", "capacity", "spread", "pack", "ordered", "duplicate"];

/// Fills in what of a spec says the strategy.
pub(super) fn to_wire(strategy: &Strategy, spec: &mut v1::PolicySpec) {
    let tier = |clusters: &Vec<ClusterName>| v1::Tier {
        clusters: clusters.iter().map(ClusterName::to_string).collect(),
    };
    spec.strategy = strategy.name().to_owned();
    spec.tiers = strategy.tiers().map(|tiers| tiers.lists().iter().map(tier).collect()).unwrap_or_default();
    spec.max_skew = match strategy {
        Strategy::Spread { max_skew } => *max_skew,
        Strategy::Weighted
        | Strategy::Capacity
        | Strategy::Pack
        | Strategy::Ordered(_)
        | Strategy::Duplicate => None,
    };
}

/// The strategy of a spec; `at` names its fields.
pub(super) fn from_wire(at: impl Fn(&str) -> String, spec: &v1::PolicySpec) -> Result<Strategy, Status> {
    let strategy = match one_of(&at("strategy"), &spec.strategy, &NAMES)? {
        "capacity" => Strategy::Capacity,
        "spread" => Strategy::Spread { max_skew: skew(&at("max_skew"), spec.max_skew)? },
        "pack" => Strategy::Pack,
        "ordered" => Strategy::Ordered(tiers(&at("tiers"), &spec.tiers)?),
        "duplicate" => Strategy::Duplicate,
        _ => Strategy::Weighted,
    };
    if strategy.tiers().is_none() && !spec.tiers.is_empty() {
        let problem = format!("{} has no tiers: leave them out, or write ordered", strategy.name());
        return Err(invalid(&at("tiers"), problem));
    }
    if !matches!(strategy, Strategy::Spread { .. }) && spec.max_skew.is_some() {
        let problem = format!("{} has no skew: leave it out, or write spread", strategy.name());
        return Err(invalid(&at("max_skew"), problem));
    }
    Ok(strategy)
}

/// Whether the rules go with the strategy; `at` names the spec's fields.
pub(super) fn check(at: impl Fn(&str) -> String, placement: &Policy) -> Result<(), Status> {
    placement.check().map_err(|Mismatch { cluster, problem }| match cluster {
        Some(cluster) => invalid(&at(&format!("clusters[{cluster}]")), problem),
        None => invalid(&at("default"), problem),
    })
}

fn skew(field: &str, skew: Option<u32>) -> Result<Option<u32>, Status> {
    match skew {
        Some(0) => Err(invalid(field, "0 is too small: at least 1")),
        Some(skew) => bounded(field, skew, MAX_REPLICAS).map(Some),
        None => Ok(None),
    }
}

fn tiers(field: &str, tiers: &[v1::Tier]) -> Result<Tiers, Status> {
    let named: usize = tiers.iter().map(|tier| tier.clusters.len()).sum();
    if named > CLUSTERS_MAX {
        return Err(invalid(field, format!("{named} clusters are too many: at most {CLUSTERS_MAX}")));
    }
    let tier = |tier: &v1::Tier| tier.clusters.iter().map(|cluster| name(field, cluster)).collect();
    let lists = tiers.iter().map(tier).collect::<Result<_, Status>>()?;
    Tiers::new(lists).map_err(|error| invalid(field, error))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(spec: &v1::PolicySpec) -> Result<Strategy, Status> {
        from_wire(str::to_owned, spec)
    }

    fn spec(strategy: &str, tiers: &[&[&str]], max_skew: Option<u32>) -> v1::PolicySpec {
        let tier = |names: &&[&str]| v1::Tier { clusters: names.iter().map(ToString::to_string).collect() };
        let (strategy, tiers) = (strategy.to_owned(), tiers.iter().map(tier).collect());
        v1::PolicySpec { strategy, tiers, max_skew, ..v1::PolicySpec::default() }
    }

    #[test]
    fn every_strategy_comes_back_as_it_was() {
        for given in [
            spec("weighted", &[], None),
            spec("capacity", &[], None),
            spec("spread", &[], None),
            spec("spread", &[], Some(2)),
            spec("pack", &[], None),
            spec("ordered", &[&["b", "a"], &["c"]], None),
            spec("duplicate", &[], None),
        ] {
            let strategy = read(&given).unwrap();
            let mut written = v1::PolicySpec::default();
            to_wire(&strategy, &mut written);
            assert_eq!(written, given);
        }
        assert_eq!(read(&v1::PolicySpec::default()).unwrap(), Strategy::Weighted);
    }

    #[test]
    fn what_does_not_go_together_is_refused() {
        for (spec, says) in [
            (spec("ordered", &[], None), "tiers: there are none"),
            (spec("ordered", &[&["a"], &[]], None), "tiers: tier 2 is empty"),
            (spec("ordered", &[&["a", "a"]], None), "tiers: a is named twice"),
            (spec("ordered", &[&["A"]], None), "tiers: cluster name \"A\" is not valid"),
            (spec("pack", &[&["a"]], None), "tiers: pack has no tiers"),
            (spec("", &[], Some(1)), "max_skew: weighted has no skew"),
            (spec("spread", &[], Some(0)), "max_skew: 0 is too small"),
            (spec("spread", &[], Some(u32::MAX)), "max_skew: 4294967295 is too large"),
        ] {
            let status = read(&spec).unwrap_err();
            assert!(status.message().starts_with(says), "{says:?} does not begin {:?}", status.message());
        }
    }
}
