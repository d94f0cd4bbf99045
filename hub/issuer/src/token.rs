//! Tokens of service accounts: what they say, once it is clear who has signed them.

use jsonwebtoken::{Algorithm, Validation, decode, decode_header};
use serde::Deserialize;

use crate::issuer::Issuer;

/// What a token has to say.
#[derive(Debug, Clone, Copy)]
pub struct Expected<'a> {
    /// Whom it must be meant for.
    pub audience: &'a str,
    /// Whose it must be, if that is known: `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: Option<&'a str>,
    /// The time, in seconds since 1970.
    pub now: u64,
}

/// A token that is good.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Proven {
    /// Whose it is: `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: String,
    /// The pod that it was made for.
    pub pod: String,
    /// Where that runs; empty if the cluster does not say it.
    pub node: String,
    /// The key that has signed it, as [`Keys::iter`](crate::Keys::iter) gives it.
    pub key: String,
}

/// Why a token proves nothing. No message has any of the token's own text before its signature was found to be good.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum TokenError {
    /// It is none that is read.
    #[error("it is no token of a service account: {0}")]
    Malformed(&'static str),
    /// Its signature is of a kind that nobody is believed for.
    #[error("it is not signed as Kubernetes signs: RS256, RS384, RS512, ES256 or ES384 are taken")]
    Algorithm,
    /// Somebody else has signed it, or nobody, or it was changed afterwards.
    #[error(
        "none of the issuer's keys has signed it: it is another cluster's, was changed, or the keys have been replaced"
    )]
    Signature,
    /// The keys are right, and it calls its issuer otherwise.
    #[error("it is from the issuer {found:?}, and not from {expected:?}")]
    Issuer {
        /// What it says.
        found: String,
        /// What it has to say.
        expected: String,
    },
    /// It is meant for somebody else.
    #[error(
        "it is for the audience {found:?}, and not for {expected:?}: set `audience` of the projected volume's \
         serviceAccountToken to that, or enrolment.audience of the hub to what the volume says"
    )]
    Audience {
        /// What it says.
        found: String,
        /// What it has to say.
        expected: String,
    },
    /// It is somebody else's.
    #[error(
        "it is of {found}, and this cluster's agents are {expected}: whoever runs as another service account is no agent"
    )]
    Subject {
        /// What it says.
        found: String,
        /// What it has to say.
        expected: String,
    },
    /// It is over.
    #[error(
        "it ended {ago_secs} s ago by the hub's clock, of which {LEEWAY_SECS} s are let pass: if the kubelet keeps the file \
         fresh, compare the clocks of the API server and the hub"
    )]
    Expired {
        /// For how long.
        ago_secs: u64,
    },
    /// It has not begun.
    #[error(
        "it begins in {in_secs} s by the hub's clock, of which {LEEWAY_SECS} s are let pass: compare the clocks of the API \
         server and the hub"
    )]
    NotYet {
        /// When it does.
        in_secs: u64,
    },
    /// It lasts too long to be shown around.
    #[error(
        "it lasts {secs} s, and at most {LIFETIME_SECS_MAX} s are taken: set `expirationSeconds` of the projected volume to \
         3600 or less"
    )]
    TooLong {
        /// How long.
        secs: u64,
    },
    /// It is no pod's.
    #[error("it is of {0}, and was made for no pod: it must come from a projected volume")]
    NoPod(String),
}

/// What the clocks of an API server and a hub may differ by.
pub const LEEWAY_SECS: u64 = 60;
/// The longest life of a token: a day, as the hub gives certificates. The one of the manifests has an hour.
pub const LIFETIME_SECS_MAX: u64 = 24 * 3600;
/// The longest token that is read: those of Kubernetes have less than 2 KiB.
pub const TOKEN_BYTES_MAX: usize = 8 * 1024;

/// What a text may be quoted with.
const SHOWN: usize = 200;
/// The longest name of a service account, a pod or a node with what stands before it.
const NAME_BYTES_MAX: usize = 600;

/// All others are refused: `none` and what is signed with a shared secret first of all.
const ALGORITHMS: [Algorithm; 5] =
    [Algorithm::RS256, Algorithm::RS384, Algorithm::RS512, Algorithm::ES256, Algorithm::ES384];

impl Issuer {
    /// Whether a token is good: signed by one of the keys, and then all that it has to say.
    pub fn prove(&self, token: &str, expected: Expected<'_>) -> Result<Proven, TokenError> {
        if token.len() > TOKEN_BYTES_MAX {
            return Err(TokenError::Malformed("it is longer than 8 KiB"));
        }
        let header = decode_header(token).map_err(|_| {
            TokenError::Malformed("it is not three parts with dots between them, as a JSON Web Token has")
        })?;
        if !ALGORITHMS.contains(&header.alg) {
            return Err(TokenError::Algorithm);
        }
        let (claims, key) = self.signed(token, header.alg)?;
        let (subject, pod, node) = self.check(claims, expected)?;
        Ok(Proven { subject, pod, node, key })
    }

