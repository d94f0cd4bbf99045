//! Tolerations of clusters' taints, in Kubernetes' words.

use godwit_common::policy::ClusterToleration;
use godwit_common::{TaintEffect, Toleration};

use super::FieldError;
use super::check::{line, one_of};
use crate::v1;

const EQUAL: &str = "Equal";
const EXISTS: &str = "Exists";

pub(super) fn to_wire(toleration: &ClusterToleration) -> v1::ClusterToleration {
    let ClusterToleration { taints: Toleration { key, value, effect }, seconds } = toleration;
    v1::ClusterToleration {
        key: key.as_ref().map(ToString::to_string).unwrap_or_default(),
        operator: if value.is_some() { EQUAL } else { EXISTS }.to_owned(),
        value: value.as_ref().map(ToString::to_string).unwrap_or_default(),
        effect: effect.map(TaintEffect::name).unwrap_or_default().to_owned(),
        toleration_seconds: *seconds,
    }
}

pub(super) fn from_wire(wire: &v1::ClusterToleration) -> Result<ClusterToleration, FieldError> {
    let exists = one_of("operator", &wire.operator, &[EQUAL, EXISTS])? == EXISTS;
    let key = line("key", &wire.key)?;
    if key.is_empty() && !exists {
        let problem = "it is empty: write the taint's key, or the operator Exists for every key";
        return Err(FieldError::new("key", problem));
    }
    let value = line("value", &wire.value)?;
    if exists && !value.is_empty() {
        return Err(FieldError::new("value", "Exists has no value: leave it out, or write Equal"));
    }
    let effect =
        TaintEffect::of_name(one_of("effect", &wire.effect, &TaintEffect::ALL.map(TaintEffect::name))?);
    if wire.toleration_seconds.is_some() && effect.is_some_and(|effect| effect != TaintEffect::NoExecute) {
        let problem = format!("{} moves nothing: leave it out, or write NoExecute", wire.effect);
        return Err(FieldError::new("toleration_seconds", problem));
    }
    let taints = Toleration {
        key: Some(key).filter(|key| !key.is_empty()),
        value: Some(value).filter(|_| !exists),
        effect,
    };
    Ok(ClusterToleration { taints, seconds: wire.toleration_seconds })
}
