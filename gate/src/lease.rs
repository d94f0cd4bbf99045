//! The file by which an agent lets processes of its node run (S9): until when, on the clock of that machine.
//!
//! ```text
//! godwit-lease/1
//! boot 5f0c3f0c-6a4d-4d1e-9c0f-3a3f4f1f7c55
//! life 00000000-0000-0000-0000-00000000002a
//! until_ms 86400000
//! sum 0123456789abcdef
//! ```
//!
//! The moment is one of `CLOCK_BOOTTIME`, which everybody on a machine reads alike, and which nobody sets. It means nothing
//! after a restart, nor in a virtual machine of its own, so the boot is named. The sum shows that the whole file was read.

use std::fmt::{self, Write as _};
use std::time::Duration;

/// The first line. What another version says is not guessed at.
const HEAD: &str = "godwit-lease/1";
/// More than any lease has.
pub const BYTES_MAX: usize = 512;
/// The longest name of a boot or a life: both are UUIDs.
const NAME_MAX: usize = 64;

/// Until when processes of a workload may run on a machine.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Lease {
    /// Since when that machine runs: [`crate::clock::boot`].
    pub boot: String,
    /// The life of the workload, as its UID.
    pub life: String,
    /// A moment of [`crate::clock::now`].
    pub until: Duration,
}

/// Why a file is no lease.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum Flaw {
    /// It is longer than any.
    TooLong,
    /// It begins otherwise.
    OtherVersion,
    /// A line is missing, is not what it should be, or is one too many.
    Malformed,
    /// It was not written to its end, or changed since.
    Torn,
}

impl fmt::Display for Flaw {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::TooLong => write!(f, "it has more than {BYTES_MAX} bytes"),
            Self::OtherVersion => write!(f, "it does not begin with {HEAD}"),
            Self::Malformed => f.write_str("its lines are not boot, life, until_ms and sum"),
            Self::Torn => f.write_str("its sum is not that of what stands before it"),
        }
    }
}

impl Lease {
    /// The text of the file.
    pub fn write(&self) -> String {
        let Self { boot, life, until } = self;
        let mut text = format!("{HEAD}\nboot {boot}\nlife {life}\nuntil_ms {}\n", until.as_millis());
        let sum = sum(text.as_bytes());
        // Writing to a string cannot fail.
        let _ = writeln!(text, "sum {sum:016x}");
        text
    }

    /// Reads what [`Self::write`] has written, and nothing else.
    pub fn read(bytes: &[u8]) -> Result<Self, Flaw> {
        if bytes.len() > BYTES_MAX {
            return Err(Flaw::TooLong);
        }
        let text = std::str::from_utf8(bytes).map_err(|_| Flaw::OtherVersion)?;
        let rest = text.strip_prefix(HEAD).ok_or(Flaw::OtherVersion)?;
        let mut lines = rest.strip_prefix('\n').ok_or(Flaw::OtherVersion)?.split_terminator('\n');
        let mut field = |name: &str| lines.next()?.strip_prefix(name)?.strip_prefix(' ');
        let (boot, life) = (field("boot").and_then(name), field("life").and_then(name));
        let until = field("until_ms").and_then(digits).and_then(|text| text.parse().ok());
        let told = field("sum").and_then(|text| u64::from_str_radix(text, 16).ok());
        let (Some(boot), Some(life), Some(until), Some(told)) = (boot, life, until, told) else {
            return Err(Flaw::Malformed);
        };
        let lease = Self { boot, life, until: Duration::from_millis(until) };
        if lines.next().is_some() {
            return Err(Flaw::Malformed);
        }
        // Written again it is the same, to the last byte; so nothing is read that could be written in two ways.
        match lease.write() == text && text.ends_with(&format!("{told:016x}\n")) {
            true => Ok(lease),
            false => Err(Flaw::Torn),
        }
    }
}

fn name(text: &str) -> Option<String> {
    let fits = (1..=NAME_MAX).contains(&text.len());
    let known = text.bytes().all(|byte| byte.is_ascii_hexdigit() || byte == b'-');
    (fits && known).then(|| text.to_owned())
}

/// A number without a sign.
fn digits(text: &str) -> Option<&str> {
    text.bytes().all(|byte| byte.is_ascii_digit()).then_some(text)
}

/// FNV-1a: against accidents, not against whoever may write there.
fn sum(bytes: &[u8]) -> u64 {
    bytes
        .iter()
        .fold(0xcbf2_9ce4_8422_2325, |sum, byte| (sum ^ u64::from(*byte)).wrapping_mul(0x0000_0100_0000_01b3))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn lease() -> Lease {
        Lease { boot: "b-0".to_owned(), life: "2a".to_owned(), until: Duration::from_millis(86_400_123) }
    }

    #[test]
    fn what_is_written_is_read() {
        let text = lease().write();
        assert_eq!(Lease::read(text.as_bytes()), Ok(lease()));
        assert!(text.starts_with("godwit-lease/1\nboot b-0\nlife 2a\nuntil_ms 86400123\nsum "), "{text}");
    }

    #[test]
    fn no_part_of_a_lease_is_one() {
        let text = lease().write();
        for length in 0..text.len() {
            assert!(Lease::read(&text.as_bytes()[..length]).is_err(), "{:?}", &text[..length]);
        }
    }

    #[test]
    fn no_other_byte_anywhere_passes() {
        let text = lease().write();
        for place in 0..text.len() {
            for other in [b'0', b'9', b'f', b'\n', b' ', 0, 0xff] {
                let mut bytes = text.clone().into_bytes();
                if std::mem::replace(&mut bytes[place], other) != other {
                    assert!(Lease::read(&bytes).is_err(), "{:?}", String::from_utf8_lossy(&bytes));
                }
            }
        }
    }

    #[test]
    fn what_is_wrong_is_named() {
        let text = lease().write();
        let cases = [
            (String::new(), Flaw::OtherVersion),
            (text.replace("lease/1", "lease/2"), Flaw::OtherVersion),
            (text.replace("until_ms 8", "until_ms +8"), Flaw::Malformed),
            (text.replace("boot", "boat"), Flaw::Malformed),
            (text.replace("until_ms 8", "until_ms 9"), Flaw::Torn),
            (text.replace("until_ms 86400123", "until_ms 99999999999999999999999"), Flaw::Malformed),
            (format!("{text}more\n"), Flaw::Malformed),
            ("x".repeat(BYTES_MAX + 1), Flaw::TooLong),
        ];
        for (text, flaw) in cases {
            assert_eq!(Lease::read(text.as_bytes()), Err(flaw), "{text}");
        }
    }
}
