//! Spans of time as kubectl shows them: two units at most, the finer one only while it matters.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use prost_types::Timestamp;
use time::OffsetDateTime;
use time::format_description::well_known::Rfc3339;

/// What stands where there is no time.
pub(crate) const NONE: &str = "-";

/// How long ago that was, such as `5m12s`. A moment in the future (two clocks differ) is now.
pub(crate) fn since(then: Option<&Timestamp>, now: SystemTime) -> String {
    let Some(then) = then.and_then(system_time) else {
        return NONE.to_owned();
    };
    short(now.duration_since(then).unwrap_or_default())
}

/// How long it took, or takes so far.
pub(crate) fn between(from: Option<&Timestamp>, to: Option<&Timestamp>, now: SystemTime) -> String {
    let to = to.and_then(system_time).unwrap_or(now);
    since(from, to)
}

/// The moment itself, such as `2026-11-23T14:52:00Z`.
pub(crate) fn moment(time: Option<&Timestamp>) -> String {
    let nanos = |time: &Timestamp| i128::from(time.seconds) * 1_000_000_000;
    let moment = time.and_then(|time| OffsetDateTime::from_unix_timestamp_nanos(nanos(time)).ok());
    let text = moment.and_then(|moment| moment.format(&Rfc3339).ok());
    text.unwrap_or_else(|| NONE.to_owned())
}

/// The moment itself to the millisecond, such as `2026-11-23T14:52:00.250Z`.
pub(crate) fn precise_moment(time: Option<&Timestamp>) -> String {
    let text = moment(time);
    let millis = time.map_or(0, |time| time.nanos / 1_000_000);
    match text.strip_suffix('Z') {
        Some(text) => format!("{text}.{millis:03}Z"),
        None => text,
    }
}

/// The seconds between two moments, such as `12.3s`.
pub(crate) fn seconds_between(from: Option<&Timestamp>, to: Option<&Timestamp>) -> String {
    match (from.and_then(system_time), to.and_then(system_time)) {
        (Some(from), Some(to)) => {
            format!("{:.1}s", to.duration_since(from).unwrap_or_default().as_secs_f64())
        }
        (_, _) => NONE.to_owned(),
    }
}

/// How long it is until then; zero if it has passed.
pub(crate) fn until(then: Option<&Timestamp>, now: SystemTime) -> Option<Duration> {
    then.and_then(system_time).map(|then| then.duration_since(now).unwrap_or_default())
}

/// A span, such as `5m12s`.
pub(crate) fn short(span: Duration) -> String {
    const MINUTE: u64 = 60;
    const HOUR: u64 = 60 * MINUTE;
    const DAY: u64 = 24 * HOUR;
    const YEAR: u64 = 365 * DAY;
    let seconds = span.as_secs();
    let two = |large: u64, large_unit, small: u64, small_unit| match seconds % large / small {
        0 => format!("{}{large_unit}", seconds / large),
        rest => format!("{}{large_unit}{rest}{small_unit}", seconds / large),
    };
    match seconds {
        _ if seconds < 2 * MINUTE => format!("{seconds}s"),
        _ if seconds < 10 * MINUTE => two(MINUTE, 'm', 1, 's'),
        _ if seconds < 3 * HOUR => format!("{}m", seconds / MINUTE),
        _ if seconds < 8 * HOUR => two(HOUR, 'h', MINUTE, 'm'),
        _ if seconds < 2 * DAY => format!("{}h", seconds / HOUR),
        _ if seconds < 8 * DAY => two(DAY, 'd', HOUR, 'h'),
        _ if seconds < 2 * YEAR => format!("{}d", seconds / DAY),
        _ => two(YEAR, 'y', DAY, 'd'),
    }
}

fn system_time(time: &Timestamp) -> Option<SystemTime> {
    let seconds = u64::try_from(time.seconds).ok()?;
    let nanos = u32::try_from(time.nanos).ok()?;
    UNIX_EPOCH.checked_add(Duration::new(seconds, nanos.min(999_999_999)))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn spans_have_two_units_at_most() {
        for (seconds, text) in [
            (0, "0s"),
            (119, "119s"),
            (120, "2m"),
            (312, "5m12s"),
            (600, "10m"),
            (3 * 3600 - 1, "179m"),
            (3 * 3600, "3h"),
            (5 * 3600 + 60, "5h1m"),
            (47 * 3600, "47h"),
            (3 * 86_400 + 7200, "3d2h"),
            (9 * 86_400 + 7200, "9d"),
            (3 * 365 * 86_400, "3y"),
            (u64::MAX, "584942417355y26d"),
        ] {
            assert_eq!(short(Duration::from_secs(seconds)), text);
        }
    }

    #[test]
    fn times_that_make_no_sense_do_no_harm() {
        let at = |seconds| Timestamp { seconds, nanos: 0 };
        let now = UNIX_EPOCH + Duration::from_secs(1000);
        assert_eq!(since(Some(&at(700)), now), "5m");
        assert_eq!(since(Some(&at(1001)), now), "0s");
        assert_eq!(since(None, now), "-");
        assert_eq!(since(Some(&at(-1)), now), "-");
        assert_eq!(since(Some(&at(i64::MAX)), now), "0s");
        assert_eq!(moment(Some(&at(i64::MAX))), "-");
        assert_eq!(moment(Some(&at(1_800_000_000))), "2027-01-15T08:00:00Z");
        assert_eq!(between(Some(&at(700)), Some(&at(730)), now), "30s");
        assert_eq!(between(Some(&at(700)), None, now), "5m");
        let precise = Timestamp { seconds: 1_800_000_000, nanos: 250_999_999 };
        assert_eq!(precise_moment(Some(&precise)), "2027-01-15T08:00:00.250Z");
        assert_eq!(precise_moment(Some(&at(i64::MAX))), "-");
        assert_eq!(
            seconds_between(Some(&at(700)), Some(&Timestamp { nanos: 90_000_000, ..at(701) })),
            "1.1s"
        );
        assert_eq!(seconds_between(Some(&at(700)), Some(&at(1))), "0.0s");
        assert_eq!(until(Some(&at(1_012)), now), Some(Duration::from_secs(12)));
        assert_eq!(until(Some(&at(12)), now), Some(Duration::ZERO));
        assert_eq!(until(Some(&at(-1)), now), None);
    }
}
