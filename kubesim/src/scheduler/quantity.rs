//! Quantities such as `100m`, `1.5`, `64Gi` or `2e3`.

use serde_json::Value;

/// The quantity in thousandths of its unit, rounded up as Kubernetes does. `None` when it is not one.
pub(crate) fn parse(value: &Value) -> Option<i128> {
    match value {
        Value::String(text) => parse_text(text),
        Value::Number(number) => parse_text(&number.to_string()),
        Value::Null | Value::Bool(_) | Value::Array(_) | Value::Object(_) => None,
    }
}

/// [`parse`] of a text.
pub(crate) fn parse_text(text: &str) -> Option<i128> {
    let end = text.find(|c: char| !matches!(c, '0'..='9' | '.' | '+' | '-')).unwrap_or(text.len());
    let (number, suffix) = text.split_at(end);
    let (numerator, denominator) = scale(suffix)?;
    let negative = number.starts_with('-');
    let digits = number.trim_start_matches(['+', '-']);
    let (whole, fraction) = digits.split_once('.').unwrap_or((digits, ""));
    let valid = number.len() - digits.len() <= 1
        && digits.len() <= MAX_DIGITS
        && !(whole.is_empty() && fraction.is_empty())
        && whole.chars().chain(fraction.chars()).all(|c| c.is_ascii_digit());
    if !valid {
        return None;
    }
    let mantissa: i128 = format!("0{whole}{fraction}").parse().ok()?;
    let places = 10i128.checked_pow(u32::try_from(fraction.len()).ok()?)?;
    let millis = mantissa.checked_mul(1000)?.checked_mul(numerator)?;
    let divisor = places.checked_mul(denominator)?;
    let rounded = millis.checked_add(divisor - 1)? / divisor;
    Some(if negative { -rounded } else { rounded })
}

/// Enough for an exabyte in bytes, and little enough for the arithmetic.
const MAX_DIGITS: usize = 18;

fn scale(suffix: &str) -> Option<(i128, i128)> {
    let binary = |power: u32| Some((1i128 << (10 * power), 1));
    let decimal = |power: u32| Some((1000i128.pow(power), 1));
    match suffix {
        "" => Some((1, 1)),
        "n" => Some((1, 1_000_000_000)),
        "u" => Some((1, 1_000_000)),
        "m" => Some((1, 1000)),
        "k" => decimal(1),
        "M" => decimal(2),
        "G" => decimal(3),
        "T" => decimal(4),
        "P" => decimal(5),
        "E" => decimal(6),
        "Ki" => binary(1),
        "Mi" => binary(2),
        "Gi" => binary(3),
        "Ti" => binary(4),
        "Pi" => binary(5),
        "Ei" => binary(6),
        _ => exponent(suffix),
    }
}

fn exponent(suffix: &str) -> Option<(i128, i128)> {
    let power: i32 = suffix.strip_prefix(['e', 'E'])?.parse().ok()?;
    let size = 10i128.checked_pow(power.unsigned_abs()).filter(|_| power.abs() <= 18)?;
    Some(if power < 0 { (1, size) } else { (size, 1) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_usual_forms() {
        for (text, millis) in [
            ("100m", 100),
            ("1", 1000),
            ("1.5", 1500),
            (".5", 500),
            ("2k", 2_000_000),
            ("1Ki", 1_024_000),
            ("1e3", 1_000_000),
            ("1E", 1_000_000_000_000_000_000_000),
            ("0.0001", 1),
            ("-1", -1000),
        ] {
            assert_eq!(parse_text(text), Some(millis), "{text}");
        }
    }

    #[test]
    fn anything_else_is_none() {
        for text in ["", "x", "1x", "--1", "1.2.3", "1e99", "m", "99999999999999999999"] {
            assert_eq!(parse_text(text), None, "{text}");
        }
    }
}
