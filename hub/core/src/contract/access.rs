//! Who may come in: join tokens, and those who are kept out (S23).

use std::collections::BTreeSet;
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

/// Whom a token lets in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Admits {
    /// The agents of a cluster.
    Cluster(ClusterName),
    /// An operator.
    Operator(Arc<str>),
}

impl Admits {
    /// The name.
    pub fn name(&self) -> &str {
        match self {
            Admits::Cluster(name) => name.as_str(),
            Admits::Operator(name) => name,
        }
    }

    /// The option of `godwit token create`.
    pub fn option(&self) -> &'static str {
        match self {
            Admits::Cluster(_) => "--cluster",
            Admits::Operator(_) => "--operator",
        }
    }
}

impl fmt::Display for Admits {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Admits::Cluster(name) => write!(f, "cluster {name}"),
            Admits::Operator(name) => write!(f, "operator {name}"),
        }
    }
}

/// A token: whoever shows it is let in, once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenRecord {
    /// Which.
    pub hash: TokenHash,
    /// Whom it lets in, and nobody else.
    pub admits: Admits,
    /// Who made it.
    pub by: Arc<str>,
    /// When.
    pub created: WallTime,
    /// Until when it may be used.
    pub expires: WallTime,
    /// An operator decides about whoever uses it, within so long.
    pub approval: Option<Duration>,
    /// How it was used.
    pub used: Option<TokenUse>,
}

/// How a token was used: once.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct TokenUse {
    /// When.
    pub at: WallTime,
    /// By which cluster; the nil UID if an operator has.
    pub uid: Uid,
    /// A hash of the key that was certified: whoever holds it may ask again, since an answer can be lost.
    pub key: [u8; 32],
    /// Where from.
    pub from: Arc<str>,
    /// What an operator has to say about it; none if nobody is asked.
    pub approval: Option<Approval>,
}

/// A question to the operators: whether a cluster may join.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Approval {
    /// Until when it may be answered, and the answer be used: for that there is at least an hour.
    pub until: WallTime,
    /// The answer.
    pub verdict: Option<Verdict>,
}

/// An operator's answer.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Verdict {
    /// Yes, or no.
    pub approved: bool,
    /// Whose.
    pub by: Arc<str>,
    /// When it was given.
    pub at: WallTime,
}

impl TokenRecord {
    /// How it was used, if an operator has yet to decide about that.
    pub fn waiting(&self, now: WallTime) -> Option<(&TokenUse, &Approval)> {
        let used = self.used.as_ref()?;
        let approval = used.approval.as_ref()?;
        (approval.verdict.is_none() && approval.until > now).then_some((used, approval))
    }

    /// Until when it means anything to anybody.
    pub(crate) fn ends(&self) -> WallTime {
        let approval = self.used.as_ref().and_then(|used| used.approval.as_ref());
        approval.map_or(self.expires, |approval| approval.until.max(self.expires))
    }

    /// Whether something is yet to come of it: it may be used; or it was, and an operator decides, or has approved.
    pub(crate) fn is_open(&self, now: WallTime) -> bool {
        match &self.used {
            None => self.expires > now,
            Some(used) => used.approval.as_ref().is_some_and(|approval| {
                approval.until > now && approval.verdict.as_ref().is_none_or(|verdict| verdict.approved)
            }),
        }
    }
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
    /// Whose service accounts' tokens its later agents will show, if they will.
    pub issuer: Option<Box<ShownIssuer>>,
}

/// Who signs for the pods of a cluster, and which of them are its agents. The signature of a token of theirs was found to be
/// good before.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Issuer {
    /// What tokens call it.
    pub url: Arc<str>,
    /// The service account of the agents: `system:serviceaccount:NAMESPACE:NAME`.
    pub subject: Arc<str>,
    /// Its public keys, each in the one form that it is compared in.
    pub keys: BTreeSet<Arc<str>>,
}

