//! Reading policies.

use std::cell::RefCell;
use std::collections::BTreeSet;

use godwit_common::PolicyName;
use godwit_common::policy::Policy;

use crate::error::{Collector, ManifestErrors};
use crate::field::{Field, Object};
use crate::godwit::{self, Kind};
use crate::policy::{self, PolicySpec, Spec};
use crate::source::{self, Document};

/// Reads policies: YAML or JSON, one policy a document, at least one, and no two of one name. What a policy leaves out
/// has its default in the result. All mistakes are reported together, up to a limit.
pub fn parse_policies(text: &str) -> Result<Vec<PolicySpec>, ManifestErrors> {
    let errors = RefCell::new(Collector::default());
    let documents = source::read(text, &errors);
    let mut names = BTreeSet::new();
    let mut policies = Vec::new();
    for document in &documents {
        if let Some(policy) = read(document, &errors, &mut names) {
            policies.push(policy);
        }
    }
    let mut errors = errors.into_inner();
    if errors.is_empty() && policies.is_empty() {
        errors.push(source::whole_text("the text is empty", "write at least one policy"));
    }
    errors.finish(policies)
}

fn read(
    document: &Document,
    errors: &RefCell<Collector>,
    names: &mut BTreeSet<PolicyName>,
) -> Option<PolicySpec> {
    let report = godwit::report(errors, document);
    let field = Field::root(&document.root, String::new(), &report);
    let object = field.object()?;
    godwit::check_type(&object, Kind::Policy)?;
    object.only(&["apiVersion", "kind", "metadata", "spec"]);
    let name = name_of(&object, names);
    let spec = object.require("spec", "say how to divide")?.object()?;
    let Spec { placement, lost_after } = policy::read(&spec, Policy::check);
    Some(PolicySpec { name: name?, placement, lost_after })
}

fn name_of(object: &Object<'_>, names: &mut BTreeSet<PolicyName>) -> Option<PolicyName> {
    let metadata = object.require("metadata", "write one with a name")?.object()?;
    metadata.only(&["name", "labels", "annotations"]);
    let field = metadata.require("name", "give the policy a name")?;
    match field.text()?.parse::<PolicyName>() {
        Ok(name) if names.insert(name.clone()) => Some(name),
        Ok(name) => {
            field.refuse(format!("there is already a policy {name}"), "remove one of the two, or rename it");
            None
        }
        Err(error) => {
            field.refuse(error.to_string(), "choose another name");
            None
        }
    }
}
