//! Objects as JSON values, and the few accessors that everything else reads them through.

use std::fmt;
use std::sync::Arc;

use serde_json::{Map, Value, json};
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// Where an object stands within its resource. The namespace of a cluster-scoped object is empty.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub(crate) struct Key {
    /// The namespace, or nothing.
    pub(crate) namespace: Arc<str>,
    /// The name.
    pub(crate) name: Arc<str>,
}

impl Key {
    /// The key of `name` in `namespace`.
    pub(crate) fn new(namespace: &str, name: &str) -> Self {
        Self { namespace: namespace.into(), name: name.into() }
    }

    /// The key of `object`.
    pub(crate) fn of(object: &Value) -> Self {
        Self::new(namespace(object), name(object))
    }
}

impl fmt::Display for Key {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        if self.namespace.is_empty() {
            write!(f, "{}", self.name)
        } else {
            write!(f, "{}/{}", self.namespace, self.name)
        }
    }
}

/// A field of `metadata` as text; empty when absent.
pub(crate) fn meta<'a>(object: &'a Value, field: &str) -> &'a str {
    text(&object["metadata"][field])
}

/// The name of `object`.
pub(crate) fn name(object: &Value) -> &str {
    meta(object, "name")
}

/// The namespace of `object`; empty for cluster-scoped ones.
pub(crate) fn namespace(object: &Value) -> &str {
    meta(object, "namespace")
}

/// The UID of `object`.
pub(crate) fn uid(object: &Value) -> &str {
    meta(object, "uid")
}

/// Whether deletion of `object` was asked for.
pub(crate) fn deleting(object: &Value) -> bool {
    object["metadata"]["deletionTimestamp"].is_string()
}

/// Text, or nothing.
pub(crate) fn text(value: &Value) -> &str {
    value.as_str().unwrap_or_default()
}

/// A whole number, or `default`.
pub(crate) fn int(value: &Value, default: i64) -> i64 {
    value.as_i64().unwrap_or(default)
}

/// The items of a list; none when it is absent.
pub(crate) fn items(value: &Value) -> &[Value] {
    value.as_array().map(Vec::as_slice).unwrap_or_default()
}

/// The fields of a map; none when it is absent.
pub(crate) fn fields(value: &Value) -> impl Iterator<Item = (&String, &Value)> {
    value.as_object().into_iter().flatten()
}

/// The controller's owner reference of `object`, if it has one.
pub(crate) fn controller_of(object: &Value) -> Option<&Value> {
    items(&object["metadata"]["ownerReferences"]).iter().find(|owner| owner["controller"] == json!(true))
}

/// An owner reference that makes `owner` the controller of the object that carries it.
pub(crate) fn controller_ref(owner: &Value) -> Value {
    json!({
        "apiVersion": owner["apiVersion"],
        "kind": owner["kind"],
        "name": owner["metadata"]["name"],
        "uid": owner["metadata"]["uid"],
        "controller": true,
        "blockOwnerDeletion": true,
    })
}

/// The map at `path` within `object`; whatever else stands in the way is replaced by maps.
pub(crate) fn map_at<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Map<String, Value> {
    let mut current = object;
    for step in path {
        current = as_map(current).entry(*step).or_insert(Value::Null);
    }
    as_map(current)
}

/// `value` as a map, made one if it is not.
pub(crate) fn as_map(value: &mut Value) -> &mut Map<String, Value> {
    if !value.is_object() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().expect("it was made a map just above")
}

/// Sets the field at the end of `path`, making the maps on the way.
pub(crate) fn set(object: &mut Value, path: &[&str], value: Value) {
    if let Some((last, parents)) = path.split_last() {
        map_at(object, parents).insert((*last).to_owned(), value);
    }
}

