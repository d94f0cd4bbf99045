//! An object as one cluster gets it: the manifest that is the same for all, what is different there, and what that cluster
//! was told. What makes an object Godwit's (labels, annotations, supervisors) is the agent's to add.

use godwit_common::bounds::Bounds;
use godwit_common::{ObjectKey, WorkloadKind};
use serde_json::{Map, Value, json};

use crate::overrides;

/// What stands in place of a Secret's values where people look.
const HIDDEN: &str = "(hidden)";

/// What a cluster was told of an object, beside its manifest.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub struct Told {
    /// Of a workload: its number there.
    pub replicas: Option<u32>,
    /// How much higher its ordinals begin than its manifest says (S32).
    pub ordinals: u32,
    /// The bounds that stand in place of the manifest's (S29).
    pub bounds: Bounds,
}

/// Puts what a cluster was told in the place of what the manifest says for all of them. `count` is where a custom resource
/// has its count, if that is known: whether a kind counts at all, its definition in the cluster says.
pub fn put(object: &mut Value, key: &ObjectKey, told: Told, count: Option<&[&str]>) -> Result<(), String> {
    let object = object.as_object_mut().ok_or("the manifest is not a JSON object")?;
    if told.ordinals > 0 {
        let ordinals = table(table(object, "spec")?, "ordinals")?;
        let own = ordinals.get("start").and_then(Value::as_u64).unwrap_or(0);
        ordinals.insert("start".to_owned(), json!(own.saturating_add(told.ordinals.into())));
    }
    let fields = Bounds::fields(&key.kind).into_iter().flatten();
    for (field, bound) in fields.zip([told.bounds.min, told.bounds.max]) {
        if let Some(bound) = bound {
            table(object, "spec")?.insert(field.to_owned(), json!(bound));
        }
    }
    let Some(replicas) = told.replicas else { return Ok(()) };
    match (WorkloadKind::of_name(&key.kind), count) {
        (Some(WorkloadKind::DaemonSet), _) => {}
        (Some(WorkloadKind::Job | WorkloadKind::CronJob), _) => {
            table(object, "spec")?.insert("suspend".to_owned(), json!(replicas == 0));
        }
        (Some(WorkloadKind::Deployment | WorkloadKind::StatefulSet), _) | (None, None) => {
            table(object, "spec")?.insert("replicas".to_owned(), json!(replicas));
        }
        (None, Some(steps)) => {
            let (last, way) =
                steps.split_last().ok_or("the definition of its kind does not say where its count is")?;
            let mut here = object;
            for step in way {
                here = table(here, step)?;
            }
            here.insert((*last).to_owned(), json!(replicas));
        }
    }
    Ok(())
}

/// An object as a cluster gets it, for people: a Secret's values are hidden.
pub fn shown(key: &ObjectKey, manifest: &str, changes: &str, told: Told) -> Result<Value, String> {
    let value =
        serde_json::from_str(manifest).map_err(|error| format!("the manifest is not JSON: {error}"))?;
    let mut object = overrides::render(key, value, changes)?;
    put(&mut object, key, told, None)?;
    if (&*key.kind, &*key.api_version) == ("Secret", "v1") {
        for field in ["data", "stringData"] {
            let values = object.get_mut(field).and_then(Value::as_object_mut);
            values.into_iter().flat_map(Map::values_mut).for_each(|value| *value = json!(HIDDEN));
        }
    }
    Ok(object)
}

/// The table under a name, made if it is missing.
pub fn table<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> Result<&'a mut Map<String, Value>, String> {
    let value = object.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().ok_or_else(|| format!("{name} of the manifest is not an object"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_people_see_has_its_count_and_its_changes_and_no_secrets() {
        let key = |kind: &str| ObjectKey::new("v1", kind, "shop", "web").unwrap();
        let changes = r#"[{"labels":{"region":"eu"}}]"#;
        let told = Told { replicas: Some(3), ordinals: 10_000, bounds: Bounds::default() };
        let set = shown(&key("StatefulSet"), r#"{"spec":{"ordinals":{"start":5}}}"#, changes, told).unwrap();
        assert_eq!(
            set,
            json!({"metadata": {"labels": {"region": "eu"}}, "spec": {"replicas": 3, "ordinals": {"start": 10_005}}})
        );
        let secret = r#"{"data":{"a":"aHVudGVyMg=="},"stringData":{"b":"hunter2"}}"#;
        let secret = shown(&key("Secret"), secret, "", Told::default()).unwrap();
        assert_eq!(secret, json!({"data": {"a": "(hidden)"}, "stringData": {"b": "(hidden)"}}));
        assert!(shown(&key("Secret"), "[]", "", Told::default()).unwrap_err().contains("not a JSON object"));
    }
}
