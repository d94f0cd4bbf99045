//! JSON Merge Patch (RFC 7386).

use serde_json::Value;

use crate::object::as_map;

/// Merges `patch` into `object`: null removes, maps merge, anything else replaces.
pub(crate) fn apply(object: &mut Value, patch: &Value) {
    let Value::Object(changes) = patch else {
        *object = patch.clone();
        return;
    };
    let map = as_map(object);
    for (field, change) in changes {
        if change.is_null() {
            map.shift_remove(field);
        } else {
            apply(map.entry(field).or_insert(Value::Null), change);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn the_examples_of_the_standard() {
        for (mut object, patch, result) in [
            (json!({"a": "b"}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": "b", "b": "c"}), json!({"a": null}), json!({"b": "c"})),
            (json!({"a": ["b"]}), json!({"a": "c"}), json!({"a": "c"})),
            (json!({"a": {"b": "c"}}), json!({"a": {"b": "d", "c": null}}), json!({"a": {"b": "d"}})),
            (json!({"e": null}), json!({"a": 1}), json!({"e": null, "a": 1})),
            (json!({}), json!({"a": {"bb": {"ccc": null}}}), json!({"a": {"bb": {}}})),
        ] {
            apply(&mut object, &patch);
            assert_eq!(object, result);
        }
    }
}
