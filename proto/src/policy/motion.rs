//! How workloads are moved.

use godwit_common::policy::limits::UNAVAILABLE_MAX;
use godwit_common::policy::{FailBack, Motion, SURGE_PERCENT, Survivor};

use super::check::{bounded, one_of};
use super::gate;
use crate::field::FieldError;
use crate::v1;

pub(super) fn to_wire(motion: &Motion, spec: &mut v1::PolicySpec) {
    let Motion { max_surge, max_unavailable, traffic_gate, survivor, fail_back } = *motion;
    spec.mode = "available".to_owned();
    spec.max_surge_percent = Some(max_surge);
    spec.max_unavailable = max_unavailable;
    spec.traffic_gate = gate::to_wire(traffic_gate);
    spec.survivor = survivor.name().to_owned();
    spec.fail_back = fail_back.name().to_owned();
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
    let survivors = Survivor::ALL.map(|choice| (choice.name(), choice));
    let ways_back = FailBack::ALL.map(|choice| (choice.name(), choice));
    Ok(Motion {
        max_surge,
        max_unavailable,
        traffic_gate,
        survivor: one_of("survivor", &spec.survivor, &survivors)?,
        fail_back: one_of("fail_back", &spec.fail_back, &ways_back)?,
    })
}
