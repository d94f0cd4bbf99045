//! Fields of objects that become Godwit's (S34). Whoever wrote a field with kubectl or Helm has it beside whoever applies it
//! after that, and for as long as he has it, no apply of ours takes the field away. So what people's tools have of an object
//! becomes ours with the object, as if it had been applied. What controllers have, and what was applied in another's name,
//! stays theirs.

use std::sync::Arc;

use godwit_agent_core::{Apply, CallError, Kind, labels};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{FieldsV1, ManagedFieldsEntry};
use kube::api::{Patch, PatchParams};
use serde_json::{Map, Value, json};

use super::Cluster;

/// Whose fields are taken: all whose names begin like this.
const TOOLS: [&str; 2] = ["kubectl", "helm"];

impl Cluster {
    /// Takes them, if the object is still as it was seen; gives the version that it has then. A crash after it does no harm:
    /// the object is nobody's yet, and is looked at again.
    pub(super) async fn take_over(&self, apply: &Apply) -> Result<Option<Arc<str>>, CallError> {
        let (key, kind) = (&apply.key, Kind::of(&apply.key));
        let own = self.api(key).await?;
        let found = own.get_metadata_opt(&key.name).await.map_err(super::error::sort)?;
        let Some(found) = found else { return Err(CallError::Outdated) };
        if found.metadata.resource_version.as_deref() != apply.version.as_deref() {
            return Err(CallError::Outdated);
        }
        let entries = found.metadata.managed_fields.unwrap_or_default();
        let Some(taken) = taken(entries, &key.api_version) else { return Ok(apply.version.clone()) };
        let body = json!({"metadata": {"resourceVersion": apply.version.as_deref(), "managedFields": taken}});
        let params =
            PatchParams { field_manager: Some(labels::FIELD_MANAGER.to_owned()), ..PatchParams::default() };
        let writer = self.writer(key)?;
        let api = self.api_as(&writer.client, key).await?;
        match api.patch_metadata(&key.name, &params, &Patch::Merge(body)).await {
            Ok(written) => Ok(written.metadata.resource_version.map(Into::into)),
            Err(error) => Err(self.failed(&kind, writer.explained(error).await)),
        }
    }
}

/// The entries with those of the tools made ours; none if there are none.
fn taken(entries: Vec<ManagedFieldsEntry>, api_version: &str) -> Option<Vec<ManagedFieldsEntry>> {
    let is_tools = |entry: &ManagedFieldsEntry| {
        let by_tool = entry.manager.as_deref().is_some_and(|name| {
            TOOLS.iter().any(|tool| name == *tool || name.starts_with(&format!("{tool}-")))
        });
        // Fields of another version of the kind may be called otherwise.
        let same = entry.api_version.as_deref() == Some(api_version) && entry.subresource.is_none();
        by_tool && same && entry.operation.as_deref() == Some("Update")
    };
    let is_ours = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(labels::FIELD_MANAGER)
            && entry.operation.as_deref() == Some("Apply")
            && entry.subresource.is_none()
    };
    let (tools, others): (Vec<_>, Vec<_>) = entries.into_iter().partition(is_tools);
    let latest = tools.iter().filter_map(|entry| entry.time.clone()).max_by_key(|time| time.0);
    if tools.is_empty() {
        return None;
    }
    let (ours, mut others): (Vec<_>, Vec<_>) = others.into_iter().partition(is_ours);
    let mut fields = Value::Object(Map::new());
    for entry in ours.into_iter().chain(tools) {
        if let Some(FieldsV1(more)) = entry.fields_v1 {
            unite(&mut fields, more);
        }
    }
    leave(&mut fields);
    others.push(ManagedFieldsEntry {
        manager: Some(labels::FIELD_MANAGER.to_owned()),
        operation: Some("Apply".to_owned()),
        api_version: Some(api_version.to_owned()),
        fields_type: Some("FieldsV1".to_owned()),
        fields_v1: Some(FieldsV1(fields)),
        subresource: None,
        time: latest,
    });
    Some(others)
}

/// What an imported manifest leaves out, since it belongs to this cluster alone: nobody has it from now on, and it stays.
fn leave(fields: &mut Value) {
    const LEFT: [(&str, &[&str]); 2] = [
        ("f:metadata", &["f:finalizers", "f:ownerReferences"]),
        ("f:spec", &["f:clusterIP", "f:clusterIPs", "f:ipFamilies", "f:healthCheckNodePort"]),
    ];
    for (table, names) in LEFT {
        if let Some(table) = fields.get_mut(table).and_then(Value::as_object_mut) {
            table.retain(|name, _| !names.contains(&name.as_str()));
        }
    }
}

/// All fields of both.
fn unite(into: &mut Value, more: Value) {
    let Value::Object(more) = more else { return };
    let Some(into) = into.as_object_mut() else { return };
    for (field, below) in more {
        unite(into.entry(field).or_insert_with(|| Value::Object(Map::new())), below);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(manager: &str, operation: &str, fields: Value) -> ManagedFieldsEntry {
        serde_json::from_value(json!({"manager": manager, "operation": operation, "apiVersion": "apps/v1",
            "fieldsType": "FieldsV1", "fieldsV1": fields, "time": "2026-01-02T03:04:05Z"}))
        .unwrap()
    }

    #[test]
    fn s34_what_tools_have_written_becomes_ours_and_what_others_have_stays_theirs() {
        let spec = |field: &str| json!({"f:spec": {field: {}}});
        let status = ManagedFieldsEntry {
            subresource: Some("status".to_owned()),
            ..entry("kubectl-edit", "Update", json!({"f:status": {}}))
        };
        let others = [
            entry("kube-controller-manager", "Update", spec("f:paused")),
            entry("argocd", "Apply", spec("f:strategy")),
            entry("kubectl", "Apply", spec("f:minReadySeconds")),
            status,
        ];
        assert_eq!(taken(others.to_vec(), "apps/v1"), None);
        let tools = [
            entry("kubectl-client-side-apply", "Update", spec("f:replicas")),
            entry("helm", "Update", json!({"f:spec": {"f:template": {"f:spec": {}}}})),
            entry(
                "kubectl-set",
                "Update",
                json!({"f:spec": {"f:template": {"f:metadata": {}}}, "f:metadata": {"f:finalizers": {}}}),
            ),
        ];
        let all = taken([others.to_vec(), tools.to_vec()].concat(), "apps/v1").unwrap();
        assert_eq!(all[..4], others);
        let spec = json!({"f:replicas": {}, "f:template": {"f:spec": {}, "f:metadata": {}}});
        let fields = json!({"f:spec": spec, "f:metadata": {}});
        assert_eq!(all[4], entry("godwit", "Apply", fields));
        let older = ManagedFieldsEntry { api_version: Some("apps/v1beta1".to_owned()), ..tools[0].clone() };
        assert_eq!(taken(vec![older], "apps/v1"), None, "its fields may have other names");
    }
}
