//! Strategic merge patch: like a merge patch, with lists merged by key and directives.

use serde_json::{Map, Value};

use super::schema::{self, ITEM, ListType};
use crate::object::{as_map, items, text};

/// Merges `patch` into `object`.
pub(crate) fn apply(object: &mut Value, patch: &Value) -> Result<(), String> {
    merge_map(object, patch, "")
}

fn merge_map(object: &mut Value, patch: &Value, name: &str) -> Result<(), String> {
    let Value::Object(changes) = patch else {
        *object = patch.clone();
        return Ok(());
    };
    match text(&patch["$patch"]) {
        "replace" => {
            *object = without_directives(patch);
            return Ok(());
        }
        "delete" => {
            *object = Value::Object(Map::new());
            return Ok(());
        }
        "" | "merge" => {}
        other => return Err(format!("unknown $patch directive {other:?}")),
    }
    let map = as_map(object);
    if let Some(kept) = changes.get("$retainKeys") {
        map.retain(|field, _| items(kept).iter().any(|key| key == field));
    }
    for (field, change) in changes {
        if let Some(list) = field.strip_prefix("$deleteFromPrimitiveList/") {
            if let Some(old) = map.get_mut(list).and_then(Value::as_array_mut) {
                old.retain(|item| !items(change).contains(item));
            }
        } else if field.starts_with('$') {
            continue;
        } else if change.is_null() {
            map.shift_remove(field);
        } else {
            let slot = map.entry(field).or_insert(Value::Null);
            match change {
                Value::Object(_) => merge_map(slot, change, field)?,
                Value::Array(changes) => merge_list(slot, changes, name, field)?,
                Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => *slot = change.clone(),
            }
        }
    }
    Ok(())
}

fn merge_list(object: &mut Value, changes: &[Value], parent: &str, field: &str) -> Result<(), String> {
    let replaced = changes.iter().any(|change| change["$patch"] == "replace");
    let old = match object {
        Value::Array(old) if !replaced => old,
        _ => {
            *object = Value::Array(Vec::new());
            match object {
                Value::Array(new) => new,
                _ => return Ok(()),
            }
        }
    };
    let key = match schema::list_type(parent, field, true) {
        ListType::Map(keys) => keys.first().copied().unwrap_or_default(),
        ListType::Set => {
            for change in changes {
                if !old.contains(change) {
                    old.push(change.clone());
                }
            }
            return Ok(());
        }
        ListType::Atomic => {
            *old = changes.iter().map(without_directives).collect();
            return Ok(());
        }
    };
    for change in changes.iter().filter(|change| change["$patch"] != "replace") {
        let wanted = change
            .get(key)
            .ok_or_else(|| format!("an item of {field} has no {key}, by which it is merged"))?;
        let found = old.iter().position(|item| item.get(key) == Some(wanted));
        match (found, change["$patch"] == "delete") {
            (Some(index), true) => drop(old.remove(index)),
            (None, true) => {}
            (Some(index), false) => {
                if let Some(item) = old.get_mut(index) {
                    merge_map(item, change, ITEM)?;
                }
            }
            (None, false) => {
                let mut item = Value::Null;
                merge_map(&mut item, change, ITEM)?;
                old.push(item);
            }
        }
    }
    Ok(())
}

fn without_directives(value: &Value) -> Value {
    match value {
        Value::Object(map) => map
            .iter()
            .filter(|(field, value)| !field.starts_with('$') && !value.is_null())
            .map(|(field, value)| (field.clone(), without_directives(value)))
            .collect(),
        other => other.clone(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn merged(mut object: Value, patch: Value) -> Value {
        apply(&mut object, &patch).expect("a good patch");
        object
    }

    #[test]
    fn lists_merge_by_their_keys() {
        let object = json!({"spec": {"containers": [{"name": "a", "image": "x"}, {"name": "b", "ports": [{"containerPort": 80}]}]}});
        let patch = json!({"spec": {
            "$setElementOrder/containers": [{"name": "b"}],
            "containers": [
                {"name": "b", "ports": [{"containerPort": 81}]},
                {"name": "a", "$patch": "delete"},
                {"name": "c", "image": "z"},
            ],
        }});
        let result = json!({"spec": {"containers": [
            {"name": "b", "ports": [{"containerPort": 80}, {"containerPort": 81}]},
            {"name": "c", "image": "z"},
        ]}});
        assert_eq!(merged(object, patch), result);
    }

    #[test]
    fn directives_replace_and_prune() {
        let object = json!({"metadata": {"finalizers": ["a", "b"]}, "args": ["x"], "strategy": {"type": "A", "rolling": 1}});
        let patch = json!({
            "metadata": {"$deleteFromPrimitiveList/finalizers": ["a"], "finalizers": ["c"]},
            "args": ["y"],
            "strategy": {"$retainKeys": ["type"], "type": "B"},
        });
        let result =
            json!({"metadata": {"finalizers": ["b", "c"]}, "args": ["y"], "strategy": {"type": "B"}});
        assert_eq!(merged(object, patch), result);
        assert_eq!(
            merged(json!({"a": {"b": 1}}), json!({"a": {"$patch": "replace", "c": 2}})),
            json!({"a": {"c": 2}})
        );
        assert!(apply(&mut json!({}), &json!({"containers": [{"image": "x"}]})).is_err());
    }
}
