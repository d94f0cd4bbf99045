//! Where clusters differ in what is called the same.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;

use godwit_common::bounds::Bounds;
use godwit_common::{ClusterName, ObjectKey};
use godwit_proto::v1;
use serde_json::Value;

use super::gather::{Gathered, key_of};

/// The most that are told.
const DIFFERENCES_MAX: usize = 200;
/// The most of a value that is shown.
const VALUE_MAX: usize = 120;
/// What stands for a value of a Secret.
const HIDDEN: &str = "(hidden)";

/// A field in which clusters differ.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(super) struct Difference {
    object: String,
    field: String,
    /// By cluster; none where it is not there.
    values: BTreeMap<ClusterName, Option<String>>,
}

/// One value under a path, in each of the clusters that have the object.
type Values<'a> = BTreeMap<&'a ClusterName, Option<&'a Value>>;

/// All of them, but for what is each cluster's own: counts, and bounds that make up totals.
pub(super) fn differences(gathered: &BTreeMap<ClusterName, Gathered>) -> Vec<Difference> {
    let mut manifests: BTreeMap<ObjectKey, BTreeMap<&ClusterName, Value>> = BTreeMap::new();
    for (name, found) in gathered {
        let workloads =
            found.workloads.iter().map(|(id, found)| (key_of(id, &found.spec), &found.spec.manifest));
        let objects = found.objects.iter().map(|(key, found)| (key.clone(), &found.spec.manifest));
        for (key, manifest) in workloads.chain(objects) {
            let manifest = without_shares(&key.kind, serde_json::from_str(manifest).unwrap_or_default());
            manifests.entry(key).or_default().insert(name, manifest);
        }
    }
    let mut differences = Vec::new();
    for (key, values) in &manifests {
        let object = Told { name: key.to_string(), secret: &*key.kind == "Secret" };
        let roots: Values<'_> = values.iter().map(|(name, value)| (*name, Some(value))).collect();
        object.compare(&roots, "", &mut differences);
    }
    differences.truncate(DIFFERENCES_MAX);
    differences
}

/// Whether two manifests are the same but for each cluster's share of what they bound.
pub(in crate::admin) fn alike(kind: &str, one: &str, other: &str) -> bool {
    let read = |text: &str| without_shares(kind, serde_json::from_str(text).unwrap_or_default());
    read(one) == read(other)
}

/// Whole numbers among the bounds are each cluster's share.
fn without_shares(kind: &str, mut manifest: Value) -> Value {
    let spec = manifest.get_mut("spec").and_then(Value::as_object_mut);
    if let (Some(fields), Some(spec)) = (Bounds::fields(kind), spec) {
        for field in fields {
            if spec.get(field).is_some_and(Value::is_u64) {
                spec.remove(field);
            }
        }
    }
    manifest
}

struct Told {
    name: String,
    secret: bool,
}

impl Told {
    fn compare(&self, values: &Values<'_>, path: &str, differences: &mut Vec<Difference>) {
        if differences.len() >= DIFFERENCES_MAX {
            return;
        }
        let mut all = values.values();
        let first = all.next();
        if all.all(|value| Some(value) == first) {
            return;
        }
        let Some(children) = children(values) else {
            self.note(values, path, differences);
            return;
        };
        let before = differences.len();
        for (step, below) in children {
            self.compare(&below, &format!("{path}{step}"), differences);
        }
        if differences.len() == before {
            // The same entries in another order are another template all the same.
            self.note(values, path, differences);
        }
    }

    fn note(&self, values: &Values<'_>, path: &str, differences: &mut Vec<Difference>) {
        let shown = |value: &Value| match self.secret {
            true => HIDDEN.to_owned(),
            false => value.to_string().chars().take(VALUE_MAX).collect(),
        };
        differences.push(Difference {
            object: self.name.clone(),
            field: path.trim_start_matches('.').to_owned(),
            values: values.iter().map(|(name, value)| ((*name).clone(), value.map(shown))).collect(),
        });
    }
}

