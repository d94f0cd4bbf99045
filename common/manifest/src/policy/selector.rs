//! Reading which clusters: a `clusterSelector`, a tier, a group of a fallback.

use std::collections::BTreeSet;

use godwit_common::ClusterName;
use godwit_common::policy::ClusterSelector;
use godwit_common::policy::limits::CLUSTERS_MAX;

use crate::field::Field;
use crate::labels;
use crate::node::Data;

const FIELDS: [&str; 7] =
    ["names", "exclude", "matchLabels", "matchExpressions", "regions", "zones", "providers"];

/// A mapping of conditions; after a mistake, which is reported, those that could be read.
pub(super) fn read(field: &Field<'_>) -> Option<ClusterSelector> {
    let object = field.object()?;
    object.only(&FIELDS);
    let values = |key| object.get(key).map(|field| labels::values(&field)).unwrap_or_default();
    let names = |key| object.get(key).map(|field| names(&field)).unwrap_or_default();
    Some(ClusterSelector {
        names: names("names"),
        exclude: names("exclude"),
        labels: labels::selector(&object),
        regions: values("regions"),
        zones: values("zones"),
        providers: values("providers"),
    })
}

/// A tier, or a group of a fallback: a list of names, or a mapping of conditions. `empty` is what is wrong with a list of
/// none, and what to do about it.
pub(super) fn names_or_conditions(field: &Field<'_>, empty: (&str, &str)) -> Option<ClusterSelector> {
    match &field.node.data {
        Data::List(items) if items.is_empty() => {
            field.refuse(empty.0, empty.1);
            None
        }
        Data::List(_) => Some(ClusterSelector::of_names(names(field))),
        Data::Map(_) => read(field),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {
            field.refuse_value("a list of clusters, or a mapping such as {regions: [eu]}");
            None
        }
    }
}

/// The names of clusters in a list.
fn names(field: &Field<'_>) -> BTreeSet<ClusterName> {
    let mut names = BTreeSet::new();
    for item in labels::filled(field, CLUSTERS_MAX) {
        let Some(text) = item.text() else { continue };
        match text.parse::<ClusterName>() {
            Ok(name) => {
                if !names.insert(name) {
                    item.refuse(format!("{text} is listed twice"), "remove one of the two");
                }
            }
            Err(error) => item.refuse(error.to_string(), "write the name of a cluster"),
        }
    }
    names
}
