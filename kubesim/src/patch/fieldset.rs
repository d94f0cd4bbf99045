//! Sets of fields, in memory and as `fieldsV1`.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

use super::schema::{self, ITEM, ListType};
use crate::object::as_map;

/// A set of paths within an object. The steps are written as `fieldsV1` writes them: `f:name` for a field,
/// `k:{"name":"web"}` for a list's item by its keys, `v:"text"` for an item of a set.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct FieldSet {
    /// Whether the path that leads here is itself in the set.
    pub(crate) member: bool,
    /// What lies below.
    pub(crate) children: BTreeMap<String, FieldSet>,
}

impl FieldSet {
    /// The fields of `object`: its leaves, and the items of its keyed lists.
    pub(crate) fn of(object: &Value, builtin: bool) -> Self {
        let mut set = Self::default();
        set.collect(object, ("", ""), builtin);
        set
    }

    /// Reads `fieldsV1`.
    pub(crate) fn read(fields: &Value) -> Self {
        let mut set = Self::default();
        let mut leaf = true;
        for (step, below) in crate::object::fields(fields) {
            leaf = false;
            if step == "." {
                set.member = true;
            } else {
                set.children.insert(step.clone(), Self::read(below));
            }
        }
        set.member |= leaf;
        set
    }

    /// Writes `fieldsV1`.
    pub(crate) fn write(&self) -> Value {
        let mut map = Map::new();
        if self.member && !self.children.is_empty() {
            map.insert(".".into(), json!({}));
        }
        for (step, below) in &self.children {
            map.insert(step.clone(), below.write());
        }
        Value::Object(map)
    }

    /// Whether nothing is in the set.
    pub(crate) fn is_empty(&self) -> bool {
        !self.member && self.children.values().all(FieldSet::is_empty)
    }

    /// Adds everything in `other`.
    pub(crate) fn add(&mut self, other: &FieldSet) {
        self.member |= other.member;
        for (step, below) in &other.children {
            self.children.entry(step.clone()).or_default().add(below);
        }
    }

    /// Takes everything in `other` away.
    pub(crate) fn subtract(&mut self, other: &FieldSet) {
        self.member &= !other.member;
        for (step, below) in &other.children {
            if let Some(mine) = self.children.get_mut(step) {
                mine.subtract(below);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// Takes away `other`, and whatever lies below its members: fields that are gone take what was in them along.
    pub(crate) fn subtract_below(&mut self, other: &FieldSet) {
        for (step, below) in &other.children {
            if below.member {
                self.children.remove(step);
            } else if let Some(mine) = self.children.get_mut(step) {
                mine.subtract_below(below);
                if mine.is_empty() {
                    self.children.remove(step);
                }
            }
        }
    }

    /// What is in both.
    pub(crate) fn intersection(&self, other: &FieldSet) -> FieldSet {
        let children = self.children.iter().filter_map(|(step, mine)| {
            let common = mine.intersection(other.children.get(step)?);
            (!common.is_empty()).then(|| (step.clone(), common))
        });
        FieldSet { member: self.member && other.member, children: children.collect() }
    }

    /// The paths in the set as people write them: `.spec.containers[name="web"].image`.
    pub(crate) fn paths(&self) -> Vec<String> {
        let mut paths = Vec::new();
        self.collect_paths("", &mut paths);
        paths
    }

    fn collect_paths(&self, prefix: &str, paths: &mut Vec<String>) {
        if self.member {
            paths.push(prefix.to_owned());
        }
        for (step, below) in &self.children {
            below.collect_paths(&format!("{prefix}{}", shown(step)), paths);
        }
    }

    fn collect(&mut self, value: &Value, (parent, name): (&str, &str), builtin: bool) {
        match value {
            Value::Object(map) if !map.is_empty() && !schema::is_atomic_map(parent, name, builtin) => {
                for (field, below) in map {
                    let child = self.children.entry(format!("f:{field}")).or_default();
                    child.collect(below, (name, field), builtin);
                }
            }
            Value::Array(list) if !list.is_empty() => match schema::list_type(parent, name, builtin) {
                ListType::Atomic => self.member = true,
                ListType::Set => {
                    for item in list {
                        self.children.entry(format!("v:{item}")).or_default().member = true;
                    }
                }
                ListType::Map(keys) => {
                    for item in list {
                        let child = self.children.entry(item_step(item, keys)).or_default();
                        child.member = true;
                        for (field, below) in crate::object::fields(item) {
                            let leaf = child.children.entry(format!("f:{field}")).or_default();
                            leaf.collect(below, (ITEM, field), builtin);
                        }
                    }
                }
            },
            _ => self.member = true,
        }
    }
}

/// The step that leads to `item` of a list that is merged by `keys`.
pub(crate) fn item_step(item: &Value, keys: &[&str]) -> String {
    let mut named = Map::new();
    let mut sorted: Vec<&&str> = keys.iter().collect();
    sorted.sort();
    for key in sorted {
        let value = schema::key_value(item, key);
        if !value.is_null() {
            named.insert((*key).to_owned(), value);
        }
    }
    format!("k:{}", Value::Object(named))
}

/// The value that `step` leads to within `value`.
pub(crate) fn child<'a>(value: &'a Value, step: &str) -> Option<&'a Value> {
    match position(value, step)? {
        Position::Field(field) => value.get(field),
        Position::Index(index) => value.get(index),
    }
}

/// Like [`child`], to change it.
pub(crate) fn child_mut<'a>(value: &'a mut Value, step: &str) -> Option<&'a mut Value> {
    match position(value, step)? {
        Position::Field(field) => value.get_mut(field),
        Position::Index(index) => value.get_mut(index),
    }
}

