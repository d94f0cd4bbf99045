//! Kubernetes quantities, such as `500m`, `1.5Gi` or `2e3`.

use std::str::FromStr;

/// The longest quantity; real ones have a dozen characters.
const TEXT_MAX: usize = 64;
/// Digits kept after the point; what lies beyond can only round the last of them up.
const FRACTION_MAX: usize = 18;
/// The largest value, as in Kubernetes, which caps there too.
const VALUE_MAX: u64 = i64::MAX as u64;

/// A quantity that is zero or more, held exactly: `mantissa * factor / 10^scale`.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Quantity {
    mantissa: u128,
    factor: u128,
    scale: u32,
}

/// Why a text is not a quantity.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
pub enum QuantityError {
    /// It begins with no number, or is far too long.
    #[error("a quantity is a number and a unit, such as 500m or 1.5Gi")]
    Number,
    /// What follows the number is no unit.
    #[error("its unit must be one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei")]
    Suffix,
    /// It is less than zero.
    #[error("it must not be negative")]
    Negative,
}

impl Quantity {
    /// In whole units, rounded up: bytes, pods, devices.
    pub fn units(self) -> u64 {
        self.times(1)
    }

    /// In thousandths, rounded up: CPU.
    pub fn milli(self) -> u64 {
        self.times(1000)
    }

    /// Whether it is a whole number of units.
    pub fn is_whole(self) -> bool {
        let whole = self.mantissa.checked_mul(self.factor);
        let divisor = 10u128.checked_pow(self.scale);
        match (whole, divisor) {
            (Some(whole), Some(divisor)) => whole % divisor == 0,
            // Beyond 128 bits above the point is whole, below it is not.
            (None, _) => true,
            (Some(whole), None) => whole == 0,
        }
    }

    fn times(self, by: u128) -> u64 {
        let product = self.mantissa.checked_mul(self.factor).and_then(|value| value.checked_mul(by));
        let Some(value) = product else {
            return VALUE_MAX;
        };
        match 10u128.checked_pow(self.scale) {
            Some(divisor) => {
                u64::try_from(value.div_ceil(divisor)).map_or(VALUE_MAX, |units| units.min(VALUE_MAX))
            }
            None => u64::from(value > 0),
        }
    }
}

impl FromStr for Quantity {
    type Err = QuantityError;

    fn from_str(text: &str) -> Result<Self, QuantityError> {
        if text.len() > TEXT_MAX {
            return Err(QuantityError::Number);
        }
        if let Some(rest) = text.strip_prefix('-') {
            let zero = Quantity::from_str(rest)?;
            return match zero.mantissa {
                0 => Ok(zero),
                _ => Err(QuantityError::Negative),
            };
        }
        let text = text.strip_prefix('+').unwrap_or(text);
        let end = text.find(|c: char| !c.is_ascii_digit() && c != '.').unwrap_or(text.len());
        let (number, suffix) = text.split_at(end);
        let (mantissa, fraction) = number_of(number)?;
        let (factor, exponent) = unit_of(suffix)?;
        let (factor, scale) = match exponent {
            0.. => (factor.checked_mul(10u128.saturating_pow(exponent.unsigned_abs())), fraction),
            ..0 => (Some(factor), fraction.saturating_add(exponent.unsigned_abs())),
        };
        Ok(Quantity { mantissa, factor: factor.unwrap_or(u128::MAX), scale })
    }
}

/// The digits as one number, and how many of them stand after the point.
fn number_of(number: &str) -> Result<(u128, u32), QuantityError> {
    let (whole, fraction) = number.split_once('.').unwrap_or((number, ""));
    if fraction.contains('.') || (whole.is_empty() && fraction.is_empty()) {
        return Err(QuantityError::Number);
    }
    let kept = fraction.len().min(FRACTION_MAX);
    let mut mantissa: u128 = 0;
    for digit in whole.bytes().chain(fraction.bytes().take(kept)) {
        mantissa = mantissa.saturating_mul(10).saturating_add(u128::from(digit - b'0'));
    }
    if fraction.bytes().skip(kept).any(|digit| digit != b'0') {
        mantissa = mantissa.saturating_add(1);
    }
    // At most 18, so it fits.
    Ok((mantissa, u32::try_from(kept).unwrap_or(u32::MAX)))
}

