//! Clusters, as they are kept, and what operators have said of them.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::overrides::changes_in;
use godwit_common::{ClusterName, Generation, Taint, Traits, Uid, WallTime, policy};

use super::MigrationId;

/// A member cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterRecord {
    /// Its name, as its agents' certificates say.
    pub name: ClusterName,
    /// Its identity, whatever its name (S23).
    pub uid: Uid,
    /// The generation of its targets (S10).
    pub generation: Generation,
    /// When it joined, for people.
    pub joined: WallTime,
    /// Its first inventory has come: it has a seat for every workload that may run there (S33).
    pub inventoried: bool,
    /// What policies choose it by.
    pub traits: Traits,
    /// What keeps workloads away that do not tolerate it; no two with one key and effect.
    pub taints: Vec<ClusterTaint>,
    /// It gets nothing new, by an operator's word.
    pub cordoned: bool,
    /// What it holds goes elsewhere, by an operator's word (S20).
    pub drain: Option<Drain>,
    /// Until when an operator announced that it may be away: its silence is no loss (S22).
    pub maintenance: Option<WallTime>,
    /// It is lost, and by an operator's word its return is awaited: what it holds stays its plan. The migration that was
    /// cancelled for that.
    pub awaited: Option<MigrationId>,
    /// When an operator said that it is dead, and that nothing it held comes back by itself (S9).
    pub dead: Option<WallTime>,
    /// An agent that carries out what is different in some clusters has led it. Before that, nothing is different there.
    pub knows_overrides: bool,
}

impl ClusterRecord {
    /// What rules change in this cluster of what they are about; nothing as long as its agents would refuse that.
    pub fn changes(&self, rules: &[policy::Override]) -> Arc<str> {
        match self.knows_overrides {
            true => changes_in(rules, &self.name, &self.traits),
            false => Arc::default(),
        }
    }

    /// Whether rules would change something there, and its agents do not know how.
    pub fn owes(&self, rules: &[policy::Override]) -> bool {
        !self.knows_overrides && rules.iter().any(|rule| rule.selector.matches(&self.name, &self.traits))
    }
}

/// A cluster that was retired, and does not join again by itself (S23).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RetiredRecord {
    /// Its identity.
    pub uid: Uid,
    /// The name that it had, and that another may have now.
    pub name: ClusterName,
    /// When, for people.
    pub at: WallTime,
    /// The entry in the journal: the order in which they left.
    pub entry: u64,
}

/// An order to empty a cluster (S20, S21).
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Drain {
    /// When it was given.
    pub started: WallTime,
    /// Until when it is to be done.
    pub deadline: WallTime,
    /// How many replicas of a workload may run meanwhile beyond those that are wanted, in percent of these, and one at
    /// least; none: what each policy says.
    pub max_surge: Option<u32>,
    /// What finds no place elsewhere is stopped all the same.
    pub force: bool,
    /// What leaves goes to these clusters only; none: wherever its policy lets it.
    pub to: Option<policy::ClusterSelector>,
    /// What becomes of the cluster once it is empty.
    pub purpose: Purpose,
    /// How far it is.
    pub state: DrainState,
    /// Since when.
    pub since: WallTime,
}

/// What becomes of a cluster once it is empty.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub enum Purpose {
    /// It stays, cordoned, until somebody says otherwise.
    #[default]
    Empty,
    /// It is cleaned up, and leaves the federation (S23).
    Retire,
    /// It may be away for so long (S22).
    Maintain {
        /// How long its window is, from when it is empty.
        within: Duration,
        /// It was cordoned before, and is again when the window is over.
        cordoned: bool,
    },
}

/// How far a drain is.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum DrainState {
    /// Replicas start elsewhere, and stop here after that.
    Running,
    /// Nothing starts or stops for it, by an operator's word.
    Paused,
    /// It took too long: nothing more starts or stops for it.
    Overdue,
    /// Nothing managed is left.
    Done,
    /// The same, and what was applied there is being removed: it cannot be called back any more (S23).
    Cleaning,
}

impl DrainState {
    /// Whether nothing managed is left.
    pub fn is_empty(self) -> bool {
        match self {
            DrainState::Done | DrainState::Cleaning => true,
            DrainState::Running | DrainState::Paused | DrainState::Overdue => false,
        }
    }

    /// The state's name.
    pub fn as_str(self) -> &'static str {
        match self {
            DrainState::Running => "Running",
            DrainState::Paused => "Paused",
            DrainState::Overdue => "Overdue",
            DrainState::Done => "Done",
            DrainState::Cleaning => "Cleaning",
        }
    }
}

/// A taint of a cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ClusterTaint {
    /// The taint.
    pub taint: Taint,
    /// When it was added: a toleration for a time counts from then.
    pub added: WallTime,
}
