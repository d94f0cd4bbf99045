//! The clock that the machine is told the time by.

use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// It never goes back, and it runs on while the machine is suspended: whoever wakes up knows that a lease has ended
/// meanwhile (S9). Where there is no such clock, nothing may be held to a lease.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The time since an unspecified moment before the start of the process.
pub(crate) fn read() -> Duration {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}
