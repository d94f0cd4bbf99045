//! The Secret in which the agents of a cluster share what the hub gave the first of them.

use std::collections::BTreeMap;

use k8s_openapi::ByteString;
use k8s_openapi::api::core::v1::Secret;
use kube::api::{Patch, PatchParams, PostParams};
use serde_json::json;

use godwit_agent_core::{CallError, labels};

use super::{Cluster, error};

/// What a Secret holds, by key. What is no text is none of ours.
pub(crate) type SecretData = BTreeMap<String, String>;

impl Cluster {
    /// A Secret in the agent's own namespace; `None` if there is none.
    pub(crate) async fn read_secret(&self, name: &str) -> Result<Option<SecretData>, CallError> {
        let found = self.own::<Secret>().get_opt(name).await.map_err(error::sort)?;
        let text = |(key, ByteString(value))| Some((key, String::from_utf8(value).ok()?));
        Ok(found.map(|secret| secret.data.unwrap_or_default().into_iter().filter_map(text).collect()))
    }

    /// Writes these keys of it, and leaves others as they are.
    pub(crate) async fn write_secret(&self, name: &str, data: &SecretData) -> Result<(), CallError> {
        let manager = Some(labels::FIELD_MANAGER.to_owned());
        let api = self.own::<Secret>();
        let body = json!({ "stringData": data });
        let params = PatchParams { field_manager: manager.clone(), ..PatchParams::default() };
        match api.patch(name, &params, &Patch::Merge(&body)).await {
            Err(error) if error::is_object_missing(&error) => {}
            other => return other.map(drop).map_err(error::sort),
        }
        let mut secret = Secret { string_data: Some(data.clone()), ..Secret::default() };
        secret.metadata.name = Some(name.to_owned());
        let params = PostParams { field_manager: manager, ..PostParams::default() };
        match api.create(&params, &secret).await.map_err(error::sort) {
            // Outside the cluster nobody has made the agent's own namespace.
            Err(CallError::NamespaceMissing) => {
                self.create_namespace(&self.namespace, None).await?;
                api.create(&params, &secret).await.map(drop).map_err(error::sort)
            }
            other => other.map(drop),
        }
    }
}
