//! What a supervisor does when: a machine without a clock or a process of its own.

use std::time::Duration;

/// How often the lease is looked for while nothing runs.
const WAITS: Duration = Duration::from_millis(100);
/// How often it is looked at while something runs, and how long the end of a lease can go unnoticed by a machine that was
/// suspended meanwhile: what a process sleeps does not count that time.
const RUNS: Duration = Duration::from_millis(250);
/// How often what was killed is looked for.
pub(crate) const ENDS: Duration = Duration::from_millis(20);

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Stage {
    /// Nothing was started: there is no lease yet.
    Waits,
    Runs,
    /// The lease has ended: the process was told to stop, and is killed at that moment.
    Stops {
        kill: Duration,
    },
}

/// What is to be done.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Act {
    Nothing,
    Start,
    /// SIGTERM to the process, as a kubelet would.
    Stop,
    /// SIGKILL to everything.
    Kill,
}

impl Stage {
    /// A moment has come at which the lease is known to end `until`.
    pub(crate) fn step(&mut self, now: Duration, until: Duration, grace: Duration) -> Act {
        let stands = now < until;
        match *self {
            Self::Waits if stands => {
                *self = Self::Runs;
                Act::Start
            }
            Self::Runs if !stands => {
                let kill = until.saturating_add(grace);
                *self = Self::Stops { kill };
                // It may have ended long ago, while this machine was suspended.
                if now < kill { Act::Stop } else { Act::Kill }
            }
            // A lease that is renewed now is too late for a process that was told to stop.
            Self::Stops { kill } if now >= kill => Act::Kill,
            Self::Waits | Self::Runs | Self::Stops { .. } => Act::Nothing,
        }
    }

    /// For how long nothing is to be done, if no signal comes.
    pub(crate) fn rest(self, now: Duration, until: Duration) -> Duration {
        match self {
            Self::Waits => WAITS,
            Self::Runs => until.saturating_sub(now).min(RUNS),
            Self::Stops { kill } => kill.saturating_sub(now).min(RUNS),
        }
    }

    /// The lease has ended what ran.
    pub(crate) fn is_over(self) -> bool {
        match self {
            Self::Waits | Self::Runs => false,
            Self::Stops { .. } => true,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const GRACE: Duration = Duration::from_secs(30);

    fn at(seconds: u64) -> Duration {
        Duration::from_secs(seconds)
    }

    #[test]
    fn s9_it_starts_with_the_lease_and_begins_to_stop_at_its_end() {
        let mut stage = Stage::Waits;
        assert_eq!(stage.step(at(10), at(0), GRACE), Act::Nothing);
        assert_eq!(stage.step(at(10), at(10), GRACE), Act::Nothing, "a lease that has just ended is none");
        assert_eq!(stage.step(at(11), at(60), GRACE), Act::Start);
        assert_eq!(stage.step(at(59), at(60), GRACE), Act::Nothing);
        assert_eq!(stage.step(at(59), at(119), GRACE), Act::Nothing, "it was renewed");
        assert_eq!(stage.step(at(118), at(119), GRACE), Act::Nothing);
        assert_eq!(stage.step(at(119), at(119), GRACE), Act::Stop);
        assert_eq!(stage.step(at(148), at(119), GRACE), Act::Nothing);
        assert_eq!(stage.step(at(149), at(119), GRACE), Act::Kill);
        assert_eq!(stage.step(at(150), at(119), GRACE), Act::Kill, "until nothing is left");
        assert!(stage.is_over());
    }

    #[test]
    fn s9_who_wakes_up_late_has_no_grace_left() {
        for (now, act) in [(89, Act::Stop), (90, Act::Kill), (4_000, Act::Kill)] {
            let mut stage = Stage::Runs;
            assert_eq!(stage.step(at(now), at(60), GRACE), act);
        }
    }

    #[test]
    fn s9_the_end_of_the_grace_counts_from_the_end_of_the_lease() {
        let mut stage = Stage::Runs;
        assert_eq!(stage.step(at(80), at(60), GRACE), Act::Stop);
        assert_eq!(stage.rest(at(80), at(60)), RUNS);
        assert_eq!(stage.step(at(90), at(500), GRACE), Act::Kill, "a renewal comes too late");
    }

    #[test]
    fn it_rests_no_longer_than_until_something_is_to_be_done() {
        assert_eq!(Stage::Runs.rest(at(59), Duration::from_millis(59_100)), Duration::from_millis(100));
        assert_eq!(Stage::Runs.rest(at(70), at(60)), Duration::ZERO);
        assert_eq!(Stage::Waits.rest(at(70), at(60)), WAITS);
        assert_eq!(Stage::Runs.step(at(5), Duration::MAX, Duration::MAX), Act::Nothing, "nothing overflows");
    }
}
