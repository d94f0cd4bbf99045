//! Whether a policy lets any replica be placed at all.

use std::collections::BTreeMap;

use crate::ClusterName;
use crate::policy::mistake::Mistake;
use crate::policy::{ClusterSelector, Policy, Rule};

/// The mistake of the whole, if nobody can get a replica.
pub(super) fn check(policy: &Policy) -> Option<Mistake> {
    let Policy { strategy, default, clusters, rules, .. } = policy;
    let is_alike = match strategy.tiers() {
        _ if default.is_some() => false,
        // In a tier, a cluster without a rule of its own has the common one.
        Some(tiers) => tiers.selectors().iter().any(|tier| holds_others(tier, clusters)),
        None => clusters.is_empty() && rules.is_empty(),
    };
    let by_selector = rules.iter().map(|(_, rule)| rule);
    let mut all = clusters.values().chain(by_selector).chain(default).copied();
    let gets_some = |rule: Rule| (rule.weight() > 0 || rule.min() > 0) && rule.max() != Some(0);
    if is_alike || all.any(gets_some) {
        return None;
    }
    let problem = "no cluster can ever get a replica: every weight is 0";
    Some(Mistake::new(&[], problem, "give the default or one of the clusters a weight above 0"))
}

/// Whether a tier may hold clusters that have no entry.
fn holds_others(tier: &ClusterSelector, entries: &BTreeMap<ClusterName, Rule>) -> bool {
    tier.names.is_empty() || tier.names.iter().any(|name| !entries.contains_key(name))
}
