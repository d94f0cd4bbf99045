//! Rows: there and back, and whatever else may be found in a file.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Original, Tombstoned};
use godwit_common::policy::{
    self, Affinity, ClusterSelector, ClusterToleration, Drift, FailBack, GroupBy, Mode, Motion, Rebalance,
    Rule, SpreadConstraint, Strategy, Survivor, Tiers, TrafficGate, WorkloadSelector,
};
use godwit_common::quota::Quota;
use godwit_common::selector::{LabelSelector, Requirement, Test};
use godwit_common::{
    Epoch, Generation, Need, ObjectKey, PodShape, Resources, Taint, TaintEffect, Toleration, Traits, Uid,
    WallTime, WorkloadId,
};
use godwit_hub_core::{
    Action, Admits, Approval, Cause, Changes, ClusterRecord, ClusterTaint, Deployed, DeployedWorkload, Drain,
    DrainState, Ended, FederationRecord, Former, Freeze, FreezeCause, Held, Issuer, IssuerRecord,
    JournalEntry, Loss, Migration, MigrationCause, MigrationId, MigrationState, Move, ObjectRecord,
    ObjectRow, Permit, Policy, Purpose, QuotaRecord, Reach, Recovery, Request, RetiredRecord, Revision,
    RevisionState, Revocation, RevocationRecord, Role, RoleBinding, Rollout, RolloutState, Seat, Severity,
    StateRevision, TokenHash, TokenRecord, TokenUse, Verdict, WorkloadRecord, WorkloadSpec, Yield,
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

fn access() -> Vec<Record> {
    let verdict = Some(Verdict { approved: true, by: "ann".into(), at: WallTime(55) });
    let approval = Some(Approval { until: WallTime(56), verdict });
    let used =
        TokenUse { at: WallTime(50), uid: Uid(8), key: [3; 32], from: "192.0.2.7:4711".into(), approval };
    let token = TokenRecord {
        hash: TokenHash([7; 32]),
        admits: Admits::Cluster(name("new")),
        by: "ops".into(),
        created: WallTime(49),
        expires: WallTime(60),
        approval: Some(Duration::from_secs(57)),
        used: Some(used),
    };
    let admits = Admits::Operator("ops@example.com".into());
    let of_an_operator =
        TokenRecord { hash: TokenHash([8; 32]), admits, approval: None, used: None, ..token.clone() };
    let mut records = vec![Record::Token(token), Record::Token(of_an_operator)];
    for what in [
        Revocation::Cluster(name("gone")),
        Revocation::Admin("ops@example.com".into()),
        Revocation::Serial("4a0b".into()),
    ] {
        let readmitted = Some(WallTime(52));
        records.push(Record::Revocation(RevocationRecord {
            what,
            by: "ops".into(),
            at: WallTime(51),
            readmitted,
            former: Some(Former { uid: Uid(7), at: WallTime(55) }),
        }));
    }
    let reach = Reach {
        namespaces: BTreeSet::from(["shop".into(), "staging".into()]),
        policies: BTreeSet::from([name("spread")]),
        max_priority: -7,
    };
    records.push(Record::RoleBinding(RoleBinding {
        name: "ann@example.com".into(),
        permit: Permit { role: Role::Deployer, reach },
        by: "ops".into(),
        at: WallTime(53),
    }));
    let issuer = Issuer {
        url: "https://kubernetes.default.svc.cluster.local".into(),
        subject: "system:serviceaccount:godwit-system:godwit-agent".into(),
        keys: BTreeSet::from(["{\"kty\":\"EC\"}".into(), "{\"kty\":\"RSA\"}".into()]),
    };
    records.push(Record::Issuer(IssuerRecord {
        cluster: name("new"),
        uid: Uid(8),
        issuer,
        proven: BTreeSet::from(["{\"kty\":\"RSA\"}".into()]),
        at: WallTime(54),
    }));
    records
}

/// At least one record of each kind, with nothing left at its default.
fn samples() -> Vec<Record> {
    let lost = MigrationCause::ClusterLost(name("east"));
    let mut samples =
        vec![federation(), policy(), workload(), revision(), seat(), cluster("east"), migration(lost)];
    samples.push(quota());
    samples.push(Record::Retired(RetiredRecord {
        uid: Uid(9),
        name: name("old"),
        at: WallTime(48),
        entry: 11,
    }));
    samples.extend(access());
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
        inputs: StateRevision { epoch: Epoch(4), event: 77 },
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
        longest_lease: Duration::from_secs(90),
        recovery: Some(Recovery {
            from_nothing: true,
            named: true,
            missing: BTreeSet::from([name("spread")]),
        }),
    })
}

fn policy() -> Record {
    policy_of(Strategy::Weighted)
}

