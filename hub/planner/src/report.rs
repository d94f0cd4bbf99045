//! Why a cluster got what it got.

use std::fmt;
use std::sync::Arc;

use godwit_common::ClusterName;
use godwit_common::policy::Unchosen;

/// What decided a cluster's number.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Bound {
    /// The strategy: the number is its share.
    Share(Share),
    /// Its minimum, as far as the total goes: the share by weight is smaller.
    Minimum,
    /// It stays as it is: its share is another, but nothing moves for balance now (S18).
    Held {
        /// Its share, if it was asked for.
        share: Option<u32>,
    },
    /// Its share is `goal`; replicas go there step by step (`rebalance: gradual`).
    Step {
        /// What it will have in the end.
        goal: u32,
    },
    /// It would get more, but for this.
    Cap(Cap),
}

/// What a share follows from: each strategy has its own.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Share {
    /// Its weight.
    Weight,
    /// Its room.
    Room,
    /// All are alike.
    Even,
    /// It is filled before another cluster is used.
    Packed,
    /// Others hold all.
    PackedElsewhere,
    /// Its tier, from 1, has its turn.
    Tier(u32),
    /// It is in this tier, from 1, and earlier ones hold all.
    EarlierTier(u32),
    /// Every cluster runs the full number.
    Full,
}

/// What keeps a cluster from getting more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Cap {
    /// The policy's maximum.
    Maximum,
    /// A weight of zero: it gets its minimum and no more.
    ZeroWeight,
    /// The policy's maximal skew: another group that may grow holds too few.
    Skew,
    /// The policy allows fewer groups of clusters, and others are in use.
    MaxGroups,
    /// The policy asks for more groups of clusters than there are.
    MinGroups,
    /// It is in no group of the policy's spread: what makes the groups is not known of it.
    NoGroup,
    /// Another fallback group holds all.
    Fallback,
    /// Room: this is scarce.
    Room(Scarce),
    /// It gets nothing new, for this reason.
    Closed(Barrier),
    /// It may hold nothing, for this reason.
    Excluded(Barrier),
}

/// Why a cluster gets nothing new, or may hold nothing at all.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Barrier {
    /// The policy does not choose the cluster.
    Unchosen(Unchosen),
    /// It has not reported its inventory yet, at first or on return (S11).
    Inventory,
    /// Its stream is lost (S1).
    Suspect,
    /// It is lost (S1).
    Lost,
    /// It reports faults of its own (S3).
    Degraded,
    /// It lost its connection too often of late (S4).
    Flapping,
    /// The workload's replicas there are not ready (S3).
    Unready,
    /// An operator cordoned it.
    Cordoned,
    /// An operator drains it, or has drained it (S20).
    Drained,
    /// It is in an announced maintenance window (S22).
    Maintenance,
    /// It has this taint, which the policy does not tolerate.
    Tainted(Arc<str>),
    /// It lacks this, which the workload needs.
    Lacks(Arc<str>),
    /// Something about the workload is different there, and its agents know no overrides.
    Overrides,
    /// Whether it has this, which the workload needs, is being found out.
    Checking(Arc<str>),
    /// No workload is placed there that this one has to be with.
    Affinity(Arc<str>),
    /// This workload is placed there, and the two keep away from each other.
    AntiAffinity(Arc<str>),
    /// It has to be with this workload, which is elsewhere.
    Colocation(Arc<str>),
    /// Replicas there were given up for this workload, which still waits.
    Yielded(Arc<str>),
    /// What leaves the cluster that is drained goes to certain others only (S20).
    Directed {
        /// Which is drained.
        from: Arc<str>,
        /// Where it goes.
        to: Arc<str>,
    },
}

/// What a cluster would need more of to take another replica.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum Scarce {
    /// CPU.
    Cpu,
    /// Memory.
    Memory,
    /// Ephemeral storage.
    EphemeralStorage,
    /// Pods that its nodes may still run.
    Pods,
    /// An extended resource.
    Extended(Arc<str>),
    /// Nodes that the pod's node selector and tolerations admit.
    Nodes,
    /// A room that was given as a number.
    Stated,
    /// A place that its scheduler found: it has not for a while, whatever it reports as free (S17).
    Unschedulable,
    /// What replicas lack there to get ready (S3).
    Unready,
}

