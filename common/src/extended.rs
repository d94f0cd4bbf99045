//! Names of extended resources: what a pod may ask for besides CPU, memory and ephemeral storage, by the rules of
//! Kubernetes (`IsExtendedResourceName` and `IsHugePageResourceName` in its `pkg/apis/core/v1/helper`).

use std::fmt;
use std::sync::Arc;

use crate::qualified::{NAME_MAX, PREFIX_MAX, is_name, is_prefix, parts};
use crate::text::clip;

/// What ResourceQuotas put before the name, which therefore cannot begin a name, and must fit before it.
const REQUESTS: &str = "requests.";
/// What Kubernetes keeps for resources of its own, below any domain.
const NATIVE: &str = "kubernetes.io/";
/// Huge pages are told apart by their size, and need no domain.
const HUGE_PAGES: &str = "hugepages-";

/// Why a text is not the name of an extended resource. Shown as the problem and the remedy, with `; ` in between.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ExtendedNameError {
    value: String,
    reason: Reason,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Reason {
    NoDomain,
    Native,
    Requests,
    Domain,
    Name,
}

impl ExtendedNameError {
    /// Whether there is no domain: what was meant may well be a resource of another sort.
    pub fn is_without_domain(&self) -> bool {
        self.reason == Reason::NoDomain
    }
}

/// The name of an extended resource: that of a device, such as `nvidia.com/gpu`, or huge pages, such as `hugepages-2Mi`.
pub fn extended_name(text: &str) -> Result<Arc<str>, ExtendedNameError> {
    match reason_against(text) {
        None => Ok(text.into()),
        Some(reason) => Err(ExtendedNameError { value: clip(text).into(), reason }),
    }
}

/// Whether a name is one that Kubernetes keeps for itself, such as `kubernetes.io/batch-cpu`. Pods may ask for it, though
/// it is no extended resource.
pub fn is_native(text: &str) -> bool {
    let (prefix, name) = parts(text);
    text.contains(NATIVE) && prefix.is_some_and(is_prefix) && is_name(name)
}

fn reason_against(text: &str) -> Option<Reason> {
    let (prefix, name) = parts(text);
    let Some(prefix) = prefix else {
        let is_pages = text.starts_with(HUGE_PAGES) && is_name(text);
        return (!is_pages).then_some(Reason::NoDomain);
    };
    if text.contains(NATIVE) {
        return Some(Reason::Native);
    }
    if prefix.starts_with(REQUESTS) {
        return Some(Reason::Requests);
    }
    if !is_prefix(prefix) || REQUESTS.len() + prefix.len() > PREFIX_MAX {
        return Some(Reason::Domain);
    }
    (!is_name(name)).then_some(Reason::Name)
}

impl fmt::Display for ExtendedNameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:?} is not the name of an extended resource: ", self.value)?;
        match self.reason {
            Reason::NoDomain => f.write_str("it has no domain; write one with it, such as nvidia.com/gpu"),
            Reason::Native => f.write_str(
                "kubernetes.io is kept for Kubernetes' own; write the name that a device plugin gives",
            ),
            Reason::Requests => write!(f, "{REQUESTS} is no part of it; leave that out"),
            Reason::Domain => write!(
                f,
                "what stands before / is not a DNS name of at most {} characters; write one such as nvidia.com",
                PREFIX_MAX - REQUESTS.len()
            ),
            Reason::Name => write!(
                f,
                "what stands behind / must be 1 to {NAME_MAX} letters, digits, '-', '_' and '.', beginning and ending \
                 with a letter or digit; correct it"
            ),
        }
    }
}

impl std::error::Error for ExtendedNameError {}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn devices_and_huge_pages_have_names() {
        let longest = format!("{}/{}", "d".repeat(244), "N".repeat(63));
        for good in
            ["nvidia.com/gpu", "a/b", "example.com/A_b-c.9", "hugepages-2Mi", "hugepages-1Gi", &longest]
        {
            assert_eq!(extended_name(good).as_deref(), Ok(good));
        }
    }

    #[test]
    fn what_binds_nothing_is_refused_with_its_value_and_a_remedy() {
        for (bad, says) in [
            ("", "\"\" is not the name of an extended resource: it has no domain; write one with it"),
            ("cpu", "\"cpu\" is not the name of an extended resource: it has no domain; "),
            ("gpu", "\"gpu\" is not the name of an extended resource: it has no domain; "),
            ("hugepages-", "\"hugepages-\" is not the name of an extended resource: it has no domain; "),
            (
                "hugepages-2 Mi",
                "\"hugepages-2 Mi\" is not the name of an extended resource: it has no domain; ",
            ),
            (
                "kubernetes.io/cpu",
                "\"kubernetes.io/cpu\" is not the name of an extended resource: kubernetes.io is ",
            ),
            (
                "x.kubernetes.io/cpu",
                "\"x.kubernetes.io/cpu\" is not the name of an extended resource: kubernetes.io ",
            ),
            (
                "requests.a.b/c",
                "\"requests.a.b/c\" is not the name of an extended resource: requests. is no part ",
            ),
            (
                "a b/c",
                "\"a b/c\" is not the name of an extended resource: what stands before / is not a DNS name ",
            ),
            (
                "/gpu",
                "\"/gpu\" is not the name of an extended resource: what stands before / is not a DNS name ",
            ),
            (
                "A.b/c",
                "\"A.b/c\" is not the name of an extended resource: what stands before / is not a DNS name ",
            ),
            (
                "a.b/",
                "\"a.b/\" is not the name of an extended resource: what stands behind / must be 1 to 63 ",
            ),
            (
                "a.b/c/d",
                "\"a.b/c/d\" is not the name of an extended resource: what stands behind / must be 1 to 63 ",
            ),
            (
                "a.b/c d",
                "\"a.b/c d\" is not the name of an extended resource: what stands behind / must be 1 to 63 ",
            ),
        ] {
            let said = extended_name(bad).unwrap_err().to_string();
            assert!(said.starts_with(says), "{said:?} does not begin with {says:?}");
            assert!(said.contains("; "), "{said:?} has no remedy");
        }
        // `requests.` must fit before it, as a ResourceQuota in a cluster would write it.
        assert!(extended_name(&format!("{}/a", "d".repeat(245))).is_err());
        assert!(extended_name(&"x".repeat(1 << 20)).unwrap_err().to_string().len() < 400);
    }

    #[test]
    fn what_kubernetes_keeps_for_itself_is_known() {
        for (text, native) in [
            ("kubernetes.io/batch-cpu", true),
            ("x.kubernetes.io/a", true),
            ("nvidia.com/gpu", false),
            ("kubernetes.io/a b", false),
            ("a b.kubernetes.io/a", false),
            ("cpu", false),
        ] {
            assert_eq!(is_native(text), native, "{text}");
        }
    }
}
