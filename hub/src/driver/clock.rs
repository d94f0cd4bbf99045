//! The two clocks, read together.

use std::time::{Duration, Instant, SystemTime};

use godwit_common::{Now, Time, WallTime};

/// One origin for all that the machine counts on, for the life of the process.
#[derive(Debug, Clone, Copy)]
pub(super) struct Clock {
    origin: Instant,
}

impl Clock {
    pub(super) fn new() -> Self {
        Self { origin: Instant::now() }
    }

    pub(super) fn now(&self) -> Now {
        Now { time: Time(millis(self.origin.elapsed())), wall: wall_time() }
    }

    /// The machine's time on the runtime's clock.
    pub(super) fn instant(&self, time: Time) -> tokio::time::Instant {
        (self.origin + Duration::from_millis(time.0)).into()
    }
}

/// What records show.
pub(crate) fn wall_time() -> WallTime {
    let since_1970 = SystemTime::now().duration_since(SystemTime::UNIX_EPOCH);
    WallTime(since_1970.map_or(0, millis))
}

fn millis(duration: Duration) -> u64 {
    u64::try_from(duration.as_millis()).unwrap_or(u64::MAX)
}
