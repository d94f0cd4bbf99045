//! Quotas, both ways.

use std::sync::Arc;

use godwit_common::Resources;
use godwit_common::quota::{Quota, Usage};
use godwit_hub_core::{QuotaRecord, QuotaView};
use godwit_proto::v1;
use tonic::Status;

use crate::admin::fields::invalid;
use crate::admin::labels;

/// As many as one set of resources has.
const EXTENDED_MAX: usize = 64;

pub(in crate::admin) fn quota(view: &QuotaView) -> v1::Quota {
    let QuotaView { record: QuotaRecord { namespace, quota }, used } = view;
    let Quota { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } = quota;
    let spec = v1::QuotaSpec {
        replicas: *replicas,
        cpu_millis: *cpu_millis,
        memory_bytes: *memory_bytes,
        ephemeral_bytes: *ephemeral_bytes,
        extended: named(extended),
    };
    v1::Quota { namespace: namespace.to_string(), spec: Some(spec), used: Some(usage(used)) }
}

fn usage(used: &Usage) -> v1::QuotaSpec {
    let Usage { replicas, requests } = used;
    let Resources {
        cpu_millis,
        memory_bytes,
        ephemeral_bytes,
        pods: _, // One for each replica.
        extended,
    } = requests;
    v1::QuotaSpec {
        replicas: Some(*replicas),
        cpu_millis: Some(*cpu_millis),
        memory_bytes: Some(*memory_bytes),
        ephemeral_bytes: Some(*ephemeral_bytes),
        extended: named(extended),
    }
}

fn named(amounts: &[(Arc<str>, u64)]) -> std::collections::BTreeMap<String, u64> {
    amounts.iter().map(|(name, amount)| (name.to_string(), *amount)).collect()
}

/// The quota of a namespace that was already found; `field` is where its bounds stand in the request.
pub(in crate::admin) fn quota_from_wire(
    field: &str,
    namespace: Arc<str>,
    spec: Option<v1::QuotaSpec>,
) -> Result<QuotaRecord, Status> {
    let v1::QuotaSpec { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } =
        spec.unwrap_or_default();
    let at = format!("{field}.extended");
    if extended.len() > EXTENDED_MAX {
        let problem = format!("{} entries are too many: at most {EXTENDED_MAX}", extended.len());
        return Err(invalid(&at, problem));
    }
    let named = extended.into_iter().map(|(name, bound)| Ok((labels::key(&at, &name)?, bound)));
    let quota = Quota {
        replicas,
        cpu_millis,
        memory_bytes,
        ephemeral_bytes,
        extended: named.collect::<Result<_, Status>>()?,
    };
    if quota == Quota::default() {
        let problem = "it bounds nothing: give at least one bound, or delete the quota";
        return Err(invalid(field, problem));
    }
    Ok(QuotaRecord { namespace, quota })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_quota_comes_back_as_it_was_with_what_is_used() {
        let spec = v1::QuotaSpec {
            replicas: Some(0),
            cpu_millis: Some(1),
            memory_bytes: Some(2),
            ephemeral_bytes: Some(u64::MAX),
            extended: [("nvidia.com/gpu".to_owned(), 0), ("a".to_owned(), 9)].into(),
        };
        let record = quota_from_wire("q", "shop".into(), Some(spec.clone())).unwrap();
        let mut used = Usage::default();
        used.add(&Resources { cpu_millis: 100, pods: 1, ..Resources::default() }, 3);
        let shown = quota(&QuotaView { record, used });
        assert_eq!((shown.namespace.as_str(), shown.spec), ("shop", Some(spec)));
        let used = v1::QuotaSpec {
            replicas: Some(3),
            cpu_millis: Some(300),
            memory_bytes: Some(0),
            ephemeral_bytes: Some(0),
            extended: Default::default(),
        };
        assert_eq!(shown.used, Some(used));
    }

    #[test]
    fn a_quota_without_a_bound_or_with_a_bad_name_is_refused() {
        let extended = |names: Vec<String>| {
            let extended = names.into_iter().map(|name| (name, 1)).collect();
            Some(v1::QuotaSpec { extended, ..v1::QuotaSpec::default() })
        };
        let many = (0..65).map(|number| format!("n{number}")).collect();
        for (spec, says) in [
            (None, "q: it bounds nothing: give at least one bound"),
            (extended(vec!["a b".to_owned()]), "q.extended: \"a b\" is not a key"),
            (extended(many), "q.extended: 65 entries are too many: at most 64"),
        ] {
            let status = quota_from_wire("q", "shop".into(), spec).unwrap_err();
            assert!(status.message().starts_with(says), "{says:?} does not begin {:?}", status.message());
        }
    }
}
