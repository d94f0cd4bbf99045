//! Reporting what is wrong with a policy that could be read, each mistake under its own field.

use godwit_common::policy::{Mistake, Place, Step};

use crate::field::{Field, Object};

/// Reports mistakes, but for those that may come of what could not be read, and was reported then.
pub(super) fn refuse(spec: &Object<'_>, mistakes: Vec<Mistake>) {
    let found = mistakes.into_iter().map(|mistake| (find(spec, &mistake.place), mistake));
    // Before any is reported: one is no cause of the others.
    let clear: Vec<(Found<'_>, Mistake)> = found.filter(|(found, _)| !found.sure.has_mistakes()).collect();
    for (Found { field, .. }, Mistake { problem, remedy, .. }) in clear {
        field.refuse(problem, remedy);
    }
}

/// Where a mistake belongs.
struct Found<'a> {
    /// The field.
    field: Field<'a>,
    /// The innermost field around it that is the right one even if something in it could not be read: numbers of items
    /// are only right if all items are there.
    sure: Field<'a>,
}

fn find<'a>(spec: &Object<'a>, place: &Place) -> Found<'a> {
    let mut field = spec.at.clone();
    let mut sure = None;
    for step in &place.0 {
        let next = match step {
            Step::Field(name) => field.entry(name),
            Step::Entry(key) => field.entry(key),
            Step::Item(index) => {
                sure.get_or_insert_with(|| field.clone());
                field.item(|item, _| item == *index)
            }
            Step::Value(text) => {
                sure.get_or_insert_with(|| field.clone());
                field.item(|_, node| node.as_text() == Some(text))
            }
        };
        // What is left out is wrong where it should be, and a list of names is a selector by names.
        field = next.unwrap_or(field);
    }
    let sure = sure.unwrap_or_else(|| field.clone());
    Found { field, sure }
}
