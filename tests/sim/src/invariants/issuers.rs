//! S23: whose word lets agents in: of a cluster that is a member or has just enrolled, never of one that is kept out, and never
//! by a key that is another cluster's, too.

use godwit_hub_core::{IssuerRecord, Key, Record, Revocation};

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
        let shared = other.cluster != one.cluster && !other.issuer.keys.is_disjoint(&one.issuer.keys);
        assert!(!shared, "S23: {} and {} have pinned one key", one.cluster, other.cluster);
    }
}

fn check_admitted(records: &Records, one: &IssuerRecord) {
    let revoked = records.get(&Key::Revocation(Revocation::Cluster(one.cluster.clone())));
    let kept_out = matches!(revoked, Some(Record::Revocation(record)) if record.readmitted.is_none());
    assert!(!kept_out, "S23: {} is revoked, and its pods would be let in", one.cluster);
}

fn pinned<'a>(records: &'a Records, key: &Key) -> Option<&'a IssuerRecord> {
    match records.get(key) {
        Some(Record::Issuer(pinned)) => Some(pinned),
        _ => None,
    }
}
