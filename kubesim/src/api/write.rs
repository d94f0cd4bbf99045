//! Creating, replacing and deleting.

use serde_json::{Value, json};

use super::handler::Reply;
use super::read;
use super::resource::Target;
use crate::admission;
use crate::error::ApiError;
use crate::kinds::Kind;
use crate::object::{self, set, set_default, text, unset};
use crate::patch::managed::{self, Manager};
use crate::store::{DeleteOptions, Deleted, Part, Propagation};

pub(super) fn create(target: &Target) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let mut object = target.call.json()?;
    check_body(target, &mut object, None)?;
    let created = create_object(target, object)?;
    Ok(Reply::Json(201, view.one(&created)))
}

/// Creates `object` in the name of whoever calls.
fn create_object(target: &Target, mut object: Value) -> Result<std::sync::Arc<Value>, ApiError> {
    let kind = &target.kind;
    admission::prepare(kind, &mut object, None);
    let status = take_status(kind, &mut object);
    managed::record_update(&Value::Null, &mut object, &manager(target, ""), !kind.custom);
    put_status(&mut object, status);
    to_stored_version(kind, &mut object);
    target.api.store.create(kind, object, target.call.dry_run()?)
}

pub(super) fn replace(target: &Target, name: &str) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let mut wanted = target.call.json()?;
    check_body(target, &mut wanted, Some(name))?;
    let written = modify(target, name, "", |_| Ok(wanted))?;
    Ok(Reply::ok(view.one(&written)))
}

/// Changes the part of an object that `subresource` stands for, and records who did it.
pub(super) fn modify(
    target: &Target,
    name: &str,
    subresource: &str,
    change: impl FnOnce(&Value) -> Result<Value, ApiError>,
) -> Result<std::sync::Arc<Value>, ApiError> {
    let kind = &target.kind;
    let part = if subresource == "status" { Part::Status } else { Part::Main };
    let manager = manager(target, subresource);
    let dry_run = target.call.dry_run()?;
    target.api.store.modify(kind, &target.key(name), part, dry_run, |current| {
        let mut new = change(current)?;
        if part == Part::Status {
            let mut whole = current.clone();
            set(&mut whole, &["status"], new["status"].clone());
            carry_preconditions(&new, &mut whole);
            managed::record_update(current, &mut whole, &manager, !kind.custom);
            return Ok(whole);
        }
        admission::prepare(kind, &mut new, Some(current));
        let mut old = current.clone();
        take_status(kind, &mut old);
        let status = take_status(kind, &mut new);
        managed::record_update(&old, &mut new, &manager, !kind.custom);
        put_status(&mut new, status);
        Ok(new)
    })
}

fn carry_preconditions(from: &Value, to: &mut Value) {
    for field in ["resourceVersion", "uid"] {
        let wanted = &from["metadata"][field];
        if !wanted.is_null() {
            set(to, &["metadata", field], wanted.clone());
        }
    }
}

/// The status is a part of its own: whoever writes the rest does not own it.
pub(super) fn take_status(kind: &Kind, object: &mut Value) -> Option<Value> {
    if !kind.status {
        return None;
    }
    object.as_object_mut()?.shift_remove("status")
}

pub(super) fn put_status(object: &mut Value, status: Option<Value>) {
    if let Some(status) = status {
        set(object, &["status"], status);
    }
}

/// Who writes.
pub(super) fn manager(target: &Target, subresource: &str) -> Manager {
    Manager {
        name: target.call.manager().to_owned(),
        subresource: subresource.to_owned(),
        api_version: target.api_version(),
    }
}

/// Custom resources are kept in one version, whichever they were written in.
pub(super) fn to_stored_version(kind: &Kind, object: &mut Value) {
    set(object, &["apiVersion"], json!(kind.api_version()));
    set(object, &["kind"], json!(kind.kind));
}

/// Checks what a body says about itself against the path, and fills in what it leaves out.
pub(super) fn check_body(target: &Target, object: &mut Value, name: Option<&str>) -> Result<(), ApiError> {
    let kind = &target.kind;
    if !object.is_object() || !matches!(object["metadata"], Value::Object(_) | Value::Null) {
        return Err(ApiError::bad_request("the body of the request is not an object"));
    }
    let (found_kind, found_version) = (text(&object["kind"]), text(&object["apiVersion"]));
    if found_kind.is_empty() || found_version.is_empty() {
        return Err(ApiError::bad_request("Object 'Kind' or 'apiVersion' is missing in the request"));
    }
    if found_kind != kind.kind || found_version != target.api_version() {
        return Err(ApiError::bad_request(format!(
            "{found_kind} in version {found_version:?} cannot be handled as a {} in version {:?}",
            kind.kind,
            target.api_version()
        )));
    }
    check_place(target, object, name)
}

