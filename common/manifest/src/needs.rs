//! What an application needs of a cluster and does not bring along.

use std::collections::BTreeSet;

use godwit_common::{Need, ObjectKey};

use crate::catalog;
use crate::error::{Collector, ManifestError};
use crate::field::Field;
use crate::model::{Dependent, Workload};
use crate::references;

/// The most needs of one workload. An agent looks at each of them in its cluster, for every workload that comes.
pub const MAX_NEEDS: usize = 64;

/// What the dependents of an application need and bring.
#[derive(Debug, Default)]
pub(crate) struct Needs {
    needs: BTreeSet<Need>,
    /// Group and kind of the definitions that it brings.
    defined: BTreeSet<(String, String)>,
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
        let is_open = |need: &Need| match need {
            Need::Kind { api_version, kind } => {
                let group = catalog::group_of(api_version).to_owned();
                !self.defined.contains(&(group, kind.to_string()))
            }
            Need::Object(key) => !brings(key),
        };
        for (workload, error) in workloads {
            let own = std::mem::take(&mut workload.needs);
            let all: BTreeSet<Need> = own.into_iter().chain(self.needs.iter().cloned()).collect();
            workload.needs = all.into_iter().filter(&is_open).collect();
            if workload.needs.len() > MAX_NEEDS {
                errors.push(too_many(error.clone(), &workload.needs));
            }
        }
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

/// Group and kind that a CustomResourceDefinition defines; a malformed one is for the clusters to refuse.
fn definition(field: &Field<'_>) -> Option<(String, String)> {
    let spec = field.node.get("spec")?;
    let group = spec.get("group")?.as_text()?;
    let kind = spec.get("names")?.get("kind")?.as_text()?;
    Some((group.to_owned(), kind.to_owned()))
}
