//! Quotas of namespaces.

use std::sync::Arc;

use godwit_common::WorkloadId;
use godwit_common::quota::Quota;
use godwit_hub_core::QuotaRecord;
use godwit_proto::store::v1 as wire;

use super::Invalid;

pub(super) fn to_wire(record: &QuotaRecord) -> wire::Quota {
    let QuotaRecord { namespace, quota } = record;
    let Quota { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } = quota;
    wire::Quota {
        namespace: namespace.to_string(),
        replicas: *replicas,
        cpu_millis: *cpu_millis,
        memory_bytes: *memory_bytes,
        ephemeral_bytes: *ephemeral_bytes,
        extended: extended.iter().map(|(name, bound)| (name.to_string(), *bound)).collect(),
    }
}

/// The map is in order of name, as [`Quota`] wants it.
pub(super) fn from_wire(quota: wire::Quota) -> Result<QuotaRecord, Invalid> {
    let extended = quota.extended.into_iter().map(|(name, bound)| (name.into(), bound));
    Ok(QuotaRecord {
        namespace: namespace("namespace", &quota.namespace)?,
        quota: Quota {
            replicas: quota.replicas,
            cpu_millis: quota.cpu_millis,
            memory_bytes: quota.memory_bytes,
            ephemeral_bytes: quota.ephemeral_bytes,
            extended: extended.collect(),
        },
    })
}

/// A namespace alone, checked as a part of an identity.
pub(super) fn namespace(field: &str, text: &str) -> Result<Arc<str>, Invalid> {
    let id = WorkloadId::new(text, "Deployment", "name").map_err(|error| Invalid::new(field, error))?;
    Ok(id.namespace)
}
