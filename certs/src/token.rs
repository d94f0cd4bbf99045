//! Tokens: what a new cluster's agent, or an operator, shows once, and what they know the hub by.

use std::fmt;
use std::str::FromStr;

use godwit_common::ClusterName;

use crate::authority::random;
use crate::error::Error;
use crate::hex::{self, Hex};
use crate::identity::AdminName;
use crate::pin::{Pin, sha256};

/// A join token: `godwit-join.NAME.SECRET.PIN`. Whoever holds it may enrol one agent of the cluster of that name, once. The
/// pin says which authority the hub's certificate comes from, so that the secret is shown to nobody else.
#[derive(Clone, PartialEq, Eq)]
pub struct JoinToken {
    /// The only cluster that may be enrolled with it.
    pub cluster: ClusterName,
    /// The hub's authority.
    pub authority: Pin,
    secret: [u8; SECRET_BYTES],
}

/// Why a text is no join token. It never quotes the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not a join token: {reason}; it must be the one line that `godwit token create` printed, which begins with \
     {PREFIX}."
)]
pub struct TokenError {
    reason: &'static str,
}

/// What a secret has: nobody guesses 256 random bits, so that its plain hash tells nothing about it.
pub const SECRET_BYTES: usize = 32;

impl JoinToken {
    /// A new token, of fresh random bits.
    pub fn create(cluster: ClusterName, authority: Pin) -> Result<Self, Error> {
        Ok(Self { cluster, authority, secret: random()? })
    }

    /// What the hub is shown.
    pub fn secret(&self) -> &[u8; SECRET_BYTES] {
        &self.secret
    }

    /// What the hub keeps of a secret.
    pub fn hash(secret: &[u8; SECRET_BYTES]) -> [u8; 32] {
        sha256(secret)
    }

    /// The token as text. There is no `Display`, by which it would find its way into logs.
    pub fn reveal(&self) -> String {
        format!("{PREFIX}.{}.{}.{}", self.cluster, Hex(&self.secret), self.authority)
    }
}

/// An operator's token: `godwit-login.NAME.SECRET.PIN`. Whoever holds it may log in under that name, once.
#[derive(Clone, PartialEq, Eq)]
pub struct LoginToken {
    /// The only name under which it lets somebody in.
    pub name: AdminName,
    /// The hub's authority.
    pub authority: Pin,
    secret: [u8; SECRET_BYTES],
}

impl LoginToken {
    /// A new token, of fresh random bits.
    pub fn create(name: AdminName, authority: Pin) -> Result<Self, Error> {
        Ok(Self { name, authority, secret: random()? })
    }

    /// What the hub is shown.
    pub fn secret(&self) -> &[u8; SECRET_BYTES] {
        &self.secret
    }

    /// The token as text.
    pub fn reveal(&self) -> String {
        format!("{LOGIN_PREFIX}.{}.{}.{}", self.name, Hex(&self.secret), self.authority)
    }
}

impl FromStr for LoginToken {
    type Err = LoginTokenError;

    fn from_str(text: &str) -> Result<Self, LoginTokenError> {
        let wrong = |reason| LoginTokenError { reason };
        // Operators' names may have dots.
        let Some((rest, pin)) = text.trim().rsplit_once('.') else {
            return Err(wrong("it does not have four parts with dots between them"));
        };
        let parts = rest.rsplit_once('.').and_then(|(rest, secret)| Some((rest.split_once('.')?, secret)));
        let Some(((prefix, name), secret)) = parts else {
            return Err(wrong("it does not have four parts with dots between them"));
        };
        match prefix {
            LOGIN_PREFIX => {}
            PREFIX => return Err(wrong("it is a cluster's join token, for its agent")),
            _ => return Err(wrong("it begins with something else")),
        }
        let name = name.parse().map_err(|_| wrong("its second part is not an operator's name"))?;
        let secret = hex::read(secret).ok_or_else(|| wrong("its third part is not 64 hexadecimal digits"))?;
        let authority = pin.parse().map_err(|()| wrong("its last part is not 64 hexadecimal digits"))?;
        Ok(Self { name, authority, secret })
    }
}

