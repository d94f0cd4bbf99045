//! An object's identity and metadata.

use std::cell::RefCell;

use godwit_common::name::{check_namespace, check_object_name};
use godwit_common::selector::Labels;
use godwit_common::text::clip;
use godwit_common::{ObjectKey, PolicyName};

use crate::catalog::{GODWIT_GROUP, Scope};
use crate::error::Collector;
use crate::field::{Object, Report};
use crate::node::Node;
use crate::{
    MODE_LABEL, POLICY_ANNOTATION, REPLICAS_ANNOTATION, SCALE_ONLY, WORKLOAD_ANNOTATION, hint, labels,
};

/// The object as messages name it, as far as it can be told.
pub(crate) fn title(node: &Node) -> String {
    let kind = node.get("kind").and_then(Node::as_text).unwrap_or_default();
    let name = node
        .get("metadata")
        .and_then(|metadata| metadata.get("name"))
        .and_then(Node::as_text)
        .unwrap_or_default();
    clip(format!("{kind} {name}").trim()).into()
}

/// The report of one object in a document; `namespace` is that of objects which name none.
pub(crate) fn report<'a>(
    (errors, namespace): (&'a RefCell<Collector>, &'a str),
    document: &crate::source::Document,
    node: &Node,
) -> Report<'a> {
    Report {
        errors,
        namespace,
        document: document.index,
        lines_before: document.lines_before,
        object: title(node),
    }
}

/// `apiVersion` and `kind`, both valid.
pub(crate) fn type_of<'a>(object: &Object<'a>) -> Option<(&'a str, &'a str)> {
    let api_version = object.require("apiVersion", "write one, such as apiVersion: apps/v1");
    let kind = object.require("kind", "write one, such as kind: Deployment");
    let (api_version, kind) = (api_version?, kind?);
    let (version_text, kind_text) = (api_version.text()?, kind.text()?);
    if let Err(error) = ObjectKey::new(version_text, "Kind", "", "name") {
        api_version.refuse(error.to_string(), "correct it");
        return None;
    }
    if let Err(error) = ObjectKey::new("v1", kind_text, "", "name") {
        kind.refuse(error.to_string(), "correct it");
        return None;
    }
    Some((version_text, kind_text))
}

/// What an object is to an application.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Role {
    /// Its name becomes part of its pods' names, and it may have a policy.
    Workload,
    /// The same of a custom resource, which says so in an annotation, and its total perhaps in another.
    Custom,
    /// Its name may be whatever a URL's path can carry, as a role's may.
    Dependent,
}

/// What metadata says.
pub(crate) struct Metadata {
    pub(crate) key: ObjectKey,
    pub(crate) labels: Labels,
    pub(crate) policy: Option<PolicyName>,
    /// Only the count is Godwit's.
    pub(crate) scale_only: bool,
}

/// Reads and checks `metadata`.
pub(crate) fn read(
    object: &Object<'_>,
    (api_version, kind): (&str, &str),
    scope: Scope,
    role: Role,
) -> Option<Metadata> {
    let metadata = object.require("metadata", "write one with a name")?.object()?;
    let labels = labels_of(&metadata, role);
    let scale_only = labels.contains_key(MODE_LABEL);
    check_owners(&metadata);
    let policy = policy_of(&metadata, role, scale_only);
    let namespace = namespace_of(&metadata, kind, scope);
    let name = name_of(&metadata, kind, role);
    let (name, namespace) = (name?, namespace?);
    match ObjectKey::new(api_version, kind, namespace, name) {
        Ok(key) => Some(Metadata { key, labels, policy, scale_only }),
        Err(error) => {
            object.at.refuse(error.to_string(), "correct it");
            None
        }
    }
}

fn name_of<'a>(metadata: &Object<'a>, kind: &str, role: Role) -> Option<&'a str> {
    if metadata.get("name").is_none()
        && let Some(generated) = metadata.get("generateName")
    {
        generated
            .refuse("a generated name differs in each cluster and each time", "write metadata.name instead");
        return None;
    }
    let field = metadata.require("name", "give the object a name")?;
    let name = field.text()?;
    let error = match role {
        Role::Workload | Role::Custom => check_object_name(name).err(),
        Role::Dependent => ObjectKey::new("v1", kind, "", name).err(),
    };
    match error {
        None => Some(name),
        Some(error) => {
            field.refuse(error.to_string(), "choose another name");
            None
        }
    }
}

