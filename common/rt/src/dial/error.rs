//! Why a hub could not be dialled: one line that says which step failed and what to look at.

use std::io;
use std::time::Duration;

use rustls::{AlertDescription, CertificateError};

use super::Endpoint;

/// Why a hub could not be dialled. Each message is one line and complete.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum DialError {
    /// The host's name was not resolved.
    #[error("cannot resolve {host}: {reason}")]
    Dns {
        /// The host.
        host: String,
        /// What the resolver said.
        reason: String,
    },
    /// No address took a TCP connection.
    #[error("cannot connect to {endpoint}: {reason}")]
    Tcp {
        /// The endpoint.
        endpoint: String,
        /// What each address said.
        reason: String,
    },
    /// The two sides did not accept each other.
    #[error("TLS with {endpoint} failed: {reason}")]
    Tls {
        /// The endpoint.
        endpoint: String,
        /// Whose certificate was refused and why.
        reason: String,
    },
    /// TLS stood, but HTTP/2 did not begin.
    #[error("HTTP/2 with {endpoint} failed: {reason}")]
    Http2 {
        /// The endpoint.
        endpoint: String,
        /// What happened.
        reason: String,
    },
    /// The whole took too long.
    #[error("{endpoint} did not answer within {after:?}")]
    Timeout {
        /// The endpoint.
        endpoint: String,
        /// The time that was given.
        after: Duration,
    },
}

pub(super) fn tls(endpoint: &Endpoint, error: &io::Error) -> DialError {
    let cause = error.get_ref().and_then(|inner| inner.downcast_ref::<rustls::Error>());
    let reason = match cause {
        Some(rustls::Error::InvalidCertificate(problem)) => hub_refused(endpoint, problem),
        Some(rustls::Error::AlertReceived(alert)) => we_are_refused(*alert),
        Some(rustls::Error::InvalidMessage(_)) => {
            "what answers there does not speak TLS; check host and port".to_owned()
        }
        Some(other) => other.to_string(),
        None if error.kind() == io::ErrorKind::UnexpectedEof => {
            "the connection was closed during the handshake; check that a hub listens there".to_owned()
        }
        None => error.to_string(),
    };
    DialError::Tls { endpoint: endpoint.to_string(), reason }
}

fn hub_refused(endpoint: &Endpoint, problem: &CertificateError) -> String {
    match problem {
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "the hub's certificate is not signed by an authority in our CA file; if the hub's authority was replaced meanwhile, only \
             a new join token, or a new operator's certificate, brings the new one"
                .to_owned()
        }
        CertificateError::NotValidForName | CertificateError::NotValidForNameContext { .. } => {
            format!(
                "the hub's certificate is not for {:?}; dial a name that it is for ({problem})",
                endpoint.host()
            )
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            format!("the hub's certificate has expired, or our clock is wrong ({problem})")
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            format!("the hub's certificate is not valid yet, or our clock is wrong ({problem})")
        }
        // Our own words, of a pinned authority.
        CertificateError::Other(problem) => problem.0.to_string(),
        other => format!("the hub's certificate is refused: {other}"),
    }
}

fn we_are_refused(alert: AlertDescription) -> String {
    match alert {
        AlertDescription::UnknownCA | AlertDescription::DecryptError | AlertDescription::BadCertificate => {
            "the hub refused our certificate: it is not signed by an authority that the hub trusts; if the hub's authority was \
             replaced meanwhile, only a new join token, or a new operator's certificate, is taken"
                .to_owned()
        }
        AlertDescription::CertificateExpired => "the hub refused our certificate: it has expired".to_owned(),
        AlertDescription::CertificateRevoked => {
            "the hub refused our certificate: an operator has revoked it; only a new join token, or the revocation's end, \
             lets us in again"
                .to_owned()
        }
        AlertDescription::CertificateRequired => "the hub asks for a client certificate".to_owned(),
        other => format!("the hub answered with the TLS alert {other:?}"),
    }
}
