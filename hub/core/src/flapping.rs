//! Flapping: a cluster that keeps losing its connection gets nothing new until it has been stable for a while (S4). That
//! it is lost is decided as ever; only what it gets afterwards waits.

use std::time::Duration;

use godwit_common::{ClusterName, Time, WallTime};

use crate::config::Config;
use crate::contract::{ClusterState, FlappingView, Severity, Subject};
use crate::hub::{Hub, Timer};
use crate::state::Cluster;

/// What one step to Suspect weighs; in whole numbers, so that every machine comes to the same.
const STEP: u64 = 1_000;

/// How often a cluster has lost its connection of late. Not durable: a hub that starts knows nothing (S5).
#[derive(Debug, Clone, Default)]
pub(crate) struct Flaps {
    /// The weight of all steps, as of a moment.
    penalty: u64,
    as_of: Time,
    /// How many steps in a row left the penalty above the limit.
    repetitions: u32,
    /// A step that is not counted yet: whether many went with it will be known when the cluster is back (S6).
    left_at: Option<Time>,
    /// How long the cluster has to be stable before it gets anything new.
    proves: Option<Duration>,
}

/// How many clusters are there and how many went: many that went together are not to blame (S6).
#[derive(Debug, Clone, Default)]
pub(crate) struct Census {
    ready: usize,
    suspect: usize,
    /// When so many were Suspect at once for the last time.
    massive_at: Option<Time>,
    /// Streams that end until then may do so because the hub's own loop stalled (S1).
    excused_until: Time,
}

impl Flaps {
    /// The penalty at a later moment: it halves with each half-life, and falls evenly in between.
    fn penalty_at(&self, now: Time, half_life: Duration) -> u64 {
        let half_life = half_life.as_millis().max(1);
        let passed = now.since(self.as_of).as_millis();
        let halved =
            |times: u128| u32::try_from(times).ok().and_then(|times| self.penalty.checked_shr(times));
        let whole = halved(passed / half_life).unwrap_or(0);
        let fallen = u128::from(whole) * (passed % half_life) / (2 * half_life);
        whole.saturating_sub(u64::try_from(fallen).unwrap_or(u64::MAX))
    }

    /// One more step. Returns how long the cluster has to be stable now, if it counts as flapping.
    fn step(&mut self, now: Time, config: &Config) -> Option<Duration> {
        self.penalty = self.penalty_at(now, config.flapping_half_life).saturating_add(STEP);
        self.as_of = now;
        if self.penalty <= u64::from(config.flapping_limit) * STEP {
            self.repetitions = 0;
            return None;
        }
        let doubled = 1_u32.checked_shl(self.repetitions).unwrap_or(u32::MAX);
        self.repetitions = self.repetitions.saturating_add(1);
        let proves = config.flapping_stable.saturating_mul(doubled).min(config.flapping_stable_most);
        self.proves = Some(proves.max(self.proves.unwrap_or_default()));
        self.proves
    }
}

impl Hub {
    /// A cluster is in another state than before.
    pub(crate) fn count_state(&mut self, before: ClusterState, after: Option<ClusterState>) {
        let was_massive = self.is_massive();
        let change = |count: &mut usize, of: ClusterState| {
            *count = count.saturating_sub(usize::from(before == of)) + usize::from(after == Some(of));
        };
        change(&mut self.census.ready, ClusterState::Ready);
        change(&mut self.census.suspect, ClusterState::Suspect);
        if was_massive || self.is_massive() {
            self.census.massive_at = Some(self.now.time);
        }
    }

    /// Whether so many are Suspect that the hub's own network is the likelier cause (S6).
    fn is_massive(&self) -> bool {
        let (Census { ready, suspect, .. }, config) = (&self.census, &self.config);
        let all = ready + suspect;
        let many = *suspect >= config.mass_loss_slow_least && all >= config.mass_loss_small_fleet;
        let share = suspect * 100 >= all * config.mass_loss_slow_percent as usize;
        *suspect > 0 && (*ready == 0 || (many && share))
    }

    /// The hub's own loop stalled: whose stream ends because of that is not to blame.
    pub(crate) fn excuse_all(&mut self) {
        self.census.excused_until = self.now.time + self.config.stream_timeout();
    }

    /// A cluster has gone from Ready to Suspect.
    pub(crate) fn left(&mut self, name: &ClusterName) {
        let (now, excused_until) = (self.now.time, self.census.excused_until);
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let announced = cluster.health.grace > Duration::ZERO || cluster.record.maintenance.is_some();
        cluster.health.flaps.left_at = (!announced && now >= excused_until).then_some(now);
    }

