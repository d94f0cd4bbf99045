//! Labels and what selects by them, as Kubernetes checks both.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::label;
use godwit_common::policy::limits::VALUES_MAX;
use godwit_common::selector::{LabelSelector, Labels, Requirement, Test};

use crate::field::{Field, Object};

/// The operators of a requirement.
const OPERATORS: [&str; 6] = ["In", "NotIn", "Exists", "DoesNotExist", "Gt", "Lt"];

/// The fields that say a label selector.
pub(crate) const SELECTOR_FIELDS: [&str; 2] = ["matchLabels", "matchExpressions"];

/// The label selector in an object's own fields `matchLabels` and `matchExpressions`.
pub(crate) fn selector(object: &Object<'_>) -> LabelSelector {
    let labels = object.mapping("matchLabels");
    let expressions = object.get("matchExpressions");
    let expressions = expressions.map(|field| field.items_up_to(VALUES_MAX)).unwrap_or_default();
    for values in expressions.iter().filter_map(|field| field.entry("values")) {
        values.has_up_to(VALUES_MAX);
    }
    LabelSelector {
        labels: labels.map(|labels| valid(labels.fields_up_to(VALUES_MAX))).unwrap_or_default(),
        expressions: expressions.iter().filter_map(requirement).collect(),
    }
}

/// Labels, each of them valid; others are reported.
pub(crate) fn read(labels: &Object<'_>) -> Labels {
    valid(labels.fields().collect())
}

fn valid(fields: Vec<(&str, Field<'_>)>) -> Labels {
    let mut read = Labels::new();
    for (key, field) in fields {
        let Some(text) = field.text() else { continue };
        if check_key(&field, key) && check_value(&field, text) {
            read.insert(key.into(), text.into());
        }
    }
    read
}

/// The requirements of a list; malformed ones are reported.
pub(crate) fn requirements(field: &Field<'_>) -> Vec<Requirement> {
    field.items().iter().filter_map(requirement).collect()
}

/// Distinct values of labels, such as regions; an empty list would mean "any" where its author meant "none".
pub(crate) fn values(field: &Field<'_>) -> BTreeSet<Arc<str>> {
    let mut values = BTreeSet::new();
    for item in filled(field, VALUES_MAX) {
        let Some(text) = item.text() else { continue };
        if text.is_empty() {
            item.refuse("the text is empty", "write a value, or remove it");
        } else if check_value(&item, text) && !values.insert(text.into()) {
            item.refuse(format!("{text} is listed twice"), "remove one of the two");
        }
    }
    values
}

/// The items of a list, which must have some, and at most so many.
pub(crate) fn filled<'a>(field: &Field<'a>, max: usize) -> Vec<Field<'a>> {
    let (before, items) = (field.mistakes(), field.items_up_to(max));
    if items.is_empty() && field.mistakes() == before {
        field.refuse("the list is empty", "list what is meant, or remove the field");
    }
    items
}

/// Whether a text may be the key of a label; it is reported if not.
pub(crate) fn check_key(field: &Field<'_>, key: &str) -> bool {
    label::check_key(key).map_err(|error| field.refuse(error.to_string(), "correct it")).is_ok()
}

/// Whether a text may be the value of a label; it is reported if not.
pub(crate) fn check_value(field: &Field<'_>, value: &str) -> bool {
    label::check_value(value).map_err(|error| field.refuse(error.to_string(), "correct it")).is_ok()
}

fn requirement(field: &Field<'_>) -> Option<Requirement> {
    let expression = field.object()?;
    expression.only(&["key", "operator", "values"]);
    let key = expression.require("key", "name the label");
    let operator = expression.require("operator", "write one, such as operator: In");
    let (key, operator) = (key?, operator?);
    let text = key.text().filter(|text| check_key(&key, text))?;
    let operator = operator.choice(&OPERATORS.map(|operator| (operator, operator)))?;
    let values = expression.get("values");
    let test = test(values.as_ref().unwrap_or(field), operator, values.as_ref())?;
    Some(Requirement { key: text.into(), test })
}

/// The test of an operator and its values; `at` is where mistakes of both belong.
pub(crate) fn test(at: &Field<'_>, operator: &str, values: Option<&Field<'_>>) -> Option<Test> {
    let items = values.map(Field::items).unwrap_or_default();
    let mut texts: Vec<Arc<str>> = Vec::new();
    for item in &items {
        // A bound below zero is a number, but not a label's value.
        let is_bound = matches!(operator, "Gt" | "Lt");
        texts.push(item.text().filter(|text| is_bound || check_value(item, text))?.into());
    }
    Test::new(operator, &texts).map_err(|error| at.refuse_as_said(&error.to_string())).ok()
}
