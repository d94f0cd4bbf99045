//! The forms of labels' keys and values, which Kubernetes has for taints, too.

use std::fmt;

use crate::qualified::{is_name, is_prefix, parts};
use crate::text::quote;

/// Why a text is no key, or no value.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LabelError {
    what: &'static str,
    value: String,
    reason: &'static str,
}

impl fmt::Display for LabelError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} is not a {}: {}", self.value, self.what, self.reason)
    }
}

impl std::error::Error for LabelError {}

/// Whether a text may be a key: a name, with or without a DNS name and a slash before it.
pub fn check_key(text: &str) -> Result<(), LabelError> {
    let (prefix, name) = parts(text);
    let reason = if prefix.is_some_and(|prefix| !is_prefix(prefix)) {
        "what stands before / must be a DNS name, such as example.com"
    } else if !is_name(name) {
        "its name must be 1 to 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit"
    } else {
        return Ok(());
    };
    Err(LabelError { what: "key", value: quote(text), reason })
}

/// Whether a text may be a value. It may be empty.
pub fn check_value(text: &str) -> Result<(), LabelError> {
    if text.is_empty() || is_name(text) {
        return Ok(());
    }
    let reason = "it must be at most 63 letters, digits, '-', '_' and '.', beginning and ending with a letter or digit";
    Err(LabelError { what: "value", value: quote(text), reason })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn keys_and_values_are_those_of_kubernetes() {
        let (long, longer) = ("x".repeat(63), "x".repeat(64));
        let prefixed = |length: usize| format!("{}/a", "x".repeat(length));
        for good in ["a", "tier", "A_b-c.9", "example.com/tier", &long, &prefixed(253)] {
            assert_eq!(check_key(good), Ok(()), "{good}");
        }
        for bad in
            ["", "/", "/a", "a/", "-a", "a.", "a b", "ü", "a/b/c", "A.com/a", "a_b/a", "a..b/a", &longer]
        {
            assert!(check_key(bad).is_err(), "{bad}");
        }
        assert!(check_key(&prefixed(254)).is_err());
        for (text, good) in [("", true), ("A.b", true), (&long, true), (&longer, false), ("a/b", false)] {
            assert_eq!(check_value(text).is_ok(), good, "{text}");
        }
    }

    #[test]
    fn an_error_quotes_the_text_and_says_which_part_is_wrong() {
        let key = |text: &str| check_key(text).unwrap_err().to_string();
        assert!(
            key("A.com/a").starts_with("\"A.com/a\" is not a key: what stands before / must be a DNS name")
        );
        assert!(key("a b").starts_with("\"a b\" is not a key: its name must be 1 to 63 letters"));
        let value = check_value(&"-".repeat(1 << 20)).unwrap_err().to_string();
        assert!(value.contains("…\" is not a value: it must be at most 63") && value.len() < 250, "{value}");
    }
}
