//! Telling pod templates apart.

use serde_json::Value;

use crate::object::unset;

/// Letters that spell no words, as Kubernetes writes hashes.
const ALPHABET: &[u8; 27] = b"bcdfghjklmnpqrstvwxz2456789";

/// A short name for `template`, the same for the same template. `collisions` makes another one.
pub(super) fn hash(template: &Value, collisions: i64) -> String {
    let mut sorted = template.clone();
    sorted.sort_all_objects();
    let text = sorted.to_string();
    let hash = godwit_common::stable_hash([text.as_bytes(), &collisions.to_le_bytes()]);
    let digits = (hash % 10_000_000_000).to_string();
    digits.bytes().map(|digit| char::from(ALPHABET[usize::from(digit) % ALPHABET.len()])).collect()
}

/// Whether two templates are equal but for the label that tells their replica sets apart.
pub(super) fn same(left: &Value, right: &Value) -> bool {
    let plain = |template: &Value| {
        let mut plain = template.clone();
        unset(&mut plain, &["metadata", "labels", "pod-template-hash"]);
        unset(&mut plain, &["metadata", "creationTimestamp"]);
        plain
    };
    plain(left) == plain(right)
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_order_of_fields_does_not_matter() {
        assert_eq!(hash(&json!({"a": 1, "b": 2}), 0), hash(&json!({"b": 2, "a": 1}), 0));
        assert_ne!(hash(&json!({"a": 1}), 0), hash(&json!({"a": 2}), 0));
        assert_ne!(hash(&json!({"a": 1}), 0), hash(&json!({"a": 1}), 1));
    }
}
