//! What an application needs of a cluster and does not bring along.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{Need, ObjectKey, WorkloadKind};

use crate::catalog;
use crate::error::{Collector, ManifestError};
use crate::field::Field;
use crate::model::{Dependent, Workload};
use crate::node::{Data, Node};
use crate::references;

/// The most needs of one workload. An agent looks at each of them in its cluster, for every workload that comes.
pub const MAX_NEEDS: usize = 64;

/// What the dependents of an application need and bring.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    needs: BTreeSet<Need>,
    /// Group and kind of the definitions that it brings, and whether they have a subresource `scale` in each version.
    defined: BTreeMap<(String, String), bool>,
}

impl Needs {
    /// Takes note of a dependent that was read from `field`.
    pub(crate) fn note(&mut self, dependent: &Dependent, field: &Field<'_>) {
        let key = &dependent.key;
        self.needs.extend(references::of_dependent(field, key));
        if !catalog::is_built_in(catalog::group_of(&key.api_version)) {
            let (api_version, kind) = (key.api_version.clone(), key.kind.clone());
            self.needs.insert(Need::Kind { api_version, kind });
        }
        if &*key.kind == "CustomResourceDefinition" {
            self.defined.extend(definition(field));
        }
    }

    /// Gives each workload its needs: its own and those of the dependents, but for what the application brings. Each
    /// workload comes with an error about it that lacks the problem.
    pub(crate) fn settle(
        self,
        workloads: &mut [(Workload, ManifestError)],
        brings: impl Fn(&ObjectKey) -> bool,
        errors: &mut Collector,
    ) {
        let defined = |api_version: &str, kind: &str| {
            self.defined.get(&(catalog::group_of(api_version).to_owned(), kind.to_owned()))
        };
        let is_open = |need: &Need| match need {
            Need::Kind { api_version, kind } | Need::Scalable { api_version, kind } => {
                defined(api_version, kind).is_none()
            }
            Need::Object(key) | Need::Given(key) => !brings(key),
        };
        for (workload, error) in workloads {
            let kind = &workload.object;
            if WorkloadKind::of_name(&kind.kind).is_none()
                && defined(&kind.api_version, &kind.kind) == Some(&false)
            {
                errors.push(not_scalable(error.clone(), &kind.kind));
            }
            let own = std::mem::take(&mut workload.needs);
            let all: BTreeSet<Need> = own.into_iter().chain(self.needs.iter().cloned()).collect();
            workload.needs = all.into_iter().filter(&is_open).collect();
            if workload.needs.len() > MAX_NEEDS {
                errors.push(too_many(error.clone(), &workload.needs));
            }
        }
    }
}

fn not_scalable(error: ManifestError, kind: &str) -> ManifestError {
    ManifestError {
        problem: format!("the definition of {kind} that comes along has no subresource scale"),
        remedy: "write spec.versions[].subresources.scale into the definition".to_owned(),
        ..error
    }
}

fn too_many(error: ManifestError, needs: &[Need]) -> ManifestError {
    let first = needs.first().map(|need| format!(", {need} among them")).unwrap_or_default();
    ManifestError {
        problem: format!(
            "it needs {} kinds and objects that the application does not bring{first}",
            needs.len()
        ),
        remedy: format!("bring some of them along, so that at most {MAX_NEEDS} are left"),
        ..error
    }
}

/// Group and kind that a CustomResourceDefinition defines, and whether each version of it has a subresource `scale`; a
/// malformed one is for the clusters to refuse.
fn definition(field: &Field<'_>) -> Option<((String, String), bool)> {
    let spec = field.node.get("spec")?;
    let group = spec.get("group")?.as_text()?;
    let kind = spec.get("names")?.get("kind")?.as_text()?;
    let has_scale = |version: &Node| version.get("subresources").and_then(|all| all.get("scale")).is_some();
    let scales = match spec.get("versions").map(|versions| &versions.data) {
        Some(Data::List(versions)) => versions.iter().all(has_scale),
        Some(Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) | Data::Map(_)) | None => false,
    };
    Some(((group.to_owned(), kind.to_owned()), scales))
}
