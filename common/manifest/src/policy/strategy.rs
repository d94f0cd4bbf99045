//! Reading a policy's strategy, and what goes with it.

use godwit_common::policy::limits::TIERS_MAX;
use godwit_common::policy::{Strategy, StrategyKind, Tiers};

use super::{mistakes, selector, spread};
use crate::field::Object;
use crate::node::Data;

/// The field that said the skew before constraints had a list of their own.
pub(super) const RETIRED_SKEW: &str = "maxSkew";

/// The strategy; none after a mistake that leaves it open, which is reported.
pub(super) fn read(spec: &Object<'_>) -> Option<Strategy> {
    if let Some(skew) = spec.get(RETIRED_SKEW) {
        let number = match &skew.node.data {
            Data::Number(number) => number.to_string(),
            Data::Null | Data::Bool(_) | Data::Text(_) | Data::List(_) | Data::Map(_) => "N".to_owned(),
        };
        let remedy = format!("write spread: [{{by: cluster, maxSkew: {number}}}]");
        skew.refuse("a skew is part of a constraint of the strategy spread", remedy);
    }
    let kind = match spec.get("strategy") {
        None => StrategyKind::default(),
        Some(field) => field.choice(&StrategyKind::ALL.map(|kind| (kind.name(), kind)))?,
    };
    let (tiers, spread) = (spec.get("tiers"), spec.get("spread"));
    if let (Some(tiers), false) = (&tiers, kind == StrategyKind::Ordered) {
        tiers.refuse("only the strategy ordered has tiers", "remove them, or write strategy: ordered");
    }
    if let (Some(spread), false) = (&spread, kind == StrategyKind::Spread) {
        spread.refuse("only the strategy spread has constraints", "remove them, or write strategy: spread");
    }
    Some(match kind {
        StrategyKind::Weighted => Strategy::Weighted,
        StrategyKind::Capacity => Strategy::Capacity,
        StrategyKind::Spread => {
            Strategy::Spread(spread.map(|field| spread::read(&field)).unwrap_or_default())
        }
        StrategyKind::Pack => Strategy::Pack,
        StrategyKind::Ordered => Strategy::Ordered(tiers_of(spec)?),
        StrategyKind::Duplicate => Strategy::Duplicate,
    })
}

/// The tiers; none after a mistake, which is reported.
fn tiers_of(spec: &Object<'_>) -> Option<Tiers> {
    let field = spec.require("tiers", Tiers::REMEDY)?;
    let empty = ("the tier is empty", "remove it, or name a cluster");
    let before = field.mistakes();
    let items = field.items_up_to(TIERS_MAX);
    let tiers = items.iter().filter_map(|tier| selector::names_or_conditions(tier, empty)).collect();
    if field.mistakes() > before {
        return None;
    }
    Tiers::new(tiers).map_err(|mistake| mistakes::refuse(spec, vec![mistake])).ok()
}
