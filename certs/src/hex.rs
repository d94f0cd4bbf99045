//! Bytes as hexadecimal text.

use std::fmt;

/// Shown as two lower-case digits for each byte.
pub struct Hex<'a>(pub &'a [u8]);

impl fmt::Display for Hex<'_> {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

/// Exactly `N` bytes; none if the text is anything else.
pub fn read<const N: usize>(text: &str) -> Option<[u8; N]> {
    let digits = text.as_bytes();
    if digits.len() != 2 * N {
        return None;
    }
    let mut bytes = [0; N];
    for (byte, pair) in bytes.iter_mut().zip(digits.chunks_exact(2)) {
        let [high, low] = [pair[0], pair[1]].map(|digit| char::from(digit).to_digit(16));
        *byte = u8::try_from(high? * 16 + low?).ok()?;
    }
    Some(bytes)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_whole_pairs_of_digits_are_read() {
        assert_eq!(read("00ffA1"), Some([0, 255, 161]));
        assert_eq!(Hex(&[0, 255, 161]).to_string(), "00ffa1");
        for text in ["", "00ff", "00ffa", "00ffa1a", "00ffg1", "é0ff"] {
            assert_eq!(read::<3>(text), None, "{text:?}");
        }
    }
}
