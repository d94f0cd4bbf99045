//! How long something takes.

use std::fmt;
use std::hint::black_box;
use std::time::{Duration, Instant};

/// Samples of which the median is taken.
const SAMPLES: usize = 25;
/// A sample repeats the work until it takes at least this long, so that the clock's resolution does not matter.
const SAMPLE: Duration = Duration::from_millis(2);
/// Caches and branch predictors are warm after this.
const WARM_UP: Duration = Duration::from_millis(20);
/// Work that takes longer than this is measured three times only.
const SLOW: Duration = Duration::from_millis(200);

/// The time of one repetition.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Took {
    pub(crate) nanos: f64,
}

impl Took {
    /// How many times longer this took than another.
    pub(crate) fn ratio(self, other: Self) -> f64 {
        self.nanos / other.nanos
    }
}

impl fmt::Display for Took {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let text = match self.nanos {
            n if n < 1e3 => format!("{n:.0} ns"),
            n if n < 1e6 => format!("{:.1} µs", n / 1e3),
            n if n < 1e9 => format!("{:.1} ms", n / 1e6),
            n => format!("{:.1} s", n / 1e9),
        };
        f.pad(&text)
    }
}

/// The median time of `work`, after a warm-up. Its result is kept from being optimised away.
pub(crate) fn median<T>(mut work: impl FnMut() -> T) -> Took {
    let start = Instant::now();
    let mut done: u32 = 0;
    while done == 0 || start.elapsed() < WARM_UP {
        black_box(work());
        done += 1;
    }
    let once = start.elapsed() / done;
    let samples = if once > SLOW { 3 } else { SAMPLES };
    let repeat = (SAMPLE.as_nanos() / once.as_nanos().max(1)).clamp(1, 1_000_000) as u32;
    let mut times: Vec<f64> = (0..samples).map(|_| sample(&mut work, repeat)).collect();
    times.sort_by(f64::total_cmp);
    Took { nanos: times[times.len() / 2] }
}

/// The median time of work that uses up what it is given: that is made anew each time, and its making is not counted.
pub(crate) fn median_of<S, T>(mut make: impl FnMut() -> S, mut work: impl FnMut(&mut S) -> T) -> Took {
    let mut once = || {
        let mut given = make();
        let start = Instant::now();
        let result = black_box(work(black_box(&mut given)));
        let took = start.elapsed();
        drop(result);
        took
    };
    let samples = if once() > SLOW { 3 } else { SAMPLES };
    let mut times: Vec<Duration> = (0..samples).map(|_| once()).collect();
    times.sort();
    Took { nanos: times[times.len() / 2].as_nanos() as f64 }
}

/// A time in a table.
pub(crate) fn millis(duration: Duration) -> String {
    format!("{:.1} ms", duration.as_secs_f64() * 1e3)
}

fn sample<T>(work: &mut impl FnMut() -> T, repeat: u32) -> f64 {
    let start = Instant::now();
    for _ in 0..repeat {
        black_box(work());
    }
    start.elapsed().as_nanos() as f64 / f64::from(repeat)
}
