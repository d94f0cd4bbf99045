//! What stands below an object: status, scale, eviction, binding, log.

use std::sync::Arc;

use http::Method;
use serde_json::{Value, json};

use super::call::Call;
use super::handler::Reply;
use super::resource::{Target, not_allowed};
use super::selectors::{self, LabelSelector};
use super::write;
use super::{log, patching};
use crate::error::{ApiError, Cause};
use crate::kinds::ScalePaths;
use crate::object::{self, int, items, set, text};
use crate::patch::{json, merge};
use crate::store::{Deleted, PODS, Part};

pub(super) fn serve(target: &Target, name: &str, sub: &str) -> Result<Reply, ApiError> {
    let kind = &target.kind;
    let is_pod = &*kind.resource == PODS;
    match sub {
        "status" if kind.status => status(target, name),
        "scale" => match &kind.scale {
            Some(paths) => scale(target, name, paths),
            None => Err(ApiError::no_such_path()),
        },
        "eviction" if is_pod => evict(target, name),
        "binding" if is_pod => bind(target, name),
        "finalize" if &*kind.resource == crate::store::NAMESPACES => finalize(target, name),
        "log" if is_pod => log::serve(target, name),
        "token" if &*kind.resource == "serviceaccounts" => token(target, name),
        _ => Err(ApiError::no_such_path()),
    }
}

fn status(target: &Target, name: &str) -> Result<Reply, ApiError> {
    match target.call.method {
        Method::GET => super::read::get(target, name),
        Method::PATCH => patching::patch_part(target, name, "status"),
        Method::PUT => {
            let view = target.view()?;
            let mut wanted = target.call.json()?;
            write::check_body(target, &mut wanted, Some(name))?;
            let written = write::modify(target, name, "status", |_| Ok(wanted))?;
            Ok(Reply::ok(view.one(&written)))
        }
        _ => Err(not_allowed()),
    }
}

fn scale(target: &Target, name: &str, paths: &ScalePaths) -> Result<Reply, ApiError> {
    let found = || {
        target
            .api
            .store
            .get(&target.kind.resource, &target.key(name))
            .ok_or_else(|| ApiError::not_found(&target.kind, name))
    };
    let body = match target.call.method {
        Method::GET => return Ok(Reply::ok(scale_of(&*found()?, paths))),
        Method::PUT | Method::PATCH => target.call.json()?,
        _ => return Err(not_allowed()),
    };
    let written = write::modify(target, name, "scale", |current| {
        let mut wanted = scale_of(current, paths);
        match target.call.content_type.as_str() {
            _ if target.call.method == Method::PUT => wanted = body,
            "application/json-patch+json" => {
                json::apply(&mut wanted, &body).map_err(ApiError::bad_request)?
            }
            _ => merge::apply(&mut wanted, &body),
        }
        let count = &wanted["spec"]["replicas"];
        if !count.is_null() && count.as_i64().is_none_or(|count| count < 0) {
            let cause = Cause::invalid("spec.replicas", count, "must be greater than or equal to 0");
            return Err(ApiError::invalid(&target.kind, name, &[cause]));
        }
        let mut new = current.clone();
        let steps: Vec<&str> = paths.spec.iter().map(String::as_str).collect();
        set(&mut new, &steps, json!(int(count, 0)));
        for field in ["resourceVersion", "uid"] {
            if !object::meta(&wanted, field).is_empty() {
                set(&mut new, &["metadata", field], wanted["metadata"][field].clone());
            }
        }
        Ok(new)
    })?;
    Ok(Reply::ok(scale_of(&written, paths)))
}

fn scale_of(object: &Value, paths: &ScalePaths) -> Value {
    let at = |path: &[String]| path.iter().fold(object, |value, step| &value[step.as_str()]);
    let selector = match at(&paths.selector) {
        Value::String(text) => text.clone(),
        spec => LabelSelector::of_spec(spec).unwrap_or_default().to_string(),
    };
    let meta = &object["metadata"];
    json!({
        "kind": "Scale",
        "apiVersion": "autoscaling/v1",
        "metadata": {
            "name": meta["name"],
            "namespace": meta["namespace"],
            "uid": meta["uid"],
            "resourceVersion": meta["resourceVersion"],
            "creationTimestamp": meta["creationTimestamp"],
        },
        "spec": {"replicas": int(at(&paths.spec), 0)},
        "status": {"replicas": int(at(&paths.status), 0), "selector": selector},
    })
}

