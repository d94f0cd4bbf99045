//! S23: whose word lets agents in: of a cluster that is a member or has just enrolled, never what a cluster pinned before it
//! was enrolled again, and never by a key that is another cluster's, too.

use godwit_hub_core::{IssuerRecord, Key, Record, Revocation, RevocationRecord};

use super::Records;

/// After a commit, for what it wrote.
pub(super) fn check_stored(records: &Records, written: &[Key]) {
    for key in written {
        match key {
            Key::Issuer(name) => {
                if let Some(pinned) = pinned(records, &Key::Issuer(name.clone())) {
                    check(records, pinned);
                }
            }
            Key::Revocation(Revocation::Cluster(name)) => {
                if let Some(pinned) = pinned(records, &Key::Issuer(name.clone())) {
                    check_admitted(records, pinned);
                }
            }
            Key::Cluster(name) if !records.contains_key(key) => {
                let left = records.contains_key(&Key::Issuer(name.clone()));
                assert!(!left, "S23: {name} is gone, and what it pinned is not");
            }
            _ => {}
        }
    }
}

fn check(records: &Records, one: &IssuerRecord) {
    check_admitted(records, one);
    let others = records.values().filter_map(|record| match record {
        Record::Issuer(other) => Some(other),
        _ => None,
    });
    for other in others {
        let shared = |owner: &IssuerRecord, by: &IssuerRecord| !owner.proven.is_disjoint(&by.issuer.keys);
        let shared = other.cluster != one.cluster && (shared(one, other) || shared(other, one));
        assert!(!shared, "S23: {} and {} have pinned a key of one of them", one.cluster, other.cluster);
    }
}

fn check_admitted(records: &Records, one: &IssuerRecord) {
    let revoked = records.get(&Key::Revocation(Revocation::Cluster(one.cluster.clone())));
    if let Some(Record::Revocation(RevocationRecord { readmitted: Some(since), .. })) = revoked {
        assert!(
            one.at >= *since,
            "S23: {} was enrolled again, and what it pinned before is left",
            one.cluster
        );
    }
}

fn pinned<'a>(records: &'a Records, key: &Key) -> Option<&'a IssuerRecord> {
    match records.get(key) {
        Some(Record::Issuer(pinned)) => Some(pinned),
        _ => None,
    }
}