fn policy_of(strategy: Strategy) -> Record {
    let rule = |weight, min, max| Rule::new(weight, min, max).expect("within bounds");
    // Weights, minimums and maximums do not go with every strategy.
    let bounded = matches!(strategy, Strategy::Weighted);
    Record::Policy(Policy {
        name: name("spread"),
        placement: policy::Policy {
            selector: ClusterSelector {
                exclude: [name("off")].into(),
                labels: labels(),
                regions: ["eu".into()].into(),
                zones: ["eu-a".into()].into(),
                providers: ["aws".into()].into(),
                ..clusters(&["east", "west", "far"])
            },
            fallback: vec![clusters(&["east"]), ClusterSelector::default()],
            tolerations: vec![ClusterToleration { taints: toleration(), seconds: Some(300) }],
            affinity: Affinity { with: vec![near("shop")], without: vec![near("*")], colocate: true },
            default: Some(if bounded { rule(3, 0, None) } else { rule(0, 0, None) }),
            clusters: BTreeMap::from([(name("east"), rule(1, 2 * u32::from(bounded), bounded.then_some(9)))]),
            rules: vec![(clusters(&["far"]), rule(0, 0, None))],
            strategy,
            rebalance: Rebalance::Gradual,
            priority: -4,
            preemptible: true,
            motion: Motion {
                mode: Mode::Available,
                max_surge: 70,
                max_unavailable: 3,
                traffic_gate: TrafficGate::Delay(Duration::from_secs(20)),
                survivor: Survivor::KeepOriginal,
                fail_back: FailBack::Gradual,
                unready_after: Duration::from_secs(90),
                drift: Drift::Observe,
            },
            rollout: policy::Rollout {
                order: vec![clusters(&["east"])],
                max_clusters_at_once: 2,
                pause_after_first: true,
                on_failure: policy::OnFailure::Rollback,
                progress_deadline: Duration::from_secs(90),
            },
            data: policy::Data::Replicated,
            divide: true,
            prestage: policy::Prestage::Placed,
            export_services: true,
            overrides: overrides(),
        },
        lost_after: Duration::from_millis(2_500),
    })
}

fn workload() -> Record {
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
        withheld: 1,
        spec: WorkloadSpec {
            id: id(),
            api_version: "apps/v1".into(),
            replicas: 100,
            policy: Some(name("spread")),
            labels: BTreeMap::from([("tier".into(), "web".into())]),
            needs: vec![
                Need::Kind { api_version: "example.com/v1".into(), kind: "Widget".into() },
                Need::Scalable { api_version: "example.com/v1".into(), kind: "Fleet".into() },
                Need::Object(config_map()),
                Need::Given(config_map()),
            ],
            pod: PodShape {
                requests,
                node_selector: BTreeMap::from([("disk".into(), "ssd".into())]),
                node_affinity: vec![labels(), LabelSelector::default()],
                tolerations: vec![Toleration::default(), toleration()],
            },
            claims: true,
            surges: true,
            obstacle: Some("spec.template.spec.hostPID".into()),
            grace: Duration::from_millis(45_000),
            supervised: true,
            scale_only: true,
            manifest: "".into(),
            overrides: overrides().into(),
        },
        policy: name("spread"),
        revision: 6,
        history: BTreeMap::from([
            (4, RevisionState::Proven),
            (5, RevisionState::Failed),
            (6, RevisionState::New),
        ]),
        rollout: Some(rollout(RolloutState::Running)),
        objects: BTreeSet::from([Uid(3), Uid(4)]),
        leaving: BTreeSet::from([Uid(5)]),
        pending: 2,
        pending_reasons: vec!["no room: cpu".into()],
        leader: Some(id()),
        yielded: BTreeMap::from([(name("east"), Yield { to: Uid(9), replicas: 4 })]),
        displaced: BTreeMap::from([(name("west"), 6)]),
        chartered: (Epoch(3), 12),
        finished: Some(godwit_common::link::Finished::Failed),
    })
}

fn rollout(state: RolloutState) -> Rollout {
    Rollout { started: WallTime(98), state, message: "paused by ann".into(), held: true, instead_of: Some(5) }
}

fn revision() -> Record {
    let Record::Workload(workload) = workload() else { unreachable!("a workload is one") };
    let spec = WorkloadSpec { manifest: "{}".into(), ..workload.spec };
    let revision = Revision {
        workload: Uid(2),
        number: 6,
        spec,
        objects: [Uid(3)].into(),
        created: WallTime(97),
        by: "ann".into(),
    };
    Record::Revision(revision.into())
}

