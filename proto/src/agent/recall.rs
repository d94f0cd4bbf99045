//! What the members keep for a hub that has lost its store (S10).

use std::sync::Arc;

use godwit_common::link::{CHARTER_OBJECTS_MAX, Charter, ROWS_MAX, Recalled, RecalledObject};
use godwit_common::{Epoch, ObjectKey, Uid, WorkloadId};

use super::WireError;
use super::check::{count, list, uid, uid_to_wire};
use super::targets::manifest;
use crate::v1;

pub(super) fn recall_to_wire(known: &[(Uid, u64)]) -> v1::Recall {
    let known = known.iter().take(ROWS_MAX);
    let revision =
        |(uid, revision): &(Uid, u64)| v1::KnownRevision { uid: uid_to_wire(*uid), revision: *revision };
    v1::Recall { known: known.map(revision).collect() }
}

pub(super) fn recall_from_wire(wire: v1::Recall) -> Result<Arc<[(Uid, u64)]>, WireError> {
    let revision = |known: v1::KnownRevision| Ok((uid("uid", &known.uid)?, known.revision));
    Ok(list("known", wire.known, ROWS_MAX, revision)?.into())
}

pub(super) fn to_wire(recalled: &Recalled) -> v1::Recalled {
    let object = match recalled {
        Recalled::End => None,
        Recalled::Object(object) => Some(v1::RecalledObject {
            api_version: object.key.api_version.to_string(),
            kind: object.key.kind.to_string(),
            namespace: object.key.namespace.to_string(),
            name: object.key.name.to_string(),
            uid: uid_to_wire(object.uid),
            revision: object.revision,
            manifest: object.manifest.as_deref().unwrap_or_default().to_owned(),
            charter: object.charter.as_deref().map(charter_to_wire),
            ordinals: object.ordinals,
        }),
    };
    v1::Recalled { object }
}

pub(super) fn from_wire(wire: v1::Recalled) -> Result<Recalled, WireError> {
    match wire.object {
        None => Ok(Recalled::End),
        Some(object) => {
            object_from_wire(object).map(Recalled::Object).map_err(|error| error.within("object"))
        }
    }
}

fn object_from_wire(wire: v1::RecalledObject) -> Result<RecalledObject, WireError> {
    let charter = wire.charter.map(charter_from_wire).transpose();
    Ok(RecalledObject {
        key: ObjectKey::new(&wire.api_version, &wire.kind, &wire.namespace, &wire.name)?,
        uid: uid("uid", &wire.uid)?,
        revision: wire.revision,
        manifest: manifest(wire.manifest)?,
        ordinals: wire.ordinals,
        charter: charter.map_err(|error| error.within("charter"))?.map(Arc::new),
    })
}

pub(super) fn charter_to_wire(charter: &Charter) -> v1::Charter {
    let leader = charter.leader.as_ref().map(|leader| v1::CharterLeader {
        namespace: leader.namespace.to_string(),
        kind: leader.kind.to_string(),
        name: leader.name.to_string(),
    });
    let object = |(uid, key): &(Uid, ObjectKey)| v1::CharterObject {
        uid: uid_to_wire(*uid),
        api_version: key.api_version.to_string(),
        kind: key.kind.to_string(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    };
    v1::Charter {
        replicas: charter.replicas,
        policy: charter.policy.to_string(),
        number: charter.number,
        leader,
        objects: charter.objects.iter().map(object).collect(),
        epoch: charter.written.0.0,
        entry: charter.written.1,
        supervised: charter.supervised,
    }
}

pub(super) fn charter_from_wire(wire: v1::Charter) -> Result<Charter, WireError> {
    let leader = wire.leader.map(|leader| WorkloadId::new(&leader.namespace, &leader.kind, &leader.name));
    let leader = leader.transpose().map_err(|error| WireError::from(error).within("leader"))?;
    let policy = wire.policy.parse().map_err(|error| WireError::new("policy", format!("{error}")))?;
    Ok(Charter {
        replicas: count("replicas", wire.replicas)?,
        policy,
        number: wire.number,
        leader,
        objects: list("objects", wire.objects, CHARTER_OBJECTS_MAX, object)?,
        supervised: wire.supervised,
        written: (Epoch(wire.epoch), wire.entry),
    })
}

fn object(wire: v1::CharterObject) -> Result<(Uid, ObjectKey), WireError> {
    let key = ObjectKey::new(&wire.api_version, &wire.kind, &wire.namespace, &wire.name)?;
    Ok((uid("uid", &wire.uid)?, key))
}
