//! JSON Patch (RFC 6902).

use serde_json::Value;

use crate::object::{items, text};

/// As the real API server: longer patches are refused.
const MAX_OPERATIONS: usize = 10_000;

/// Applies `patch` to `object`. The error says which operation failed and why.
pub(crate) fn apply(object: &mut Value, patch: &Value) -> Result<(), String> {
    if !patch.is_array() {
        return Err("a JSON patch is a list of operations".to_owned());
    }
    let operations = items(patch);
    if operations.len() > MAX_OPERATIONS {
        return Err(format!("the patch has {} operations, more than {MAX_OPERATIONS}", operations.len()));
    }
    for operation in operations {
        step(object, operation)?;
    }
    Ok(())
}

fn step(object: &mut Value, operation: &Value) -> Result<(), String> {
    let path = text(&operation["path"]);
    let value =
        || operation.get("value").cloned().ok_or_else(|| format!("the operation at {path:?} has no value"));
    match text(&operation["op"]) {
        "add" => add(object, path, value()?),
        "remove" => remove(object, path).map(drop),
        "replace" => {
            let slot = object.pointer_mut(path).ok_or_else(|| missing(path))?;
            *slot = value()?;
            Ok(())
        }
        "move" => {
            let moved = remove(object, text(&operation["from"]))?;
            add(object, path, moved)
        }
        "copy" => {
            let from = text(&operation["from"]);
            let copied = object.pointer(from).cloned().ok_or_else(|| missing(from))?;
            add(object, path, copied)
        }
        "test" => {
            let found = object.pointer(path).cloned().unwrap_or_default();
            if found == value()? { Ok(()) } else { Err(format!("testing value {path} failed")) }
        }
        other => Err(format!("unexpected operation {other:?}")),
    }
}

fn missing(path: &str) -> String {
    format!("the path {path:?} does not exist")
}

fn split(path: &str) -> Result<(&str, String), String> {
    let (parent, last) =
        path.rsplit_once('/').ok_or_else(|| format!("the path {path:?} does not begin with '/'"))?;
    Ok((parent, last.replace("~1", "/").replace("~0", "~")))
}

fn add(object: &mut Value, path: &str, value: Value) -> Result<(), String> {
    if path.is_empty() {
        *object = value;
        return Ok(());
    }
    let (parent, last) = split(path)?;
    match object.pointer_mut(parent) {
        Some(Value::Object(map)) => {
            map.insert(last, value);
            Ok(())
        }
        Some(Value::Array(list)) => {
            let index = if last == "-" { list.len() } else { last.parse().map_err(|_| missing(path))? };
            if index > list.len() {
                return Err(missing(path));
            }
            list.insert(index, value);
            Ok(())
        }
        _ => Err(missing(path)),
    }
}

fn remove(object: &mut Value, path: &str) -> Result<Value, String> {
    let (parent, last) = split(path)?;
    let removed = match object.pointer_mut(parent) {
        Some(Value::Object(map)) => map.shift_remove(&last),
        Some(Value::Array(list)) => match last.parse::<usize>() {
            Ok(index) if index < list.len() => Some(list.remove(index)),
            Ok(_) | Err(_) => None,
        },
        _ => None,
    };
    removed.ok_or_else(|| missing(path))
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    #[test]
    fn every_operation() {
        let mut object = json!({"a": {"b/c": 1}, "list": [1, 2]});
        let patch = json!([
            {"op": "test", "path": "/a/b~1c", "value": 1},
            {"op": "add", "path": "/list/-", "value": 3},
            {"op": "add", "path": "/list/0", "value": 0},
            {"op": "copy", "from": "/a/b~1c", "path": "/copied"},
            {"op": "move", "from": "/a/b~1c", "path": "/moved"},
            {"op": "replace", "path": "/copied", "value": 7},
            {"op": "remove", "path": "/list/1"},
        ]);
        apply(&mut object, &patch).expect("a good patch");
        assert_eq!(object, json!({"a": {}, "list": [0, 2, 3], "copied": 7, "moved": 1}));
    }

    #[test]
    fn what_cannot_be_done_is_said() {
        for patch in [
            json!({}),
            json!([{"op": "remove", "path": "/x"}]),
            json!([{"op": "replace", "path": "/x", "value": 1}]),
            json!([{"op": "add", "path": "/list/9", "value": 1}]),
            json!([{"op": "test", "path": "/list", "value": 1}]),
            json!([{"op": "add", "path": "list", "value": 1}]),
            json!([{"op": "grow", "path": "/list"}]),
        ] {
            assert!(apply(&mut json!({"list": []}), &patch).is_err(), "{patch}");
        }
    }
}