fn namespace_of<'a>(metadata: &Object<'a>, kind: &str, scope: Scope) -> Option<&'a str> {
    let field = metadata.get("namespace");
    match (scope, field) {
        (Scope::Namespaced, None) => Some(metadata.at.default_namespace()),
        (Scope::Cluster, None) => Some(""),
        (Scope::Cluster, Some(field)) => {
            field.refuse(format!("a {kind} belongs to no namespace"), "remove the field");
            None
        }
        (Scope::Namespaced, Some(field)) => {
            let namespace = field.text()?;
            match check_namespace(namespace) {
                Ok(()) => Some(namespace),
                Err(error) => {
                    field.refuse(error.to_string(), "choose another namespace");
                    None
                }
            }
        }
    }
}

/// The labels; those of Godwit's own prefix are Godwit's to write, but for the mode of a workload.
fn labels_of(metadata: &Object<'_>, role: Role) -> Labels {
    let Some(labels) = metadata.get("labels").and_then(|labels| labels.object()) else {
        return Labels::new();
    };
    match role {
        Role::Workload | Role::Custom => {
            refuse_others(&labels, &[MODE_LABEL], |_| "remove it".to_owned());
            if let Some(mode) = labels.get(MODE_LABEL) {
                mode.choice(&[(SCALE_ONLY, ())]);
            }
        }
        Role::Dependent => refuse_reserved(&labels, &[]),
    }
    labels::read(&labels)
}

fn check_owners(metadata: &Object<'_>) {
    if let Some(owners) = metadata.get("ownerReferences")
        && !owners.items().is_empty()
    {
        owners.refuse(
            "an owner lives in one cluster; in the others the object would be collected as garbage",
            "remove the field",
        );
    }
}

/// The policy's annotation, which only a workload carries.
fn policy_of(metadata: &Object<'_>, role: Role, scale_only: bool) -> Option<PolicyName> {
    let annotations = metadata.get("annotations")?.object()?;
    annotations.texts();
    if let Some(mode) = annotations.get(MODE_LABEL) {
        mode.refuse("the clusters' agents look for it among the labels", "write it into metadata.labels");
        return None;
    }
    match role {
        Role::Workload if scale_only => {
            refuse_reserved(&annotations, &[POLICY_ANNOTATION, REPLICAS_ANNOTATION]);
        }
        Role::Workload | Role::Dependent => refuse_reserved(&annotations, &[POLICY_ANNOTATION]),
        Role::Custom => {
            refuse_reserved(&annotations, &[POLICY_ANNOTATION, WORKLOAD_ANNOTATION, REPLICAS_ANNOTATION]);
        }
    }
    let field = annotations.get(POLICY_ANNOTATION)?;
    if role == Role::Dependent {
        field.refuse("only a workload has a policy", "move it to the workload");
        return None;
    }
    match field.text()?.parse() {
        Ok(policy) => Some(policy),
        Err(error) => {
            field.refuse(error.to_string(), "write the name of a policy");
            None
        }
    }
}

/// Refuses each key under `godwit.dev/` that is not one of `known`.
pub(crate) fn refuse_reserved(labels: &Object<'_>, known: &[&str]) {
    refuse_others(labels, known, |key| match known {
        [] => "remove it".to_owned(),
        _ => hint::remedy(key, known),
    });
}

/// The same, with a remedy for each.
fn refuse_others(labels: &Object<'_>, known: &[&str], remedy: impl Fn(&str) -> String) {
    for (key, field) in labels.fields() {
        let prefix = key.split_once('/').map_or("", |(prefix, _)| prefix);
        let reserved = prefix == GODWIT_GROUP || prefix.ends_with(".godwit.dev");
        if reserved && !known.contains(&key) {
            let problem = format!("{key} is not for manifests: the prefix is Godwit's own");
            field.refuse(problem, remedy(key));
        }
    }
}