impl Bound {
    /// It stays as it is, whatever its share.
    pub const HELD: Self = Self::Held { share: None };

    /// What would give the cluster more; none when it has its share.
    pub fn remedy(&self, cluster: &ClusterName) -> Option<String> {
        match self {
            Self::Share(Share::PackedElsewhere | Share::EarlierTier(_)) => {
                Some("it gets some when those before it are full".to_owned())
            }
            Self::Share(
                Share::Weight | Share::Room | Share::Even | Share::Packed | Share::Tier(_) | Share::Full,
            ) => None,
            Self::Minimum => Some("a greater weight, or a larger total".to_owned()),
            Self::Held { .. } => {
                Some("godwit rebalance, or rebalance: gradual or always in the policy".to_owned())
            }
            Self::Step { .. } => Some("time: it is on its way".to_owned()),
            Self::Cap(cap) => Some(cap.remedy(cluster)),
        }
    }
}

impl Cap {
    fn remedy(&self, cluster: &ClusterName) -> String {
        match self {
            Self::Maximum => format!("raise max in the rule of {cluster}"),
            Self::ZeroWeight => format!("give {cluster} a weight above 0"),
            Self::Skew => "more room in the emptiest group, or a greater maxSkew".to_owned(),
            Self::MaxGroups => "raise maxGroups in the policy".to_owned(),
            Self::MinGroups => "clusters of more groups, or a lower minGroups".to_owned(),
            Self::NoGroup => {
                format!("label {cluster} with what the spread is by, or make the constraint soft")
            }
            Self::Fallback => {
                "it is used when no earlier group can hold all; rebalance decides about the way back"
                    .to_owned()
            }
            Self::Room(Scarce::Nodes) => {
                "nodes that the pod's selector, affinity and tolerations admit".to_owned()
            }
            Self::Room(Scarce::Stated) => "more room".to_owned(),
            Self::Room(Scarce::Unschedulable) => format!(
                "time, or another revision: it is tried again; the events of the pods in {cluster} said why"
            ),
            Self::Room(Scarce::Unready) => {
                format!("time, or another revision: it is tried again; mend the nodes of {cluster}")
            }
            Self::Room(scarce) => {
                format!("more free {scarce} on the nodes of {cluster}, or smaller requests")
            }
            Self::Closed(barrier) | Self::Excluded(barrier) => barrier.remedy(cluster),
        }
    }
}

impl Barrier {
    fn remedy(&self, cluster: &ClusterName) -> String {
        match self {
            Self::Unchosen(Unchosen::Selector) => {
                format!("change clusterSelector in the policy, or the labels of {cluster}")
            }
            Self::Unchosen(Unchosen::NoRule) => format!("give {cluster} a rule in the policy, or a default"),
            Self::Unchosen(Unchosen::NoTier) => format!("add {cluster} to a tier"),
            Self::Unchosen(Unchosen::NoGroup) => format!("add {cluster} to a fallback group"),
            Self::Inventory => "the inventory of its agent".to_owned(),
            Self::Suspect | Self::Lost => format!("a connection from an agent of {cluster}"),
            Self::Degraded => format!("mend {cluster}: its nodes, or the way to its API server"),
            Self::Flapping => {
                format!("a stable connection: godwit describe cluster {cluster} says for how long")
            }
            Self::Unready => "replicas that get ready there".to_owned(),
            Self::Cordoned => format!("godwit uncordon cluster {cluster}"),
            Self::Drained => format!("godwit uncordon cluster {cluster}"),
            Self::Maintenance => format!("godwit maintenance end cluster {cluster}"),
            Self::Tainted(taint) => {
                format!("a toleration in the policy, or godwit taint cluster {cluster} {taint}-")
            }
            Self::Lacks(need) => format!("create {need} in {cluster}"),
            Self::Overrides => format!("upgrade the agents of {cluster}"),
            Self::Checking(_) => format!("the answer of the agent of {cluster}"),
            Self::Affinity(with) => format!("a replica of {with} there"),
            Self::AntiAffinity(other) => format!("{other} going elsewhere"),
            Self::Colocation(leader) => format!("a replica of {leader} there"),
            Self::Yielded(to) => format!("room for {to}"),
            Self::Directed { from, .. } => format!("godwit drain cluster {from} with another --to"),
        }
    }
}

