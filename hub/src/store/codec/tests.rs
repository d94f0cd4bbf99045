//! Rows: there and back, and whatever else may be found in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::link::Tombstoned;
use godwit_common::{Epoch, Generation, ObjectKey, Resources, TaintEffect, Uid, WallTime, WorkloadId};
use godwit_hub_core::{
    Action, Answer, Cause, ClusterRecord, Deployed, DeployedWorkload, Ended, FederationRecord, Freeze,
    FreezeCause, JournalEntry, Migration, MigrationCause, MigrationId, MigrationState, Move, ObjectRecord,
    ObjectRow, Policy, Request, Seat, Severity, WorkloadRecord, WorkloadSpec,
};
use godwit_planner::{PodShape, Rebalance, Rule, Strategy, Tiers, Toleration};

use super::*;

#[test]
fn every_kind_of_record_comes_back_as_it_was() {
    for record in samples() {
        let (key, bytes) = (key(&record.key()), encode(&record));
        assert_eq!(decode(&key, &bytes), Ok(record), "{key}");
    }
}

#[test]
fn every_strategy_comes_back_as_it_was() {
    let tiers = Tiers::new(vec![vec![name("west"), name("east")], vec![name("far")]]).expect("good tiers");
    for strategy in [
        Strategy::Weighted,
        Strategy::Capacity,
        Strategy::Spread { max_skew: None },
        Strategy::Spread { max_skew: Some(3) },
        Strategy::Pack,
        Strategy::Ordered(tiers),
        Strategy::Duplicate,
    ] {
        let record = policy_of(strategy);
        assert_eq!(decode("policy/spread", &encode(&record)), Ok(record));
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
        "journal/00000000000000000012",
        "migration/00000000000000000007",
        "object-row/00000000-0000-0000-0000-000000000003/east",
        "object/00000000-0000-0000-0000-000000000003",
        "policy/spread",
        "request/done",
        "request/of mine",
        "request/one/more",
        "request/p",
        "request/r",
        "seat/00000000-0000-0000-0000-000000000002/east",
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

/// At least one record of each kind, with nothing left at its default.
fn samples() -> Vec<Record> {
    let mut samples = vec![federation(), policy(), workload(), seat(), cluster("east"), migration()];
    samples.extend(objects());
    samples.extend(ends());
    samples.extend(requests());
    samples.push(Record::Journal(JournalEntry {
        number: 12,
        at: WallTime(1_700_000_000_000),
        severity: Severity::Warning,
        reason: "ClusterLost".into(),
        rule: "S1".into(),
        subject: "east".into(),
        message: "cluster east is lost".into(),
    }));
    samples
}

fn federation() -> Record {
    Record::Federation(FederationRecord {
        uid: Uid(0x6ba7_b810_9dad_11d1_80b4_00c0_4fd4_30c8),
        epoch: Epoch(4),
        next_workload: 5,
        next_migration: 8,
        next_entry: 13,
        freeze: Some(Freeze {
            cause: FreezeCause::MassLoss,
            since: WallTime(1),
            message: "all are gone".into(),
        }),
    })
}

fn policy() -> Record {
    policy_of(Strategy::Weighted)
}

fn policy_of(strategy: Strategy) -> Record {
    let rule = |weight, min, max| Rule::new(weight, min, max).expect("within bounds");
    Record::Policy(Policy {
        name: name("spread"),
        placement: godwit_planner::Policy {
            strategy,
            default: Some(rule(3, 0, None)),
            clusters: BTreeMap::from([(name("east"), rule(1, 2, Some(9)))]),
            rebalance: Rebalance::Gradual,
            priority: -4,
        },
        lost_after: Duration::from_millis(2_500),
        max_unavailable: 3,
    })
}

fn workload() -> Record {
    let tolerations = vec![
        Toleration::default(),
        Toleration {
            key: Some("gpu".into()),
            value: Some("yes".into()),
            effect: Some(TaintEffect::NoExecute),
        },
    ];
    let requests = Resources {
        cpu_millis: 250,
        memory_bytes: 1 << 30,
        ephemeral_bytes: 7,
        pods: 1,
        extended: vec![("nvidia.com/gpu".into(), 1)],
    };
    Record::Workload(WorkloadRecord {
        uid: Uid(2),
        number: 4,
        created: WallTime(99),
        wanted: 12,
        spec: WorkloadSpec {
            id: id(),
            api_version: "apps/v1".into(),
            replicas: 100,
            policy: Some(name("spread")),
            pod: PodShape {
                requests,
                node_selector: BTreeMap::from([("disk".into(), "ssd".into())]),
                tolerations,
            },
            stateful: true,
            manifest: "{}".into(),
        },
        policy: name("spread"),
        revision: 6,
        objects: BTreeSet::from([Uid(3), Uid(4)]),
        pending: 2,
        pending_reasons: vec!["no room: cpu".into()],
    })
}

fn seat() -> Record {
    Record::Seat {
        workload: Uid(2),
        cluster: name("east"),
        seat: Seat {
            placed: 20,
            target: 19,
            generation: Generation(5),
            manifest_generation: Generation(3),
            cause: Some(Cause::Migration(MigrationId(7))),
        },
    }
}

fn cluster(text: &str) -> Record {
    Record::Cluster(ClusterRecord {
        name: name(text),
        uid: Uid(u128::MAX),
        generation: Generation(8),
        joined: WallTime(12),
        inventoried: true,
        provider: "aws".into(),
        region: "eu-1".into(),
    })
}

fn migration() -> Record {
    let moves =
        [(Some("east"), None), (None, Some("west"))].map(|(from, to): (Option<&str>, Option<&str>)| Move {
            workload: Uid(2),
            id: id(),
            from: from.map(name),
            to: to.map(name),
            replicas: 10,
        });
    Record::Migration(Migration {
        id: MigrationId(7),
        cause: MigrationCause::ClusterLost(name("east")),
        state: MigrationState::Completed,
        started: WallTime(5),
        completed: Some(WallTime(0)),
        moves: moves.to_vec(),
    })
}

fn objects() -> Vec<Record> {
    let object = Record::Object(ObjectRecord {
        uid: Uid(3),
        key: config_map(),
        revision: 2,
        manifest: "{\"data\":{}}".into(),
    });
    let row = Record::ObjectRow {
        object: Uid(3),
        cluster: name("east"),
        row: ObjectRow { generation: Generation(4) },
    };
    vec![object, row]
}

fn ends() -> Vec<Record> {
    let ended = |uid, what, cause| {
        Record::Ended(Ended {
            uid: Uid(uid),
            what,
            since: WallTime(77),
            held_by: BTreeMap::from([(name("east"), Generation(5)), (name("west"), Generation(1))]),
            cause,
        })
    };
    let workload = Tombstoned::Workload { workload: id(), api_version: "apps/v1".into() };
    vec![ended(5, workload, Some(Cause::Command(11))), ended(6, Tombstoned::Object(config_map()), None)]
}

fn requests() -> Vec<Record> {
    let request = |id: &str, answer| {
        Record::Request(Request { id: id.into(), fingerprint: u64::MAX, at: WallTime(3), answer })
    };
    let deployed = Deployed {
        workloads: vec![DeployedWorkload {
            id: id(),
            action: Action::Configured,
            policy: name("spread"),
            replicas: 100,
            placements: vec![(name("east"), 60), (name("west"), 38)],
            pending: 2,
            reasons: vec!["no room: memory".to_owned()],
        }],
        objects: vec![config_map()],
        warnings: vec!["mind the gap".to_owned()],
        dry_run: true,
    };
    vec![
        request("of mine", Answer::Deployed(deployed)),
        request("one/more", Answer::WorkloadDeleted { pending_on: vec![name("east")] }),
        request("p", Answer::PolicyApplied(Action::Unchanged)),
        request("r", Answer::RemovalsReleased(3)),
        request("done", Answer::Done),
    ]
}

fn id() -> WorkloadId {
    WorkloadId::new("shop", "Deployment", "web").expect("valid")
}

fn config_map() -> ObjectKey {
    ObjectKey::new("v1", "ConfigMap", "shop", "web").expect("valid")
}

fn name<T: std::str::FromStr<Err = godwit_common::NameError>>(text: &str) -> T {
    text.parse().expect("a valid name")
}
