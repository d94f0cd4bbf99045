//! What workloads need of a cluster, and whether it is there.

use std::sync::Arc;

use godwit_common::{Need, NeedStatus, ObjectKey};

use super::WireError;
use super::check::required;
use crate::v1;
use v1::need::Need as NeedWire;

pub(super) fn to_wire(need: &Need) -> v1::Need {
    let need = match need {
        Need::Kind { api_version, kind } => {
            NeedWire::Kind(v1::NeededKind { api_version: api_version.to_string(), kind: kind.to_string() })
        }
        Need::Scalable { api_version, kind } => NeedWire::Scalable(v1::NeededKind {
            api_version: api_version.to_string(),
            kind: kind.to_string(),
        }),
        Need::Object(key) => NeedWire::Object(object_to_wire(key)),
        Need::Given(key) => NeedWire::Given(object_to_wire(key)),
    };
    v1::Need { need: Some(need) }
}

pub(super) fn from_wire(wire: v1::Need) -> Result<Need, WireError> {
    match wire.need {
        None => Err(WireError::unknown("")),
        Some(NeedWire::Kind(wire)) => {
            let (api_version, kind) = kind(&wire).map_err(|error| error.within("kind"))?;
            Ok(Need::Kind { api_version, kind })
        }
        Some(NeedWire::Scalable(wire)) => {
            let (api_version, kind) = kind(&wire).map_err(|error| error.within("scalable"))?;
            Ok(Need::Scalable { api_version, kind })
        }
        Some(NeedWire::Object(wire)) => {
            object(&wire).map(Need::Object).map_err(|error| error.within("object"))
        }
        Some(NeedWire::Given(wire)) => object(&wire).map(Need::Given).map_err(|error| error.within("given")),
    }
}

pub(super) fn status_to_wire(status: &NeedStatus) -> v1::NeedStatus {
    v1::NeedStatus { need: Some(to_wire(&status.need)), met: status.met }
}

pub(super) fn status_from_wire(wire: v1::NeedStatus) -> Result<NeedStatus, WireError> {
    Ok(NeedStatus { need: required("need", wire.need, from_wire)?, met: wire.met })
}

fn object_to_wire(key: &ObjectKey) -> v1::NeededObject {
    v1::NeededObject {
        api_version: key.api_version.to_string(),
        kind: key.kind.to_string(),
        namespace: key.namespace.to_string(),
        name: key.name.to_string(),
    }
}

fn object(wire: &v1::NeededObject) -> Result<ObjectKey, WireError> {
    Ok(ObjectKey::new(&wire.api_version, &wire.kind, &wire.namespace, &wire.name)?)
}

/// A kind is checked as part of an object's key.
fn kind(wire: &v1::NeededKind) -> Result<(Arc<str>, Arc<str>), WireError> {
    let ObjectKey { api_version, kind, .. } = ObjectKey::new(&wire.api_version, &wire.kind, "", "any")?;
    Ok((api_version, kind))
}
