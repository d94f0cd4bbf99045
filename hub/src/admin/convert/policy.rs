//! Policies, both ways.

use std::time::Duration;

use godwit_common::PolicyName;
use godwit_common::policy::limits::LOST_AFTER_MAX;
use godwit_hub_core::Policy;
use godwit_proto::policy::{self, Terms};
use godwit_proto::v1;
use tonic::Status;

use crate::admin::fields::invalid;

pub(crate) fn policy(policy: &Policy, workloads: u32) -> v1::Policy {
    let Policy { name, placement, lost_after } = policy;
    let spec = policy::to_wire(placement, Some(*lost_after));
    v1::Policy { name: name.to_string(), spec: Some(spec), workloads }
}

/// A policy under a name that was already found; `field` is where it stands in the request, and `lost_after` what it
/// gets if it does not say.
pub(in crate::admin) fn policy_from_wire(
    field: &str,
    name: PolicyName,
    spec: Option<v1::PolicySpec>,
    lost_after: Duration,
) -> Result<Policy, Status> {
    let at = format!("{field}.spec");
    let terms = policy::from_wire(&at, &spec.unwrap_or_default());
    let Terms { placement, lost_after: given } =
        terms.map_err(|error| invalid(&error.field, error.problem))?;
    if let Some(given) = given.filter(|given| *given > LOST_AFTER_MAX) {
        let problem = format!("{given:?} is out of range: it must be from 0s to 1h");
        return Err(invalid(&format!("{at}.lost_after"), problem));
    }
    Ok(Policy { name, placement, lost_after: given.unwrap_or(lost_after) })
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeMap;

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
            max_surge_percent: Some(30),
            traffic_gate: Some(v1::TrafficGate { mode: "ack".to_owned(), delay: None }),
            unready_after: Some(prost_types::Duration { seconds: 90, nanos: 0 }),
            survivor: "keepOriginal".to_owned(),
            fail_back: "immediate".to_owned(),
            data: "replicated".to_owned(),
            divide: true,
            prestage: "placed".to_owned(),
            drift: "adopt".to_owned(),
            export_services: true,
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
        assert_eq!(read.placement, godwit_common::policy::Policy::default());
    }

    #[test]
    fn what_is_wrong_is_named_with_its_place_in_the_request() {
        let spec = v1::PolicySpec::default;
        let duration = |seconds| Some(prost_types::Duration { seconds, nanos: 0 });
        for (spec, says) in [
            (
                v1::PolicySpec { strategy: "random".into(), ..spec() },
                "p.spec.strategy: \"random\" is not known: write weighted or capacity",
            ),
            (
                v1::PolicySpec { lost_after: duration(3601), ..spec() },
                "p.spec.lost_after: 3601s is out of range: it must be from 0s to 1h",
            ),
            (v1::PolicySpec { lost_after: duration(-1), ..spec() }, "p.spec.lost_after: -1s is out of range"),
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
