//! Agents that show the token of their service account: whether it was signed by what their cluster has pinned.

use std::time::SystemTime;

use godwit_common::ClusterName;
use godwit_hub_core::{FederationView, Issuer, IssuerRecord, ShownIssuer};
use godwit_issuer::{Expected, Keys, Proven, TokenError};
use godwit_proto::v1;
use tonic::Status;

use super::invalid;

/// Why a token lets nobody in.
pub(super) enum Unproven {
    /// Nobody has shown yet that they have to do with the cluster: what the problem is, the hub's log and its audit log say.
    Stranger(String),
    /// A pod of the cluster, which may know.
    Pod(TokenError),
}

impl Unproven {
    /// What is the matter.
    pub(super) fn problem(&self) -> String {
        match self {
            Self::Stranger(problem) => problem.clone(),
            Self::Pod(problem) => problem.to_string(),
        }
    }

    /// What is answered. A stranger learns the same about every name: not whether there is such a cluster, and what it has pinned.
    pub(super) fn status(&self, cluster: &ClusterName) -> Status {
        match self {
            Self::Stranger(_) => Status::unauthenticated(format!(
                "service_account_token: no cluster {cluster} is known here whose service accounts it would be of: it has pinned \
                 no issuer (never enrolled, revoked, retired or deleted), or its keys were replaced while none of its agents \
                 was connected; the hub's log says which; a token of `godwit token create --cluster {cluster} --again` enrols \
                 it anew"
            )),
            Self::Pod(problem) => Status::permission_denied(format!("service_account_token: {problem}")),
        }
    }
}

/// The pod that a token is of, and what its cluster has pinned.
pub(super) fn prove(
    view: &FederationView,
    cluster: &ClusterName,
    token: &str,
    audience: &str,
) -> Result<(IssuerRecord, Proven), Unproven> {
    let pinned = view.issuers.get(cluster).cloned();
    let pinned = pinned.ok_or_else(|| Unproven::Stranger("the cluster has pinned no issuer".to_owned()))?;
    let Issuer { url, subject, keys } = &pinned.issuer;
    let keys = Keys::of(keys.iter().map(|key| &**key)).map_err(|error| {
        Unproven::Stranger(format!("what the cluster has pinned cannot be used: {error}"))
    })?;
    let issuer = godwit_issuer::Issuer { url: url.to_string(), keys };
    let expected = Expected { audience, subject: Some(subject), now: now() };
    match issuer.prove(token, expected) {
        Ok(proven) => Ok((pinned, proven)),
        Err(problem @ (TokenError::Malformed(_) | TokenError::Algorithm | TokenError::Signature)) => {
            Err(Unproven::Stranger(problem.to_string()))
        }
        Err(
            problem @ (TokenError::Issuer { .. }
            | TokenError::Audience { .. }
            | TokenError::Subject { .. }
            | TokenError::Expired { .. }
            | TokenError::NotYet { .. }
            | TokenError::TooLong { .. }
            | TokenError::NoPod(_)),
        ) => Err(Unproven::Pod(problem)),
    }
}

/// What somebody who may speak for a cluster says of its issuer, with a token that this one has signed.
pub(super) fn read_issuer(
    said: &v1::Issuer,
    token: &str,
    audience: &str,
) -> Result<(ShownIssuer, Proven), Status> {
    let v1::Issuer { url, keys } = said;
    let issuer = godwit_issuer::Issuer::read(url, keys).map_err(|error| invalid("issuer", error))?;
    let expected = Expected { audience, subject: None, now: now() };
    let proven = issuer.prove(token, expected).map_err(|error| invalid("service_account_token", error))?;
    let keys = issuer.keys.iter().map(Into::into).collect();
    let (url, subject) = (issuer.url.as_str().into(), proven.subject.as_str().into());
    let issuer = Issuer { url, subject, keys };
    Ok((ShownIssuer { issuer, signer: proven.key.as_str().into() }, proven))
}

fn now() -> u64 {
    SystemTime::now().duration_since(SystemTime::UNIX_EPOCH).unwrap_or_default().as_secs()
}
