//! Reading the constraints of the strategy `spread`.

use std::collections::BTreeSet;

use godwit_common::policy::{GroupBy, REPLICAS_MAX, SpreadConstraint};

use crate::field::{Field, Object};
use crate::labels;

/// The most constraints: cluster, zone, region and provider. Each nests in the one before.
const CONSTRAINTS_MAX: usize = 4;

/// The constraints; malformed ones are reported.
pub(super) fn read(field: &Field<'_>) -> Vec<SpreadConstraint> {
    let mut seen = BTreeSet::new();
    let mut constraints = Vec::new();
    for item in field.items_up_to(CONSTRAINTS_MAX) {
        let Some(constraint) = constraint(&item) else { continue };
        if !seen.insert(constraint.by.clone()) {
            let problem = format!("there are two constraints by {}", constraint.by.as_str());
            item.refuse(problem, "make one of the two");
        }
        constraints.push(constraint);
    }
    constraints
}

fn constraint(field: &Field<'_>) -> Option<SpreadConstraint> {
    let object = field.object()?;
    object.only(&["by", "maxGroups", "maxSkew", "minGroups", "whenUnsatisfiable"]);
    let before = field.mistakes();
    let by = object.require("by", "write cluster, zone, region, provider or the key of a label");
    let bound = |key| at_least_one(&object, key);
    let (min_groups, max_groups, max_skew) = (bound("minGroups"), bound("maxGroups"), bound("maxSkew"));
    let soft = object
        .get("whenUnsatisfiable")
        .and_then(|field| field.choice(&[("DoNotSchedule", false), ("ScheduleAnyway", true)]));
    let by = by?;
    let key = by.text().filter(|text| labels::check_key(&by, text))?;
    let soft = soft.unwrap_or(false);
    let constraint = SpreadConstraint { by: GroupBy::from(key), min_groups, max_groups, max_skew, soft };
    if field.mistakes() == before
        && let Err(error) = constraint.check()
    {
        field.refuse_as_said(&error.to_string());
    }
    Some(constraint)
}

fn at_least_one(object: &Object<'_>, key: &str) -> Option<u32> {
    let number = object.get(key)?.integer(1, i64::from(REPLICAS_MAX))?;
    u32::try_from(number).ok()
}
