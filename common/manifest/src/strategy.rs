//! Reading a policy's strategy, and what goes with it.

use std::collections::BTreeSet;

use godwit_common::ClusterName;

use crate::MAX_REPLICAS;
use crate::field::{Field, Object};
use crate::policies::CLUSTERS_MAX;
use crate::policy::{ClusterShare, PolicySpec, Strategy};

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

pub(crate) fn read(spec: &Object<'_>) -> Strategy {
    let word = spec.get("strategy").and_then(|field| field.choice(&WORDS)).unwrap_or(Word::Weighted);
    let (tiers, skew) = (spec.get("tiers"), spec.get("maxSkew"));
    if let (Some(tiers), false) = (&tiers, matches!(word, Word::Ordered)) {
        tiers.refuse("only the strategy ordered has tiers", "remove them, or write strategy: ordered");
    }
    if let (Some(skew), false) = (&skew, matches!(word, Word::Spread)) {
        skew.refuse("only the strategy spread has a skew", "remove it, or write strategy: spread");
    }
    match word {
        Word::Weighted => Strategy::Weighted,
        Word::Capacity => Strategy::Capacity,
        Word::Spread => Strategy::Spread { max_skew: skew.and_then(|skew| max_skew(&skew)) },
        Word::Pack => Strategy::Pack,
        Word::Ordered => Strategy::Ordered {
            tiers: spec
                .require("tiers", "list the clusters to fill first, then the next, such as [[a, b], [c]]")
                .map_or_else(Vec::new, |field| tiers_of(&field)),
        },
        Word::Duplicate => Strategy::Duplicate,
    }
}

/// What a strategy does not heed, it refuses.
pub(crate) fn check_share(spec: &Object<'_>, policy: &PolicySpec) {
    let clusters = spec.get("clusters").and_then(|field| field.object());
    for (name, field) in clusters.iter().flat_map(Object::fields) {
        let Ok(name) = name.parse::<ClusterName>() else { continue };
        if let Some(share) = policy.clusters.get(&name) {
            check_one(&field, &policy.strategy, share);
        }
        if let Strategy::Ordered { tiers } = &policy.strategy
            && !tiers.iter().flatten().any(|tiered| *tiered == name)
        {
            field.refuse("it is in no tier, so it never gets anything", "add it to one, or leave it out");
        }
    }
    if let (Some(field), Some(share)) = (spec.get("default"), &policy.default) {
        check_one(&field, &policy.strategy, share);
    }
}

fn check_one(field: &Field<'_>, strategy: &Strategy, share: &ClusterShare) {
    let heeds_weights = match strategy {
        Strategy::Weighted | Strategy::Ordered { .. } => true,
        Strategy::Capacity | Strategy::Spread { .. } | Strategy::Pack | Strategy::Duplicate => false,
    };
    if !heeds_weights && share.weight > 1 {
        let problem = format!("weight {} is not heeded by this strategy", share.weight);
        field.refuse(problem, "leave it out, or write 0 for a cluster that shall get nothing beyond min");
    }
    if *strategy == Strategy::Duplicate && (share.min > 0 || share.max.is_some()) {
        field.refuse("with duplicate every cluster runs the full number", "leave min and max out");
    }
    if matches!(strategy, Strategy::Spread { max_skew: Some(_) }) && share.min > 0 {
        field.refuse(format!("min {} breaks maxSkew", share.min), "leave one of them out");
    }
}

fn max_skew(field: &Field<'_>) -> Option<u32> {
    let skew = field.integer(1, i64::from(MAX_REPLICAS))?;
    u32::try_from(skew).ok()
}

fn tiers_of(field: &Field<'_>) -> Vec<Vec<ClusterName>> {
    let mut named = BTreeSet::new();
    let mut tiers = Vec::new();
    for tier in field.items() {
        let mut clusters = Vec::new();
        let items = tier.items();
        if items.is_empty() {
            tier.refuse("the tier is empty", "remove it, or name a cluster");
        }
        for item in items {
            let Some(text) = item.text() else { continue };
            match text.parse::<ClusterName>() {
                Ok(name) if named.insert(name.clone()) => clusters.push(name),
                Ok(name) => item.refuse(format!("{name} is named twice"), "leave it in one tier"),
                Err(error) => item.refuse(error.to_string(), "write the name of a cluster"),
            }
            if named.len() > CLUSTERS_MAX {
                field.refuse(format!("there are more than {CLUSTERS_MAX} clusters"), "name fewer");
                return tiers;
            }
        }
        tiers.push(clusters);
    }
    if tiers.is_empty() {
        field.refuse(
            "there are no tiers",
            "list the clusters to fill first, then the next, such as [[a, b], [c]]",
        );
    }
    tiers
}