/// What an agent says of its cluster's issuer, with a token for a pod.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct ShownIssuer {
    /// Who signs.
    pub issuer: Issuer,
    /// Which of the keys has signed the token. Public keys of others can be named by anybody; this one is the cluster's own.
    pub signer: Arc<str>,
}

/// What a cluster has pinned.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct IssuerRecord {
    /// The name of the cluster.
    pub cluster: ClusterName,
    /// Its identity.
    pub uid: Uid,
    /// Who signs for its pods.
    pub issuer: Issuer,
    /// Those of the keys that have signed a token which was shown: no other cluster may pin them.
    pub proven: BTreeSet<Arc<str>>,
    /// Since when.
    pub at: WallTime,
}

/// An agent that shows the token of its service account.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct PodEnrolment {
    /// The cluster that it says it is of.
    pub cluster: ClusterName,
    /// The cluster's identity.
    pub uid: Uid,
    /// What had been pinned when the token was found to be good.
    pub issuer: Issuer,
    /// The pod that the token was made for.
    pub pod: Arc<str>,
    /// Where from.
    pub from: Arc<str>,
}

/// An operator who shows a token.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LogIn {
    /// The token.
    pub hash: TokenHash,
    /// The name that the operator read in it.
    pub name: Arc<str>,
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
    /// Of a cluster or an operator: since when they are let in again. Only what was issued before stays out then; of one that was never
    /// revoked, this is the beginning of time.
    pub readmitted: Option<WallTime>,
    /// A cluster that had the name, and has lost it.
    pub former: Option<Former>,
}

impl RevocationRecord {
    /// Whether nobody is kept out, and it is only remembered that the name was another's.
    pub fn is_about_names(&self) -> bool {
        self.readmitted == Some(WallTime(0))
    }
}

/// A cluster that is not the one of its name any more: it was built anew, or went. What it was issued is not renewed for the
/// one that has the name now, and says nothing of its issuer; when that one enrols, it is kept out.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct Former {
    /// Its identity.
    pub uid: Uid,
    /// Since when.
    pub at: WallTime,
}

/// A step of one authority's taking the place of another.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum AuthorityStep {
    /// The next one is trusted.
    Prepared,
    /// It is not, after all.
    Abandoned,
    /// It signs.
    Switched,
    /// The former one is trusted no more.
    Finished,
}

/// What is to be done about who may come in.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum AccessOrder {
    /// Remember a new token.
    CreateToken {
        /// Its hash.
        hash: TokenHash,
        /// For whom.
        admits: Admits,
        /// For how long it may be used.
        within: Duration,
        /// A cluster may be a member already.
        again: bool,
        /// An operator decides about whoever uses it, within so long.
        approval: Option<Duration>,
        /// What an operator may do from now on; nothing is said of it without.
        permit: Option<Permit>,
    },
    /// End a token.
    DeleteToken {
        /// What people call it.
        id: Arc<str>,
    },
    /// Take an agent's token.
    Enrol(Enrolment),
    /// Take the word of a cluster's issuer for an agent.
    EnrolPod(PodEnrolment),
    /// Pin what an agent says with its cluster's certificate of who signs for the cluster's pods.
    PinIssuer {
        /// Which cluster.
        cluster: ClusterName,
        /// The identity of the cluster that the agent is in.
        uid: Uid,
        /// Who signs.
        issuer: ShownIssuer,
    },
    /// Decide about a cluster that has used a token, and waits.
    Judge {
        /// Under which name.
        cluster: ClusterName,
        /// What people call the token, if several under that name wait.
        token: Option<Arc<str>>,
        /// Yes, or no.
        approve: bool,
    },
    /// Take an operator's token.
    LogIn(LogIn),
    /// Note that another authority takes the place of the one that signs certificates. The shell has done it.
    NoteAuthority {
        /// Which step was taken.
        step: AuthorityStep,
        /// What the authority is known by that signs from now on.
        pin: Arc<str>,
    },
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
