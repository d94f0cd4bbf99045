//! What a YAML scalar means. Kubernetes reads YAML 1.1: `0644` is octal, `yes` is true.

use serde_json::Number;

use crate::node::Data;

/// Why a scalar means nothing that JSON could say.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct NotFinite;

/// What a plain scalar without a tag means.
pub(crate) fn resolve(text: &str) -> Result<Data, NotFinite> {
    let resolved = match text {
        "" | "~" | "null" | "Null" | "NULL" => Data::Null,
        "true" | "True" | "TRUE" | "yes" | "Yes" | "YES" | "on" | "On" | "ON" | "y" | "Y" => Data::Bool(true),
        "false" | "False" | "FALSE" | "no" | "No" | "NO" | "off" | "Off" | "OFF" | "n" | "N" => {
            Data::Bool(false)
        }
        ".inf" | ".Inf" | ".INF" | "+.inf" | "+.Inf" | "+.INF" | "-.inf" | "-.Inf" | "-.INF" | ".nan"
        | ".NaN" | ".NAN" => return Err(NotFinite),
        _ => match number(text)? {
            Some(number) => Data::Number(number),
            None => Data::Text(text.to_owned()),
        },
    };
    Ok(resolved)
}

fn number(text: &str) -> Result<Option<Number>, NotFinite> {
    let begins_like_one = text.starts_with(|c: char| c.is_ascii_digit() || matches!(c, '+' | '-' | '.'));
    if !begins_like_one {
        return Ok(None);
    }
    let plain = text.replace('_', "");
    if let Some(integer) = integer(&plain) {
        return Ok(Some(integer));
    }
    if !is_float(&plain) {
        return Ok(None);
    }
    let value: f64 = plain.parse().map_err(|_| NotFinite)?;
    // A float without a fraction is written as an integer, as Kubernetes does when it turns YAML into JSON.
    const EXACT: f64 = 9_007_199_254_740_992.0;
    if value.fract() == 0.0 && value.abs() <= EXACT {
        #[allow(clippy::cast_possible_truncation, reason = "a whole number below 2^53 fits exactly")]
        let whole = value as i64;
        return Ok(Some(whole.into()));
    }
    Number::from_f64(value).map(Some).ok_or(NotFinite)
}

/// Decimal, `0x`, `0b`, `0o`, and octal with nothing but a leading zero; as far as 64 bits hold it.
fn integer(text: &str) -> Option<Number> {
    let (negative, digits) = match text.strip_prefix('-') {
        Some(rest) => (true, rest),
        None => (false, text.strip_prefix('+').unwrap_or(text)),
    };
    let (radix, digits) = match digits.get(..2) {
        Some("0x" | "0X") => (16, digits.get(2..)?),
        Some("0b" | "0B") => (2, digits.get(2..)?),
        Some("0o" | "0O") => (8, digits.get(2..)?),
        Some(start) if start.starts_with('0') => (8, digits),
        Some(_) | None => (10, digits),
    };
    if !digits.starts_with(|c: char| c.is_digit(radix)) {
        return None;
    }
    let magnitude = u64::from_str_radix(digits, radix).ok()?;
    if negative { 0i64.checked_sub_unsigned(magnitude).map(Number::from) } else { Some(magnitude.into()) }
}

/// Digits with at most one point, and an exponent perhaps: nothing else that Rust would take for a float.
fn is_float(text: &str) -> bool {
    let text = text.strip_prefix(['+', '-']).unwrap_or(text);
    let (mantissa, exponent) = match text.split_once(['e', 'E']) {
        Some((mantissa, exponent)) => (mantissa, Some(exponent)),
        None => (text, None),
    };
    let digits = |text: &str| text.bytes().all(|b| b.is_ascii_digit());
    let (whole, fraction) = mantissa.split_once('.').unwrap_or((mantissa, ""));
    let has_digits = !whole.is_empty() || !fraction.is_empty();
    let exponent_is_valid = exponent.is_none_or(|exponent| {
        let exponent = exponent.strip_prefix(['+', '-']).unwrap_or(exponent);
        !exponent.is_empty() && digits(exponent)
    });
    has_digits && digits(whole) && digits(fraction) && exponent_is_valid
}

#[cfg(test)]
mod tests {
    use super::*;

    fn json(text: &str) -> String {
        match resolve(text) {
            Ok(Data::Null) => "null".to_owned(),
            Ok(Data::Bool(value)) => value.to_string(),
            Ok(Data::Number(number)) => number.to_string(),
            Ok(Data::Text(text)) => format!("{text:?}"),
            Ok(Data::List(_) | Data::Map(_)) => unreachable!("a scalar is no collection"),
            Err(NotFinite) => "error".to_owned(),
        }
    }

    #[test]
    fn scalars_mean_what_kubernetes_reads() {
        for (text, meaning) in [
            ("", "null"),
            ("~", "null"),
            ("yes", "true"),
            ("Off", "false"),
            ("yEs", "\"yEs\""),
            ("0", "0"),
            ("-0", "0"),
            ("42", "42"),
            ("+42", "42"),
            ("-42", "-42"),
            ("1_000", "1000"),
            ("0644", "420"),
            ("0o644", "420"),
            ("0x1F", "31"),
            ("-0x1F", "-31"),
            ("0b101", "5"),
            ("08", "8"),
            ("18446744073709551615", "18446744073709551615"),
            ("-9223372036854775808", "-9223372036854775808"),
            ("18446744073709551616", "1.8446744073709552e+19"),
            ("1.5", "1.5"),
            ("1.10", "1.1"),
            ("1.0", "1"),
            ("1e3", "1000"),
            (".5", "0.5"),
            ("5.", "5"),
            ("1e400", "error"),
            (".nan", "error"),
            ("-.inf", "error"),
            (".", "\".\""),
            ("-", "\"-\""),
            ("--1", "\"--1\""),
            ("0x", "\"0x\""),
            ("0x+1", "\"0x+1\""),
            ("1e", "\"1e\""),
            ("1.2.3", "\"1.2.3\""),
            ("100m", "\"100m\""),
            ("2001-01-01", "\"2001-01-01\""),
            ("inf", "\"inf\""),
            ("nan", "\"nan\""),
            ("0é", "\"0é\""),
        ] {
            assert_eq!(json(text), meaning, "{text}");
        }
    }
}
