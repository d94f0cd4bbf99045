//! The `PATCH` method, in its four formats.

use std::sync::Arc;

use serde_json::{Value, json};

use super::handler::Reply;
use super::resource::Target;
use super::write;
use crate::error::{ApiError, Cause};
use crate::object::{self, set, text, unset};
use crate::patch::{apply, json, merge, strategic};
use crate::store::Part;

/// Patches an object; server-side apply creates it when it is missing.
pub(super) fn patch(target: &Target, name: &str) -> Result<Reply, ApiError> {
    patch_part(target, name, "")
}

/// Patches the part of an object that `subresource` stands for.
pub(super) fn patch_part(target: &Target, name: &str, subresource: &str) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let body = target.call.json()?;
    if target.call.content_type == "application/apply-patch+yaml" {
        let (code, written) = apply_config(target, name, subresource, body)?;
        return Ok(Reply::Json(code, view.one(&written)));
    }
    let written = write::modify(target, name, subresource, |current| patched(target, current, &body))?;
    Ok(Reply::ok(view.one(&written)))
}

/// What the patch makes of `current`.
pub(super) fn patched(target: &Target, current: &Value, patch: &Value) -> Result<Value, ApiError> {
    let mut object = current.clone();
    let builtin = !target.kind.custom;
    // A patch that is silent about the version has no precondition; the current one is never in its way.
    match target.call.content_type.as_str() {
        "application/json-patch+json" => json::apply(&mut object, patch).map_err(|error| {
            ApiError::new(
                422,
                "Invalid",
                format!("the server rejected our request due to an error in our request: {error}"),
            )
        })?,
        "application/merge-patch+json" => merge::apply(&mut object, patch),
        "application/strategic-merge-patch+json" if builtin => strategic::apply(&mut object, patch)
            .map_err(|error| ApiError::bad_request(format!("the patch could not be applied: {error}")))?,
        other => {
            let message = format!(
                "the body of the request was in an unknown format ({other}) - accepted media types include: \
                 application/json-patch+json, application/merge-patch+json, application/apply-patch+yaml\
                 {}",
                if builtin { ", application/strategic-merge-patch+json" } else { "" }
            );
            return Err(ApiError::new(415, "UnsupportedMediaType", message));
        }
    }
    if !object.is_object() || !object["metadata"].is_object() {
        return Err(ApiError::bad_request("the patch leaves no object"));
    }
    if object::name(&object) != object::name(current)
        || object::namespace(&object) != object::namespace(current)
    {
        let cause = Cause::invalid("metadata.name", &object["metadata"]["name"], "field is immutable");
        return Err(ApiError::invalid(&target.kind, object::name(current), &[cause]));
    }
    Ok(object)
}

/// Between looking and creating, somebody else may create or remove the object; more often than this is no accident.
const APPLY_ATTEMPTS: usize = 3;

fn apply_config(
    target: &Target,
    name: &str,
    subresource: &str,
    mut config: Value,
) -> Result<(u16, Arc<Value>), ApiError> {
    check_config(target, name, &mut config)?;
    let (kind, store) = (&target.kind, &target.api.store);
    let mut last = None;
    for _ in 0..APPLY_ATTEMPTS {
        if store.get(&kind.resource, &target.key(name)).is_some() || !subresource.is_empty() {
            match apply_to_live(target, name, subresource, &config) {
                Err(error) if error.reason == "NotFound" && subresource.is_empty() => last = Some(error),
                result => return result.map(|written| (200, written)),
            }
        } else {
            match apply_new(target, name, &config) {
                Err(error) if error.reason == "AlreadyExists" => last = Some(error),
                result => return result.map(|written| (201, written)),
            }
        }
    }
    Err(last.unwrap_or_else(|| ApiError::not_found(kind, name)))
}

fn check_config(target: &Target, name: &str, config: &mut Value) -> Result<(), ApiError> {
    if target.call.query.get("fieldManager").is_empty() {
        let message = "PatchOptions.meta.k8s.io \"\" is invalid: fieldManager: Required value: is required for apply patch";
        return Err(ApiError::new(422, "Invalid", message));
    }
    let managed = &config["metadata"]["managedFields"];
    if !managed.is_null() && *managed != json!([]) {
        return Err(ApiError::bad_request("metadata.managedFields must be nil"));
    }
    write::check_body(target, config, Some(name))
}

fn apply_to_live(
    target: &Target,
    name: &str,
    subresource: &str,
    config: &Value,
) -> Result<Arc<Value>, ApiError> {
    let kind = &target.kind;
    let manager = write::manager(target, subresource);
    let force = target.call.query.flag("force");
    let part = if subresource == "status" { Part::Status } else { Part::Main };
    let dry_run = target.call.dry_run()?;
    target.api.store.modify(kind, &target.key(name), part, dry_run, |current| {
        let version = object::meta(config, "resourceVersion");
        if !version.is_empty() && version != object::meta(current, "resourceVersion") {
            let why =
                "the object has been modified; please apply your changes to the latest version and try again";
            return Err(ApiError::conflict(kind, name, why));
        }
        let (mut live, mut config) = (current.clone(), config.clone());
        let mut status = None;
        if part == Part::Main {
            status = write::take_status(kind, &mut live);
            write::take_status(kind, &mut config);
        } else {
            // Of an applied status nothing but the status counts.
            let kept = config["status"].clone();
            config = json!({"metadata": {}, "status": kept});
        }
        let mut merged = apply::apply(&live, &config, &manager, force, !kind.custom)
            .map_err(|conflicts| ApiError::apply_conflict(kind, name, conflicts))?;
        write::put_status(&mut merged, status);
        if !text(&config["metadata"]["uid"]).is_empty() {
            set(&mut merged, &["metadata", "uid"], config["metadata"]["uid"].clone());
        }
        Ok(merged)
    })
}

fn apply_new(target: &Target, name: &str, config: &Value) -> Result<Arc<Value>, ApiError> {
    let kind = &target.kind;
    if !object::uid(config).is_empty() {
        let why = format!(
            "uid mismatch: the provided object specified uid {}, and no existing object was found",
            object::uid(config)
        );
        return Err(ApiError::conflict(kind, name, &why));
    }
    if !object::meta(config, "resourceVersion").is_empty() {
        return Err(ApiError::not_found(kind, name));
    }
    let mut config = config.clone();
    write::take_status(kind, &mut config);
    unset(&mut config, &["metadata", "managedFields"]);
    let manager = write::manager(target, "");
    let mut object = apply::apply(&Value::Null, &config, &manager, true, !kind.custom)
        .map_err(|conflicts| ApiError::apply_conflict(kind, name, conflicts))?;
    write::to_stored_version(kind, &mut object);
    target.api.store.create(kind, object, target.call.dry_run()?)
}
