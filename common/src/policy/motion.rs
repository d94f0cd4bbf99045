//! How the workloads under a policy are moved: whether two copies of a replica may run at once, what a planned move may do
//! to them, when they are moved for not being ready, and what becomes of them when a cluster returns.

use std::time::Duration;

use super::TrafficGate;

/// A planned move runs this many percent more than wanted, if its policy does not say (S20).
pub const SURGE_PERCENT: u32 = 25;
/// Replicas that are not ready are waited for so long, if the policy does not say (S3).
pub const UNREADY_AFTER: Duration = Duration::from_secs(300);

/// How a workload is moved (S3, S8, S12, S13, S20, S29).
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Motion {
    /// Whether two copies of a replica may run at once.
    pub mode: Mode,
    /// How many replicas may run beyond those that are wanted, in percent of these, rounded up; 1 to 100. Without meaning
    /// in the mode [`Mode::AtMost`], where it is none.
    pub max_surge: u32,
    /// How many ready replicas below the wanted number a step may leave.
    pub max_unavailable: u32,
    /// What a step waits for before ready replicas stop.
    pub traffic_gate: TrafficGate,
    /// Which copies stay when a cluster returns that was lost (S12).
    pub survivor: Survivor,
    /// Whether replicas go back to the cluster that they came from (S13).
    pub fail_back: FailBack,
    /// How long replicas may not be ready before they are moved, if that may help (S3).
    pub unready_after: Duration,
    /// What becomes of what somebody changes by hand in a member cluster (S29).
    pub drift: Drift,
}

/// Which copies stay when a cluster returns that was lost, and its copies still run (S12).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Survivor {
    /// Those that were started elsewhere meanwhile.
    #[default]
    KeepReplacement,
    /// Those in the cluster that returned.
    KeepOriginal,
    /// Those that have been ready for longer.
    LongestRunning,
}

/// Whether replicas go back to the cluster that a loss, or a drain, took them from (S13).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum FailBack {
    /// They stay where they are.
    #[default]
    Never,
    /// A step at a time, once the cluster has been stable for a while.
    Gradual,
    /// All of them, as soon as it is back.
    Immediate,
}

/// What becomes of what somebody changes by hand in a member cluster (S29).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Drift {
    /// It is set right.
    #[default]
    Enforce,
    /// It is reported, and stays until the hub has something else in mind.
    Observe,
    /// A number of replicas is taken over; anything else is observed.
    Adopt,
}

impl Survivor {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::KeepReplacement, Self::KeepOriginal, Self::LongestRunning];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::KeepReplacement => "keepReplacement",
            Self::KeepOriginal => "keepOriginal",
            Self::LongestRunning => "longestRunning",
        }
    }
}

impl Drift {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Enforce, Self::Observe, Self::Adopt];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Enforce => "enforce",
            Self::Observe => "observe",
            Self::Adopt => "adopt",
        }
    }

    /// Whether an agent leaves it as it is.
    pub fn is_tolerated(self) -> bool {
        match self {
            Self::Enforce => false,
            Self::Observe | Self::Adopt => true,
        }
    }
}

impl FailBack {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Never, Self::Gradual, Self::Immediate];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Never => "never",
            Self::Gradual => "gradual",
            Self::Immediate => "immediate",
        }
    }
}

/// Whether two copies of a replica may run at once (S8).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Mode {
    /// A replica is replaced when its cluster is lost; the old copy may run on in a cluster that is merely cut off.
    #[default]
    Available,
    /// No start takes the pods in existence above the wanted number; planned moves stop first.
    AtMost(Fencing),
}

/// When a copy in a lost cluster counts as gone (S9).
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash, Default)]
pub enum Fencing {
    /// When an agent reports it gone, or an operator says that the cluster is dead.
    #[default]
    Confirm,
    /// When it has ended by itself: a supervisor in its pod ends it when the lease of the cluster does. Where pods have no
    /// supervisor it is as [`Self::Confirm`].
    Gate,
}

impl Fencing {
    /// All there are.
    pub const ALL: [Self; 2] = [Self::Confirm, Self::Gate];

    /// Its name, as policies write it.
    pub fn name(self) -> &'static str {
        match self {
            Self::Confirm => "confirm",
            Self::Gate => "gate",
        }
    }
}

impl Default for Motion {
    fn default() -> Self {
        Self {
            mode: Mode::Available,
            max_surge: SURGE_PERCENT,
            max_unavailable: 0,
            traffic_gate: TrafficGate::None,
            survivor: Survivor::default(),
            fail_back: FailBack::default(),
            unready_after: UNREADY_AFTER,
            drift: Drift::default(),
        }
    }
}

impl Motion {
    /// The usual one of a mode.
    pub fn of(mode: Mode) -> Self {
        Self { mode, max_unavailable: mode.default_unavailable(), ..Self::default() }
    }

    /// Whether no start may take the pods in existence above the wanted number.
    pub fn is_at_most(&self) -> bool {
        match self.mode {
            Mode::Available => false,
            Mode::AtMost(_) => true,
        }
    }

    /// When a copy in a lost cluster counts as gone, where no two may run.
    pub fn fencing(&self) -> Option<Fencing> {
        match self.mode {
            Mode::Available => None,
            Mode::AtMost(fencing) => Some(fencing),
        }
    }
}

impl Mode {
    /// All there are.
    pub const ALL: [Self; 3] = [Self::Available, Self::AtMost(Fencing::Confirm), Self::AtMost(Fencing::Gate)];

    /// How many ready replicas below the wanted number a step may leave, if the policy does not say: a move that stops
    /// first leaves one at least.
    pub fn default_unavailable(self) -> u32 {
        match self {
            Self::Available => 0,
            Self::AtMost(_) => 1,
        }
    }
}

/// How many replicas a surge of so many percent leads to: at least one more than wanted.
pub fn most(wanted: u32, percent: u32) -> u32 {
    let surge = (u64::from(wanted) * u64::from(percent)).div_ceil(100).max(1);
    u32::try_from(u64::from(wanted) + surge).unwrap_or(u32::MAX)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_surge_is_rounded_up_and_one_at_least() {
        assert_eq!((most(8, 25), most(9, 25), most(1, 1), most(0, 25)), (10, 12, 2, 1));
        assert_eq!(most(u32::MAX, 100), u32::MAX);
    }
}
