//! Reading which clusters: a `clusterSelector`, a tier, a group of a fallback.

use std::collections::BTreeSet;

use godwit_common::ClusterName;
use godwit_common::policy::ClusterSelector;

use super::CLUSTERS_MAX;
use crate::field::Field;
use crate::labels;
use crate::node::Data;

const FIELDS: [&str; 7] =
    ["names", "exclude", "matchLabels", "matchExpressions", "regions", "zones", "providers"];

/// A mapping of conditions; after a mistake, which is reported, those that could be read.
pub(super) fn read(field: &Field<'_>) -> Option<ClusterSelector> {
    conditions(field, &mut BTreeSet::new(), "remove one of the two")
}

/// A tier: a list of names, or a mapping of conditions. `named` are the clusters of the tiers before it.
pub(super) fn tier(field: &Field<'_>, named: &mut BTreeSet<ClusterName>) -> Option<ClusterSelector> {
    let empty = ("the tier is empty", "remove it, or name a cluster");
    list_or_conditions(field, named, "leave it in one tier", empty)
}

/// A group of a fallback: a list of names, or a mapping of conditions.
pub(super) fn group(field: &Field<'_>) -> Option<ClusterSelector> {
    let empty = ("the group is empty", "name a cluster, or write {} for all clusters that are left");
    list_or_conditions(field, &mut BTreeSet::new(), "remove one of the two", empty)
}

fn list_or_conditions(
    field: &Field<'_>,
    named: &mut BTreeSet<ClusterName>,
    twice: &str,
    (empty, remedy): (&str, &str),
) -> Option<ClusterSelector> {
    match &field.node.data {
        Data::List(items) if items.is_empty() => {
            field.refuse(empty, remedy);
            None
        }
        Data::List(_) => Some(ClusterSelector::of_names(names(field, named, twice))),
        Data::Map(_) => conditions(field, named, twice),
        Data::Null | Data::Bool(_) | Data::Number(_) | Data::Text(_) => {
            field.refuse_value("a list of clusters, or a mapping such as {regions: [eu]}");
            None
        }
    }
}

fn conditions(field: &Field<'_>, named: &mut BTreeSet<ClusterName>, twice: &str) -> Option<ClusterSelector> {
    let object = field.object()?;
    object.only(&FIELDS);
    let values = |key| object.get(key).map(|field| labels::values(&field)).unwrap_or_default();
    Some(ClusterSelector {
        names: object.get("names").map(|field| names(&field, named, twice)).unwrap_or_default(),
        exclude: object
            .get("exclude")
            .map(|field| names(&field, &mut BTreeSet::new(), "remove one of the two"))
            .unwrap_or_default(),
        labels: labels::selector(&object),
        regions: values("regions"),
        zones: values("zones"),
        providers: values("providers"),
    })
}

/// The names of clusters in a list, none of which is among `named` before.
fn names(field: &Field<'_>, named: &mut BTreeSet<ClusterName>, twice: &str) -> BTreeSet<ClusterName> {
    let mut names = BTreeSet::new();
    for item in labels::filled(field) {
        let Some(text) = item.text() else { continue };
        match text.parse::<ClusterName>() {
            Ok(name) if named.insert(name.clone()) => {
                names.insert(name);
            }
            Ok(name) => item.refuse(format!("{name} is named twice"), twice),
            Err(error) => item.refuse(error.to_string(), "write the name of a cluster"),
        }
        if names.len() > CLUSTERS_MAX {
            field.refuse(format!("there are more than {CLUSTERS_MAX} clusters"), "name fewer");
            break;
        }
    }
    names
}
