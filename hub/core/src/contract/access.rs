//! Who may come in: join tokens, and those who are kept out (S23).

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ClusterName, Uid, WallTime};

use super::Permit;

/// What is kept of a join token's secret: nobody who reads it can enrol anything.
#[derive(Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct TokenHash(pub [u8; 32]);

impl TokenHash {
    /// By which people call the token: the hash's first ten digits.
    pub fn id(&self) -> Arc<str> {
        let digits: String = self.0.iter().take(5).map(|byte| format!("{byte:02x}")).collect();
        digits.into()
    }
}

impl fmt::Display for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        self.0.iter().try_for_each(|byte| write!(f, "{byte:02x}"))
    }
}

impl fmt::Debug for TokenHash {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        fmt::Display::fmt(self, f)
    }
}

/// A join token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Which.
    pub hash: TokenHash,
    /// The only cluster that may be enrolled with it.
    pub cluster: ClusterName,
    /// Who made it.
    pub by: Arc<str>,
    /// When.
    pub created: WallTime,
    /// Until when it may be used.
    pub expires: WallTime,
    /// How it was used.
    pub used: Option<TokenUse>,
}

/// How a token was used: once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// When.
    pub at: WallTime,
    /// By which cluster.
    pub uid: Uid,
    /// A hash of the key that was certified: whoever holds it may ask again, since an answer can be lost.
    pub key: [u8; 32],
    /// Where from.
    pub from: Arc<str>,
}

/// An agent that shows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Enrolment {
    /// The token.
    pub hash: TokenHash,
    /// The name that the agent read in it.
    pub cluster: ClusterName,
    /// The cluster's identity.
    pub uid: Uid,
    /// A hash of the key that is to be certified.
    pub key: [u8; 32],
    /// Where from.
    pub from: Arc<str>,
}

/// Whom nobody lets in any more.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Revocation {
    /// A cluster's agents.
    Cluster(ClusterName),
    /// An operator.
    Admin(Arc<str>),
    /// Whoever shows one certificate, by its serial number.
    Serial(Arc<str>),
}

impl Revocation {
    /// Of what kind it is.
    pub fn kind(&self) -> &'static str {
        match self {
            Revocation::Cluster(_) => "cluster",
            Revocation::Admin(_) => "admin",
            Revocation::Serial(_) => "serial",
        }
    }

    /// The name, or the number.
    pub fn name(&self) -> &str {
        match self {
            Revocation::Cluster(name) => name.as_str(),
            Revocation::Admin(name) | Revocation::Serial(name) => name,
        }
    }
}

/// Somebody who is kept out.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RevocationRecord {
    /// Who.
    pub what: Revocation,
    /// By whose word.
    pub by: Arc<str>,
    /// Since when.
    pub at: WallTime,
    /// Of a cluster: since when it is enrolled again. Only what it was issued before stays out then.
    pub readmitted: Option<WallTime>,
}

/// What is to be done about who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessOrder {
    /// Remember a new token.
    CreateToken {
        /// Its hash.
        hash: TokenHash,
        /// For which cluster.
        cluster: ClusterName,
        /// For how long it may be used.
        within: Duration,
        /// The cluster may be a member already.
        again: bool,
    },
    /// End a token.
    DeleteToken {
        /// What people call it.
        id: Arc<str>,
    },
    /// Take a token.
    Enrol(Enrolment),
    /// Keep somebody out.
    Revoke(Revocation),
    /// Let somebody in again.
    EndRevocation(Revocation),
    /// Say what an operator may do.
    BindRole {
        /// Whose role, as the certificate says it.
        name: Arc<str>,
        /// What they may do.
        permit: Permit,
    },
    /// Say nothing any more of what an operator may do.
    UnbindRole {
        /// Whose.
        name: Arc<str>,
    },
}
