//! The language of the scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use godwit_common::policy::{
    ClusterSelector, ClusterToleration, GroupBy, Policy, Rebalance, Rule, SpreadConstraint, Strategy, Tiers,
};
use godwit_common::selector::{Requirement, Test};
use godwit_common::{ClusterName, Taint, TaintEffect, Toleration, Traits, WorkloadId};
use godwit_planner::{
    Barrier, Candidate, Choices, Demand, Growth, Room, Scarce, Scratch, Tie, bounds, divide, stance,
};

/// What a script has described so far.
#[derive(Default)]
pub(crate) struct Script {
    policy: Policy,
    clusters: BTreeMap<ClusterName, Cluster>,
    workload: Option<WorkloadId>,
    quota: Option<u32>,
    output: String,
}

struct Cluster {
    traits: Traits,
    taints: Vec<(Taint, u32)>,
    held: u32,
    room: Room,
    growth: Growth,
}

impl Script {
    /// Runs a script; its output repeats each line.
    pub(crate) fn run(mut self, text: &str) -> String {
        for line in text.lines() {
            let comment = line.is_empty() || line.starts_with('#');
            writeln!(self.output, "{}{line}", if comment { "" } else { "> " }).expect("a string takes all");
            if !comment {
                let words: Vec<&str> = line.split_whitespace().collect();
                self.command(&words);
            }
        }
        self.output
    }

    fn command(&mut self, words: &[&str]) {
        match words {
            ["new"] => self.clear(),
            ["default", fields @ ..] => self.policy.default = Some(rule(fields)),
            ["rule", name, fields @ ..] => {
                self.policy.clusters.insert(cluster_name(name), rule(fields));
            }
            ["strategy", fields @ ..] => self.policy.strategy = strategy(fields),
            ["rules", selector, fields @ ..] => {
                self.policy.rules.push((self::selector(selector), rule(fields)))
            }
            ["select", selector] => self.policy.selector = self::selector(selector),
            ["fallback", groups @ ..] => {
                self.policy.fallback = groups.iter().map(|group| self::selector(group)).collect();
            }
            ["tolerate", key] => self.policy.tolerations.push(toleration(key)),
            ["quota", replicas] => self.quota = Some(number(replicas)),
            ["rebalance", when] => self.policy.rebalance = rebalance(when),
            ["workload", name] => {
                self.workload = Some(WorkloadId::new("shop", "Deployment", name).expect("a workload's name"));
            }
            ["cluster", name, fields @ ..] => {
                let cluster = self.clusters.entry(cluster_name(name)).or_insert_with(Cluster::new);
                fields.iter().for_each(|field| cluster.set(field));
            }
            ["divide", wanted] => self.divide(number(wanted)),
            other => panic!("no such command: {other:?}"),
        }
    }

    fn clear(&mut self) {
        *self = Self { output: std::mem::take(&mut self.output), ..Self::default() };
    }

    fn divide(&mut self, wanted: u32) {
        let choices =
            Choices::new(&self.policy, self.clusters.iter().map(|(name, cluster)| (name, &cluster.traits)));
        let names: Vec<ClusterName> = self.clusters.keys().cloned().collect();
        let described = names.iter().zip(self.clusters.values()).zip(choices.as_slice());
        let candidates: Vec<Candidate<'_>> = described
            .map(|((name, cluster), choice)| {
                let taints = cluster.taints.iter().map(|(taint, age)| (taint, *age));
                let stance = stance(&self.policy.tolerations, taints);
                Candidate {
                    held: cluster.held,
                    room: cluster.room.clone(),
                    growth: match &cluster.growth {
                        Growth::Allowed => stance.growth,
                        stated @ (Growth::Closed(_) | Growth::Excluded(_)) => stated.clone(),
                    },
                    avoided: stance.avoided,
                    tie: Tie::of(self.workload.as_ref()).with(Tie::hash(name)),
                    ..Candidate::new(name, choice)
                }
            })
            .collect();
        let mut scratch = Scratch::default();
        assert_eq!(self.policy.check_parts(), [], "a script plans by a policy that can be meant");
        let demand = Demand {
            replicas: wanted,
            at_most: self.quota.unwrap_or(u32::MAX),
            moves: self.policy.rebalance.moves(wanted),
            strategy: &self.policy.strategy,
        };
        let division = divide(&demand, &candidates, &mut scratch);
        let bounds = bounds(&demand, &candidates, &division);
        for (index, (name, cluster)) in self.clusters.iter_mut().enumerate() {
            let (before, after) = (cluster.held, division.counts[index]);
            let bound = &bounds[index];
            writeln!(self.output, "  {name:10} {before:>10} -> {after:<10}  {bound}")
                .expect("a string takes all");
            cluster.held = after;
        }
        if division.pending > 0 {
            let reasons: Vec<String> = division.reasons.iter().map(ToString::to_string).collect();
            let reasons = match (reasons.is_empty(), division.withheld) {
                (true, 0) => "no clusters".to_owned(),
                (true, withheld) => format!("{withheld} by the quota"),
                (false, _) => reasons.join("; "),
            };
            writeln!(self.output, "  pending {}: {reasons}", division.pending).expect("a string takes all");
        }
    }
}

impl Cluster {
    fn new() -> Self {
        let (traits, taints) = (Traits::default(), Vec::new());
        Self { traits, taints, held: 0, room: Room::Unlimited, growth: Growth::Allowed }
    }