    /// A cluster is connected again: was it alone in being away, it counts.
    pub(crate) fn count_flap(&mut self, name: &ClusterName) {
        let (now, massive_at) = (self.now.time, self.census.massive_at);
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let flaps = &mut cluster.health.flaps;
        let Some(left_at) = flaps.left_at.take() else { return };
        if massive_at.is_some_and(|at| at >= left_at) {
            return;
        }
        let Some(proves) = flaps.step(now, &self.config) else { return };
        let message = format!(
            "its connection was lost too often of late: it gets nothing new until it has been stable for {} s",
            proves.as_secs()
        );
        self.note(Severity::Warning, "S4", "ClusterFlapping", name.as_str(), message);
        self.fleet_changed();
        self.await_steadiness(name);
    }

    /// Wakes up when a flapping cluster will have been stable for long enough, if it stays so.
    pub(crate) fn await_steadiness(&mut self, name: &ClusterName) {
        if let Some(at) = self.clusters.get(name).and_then(|cluster| steady_at(cluster)) {
            self.wake_at(at, Timer::Steady(name.clone()));
        }
    }

    /// A flapping cluster may have been stable for long enough: then whoever waits is placed there (S14).
    pub(crate) fn look_at_steadiness(&mut self, name: &ClusterName) {
        let now = self.now.time;
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if steady_at(cluster).is_none_or(|at| at > now) {
            return;
        }
        let Some(proved) = cluster.health.flaps.proves.take() else { return };
        let message =
            format!("it has been stable for {} s: it gets its part of what is new", proved.as_secs());
        self.note(Severity::Normal, "S4", "ClusterSteady", name.as_str(), message);
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        self.roomier.insert(name.clone());
    }

    /// What is asked of a flapping cluster.
    pub(crate) fn flapping_view(&self, cluster: &Cluster) -> Option<FlappingView> {
        let stable_for = cluster.health.flaps.proves?;
        let left = |at: Time| u64::try_from(at.since(self.now.time).as_millis()).unwrap_or(u64::MAX);
        let until = steady_at(cluster).map(|at| WallTime(self.now.wall.0.saturating_add(left(at))));
        Some(FlappingView { stable_for, until })
    }
}

impl Cluster {
    /// Whether it gets nothing new because it keeps losing its connection.
    pub(crate) fn flapping(&self) -> bool {
        self.health.flaps.proves.is_some()
    }
}

/// When a flapping cluster will have been stable for long enough; none while it is away, or does not flap.
fn steady_at(cluster: &Cluster) -> Option<Time> {
    Some(cluster.health.stable_since? + cluster.health.flaps.proves?)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn at(seconds: u64) -> Time {
        Time(seconds * 1_000)
    }

    #[test]
    fn a_penalty_halves_and_falls_evenly_in_between() {
        let flaps = Flaps { penalty: 8_000, as_of: at(0), ..Flaps::default() };
        let penalties = [0, 300, 600, 900, 1_200, 6_000, 10_000_000];
        let penalties = penalties.map(|seconds| flaps.penalty_at(at(seconds), Duration::from_secs(600)));
        assert_eq!(penalties, [8_000, 6_000, 4_000, 3_000, 2_000, 7, 0]);
    }

    #[test]
    fn each_repetition_doubles_what_is_asked_up_to_the_most() {
        let (config, mut flaps) = (Config::default(), Flaps::default());
        let mut asked = |seconds| flaps.step(at(seconds), &config).map(|proves| proves.as_secs());
        assert_eq!([0, 1, 2].map(&mut asked), [None; 3]);
        let more: Vec<u64> = (3..12).filter_map(&mut asked).collect();
        assert_eq!(more, [60, 120, 240, 480, 960, 1_920, 3_600, 3_600, 3_600]);
    }

    #[test]
    fn after_a_long_quiet_time_the_repetitions_begin_anew() {
        let (config, mut flaps) = (Config::default(), Flaps::default());
        assert_eq!((0..5).filter_map(|seconds| flaps.step(at(seconds), &config)).count(), 2);
        assert_eq!(flaps.proves.take(), Some(Duration::from_secs(120)));
        let later: Vec<_> = (36_000..36_003).map(|seconds| flaps.step(at(seconds), &config)).collect();
        assert_eq!(later, [None; 3]);
        assert_eq!(flaps.step(at(36_003), &config), Some(Duration::from_secs(60)));
    }
}
