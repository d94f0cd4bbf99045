//! The checks that all messages share. Names of fields are relative to the message at hand; who holds the message
//! puts its own field in front.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::Uid;
use godwit_common::link::COUNT_MAX;

use super::WireError;

/// The longest duration that the protocol speaks of: a session's terms are never about more than a day.
const DURATION_MAX: Duration = Duration::from_secs(24 * 60 * 60);

/// A message that must be there.
pub(super) fn required<W, T>(
    field: &str,
    wire: Option<W>,
    convert: impl FnOnce(W) -> Result<T, WireError>,
) -> Result<T, WireError> {
    let wire = wire.ok_or_else(|| WireError::new(field, "it is missing"))?;
    convert(wire).map_err(|error| error.within(field))
}

/// A list of bounded length.
pub(super) fn list<W, T>(
    field: &str,
    wire: Vec<W>,
    max: usize,
    convert: impl Fn(W) -> Result<T, WireError>,
) -> Result<Vec<T>, WireError> {
    bounded_len(field, wire.len(), max)?;
    let row = |(index, row)| convert(row).map_err(|error| error.within(&format!("{field}[{index}]")));
    wire.into_iter().enumerate().map(row).collect()
}

/// The number of entries of a list or map.
pub(super) fn bounded_len(field: &str, len: usize, max: usize) -> Result<(), WireError> {
    if len <= max {
        return Ok(());
    }
    let problem = format!("it has {len} entries, and at most {max} are allowed");
    Err(WireError::new(field, problem))
}

/// A UID: 16 bytes, big-endian.
pub(super) fn uid(field: &str, wire: &[u8]) -> Result<Uid, WireError> {
    match <[u8; 16]>::try_from(wire) {
        Ok(bytes) => Ok(Uid(u128::from_be_bytes(bytes))),
        Err(_) => {
            let problem = format!("it has {} bytes, and a UID has 16", wire.len());
            Err(WireError::new(field, problem))
        }
    }
}

/// A UID's bytes.
pub(super) fn uid_to_wire(uid: Uid) -> Vec<u8> {
    uid.0.to_be_bytes().to_vec()
}

/// Any text up to a length.
pub(super) fn text(field: &str, wire: String, max: usize) -> Result<Arc<str>, WireError> {
    if wire.len() <= max {
        return Ok(wire.into());
    }
    let problem = format!("it has {} bytes, and at most {max} are allowed", wire.len());
    Err(WireError::new(field, problem))
}

/// A short text that ends up in one line of a table or a log: it may be empty, but never moves the cursor.
pub(super) fn line(field: &str, wire: String, max: usize) -> Result<Arc<str>, WireError> {
    let line = text(field, wire, max)?;
    if line.contains(char::is_control) {
        let problem = format!("{line:?} contains a control character");
        return Err(WireError::new(field, problem));
    }
    Ok(line)
}

/// A line that must not be empty.
pub(super) fn word(field: &str, wire: String, max: usize) -> Result<Arc<str>, WireError> {
    if wire.is_empty() {
        return Err(WireError::new(field, "it is empty"));
    }
    line(field, wire, max)
}

/// A number of replicas, pods or nodes.
pub(super) fn count(field: &str, wire: u32) -> Result<u32, WireError> {
    if wire <= COUNT_MAX {
        return Ok(wire);
    }
    let problem = format!("{wire} is too many: at most {COUNT_MAX} are allowed");
    Err(WireError::new(field, problem))
}

/// A duration that is present and between zero and [`DURATION_MAX`].
pub(super) fn duration(field: &str, wire: Option<prost_types::Duration>) -> Result<Duration, WireError> {
    required(field, wire, |wire| {
        let seconds = u64::try_from(wire.seconds).ok();
        let nanos = u32::try_from(wire.nanos).ok().filter(|n| *n < 1_000_000_000);
        let duration = seconds.zip(nanos).map(|(s, n)| Duration::new(s, n));
        duration.filter(|duration| *duration <= DURATION_MAX).ok_or_else(|| {
            let (seconds, nanos) = (wire.seconds, wire.nanos);
            let problem = format!("{seconds} s and {nanos} ns is not a duration between zero and a day");
            WireError::new("", problem)
        })
    })
}

/// A duration's message. The protocol's own durations are short; a longer one saturates, and the receiver refuses it.
pub(super) fn duration_to_wire(duration: Duration) -> prost_types::Duration {
    prost_types::Duration {
        seconds: i64::try_from(duration.as_secs()).unwrap_or(i64::MAX),
        nanos: duration.subsec_nanos().cast_signed(),
    }
}
