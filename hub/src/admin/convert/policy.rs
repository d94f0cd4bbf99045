//! Policies, both ways.

use std::collections::BTreeMap;
use std::time::Duration;

use godwit_common::{ClusterName, PolicyName};
use godwit_hub_core::Policy;
use godwit_manifest::MAX_REPLICAS;
use godwit_planner as planner;
use godwit_planner::{Rebalance, Rule};
use godwit_proto::v1;
use tonic::Status;

use super::strategy;
use crate::admin::fields::{invalid, name};

/// Weights are ratios: nobody needs larger ones.
const WEIGHT_MAX: u32 = 1_000_000;
/// As many as a federation has clusters.
pub(super) const CLUSTERS_MAX: usize = 10_000;
const LOST_AFTER_MAX: Duration = Duration::from_secs(3600);
const PRIORITY_MAX: i32 = 1_000;

pub(in crate::admin) fn policy(policy: &Policy, workloads: u32) -> v1::Policy {
    let Policy { name, placement, lost_after, max_unavailable } = policy;
    let planner::Policy { strategy, default, clusters, rebalance, priority } = placement;
    let rebalance = match rebalance {
        Rebalance::Never => "never",
        Rebalance::Gradual => "gradual",
        Rebalance::Always => "always",
    };
    let clusters = clusters.iter().map(|(cluster, share)| (cluster.to_string(), rule(*share)));
    let mut spec = v1::PolicySpec {
        default: default.map(rule),
        clusters: clusters.collect(),
        rebalance: rebalance.to_owned(),
        // At most an hour, by the checks below.
        lost_after: prost_types::Duration::try_from(*lost_after).ok(),
        mode: "available".to_owned(),
        priority: *priority,
        max_unavailable: *max_unavailable,
        ..v1::PolicySpec::default()
    };
    strategy::to_wire(strategy, &mut spec);
    v1::Policy { name: name.to_string(), spec: Some(spec), workloads }
}

fn rule(rule: Rule) -> v1::ClusterRule {
    v1::ClusterRule { weight: Some(rule.weight()), min: Some(rule.min()), max: rule.max() }
}

/// A policy under a name that was already found; `field` is where it stands in the request, and `lost_after` what it
/// gets if it does not say.
pub(in crate::admin) fn policy_from_wire(
    field: &str,
    name: PolicyName,
    spec: Option<v1::PolicySpec>,
    lost_after: Duration,
) -> Result<Policy, Status> {
    let spec = spec.unwrap_or_default();
    let at = |part: &str| format!("{field}.spec.{part}");
    let strategy = strategy::from_wire(at, &spec)?;
    one_of(&at("mode"), &spec.mode, &["available"])?;
    let rebalance = match one_of(&at("rebalance"), &spec.rebalance, &["never", "gradual", "always"])? {
        "gradual" => Rebalance::Gradual,
        "always" => Rebalance::Always,
        _ => Rebalance::Never,
    };
    if !(-PRIORITY_MAX..=PRIORITY_MAX).contains(&spec.priority) {
        let problem =
            format!("{} is out of range: it must be from -{PRIORITY_MAX} to {PRIORITY_MAX}", spec.priority);
        return Err(invalid(&at("priority"), problem));
    }
    bounded(&at("max_unavailable"), spec.max_unavailable, MAX_REPLICAS)?;
    if spec.clusters.len() > CLUSTERS_MAX {
        let problem = format!("{} entries are too many: at most {CLUSTERS_MAX}", spec.clusters.len());
        return Err(invalid(&at("clusters"), problem));
    }
    let default = spec.default.map(|rule| rule_from_wire(&at("default"), &rule)).transpose()?;
    let mut clusters = BTreeMap::new();
    for (cluster, rule) in &spec.clusters {
        let key: ClusterName = self::name(&at("clusters"), cluster)?;
        clusters.insert(key, rule_from_wire(&at(&format!("clusters[{cluster}]")), rule)?);
    }
    let placement = planner::Policy { strategy, default, clusters, rebalance, priority: spec.priority };
    strategy::check(at, &placement)?;
    Ok(Policy {
        name,
        placement,
        lost_after: match spec.lost_after {
            None => lost_after,
            Some(given) => duration(&at("lost_after"), given)?,
        },
        max_unavailable: spec.max_unavailable,
    })
}

