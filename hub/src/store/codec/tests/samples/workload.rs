//! Workloads and the objects that go ahead of them, as a whole and in each cluster, and their ends.

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Finished, Original, Tombstoned};
use godwit_common::selector::LabelSelector;
use godwit_common::{Epoch, Generation, Need, PodShape, Resources, Toleration, Uid, WallTime};
use godwit_hub_core::{
    Cause, Ended, MigrationId, ObjectRecord, ObjectRow, Record, Revision, RevisionState, Rollout,
    RolloutState, Seat, WorkloadRecord, WorkloadSpec, Yield,
};

use super::policy::overrides;
use super::{config_map, id, labels, name, toleration};

pub(crate) fn workload() -> Record {
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
        finished: Some(Finished::Failed),
    })
}

pub(crate) fn rollout(state: RolloutState) -> Rollout {
    Rollout { started: WallTime(98), state, message: "paused by ann".into(), held: true, instead_of: Some(5) }
}

pub(super) fn revision() -> Record {
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

pub(super) fn seat() -> Record {
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

pub(super) fn objects() -> Vec<Record> {
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

pub(super) fn ends() -> Vec<Record> {
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
