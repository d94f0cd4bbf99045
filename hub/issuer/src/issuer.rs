//! Who signs, and with which keys.

use crate::keys::{Keys, KeysError};

/// The issuer of a cluster's service-account tokens.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What its tokens call it, as `iss`.
    pub url: String,
    /// Any of them may have signed.
    pub keys: Keys,
}

/// Why something is no issuer.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum IssuerError {
    /// Its name is none.
    #[error(
        "its URL must begin with https:// and have at most {URL_BYTES_MAX} printable characters: it is what the API server's \
         --service-account-issuer says"
    )]
    Url,
    /// Its keys cannot be used.
    #[error("its keys: {0}")]
    Keys(#[from] KeysError),
}

/// Longer than any that is known: those of managed clusters have 100 characters.
pub const URL_BYTES_MAX: usize = 512;

impl Issuer {
    /// Reads what an API server says: its issuer, and the JSON Web Key Set of `/openid/v1/jwks`.
    pub fn read(url: &str, keys: &str) -> Result<Self, IssuerError> {
        let printable = url.bytes().all(|byte| byte.is_ascii_graphic());
        let host = url.strip_prefix("https://").unwrap_or_default();
        if host.is_empty() || url.len() > URL_BYTES_MAX || !printable {
            return Err(IssuerError::Url);
        }
        Ok(Self { url: url.to_owned(), keys: Keys::read(keys)? })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn an_issuer_is_an_https_url() {
        for url in [
            "",
            "https://",
            "http://issuer.example.com",
            "kubernetes/serviceaccount",
            "https://a b",
            "https://a\nb",
            &format!("https://{}", "a".repeat(URL_BYTES_MAX)),
        ] {
            assert_eq!(Issuer::read(url, "{}"), Err(IssuerError::Url), "{url:?}");
        }
        let keys = Issuer::read("https://kubernetes.default.svc", "{}");
        assert!(matches!(keys, Err(IssuerError::Keys(_))), "{keys:?}");
    }
}
