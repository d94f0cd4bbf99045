//! Names and identities, valid by construction.

use std::cmp::Ordering;
use std::fmt;
use std::hash::{Hash, Hasher};
use std::str::FromStr;
use std::sync::Arc;

use crate::text::clip;

/// The longest RFC 1123 label, in bytes.
const LABEL_MAX: usize = 63;
/// The longest RFC 1123 subdomain, in bytes: what Kubernetes allows for most object names.
pub(crate) const SUBDOMAIN_MAX: usize = 253;

/// Why a text is not a valid name.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct NameError {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl fmt::Display for NameError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {:?} is not valid: {}", self.what, self.value, self.reason)
    }
}

impl std::error::Error for NameError {}

/// A text whose first bytes stand beside it: two of them are usually told apart without a look at either text. Names of
/// clusters are compared more often than anything else, since most of what is known is kept in their order.
#[derive(Clone)]
struct Label {
    /// The first bytes, as a number that has their order; zeros behind a shorter text, which itself holds none.
    head: [u64; 2],
    text: Arc<str>,
}

/// How many bytes of a text stand beside it.
const HEAD: usize = 16;

impl Label {
    /// The text holds no zero byte.
    fn new(text: &str) -> Self {
        let mut bytes = [0; HEAD];
        bytes.iter_mut().zip(text.bytes()).for_each(|(head, byte)| *head = byte);
        let head = u128::from_be_bytes(bytes);
        Self { head: [(head >> 64) as u64, head as u64], text: text.into() }
    }

    /// Compares what the heads do not hold, where those are equal: mostly there is no more, or both are copies of one.
    fn cmp_rest(&self, other: &Self) -> Ordering {
        let short = self.text.len().max(other.text.len()) <= HEAD;
        if short || Arc::ptr_eq(&self.text, &other.text) {
            return Ordering::Equal;
        }
        self.text.cmp(&other.text)
    }
}

impl PartialEq for Label {
    #[inline]
    fn eq(&self, other: &Self) -> bool {
        self.head == other.head && self.cmp_rest(other).is_eq()
    }
}

impl Eq for Label {}

impl Ord for Label {
    #[inline]
    fn cmp(&self, other: &Self) -> Ordering {
        let ([first, second], [others_first, others_second]) = (self.head, other.head);
        let by_head = first.cmp(&others_first).then(second.cmp(&others_second));
        by_head.then_with(|| self.cmp_rest(other))
    }
}

impl PartialOrd for Label {
    #[inline]
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}

impl Hash for Label {
    fn hash<H: Hasher>(&self, state: &mut H) {
        self.text.hash(state);
    }
}

macro_rules! label {
    ($(#[$doc:meta])* $name:ident, $what:literal) => {
        $(#[$doc])*
        #[derive(Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
        pub struct $name(Label);

        impl $name {
            /// The name as text.
            pub fn as_str(&self) -> &str {
                &self.0.text
            }
        }

        impl FromStr for $name {
            type Err = NameError;

            fn from_str(text: &str) -> Result<Self, NameError> {
                check($what, text, LABEL_MAX, false)?;
                Ok(Self(Label::new(text)))
            }
        }

        impl fmt::Display for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.text)
            }
        }

        impl fmt::Debug for $name {
            fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.pad(&self.0.text)
            }
        }
    };
}

label!(
    /// A member cluster's name: an RFC 1123 label, as its certificate says it.
    ClusterName,
    "cluster name"
);
label!(
    /// A policy's name: an RFC 1123 label.
    PolicyName,
    "policy name"
);

/// A unique identity that the hub gives: to the federation, to a workload's life, to an object's life.
/// Shown as a UUID. A workload that is deleted and created again has another one (S28).
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub struct Uid(pub u128);

impl fmt::Display for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let hex = format!("{:032x}", self.0);
        write!(f, "{}-{}-{}-{}-{}", &hex[..8], &hex[8..12], &hex[12..16], &hex[16..20], &hex[20..])
    }
}

impl fmt::Debug for Uid {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

impl FromStr for Uid {
    type Err = NameError;

