//! Quotas: the one conversion between the message and the value that is counted by. The hub and the command line both use
//! it, so that a quota means the same to each of them.
//!
//! Outward nothing can fail. Inward everything is checked: a quota is taken whole or refused whole.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::link::EXTENDED_RESOURCES_MAX;
use godwit_common::quota::{Quota, Usage};
use godwit_common::{Resources, extended_name};

use crate::field::{FieldError, bounded_len};
use crate::v1;

/// The message of bounds.
pub fn to_wire(quota: &Quota) -> v1::QuotaSpec {
    let Quota { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } = quota;
    v1::QuotaSpec {
        replicas: *replicas,
        cpu_millis: *cpu_millis,
        memory_bytes: *memory_bytes,
        ephemeral_bytes: *ephemeral_bytes,
        extended: named(extended),
    }
}

/// The message of what is used: every number is set.
pub fn usage_to_wire(used: &Usage) -> v1::QuotaSpec {
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

/// The bounds that the message says, at least one. `at` is where it stands, such as `quota.spec`: errors put it before the
/// field.
pub fn from_wire(at: &str, spec: v1::QuotaSpec) -> Result<Quota, FieldError> {
    read(spec).map_err(|error| error.within(at))
}

fn read(spec: v1::QuotaSpec) -> Result<Quota, FieldError> {
    let v1::QuotaSpec { replicas, cpu_millis, memory_bytes, ephemeral_bytes, extended } = spec;
    bounded_len("extended", extended.len(), EXTENDED_RESOURCES_MAX)?;
    // An ordered map: the names come sorted and each once, as `Quota` wants them.
    let extended = extended.into_iter().map(|(name, bound)| Ok((resource(&name)?, bound)));
    let quota = Quota {
        replicas,
        cpu_millis,
        memory_bytes,
        ephemeral_bytes,
        extended: extended.collect::<Result<_, FieldError>>()?,
    };
    if quota == Quota::default() {
        let problem = "it bounds nothing: give at least one bound, or delete the quota";
        return Err(FieldError::new("", problem));
    }
    Ok(quota)
}

/// A name that some resource can have: a bound under another one would hold nothing back.
fn resource(name: &str) -> Result<Arc<str>, FieldError> {
    let field = match name {
        "replicas" | "pods" => "replicas",
        "cpu" => "cpu_millis",
        "memory" => "memory_bytes",
        "ephemeral-storage" => "ephemeral_bytes",
        other => return extended_name(other).map_err(|error| FieldError::new("extended", error)),
    };
    let problem = format!("{name:?} has a field of its own; bound it by {field}");
    Err(FieldError::new("extended", problem))
}

fn named(amounts: &[(Arc<str>, u64)]) -> BTreeMap<String, u64> {
    amounts.iter().map(|(name, amount)| (name.to_string(), *amount)).collect()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn extended(names: &[&str]) -> v1::QuotaSpec {
        let extended = names.iter().map(|name| ((*name).to_owned(), 1)).collect();
        v1::QuotaSpec { extended, ..v1::QuotaSpec::default() }
    }

    #[test]
    fn a_quota_comes_back_as_it_was() {
        let quota = Quota {
            replicas: Some(0),
            cpu_millis: Some(1),
            memory_bytes: None,
            ephemeral_bytes: Some(u64::MAX),
            extended: vec![("hugepages-2Mi".into(), 9), ("nvidia.com/gpu".into(), 0)],
        };
        assert_eq!(from_wire("q", to_wire(&quota)), Ok(quota));
    }

    #[test]
    fn every_number_of_what_is_used_is_set() {
        let mut used = Usage::default();
        let gpu = vec![("nvidia.com/gpu".into(), 1)];
        used.add(&Resources { cpu_millis: 100, pods: 1, extended: gpu, ..Resources::default() }, 3);
        let expected = v1::QuotaSpec {
            replicas: Some(3),
            cpu_millis: Some(300),
            memory_bytes: Some(0),
            ephemeral_bytes: Some(0),
            extended: [("nvidia.com/gpu".to_owned(), 3)].into(),
        };
        assert_eq!(usage_to_wire(&used), expected);
    }

    #[test]
    fn what_binds_nothing_is_refused_with_field_value_and_remedy() {
        for (spec, says) in [
            (
                v1::QuotaSpec::default(),
                "q.spec: it bounds nothing: give at least one bound, or delete the quota",
            ),
            (extended(&["cpu"]), "q.spec.extended: \"cpu\" has a field of its own; bound it by cpu_millis"),
            (
                extended(&["memory"]),
                "q.spec.extended: \"memory\" has a field of its own; bound it by memory_bytes",
            ),
            (
                extended(&["ephemeral-storage"]),
                "q.spec.extended: \"ephemeral-storage\" has a field of its own; bound it by ephemeral_bytes",
            ),
            (extended(&["pods"]), "q.spec.extended: \"pods\" has a field of its own; bound it by replicas"),
            (
                extended(&["a.b/c", "gpu"]),
                "q.spec.extended: \"gpu\" is not the name of an extended resource: it has no domain; write one with it, \
                 such as nvidia.com/gpu",
            ),
            (
                extended(&["a b/c"]),
                "q.spec.extended: \"a b/c\" is not the name of an extended resource: what stands before / is not a DNS \
                 name of at most 244 characters; write one such as nvidia.com",
            ),
        ] {
            assert_eq!(from_wire("q.spec", spec).unwrap_err().to_string(), says);
        }
    }

    #[test]
    fn only_so_many_extended_resources_are_bounded() {
        let names: Vec<String> = (0..65).map(|number| format!("a.b/n{number}")).collect();
        let names: Vec<&str> = names.iter().map(String::as_str).collect();
        assert_eq!(from_wire("q", extended(&names[1..])).map(|quota| quota.extended.len()), Ok(64));
        let says = "q.extended: 65 are too many; give at most 64";
        assert_eq!(from_wire("q", extended(&names)).unwrap_err().to_string(), says);
    }
}
