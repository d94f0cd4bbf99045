//! The kinds that are served: a fixed table, and what custom resource definitions add to it.

mod builtin;
pub(crate) mod custom;

use std::collections::BTreeMap;
use std::sync::{Arc, PoisonError, RwLock};

/// A resource as discovery describes it.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Kind {
    /// The API group; empty for the core.
    pub(crate) group: String,
    /// The served versions; the first is preferred, and the one that objects are kept in.
    pub(crate) versions: Vec<String>,
    /// The kind, such as `Deployment`.
    pub(crate) kind: String,
    /// The plural, such as `deployments`.
    pub(crate) plural: String,
    /// The singular, such as `deployment`.
    pub(crate) singular: String,
    /// Short names, such as `deploy`.
    pub(crate) short_names: Vec<String>,
    /// Categories, such as `all`.
    pub(crate) categories: Vec<String>,
    /// Whether objects live in namespaces.
    pub(crate) namespaced: bool,
    /// Whether `status` is a subresource of its own.
    pub(crate) status: bool,
    /// Where the replica counts are, when there is a `scale` subresource.
    pub(crate) scale: Option<ScalePaths>,
    /// Whether `metadata.generation` counts changes of what is wanted.
    pub(crate) generation: bool,
    /// The columns of a custom resource's table.
    pub(crate) columns: Vec<Column>,
    /// Whether a custom resource definition brought it.
    pub(crate) custom: bool,
    /// `plural.group`, or the plural alone in the core: how the store and messages call it.
    pub(crate) resource: Arc<str>,
}

/// Where a kind keeps what `scale` shows.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct ScalePaths {
    /// The wanted count.
    pub(crate) spec: Vec<String>,
    /// The observed count.
    pub(crate) status: Vec<String>,
    /// The selector: a text in a status, or a label selector in a spec.
    pub(crate) selector: Vec<String>,
}

/// A column that a custom resource definition asks for.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Column {
    /// The title.
    pub(crate) name: String,
    /// The type, such as `string` or `date`.
    pub(crate) kind: String,
    /// The path of the field.
    pub(crate) path: Vec<String>,
    /// Columns above 0 are shown by `-o wide` alone.
    pub(crate) priority: i64,
}

impl Kind {
    /// The preferred `apiVersion`.
    pub(crate) fn api_version(&self) -> String {
        self.api_version_as(self.versions.first().map_or("v1", String::as_str))
    }

    /// The `apiVersion` with `version`.
    pub(crate) fn api_version_as(&self, version: &str) -> String {
        if self.group.is_empty() { version.to_owned() } else { format!("{}/{version}", self.group) }
    }

    /// What the store calls `plural` in `group`.
    pub(crate) fn resource_name(group: &str, plural: &str) -> String {
        if group.is_empty() { plural.to_owned() } else { format!("{plural}.{group}") }
    }
}

/// All kinds that are served at the moment.
#[derive(Debug)]
pub(crate) struct Registry {
    kinds: RwLock<BTreeMap<Arc<str>, Arc<Kind>>>,
}

impl Registry {
    /// The built-in kinds.
    pub(crate) fn builtin() -> Self {
        let kinds =
            builtin::kinds().into_iter().map(|kind| (kind.resource.clone(), Arc::new(kind))).collect();
        Self { kinds: RwLock::new(kinds) }
    }

    /// The kind that `group`, `version` and `plural` name.
    pub(crate) fn find(&self, group: &str, version: &str, plural: &str) -> Option<Arc<Kind>> {
        let kind = self.get(&Kind::resource_name(group, plural))?;
        kind.versions.iter().any(|served| served == version).then_some(kind)
    }

    /// The kind that the store calls `resource`.
    pub(crate) fn get(&self, resource: &str) -> Option<Arc<Kind>> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        kinds.get(resource).cloned()
    }

    /// Every kind, in order of its resource name.
    pub(crate) fn all(&self) -> Vec<Arc<Kind>> {
        let kinds = self.kinds.read().unwrap_or_else(PoisonError::into_inner);
        kinds.values().cloned().collect()
    }

    /// Serves `kind` from now on. A built-in kind is never replaced; then this is false.
    pub(crate) fn add(&self, kind: Kind) -> bool {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        if kinds.get(&kind.resource).is_some_and(|old| !old.custom) {
            return false;
        }
        kinds.insert(kind.resource.clone(), Arc::new(kind));
        true
    }

    /// Serves the custom kind `resource` no longer.
    pub(crate) fn remove(&self, resource: &str) {
        let mut kinds = self.kinds.write().unwrap_or_else(PoisonError::into_inner);
        if kinds.get(resource).is_some_and(|kind| kind.custom) {
            kinds.remove(resource);
        }
    }
}
