//! Qualified names, as Kubernetes has them: keys of labels and taints, and names of extended resources. They are a name,
//! or a DNS name, a slash and a name.

use crate::name::{SUBDOMAIN_MAX, is_rfc_1123};

/// The longest name, in bytes; a label's value is as long at most.
pub const NAME_MAX: usize = 63;
/// The longest DNS name before the slash, in bytes.
pub const PREFIX_MAX: usize = SUBDOMAIN_MAX;

/// Whether a text may be the name. What is not empty may be a label's value by the same rule.
pub fn is_name(text: &str) -> bool {
    let bytes = text.as_bytes();
    let is_end = |byte: Option<&u8>| byte.is_some_and(u8::is_ascii_alphanumeric);
    let is_inner = |byte: &u8| byte.is_ascii_alphanumeric() || b"-_.".contains(byte);
    bytes.len() <= NAME_MAX && is_end(bytes.first()) && is_end(bytes.last()) && bytes.iter().all(is_inner)
}

/// Whether a text may stand before the slash.
pub fn is_prefix(text: &str) -> bool {
    text.len() <= PREFIX_MAX && text.split('.').all(is_rfc_1123)
}

/// The prefix, if there is a slash, and the name; neither is checked.
pub fn parts(text: &str) -> (Option<&str>, &str) {
    match text.split_once('/') {
        Some((prefix, name)) => (Some(prefix), name),
        None => (None, text),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_and_prefixes_are_those_of_kubernetes() {
        for (text, name, prefix) in [
            ("a", true, true),
            ("example.com", true, true),
            ("A.b_c-9", true, false),
            (&"x".repeat(63), true, true),
            (&"x".repeat(64), false, true),
            (&"x".repeat(253), false, true),
            (&"x".repeat(254), false, false),
            ("", false, false),
            ("-a", false, false),
            ("a.", false, false),
            ("a..b", true, false),
            ("a b", false, false),
            ("a/b", false, false),
            ("ü", false, false),
        ] {
            assert_eq!((is_name(text), is_prefix(text)), (name, prefix), "{text}");
        }
    }

    #[test]
    fn the_first_slash_divides() {
        assert_eq!(parts("tier"), (None, "tier"));
        assert_eq!(parts("a.b/c/d"), (Some("a.b"), "c/d"));
    }
}