/// The factor and the power of ten that a suffix stands for.
fn unit_of(suffix: &str) -> Result<(u128, i32), QuantityError> {
    let unit = match suffix {
        "Ki" => (1 << 10, 0),
        "Mi" => (1 << 20, 0),
        "Gi" => (1 << 30, 0),
        "Ti" => (1 << 40, 0),
        "Pi" => (1 << 50, 0),
        "Ei" => (1 << 60, 0),
        "n" => (1, -9),
        "u" => (1, -6),
        "m" => (1, -3),
        "" => (1, 0),
        "k" => (1, 3),
        "M" => (1, 6),
        "G" => (1, 9),
        "T" => (1, 12),
        "P" => (1, 15),
        "E" => (1, 18),
        exponent => {
            let digits = exponent.strip_prefix(['e', 'E']).ok_or(QuantityError::Suffix)?;
            let power: i32 = digits.parse().map_err(|_| QuantityError::Suffix)?;
            (1, power)
        }
    };
    Ok(unit)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn both(text: &str) -> (u64, u64) {
        let quantity: Quantity = text.parse().unwrap();
        (quantity.milli(), quantity.units())
    }

    #[test]
    fn every_unit_of_kubernetes_is_read() {
        for (text, milli, units) in [
            ("0", 0, 0),
            ("1", 1_000, 1),
            ("+1", 1_000, 1),
            ("-0", 0, 0),
            ("500m", 500, 1),
            ("0.5", 500, 1),
            (".5", 500, 1),
            ("5.", 5_000, 5),
            ("100u", 1, 1),
            ("1n", 1, 1),
            ("2k", 2_000_000, 2_000),
            ("1.5Gi", 1_610_612_736_000, 1_610_612_736),
            ("128974848", 128_974_848_000, 128_974_848),
            ("129e6", 129_000_000_000, 129_000_000),
            ("129M", 129_000_000_000, 129_000_000),
            ("128974848000m", 128_974_848_000, 128_974_848),
            ("123Mi", 128_974_848_000, 128_974_848),
            ("1E3", 1_000_000, 1_000),
            ("1e-3", 1, 1),
            (
                "1E",
                1_000_000_000_000_000_000_000u128.min(u128::from(VALUE_MAX)) as u64,
                1_000_000_000_000_000_000,
            ),
            ("400m", 400, 1),
            ("0.0001", 1, 1),
            ("0.10000000000000000001", 101, 1),
            ("1.000000000000000000", 1_000, 1),
        ] {
            assert_eq!(both(text), (milli, units), "{text}");
        }
    }

    #[test]
    fn huge_and_tiny_values_are_capped_and_rounded_up_as_in_kubernetes() {
        assert_eq!(both("8Ei").1, VALUE_MAX);
        assert_eq!(both("1e99").1, VALUE_MAX);
        assert_eq!(both("1e2147483647").1, VALUE_MAX);
        assert_eq!(both("1e-2147483647").1, 1);
        assert_eq!(both("0e2147483647"), (0, 0));
        assert_eq!(both(&"9".repeat(64)).1, VALUE_MAX);
        assert_eq!(both("0.00000000000000000000000000001").1, 1);
    }

    #[test]
    fn what_is_no_quantity_is_refused() {
        for text in ["", ".", "m", "Gi", "abc", "1.2.3", " 1", "-", "ü", &"1".repeat(65)] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError::Number), "{text}");
        }
        for text in ["1K", "1KB", "1Gib", "1 Gi", "1e", "1e1.5", "1mm", "1e99999999999"] {
            assert_eq!(text.parse::<Quantity>(), Err(QuantityError::Suffix), "{text}");
        }
        assert_eq!("-1".parse::<Quantity>(), Err(QuantityError::Negative));
    }

    #[test]
    fn whole_numbers_are_told_from_fractions() {
        for text in ["0", "1", "2k", "1000m", "1.5Ki", "1e30", "0e-99"] {
            assert!(text.parse::<Quantity>().unwrap().is_whole(), "{text}");
        }
        for text in ["1m", "0.5", "1e-9", "1e-99"] {
            assert!(!text.parse::<Quantity>().unwrap().is_whole(), "{text}");
        }
    }
}
