//! What a cluster shall hold.

use std::sync::Arc;

use godwit_common::bounds::Bounds;
use godwit_common::link::{
    MANIFEST_MAX, NEEDS_MAX, OVERRIDES_MAX, ObjectTarget, Original, ROWS_MAX, Targets, Tombstone, Tombstoned,
    WorkloadTarget,
};
use godwit_common::{Digest, Generation, Need, ObjectKey, WorkloadId};
use prost::Message;

use super::check::{count, list, required, text, uid, uid_to_wire};
use super::parts::Parts;
use super::{WireError, fence, need, recall};
use crate::v1;

/// The most rows of one state, over all parts.
const STATE_ROWS_MAX: usize = 1_000_000;

/// A state in as many parts as it takes.
pub(super) fn to_wire(targets: &Targets) -> Vec<v1::Targets> {
    let mut parts = Parts::new(v1::Targets {
        fence: Some(fence::to_wire(targets.fence)),
        base_generation: targets.base.0,
        digest: targets.digest.0,
        more: true,
        ..v1::Targets::default()
    });
    for row in targets.objects.iter().map(object_to_wire) {
        parts.for_row(row.encoded_len()).objects.push(row);
    }
    for row in targets.workloads.iter().map(workload_to_wire) {
        parts.for_row(row.encoded_len()).workloads.push(row);
    }
    for row in targets.tombstones.iter().map(tombstone_to_wire) {
        parts.for_row(row.encoded_len()).tombstones.push(row);
    }
    parts.end(|last| last.more = false)
}

/// Puts the parts of one state together. `held` is what has come of it so far; a state that is complete comes out.
pub(super) fn join(held: &mut Option<Targets>, wire: v1::Targets) -> Result<Option<Targets>, WireError> {
    let more = wire.more;
    let mut part = from_wire(wire)?;
    if let Some(mut whole) = held.take() {
        let same = |a: &Targets, b: &Targets| (a.fence, a.base, a.digest) == (b.fence, b.base, b.digest);
        if !same(&whole, &part) {
            return Err(WireError::new("fence", "it differs from the one of the parts before"));
        }
        let rows = whole.objects.len() + whole.workloads.len() + whole.tombstones.len();
        if rows > STATE_ROWS_MAX {
            return Err(WireError::new("more", format!("a state has at most {STATE_ROWS_MAX} rows")));
        }
        whole.objects.append(&mut part.objects);
        whole.workloads.append(&mut part.workloads);
        whole.tombstones.append(&mut part.tombstones);
        part = whole;
    }
    if more {
        *held = Some(part);
        return Ok(None);
    }
    Ok(Some(part))
}

fn from_wire(wire: v1::Targets) -> Result<Targets, WireError> {
    Ok(Targets {
        fence: required("fence", wire.fence, fence::from_wire)?,
        base: Generation(wire.base_generation),
        digest: Digest(wire.digest),
        objects: list("objects", wire.objects, ROWS_MAX, object_from_wire)?,
        workloads: list("workloads", wire.workloads, ROWS_MAX, workload_from_wire)?,
        tombstones: list("tombstones", wire.tombstones, ROWS_MAX, tombstone_from_wire)?,
    })
}

fn object_to_wire(row: &ObjectTarget) -> v1::ObjectTarget {
    v1::ObjectTarget {
        uid: uid_to_wire(row.uid),
        api_version: row.key.api_version.to_string(),
        kind: row.key.kind.to_string(),
        namespace: row.key.namespace.to_string(),
        name: row.key.name.to_string(),
        revision: row.revision,
        manifest: row.manifest.as_deref().unwrap_or_default().to_owned(),
        tolerates_drift: row.tolerates_drift,
        min: row.bounds.min,
        max: row.bounds.max,
        adopts: row.adopts.map(|original| uid_to_wire(original.uid)).unwrap_or_default(),
        adopts_content: row.adopts.map(|original| original.content).unwrap_or_default(),
        overrides: row.overrides.to_string(),
    }
}

fn object_from_wire(wire: v1::ObjectTarget) -> Result<ObjectTarget, WireError> {
    Ok(ObjectTarget {
        uid: uid("uid", &wire.uid)?,
        key: ObjectKey::new(&wire.api_version, &wire.kind, &wire.namespace, &wire.name)?,
        revision: wire.revision,
        manifest: manifest(wire.manifest)?,
        tolerates_drift: wire.tolerates_drift,
        bounds: Bounds { min: wire.min, max: wire.max },
        adopts: adopts(&wire.adopts, wire.adopts_content)?,
        overrides: text("overrides", wire.overrides, OVERRIDES_MAX)?,
    })
}

