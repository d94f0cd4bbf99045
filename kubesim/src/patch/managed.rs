//! `metadata.managedFields`: who last said what about which field.

use serde_json::{Value, json};

use super::fieldset::{self, FieldSet};
use crate::object::{self, items, set, text, unset};

/// Who writes, and how.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct Manager {
    /// The manager's name.
    pub(crate) name: String,
    /// The subresource that is written; empty for the object itself.
    pub(crate) subresource: String,
    /// The version that is written.
    pub(crate) api_version: String,
}

/// One entry of `managedFields`.
#[derive(Debug, Clone, PartialEq)]
pub(super) struct Entry {
    pub(super) manager: Manager,
    pub(super) applied: bool,
    pub(super) time: String,
    pub(super) fields: FieldSet,
}

/// What no manager owns: the fields that identify an object, and those that the server sets.
const UNOWNED: &[&str] = &[
    "name",
    "namespace",
    "uid",
    "resourceVersion",
    "generation",
    "creationTimestamp",
    "deletionTimestamp",
    "deletionGracePeriodSeconds",
    "selfLink",
    "managedFields",
    "generateName",
];

/// `object` without the fields that nobody owns.
pub(super) fn ownable(object: &Value) -> Value {
    let mut ownable = object.clone();
    unset(&mut ownable, &["apiVersion"]);
    unset(&mut ownable, &["kind"]);
    for field in UNOWNED {
        unset(&mut ownable, &["metadata", field]);
    }
    let bare = ownable["metadata"].as_object().is_some_and(serde_json::Map::is_empty);
    if bare {
        unset(&mut ownable, &["metadata"]);
    }
    ownable
}

pub(super) fn read(object: &Value) -> Vec<Entry> {
    items(&object["metadata"]["managedFields"])
        .iter()
        .map(|entry| Entry {
            manager: Manager {
                name: text(&entry["manager"]).to_owned(),
                subresource: text(&entry["subresource"]).to_owned(),
                api_version: text(&entry["apiVersion"]).to_owned(),
            },
            applied: entry["operation"] == "Apply",
            time: text(&entry["time"]).to_owned(),
            fields: FieldSet::read(&entry["fieldsV1"]),
        })
        .collect()
}

pub(super) fn write(object: &mut Value, entries: &[Entry]) {
    let list: Vec<Value> = entries
        .iter()
        .filter(|entry| !entry.fields.is_empty())
        .map(|entry| {
            let mut written = json!({
                "manager": entry.manager.name,
                "operation": if entry.applied { "Apply" } else { "Update" },
                "apiVersion": entry.manager.api_version,
                "time": entry.time,
                "fieldsType": "FieldsV1",
                "fieldsV1": entry.fields.write(),
            });
            if !entry.manager.subresource.is_empty() {
                set(&mut written, &["subresource"], json!(entry.manager.subresource));
            }
            written
        })
        .collect();
    if list.is_empty() {
        unset(object, &["metadata", "managedFields"]);
    } else {
        set(object, &["metadata", "managedFields"], Value::Array(list));
    }
}

/// Records in `new` that `manager` made it out of `old` by an ordinary write.
pub(crate) fn record_update(old: &Value, new: &mut Value, manager: &Manager, builtin: bool) {
    let cleared =
        new["metadata"]["managedFields"] == json!([]) || new["metadata"]["managedFields"] == json!([{}]);
    // Whoever sends them has the last word; nobody has to.
    let sent = read(new);
    let mut entries = match (cleared, sent.is_empty()) {
        (true, _) => Vec::new(),
        (false, true) => read(old),
        (false, false) => sent,
    };
    let (before, after) = (ownable(old), ownable(new));
    if before == after {
        write(new, &entries);
        return;
    }
    let difference = compare(&before, &after, builtin);
    // A scale has the entries of those alone who have said the count, and what has none is not followed: whoever is the first to
    // say it in that way leaves no trace.
    let is_untold = |entry: &Entry| entry.fields.intersection(&difference.changed).is_empty();
    if manager.subresource == "scale" && entries.iter().all(is_untold) {
        write(new, &entries);
        return;
    }
    for entry in &mut entries {
        entry.fields.subtract_below(&difference.removed);
        let own = entry.manager.name == manager.name && !entry.applied;
        if !own {
            entry.fields.subtract(&difference.changed);
        }
    }
    let own = entries.iter_mut().find(|entry| {
        !entry.applied
            && entry.manager.name == manager.name
            && entry.manager.subresource == manager.subresource
    });
    match own {
        Some(entry) => {
            entry.fields.add(&difference.changed);
            entry.time = object::now_text();
            entry.manager = manager.clone();
        }
        None => entries.push(Entry {
            manager: manager.clone(),
            applied: false,
            time: object::now_text(),
            fields: difference.changed,
        }),
    }
    write(new, &entries);
}

/// What differs between two objects.
pub(super) struct Difference {
    /// Fields that are new or have another value.
    pub(super) changed: FieldSet,
    /// Fields that are gone.
    pub(super) removed: FieldSet,
}

pub(super) fn compare(before: &Value, after: &Value, builtin: bool) -> Difference {
    let (old, new) = (FieldSet::of(before, builtin), FieldSet::of(after, builtin));
    let mut removed = old.clone();
    removed.subtract(&new);
    // A leaf that became a map is no longer there as a leaf, but it is not gone.
    keep_absent(&mut removed, after);
    Difference { changed: changed(&new, Some(before), after), removed }
}

/// The members of `set` whose values in `after` are not those in `before`.
fn changed(set: &FieldSet, before: Option<&Value>, after: &Value) -> FieldSet {
    // An item with members below it is there or not there; its fields tell the rest.
    let itself = match before {
        None => true,
        Some(before) => set.children.is_empty() && before != after,
    };
    let mut result = FieldSet { member: set.member && itself, ..FieldSet::default() };
    for (step, below) in &set.children {
        let Some(value) = fieldset::child(after, step) else {
            continue;
        };
        let old = before.and_then(|before| fieldset::child(before, step));
        let child = changed(below, old, value);
        if !child.is_empty() {
            result.children.insert(step.clone(), child);
        }
    }
    result
}

fn keep_absent(set: &mut FieldSet, after: &Value) {
    set.member = false;
    set.children.retain(|step, below| match fieldset::child(after, step) {
        None => {
            below.member = true;
            true
        }
        Some(value) => {
            keep_absent(below, value);
            !below.is_empty()
        }
    });
}

#[cfg(test)]
mod tests {
    use super::*;

    fn manager(name: &str) -> Manager {
        Manager { name: name.into(), subresource: String::new(), api_version: "v1".into() }
    }

    #[test]
    fn writes_take_fields_over() {
        let mut first = json!({"metadata": {"name": "a"}, "data": {"x": "1", "y": "1"}});
        record_update(&Value::Null, &mut first, &manager("one"), true);
        let mut second = first.clone();
        second["data"] = json!({"x": "2", "z": "1"});
        record_update(&first, &mut second, &manager("two"), true);
        let entries = read(&second);
        let owned: Vec<(&str, Vec<String>)> =
            entries.iter().map(|entry| (entry.manager.name.as_str(), entry.fields.paths())).collect();
        assert_eq!(owned, [("two", vec![".data.x".to_owned(), ".data.z".to_owned()])]);
    }
}
