//! Virtual time: one true clock in milliseconds, the skewed clocks that processes read, and the queue of what happens.

use std::collections::BTreeMap;

use godwit_common::rng::Rng;
use godwit_common::{Now, Time, WallTime};

/// A process's own clock: another origin, and a rate that is a little off.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Clock {
    started: u64,
    origin: u64,
    /// For how long it did not run.
    lost: u64,
    /// Parts per million that it runs fast or slow.
    drift: i64,
}

impl Clock {
    /// The clock of a process that starts now; its drift is at most 0.02 %, beyond any machine worth running.
    pub(crate) fn new(now: u64, rng: &mut Rng) -> Self {
        let drift = i64::try_from(rng.below(400)).unwrap_or(0) - 200;
        Self { started: now, origin: rng.below(10_000_000), lost: 0, drift }
    }

    /// The same of a machine that nobody looks after: its drift is just within what leases allow for (S9).
    pub(crate) fn careless(now: u64, rng: &mut Rng) -> Self {
        let drift = i64::try_from(rng.below(19_001)).unwrap_or(0) - 9_500;
        Self { drift, ..Self::new(now, rng) }
    }

    /// What the process reads at a virtual moment.
    pub(crate) fn read(&self, now: u64) -> Time {
        let elapsed = (now - self.started).saturating_sub(self.lost);
        let elapsed = i128::from(elapsed) * i128::from(1_000_000 + self.drift) / 1_000_000;
        Time(self.origin + u64::try_from(elapsed).unwrap_or(0))
    }

    /// From now on it does not run for so long. Nobody may read it meanwhile.
    pub(crate) fn lose(&mut self, time: u64) {
        self.lost += time;
    }

    /// Both clocks of the process; the wall clocks of the fleet agree no better than its monotonic ones.
    pub(crate) fn now(&self, now: u64) -> Now {
        Now { time: self.read(now), wall: WallTime(1_700_000_000_000 + self.read(now).0) }
    }

    /// The first virtual moment at which the process reads at least `time`.
    pub(crate) fn moment(&self, time: Time) -> u64 {
        let ahead = u128::from(time.0.saturating_sub(self.origin));
        let rate = u128::try_from(1_000_000 + self.drift).unwrap_or(1_000_000);
        self.started + self.lost + u64::try_from((ahead * 1_000_000).div_ceil(rate)).unwrap_or(u64::MAX / 2)
    }
}

/// What will happen, in order of time, then in the order in which it was decided.
#[derive(Debug)]
pub(crate) struct Queue<T> {
    items: BTreeMap<(u64, u64), T>,
    next: u64,
}

impl<T> Default for Queue<T> {
    fn default() -> Self {
        Self { items: BTreeMap::new(), next: 0 }
    }
}

impl<T> Queue<T> {
    /// Something happens at a moment.
    pub(crate) fn push(&mut self, at: u64, item: T) {
        self.items.insert((at, self.next), item);
        self.next += 1;
    }

    /// The moment of what comes next.
    pub(crate) fn next_at(&self) -> Option<u64> {
        self.items.first_key_value().map(|((at, _), _)| *at)
    }

    /// What comes next.
    pub(crate) fn pop(&mut self) -> Option<T> {
        self.items.pop_first().map(|(_, item)| item)
    }
}

/// What a part of the world needs to let things happen: the time, chance, and the queue.
#[derive(Debug)]
pub(crate) struct Cx<'a, T> {
    /// The true time.
    pub(crate) now: u64,
    /// The world's chance.
    pub(crate) rng: &'a mut Rng,
    /// The world's future.
    pub(crate) queue: &'a mut Queue<T>,
}

impl<T> Cx<'_, T> {
    /// Lets something happen after between `least` and `most` milliseconds.
    pub(crate) fn after(&mut self, (least, most): (u64, u64), item: T) {
        let at = self.now + least + self.rng.below(most.saturating_sub(least) + 1);
        self.queue.push(at, item);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_moment_is_the_first_at_which_the_time_has_come() {
        let mut rng = Rng::new(5);
        for _ in 0..200 {
            let clock = Clock::new(rng.below(1_000_000), &mut rng);
            let time = Time(clock.origin + rng.below(1_000_000_000));
            let moment = clock.moment(time);
            assert!(clock.read(moment) >= time);
            assert!(moment == clock.started || clock.read(moment - 1) < time);
            let mut late = clock;
            late.lose(1_000);
            assert_eq!(late.moment(time), moment + 1_000);
        }
    }

    #[test]
    fn what_is_decided_first_happens_first() {
        let mut queue = Queue::default();
        for (at, item) in [(5, 'b'), (1, 'a'), (5, 'c')] {
            queue.push(at, item);
        }
        let order: String = std::iter::from_fn(|| queue.pop()).collect();
        assert_eq!(order, "abc");
    }
}