/// The word, or the first of those allowed if there is none.
pub(super) fn one_of<'a>(field: &str, word: &'a str, allowed: &[&'static str]) -> Result<&'a str, Status> {
    if word.is_empty() || allowed.contains(&word) {
        return Ok(word);
    }
    let shown: String = word.chars().take(80).collect();
    Err(invalid(field, format!("{shown:?} is not known: write {}", allowed.join(" or "))))
}

pub(super) fn bounded(field: &str, value: u32, most: u32) -> Result<u32, Status> {
    if value <= most {
        return Ok(value);
    }
    Err(invalid(field, format!("{value} is too large: at most {most}")))
}

fn rule_from_wire(field: &str, rule: &v1::ClusterRule) -> Result<Rule, Status> {
    let at = |part: &str| format!("{field}.{part}");
    let weight = bounded(&at("weight"), rule.weight.unwrap_or(1), WEIGHT_MAX)?;
    let min = bounded(&at("min"), rule.min.unwrap_or(0), MAX_REPLICAS)?;
    let max = rule.max.map(|max| bounded(&at("max"), max, MAX_REPLICAS)).transpose()?;
    Rule::new(weight, min, max).map_err(|error| invalid(field, error))
}

fn duration(field: &str, given: prost_types::Duration) -> Result<Duration, Status> {
    let duration = Duration::try_from(given).ok().filter(|duration| *duration <= LOST_AFTER_MAX);
    duration.ok_or_else(|| invalid(field, format!("{given} is out of range: it must be from 0s to 1h")))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_policy_comes_back_as_it_was() {
        let rule = |weight, min, max| v1::ClusterRule { weight, min, max };
        let spec = v1::PolicySpec {
            strategy: "weighted".to_owned(),
            default: Some(rule(Some(3), Some(0), None)),
            clusters: BTreeMap::from([("east".to_owned(), rule(Some(1), Some(2), Some(5)))]),
            rebalance: "gradual".to_owned(),
            lost_after: Some(prost_types::Duration { seconds: 2, nanos: 500_000_000 }),
            mode: "available".to_owned(),
            priority: -5,
            max_unavailable: 7,
            ..v1::PolicySpec::default()
        };
        let read = read(spec.clone()).unwrap();
        assert_eq!(read.lost_after, Duration::from_millis(2_500));
        let written = policy(&read, 4);
        assert_eq!((written.name.as_str(), written.spec, written.workloads), ("p", Some(spec), 4));
    }

    #[test]
    fn an_empty_policy_has_the_defaults() {
        let read = read(v1::PolicySpec::default()).unwrap();
        assert_eq!(read.lost_after, Duration::from_secs(10));
        assert_eq!(read.placement, planner::Policy::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_field_and_remedy() {
        let rule = |weight, min, max| v1::ClusterRule { weight, min, max };
        let spec = v1::PolicySpec::default;
        let east = |rule| BTreeMap::from([("east".to_owned(), rule)]);
        let long = prost_types::Duration { seconds: 3601, nanos: 0 };
        let negative = prost_types::Duration { seconds: -1, nanos: 0 };
        for (spec, says) in [
            (
                v1::PolicySpec { strategy: "random".into(), ..spec() },
                "p.spec.strategy: \"random\" is not known: write weighted or capacity",
            ),
            (
                v1::PolicySpec {
                    strategy: "pack".into(),
                    clusters: east(rule(Some(2), None, None)),
                    ..spec()
                },
                "p.spec.clusters[east]: weight: only weighted and ordered heed weights",
            ),
            (
                v1::PolicySpec {
                    strategy: "duplicate".into(),
                    default: Some(rule(None, Some(1), None)),
                    ..spec()
                },
                "p.spec.default: min, max: with duplicate",
            ),
            (
                v1::PolicySpec { mode: "at_most".into(), ..spec() },
                "p.spec.mode: \"at_most\" is not known: write available",
            ),
            (
                v1::PolicySpec { rebalance: "x".into(), ..spec() },
                "p.spec.rebalance: \"x\" is not known: write never or gradual",
            ),
            (v1::PolicySpec { priority: 1001, ..spec() }, "p.spec.priority: 1001 is out of range"),
            (
                v1::PolicySpec { max_unavailable: u32::MAX, ..spec() },
                "p.spec.max_unavailable: 4294967295 is too large",
            ),
            (
                v1::PolicySpec { lost_after: Some(long), ..spec() },
                "p.spec.lost_after: 3601s is out of range: it must be from 0s to 1h",
            ),
            (
                v1::PolicySpec { lost_after: Some(negative), ..spec() },
                "p.spec.lost_after: -1s is out of range",
            ),
            (
                v1::PolicySpec { clusters: east(rule(Some(1_000_001), None, None)), ..spec() },
                "p.spec.clusters[east].weight: 1000001 is too large",
            ),
            (
                v1::PolicySpec { clusters: east(rule(None, Some(5), Some(4))), ..spec() },
                "p.spec.clusters[east]: max: 4 is below min 5",
            ),
            (
                v1::PolicySpec {
                    clusters: BTreeMap::from([("East".to_owned(), rule(None, None, None))]),
                    ..spec()
                },
                "p.spec.clusters: cluster name \"East\" is not valid",
            ),
        ] {
            let status = read(spec).unwrap_err();
            assert!(status.message().starts_with(says), "{says:?} does not begin {:?}", status.message());
            assert_eq!(status.code(), tonic::Code::InvalidArgument);
        }
    }

    fn read(spec: v1::PolicySpec) -> Result<Policy, Status> {
        policy_from_wire("p", "p".parse().unwrap(), Some(spec), Duration::from_secs(10))
    }
}
