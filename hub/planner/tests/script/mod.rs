//! The language of the scripts.

use std::collections::BTreeMap;
use std::fmt::Write;

use godwit_common::{ClusterName, WorkloadId};
use godwit_planner::{
    Barrier, Candidate, Growth, Policy, Rebalance, Room, Rule, Scarce, Scratch, Strategy, Tiers, divide, tie,
};

/// What a script has described so far.
#[derive(Default)]
pub(crate) struct Script {
    policy: Policy,
    clusters: BTreeMap<ClusterName, Cluster>,
    workload: Option<WorkloadId>,
    output: String,
}

struct Cluster {
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
            ["rebalance", when] => self.policy.rebalance = rebalance(when),
            ["workload", name] => {
                self.workload = Some(WorkloadId::new("shop", "Deployment", name).expect("a workload's name"));
            }
            ["cluster", name, fields @ ..] => {
                let new = Cluster { held: 0, room: Room::Unlimited, growth: Growth::Allowed };
                let cluster = self.clusters.entry(cluster_name(name)).or_insert(new);
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
        let candidate = |(name, cluster): (&'_ ClusterName, &Cluster)| (name.clone(), cluster.room.clone());
        let described: Vec<_> = self.clusters.iter().map(candidate).collect();
        let candidates: Vec<Candidate<'_>> = described
            .iter()
            .zip(self.clusters.values())
            .map(|((name, room), cluster)| Candidate {
                cluster: name,
                rule: self.policy.rule_for(name),
                held: cluster.held,
                room: room.clone(),
                growth: cluster.growth,
                tie: tie(self.workload.as_ref(), name),
            })
            .collect();
        let mut scratch = Scratch::default();
        self.policy.check().expect("rules that go with the strategy");
        let moves = self.policy.rebalance.moves(wanted);
        let division = divide(wanted, moves, &self.policy.strategy, &candidates, &mut scratch);
        for (index, (name, cluster)) in self.clusters.iter_mut().enumerate() {
            let (before, after) = (cluster.held, division.counts[index]);
            let bound = division.bound(index).expect("one for each candidate");
            writeln!(self.output, "  {name:10} {before:>10} -> {after:<10}  {bound}")
                .expect("a string takes all");
            cluster.held = after;
        }
        if division.pending > 0 {
            let reasons: Vec<String> = division.reasons.iter().map(ToString::to_string).collect();
            let reasons = if reasons.is_empty() { "no clusters".to_owned() } else { reasons.join("; ") };
            writeln!(self.output, "  pending {}: {reasons}", division.pending).expect("a string takes all");
        }
    }
}

impl Cluster {
    fn set(&mut self, field: &str) {
        match field.split_once('=').unwrap_or((field, "")) {
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
    let list = |names: &&str| names.split(',').map(cluster_name).collect();
    match fields {
        ["weighted"] => Strategy::Weighted,
        ["capacity"] => Strategy::Capacity,
        ["spread"] => Strategy::Spread { max_skew: None },
        ["spread", skew] => Strategy::Spread { max_skew: skew.strip_prefix("skew=").map(number) },
        ["pack"] => Strategy::Pack,
        ["ordered", tiers @ ..] => {
            Strategy::Ordered(Tiers::new(tiers.iter().map(list).collect()).expect("tiers"))
        }
        ["duplicate"] => Strategy::Duplicate,
        other => panic!("no such strategy: {other:?}"),
    }
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
