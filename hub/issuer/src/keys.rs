//! The public keys of an issuer.

use std::collections::BTreeSet;

use jsonwebtoken::{Algorithm, DecodingKey};
use serde::Deserialize;
use serde_json::{Value, json};

/// Public keys, each in the one form that it is compared and kept in: a JSON Web Key with nothing but the key, its members in
/// the order of their names (as RFC 7638 has it). A key's name is not kept: of so few, each can be tried.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Keys(BTreeSet<String>);

/// Why keys cannot be used.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum KeysError {
    /// There is too much of it.
    #[error("they have {0} bytes, and at most {KEYS_BYTES_MAX} are read")]
    TooLong(usize),
    /// It is something else.
    #[error(
        "they are no JSON Web Key Set: {{\"keys\": [...]}} is what /openid/v1/jwks of an API server answers"
    )]
    Malformed,
    /// More than any cluster needs while it changes them.
    #[error("there are {0}, and at most {KEYS_MAX} are kept: take those away that sign nothing any more")]
    TooMany(usize),
    /// None can be used.
    #[error(
        "none of them can be used: RSA keys from 2048 to 8192 bits and ECDSA keys on P-256 or P-384 are, as Kubernetes has \
         them"
    )]
    NoneUsable,
}

/// The longest key set that is read: sixteen keys of the longest kind have less.
pub const KEYS_BYTES_MAX: usize = 32 * 1024;
/// The most keys that count.
pub const KEYS_MAX: usize = 16;

impl Keys {
    /// Reads a JSON Web Key Set. What cannot be used is passed over, as long as something is left.
    pub fn read(text: &str) -> Result<Self, KeysError> {
        if text.len() > KEYS_BYTES_MAX {
            return Err(KeysError::TooLong(text.len()));
        }
        let set: Set = serde_json::from_str(text).map_err(|_| KeysError::Malformed)?;
        let keys: BTreeSet<String> = set.keys.iter().filter_map(canonical).collect();
        match keys.len() {
            0 => Err(KeysError::NoneUsable),
            count if count > KEYS_MAX => Err(KeysError::TooMany(count)),
            _ => Ok(Self(keys)),
        }
    }

    /// Those that were kept one by one. Each must be as [`Keys::iter`] gives it.
    pub fn of<'a>(kept: impl IntoIterator<Item = &'a str>) -> Result<Self, KeysError> {
        let kept: Vec<Value> = kept
            .into_iter()
            .map(serde_json::from_str)
            .collect::<Result<_, _>>()
            .map_err(|_| KeysError::Malformed)?;
        Self::read(&json!({ "keys": kept }).to_string())
    }

    /// Each key as text.
    pub fn iter(&self) -> impl Iterator<Item = &str> {
        self.0.iter().map(String::as_str)
    }

    /// Those that an algorithm can be tried with, each with its text.
    pub(crate) fn for_algorithm(&self, algorithm: Algorithm) -> impl Iterator<Item = (&str, DecodingKey)> {
        let usable = self.0.iter().filter_map(|text| Some((text, serde_json::from_str::<Key>(text).ok()?)));
        let decoding = move |key| match (key, algorithm) {
            (Key::Rsa { n, e }, Algorithm::RS256 | Algorithm::RS384 | Algorithm::RS512) => {
                DecodingKey::from_rsa_components(&n, &e).ok()
            }
            (Key::Ec { crv: Curve::P256, x, y }, Algorithm::ES256)
            | (Key::Ec { crv: Curve::P384, x, y }, Algorithm::ES384) => {
                DecodingKey::from_ec_components(&x, &y).ok()
            }
            (Key::Rsa { .. } | Key::Ec { .. }, _) => None,
        };
        usable.filter_map(move |(text, key)| Some((text.as_str(), decoding(key)?)))
    }
}

#[derive(Deserialize)]
struct Set {
    keys: Vec<Value>,
}

/// The kinds with which API servers sign.
#[derive(Deserialize)]
#[serde(tag = "kty")]
enum Key {
    #[serde(rename = "RSA")]
    Rsa { n: String, e: String },
    #[serde(rename = "EC")]
    Ec { crv: Curve, x: String, y: String },
}

#[derive(Deserialize, Clone, Copy)]
enum Curve {
    #[serde(rename = "P-256")]
    P256,
    #[serde(rename = "P-384")]
    P384,
}

/// Digits of base64 in moduli of 2048 and 8192 bits, in the largest usual exponent, and in coordinates on the curves.
const RSA_2048: usize = 342;
const RSA_8192: usize = 1366;
const EXPONENT: usize = 6;
const P256: usize = 43;
const P384: usize = 64;