/// The name and the namespace of the path, which the body may repeat and must not contradict.
pub(super) fn check_place(target: &Target, object: &mut Value, name: Option<&str>) -> Result<(), ApiError> {
    match &target.namespace {
        Some(namespace) => {
            set_default(object, &["metadata", "namespace"], json!(namespace));
            if object::namespace(object) != namespace {
                let message =
                    "the namespace of the provided object does not match the namespace sent on the request";
                return Err(ApiError::bad_request(message));
            }
        }
        None => unset(object, &["metadata", "namespace"]),
    }
    let Some(name) = name else {
        return Ok(());
    };
    set_default(object, &["metadata", "name"], json!(name));
    if object::name(object) != name {
        let message = format!(
            "the name of the object ({}) does not match the name on the URL ({name})",
            object::name(object)
        );
        return Err(ApiError::bad_request(message));
    }
    Ok(())
}

pub(super) fn delete(target: &Target, name: &str) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let options = delete_options(target, &target.call.json()?)?;
    let deleted = target.api.store.delete(&target.kind, &target.key(name), &options)?;
    Ok(match deleted {
        Deleted::Marked(object) => Reply::ok(view.one(&object)),
        Deleted::Removed(object) if &*target.kind.resource == crate::store::PODS => {
            Reply::ok(view.one(&object))
        }
        Deleted::Removed(object) => Reply::ok(success(&target.kind, &object)),
    })
}

fn success(kind: &Kind, object: &Value) -> Value {
    let mut details = json!({
        "name": object::name(object),
        "kind": kind.plural,
        "uid": object::uid(object),
    });
    if !kind.group.is_empty() {
        set(&mut details, &["group"], json!(kind.group));
    }
    json!({
        "kind": "Status",
        "apiVersion": "v1",
        "metadata": {},
        "status": "Success",
        "details": details,
    })
}

pub(super) fn delete_collection(target: &Target) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let options = delete_options(target, &target.call.json()?)?;
    let selection = read::selection(target)?;
    let page = target.api.store.list(&target.kind.resource, target.namespace.as_deref(), None);
    let mut selected = page.objects;
    selected.retain(|object| selection.matches(object));
    for object in &selected {
        match target.api.store.delete(&target.kind, &object::Key::of(object), &options) {
            Ok(_) => {}
            Err(error) if error.code == 404 => {}
            Err(error) => return Err(error),
        }
    }
    let metadata = json!({"resourceVersion": target.api.store.version().to_string()});
    Ok(Reply::ok(view.list(metadata, &selected)))
}

/// Reads `DeleteOptions` from a body, or what the query says where the body is silent.
pub(super) fn delete_options(target: &Target, body: &Value) -> Result<DeleteOptions, ApiError> {
    let query = &target.call.query;
    let from_query = query.number("gracePeriodSeconds")?.and_then(|grace| i64::try_from(grace).ok());
    let policy = match text(&body["propagationPolicy"]) {
        "" => query.get("propagationPolicy"),
        policy => policy,
    };
    let orphan = body["orphanDependents"] == json!(true) || query.flag("orphanDependents");
    let propagation = match policy {
        "" if orphan => Propagation::Orphan,
        "" | "Background" => Propagation::Background,
        "Foreground" => Propagation::Foreground,
        "Orphan" => Propagation::Orphan,
        other => {
            let message = format!(
                "propagationPolicy: Unsupported value: {other:?}: supported values: \"Foreground\", \"Background\", \"Orphan\""
            );
            return Err(ApiError::new(422, "Invalid", message));
        }
    };
    let precondition = |field: &str| body["preconditions"][field].as_str().map(str::to_owned);
    let dry_run = object::items(&body["dryRun"]).iter().any(|value| value == "All");
    Ok(DeleteOptions {
        grace_seconds: body["gracePeriodSeconds"].as_i64().or(from_query),
        propagation,
        uid: precondition("uid"),
        version: precondition("resourceVersion"),
        dry_run: dry_run || target.call.dry_run()?,
    })
}