    fn from_str(text: &str) -> Result<Self, NameError> {
        let wrong = |reason| NameError { what: "uid", value: clip(text).into(), reason };
        if text.len() != 36 || !text.bytes().all(|b| b.is_ascii_hexdigit() || b == b'-') {
            return Err(wrong("it must be a UUID, such as 6ba7b810-9dad-11d1-80b4-00c04fd430c8"));
        }
        let hex: String = text.chars().filter(|c| *c != '-').collect();
        if hex.len() != 32 {
            return Err(wrong("a UUID has 32 hexadecimal digits"));
        }
        u128::from_str_radix(&hex, 16).map(Uid).map_err(|_| wrong("its digits must be hexadecimal"))
    }
}

/// What identifies a workload to its users: namespace, kind and name (S33).
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct WorkloadId {
    /// The Kubernetes namespace.
    pub namespace: Arc<str>,
    /// The Kubernetes kind, such as `Deployment`.
    pub kind: Arc<str>,
    /// The object's name.
    pub name: Arc<str>,
}

impl WorkloadId {
    /// An identity of valid parts.
    pub fn new(namespace: &str, kind: &str, name: &str) -> Result<Self, NameError> {
        check_namespace(namespace)?;
        check_object_name(name)?;
        check_kind(kind)?;
        Ok(Self { namespace: namespace.into(), kind: kind.into(), name: name.into() })
    }
}

impl fmt::Display for WorkloadId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} {}/{}", self.kind, self.namespace, self.name)
    }
}

/// What identifies any Kubernetes object in a cluster.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct ObjectKey {
    /// The group and version, such as `apps/v1`, or `v1` for the core group.
    pub api_version: Arc<str>,
    /// The kind.
    pub kind: Arc<str>,
    /// The namespace; empty for a cluster-scoped object.
    pub namespace: Arc<str>,
    /// The name.
    pub name: Arc<str>,
}

impl ObjectKey {
    /// A key of valid parts; an empty `namespace` means cluster-scoped.
    pub fn new(api_version: &str, kind: &str, namespace: &str, name: &str) -> Result<Self, NameError> {
        let parts: Vec<&str> = api_version.split('/').collect();
        if parts.len() > 2 || parts.iter().any(|part| check_object_name(part).is_err()) {
            return Err(NameError {
                what: "apiVersion",
                value: clip(api_version).into(),
                reason: "it must be VERSION or GROUP/VERSION, such as v1 or apps/v1",
            });
        }
        check_kind(kind)?;
        if !namespace.is_empty() {
            check_namespace(namespace)?;
        }
        // RBAC objects may hold colons and capitals, so only what a path cannot carry is refused.
        let bad = |c: char| c == '/' || c == '%' || c.is_control() || c.is_whitespace();
        if name.is_empty() || name == "." || name == ".." || name.len() > SUBDOMAIN_MAX || name.contains(bad)
        {
            return Err(NameError {
                what: "name",
                value: clip(name).into(),
                reason: "it must be 1 to 253 characters without '/', '%' or white space",
            });
        }
        Ok(Self {
            api_version: api_version.into(),
            kind: kind.into(),
            namespace: namespace.into(),
            name: name.into(),
        })
    }
}

impl fmt::Display for ObjectKey {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match &*self.namespace {
            "" => write!(f, "{} {}", self.kind, self.name),
            namespace => write!(f, "{} {}/{}", self.kind, namespace, self.name),
        }
    }
}

/// Whether a text may name a namespace: an RFC 1123 label.
pub fn check_namespace(text: &str) -> Result<(), NameError> {
    check("namespace", text, LABEL_MAX, false)
}

/// Whether a text may name a workload, and most other objects: an RFC 1123 subdomain.
pub fn check_object_name(text: &str) -> Result<(), NameError> {
    check("name", text, SUBDOMAIN_MAX, true)
}

/// Whether a text may name a kind.
pub fn check_kind(kind: &str) -> Result<(), NameError> {
    let first_is_capital = kind.bytes().next().is_some_and(|b| b.is_ascii_uppercase());
    if first_is_capital && kind.len() <= LABEL_MAX && kind.bytes().all(|b| b.is_ascii_alphanumeric()) {
        return Ok(());
    }
    let reason = "it must be a capital letter followed by letters and digits, such as Deployment";
    Err(NameError { what: "kind", value: clip(kind).into(), reason })
}

