//! Workloads and the objects that go ahead of them, as a whole and in each cluster, and their ends.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::bounds::Bounds;
use godwit_common::link::{Finished, Original, Tombstoned};
use godwit_common::policy::Override;
use godwit_common::{ClusterName, Epoch, Generation, Uid, WorkloadId};
use godwit_hub_core::{Ended, ObjectRecord, ObjectRow, Record, Seat, WorkloadRecord, WorkloadSpec, Yield};
use godwit_proto::store::v1 as wire;
use godwit_proto::{policy, v1};

use super::parts::{
    cause, cause_to_wire, id, id_to_wire, labels, labels_to_wire, name, needed, object_key,
    object_key_to_wire, texts, texts_to_wire, uid, uid_to_wire, wall,
};
use super::pod::{need, need_to_wire, pod, pod_to_wire};
use super::{Invalid, revision};

pub(super) fn to_wire(workload: &WorkloadRecord) -> wire::Workload {
    let WorkloadRecord {
        uid,
        number,
        created,
        spec,
        policy,
        revision,
        history,
        rollout,
        objects,
        leaving,
        wanted,
        withheld,
        pending,
        pending_reasons,
        leader,
        yielded,
        displaced,
        chartered,
        finished,
    } = workload;
    let yielded = yielded.iter();
    wire::Workload {
        uid: uid_to_wire(*uid),
        number: *number,
        created_ms: created.0,
        spec: Some(spec_to_wire(spec)),
        policy: policy.to_string(),
        revision: *revision,
        history: revision::history_to_wire(history),
        rollout: rollout.as_ref().map(revision::rollout_to_wire),
        objects: objects.iter().copied().map(uid_to_wire).collect(),
        leaving: leaving.iter().copied().map(uid_to_wire).collect(),
        wanted: Some(*wanted),
        withheld: *withheld,
        pending: *pending,
        pending_reasons: texts_to_wire(pending_reasons),
        leader: leader.as_ref().map(id_to_wire),
        yielded: yielded.map(|(cluster, given)| (cluster.to_string(), yield_to_wire(given))).collect(),
        displaced: displaced.iter().map(|(cluster, replicas)| (cluster.to_string(), *replicas)).collect(),
        chartered_epoch: chartered.0.0,
        chartered_entry: chartered.1,
        finished: finished.map(Finished::name).unwrap_or_default().to_owned(),
    }
}

pub(super) fn from_wire(workload: wire::Workload) -> Result<WorkloadRecord, Invalid> {
    let (objects, leaving) = (workload.objects.iter(), workload.leaving.iter());
    let spec = spec_from_wire(needed("spec", workload.spec)?)?;
    let leader = workload.leader.map(|leader| id("leader", Some(leader)));
    let yielded = workload.yielded.into_iter();
    Ok(WorkloadRecord {
        uid: uid("uid", &workload.uid)?,
        number: workload.number,
        created: wall(workload.created_ms),
        wanted: workload.wanted.unwrap_or(spec.replicas),
        withheld: workload.withheld,
        spec,
        policy: name("policy", &workload.policy)?,
        revision: workload.revision,
        history: revision::history_from_wire(&workload.history)?,
        rollout: workload.rollout.map(revision::rollout_from_wire).transpose()?,
        objects: objects.map(|object| uid("objects", object)).collect::<Result<_, _>>()?,
        leaving: leaving.map(|object| uid("leaving", object)).collect::<Result<_, _>>()?,
        pending: workload.pending,
        pending_reasons: texts(workload.pending_reasons),
        leader: leader.transpose()?,
        yielded: yielded
            .map(|(cluster, given)| Ok((name("yielded", &cluster)?, yield_from_wire(&given)?)))
            .collect::<Result<_, _>>()?,
        displaced: workload
            .displaced
            .into_iter()
            .map(|(cluster, replicas)| Ok((name("displaced", &cluster)?, replicas)))
            .collect::<Result<_, _>>()?,
        chartered: (Epoch(workload.chartered_epoch), workload.chartered_entry),
        finished: Finished::of_name(&workload.finished),
    })
}

fn yield_to_wire(given: &Yield) -> wire::Yield {
    let Yield { to, replicas } = given;
    wire::Yield { to: uid_to_wire(*to), replicas: *replicas }
}