/// What is below values that are all tables, or all lists of named things; none if they are not.
fn children<'a>(values: &Values<'a>) -> Option<BTreeMap<String, Values<'a>>> {
    let mut tables: BTreeMap<&'a ClusterName, BTreeMap<String, &'a Value>> = BTreeMap::new();
    for (name, value) in values {
        let table = match (*value)? {
            Value::Object(fields) => fields.iter().map(|(key, value)| (step(key), value)).collect(),
            Value::Array(items) => named(items)?,
            Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => return None,
        };
        tables.insert(*name, table);
    }
    let steps: BTreeSet<&String> = tables.values().flat_map(BTreeMap::keys).collect();
    let below = |step: &String| {
        let values = tables.iter().map(|(name, table)| (*name, table.get(step).copied()));
        (step.clone(), values.collect())
    };
    Some(steps.into_iter().map(below).collect())
}

/// The items of a list by their names; none if one has no name, or two have the same.
fn named(items: &[Value]) -> Option<BTreeMap<String, &Value>> {
    let mut named = BTreeMap::new();
    for item in items {
        let name = item.get("name")?.as_str()?;
        if named.insert(format!("[{name}]"), item).is_some() {
            return None;
        }
    }
    Some(named)
}

fn step(key: &str) -> String {
    match key.contains(['.', '/']) {
        true => format!("[{key:?}]"),
        false => format!(".{key}"),
    }
}

impl Difference {
    pub(super) fn to_wire(&self) -> v1::ImportDifference {
        let values = self.values.iter();
        let values = values.filter_map(|(name, value)| Some((name.to_string(), value.clone()?)));
        v1::ImportDifference {
            object: self.object.clone(),
            field: self.field.clone(),
            values: values.collect(),
        }
    }
}

impl fmt::Display for Difference {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{}: {}", self.object, self.field)?;
        for (index, (name, value)) in self.values.iter().enumerate() {
            let comma = if index == 0 { " is" } else { "," };
            write!(f, "{comma} {} in {name}", value.as_deref().unwrap_or("not there"))?;
        }
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn compared(secret: bool, one: &str, other: &str) -> Vec<String> {
        let [alpha, bravo]: [ClusterName; 2] = ["alpha", "bravo"].map(|name| name.parse().unwrap());
        let [one, other]: [Value; 2] = [one, other].map(|text| serde_json::from_str(text).unwrap());
        let told = Told { name: "Deployment shop/web".to_owned(), secret };
        let mut differences = Vec::new();
        let values = BTreeMap::from([(&alpha, Some(&one)), (&bravo, Some(&other))]);
        told.compare(&values, "", &mut differences);
        differences.iter().map(Difference::to_string).collect()
    }

    #[test]
    fn s34_a_difference_names_the_field_and_what_each_cluster_has() {
        let pods = |image: &str, more: &str| {
            format!(r#"{{"spec":{{"containers":[{{"name":"web","image":"{image}"{more}}}]}}}}"#)
        };
        assert_eq!(compared(false, &pods("web:1", ""), &pods("web:1", "")), Vec::<String>::new());
        assert_eq!(
            compared(false, &pods("web:1", ""), &pods("web:2", r#","tty":true"#)),
            [
                r#"Deployment shop/web: spec.containers[web].image is "web:1" in alpha, "web:2" in bravo"#,
                "Deployment shop/web: spec.containers[web].tty is not there in alpha, true in bravo",
            ]
        );
        let marks = |value: &str| format!(r#"{{"annotations":{{"a.b/c":"{value}"}}}}"#);
        assert_eq!(
            compared(false, &marks("x"), &marks("y")),
            [r#"Deployment shop/web: annotations["a.b/c"] is "x" in alpha, "y" in bravo"#]
        );
    }

    #[test]
    fn s34_the_order_of_a_list_is_a_difference() {
        let list =
            |names: [&str; 2]| format!(r#"{{"env":[{{"name":"{}"}},{{"name":"{}"}}]}}"#, names[0], names[1]);
        let found = compared(false, &list(["a", "b"]), &list(["b", "a"]));
        assert!(found.len() == 1 && found[0].contains(": env is ["), "{found:?}");
        assert_eq!(compared(false, r#"{"a":[1,2]}"#, r#"{"a":[1]}"#).len(), 1);
    }

    #[test]
    fn s34_nothing_of_a_secret_is_shown() {
        let found = compared(true, r#"{"data":{"key":"aHVudGVy"}}"#, r#"{"data":{"key":"c2VzYW1l"}}"#);
        assert_eq!(found, ["Deployment shop/web: data.key is (hidden) in alpha, (hidden) in bravo"]);
    }
}
