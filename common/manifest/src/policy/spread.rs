//! Reading the constraints of the strategy `spread`.

use godwit_common::policy::limits::SPREAD_MAX;
use godwit_common::policy::{GroupBy, REPLICAS_MAX, SpreadConstraint};

use crate::field::{Field, Object};

/// The constraints; malformed ones are reported.
pub(super) fn read(field: &Field<'_>) -> Vec<SpreadConstraint> {
    field.items_up_to(SPREAD_MAX).iter().filter_map(constraint).collect()
}

fn constraint(field: &Field<'_>) -> Option<SpreadConstraint> {
    let object = field.object()?;
    object.only(&["by", "maxGroups", "maxSkew", "minGroups", "whenUnsatisfiable"]);
    let by = object.require("by", "write cluster, zone, region, provider or the key of a label");
    let bound = |key| at_least_one(&object, key);
    let (min_groups, max_groups, max_skew) = (bound("minGroups"), bound("maxGroups"), bound("maxSkew"));
    let soft = object
        .get("whenUnsatisfiable")
        .and_then(|field| field.choice(&[("DoNotSchedule", false), ("ScheduleAnyway", true)]));
    let by = GroupBy::from(by?.text()?);
    Some(SpreadConstraint { by, min_groups, max_groups, max_skew, soft: soft.unwrap_or(false) })
}

fn at_least_one(object: &Object<'_>, key: &str) -> Option<u32> {
    let number = object.get(key)?.integer(1, i64::from(REPLICAS_MAX))?;
    u32::try_from(number).ok()
}
