//! Tolerations of clusters' taints, in Kubernetes' words.

use godwit_common::policy::ClusterToleration;
use godwit_common::{TaintEffect, Toleration};

use super::check::one_of;
use crate::field::FieldError;
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
    let exists = one_of("operator", &wire.operator, &[(EQUAL, false), (EXISTS, true)])?;
    if exists && !wire.value.is_empty() {
        return Err(FieldError::new("value", "Exists has no value: leave it out, or write Equal"));
    }
    let effect =
        one_of("effect", &wire.effect, &TaintEffect::ALL.map(|effect| (effect.name(), Some(effect))))?;
    let key = Some(wire.key.as_str()).filter(|key| !key.is_empty());
    let taints =
        Toleration { key: key.map(Into::into), value: (!exists).then(|| wire.value.as_str().into()), effect };
    Ok(ClusterToleration { taints, seconds: wire.toleration_seconds })
}
