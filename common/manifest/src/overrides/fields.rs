//! Where containers, labels, annotations and storage classes stand in an object.

use std::collections::BTreeMap;

use serde_json::{Map, Value, json};

/// Where objects have the template of their pods; a CronJob has one within that of its Jobs.
const TEMPLATES: [&str; 2] = ["/spec/jobTemplate/spec/template", "/spec/template"];

/// The template of an object's pods, if it makes any.
pub(super) fn template(object: &Value) -> Option<&'static str> {
    let has_pods =
        |path: &&&str| object.pointer(path).is_some_and(|at| at.pointer("/spec/containers").is_some());
    TEMPLATES.iter().find(has_pods).copied()
}

/// The containers of an object's pods: those of these names, or all.
pub(super) fn containers<'a>(object: &'a mut Value, names: &[String]) -> Vec<&'a mut Value> {
    let spec = template(object).map(|path| format!("{path}/spec"));
    let spec = spec.and_then(|path| object.pointer_mut(&path)).and_then(Value::as_object_mut);
    let lists = spec.into_iter().flat_map(Map::iter_mut);
    let lists = lists.filter(|(name, _)| matches!(name.as_str(), "containers" | "initContainers"));
    let all = lists.filter_map(|(_, list)| list.as_array_mut()).flatten();
    let is_meant = |container: &&mut Value| {
        let name = container.get("name").and_then(Value::as_str).unwrap_or_default();
        container.is_object() && (names.is_empty() || names.iter().any(|one| one == name))
    };
    all.filter(is_meant).collect()
}

/// Sets variables of a container; what has its value from elsewhere has this one instead.
pub(super) fn set_env(container: &mut Value, env: &BTreeMap<String, String>) -> Result<(), String> {
    for (name, value) in env {
        let fields = container.as_object_mut().ok_or("a container is not an object")?;
        let list = fields.entry("env").or_insert_with(|| json!([]));
        if list.is_null() {
            *list = json!([]);
        }
        let list = list.as_array_mut().ok_or("env of a container is not a list")?;
        let entry = json!({"name": name, "value": value});
        match list.iter_mut().find(|one| one.get("name").and_then(Value::as_str) == Some(name)) {
            Some(known) => *known = entry,
            None => list.push(entry),
        }
    }
    Ok(())
}

/// Sets labels, or annotations, of an object and of its pods.
pub(super) fn set_texts(
    object: &mut Value,
    field: &str,
    texts: &BTreeMap<String, String>,
) -> Result<(), String> {
    if texts.is_empty() {
        return Ok(());
    }
    let template = template(object);
    for path in std::iter::once("").chain(template) {
        let at = object.pointer_mut(path).and_then(Value::as_object_mut).ok_or("it is not an object")?;
        let there = table(table(at, "metadata")?, field)?;
        there.extend(texts.iter().map(|(key, value)| (key.clone(), json!(value))));
    }
    Ok(())
}

/// Sets the class of a claim, of the claims that a StatefulSet makes, and of those that pods bring along.
pub(super) fn set_storage_class(object: &mut Value, class: &str) {
    if object.get("kind").and_then(Value::as_str) == Some("PersistentVolumeClaim") {
        set_class(object, class);
    }
    let claims = object.pointer_mut("/spec/volumeClaimTemplates").and_then(Value::as_array_mut);
    claims.into_iter().flatten().for_each(|claim| set_class(claim, class));
    let volumes = template(object).map(|path| format!("{path}/spec/volumes"));
    let volumes = volumes.and_then(|path| object.pointer_mut(&path)).and_then(Value::as_array_mut);
    let claims = volumes.into_iter().flatten();
    claims
        .filter_map(|volume| volume.pointer_mut("/ephemeral/volumeClaimTemplate"))
        .for_each(|claim| set_class(claim, class));
}

fn set_class(claim: &mut Value, class: &str) {
    if let Some(spec) = claim.get_mut("spec").and_then(Value::as_object_mut) {
        spec.insert("storageClassName".to_owned(), json!(class));
    }
}

/// The table under a name, made if it is missing.
fn table<'a>(object: &'a mut Map<String, Value>, name: &str) -> Result<&'a mut Map<String, Value>, String> {
    let value = object.entry(name).or_insert(Value::Null);
    if value.is_null() {
        *value = Value::Object(Map::new());
    }
    value.as_object_mut().ok_or_else(|| format!("{name} is not an object"))
}
