//! A policy's strategy, with what belongs to it: tiers and constraints.

use godwit_common::policy::{GroupBy, REPLICAS_MAX, SpreadConstraint, SpreadError, Strategy, Tiers};

use super::check::{bounded, list, one_of, word};
use super::{SPREAD_MAX, TIERS_MAX, selector};
use crate::field::FieldError;
use crate::v1;

const NAMES: [&str; 6] = ["weighted", "capacity", "spread", "pack", "ordered", "duplicate"];
const WAITS: &str = "DoNotSchedule";
const ANYWAY: &str = "ScheduleAnyway";

/// Fills in what of a spec says the strategy.
pub(super) fn to_wire(strategy: &Strategy, spec: &mut v1::PolicySpec) {
    let tiers = strategy.tiers().map_or(&[][..], Tiers::selectors);
    spec.strategy = strategy.name().to_owned();
    spec.tiers = tiers.iter().map(selector::to_wire).collect();
    spec.spread = strategy.constraints().iter().map(constraint_to_wire).collect();
}

/// The strategy of a spec. What does not belong to it is refused.
pub(super) fn from_wire(spec: &v1::PolicySpec) -> Result<Strategy, FieldError> {
    let strategy = match one_of("strategy", &spec.strategy, &NAMES)? {
        "capacity" => Strategy::Capacity,
        "spread" => Strategy::Spread(list("spread", &spec.spread, SPREAD_MAX, constraint_from_wire)?),
        "pack" => Strategy::Pack,
        "ordered" => Strategy::Ordered(tiers(&spec.tiers)?),
        "duplicate" => Strategy::Duplicate,
        _ => Strategy::Weighted,
    };
    let refuse = |field: &str, what, by| {
        let problem = format!("{} has no {what}: leave them out, or write {by}", strategy.name());
        Err(FieldError::new(field, problem))
    };
    if strategy.tiers().is_none() && !spec.tiers.is_empty() {
        return refuse("tiers", "tiers", "ordered");
    }
    if !matches!(strategy, Strategy::Spread(_)) && !spec.spread.is_empty() {
        return refuse("spread", "constraints", "spread");
    }
    Ok(strategy)
}

fn tiers(wire: &[v1::ClusterSelector]) -> Result<Tiers, FieldError> {
    let selectors = list("tiers", wire, TIERS_MAX, selector::from_wire)?;
    Tiers::new(selectors).map_err(|error| FieldError::new("tiers", error))
}

fn constraint_to_wire(constraint: &SpreadConstraint) -> v1::SpreadConstraint {
    let SpreadConstraint { by, min_groups, max_groups, max_skew, soft } = constraint;
    v1::SpreadConstraint {
        by: by.as_str().to_owned(),
        min_groups: *min_groups,
        max_groups: *max_groups,
        max_skew: *max_skew,
        when_unsatisfiable: if *soft { ANYWAY } else { WAITS }.to_owned(),
    }
}

fn constraint_from_wire(wire: &v1::SpreadConstraint) -> Result<SpreadConstraint, FieldError> {
    let number = |field: &str, value: Option<u32>| match value {
        Some(0) => Err(FieldError::new(field, SpreadError::Zero)),
        Some(value) => bounded(field, value, REPLICAS_MAX).map(Some),
        None => Ok(None),
    };
    let when = one_of("when_unsatisfiable", &wire.when_unsatisfiable, &[WAITS, ANYWAY])?;
    let constraint = SpreadConstraint {
        by: GroupBy::from(&*word("by", &wire.by)?),
        min_groups: number("min_groups", wire.min_groups)?,
        max_groups: number("max_groups", wire.max_groups)?,
        max_skew: number("max_skew", wire.max_skew)?,
        soft: when == ANYWAY,
    };
    constraint.check().map_err(|error| FieldError::new("", error))?;
    Ok(constraint)
}