/// RFC 1123: lower-case letters, digits and hyphens, first and last a letter or digit; dots where allowed.
fn check(what: &'static str, text: &str, max: usize, dots: bool) -> Result<(), NameError> {
    let wrong = |reason| Err(NameError { what, value: clip(text).into(), reason });
    if text.is_empty() {
        return wrong("it must not be empty");
    }
    if text.len() > max {
        return wrong(if dots {
            "it is longer than 253 characters"
        } else {
            "it is longer than 63 characters"
        });
    }
    let valid = if dots { text.split('.').all(is_rfc_1123) } else { is_rfc_1123(text) };
    if valid {
        return Ok(());
    }
    wrong("it must be lower-case letters, digits and '-', beginning and ending with a letter or digit")
}

/// Whether a text is a label of RFC 1123, whatever its length.
pub(crate) fn is_rfc_1123(text: &str) -> bool {
    let plain = |b: u8| b.is_ascii_lowercase() || b.is_ascii_digit();
    let bytes = text.as_bytes();
    let ends = bytes.first().copied().is_some_and(plain) && bytes.last().copied().is_some_and(plain);
    ends && bytes.iter().all(|b| plain(*b) || *b == b'-')
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_follow_rfc_1123() {
        for good in ["a", "east-1", "0", &"x".repeat(63)] {
            assert!(good.parse::<ClusterName>().is_ok(), "{good}");
        }
        for bad in ["", "-a", "a-", "A", "a.b", "a_b", "ü", &"x".repeat(64)] {
            assert!(bad.parse::<ClusterName>().is_err(), "{bad}");
        }
    }

    #[test]
    fn names_have_the_order_of_their_texts() {
        let (stem, longer) = ("x".repeat(15), "x".repeat(16));
        let mut texts = vec!["a", "a-0", "a0", "b", "0", &stem, &longer];
        let tails = ["y", "y-1", "y1", "0", "yyyyyyyyyyyyyyyyyy"].map(|tail| format!("{longer}{tail}"));
        texts.extend(tails.iter().map(String::as_str));
        let name = |text: &str| text.parse::<ClusterName>().unwrap();
        for (a, b) in texts.iter().flat_map(|a| texts.iter().map(move |b| (*a, *b))) {
            assert_eq!(name(a).cmp(&name(b)), a.cmp(b), "{a} {b}");
            assert_eq!(name(a) == name(b), a == b, "{a} {b}");
        }
    }

    #[test]
    fn parts_of_an_identity_are_checked_each_on_its_own() {
        assert_eq!((check_namespace("shop"), check_object_name("web.v2")), (Ok(()), Ok(())));
        let said = |error: Result<(), NameError>| error.unwrap_err().to_string();
        assert!(
            said(check_namespace("shop.eu")).starts_with("namespace \"shop.eu\" is not valid: it must be")
        );
        assert!(said(check_object_name("Web")).starts_with("name \"Web\" is not valid: it must be"));
        assert!(said(check_object_name("")).ends_with("it must not be empty"));
        assert!(said(check_object_name(&"a".repeat(254))).ends_with("it is longer than 253 characters"));
    }

    #[test]
    fn an_error_names_the_value_but_clips_it() {
        let error = "Ü".repeat(500).parse::<ClusterName>().unwrap_err().to_string();
        assert!(error.contains("cluster name") && error.len() < 400, "{error}");
    }

    #[test]
    fn uids_round_trip_as_uuids() {
        let uid = Uid(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8);
        assert_eq!(uid.to_string(), "6ba7b810-9dad-11d1-80b4-00c04fd430c8");
        assert_eq!(uid.to_string().parse(), Ok(uid));
        for bad in ["", "x", "6ba7b810-9dad-11d1-80b4-00c04fd430cg", &"-".repeat(36), &"é".repeat(18)] {
            assert!(bad.parse::<Uid>().is_err(), "{bad}");
        }
    }

    #[test]
    fn object_keys_are_checked() {
        assert!(ObjectKey::new("v1", "ConfigMap", "shop", "web").is_ok());
        assert!(ObjectKey::new("rbac.authorization.k8s.io/v1", "ClusterRole", "", "system:node").is_ok());
        assert!(ObjectKey::new("a/b/c", "ConfigMap", "shop", "web").is_err());
        assert!(ObjectKey::new("v1", "configMap", "shop", "web").is_err());
        assert!(ObjectKey::new("v1", "ConfigMap", "shop", "a/b").is_err());
    }
}
