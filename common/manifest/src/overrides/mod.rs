//! What is different about an object in one cluster, carried out: the manifest and the changes in, the object out. The same
//! two give the same object, and one that a change cannot be carried out on comes out not at all, with the reason.

mod fields;
mod identity;
mod image;

use std::collections::BTreeMap;

use godwit_common::ObjectKey;
use godwit_common::link::MANIFEST_MAX;
use json_patch::PatchOperation;
use serde::Deserialize;
use serde_json::Value;

use crate::source::MAX_DEPTH;

/// What a policy changes in a cluster: an item of the text that [`godwit_common::policy::overrides::changes_in`] makes. What
/// a build does not know of it, it does not leave out either.
#[derive(Debug, Default, Deserialize)]
#[serde(default, deny_unknown_fields, rename_all = "camelCase")]
struct Change {
    containers: Vec<String>,
    image: image::Image,
    env: BTreeMap<String, String>,
    labels: BTreeMap<String, String>,
    annotations: BTreeMap<String, String>,
    storage_class: Option<String>,
    json_patch: Vec<PatchOperation>,
}

/// An object as a cluster gets it, but for what makes it Godwit's: its manifest with the changes of that cluster, which are
/// empty if there are none.
pub fn render(key: &ObjectKey, manifest: Value, overrides: &str) -> Result<Value, String> {
    if overrides.is_empty() {
        return Ok(manifest);
    }
    let changes: Vec<Change> = serde_json::from_str(overrides)
        .map_err(|error| format!("what is different here cannot be read by this build: {error}"))?;
    let before = identity::of(key, &manifest);
    let mut object = manifest;
    for (number, change) in changes.iter().enumerate() {
        carry_out(&mut object, change).map_err(|problem| match changes.len() {
            1 => format!("the override cannot be carried out: {problem}"),
            many => format!("the override {} of {many} cannot be carried out: {problem}", number + 1),
        })?;
    }
    if !identity::texts_are_texts(&object) {
        return Err("with its overrides, its labels or annotations are not all texts".to_owned());
    }
    match identity::first_change(&before, &identity::of(key, &object)) {
        None => Ok(object),
        Some(field) => Err(format!("an override changes {field}, which is the same in every cluster")),
    }
}

/// The same of what a hub holds, checked as it is when it is deployed.
pub fn check(key: &ObjectKey, manifest: &str, overrides: &str) -> Result<(), String> {
    let value: Value =
        serde_json::from_str(manifest).map_err(|error| format!("the manifest is not JSON: {error}"))?;
    let object = render(key, value, overrides)?;
    if godwit_common::WorkloadKind::of_name(&key.kind).is_none() {
        return Ok(());
    }
    let read = crate::parse_application_in(&object.to_string(), &key.namespace);
    read.map(drop).map_err(|errors| format!("with its overrides it is no {} any more: {errors}", key.kind))
}

fn carry_out(object: &mut Value, change: &Change) -> Result<(), String> {
    let Change { containers, image, env, labels, annotations, storage_class, json_patch } = change;
    for container in fields::containers(object, containers) {
        image.put(container)?;
        fields::set_env(container, env)?;
    }
    fields::set_texts(object, "labels", labels)?;
    fields::set_texts(object, "annotations", annotations)?;
    if let Some(class) = storage_class {
        fields::set_storage_class(object, class);
    }
    for operation in json_patch {
        json_patch::patch(object, std::slice::from_ref(operation))
            .map_err(|error| format!("{}: {}", described(operation), error.kind))?;
        // One that copies can double what is there; so it is looked at after each.
        let (mut left, depth) = (MANIFEST_MAX, MAX_DEPTH);
        if !fits(object, depth, &mut left) {
            let problem = format!("the object would have more than {MANIFEST_MAX} bytes, or {depth} levels");
            return Err(format!("{}: {problem}", described(operation)));
        }
    }
    Ok(())
}

fn described(operation: &PatchOperation) -> String {
    let verb = match operation {
        PatchOperation::Add(_) => "add",
        PatchOperation::Remove(_) => "remove",
        PatchOperation::Replace(_) => "replace",
        PatchOperation::Move(_) => "move",
        PatchOperation::Copy(_) => "copy",
        PatchOperation::Test(_) => "test",
    };
    format!("jsonPatch {verb} {}", operation.path())
}

/// Whether a value is no deeper, and no longer, than an object may be.
fn fits(value: &Value, depth: usize, left: &mut usize) -> bool {
    let own = match value {
        Value::Null | Value::Bool(_) | Value::Number(_) => 8,
        Value::String(text) => text.len() + 2,
        Value::Array(_) | Value::Object(_) => 2,
    };
    let Some(rest) = left.checked_sub(own) else { return false };
    *left = rest;
    match value {
        Value::Null | Value::Bool(_) | Value::Number(_) | Value::String(_) => true,
        Value::Array(items) => depth > 0 && items.iter().all(|item| fits(item, depth - 1, left)),
        Value::Object(fields) => {
            depth > 0
                && fields.iter().all(|(name, value)| {
                    *left = left.saturating_sub(name.len() + 3);
                    fits(value, depth - 1, left)
                })
        }
    }
}

#[cfg(test)]
mod tests;
