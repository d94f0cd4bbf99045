//! How long losses took, for as long as this process runs.

use std::time::Duration;

use godwit_common::WallTime;
use godwit_hub_core::{MigrationState, MigrationView};

/// Three spans of each loss that moves anything.
#[derive(Debug, Clone)]
pub(crate) struct Times {
    /// From the last sign of life to the decision (S1, S2).
    pub(crate) detection: Histogram,
    /// From the decision until the last start was sent to a cluster.
    pub(crate) wave: Histogram,
    /// From the decision until everything was ready elsewhere.
    pub(crate) recovery: Histogram,
}

/// Durations, counted by their size.
#[derive(Debug, Clone)]
pub(crate) struct Histogram {
    /// In milliseconds, ascending.
    bounds: &'static [u64],
    /// How many were within each bound and no smaller one; the last, beyond all of them.
    counts: Vec<u64>,
    sum: Duration,
}

/// A cluster that falls silent is usually lost after its `lost_after` of some seconds.
const DETECTION: &[u64] =
    &[500, 1_000, 2_000, 3_500, 5_000, 7_500, 10_000, 12_500, 15_000, 30_000, 60_000, 300_000];
/// A wave is a matter of milliseconds, unless the pace (S7) holds it.
const WAVE: &[u64] = &[5, 10, 25, 50, 100, 250, 500, 1_000, 2_500, 5_000, 10_000, 30_000, 60_000, 300_000];
/// Pods need seconds or minutes to get ready.
const RECOVERY: &[u64] =
    &[1_000, 2_500, 5_000, 10_000, 15_000, 30_000, 60_000, 120_000, 300_000, 600_000, 1_800_000];

impl Default for Times {
    fn default() -> Self {
        Self {
            detection: Histogram::new(DETECTION),
            wave: Histogram::new(WAVE),
            recovery: Histogram::new(RECOVERY),
        }
    }
}

impl Times {
    /// A migration has changed or come. What is known of it now and was not before is counted.
    pub(super) fn saw(&mut self, old: Option<&MigrationView>, new: Option<&MigrationView>) {
        let Some(new) = new else { return };
        let Some(loss) = &new.migration.loss else { return };
        if let (None, Some(heard)) = (old, loss.heard) {
            self.detection.count(between(heard, loss.lost));
        }
        let told = |view: &MigrationView| view.migration.told;
        if let (None, Some(told)) = (old.and_then(told), told(new)) {
            self.wave.count(between(loss.lost, told));
        }
        let ready = |view: &MigrationView| {
            view.migration.completed().filter(|_| view.state == MigrationState::Completed)
        };
        if let (None, Some(ready)) = (old.and_then(ready), ready(new)) {
            self.recovery.count(between(loss.lost, ready));
        }
    }
}

impl Histogram {
    fn new(bounds: &'static [u64]) -> Self {
        Self { bounds, counts: vec![0; bounds.len() + 1], sum: Duration::ZERO }
    }

    pub(crate) fn count(&mut self, duration: Duration) {
        let within = self.bounds.partition_point(|bound| Duration::from_millis(*bound) < duration);
        if let Some(count) = self.counts.get_mut(within) {
            *count += 1;
        }
        self.sum = self.sum.saturating_add(duration);
    }

    /// Each bound, with how many are within it.
    pub(crate) fn cumulative(&self) -> impl Iterator<Item = (Duration, u64)> {
        let bounds = self.bounds.iter().map(|bound| Duration::from_millis(*bound));
        let sums = self.counts.iter().scan(0, |sum, count| {
            *sum += count;
            Some(*sum)
        });
        bounds.zip(sums)
    }

    /// How many there are.
    pub(crate) fn total(&self) -> u64 {
        self.counts.iter().sum()
    }

    /// All of them together.
    pub(crate) fn sum(&self) -> Duration {
        self.sum
    }
}

/// The wall clock may have been set meanwhile: nothing took less than no time.
fn between(earlier: WallTime, later: WallTime) -> Duration {
    Duration::from_millis(later.0.saturating_sub(earlier.0))
}

#[cfg(test)]
mod tests {
    use godwit_hub_core::{Loss, Migration, MigrationCause, MigrationId};

    use super::*;

    #[test]
    fn a_bound_is_part_of_what_it_bounds_and_what_is_beyond_all_is_counted_too() {
        let mut histogram = Histogram::new(&[10, 20]);
        for millis in [0, 10, 11, 20, 21] {
            histogram.count(Duration::from_millis(millis));
        }
        let millis = Duration::from_millis;
        assert_eq!(histogram.cumulative().collect::<Vec<_>>(), [(millis(10), 2), (millis(20), 4)]);
        assert_eq!((histogram.total(), histogram.sum()), (5, millis(62)));
    }

    #[test]
    fn each_span_of_a_loss_is_counted_once_when_it_is_known() {
        let mut times = Times::default();
        let counted = |times: &Times| [times.detection.total(), times.wave.total(), times.recovery.total()];
        let opened = loss();
        times.saw(None, Some(&opened));
        assert_eq!(counted(&times), [1, 0, 0]);
        let mut told = opened.clone();
        told.migration.told = Some(WallTime(12_030));
        times.saw(Some(&opened), Some(&told));
        times.saw(Some(&told), Some(&told));
        assert_eq!(counted(&times), [1, 1, 0]);
        let mut ready = told.clone();
        (ready.state, ready.migration.state) = (MigrationState::Completed, MigrationState::Completed);
        ready.migration.since = WallTime(20_000);
        times.saw(Some(&told), Some(&ready));
        times.saw(Some(&ready), None);
        assert_eq!(counted(&times), [1, 1, 1]);
        let spans = [&times.detection, &times.wave, &times.recovery].map(|span| span.sum().as_millis());
        assert_eq!(spans, [10_000, 30, 8_000]);
    }

    #[test]
    fn what_is_no_loss_is_not_counted() {
        let mut times = Times::default();
        let mut other = loss();
        other.migration.loss = None;
        times.saw(None, Some(&other));
        assert_eq!(times.detection.total(), 0);
    }

    fn loss() -> MigrationView {
        let state = MigrationState::Running;
        let (heard, lost) = (Some(WallTime(2_000)), WallTime(12_000));
        let migration = Migration {
            id: MigrationId(1),
            cause: MigrationCause::ClusterLost("east".parse().unwrap()),
            state,
            started: lost,
            since: lost,
            ready_before: 0,
            told: None,
            loss: Some(Loss { heard, suspect: heard, lost }),
            inputs: Default::default(),
            moves: [].into(),
            held: Default::default(),
        };
        MigrationView {
            migration,
            state,
            halted: String::new(),
            replicas: 1,
            replicas_ready: 0,
            workloads: 1,
            workloads_ready: 0,
            estimated_end: None,
            waiting: Vec::new(),
        }
    }
}