    fn set(&mut self, field: &str) {
        match field.split_once('=').unwrap_or((field, "")) {
            ("region", region) => self.traits.region = region.into(),
            ("provider", provider) => self.traits.provider = provider.into(),
            ("zones", zones) => self.traits.zones = zones.split(',').map(Into::into).collect(),
            ("label", label) => {
                let (key, value) = label.split_once(':').expect("a label as key:value");
                self.traits.labels.insert(key.into(), value.into());
            }
            ("taint", text) => self.taints.push(taint(text)),
            ("untaint", "") => self.taints.clear(),
            ("held", held) => self.held = number(held),
            ("room", "unlimited") => self.room = Room::Unlimited,
            ("room", room) => {
                let (replicas, scarce) = room.split_once('/').unwrap_or((room, "stated"));
                self.room = Room::Limited { replicas: number(replicas), scarce: scarcity(scarce) };
            }
            ("open", "") => self.growth = Growth::Allowed,
            ("closed", barrier) => self.growth = Growth::Closed(barrier_of(barrier)),
            ("excluded", barrier) => self.growth = Growth::Excluded(barrier_of(barrier)),
            other => panic!("no such field: {other:?}"),
        }
    }
}

fn rule(fields: &[&str]) -> Rule {
    let (mut weight, mut min, mut max) = (1, 0, None);
    for field in fields {
        match field.split_once('=') {
            Some(("weight", value)) => weight = number(value),
            Some(("min", value)) => min = number(value),
            Some(("max", value)) => max = Some(number(value)),
            other => panic!("no such field: {other:?}"),
        }
    }
    Rule::new(weight, min, max).expect("a valid rule")
}

fn strategy(fields: &[&str]) -> Strategy {
    match fields {
        ["weighted"] => Strategy::Weighted,
        ["capacity"] => Strategy::Capacity,
        ["spread", constraints @ ..] => {
            Strategy::Spread(constraints.iter().map(|one| constraint(one)).collect())
        }
        ["pack"] => Strategy::Pack,
        ["ordered", tiers @ ..] => {
            let tiers = tiers.iter().map(|tier| selector(tier)).collect();
            Strategy::Ordered(Tiers::new(tiers).expect("tiers"))
        }
        ["duplicate"] => Strategy::Duplicate,
        other => panic!("no such strategy: {other:?}"),
    }
}

/// Such as `zone/min=2/skew=1/soft`.
fn constraint(text: &str) -> SpreadConstraint {
    let mut parts = text.split('/');
    let by = GroupBy::from(parts.next().unwrap_or_default());
    let mut constraint =
        SpreadConstraint { by, min_groups: None, max_groups: None, max_skew: None, soft: false };
    for part in parts {
        match part.split_once('=').unwrap_or((part, "")) {
            ("min", value) => constraint.min_groups = Some(number(value)),
            ("max", value) => constraint.max_groups = Some(number(value)),
            ("skew", value) => constraint.max_skew = Some(number(value)),
            ("soft", "") => constraint.soft = true,
            other => panic!("no such constraint: {other:?}"),
        }
    }
    constraint
}

/// Names, such as `east,west`; or conditions, such as `region:eu&tier>3&!gpu`.
fn selector(text: &str) -> ClusterSelector {
    let mut selector = ClusterSelector::default();
    for part in text.split('&') {
        let mut require = |key: &str, test| {
            selector.labels.expressions.push(Requirement { key: key.into(), test });
        };
        match part.split_once([':', '>', '!']) {
            Some(("region", region)) => selector.regions = region.split(',').map(Into::into).collect(),
            Some(("provider", one)) => selector.providers = one.split(',').map(Into::into).collect(),
            Some(("zone", zone)) => selector.zones = zone.split(',').map(Into::into).collect(),
            Some(("not", names)) => selector.exclude = names.split(',').map(cluster_name).collect(),
            Some(("", key)) => require(key, Test::DoesNotExist),
            Some((key, bound)) if part.contains('>') => require(key, Test::Gt(number(bound).into())),
            Some((key, values)) => require(key, Test::In(values.split(',').map(Into::into).collect())),
            None => selector.names = part.split(',').map(cluster_name).collect(),
        }
    }
    selector
}

/// A key, or a key and for how long, such as `spot/60`.
fn toleration(text: &str) -> ClusterToleration {
    let (key, seconds) = text.split_once('/').map_or((text, None), |(key, s)| (key, Some(number(s))));
    ClusterToleration { taints: Toleration { key: Some(key.into()), ..Toleration::default() }, seconds }
}

/// A key and an effect, and how long ago it was added, such as `spot:NoExecute/30`.
fn taint(text: &str) -> (Taint, u32) {
    let (text, age) = text.split_once('/').map_or((text, 0), |(text, age)| (text, number(age)));
    let (key, effect) = text.split_once(':').expect("a taint as key:effect");
    let effect = TaintEffect::of_name(effect).unwrap_or_else(|| panic!("no such effect: {effect}"));
    (Taint { key: key.into(), value: "".into(), effect }, age)
}

fn rebalance(when: &str) -> Rebalance {
    match when {
        "never" => Rebalance::Never,
        "gradual" => Rebalance::Gradual,
        "always" => Rebalance::Always,
        other => panic!("no such time: {other}"),
    }
}

fn barrier_of(name: &str) -> Barrier {
    match name {
        "suspect" => Barrier::Suspect,
        "lost" => Barrier::Lost,
        "cordoned" => Barrier::Cordoned,
        "drained" => Barrier::Drained,
        other => panic!("no such barrier: {other}"),
    }
}

fn scarcity(name: &str) -> Scarce {
    match name {
        "cpu" => Scarce::Cpu,
        "memory" => Scarce::Memory,
        "gpu" => Scarce::Extended("nvidia.com/gpu".into()),
        "nodes" => Scarce::Nodes,
        "stated" => Scarce::Stated,
        other => panic!("no such resource: {other}"),
    }
}

fn cluster_name(name: &str) -> ClusterName {
    name.parse().expect("a cluster's name")
}

fn number(text: &str) -> u32 {
    text.parse().expect("a number")
}