fn yield_from_wire(given: &wire::Yield) -> Result<Yield, Invalid> {
    Ok(Yield { to: uid("yielded.to", &given.to)?, replicas: given.replicas })
}

pub(super) fn spec_to_wire(spec: &WorkloadSpec) -> wire::WorkloadSpec {
    let WorkloadSpec { id, api_version, replicas, policy, labels, needs, pod, claims, .. } = spec;
    let WorkloadSpec { surges, obstacle, grace, supervised, scale_only, manifest, overrides, .. } = spec;
    wire::WorkloadSpec {
        id: Some(id_to_wire(id)),
        api_version: api_version.to_string(),
        replicas: *replicas,
        policy: policy.as_ref().map(ToString::to_string).unwrap_or_default(),
        labels: labels_to_wire(labels),
        needs: needs.iter().map(need_to_wire).collect(),
        pod: Some(pod_to_wire(pod)),
        claims: *claims,
        surges: *surges,
        obstacle: obstacle.as_deref().unwrap_or_default().to_owned(),
        grace_ms: u64::try_from(grace.as_millis()).unwrap_or(u64::MAX),
        supervised: *supervised,
        scale_only: *scale_only,
        manifest: manifest.to_string(),
        overrides: overrides.iter().map(policy::override_to_wire).collect(),
    }
}

fn overrides(wire: &[v1::Override]) -> Result<Arc<[Override]>, Invalid> {
    let one =
        |one| policy::override_from_wire(one).map_err(|error| Invalid::new(&error.field, error.problem));
    wire.iter().map(one).collect()
}

pub(super) fn spec_from_wire(spec: wire::WorkloadSpec) -> Result<WorkloadSpec, Invalid> {
    let policy = Some(&spec.policy).filter(|policy| !policy.is_empty());
    Ok(WorkloadSpec {
        id: id("spec.id", spec.id)?,
        api_version: spec.api_version.into(),
        replicas: spec.replicas,
        policy: policy.map(|policy| name("spec.policy", policy)).transpose()?,
        labels: labels(spec.labels),
        needs: spec.needs.into_iter().map(need).collect::<Result<_, _>>()?,
        pod: pod(spec.pod)?,
        claims: spec.claims,
        surges: spec.surges,
        obstacle: Some(spec.obstacle).filter(|obstacle| !obstacle.is_empty()).map(Into::into),
        grace: Duration::from_millis(spec.grace_ms),
        supervised: spec.supervised,
        scale_only: spec.scale_only,
        manifest: spec.manifest.into(),
        overrides: overrides(&spec.overrides)?,
    })
}

pub(super) fn seat_to_wire(workload: Uid, cluster: &ClusterName, seat: &Seat) -> wire::Seat {
    let Seat {
        placed,
        target,
        may_run,
        supervised,
        revision,
        rolling,
        generation,
        manifest_generation,
        cause,
        given_up,
        ordinals,
        shown,
        adopts,
    } = seat;
    wire::Seat {
        workload: uid_to_wire(workload),
        cluster: cluster.to_string(),
        placed: *placed,
        target: *target,
        may_run: Some(*may_run),
        supervised: *supervised,
        generation: generation.0,
        manifest_generation: manifest_generation.0,
        given_up: *given_up,
        cause: cause.map(cause_to_wire),
        revision: *revision,
        rolling: *rolling,
        ordinals: *ordinals,
        shown: *shown,
        adopts: adopts.map(|original| uid_to_wire(original.uid)).unwrap_or_default(),
        adopts_content: adopts.map(|original| original.content).unwrap_or_default(),
    }
}

pub(super) fn seat_from_wire(seat: wire::Seat) -> Result<Record, Invalid> {
    Ok(Record::Seat {
        workload: uid("workload", &seat.workload)?,
        cluster: name("cluster", &seat.cluster)?,
        seat: Seat {
            placed: seat.placed,
            target: seat.target,
            revision: seat.revision,
            rolling: seat.rolling,
            // What was written before this was recorded had no workload whose pods are bounded.
            may_run: seat.may_run.unwrap_or(seat.target),
            supervised: seat.supervised,
            generation: Generation(seat.generation),
            manifest_generation: Generation(seat.manifest_generation),
            given_up: seat.given_up,
            cause: cause(seat.cause)?,
            ordinals: seat.ordinals,
            shown: seat.shown,
            adopts: adopts(&seat.adopts, seat.adopts_content)?,
        },
    })
}