fn seat() -> Record {
    Record::Seat {
        workload: Uid(2),
        cluster: name("east"),
        seat: Seat {
            placed: 20,
            target: 19,
            revision: 4,
            rolling: true,
            may_run: 21,
            supervised: true,
            generation: Generation(5),
            manifest_generation: Generation(3),
            given_up: 5,
            cause: Some(Cause::Migration(MigrationId(7))),
            ordinals: Some(10_000),
            shown: true,
            adopts: Some(Original { uid: Uid(0xad), content: 0xc0 }),
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
        traits: Traits {
            labels: BTreeMap::from([("tier".into(), "prod".into())]),
            provider: "aws".into(),
            region: "eu-1".into(),
            zones: ["eu-1a".into(), "eu-1b".into()].into(),
        },
        taints: vec![ClusterTaint {
            taint: Taint { key: "gpu".into(), value: "yes".into(), effect: TaintEffect::NoSchedule },
            added: WallTime(44),
        }],
        cordoned: true,
        drain: Some(Drain {
            started: WallTime(45),
            deadline: WallTime(46),
            max_surge: Some(35),
            force: true,
            to: Some(ClusterSelector::of_names([name("west")])),
            purpose: Purpose::Maintain { within: Duration::from_secs(7200), cordoned: true },
            state: DrainState::Overdue,
            since: WallTime(54),
        }),
        maintenance: Some(WallTime(47)),
        awaited: Some(MigrationId(48)),
        dead: Some(WallTime(53)),
        knows_overrides: true,
    })
}

fn quota() -> Record {
    let quota = Quota {
        replicas: Some(1),
        cpu_millis: Some(2),
        memory_bytes: Some(3),
        ephemeral_bytes: Some(4),
        extended: vec![("amd.com/gpu".into(), 0), ("nvidia.com/gpu".into(), 5)],
    };
    Record::Quota(QuotaRecord { namespace: "shop".into(), quota })
}

fn migration(cause: MigrationCause) -> Record {
    migration_that(cause, MigrationState::Paused)
}

fn migration_that(cause: MigrationCause, state: MigrationState) -> Record {
    let moves =
        [(Some("east"), None), (None, Some("west"))].map(|(from, to): (Option<&str>, Option<&str>)| Move {
            workload: Uid(2),
            id: id(),
            from: from.map(name),
            to: to.map(name),
            replicas: 10,
        });
    Record::Migration(Migration {
        inputs: StateRevision { epoch: Epoch(4), event: 78 },
        id: MigrationId(7),
        cause,
        state,
        started: WallTime(5),
        since: WallTime(6),
        ready_before: 3,
        told: Some(WallTime(0)),
        loss: Some(Loss { heard: Some(WallTime(2)), suspect: Some(WallTime(0)), lost: WallTime(4) }),
        moves: moves.into(),
        held: BTreeMap::from([(Uid(2), BTreeMap::from([(name("west"), Held { starts: 8, stops: 9 })]))]),
    })
}

/// That every field of a rule gets through, the tests of its conversion show.
fn overrides() -> Vec<policy::Override> {
    let change = policy::overrides::Change { storage_class: Some("fast".into()), ..Default::default() };
    vec![policy::Override { selector: clusters(&["east"]), change, ..Default::default() }]
}

fn objects() -> Vec<Record> {
    let object = Record::Object(ObjectRecord {
        uid: Uid(3),
        key: config_map(),
        revision: 2,
        manifest: "{\"data\":{}}".into(),
        overrides: overrides().into(),
    });
    let row = Record::ObjectRow {
        object: Uid(3),
        cluster: name("east"),
        row: ObjectRow {
            generation: Generation(4),
            bounds: Bounds { min: Some(0), max: Some(7) },
            adopts: Some(Original { uid: Uid(0xad), content: 0xc0 }),
        },
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
    let deployed = Deployed {
        workloads: vec![DeployedWorkload {
            id: id(),
            action: Action::Configured,
            policy: name("spread"),
            replicas: 100,
            revision: 6,
            behind: 0,
            rollout: vec![],
            clusters: 2,
            placements: vec![(name("east"), 60), (name("west"), 38)],
            pending: 2,
            reasons: vec!["no room: memory".to_owned()],
            report: vec![],
        }],
        objects: vec![config_map()],
        changes: Changes { inputs: StateRevision { epoch: Epoch(4), event: 79 }, ..Changes::default() },
        warnings: vec!["mind the gap".to_owned()],
    };
    let request = |id: &str, answer: &Deployed| {
        Record::Request(Request {
            id: id.into(),
            fingerprint: u64::MAX,
            at: WallTime(3),
            answer: answer.clone(),
        })
    };
    vec![request("of mine", &deployed), request("one/more", &Deployed::default())]
}

fn toleration() -> Toleration {
    Toleration { key: Some("gpu".into()), value: Some("yes".into()), effect: Some(TaintEffect::NoExecute) }
}

fn near(namespace: &str) -> WorkloadSelector {
    let namespaces = [namespace.into()].into();
    WorkloadSelector { namespaces, names: ["web".into()].into(), labels: labels() }
}

fn clusters(names: &[&str]) -> ClusterSelector {
    ClusterSelector::of_names(names.iter().map(|text| name(text)))
}

fn labels() -> LabelSelector {
    let tests = [Test::NotIn(["b".into(), "c".into()].into()), Test::Exists, Test::Gt(-3)];
    LabelSelector {
        labels: BTreeMap::from([("a".into(), "".into())]),
        expressions: tests.map(|test| Requirement { key: "k".into(), test }).into(),
    }
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
