//! The small values that records are made of.

use std::collections::BTreeMap;
use std::str::FromStr;
use std::sync::Arc;

use godwit_common::selector::Labels;
use godwit_common::{NameError, ObjectKey, TaintEffect, Uid, WallTime, WorkloadId};
use godwit_hub_core::{Cause, MigrationId};
use godwit_proto::store::v1 as wire;

use super::Invalid;

pub(super) fn uid_to_wire(uid: Uid) -> Vec<u8> {
    uid.0.to_be_bytes().to_vec()
}

pub(super) fn uid(field: &str, bytes: &[u8]) -> Result<Uid, Invalid> {
    let bytes: [u8; 16] = bytes
        .try_into()
        .map_err(|_| Invalid::new(field, format!("a UID has 16 bytes, not {}", bytes.len())))?;
    Ok(Uid(u128::from_be_bytes(bytes)))
}

/// A name of any kind that is valid by construction.
pub(super) fn name<T: FromStr<Err = NameError>>(field: &str, text: &str) -> Result<T, Invalid> {
    text.parse().map_err(|error| Invalid::new(field, error))
}

/// A part without which the record makes no sense.
pub(super) fn needed<T>(field: &str, part: Option<T>) -> Result<T, Invalid> {
    part.ok_or_else(|| Invalid::new(field, "it is missing"))
}

/// A value of an enum that this version knows.
pub(super) fn known<E: TryFrom<i32>>(field: &str, value: i32) -> Result<E, Invalid> {
    E::try_from(value).map_err(|_| unknown(field, value))
}

pub(super) fn unknown(field: &str, value: i32) -> Invalid {
    Invalid::new(field, format!("{value} is a value that this version does not know"))
}

pub(super) fn wall(milliseconds: u64) -> WallTime {
    WallTime(milliseconds)
}

pub(super) fn texts_to_wire<'a>(texts: impl IntoIterator<Item = &'a Arc<str>>) -> Vec<String> {
    texts.into_iter().map(ToString::to_string).collect()
}

pub(super) fn texts(texts: Vec<String>) -> Vec<Arc<str>> {
    texts.into_iter().map(Into::into).collect()
}

pub(super) fn labels_to_wire(labels: &Labels) -> BTreeMap<String, String> {
    labels.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

pub(super) fn labels(labels: BTreeMap<String, String>) -> Labels {
    labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect()
}

pub(super) fn id_to_wire(id: &WorkloadId) -> wire::WorkloadId {
    let WorkloadId { namespace, kind, name } = id;
    wire::WorkloadId { namespace: namespace.to_string(), kind: kind.to_string(), name: name.to_string() }
}

pub(super) fn id(field: &str, id: Option<wire::WorkloadId>) -> Result<WorkloadId, Invalid> {
    let id = needed(field, id)?;
    WorkloadId::new(&id.namespace, &id.kind, &id.name).map_err(|error| Invalid::new(field, error))
}

pub(super) fn object_key_to_wire(key: &ObjectKey) -> wire::ObjectKey {
    let ObjectKey { api_version, kind, namespace, name } = key;
    wire::ObjectKey {
        api_version: api_version.to_string(),
        kind: kind.to_string(),
        namespace: namespace.to_string(),
        name: name.to_string(),
    }
}

pub(super) fn object_key(field: &str, key: Option<wire::ObjectKey>) -> Result<ObjectKey, Invalid> {
    let key = needed(field, key)?;
    ObjectKey::new(&key.api_version, &key.kind, &key.namespace, &key.name)
        .map_err(|error| Invalid::new(field, error))
}

pub(super) fn cause_to_wire(cause: Cause) -> wire::Cause {
    let cause = match cause {
        Cause::Command(entry) => wire::cause::Cause::Command(entry),
        Cause::Migration(id) => wire::cause::Cause::Migration(id.0),
    };
    wire::Cause { cause: Some(cause) }
}

pub(super) fn cause(cause: Option<wire::Cause>) -> Result<Option<Cause>, Invalid> {
    let Some(cause) = cause else {
        return Ok(None);
    };
    Ok(Some(match needed("cause", cause.cause)? {
        wire::cause::Cause::Command(entry) => Cause::Command(entry),
        wire::cause::Cause::Migration(number) => Cause::Migration(MigrationId(number)),
    }))
}

pub(super) fn effect_to_wire(effect: TaintEffect) -> wire::TaintEffect {
    match effect {
        TaintEffect::NoSchedule => wire::TaintEffect::NoSchedule,
        TaintEffect::PreferNoSchedule => wire::TaintEffect::PreferNoSchedule,
        TaintEffect::NoExecute => wire::TaintEffect::NoExecute,
    }
}

pub(super) fn effect(field: &str, value: i32) -> Result<TaintEffect, Invalid> {
    match known(field, value)? {
        wire::TaintEffect::NoSchedule => Ok(TaintEffect::NoSchedule),
        wire::TaintEffect::PreferNoSchedule => Ok(TaintEffect::PreferNoSchedule),
        wire::TaintEffect::NoExecute => Ok(TaintEffect::NoExecute),
        wire::TaintEffect::Unspecified => Err(unknown(field, value)),
    }
}