impl fmt::Debug for LoginToken {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { name, authority, secret: _ } = self;
        f.debug_struct("LoginToken").field("name", name).field("authority", authority).finish_non_exhaustive()
    }
}

/// Why a text is no operator's token. It never quotes the text, which may hold a secret.
#[derive(Debug, Clone, Copy, PartialEq, Eq, thiserror::Error)]
#[error(
    "it is not an operator's token: {reason}; it must be the one line that `godwit token create --operator` printed, which \
     begins with {LOGIN_PREFIX}."
)]
pub struct LoginTokenError {
    reason: &'static str,
}

impl FromStr for JoinToken {
    type Err = TokenError;

    fn from_str(text: &str) -> Result<Self, TokenError> {
        let wrong = |reason| TokenError { reason };
        let parts: Vec<&str> = text.trim().split('.').collect();
        let [prefix, cluster, secret, pin] = parts[..] else {
            return Err(wrong("it does not have four parts with dots between them"));
        };
        if prefix != PREFIX {
            return Err(wrong("it begins with something else"));
        }
        let cluster = cluster.parse().map_err(|_| wrong("its second part is not a cluster's name"))?;
        let secret = hex::read(secret).ok_or_else(|| wrong("its third part is not 64 hexadecimal digits"))?;
        let authority = pin.parse().map_err(|()| wrong("its last part is not 64 hexadecimal digits"))?;
        Ok(Self { cluster, authority, secret })
    }
}

impl fmt::Debug for JoinToken {
    /// The secret stays out of logs.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { cluster, authority, secret: _ } = self;
        f.debug_struct("JoinToken")
            .field("cluster", cluster)
            .field("authority", authority)
            .finish_non_exhaustive()
    }
}

const PREFIX: &str = "godwit-join";
const LOGIN_PREFIX: &str = "godwit-login";

#[cfg(test)]
mod tests {
    use super::*;

    fn token() -> JoinToken {
        JoinToken::create("east-1".parse().unwrap(), Pin([7; 32])).unwrap()
    }

    #[test]
    fn a_token_is_read_as_it_was_written_and_no_two_are_alike() {
        let token = token();
        let text = token.reveal();
        assert_eq!(text.parse(), Ok(token.clone()));
        assert_eq!(format!(" {text}\n").parse(), Ok(token.clone()), "files end with a line");
        assert_ne!(super::tests::token().secret(), token.secret());
        assert_ne!(&JoinToken::hash(token.secret()), token.secret());
    }

    #[test]
    fn an_operators_token_is_another_one_whose_name_may_have_dots() {
        let token = LoginToken::create("ann.b@example.com".parse().unwrap(), Pin([7; 32])).unwrap();
        let text = token.reveal();
        assert_eq!(format!("{text}\n").parse(), Ok(token.clone()));
        assert!(!format!("{token:?}").contains(&Hex(token.secret()).to_string()));
        assert!(text.parse::<JoinToken>().is_err());
        let join = super::tests::token().reveal();
        assert!(join.parse::<LoginToken>().unwrap_err().to_string().contains("join token"));
        for text in
            ["", "godwit-login", "godwit-login.ann.00.00", &text[..text.len() - 1], &text.replace("ann", "/")]
        {
            let error = text.parse::<LoginToken>().unwrap_err().to_string();
            assert!(error.contains("--operator"), "{error}");
        }
    }

    #[test]
    fn anything_else_is_refused_without_a_word_of_it() {
        let good = token().reveal();
        let parts: Vec<&str> = good.split('.').collect();
        let [prefix, name, secret, pin] = parts[..] else { panic!("{good}") };
        for text in [
            String::new(),
            secret.to_owned(),
            good[..good.len() - 1].to_owned(),
            format!("{good}0"),
            format!("{good}.x"),
            format!("other.{name}.{secret}.{pin}"),
            format!("{prefix}.East.{secret}.{pin}"),
            format!("{prefix}.{name}.{}x.{pin}", &secret[1..]),
            format!("{prefix}.{name}.{secret}"),
        ] {
            let error = text.parse::<JoinToken>().unwrap_err().to_string();
            assert!(error.contains("godwit token create"), "{error}");
            assert!(!error.contains(&secret[1..]), "{error}");
        }
        assert!(!format!("{:?}", token()).contains(secret));
    }
}
