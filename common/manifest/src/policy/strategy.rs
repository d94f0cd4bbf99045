//! Reading a policy's strategy, and what goes with it.

use std::collections::BTreeSet;

use godwit_common::policy::{Strategy, Tiers};

use super::{CLUSTERS_MAX, selector, spread};
use crate::field::{Field, Object};
use crate::node::Data;

/// The most tiers: each cluster is looked for in one after the other.
const TIERS_MAX: usize = 64;

/// The field that said the skew before constraints had a list of their own.
pub(super) const RETIRED_SKEW: &str = "maxSkew";

/// The word alone; what belongs to it is read after it is known.
#[derive(Clone, Copy)]
enum Word {
    Weighted,
    Capacity,
    Spread,
    Pack,
    Ordered,
    Duplicate,
}

const WORDS: [(&str, Word); 6] = [
    ("weighted", Word::Weighted),
    ("capacity", Word::Capacity),
    ("spread", Word::Spread),
    ("pack", Word::Pack),
    ("ordered", Word::Ordered),
    ("duplicate", Word::Duplicate),
];
/// How tiers are written.
const TIERS_REMEDY: &str = "list the clusters to fill first, then the next, such as [[a, b], [c]]";

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
    let word = match spec.get("strategy") {
        None => Word::Weighted,
        Some(field) => field.choice(&WORDS)?,
    };
    let (tiers, spread) = (spec.get("tiers"), spec.get("spread"));
    if let (Some(tiers), false) = (&tiers, matches!(word, Word::Ordered)) {
        tiers.refuse("only the strategy ordered has tiers", "remove them, or write strategy: ordered");
    }
    if let (Some(spread), false) = (&spread, matches!(word, Word::Spread)) {
        spread.refuse("only the strategy spread has constraints", "remove them, or write strategy: spread");
    }
    if let (Some(fallback), Word::Duplicate) = (spec.get("fallback"), word) {
        fallback.refuse(
            "with duplicate every chosen cluster runs the full number, so nothing falls back",
            "remove it, or choose another strategy",
        );
    }
    Some(match word {
        Word::Weighted => Strategy::Weighted,
        Word::Capacity => Strategy::Capacity,
        Word::Spread => Strategy::Spread(spread.map(|field| spread::read(&field)).unwrap_or_default()),
        Word::Pack => Strategy::Pack,
        Word::Ordered => Strategy::Ordered(tiers_of(&spec.require("tiers", TIERS_REMEDY)?)?),
        Word::Duplicate => Strategy::Duplicate,
    })
}

/// The tiers; none after a mistake, which is reported.
fn tiers_of(field: &Field<'_>) -> Option<Tiers> {
    let before = field.mistakes();
    let items = field.items_up_to(TIERS_MAX);
    if items.is_empty() && field.mistakes() == before {
        field.refuse("there are no tiers", TIERS_REMEDY);
    }
    let mut named = BTreeSet::new();
    let mut tiers = Vec::new();
    for tier in &items {
        let own = tier.mistakes();
        let Some(selector) = selector::tier(tier, &mut named) else { continue };
        if selector.is_empty() && tier.mistakes() == own {
            tier.refuse("the tier is empty", "remove it, or name a cluster");
        }
        tiers.push(selector);
        if named.len() > CLUSTERS_MAX {
            field.refuse(format!("there are more than {CLUSTERS_MAX} clusters"), "name fewer");
            return None;
        }
    }
    if field.mistakes() > before {
        return None;
    }
    Tiers::new(tiers).map_err(|error| field.refuse_as_said(&error.to_string())).ok()
}
