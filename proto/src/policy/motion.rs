//! What a planned move may do to workloads.

use godwit_common::policy::limits::UNAVAILABLE_MAX;
use godwit_common::policy::{Motion, SURGE_PERCENT};

use super::check::{bounded, one_of};
use super::gate;
use crate::field::FieldError;
use crate::v1;

pub(super) fn to_wire(motion: &Motion, spec: &mut v1::PolicySpec) {
    let Motion { max_surge, max_unavailable, traffic_gate } = *motion;
    spec.mode = "available".to_owned();
    spec.max_surge_percent = Some(max_surge);
    spec.max_unavailable = max_unavailable;
    spec.traffic_gate = gate::to_wire(traffic_gate);
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
    Ok(Motion { max_surge, max_unavailable, traffic_gate })
}
