//! Reading a policy's traffic gate.

use std::time::Duration;

use godwit_common::policy::TrafficGate;
use godwit_common::policy::limits::GATE_DELAY_MAX;

use super::spec::text_of;
use crate::duration;
use crate::field::{Field, Object};

/// The gate; what is malformed is reported.
pub(super) fn read(spec: &Object<'_>) -> TrafficGate {
    let gate = spec.mapping("trafficGate").and_then(|object| gate(&object));
    gate.unwrap_or_default()
}

fn gate(object: &Object<'_>) -> Option<TrafficGate> {
    object.only(&["delay", "mode"]);
    let delay = object.get("delay");
    let gates = TrafficGate::ALL.map(|gate| (gate.name(), gate));
    let gate = object.require("mode", "write none, delay or ack")?.choice(&gates)?;
    let Some(field) = delay else { return Some(gate) };
    let gated = gate.with_delay(time(&field)?);
    if gated.is_none() {
        field.refuse("only the mode delay waits for a time", "remove it, or write mode: delay");
    }
    gated
}

fn time(field: &Field<'_>) -> Option<Duration> {
    let time = duration::parse(&text_of(field));
    let time = time.filter(|time| !time.is_zero() && *time <= GATE_DELAY_MAX);
    if time.is_none() {
        field.refuse_value("a duration above 0s and up to 1h, such as 15s or 1m30s");
    }
    time
}
