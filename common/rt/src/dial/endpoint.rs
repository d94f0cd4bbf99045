//! A hub's address as users write it.

use std::fmt;
use std::str::FromStr;

use http::Uri;
use http::uri::{Authority, PathAndQuery, Scheme};
use rustls_pki_types::ServerName;

/// A hub's address, `https://HOST:PORT`. The host is what the hub's certificate must be for.
#[derive(Debug, Clone, PartialEq, Eq, Hash)]
pub struct Endpoint {
    authority: Authority,
    port: u16,
}

/// Why a text is no endpoint.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
#[error(
    "endpoint {value:?} is not valid: {reason}; it must be https://HOST:PORT, such as https://hub.example.com:7443"
)]
pub struct EndpointError {
    value: String,
    reason: &'static str,
}

impl Endpoint {
    /// The host, without the brackets of an IPv6 address.
    pub fn host(&self) -> &str {
        self.authority.host().trim_start_matches('[').trim_end_matches(']')
    }

    /// The port.
    pub fn port(&self) -> u16 {
        self.port
    }

    /// The absolute address of a request for `path`.
    pub(super) fn uri(&self, path: PathAndQuery) -> Uri {
        let mut parts = http::uri::Parts::default();
        parts.scheme = Some(Scheme::HTTPS);
        parts.authority = Some(self.authority.clone());
        parts.path_and_query = Some(path);
        Uri::from_parts(parts).expect("scheme, authority and path are all there")
    }
}

impl FromStr for Endpoint {
    type Err = EndpointError;

    fn from_str(text: &str) -> Result<Self, EndpointError> {
        let wrong = |reason| EndpointError { value: text.chars().take(200).collect(), reason };
        let uri: Uri = text.parse().map_err(|_| wrong("it is not a URL"))?;
        if uri.scheme() != Some(&Scheme::HTTPS) {
            return Err(wrong("it does not begin with https://"));
        }
        if !matches!(uri.path(), "" | "/") || uri.query().is_some() {
            return Err(wrong("nothing may follow the port"));
        }
        let authority = uri.into_parts().authority.ok_or_else(|| wrong("it has no host"))?;
        if authority.as_str().contains('@') {
            return Err(wrong("it names a user, but certificates say who calls"));
        }
        let port = authority.port_u16().filter(|port| *port > 0).ok_or_else(|| wrong("it has no port"))?;
        let endpoint = Self { authority, port };
        ServerName::try_from(endpoint.host())
            .map_err(|_| wrong("its host is neither a DNS name nor an IP address"))?;
        Ok(endpoint)
    }
}

impl fmt::Display for Endpoint {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "https://{}", self.authority)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn endpoints_round_trip() {
        for (text, host, port) in [
            ("https://hub.example.com:7443", "hub.example.com", 7443),
            ("https://127.0.0.1:1", "127.0.0.1", 1),
            ("https://[::1]:65535", "::1", 65535),
        ] {
            let endpoint: Endpoint = text.parse().unwrap();
            assert_eq!((endpoint.host(), endpoint.port(), &*endpoint.to_string()), (host, port, text));
        }
        assert!("https://hub:7443/".parse::<Endpoint>().is_ok());
    }

    #[test]
    fn anything_else_is_refused_by_name() {
        for text in [
            "",
            "hub",
            "hub:7443",
            "http://hub:7443",
            "https://hub",
            "https://:7443",
            "https://hub:0",
            "https://hub:99999",
            "https://hub:7443/path",
            "https://hub:7443?q",
            "https://me@hub:7443",
            "https://a_b!:7443",
            "https://[::1:7443",
            &format!("https://{}:1", "a".repeat(300)),
        ] {
            let error = text.parse::<Endpoint>().expect_err(text).to_string();
            assert!(error.contains("https://HOST:PORT") && error.len() < 500, "{error}");
        }
    }
}
