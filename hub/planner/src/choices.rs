//! What a policy makes of each cluster of a fleet. It depends on names and traits alone, so that it is found out once
//! for a policy, however many workloads are divided by it.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::policy::{Policy, Rule, Unchosen};
use godwit_common::{ClusterName, Traits};

/// What a policy makes of one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Choice {
    /// Its rule, or why the policy does not choose it.
    pub rule: Result<Rule, Unchosen>,
    /// Its tier, from 0; 0 for strategies without tiers.
    pub tier: u32,
    /// Its fallback group, from 0; 0 for policies without.
    pub fallback: u32,
    /// The number of its group under each constraint of a spread: equal for clusters of one group. None where what
    /// makes the groups is not known of the cluster.
    pub groups: Box<[Option<u32>]>,
}

/// What a policy makes of the clusters of a fleet, in their order.
#[derive(Debug, Clone, Default)]
pub struct Choices(Vec<Choice>);

impl Choices {
    /// Asks the policy about each cluster.
    pub fn new<'a>(
        policy: &Policy,
        clusters: impl IntoIterator<Item = (&'a ClusterName, &'a Traits)>,
    ) -> Self {
        let constraints = policy.strategy.constraints();
        let mut groups: Vec<BTreeMap<Arc<str>, u32>> = vec![BTreeMap::new(); constraints.len()];
        let choice = |(name, traits): (&'a ClusterName, &'a Traits)| {
            let mut group = |(constraint, numbers): (usize, &mut BTreeMap<Arc<str>, u32>)| {
                let by = constraints.get(constraint).map(|constraint| &constraint.by)?;
                let group = by.group_of(name, traits)?;
                let next = u32::try_from(numbers.len()).unwrap_or(u32::MAX);
                Some(*numbers.entry(group).or_insert(next))
            };
            Choice {
                rule: policy.choose(name, traits),
                tier: policy.strategy.tiers().map_or(0, |tiers| tiers.of(name, traits).unwrap_or(u32::MAX)),
                fallback: policy.group_of(name, traits).unwrap_or(0),
                groups: groups.iter_mut().enumerate().map(&mut group).collect(),
            }
        };
        Self(clusters.into_iter().map(choice).collect())
    }

    /// One choice for each cluster.
    pub fn as_slice(&self) -> &[Choice] {
        &self.0
    }
}
