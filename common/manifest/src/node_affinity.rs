//! Which nodes a pod asks for, beyond its node selector.

use godwit_common::pod::NODE_NAME;
use godwit_common::selector::{LabelSelector, Requirement, Test};

use crate::field::{Field, Object};
use crate::labels;

/// The terms of a pod's required node affinity. What is only preferred, and what is said about other pods, is for the
/// scheduler of each cluster and passes through unread.
pub(crate) fn read(spec: &Object<'_>) -> Vec<LabelSelector> {
    let required = spec
        .mapping("affinity")
        .and_then(|affinity| affinity.mapping("nodeAffinity"))
        .and_then(|nodes| nodes.mapping("requiredDuringSchedulingIgnoredDuringExecution"));
    let Some(required) = required else {
        return Vec::new();
    };
    required.only(&["nodeSelectorTerms"]);
    let Some(terms) = required.require("nodeSelectorTerms", "list what a node must be like") else {
        return Vec::new();
    };
    labels::filled(&terms, usize::MAX).iter().filter_map(term).collect()
}

/// A term; an empty one admits no node, as in Kubernetes.
fn term(field: &Field<'_>) -> Option<LabelSelector> {
    let term = field.object()?;
    term.only(&["matchExpressions", "matchFields"]);
    let mut expressions =
        term.get("matchExpressions").map(|field| labels::requirements(&field)).unwrap_or_default();
    if let Some(fields) = term.get("matchFields") {
        expressions.extend(fields.items().iter().filter_map(node_name));
    }
    Some(LabelSelector { expressions, ..LabelSelector::default() })
}

/// The name is the only field of a node that Kubernetes matches.
fn node_name(field: &Field<'_>) -> Option<Requirement> {
    let expression = field.object()?;
    expression.only(&["key", "operator", "values"]);
    let key = expression.require("key", "write metadata.name")?;
    key.choice(&[(NODE_NAME, ())])?;
    let operator = expression.require("operator", "write In or NotIn")?;
    let operator = operator.choice(&[("In", "In"), ("NotIn", "NotIn")])?;
    let values = expression.require("values", "write the name of one node")?;
    let items = values.items();
    let [name] = items.as_slice() else {
        values.refuse(format!("there are {} names", items.len()), "write the name of one node");
        return None;
    };
    let test = Test::new(operator, &[name.text()?.into()]);
    let test = test.map_err(|error| values.refuse_as_said(&error.to_string())).ok()?;
    Some(Requirement { key: NODE_NAME.into(), test })
}