/// The one form of a key that can be used, and is meant for signatures.
fn canonical(key: &Value) -> Option<String> {
    if key.get("use").is_some_and(|meant| meant != "sig") {
        return None;
    }
    let (crv, length) = match serde_json::from_value(key.clone()).ok()? {
        Key::Rsa { n, e } => {
            let fits = (RSA_2048..=RSA_8192).contains(&n.len()) && (1..=EXPONENT).contains(&e.len());
            let text = json!({"e": e, "kty": "RSA", "n": n}).to_string();
            return (fits && is_base64(&n) && is_base64(&e)).then_some(text);
        }
        Key::Ec { crv: Curve::P256, .. } => ("P-256", P256),
        Key::Ec { crv: Curve::P384, .. } => ("P-384", P384),
    };
    let coordinate = |name: &str| {
        let text = key.get(name)?.as_str()?;
        (text.len() == length && is_base64(text)).then(|| text.to_owned())
    };
    let (x, y) = (coordinate("x")?, coordinate("y")?);
    Some(json!({"crv": crv, "kty": "EC", "x": x, "y": y}).to_string())
}

/// As JSON Web Keys have it: for URLs, without padding.
fn is_base64(text: &str) -> bool {
    text.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'_')
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ec(x: char) -> Value {
        let coordinate = x.to_string().repeat(P256);
        json!({"kty": "EC", "crv": "P-256", "kid": "one", "alg": "ES256", "use": "sig", "x": coordinate, "y": coordinate})
    }

    fn rsa(digits: usize) -> Value {
        json!({"kty": "RSA", "n": "x".repeat(digits), "e": "AQAB", "use": "sig", "alg": "RS256"})
    }

    fn read(keys: &[Value]) -> Result<Keys, KeysError> {
        Keys::read(&json!({"keys": keys}).to_string())
    }

    #[test]
    fn of_a_key_only_the_key_is_kept_and_it_is_read_again_as_the_same() {
        let keys = read(&[ec('a'), rsa(RSA_2048), ec('a')]).unwrap();
        let texts: Vec<&str> = keys.iter().collect();
        assert_eq!(texts.len(), 2, "the same key twice is one key");
        assert!(texts.iter().all(|text| !text.contains("kid") && !text.contains("alg")), "{texts:?}");
        assert_eq!(Keys::of(texts.iter().copied()), Ok(keys.clone()));
        let again = json!({"keys": [rsa(RSA_2048), ec('a')]}).to_string();
        assert_eq!(Keys::read(&again), Ok(keys));
    }

    #[test]
    fn what_cannot_be_used_is_passed_over_and_nothing_but_that_is_refused() {
        let symmetric = json!({"kty": "oct", "k": "c2VjcmV0"});
        let for_encryption = json!({"kty": "RSA", "n": "x".repeat(RSA_2048), "e": "AQAB", "use": "enc"});
        let padded = json!({"kty": "EC", "crv": "P-256", "x": "=".repeat(P256), "y": "=".repeat(P256)});
        let other_curve =
            json!({"kty": "EC", "crv": "secp256k1", "x": "a".repeat(P256), "y": "a".repeat(P256)});
        let bad =
            [symmetric, for_encryption, padded, other_curve, rsa(RSA_2048 - 1), rsa(RSA_8192 + 1), json!(7)];
        for key in &bad {
            assert_eq!(read(std::slice::from_ref(key)), Err(KeysError::NoneUsable), "{key}");
        }
        let mut mixed = bad.to_vec();
        mixed.push(ec('a'));
        assert_eq!(read(&mixed), read(&[ec('a')]));
        for text in ["", "{}", "[]", "{\"keys\": 1}"] {
            assert_eq!(Keys::read(text), Err(KeysError::Malformed), "{text}");
        }
    }

    #[test]
    fn there_is_a_bound() {
        let many = |count: u8| (0..count).map(|number| ec(char::from(b'a' + number))).collect::<Vec<Value>>();
        assert!(read(&many(16)).is_ok());
        assert_eq!(read(&many(17)), Err(KeysError::TooMany(17)));
        let long = format!("{{\"keys\": [], \"x\": {:?}}}", "x".repeat(KEYS_BYTES_MAX));
        assert!(matches!(Keys::read(&long), Err(KeysError::TooLong(_))));
        let longest = (0..16).map(|_| rsa(RSA_8192)).collect::<Vec<Value>>();
        assert!(json!({ "keys": longest }).to_string().len() < KEYS_BYTES_MAX);
    }
}
