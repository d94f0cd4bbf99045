//! How workloads are moved.

use godwit_common::policy::limits::{UNAVAILABLE_MAX, UNREADY_AFTER_MAX, UNREADY_AFTER_MIN};
use godwit_common::policy::{FailBack, Motion, SURGE_PERCENT, Survivor, UNREADY_AFTER};

use super::check::{bounded, one_of};
use super::{duration, duration_to_wire, gate};
use crate::field::FieldError;
use crate::v1;

pub(super) fn to_wire(motion: &Motion, spec: &mut v1::PolicySpec) {
    let Motion { max_surge, max_unavailable, traffic_gate, survivor, fail_back, unready_after } = *motion;
    spec.mode = "available".to_owned();
    spec.max_surge_percent = Some(max_surge);
    spec.max_unavailable = max_unavailable;
    spec.traffic_gate = gate::to_wire(traffic_gate);
    spec.survivor = survivor.name().to_owned();
    spec.fail_back = fail_back.name().to_owned();
    spec.unready_after = Some(duration_to_wire(unready_after));
}

pub(super) fn from_wire(spec: &v1::PolicySpec) -> Result<Motion, FieldError> {
    one_of("mode", &spec.mode, &[("available", ())])?;
    let max_surge = spec.max_surge_percent.unwrap_or(SURGE_PERCENT);
    if !(1..=100).contains(&max_surge) {
        let problem = format!("{max_surge} is out of range: it must be from 1 to 100");
        return Err(FieldError::new("max_surge_percent", problem));
    }
    let max_unavailable = bounded("max_unavailable", spec.max_unavailable, UNAVAILABLE_MAX)?;
    let traffic_gate = spec.traffic_gate.as_ref().map(gate::from_wire).transpose();
    let traffic_gate = traffic_gate.map_err(|error| error.within("traffic_gate"))?.unwrap_or_default();
    let given = spec.unready_after.as_ref().map(|wire| duration("unready_after", wire)).transpose()?;
    let unready_after = given.unwrap_or(UNREADY_AFTER);
    if !(UNREADY_AFTER_MIN..=UNREADY_AFTER_MAX).contains(&unready_after) {
        let problem = format!("{unready_after:?} is out of range: it must be from 10s to 24h");
        return Err(FieldError::new("unready_after", problem));
    }
    let survivors = Survivor::ALL.map(|choice| (choice.name(), choice));
    let ways_back = FailBack::ALL.map(|choice| (choice.name(), choice));
    Ok(Motion {
        max_surge,
        max_unavailable,
        traffic_gate,
        unready_after,
        survivor: one_of("survivor", &spec.survivor, &survivors)?,
        fail_back: one_of("fail_back", &spec.fail_back, &ways_back)?,
    })
}
