//! A quota as its author wrote it, as the message that the hub takes.

use godwit_common::quota::Quota;
use godwit_manifest::QuotaSpec;
use godwit_proto::v1;

/// The message.
pub(crate) fn to_message(spec: &QuotaSpec) -> v1::Quota {
    let QuotaSpec { namespace, quota } = spec;
    let Quota { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } = quota;
    let spec = v1::QuotaSpec {
        replicas: *replicas,
        cpu_millis: *cpu_millis,
        memory_bytes: *memory_bytes,
        ephemeral_bytes: *ephemeral_bytes,
        extended: extended.iter().map(|(name, bound)| (name.to_string(), *bound)).collect(),
    };
    v1::Quota { namespace: namespace.to_string(), spec: Some(spec), used: None }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn every_bound_arrives() {
        let quota = Quota {
            replicas: Some(1),
            cpu_millis: Some(2),
            memory_bytes: Some(3),
            ephemeral_bytes: None,
            extended: vec![("nvidia.com/gpu".into(), 4)],
        };
        let message = to_message(&QuotaSpec { namespace: "shop".into(), quota });
        let spec = v1::QuotaSpec {
            replicas: Some(1),
            cpu_millis: Some(2),
            memory_bytes: Some(3),
            ephemeral_bytes: None,
            extended: [("nvidia.com/gpu".to_owned(), 4)].into(),
        };
        assert_eq!((&*message.namespace, message.spec), ("shop", Some(spec)));
    }
}