impl fmt::Display for Bound {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Share(share) => share.fmt(f),
            Self::Minimum => f.write_str("minimum"),
            Self::Held { share: None } => f.write_str("nothing moves for balance"),
            Self::Held { share: Some(share) } => write!(f, "nothing moves for balance; its share is {share}"),
            Self::Step { goal } => write!(f, "on its way to {goal}"),
            Self::Cap(cap) => cap.fmt(f),
        }
    }
}

impl fmt::Display for Share {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Weight => f.write_str("share by weight"),
            Self::Room => f.write_str("share by room"),
            Self::Even => f.write_str("even share"),
            Self::Packed => f.write_str("packed: filled before another cluster is used"),
            Self::PackedElsewhere => f.write_str("packed: not needed"),
            Self::Tier(tier) => write!(f, "tier {tier}"),
            Self::EarlierTier(tier) => write!(f, "tier {tier}: earlier tiers hold all"),
            Self::Full => f.write_str("the full number"),
        }
    }
}

impl fmt::Display for Cap {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Maximum => f.write_str("maximum reached"),
            Self::ZeroWeight => f.write_str("weight is 0"),
            Self::Skew => f.write_str("max skew reached"),
            Self::MaxGroups => f.write_str("max groups reached"),
            Self::MinGroups => f.write_str("fewer groups than the policy asks for"),
            Self::NoGroup => f.write_str("in no group of the spread"),
            Self::Fallback => f.write_str("another fallback group holds all"),
            Self::Room(Scarce::Stated) => f.write_str("no room"),
            Self::Room(scarce) => write!(f, "no room: {scarce}"),
            Self::Closed(barrier) => write!(f, "gets nothing new: {barrier}"),
            Self::Excluded(barrier) => write!(f, "not eligible: {barrier}"),
        }
    }
}

impl fmt::Display for Barrier {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Unchosen(Unchosen::Selector) => "not chosen by the policy's selector",
            Self::Unchosen(Unchosen::NoRule) => "not chosen by the policy",
            Self::Unchosen(Unchosen::NoTier) => "in no tier of the policy",
            Self::Unchosen(Unchosen::NoGroup) => "in no fallback group of the policy",
            Self::Inventory => "inventory awaited",
            Self::Suspect => "suspect",
            Self::Lost => "lost",
            Self::Degraded => "degraded",
            Self::Flapping => "flapping",
            Self::Unready => "replicas not ready",
            Self::Cordoned => "cordoned",
            Self::Drained => "drained",
            Self::Maintenance => "maintenance",
            Self::Tainted(taint) => return write!(f, "taint {taint} is not tolerated"),
            Self::Lacks(need) => return write!(f, "it lacks {need}"),
            Self::Overrides => "its agents are of a release that knows no overrides",
            Self::Checking(need) => return write!(f, "checking whether it has {need}"),
            Self::Affinity(with) => return write!(f, "no {with} is placed there"),
            Self::AntiAffinity(other) => return write!(f, "{other} is placed there"),
            Self::Colocation(leader) => return write!(f, "{leader} is not placed there"),
            Self::Yielded(to) => return write!(f, "it gave way to {to}"),
            Self::Directed { from, to } => return write!(f, "what leaves {from} goes to {to} only"),
        })
    }
}

impl fmt::Display for Scarce {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(match self {
            Self::Cpu => "cpu",
            Self::Memory => "memory",
            Self::EphemeralStorage => "ephemeral-storage",
            Self::Pods => "pods",
            Self::Extended(name) => name,
            Self::Nodes => "no node admits the pod",
            Self::Stated => "room",
            Self::Unschedulable => "replicas could not be scheduled",
            Self::Unready => "replicas did not get ready",
        })
    }
}
