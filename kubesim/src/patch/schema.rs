//! How lists and maps merge, by the names of their fields: the part of the built-in kinds' schemas that patches need.

use serde_json::Value;

/// How a list merges.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum ListType {
    /// As one value.
    Atomic,
    /// As a set of plain values.
    Set,
    /// By keys: those of server-side apply, of which the first is that of strategic merges.
    Map(&'static [&'static str]),
}

/// How the list under `field` merges, judged by the field above it and by its items.
pub(crate) fn list_type(parent: &str, field: &str, builtin: bool) -> ListType {
    if parent == "metadata" {
        match field {
            "finalizers" => return ListType::Set,
            "ownerReferences" => return ListType::Map(&["uid"]),
            _ => {}
        }
    }
    if !builtin {
        return ListType::Atomic;
    }
    match (parent, field) {
        (_, "containers" | "initContainers" | "ephemeralContainers") => ListType::Map(&["name"]),
        (_, "env" | "volumes" | "imagePullSecrets" | "resourceClaims") => ListType::Map(&["name"]),
        (_, "volumeMounts") => ListType::Map(&["mountPath"]),
        (_, "volumeDevices") => ListType::Map(&["devicePath"]),
        (_, "hostAliases") => ListType::Map(&["ip"]),
        (_, "topologySpreadConstraints") => ListType::Map(&["topologyKey", "whenUnsatisfiable"]),
        ("status", "conditions") => ListType::Map(&["type"]),
        ("spec", "ports") => ListType::Map(&["port", "protocol"]),
        (ITEM, "ports") => ListType::Map(&["containerPort", "protocol"]),
        ("", "secrets") => ListType::Map(&["name"]),
        _ => ListType::Atomic,
    }
}

/// What stands for the field above when it is a list: its items have no names.
pub(crate) const ITEM: &str = "[]";

/// Whether the map under `field` is owned as one value.
pub(crate) fn is_atomic_map(parent: &str, field: &str, builtin: bool) -> bool {
    builtin
        && matches!(
            (parent, field),
            (_, "nodeSelector" | "labelSelector" | "selector" | "podSelector" | "namespaceSelector")
                | (_, "fieldRef" | "resourceFieldRef" | "configMapKeyRef" | "secretKeyRef")
                | (_, "nodeSelectorTerms" | "localObjectReference" | "claimRef" | "secretRef")
        )
}

/// The value of key `key` of a list's item, with the default that the API would fill in.
pub(crate) fn key_value(item: &Value, key: &str) -> Value {
    match item.get(key) {
        Some(value) => value.clone(),
        None if key == "protocol" => Value::String("TCP".into()),
        None => Value::Null,
    }
}