pub(super) fn object_to_wire(object: &ObjectRecord) -> wire::Object {
    let ObjectRecord { uid, key, revision, manifest, overrides } = object;
    wire::Object {
        uid: uid_to_wire(*uid),
        key: Some(object_key_to_wire(key)),
        revision: *revision,
        manifest: manifest.to_string(),
        overrides: overrides.iter().map(policy::override_to_wire).collect(),
    }
}

pub(super) fn object_from_wire(object: wire::Object) -> Result<ObjectRecord, Invalid> {
    Ok(ObjectRecord {
        uid: uid("uid", &object.uid)?,
        key: object_key("key", object.key)?,
        revision: object.revision,
        manifest: object.manifest.into(),
        overrides: overrides(&object.overrides)?,
    })
}

pub(super) fn object_row_to_wire(object: Uid, cluster: &ClusterName, row: &ObjectRow) -> wire::ObjectRow {
    let ObjectRow { generation, bounds: Bounds { min, max }, adopts } = *row;
    wire::ObjectRow {
        object: uid_to_wire(object),
        cluster: cluster.to_string(),
        generation: generation.0,
        min,
        max,
        adopts: adopts.map(|original| uid_to_wire(original.uid)).unwrap_or_default(),
        adopts_content: adopts.map(|original| original.content).unwrap_or_default(),
    }
}

pub(super) fn object_row_from_wire(row: wire::ObjectRow) -> Result<Record, Invalid> {
    Ok(Record::ObjectRow {
        object: uid("object", &row.object)?,
        cluster: name("cluster", &row.cluster)?,
        row: ObjectRow {
            generation: Generation(row.generation),
            bounds: Bounds { min: row.min, max: row.max },
            adopts: adopts(&row.adopts, row.adopts_content)?,
        },
    })
}

fn adopts(bytes: &[u8], content: u64) -> Result<Option<Original>, Invalid> {
    if bytes.is_empty() {
        return Ok(None);
    }
    Ok(Some(Original { uid: uid("adopts", bytes)?, content }))
}

pub(super) fn ended_to_wire(ended: &Ended) -> wire::Ended {
    let Ended { uid, what, since, held_by, cause } = ended;
    let of_workload = |workload: &WorkloadId, api_version: &str| wire::EndedWorkload {
        id: Some(id_to_wire(workload)),
        api_version: api_version.to_owned(),
    };
    let what = match what {
        Tombstoned::Workload { workload, api_version } => {
            wire::ended::What::Workload(of_workload(workload, api_version))
        }
        Tombstoned::Scaled { workload, api_version } => {
            wire::ended::What::Scaled(of_workload(workload, api_version))
        }
        Tombstoned::Object(key) => wire::ended::What::Object(object_key_to_wire(key)),
    };
    let held_by = held_by.iter();
    wire::Ended {
        uid: uid_to_wire(*uid),
        what: Some(what),
        since_ms: since.0,
        held_by: held_by.map(|(cluster, told)| (cluster.to_string(), told.0)).collect(),
        cause: cause.map(cause_to_wire),
    }
}

pub(super) fn ended_from_wire(ended: wire::Ended) -> Result<Ended, Invalid> {
    let what = match needed("what", ended.what)? {
        wire::ended::What::Workload(workload) => Tombstoned::Workload {
            workload: id("workload", workload.id)?,
            api_version: workload.api_version.into(),
        },
        wire::ended::What::Scaled(workload) => Tombstoned::Scaled {
            workload: id("workload", workload.id)?,
            api_version: workload.api_version.into(),
        },
        wire::ended::What::Object(key) => Tombstoned::Object(object_key("object", Some(key))?),
    };
    let held_by = ended.held_by.into_iter();
    Ok(Ended {
        uid: uid("uid", &ended.uid)?,
        what,
        since: wall(ended.since_ms),
        held_by: held_by
            .map(|(cluster, told)| Ok((name("held_by", &cluster)?, Generation(told))))
            .collect::<Result<_, _>>()?,
        cause: cause(ended.cause)?,
    })
}
