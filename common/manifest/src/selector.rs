//! Label selectors, which must choose the pods of their own template.

use std::collections::BTreeMap;

use crate::field::Field;

type Labels<'a> = BTreeMap<&'a str, &'a str>;

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Operator {
    In,
    NotIn,
    Exists,
    DoesNotExist,
}

/// Checks that a workload's selector chooses something, and the pods of its own template at that.
pub(crate) fn check(selector: &Field<'_>, labels: &Labels<'_>) {
    let Some(object) = selector.object() else {
        return;
    };
    object.only(&["matchLabels", "matchExpressions"]);
    let mut terms = 0;
    if let Some(wanted) = object.get("matchLabels").and_then(|field| field.object()) {
        for (key, value) in wanted.texts() {
            terms += 1;
            if labels.get(key) != Some(&value) {
                let problem = format!("the template's labels have no {key}: {value}");
                wanted.at.refuse(problem, "give the template the labels that the selector asks for");
            }
        }
    }
    for expression in object.get("matchExpressions").iter().flat_map(Field::items) {
        terms += 1;
        if matches(&expression, labels) == Some(false) {
            expression.refuse(
                "the template's labels do not match this",
                "give the template the labels that the selector asks for",
            );
        }
    }
    if terms == 0 {
        selector.refuse("it chooses nothing", "write matchLabels with the template's labels");
    }
}

/// Whether an expression holds for the labels; `None` if it is malformed, which is reported.
fn matches(field: &Field<'_>, labels: &Labels<'_>) -> Option<bool> {
    let expression = field.object()?;
    expression.only(&["key", "operator", "values"]);
    let key = expression.require("key", "name the label")?.text()?;
    let operator = expression.require("operator", "write In, NotIn, Exists or DoesNotExist")?.choice(&[
        ("In", Operator::In),
        ("NotIn", Operator::NotIn),
        ("Exists", Operator::Exists),
        ("DoesNotExist", Operator::DoesNotExist),
    ])?;
    let items = expression.get("values").map(|field| field.items()).unwrap_or_default();
    let values: Vec<&str> = items.iter().filter_map(Field::text).collect();
    let label = labels.get(key);
    let listed = label.is_some_and(|label| values.contains(label));
    Some(match operator {
        Operator::In => listed,
        Operator::NotIn => !listed,
        Operator::Exists => label.is_some(),
        Operator::DoesNotExist => label.is_none(),
    })
}