fn workload_to_wire(row: &WorkloadTarget) -> v1::WorkloadTarget {
    v1::WorkloadTarget {
        uid: uid_to_wire(row.uid),
        api_version: row.api_version.to_string(),
        kind: row.workload.kind.to_string(),
        namespace: row.workload.namespace.to_string(),
        name: row.workload.name.to_string(),
        revision: row.revision,
        replicas: row.replicas,
        ordinals: row.ordinals,
        manifest: row.manifest.as_deref().unwrap_or_default().to_owned(),
        needs: row.needs.iter().map(need::to_wire).collect(),
        supervised: row.supervised,
        charter: row.charter.as_deref().map(recall::charter_to_wire),
        tolerates_drift: row.tolerates_drift,
        shown: row.shown,
        scale_only: row.scale_only,
        adopts: row.adopts.map(|original| uid_to_wire(original.uid)).unwrap_or_default(),
        adopts_content: row.adopts.map(|original| original.content).unwrap_or_default(),
        overrides: row.overrides.to_string(),
    }
}

fn workload_from_wire(wire: v1::WorkloadTarget) -> Result<WorkloadTarget, WireError> {
    let (workload, api_version) = workload(&wire.api_version, &wire.kind, &wire.namespace, &wire.name)?;
    let manifest = manifest(wire.manifest)?;
    let needs = needs(wire.needs, manifest.is_some())?;
    let charter = wire.charter.map(recall::charter_from_wire).transpose();
    Ok(WorkloadTarget {
        uid: uid("uid", &wire.uid)?,
        workload,
        api_version,
        revision: wire.revision,
        replicas: count("replicas", wire.replicas)?,
        ordinals: wire.ordinals,
        manifest,
        needs,
        supervised: wire.supervised,
        charter: charter.map_err(|error| error.within("charter"))?.map(Arc::new),
        tolerates_drift: wire.tolerates_drift,
        shown: wire.shown,
        scale_only: wire.scale_only,
        adopts: adopts(&wire.adopts, wire.adopts_content)?,
        overrides: text("overrides", wire.overrides, OVERRIDES_MAX)?,
    })
}

/// Empty on the wire means that nothing is there to be taken over.
fn adopts(wire: &[u8], content: u64) -> Result<Option<Original>, WireError> {
    if wire.is_empty() {
        return Ok(None);
    }
    Ok(Some(Original { uid: uid("adopts", wire)?, content }))
}

fn tombstone_to_wire(row: &Tombstone) -> v1::Tombstone {
    let (api_version, kind, namespace, name) = match &row.what {
        Tombstoned::Workload { workload, api_version } | Tombstoned::Scaled { workload, api_version } => {
            (api_version, &workload.kind, &workload.namespace, &workload.name)
        }
        Tombstoned::Object(key) => (&key.api_version, &key.kind, &key.namespace, &key.name),
    };
    v1::Tombstone {
        uid: uid_to_wire(row.uid),
        workload: matches!(row.what, Tombstoned::Workload { .. }),
        scaled: matches!(row.what, Tombstoned::Scaled { .. }),
        api_version: api_version.to_string(),
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name: name.to_string(),
    }
}

fn tombstone_from_wire(wire: v1::Tombstone) -> Result<Tombstone, WireError> {
    let (api_version, kind, namespace, name) = (&wire.api_version, &wire.kind, &wire.namespace, &wire.name);
    let what = if wire.workload {
        let (workload, api_version) = workload(api_version, kind, namespace, name)?;
        Tombstoned::Workload { workload, api_version }
    } else if wire.scaled {
        let (workload, api_version) = workload(api_version, kind, namespace, name)?;
        Tombstoned::Scaled { workload, api_version }
    } else {
        Tombstoned::Object(ObjectKey::new(api_version, kind, namespace, name)?)
    };
    let uid = uid("uid", &wire.uid)?;
    Ok(Tombstone { uid, what })
}

/// A workload's names are stricter than an object's; its `apiVersion` is checked as part of an object's key.
fn workload(
    api_version: &str,
    kind: &str,
    namespace: &str,
    name: &str,
) -> Result<(WorkloadId, Arc<str>), WireError> {
    let workload = WorkloadId::new(namespace, kind, name)?;
    let key = ObjectKey::new(api_version, kind, namespace, name)?;
    Ok((workload, key.api_version))
}

/// Empty on the wire means that the receiver has had it.
pub(super) fn manifest(wire: String) -> Result<Option<Arc<str>>, WireError> {
    let manifest = text("manifest", wire, MANIFEST_MAX)?;
    Ok(Some(manifest).filter(|manifest| !manifest.is_empty()))
}

/// A set on the wire: their order means nothing.
fn needs(wire: Vec<v1::Need>, with_manifest: bool) -> Result<Vec<Need>, WireError> {
    if !with_manifest && !wire.is_empty() {
        return Err(WireError::new("needs", "they come without the manifest that they belong to"));
    }
    let mut needs = list("needs", wire, NEEDS_MAX, need::from_wire)?;
    needs.sort();
    needs.dedup();
    Ok(needs)
}