    /// What a token says, and the one of the keys that has signed it.
    fn signed(&self, token: &str, algorithm: Algorithm) -> Result<(Claims, String), TokenError> {
        let mut only_signature = Validation::new(algorithm);
        // What it says is looked at below: with words for each, and by a clock that is given.
        only_signature.required_spec_claims.clear();
        (only_signature.validate_exp, only_signature.validate_nbf) = (false, false);
        only_signature.validate_aud = false;
        for (text, key) in self.keys.for_algorithm(algorithm) {
            match decode::<Claims>(token, &key, &only_signature) {
                Ok(data) => return Ok((data.claims, text.to_owned())),
                Err(error) => match error.kind() {
                    jsonwebtoken::errors::ErrorKind::Json(_) | jsonwebtoken::errors::ErrorKind::Utf8(_) => {
                        return Err(TokenError::Malformed("what it says is not what Kubernetes writes"));
                    }
                    // Another key may have signed it.
                    _ => {}
                },
            }
        }
        Err(TokenError::Signature)
    }

    /// Whose it is, the pod, and its node.
    fn check(&self, claims: Claims, expected: Expected<'_>) -> Result<(String, String, String), TokenError> {
        let Claims { iss, aud, sub, exp, nbf, iat, kubernetes } = claims;
        if iss != self.url {
            return Err(TokenError::Issuer { found: shown(&iss), expected: self.url.clone() });
        }
        let audiences = match aud {
            Audience::One(one) => vec![one],
            Audience::Several(several) => several,
        };
        if audiences.iter().all(|audience| audience != expected.audience) {
            let expected = expected.audience.to_owned();
            return Err(TokenError::Audience { found: shown(&audiences.join(", ")), expected });
        }
        if let Some(subject) = expected.subject.filter(|subject| *subject != sub) {
            return Err(TokenError::Subject { found: shown(&sub), expected: subject.to_owned() });
        }
        let ended = expected.now.saturating_sub(exp);
        if exp.saturating_add(LEEWAY_SECS) <= expected.now {
            return Err(TokenError::Expired { ago_secs: ended });
        }
        let begins = nbf.unwrap_or(iat).max(iat);
        if begins > expected.now.saturating_add(LEEWAY_SECS) {
            return Err(TokenError::NotYet { in_secs: begins - expected.now });
        }
        let secs = exp.saturating_sub(iat);
        if secs > LIFETIME_SECS_MAX {
            return Err(TokenError::TooLong { secs });
        }
        if !is_account(&sub) {
            return Err(TokenError::Malformed("its subject is not system:serviceaccount:NAMESPACE:NAME"));
        }
        let Kubernetes { pod, node } = kubernetes.unwrap_or_default();
        let pod = pod.map(|pod| pod.name).filter(|name| is_name(name));
        let pod = pod.ok_or_else(|| TokenError::NoPod(shown(&sub)))?;
        let node = node.map(|node| node.name).filter(|name| is_name(name)).unwrap_or_default();
        Ok((sub, pod, node))
    }
}

fn is_account(subject: &str) -> bool {
    let parts = subject.strip_prefix("system:serviceaccount:").and_then(|rest| rest.split_once(':'));
    parts.is_some_and(|(namespace, name)| is_name(namespace) && is_name(name))
}

/// As Kubernetes names what a token speaks of.
fn is_name(text: &str) -> bool {
    let fits = |byte: u8| byte.is_ascii_alphanumeric() || byte == b'-' || byte == b'.';
    (1..=NAME_BYTES_MAX).contains(&text.len()) && text.bytes().all(fits)
}

/// Of a token whose signature is good, and never much of it.
fn shown(text: &str) -> String {
    text.chars().filter(|one| !one.is_control()).take(SHOWN).collect()
}

#[derive(Deserialize)]
struct Claims {
    iss: String,
    aud: Audience,
    sub: String,
    exp: u64,
    nbf: Option<u64>,
    iat: u64,
    #[serde(rename = "kubernetes.io")]
    kubernetes: Option<Kubernetes>,
}

#[derive(Deserialize)]
#[serde(untagged)]
enum Audience {
    One(String),
    Several(Vec<String>),
}

#[derive(Deserialize, Default)]
struct Kubernetes {
    pod: Option<Named>,
    node: Option<Named>,
}

#[derive(Deserialize)]
struct Named {
    name: String,
}

#[cfg(test)]
mod tests;