/// Sets the field at the end of `path` unless something stands there.
pub(crate) fn set_default(object: &mut Value, path: &[&str], value: Value) {
    if let Some((last, parents)) = path.split_last() {
        let slot = map_at(object, parents).entry(*last).or_insert(Value::Null);
        if slot.is_null() {
            *slot = value;
        }
    }
}

/// Removes the field at the end of `path`, if it is there.
pub(crate) fn unset(object: &mut Value, path: &[&str]) {
    if let Some((last, parents)) = path.split_last() {
        let mut current = object;
        for step in parents {
            match current.get_mut(*step) {
                Some(next) => current = next,
                None => return,
            }
        }
        if let Some(map) = current.as_object_mut() {
            map.shift_remove(*last);
        }
    }
}

/// The condition of type `kind` in `status.conditions`.
pub(crate) fn condition<'a>(object: &'a Value, kind: &str) -> Option<&'a Value> {
    items(&object["status"]["conditions"]).iter().find(|condition| condition["type"] == kind)
}

/// Whether the condition of type `kind` is true.
pub(crate) fn condition_true(object: &Value, kind: &str) -> bool {
    condition(object, kind).is_some_and(|condition| condition["status"] == "True")
}

/// Sets a condition; its transition time moves only when its status does. Returns whether anything changed.
pub(crate) fn set_condition(
    object: &mut Value,
    kind: &str,
    status: &str,
    reason: &str,
    message: &str,
) -> bool {
    let list = map_at(object, &["status"]).entry("conditions").or_insert_with(|| json!([]));
    let Some(list) = list.as_array_mut() else {
        return false;
    };
    let mut new = json!({"type": kind, "status": status, "lastTransitionTime": now_text()});
    for (field, value) in [("reason", reason), ("message", message)] {
        if !value.is_empty() {
            set(&mut new, &[field], json!(value));
        }
    }
    let Some(old) = list.iter_mut().find(|condition| condition["type"] == kind) else {
        list.push(new);
        return true;
    };
    if old["status"] == new["status"] {
        set(&mut new, &["lastTransitionTime"], old["lastTransitionTime"].clone());
    }
    let same = ["status", "reason", "message"].iter().all(|field| old[*field] == new[*field]);
    if !same {
        *old = new;
    }
    !same
}

/// Now, to the second, as Kubernetes writes it.
pub(crate) fn now_text() -> String {
    time_text(OffsetDateTime::now_utc())
}

/// `moment`, to the second, as Kubernetes writes it.
pub(crate) fn time_text(moment: OffsetDateTime) -> String {
    let whole = moment.replace_nanosecond(0).unwrap_or(moment);
    whole.format(&Rfc3339).unwrap_or_default()
}

/// A moment that Kubernetes wrote.
pub(crate) fn parse_time(text: &str) -> Option<OffsetDateTime> {
    OffsetDateTime::parse(text, &Rfc3339).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_condition_keeps_its_transition_time_while_its_status_holds() {
        let mut object = json!({"status": {"conditions": [
            {"type": "Ready", "status": "True", "lastTransitionTime": "2020-01-01T00:00:00Z"}
        ]}});
        assert!(set_condition(&mut object, "Ready", "True", "Because", ""));
        assert!(!set_condition(&mut object, "Ready", "True", "Because", ""));
        let ready = condition(&object, "Ready").cloned().unwrap_or_default();
        assert_eq!(ready["lastTransitionTime"], "2020-01-01T00:00:00Z");
        assert!(set_condition(&mut object, "Ready", "False", "", ""));
        assert!(!condition_true(&object, "Ready"));
    }

    #[test]
    fn paths_are_made_and_removed() {
        let mut object = json!({"a": 1});
        set(&mut object, &["a", "b", "c"], json!(2));
        assert_eq!(object, json!({"a": {"b": {"c": 2}}}));
        set_default(&mut object, &["a", "b", "c"], json!(3));
        unset(&mut object, &["x", "y"]);
        unset(&mut object, &["a", "b"]);
        assert_eq!(object, json!({"a": {}}));
    }
}
