//! A quota as its author wrote it, as the message that the hub takes.

use godwit_manifest::QuotaSpec;
use godwit_proto::{quota, v1};

/// The message.
pub(super) fn to_message(spec: &QuotaSpec) -> v1::Quota {
    let QuotaSpec { namespace, quota } = spec;
    v1::Quota { namespace: namespace.to_string(), spec: Some(quota::to_wire(quota)), used: None }
}

#[cfg(test)]
mod tests {
    use godwit_manifest::parse_quotas;

    use super::*;

    #[test]
    fn the_hub_takes_what_is_sent() {
        let text = "apiVersion: godwit.dev/v1\nkind: Quota\nmetadata: {name: shop}\n\
                    spec: {hard: {replicas: 3, requests.nvidia.com/gpu: 4, hugepages-2Mi: 6Mi}}\n";
        let specs = parse_quotas(text).expect("a quota");
        let message = to_message(&specs[0]);
        assert_eq!(message.namespace, "shop");
        let taken = quota::from_wire("spec", message.spec.expect("a spec"));
        assert_eq!(taken.as_ref(), Ok(&specs[0].quota));
    }
}
