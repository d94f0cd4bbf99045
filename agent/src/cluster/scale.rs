//! Where the objects of a custom kind keep what its subresource `scale` shows: the count that is wanted, the count that is
//! there, and which pods are meant. Its definition says so. That way a count is written with everything else, in one apply,
//! and read from what the watch shows anyway; the subresource itself need not be asked.

use godwit_agent_core::{CallError, Kind};
use godwit_common::selector::LabelSelector;
use kube::api::{ApiResource, DynamicObject};
use kube::{Api, Error};
use serde_json::Value;

use super::discovery::{Discovery, Found};
use super::error;

/// The paths, as JSON pointers.
#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) struct ScalePaths {
    /// The steps to the count that is wanted.
    count: Vec<String>,
    status: String,
    selector: Option<String>,
}

/// What there is to know of how a kind is scaled.
#[derive(Debug)]
pub(crate) enum Scaling {
    By(ScalePaths),
    /// It has no subresource.
    None,
}

impl ScalePaths {
    /// Reads them from the version of a definition.
    fn of(definition: &Value, version: &str) -> Option<Self> {
        let versions = definition.pointer("/spec/versions")?.as_array()?;
        let named = |one: &&Value| one.get("name").and_then(Value::as_str) == Some(version);
        let scale = versions.iter().find(named)?.pointer("/subresources/scale")?;
        let path = |name: &str| scale.get(name).and_then(Value::as_str).filter(|path| !path.is_empty());
        let steps = path("specReplicasPath")?.split('.').filter(|step| !step.is_empty());
        Some(Self {
            count: steps.map(str::to_owned).collect(),
            status: pointer(path("statusReplicasPath")?),
            selector: path("labelSelectorPath").map(pointer),
        })
    }

    /// The way to the count that is wanted.
    pub(crate) fn steps(&self) -> impl Iterator<Item = &str> {
        self.count.iter().map(String::as_str)
    }

    /// Whether that is the way to the count.
    pub(crate) fn is_count(&self, steps: &[&str]) -> bool {
        self.count == steps
    }

    /// The count that is wanted.
    pub(crate) fn wanted(&self, object: &Value) -> Option<u64> {
        self.count.iter().try_fold(object, |value, step| value.get(step))?.as_u64()
    }

    /// The count that is there.
    pub(crate) fn present(&self, object: &Value) -> Option<u64> {
        object.pointer(&self.status)?.as_u64()
    }

    /// Which pods are meant, as it stands there.
    pub(crate) fn selector_text<'a>(&self, object: &'a Value) -> Option<&'a str> {
        object.pointer(self.selector.as_deref()?)?.as_str()
    }

    /// Which pods are meant.
    pub(crate) fn selector(&self, object: &Value) -> Option<LabelSelector> {
        LabelSelector::parse(self.selector_text(object)?)
    }
}

/// Only plain fields may stand in such a path.
fn pointer(path: &str) -> String {
    path.replace('.', "/")
}

impl Discovery {
    /// How the objects of a kind are scaled, as it is known, or else as the API server says.
    pub(crate) async fn scale(&self, kind: &Kind) -> Result<ScalePaths, CallError> {
        if let Some(paths) = self.known_scale(kind) {
            return Ok(paths);
        }
        let found = self.find(kind).await?;
        match self.ask_scale(kind, &found).await.map_err(error::sort)? {
            Scaling::By(paths) => Ok(paths),
            Scaling::None => {
                let Kind { api_version, kind } = kind;
                let problem =
                    format!("the kind {kind} of {api_version} has no subresource scale in this cluster");
                Err(CallError::Refused(format!("{problem}; install a definition that has one").into()))
            }
        }
    }

    /// Asks the API server, whatever is known.
    pub(crate) async fn ask_scale(&self, kind: &Kind, found: &Found) -> Result<Scaling, Error> {
        if !found.scalable {
            return Ok(Scaling::None);
        }
        let definitions = ApiResource {
            group: "apiextensions.k8s.io".to_owned(),
            version: "v1".to_owned(),
            api_version: "apiextensions.k8s.io/v1".to_owned(),
            kind: "CustomResourceDefinition".to_owned(),
            plural: "customresourcedefinitions".to_owned(),
        };
        let api: Api<DynamicObject> = Api::all_with(self.client(), &definitions);
        let name = format!("{}.{}", found.resource.plural, found.resource.group);
        // What another API server serves has none, and nobody says where its count is.
        let definition = api.get_opt(&name).await?;
        let paths = definition.and_then(|one| ScalePaths::of(&one.data, &found.resource.version));
        Ok(match paths {
            Some(paths) => {
                self.keep_scale(kind, &paths);
                Scaling::By(paths)
            }
            None => Scaling::None,
        })
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn definition(scale: Value) -> Value {
        json!({"spec": {"versions": [
            {"name": "v1", "subresources": {"status": {}}},
            {"name": "v2", "subresources": {"scale": scale}}]}})
    }

    #[test]
    fn the_definition_says_where_counts_and_selector_are() {
        let scale = json!({"specReplicasPath": ".spec.pool.size", "statusReplicasPath": ".status.members",
            "labelSelectorPath": ".status.selector"});
        let definition = definition(scale);
        let paths = ScalePaths::of(&definition, "v2").unwrap();
        let object = json!({"spec": {"pool": {"size": 3}}, "status": {"members": 2, "selector": "app=x,!y"}});
        assert_eq!((paths.wanted(&object), paths.present(&object)), (Some(3), Some(2)));
        assert_eq!(paths.selector(&object).unwrap().expressions.len(), 2);
        assert!(paths.is_count(&["spec", "pool", "size"]) && !paths.is_count(&["spec", "pool"]));
        assert_eq!((paths.wanted(&json!({})), paths.selector(&json!({}))), (None, None));
        assert_eq!(ScalePaths::of(&definition, "v1"), None, "another version has its own");
        assert_eq!(ScalePaths::of(&definition, "v3"), None);
    }

    #[test]
    fn a_scale_need_not_say_which_pods_are_meant() {
        let scale = json!({"specReplicasPath": ".spec.replicas", "statusReplicasPath": ".status.replicas"});
        let paths = ScalePaths::of(&definition(scale), "v2").unwrap();
        assert_eq!(paths.selector(&json!({"status": {"selector": "app=x"}})), None);
    }
}
