//! Rows: there and back, and whatever else may be found in a file.

mod samples;

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_common::policy::{ClusterSelector, GroupBy, SpreadConstraint, Strategy, Tiers};
use godwit_common::quota::Quota;
use godwit_hub_core::{MigrationCause, MigrationState, Policy, QuotaRecord, RolloutState, WorkloadRecord};

use samples::{
    cluster, clusters, id, labels, migration_that, name, policy, policy_of, rollout, samples, workload,
};

use super::*;

#[test]
fn every_kind_of_record_comes_back_as_it_was() {
    for record in samples() {
        let (key, bytes) = (key(&record.key()), encode(&record));
        assert_eq!(decode(&key, &bytes), Ok(record), "{key}");
    }
}

#[test]
fn every_state_of_a_rollout_comes_back_as_it_was() {
    for state in [
        RolloutState::Running,
        RolloutState::Paused,
        RolloutState::PausedAfterFirst,
        RolloutState::Failed,
        RolloutState::Completed,
    ] {
        let Record::Workload(workload) = workload() else { unreachable!("a workload is one") };
        let record = Record::Workload(WorkloadRecord { rollout: Some(rollout(state)), ..workload });
        assert_eq!(decode(&key(&record.key()), &encode(&record)), Ok(record));
    }
}

#[test]
fn every_strategy_comes_back_as_it_was() {
    let tiers = vec![clusters(&["west", "east"]), ClusterSelector { labels: labels(), ..clusters(&["far"]) }];
    let tiers = Tiers::new(tiers).expect("good tiers");
    let constraint =
        |by, soft| SpreadConstraint { by, min_groups: Some(2), max_groups: None, max_skew: Some(3), soft };
    for strategy in [
        Strategy::Weighted,
        Strategy::Capacity,
        Strategy::Spread(Vec::new()),
        Strategy::Spread(vec![constraint(GroupBy::Zone, true), constraint(GroupBy::Cluster, false)]),
        Strategy::Pack,
        Strategy::Ordered(tiers),
        Strategy::Duplicate,
    ] {
        let record = policy_of(strategy);
        assert_eq!(decode("policy/spread", &encode(&record)), Ok(record));
    }
}

#[test]
fn every_cause_of_a_migration_comes_back_as_it_was() {
    for cause in [
        MigrationCause::ClusterLost(name("east")),
        MigrationCause::RoomAppeared(name("east")),
        MigrationCause::PolicyChanged(name("spread")),
        MigrationCause::Rebalance(name("spread")),
        MigrationCause::ClusterDeleted(name("east")),
        MigrationCause::ClusterChanged(name("east")),
        MigrationCause::Drained(name("east")),
        MigrationCause::Returned(name("east")),
        MigrationCause::FailedBack(name("east")),
        MigrationCause::QuotaFreed("shop".into()),
        MigrationCause::Preempted(id()),
        MigrationCause::Affinity(id()),
        MigrationCause::Unready(name("east")),
        MigrationCause::Unschedulable(name("east")),
        MigrationCause::Fenced(name("east")),
    ] {
        for state in [
            MigrationState::Running,
            MigrationState::Paused,
            MigrationState::Cancelled,
            MigrationState::Completed,
        ] {
            let record = migration_that(cause.clone(), state);
            assert_eq!(decode(&key(&record.key()), &encode(&record)), Ok(record));
        }
    }
}

#[test]
fn a_loss_later_than_any_operator_may_ask_for_comes_back_as_it_was() {
    // A policy that does not say takes the hub's own setting, which may be longer.
    let Record::Policy(policy) = policy() else { panic!("a policy") };
    let record = Record::Policy(Policy { lost_after: Duration::from_secs(365 * 24 * 3600), ..policy });
    assert_eq!(decode("policy/spread", &encode(&record)), Ok(record));
}

#[test]
fn a_quota_without_bounds_and_one_of_zero_are_told_apart() {
    for bound in [None, Some(0)] {
        let record = Record::Quota(QuotaRecord {
            namespace: "shop".into(),
            quota: Quota { replicas: bound, ..Quota::default() },
        });
        assert_eq!(decode("quota/shop", &encode(&record)), Ok(record));
    }
}

#[test]
fn keys_are_pinned_and_distinct() {
    // A hub of another version must find the rows again.
    let keys: BTreeSet<String> = samples().iter().map(|record| key(&record.key())).collect();
    let expected = [
        "cluster/east",
        "ended/00000000-0000-0000-0000-000000000005",
        "ended/00000000-0000-0000-0000-000000000006",
        "federation",
        "issuer/new",
        "journal/00000000000000000012",
        "migration/00000000000000000007",
        "object-row/00000000-0000-0000-0000-000000000003/east",
        "object/00000000-0000-0000-0000-000000000003",
        "policy/spread",
        "quota/shop",
        "request/of mine",
        "request/one/more",
        "retired/00000000-0000-0000-0000-000000000009",
        "revision/00000000-0000-0000-0000-000000000002/00000000000000000006",
        "revocation/admin/ops@example.com",
        "revocation/cluster/gone",
        "revocation/serial/4a0b",
        "role/ann@example.com",
        "seat/00000000-0000-0000-0000-000000000002/east",
        "token/0707070707070707070707070707070707070707070707070707070707070707",
        "token/0808080808080808080808080808080808080808080808080808080808080808",
        "workload/00000000-0000-0000-0000-000000000002",
    ];
    assert_eq!(keys.iter().map(String::as_str).collect::<Vec<_>>(), expected);
}

#[test]
fn a_row_under_another_records_key_is_refused() {
    let record = cluster("east");
    let error = decode("cluster/west", &encode(&record)).unwrap_err().to_string();
    assert_eq!(error, "the row holds the record of \"cluster/east\"");
}

#[test]
fn no_bytes_make_it_panic() {
    for record in samples() {
        let (key, bytes) = (key(&record.key()), encode(&record));
        for index in 0..bytes.len() {
            // A shorter row may still be a record, of fewer fields; it must only not be a panic.
            let _ = decode(&key, &bytes[..index]);
            for bit in 0..8 {
                let mut bytes = bytes.clone();
                bytes[index] ^= 1 << bit;
                let _ = decode(&key, &bytes);
            }
        }
    }
}

#[test]
fn what_is_wrong_is_named() {
    let seat = wire::Seat { workload: vec![1, 2, 3], cluster: "East".to_owned(), ..wire::Seat::default() };
    let uid = seat.clone();
    let name = wire::Seat { workload: vec![0; 16], ..seat };
    let error = |seat| {
        let row = wire::Record { record: Some(Row::Seat(seat)) };
        decode("seat/x", &row.encode_to_vec()).unwrap_err().to_string()
    };
    assert_eq!(error(uid), "workload: a UID has 16 bytes, not 3");
    assert!(error(name).starts_with("cluster: cluster name \"East\" is not valid"));
    let unknown = decode("x", &[]).unwrap_err().to_string();
    assert_eq!(unknown, "a record of a kind that this version does not know");
    let entry = wire::Record {
        record: Some(Row::JournalEntry(wire::JournalEntry { severity: 9, ..wire::JournalEntry::default() })),
    };
    let error = decode("journal/0", &entry.encode_to_vec()).unwrap_err().to_string();
    assert_eq!(error, "severity: 9 is a value that this version does not know");
}
