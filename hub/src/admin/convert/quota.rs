//! Quotas, both ways.

use std::sync::Arc;

use godwit_hub_core::{QuotaRecord, QuotaView};
use godwit_proto::{quota as wire, v1};
use tonic::Status;

use crate::admin::fields::invalid;

pub(crate) fn quota(view: &QuotaView) -> v1::Quota {
    let QuotaView { record: QuotaRecord { namespace, quota }, used } = view;
    v1::Quota {
        namespace: namespace.to_string(),
        spec: Some(wire::to_wire(quota)),
        used: Some(wire::usage_to_wire(used)),
    }
}

/// The quota of a namespace that was already found; `field` is where its bounds stand in the request.
pub(in crate::admin) fn quota_from_wire(
    field: &str,
    namespace: Arc<str>,
    spec: Option<v1::QuotaSpec>,
) -> Result<QuotaRecord, Status> {
    let quota = wire::from_wire(field, spec.unwrap_or_default());
    let quota = quota.map_err(|error| invalid(&error.field, error.problem))?;
    Ok(QuotaRecord { namespace, quota })
}

#[cfg(test)]
mod tests {
    use godwit_common::Resources;
    use godwit_common::quota::Usage;

    use super::*;

    #[test]
    fn a_quota_comes_back_as_it_was_with_what_is_used() {
        let spec = v1::QuotaSpec {
            replicas: Some(0),
            extended: [("nvidia.com/gpu".to_owned(), 9)].into(),
            ..v1::QuotaSpec::default()
        };
        let record = quota_from_wire("q", "shop".into(), Some(spec.clone())).unwrap();
        let mut used = Usage::default();
        used.add(&Resources { cpu_millis: 100, pods: 1, ..Resources::default() }, 3);
        let shown = quota(&QuotaView { record, used });
        assert_eq!((shown.namespace.as_str(), shown.spec), ("shop", Some(spec)));
        let used = shown.used.unwrap();
        assert_eq!((used.replicas, used.cpu_millis, used.memory_bytes), (Some(3), Some(300), Some(0)));
    }

    #[test]
    fn a_quota_that_bounds_nothing_is_an_invalid_argument() {
        let status = quota_from_wire("quota.spec", "shop".into(), None).unwrap_err();
        assert_eq!(status.code(), tonic::Code::InvalidArgument);
        assert!(status.message().starts_with("quota.spec: it bounds nothing: "), "{status}");
    }
}
