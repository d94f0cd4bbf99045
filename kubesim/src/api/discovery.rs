//! Which groups, versions and resources there are.

use std::collections::BTreeMap;
use std::sync::Arc;

use serde_json::{Value, json};

use super::handler::Reply;
use crate::error::ApiError;
use crate::issuer::ISSUER;
use crate::kinds::{Kind, Registry};

/// The release of Kubernetes that is imitated.
const RELEASE: (&str, &str, &str) = ("1", "32", "v1.32.0");

pub(super) fn version() -> Value {
    json!({
        "major": RELEASE.0,
        "minor": RELEASE.1,
        "gitVersion": format!("{}+kubesim", RELEASE.2),
        "gitCommit": "",
        "gitTreeState": "clean",
        "buildDate": "2025-04-23T00:00:00Z",
        "goVersion": "none",
        "compiler": "rustc",
        "platform": "linux/amd64",
    })
}

pub(super) fn paths(registry: &Registry) -> Value {
    let mut paths = vec!["/api".to_owned(), "/api/v1".to_owned(), "/apis".to_owned()];
    for (group, versions) in grouped(registry) {
        paths.push(format!("/apis/{group}"));
        paths.extend(versions.iter().map(|version| format!("/apis/{group}/{version}")));
    }
    paths.extend(["/healthz", "/livez", "/readyz", "/version"].map(str::to_owned));
    json!({"paths": paths})
}

/// As OpenID Connect discovers an issuer.
pub(super) fn issuer() -> Value {
    json!({
        "issuer": ISSUER,
        "jwks_uri": format!("{ISSUER}/openid/v1/jwks"),
        "response_types_supported": ["id_token"],
        "subject_types_supported": ["public"],
        "id_token_signing_alg_values_supported": ["RS256", "ES256"],
    })
}

pub(super) fn core() -> Value {
    json!({
        "kind": "APIVersions",
        "versions": ["v1"],
        "serverAddressByClientCIDRs": [],
    })
}

pub(super) fn groups(registry: &Registry) -> Value {
    let groups: Vec<Value> =
        grouped(registry).iter().map(|(group, versions)| group_value(group, versions)).collect();
    json!({"kind": "APIGroupList", "apiVersion": "v1", "groups": groups})
}

pub(super) fn group(registry: &Registry, group: &str) -> Result<Reply, ApiError> {
    let versions = grouped(registry).remove(group).ok_or_else(ApiError::no_such_path)?;
    let mut value = group_value(group, &versions);
    crate::object::set(&mut value, &["kind"], json!("APIGroup"));
    crate::object::set(&mut value, &["apiVersion"], json!("v1"));
    Ok(Reply::ok(value))
}

pub(super) fn resources(registry: &Registry, group: &str, version: &str) -> Result<Reply, ApiError> {
    let served = |kind: &Arc<Kind>| kind.group == group && kind.versions.iter().any(|one| one == version);
    let mut resources = Vec::new();
    for kind in registry.all().iter().filter(|kind| served(kind)) {
        resources.push(resource(kind));
        resources.extend(subresources(kind));
    }
    if resources.is_empty() {
        return Err(ApiError::no_such_path());
    }
    let group_version = if group.is_empty() { version.to_owned() } else { format!("{group}/{version}") };
    Ok(Reply::ok(json!({
        "kind": "APIResourceList",
        "apiVersion": "v1",
        "groupVersion": group_version,
        "resources": resources,
    })))
}

fn grouped(registry: &Registry) -> BTreeMap<String, Vec<String>> {
    let mut groups: BTreeMap<String, Vec<String>> = BTreeMap::new();
    for kind in registry.all().iter().filter(|kind| !kind.group.is_empty()) {
        let versions = groups.entry(kind.group.clone()).or_default();
        for version in &kind.versions {
            if !versions.contains(version) {
                versions.push(version.clone());
            }
        }
    }
    groups
}

fn group_value(group: &str, versions: &[String]) -> Value {
    let versions: Vec<Value> = versions
        .iter()
        .map(|version| json!({"groupVersion": format!("{group}/{version}"), "version": version}))
        .collect();
    json!({"name": group, "versions": versions, "preferredVersion": versions.first()})
}

fn resource(kind: &Kind) -> Value {
    let mut value = json!({
        "name": kind.plural,
        "singularName": kind.singular,
        "namespaced": kind.namespaced,
        "kind": kind.kind,
        "verbs": ["create", "delete", "deletecollection", "get", "list", "patch", "update", "watch"],
    });
    for (field, list) in [("shortNames", &kind.short_names), ("categories", &kind.categories)] {
        if !list.is_empty() {
            crate::object::set(&mut value, &[field], json!(list));
        }
    }
    value
}

fn subresources(kind: &Kind) -> Vec<Value> {
    let sub = |name: &str, shown: &str, verbs: &[&str]| {
        json!({
            "name": format!("{}/{name}", kind.plural),
            "singularName": "",
            "namespaced": kind.namespaced,
            "kind": shown,
            "verbs": verbs,
        })
    };
    let of = |value: Value, group: &str, version: &str| {
        let mut value = value;
        crate::object::set(&mut value, &["group"], json!(group));
        crate::object::set(&mut value, &["version"], json!(version));
        value
    };
    let mut found = Vec::new();
    if kind.status {
        found.push(sub("status", &kind.kind, &["get", "patch", "update"]));
    }
    if kind.scale.is_some() {
        let scale = sub("scale", "Scale", &["get", "patch", "update"]);
        found.push(of(scale, "autoscaling", "v1"));
    }
    if &*kind.resource == crate::store::PODS {
        found.push(of(sub("eviction", "Eviction", &["create"]), "policy", "v1"));
        found.push(sub("binding", "Binding", &["create"]));
        found.push(sub("log", "Pod", &["get"]));
    }
    found
}
