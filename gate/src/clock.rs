//! The clock that leases are measured by, and since when it counts.

use std::fs;
use std::time::Duration;

use rustix::time::{ClockId, clock_gettime};

/// It runs on while the machine is suspended, and nobody sets it.
#[cfg(target_os = "linux")]
const CLOCK: ClockId = ClockId::Boottime;
#[cfg(not(target_os = "linux"))]
const CLOCK: ClockId = ClockId::Monotonic;

/// The time since this machine was started, as everybody on it reads it.
pub fn now() -> Duration {
    let time = clock_gettime(CLOCK);
    let seconds = u64::try_from(time.tv_sec).unwrap_or(0);
    Duration::new(seconds, u32::try_from(time.tv_nsec).unwrap_or(0))
}

/// What names this start of the machine: no other has it, nor has a virtual machine on it.
pub fn boot() -> Result<String, String> {
    let path = "/proc/sys/kernel/random/boot_id";
    let boot = fs::read_to_string(path).map_err(|error| format!("{path} cannot be read: {error}"))?;
    match boot.trim() {
        "" => Err(format!("{path} is empty")),
        boot => Ok(boot.to_owned()),
    }
}

/// Refuses a time namespace in which the clock is another than on the rest of the machine.
pub fn is_the_machines() -> Result<(), String> {
    // Kernels without such namespaces have no such file.
    let Ok(offsets) = fs::read_to_string("/proc/self/timens_offsets") else { return Ok(()) };
    match shifted(&offsets) {
        false => Ok(()),
        true => Err("the clock is shifted here by a time namespace, so that no lease can be read".to_owned()),
    }
}

fn shifted(offsets: &str) -> bool {
    let boottime = offsets.lines().filter_map(|line| line.trim().strip_prefix("boottime"));
    boottime.flat_map(str::split_whitespace).any(|number| number != "0")
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_shifted_clock_is_known() {
        assert!(!shifted("monotonic           0         0\nboottime            0         0\n"));
        assert!(!shifted("monotonic           7         0\nboottime            0         0\n"));
        assert!(shifted("monotonic           0         0\nboottime      -86400         0\n"));
        assert!(shifted("boottime            0         5\n"));
    }

    #[test]
    fn the_clock_goes_on_and_the_boot_stays() {
        let (before, boot) = (now(), super::boot().unwrap());
        assert!(now() >= before && super::boot().unwrap() == boot && !boot.contains('\n'));
        assert_eq!(is_the_machines(), Ok(()));
    }
}
