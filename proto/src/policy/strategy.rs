//! A policy's strategy, with what belongs to it: tiers and constraints.

use godwit_common::policy::limits::{SPREAD_MAX, TIERS_MAX};
use godwit_common::policy::{GroupBy, SpreadConstraint, Strategy, StrategyKind, Tiers};

use super::check::{list, one_of};
use super::selector;
use crate::field::FieldError;
use crate::v1;

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
    let kinds = StrategyKind::ALL.map(|kind| (kind.name(), kind));
    let strategy = match one_of("strategy", &spec.strategy, &kinds)? {
        StrategyKind::Weighted => Strategy::Weighted,
        StrategyKind::Capacity => Strategy::Capacity,
        StrategyKind::Spread => {
            Strategy::Spread(list("spread", &spec.spread, SPREAD_MAX, constraint_from_wire)?)
        }
        StrategyKind::Pack => Strategy::Pack,
        StrategyKind::Ordered => Strategy::Ordered(tiers(&spec.tiers)?),
        StrategyKind::Duplicate => Strategy::Duplicate,
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
    Tiers::new(selectors).map_err(FieldError::from)
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
    Ok(SpreadConstraint {
        by: GroupBy::from(wire.by.as_str()),
        min_groups: wire.min_groups,
        max_groups: wire.max_groups,
        max_skew: wire.max_skew,
        soft: one_of("when_unsatisfiable", &wire.when_unsatisfiable, &[(WAITS, false), (ANYWAY, true)])?,
    })
}
