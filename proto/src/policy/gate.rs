//! Traffic gates.

use std::time::Duration;

use godwit_common::policy::TrafficGate;
use godwit_common::policy::limits::GATE_DELAY_MAX;

use super::check::one_of;
use super::duration_to_wire;
use crate::field::FieldError;
use crate::v1;

/// A gate that holds nothing back is left out.
pub(super) fn to_wire(gate: TrafficGate) -> Option<v1::TrafficGate> {
    let wire = || v1::TrafficGate { mode: gate.name().to_owned(), delay: gate.delay().map(duration_to_wire) };
    (gate != TrafficGate::None).then(wire)
}

pub(super) fn from_wire(wire: &v1::TrafficGate) -> Result<TrafficGate, FieldError> {
    let gate = one_of("mode", &wire.mode, &TrafficGate::ALL.map(|gate| (gate.name(), gate)))?;
    let Some(delay) = &wire.delay else { return Ok(gate) };
    let time = Duration::try_from(*delay).ok().filter(|time| !time.is_zero() && *time <= GATE_DELAY_MAX);
    let time = time.ok_or_else(|| {
        FieldError::new("delay", format!("{delay} is out of range: it must be above 0s and up to 1h"))
    })?;
    gate.with_delay(time).ok_or_else(|| {
        FieldError::new(
            "delay",
            "only the mode delay waits for a time: leave it out, or write delay as the mode",
        )
    })
}