fn evict(target: &Target, name: &str) -> Result<Reply, ApiError> {
    if target.call.method != Method::POST {
        return Err(not_allowed());
    }
    let body = target.call.json()?;
    let store = &target.api.store;
    let pod = store.get(PODS, &target.key(name)).ok_or_else(|| ApiError::not_found(&target.kind, name))?;
    check_budgets(target, &pod)?;
    let options = write::delete_options(target, &body["deleteOptions"])?;
    match store.delete(&target.kind, &target.key(name), &options)? {
        Deleted::Marked(_) | Deleted::Removed(_) => Ok(Reply::Json(
            201,
            json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
        )),
    }
}

/// An eviction is refused while a budget that selects the pod allows no disruption.
fn check_budgets(target: &Target, pod: &Arc<Value>) -> Result<(), ApiError> {
    if object::deleting(pod) || !object::condition_true(pod, "Ready") {
        return Ok(());
    }
    let store = &target.api.store;
    let namespace = Some(object::namespace(pod));
    for budget in store.all("poddisruptionbudgets.policy", namespace) {
        if selectors::spec_selects(&budget["spec"]["selector"], pod)
            && int(&budget["status"]["disruptionsAllowed"], 0) == 0
        {
            return Err(ApiError::too_many_disruptions(format!(
                "The disruption budget {} needs {} healthy pods and has {} currently",
                object::name(&budget),
                int(&budget["status"]["desiredHealthy"], 0),
                int(&budget["status"]["currentHealthy"], 0),
            )));
        }
    }
    Ok(())
}

fn bind(target: &Target, name: &str) -> Result<Reply, ApiError> {
    if target.call.method != Method::POST {
        return Err(not_allowed());
    }
    let body = target.call.json()?;
    let node = text(&body["target"]["name"]).to_owned();
    target.api.store.modify(&target.kind, &target.key(name), Part::All, target.call.dry_run()?, |pod| {
        if !text(&pod["spec"]["nodeName"]).is_empty() {
            return Err(ApiError::conflict(&target.kind, name, "the pod is already assigned to a node"));
        }
        let mut bound = pod.clone();
        set(&mut bound, &["spec", "nodeName"], json!(node));
        object::set_condition(&mut bound, "PodScheduled", "True", "", "");
        Ok(bound)
    })?;
    Ok(Reply::Json(
        201,
        json!({"kind": "Status", "apiVersion": "v1", "metadata": {}, "status": "Success", "code": 201}),
    ))
}

fn token(target: &Target, name: &str) -> Result<Reply, ApiError> {
    if target.call.method != Method::POST {
        return Err(not_allowed());
    }
    let key = target.key(name);
    if target.api.store.get(&target.kind.resource, &key).is_none() {
        return Err(ApiError::not_found(&target.kind, name));
    }
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let answer = target.api.keys.token(namespace, name, &target.call.json()?);
    answer
        .map(|answer| Reply::Json(201, answer))
        .map_err(|error| ApiError::new(500, "InternalError", error.to_string()))
}

fn finalize(target: &Target, name: &str) -> Result<Reply, ApiError> {
    if target.call.method != Method::PUT {
        return Err(not_allowed());
    }
    let wanted = target.call.json()?;
    let finalizers = items(&wanted["spec"]["finalizers"]).to_vec();
    let written = target.api.store.modify(
        &target.kind,
        &target.key(name),
        Part::Main,
        target.call.dry_run()?,
        |current| {
            let mut new = current.clone();
            set(&mut new, &["spec", "finalizers"], json!(finalizers));
            Ok(new)
        },
    )?;
    Ok(Reply::ok(target.view()?.one(&written)))
}

/// Access reviews, which are answered and not kept: whoever has the token may do everything.
pub(super) fn review(call: &Call, group: &str, path: &[&str]) -> Result<Option<Reply>, ApiError> {
    let reviewed = matches!(path, ["selfsubjectaccessreviews" | "subjectaccessreviews"]);
    if group != "authorization.k8s.io" || !reviewed || call.method != Method::POST {
        return Ok(None);
    }
    let mut review = call.json()?;
    set(
        &mut review,
        &["status"],
        json!({"allowed": true, "reason": "whoever has the token may do everything"}),
    );
    Ok(Some(Reply::Json(201, review)))
}
