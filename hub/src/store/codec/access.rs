//! Join tokens, revocations, roles, and who signs for the pods of clusters.

use std::time::Duration;

use godwit_hub_core::{
    Admits, Approval, Former, Issuer, IssuerRecord, Permit, Reach, Revocation, RevocationRecord, RoleBinding,
    TokenHash, TokenRecord, TokenUse, Verdict,
};
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{name, needed, uid, uid_to_wire, wall};

use wire::revocation::What;

pub(super) fn token_to_wire(token: &TokenRecord) -> wire::Token {
    let TokenRecord { hash, admits, by, created, expires, approval, used } = token;
    let (cluster, operator) = match admits {
        Admits::Cluster(name) => (name.to_string(), String::new()),
        Admits::Operator(name) => (String::new(), name.to_string()),
    };
    wire::Token {
        hash: hash.0.to_vec(),
        cluster,
        operator,
        by: by.to_string(),
        created_ms: created.0,
        expires_ms: expires.0,
        used: used.as_ref().map(use_to_wire),
        approval_ms: approval.map(|within| u64::try_from(within.as_millis()).unwrap_or(u64::MAX)),
    }
}

pub(super) fn token_from_wire(token: wire::Token) -> Result<TokenRecord, Invalid> {
    let admits = match token.operator.as_str() {
        "" => Admits::Cluster(name("cluster", &token.cluster)?),
        operator => Admits::Operator(operator.into()),
    };
    Ok(TokenRecord {
        hash: TokenHash(hash("hash", &token.hash)?),
        admits,
        by: token.by.into(),
        created: wall(token.created_ms),
        expires: wall(token.expires_ms),
        approval: token.approval_ms.map(Duration::from_millis),
        used: token.used.map(use_from_wire).transpose()?,
    })
}

pub(super) fn revocation_to_wire(revocation: &RevocationRecord) -> wire::Revocation {
    let RevocationRecord { what, by, at, readmitted, former } = revocation;
    let what = match what {
        Revocation::Cluster(name) => What::Cluster(name.to_string()),
        Revocation::Admin(name) => What::Admin(name.to_string()),
        Revocation::Serial(number) => What::Serial(number.to_string()),
    };
    wire::Revocation {
        what: Some(what),
        by: by.to_string(),
        at_ms: at.0,
        readmitted_ms: readmitted.map(|time| time.0),
        former: former.map(|Former { uid, at }| wire::Former { cluster_uid: uid_to_wire(uid), at_ms: at.0 }),
    }
}

pub(super) fn revocation_from_wire(revocation: wire::Revocation) -> Result<RevocationRecord, Invalid> {
    let what = match needed("what", revocation.what)? {
        What::Cluster(text) => Revocation::Cluster(name("cluster", &text)?),
        What::Admin(name) => Revocation::Admin(name.into()),
        What::Serial(number) => Revocation::Serial(number.into()),
    };
    let former = |former: wire::Former| {
        let uid = uid("former.cluster_uid", &former.cluster_uid)?;
        Ok(Former { uid, at: wall(former.at_ms) })
    };
    Ok(RevocationRecord {
        what,
        by: revocation.by.into(),
        at: wall(revocation.at_ms),
        readmitted: revocation.readmitted_ms.map(wall),
        former: revocation.former.map(former).transpose()?,
    })
}

pub(super) fn binding_to_wire(binding: &RoleBinding) -> wire::RoleBinding {
    let RoleBinding { name, permit: Permit { role, reach }, by, at } = binding;
    let Reach { namespaces, policies, max_priority } = reach;
    wire::RoleBinding {
        name: name.to_string(),
        role: role.to_string(),
        namespaces: namespaces.iter().map(ToString::to_string).collect(),
        policies: policies.iter().map(ToString::to_string).collect(),
        max_priority: *max_priority,
        by: by.to_string(),
        at_ms: at.0,
    }
}

pub(super) fn binding_from_wire(binding: wire::RoleBinding) -> Result<RoleBinding, Invalid> {
    let role = binding.role.parse().map_err(|error| Invalid::new("role", error))?;
    let policies =
        binding.policies.iter().map(|policy| name("policies", policy)).collect::<Result<_, _>>()?;
    let namespaces = binding.namespaces.into_iter().map(Into::into).collect();
    let reach = Reach { namespaces, policies, max_priority: binding.max_priority };
    Ok(RoleBinding {
        name: binding.name.into(),
        permit: Permit { role, reach },
        by: binding.by.into(),
        at: wall(binding.at_ms),
    })
}

pub(super) fn issuer_to_wire(pinned: &IssuerRecord) -> wire::Issuer {
    let IssuerRecord { cluster, uid, issuer: Issuer { url, subject, keys }, proven, at } = pinned;
    wire::Issuer {
        cluster: cluster.to_string(),
        cluster_uid: uid_to_wire(*uid),
        url: url.to_string(),
        subject: subject.to_string(),
        keys: keys.iter().map(ToString::to_string).collect(),
        at_ms: at.0,
        proven: proven.iter().map(ToString::to_string).collect(),
    }
}

pub(super) fn issuer_from_wire(pinned: wire::Issuer) -> Result<IssuerRecord, Invalid> {
    let keys = pinned.keys.into_iter().map(Into::into).collect();
    Ok(IssuerRecord {
        cluster: name("cluster", &pinned.cluster)?,
        uid: uid("cluster_uid", &pinned.cluster_uid)?,
        issuer: Issuer { url: pinned.url.into(), subject: pinned.subject.into(), keys },
        proven: pinned.proven.into_iter().map(Into::into).collect(),
        at: wall(pinned.at_ms),
    })
}

fn use_to_wire(used: &TokenUse) -> wire::TokenUse {
    let TokenUse { at, uid, key, from, approval } = used;
    wire::TokenUse {
        at_ms: at.0,
        cluster_uid: uid_to_wire(*uid),
        key: key.to_vec(),
        from: from.to_string(),
        approval: approval.as_ref().map(|Approval { until, verdict }| wire::Approval {
            until_ms: until.0,
            verdict: verdict.as_ref().map(|Verdict { approved, by, at }| wire::Verdict {
                approved: *approved,
                by: by.to_string(),
                at_ms: at.0,
            }),
        }),
    }
}

fn use_from_wire(used: wire::TokenUse) -> Result<TokenUse, Invalid> {
    Ok(TokenUse {
        at: wall(used.at_ms),
        uid: uid("used.cluster_uid", &used.cluster_uid)?,
        key: hash("used.key", &used.key)?,
        from: used.from.into(),
        approval: used.approval.map(|wire::Approval { until_ms, verdict }| Approval {
            until: wall(until_ms),
            verdict: verdict.map(|wire::Verdict { approved, by, at_ms }| Verdict {
                approved,
                by: by.into(),
                at: wall(at_ms),
            }),
        }),
    })
}

fn hash(field: &str, bytes: &[u8]) -> Result<[u8; 32], Invalid> {
    let wrong = |_| Invalid::new(field, format!("a hash has 32 bytes, not {}", bytes.len()));
    bytes.try_into().map_err(wrong)
}