/// Removes what `step` leads to within `value`.
pub(crate) fn remove_child(value: &mut Value, step: &str) {
    match position(value, step) {
        Some(Position::Field(field)) => drop(as_map(value).shift_remove(field)),
        Some(Position::Index(index)) => {
            if let Some(list) = value.as_array_mut() {
                list.remove(index);
            }
        }
        None => {}
    }
}

enum Position<'a> {
    Field(&'a str),
    Index(usize),
}

fn position<'a>(value: &Value, step: &'a str) -> Option<Position<'a>> {
    let (kind, rest) = step.split_once(':')?;
    match (kind, value) {
        ("f", Value::Object(map)) => map.contains_key(rest).then_some(Position::Field(rest)),
        ("k", Value::Array(list)) => {
            let keys: Value = serde_json::from_str(rest).ok()?;
            let is_it = |item: &Value| {
                crate::object::fields(&keys).all(|(key, wanted)| schema::key_value(item, key) == *wanted)
            };
            list.iter().position(is_it).map(Position::Index)
        }
        ("v", Value::Array(list)) => {
            let wanted: Value = serde_json::from_str(rest).ok()?;
            list.iter().position(|item| *item == wanted).map(Position::Index)
        }
        _ => None,
    }
}

fn shown(step: &str) -> String {
    match step.split_once(':') {
        Some(("f", field)) => format!(".{field}"),
        Some(("k", keys)) => {
            let keys: Value = serde_json::from_str(keys).unwrap_or_default();
            let listed: Vec<String> =
                crate::object::fields(&keys).map(|(key, value)| format!("{key}={value}")).collect();
            format!("[{}]", listed.join(","))
        }
        Some((_, value)) => format!("[={value}]"),
        None => step.to_owned(),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn fields_v1_of_a_pod_template() {
        let object = json!({"spec": {"replicas": 1, "selector": {"matchLabels": {"a": "b"}}, "template": {"spec": {
            "containers": [{"name": "web", "image": "x", "ports": [{"containerPort": 80}]}],
        }}}, "metadata": {"labels": {"app": "web"}, "finalizers": ["x"]}});
        let fields = FieldSet::of(&object, true);
        let written = json!({
            "f:metadata": {"f:finalizers": {"v:\"x\"": {}}, "f:labels": {"f:app": {}}},
            "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {"f:containers": {
                "k:{\"name\":\"web\"}": {".": {}, "f:image": {}, "f:name": {}, "f:ports": {
                    "k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}},
                }},
            }}}},
        });
        assert_eq!(fields.write(), written);
        assert_eq!(FieldSet::read(&written), fields);
        assert!(fields.paths().contains(&".spec.template.spec.containers[name=\"web\"].image".to_owned()));
    }

    #[test]
    fn sets_add_subtract_and_meet() {
        let (mut a, b) = (
            FieldSet::of(&json!({"x": 1, "y": {"z": 1, "w": 1}}), false),
            FieldSet::of(&json!({"y": {"z": 2}, "v": 1}), false),
        );
        assert_eq!(a.intersection(&b).paths(), [".y.z"]);
        a.subtract(&b);
        assert_eq!(a.paths(), [".x", ".y.w"]);
        a.add(&b);
        assert_eq!(a.paths(), [".v", ".x", ".y.w", ".y.z"]);
        a.subtract_below(&FieldSet::read(&json!({"f:y": {}})));
        assert_eq!(a.paths(), [".v", ".x"]);
    }
}
