//! How workloads are moved.

use godwit_common::policy::limits::{UNAVAILABLE_MAX, UNREADY_AFTER_MAX, UNREADY_AFTER_MIN};
use godwit_common::policy::{Drift, FailBack, Fencing, Mode, Motion, SURGE_PERCENT, Survivor, UNREADY_AFTER};

use super::check::{bounded, one_of};
use super::{duration, duration_to_wire, gate};
use crate::field::FieldError;
use crate::v1;

pub(super) fn to_wire(motion: &Motion, spec: &mut v1::PolicySpec) {
    let Motion { mode, max_surge, max_unavailable, traffic_gate, survivor, fail_back, unready_after, drift } =
        *motion;
    (spec.mode, spec.fence) = match mode {
        Mode::Available => ("available".to_owned(), String::new()),
        Mode::AtMost(fencing) => ("at_most".to_owned(), fencing.name().to_owned()),
    };
    spec.max_surge_percent = Some(max_surge).filter(|_| !motion.is_at_most());
    spec.max_unavailable = max_unavailable;
    spec.traffic_gate = gate::to_wire(traffic_gate);
    spec.survivor = survivor.name().to_owned();
    spec.fail_back = fail_back.name().to_owned();
    spec.unready_after = Some(duration_to_wire(unready_after));
    spec.drift = drift.name().to_owned();
}

pub(super) fn from_wire(spec: &v1::PolicySpec) -> Result<Motion, FieldError> {
    let mode = mode(spec)?;
    let refuse = |problem: String| Err(FieldError::new("max_surge_percent", problem));
    let max_surge = match (spec.max_surge_percent, mode) {
        (None, _) => SURGE_PERCENT,
        (Some(percent), Mode::AtMost(_)) => {
            return refuse(format!(
                "{percent} is not for the mode at_most, where nothing starts before another ended"
            ));
        }
        (Some(percent), Mode::Available) if !(1..=100).contains(&percent) => {
            return refuse(format!("{percent} is out of range: it must be from 1 to 100"));
        }
        (Some(percent), Mode::Available) => percent,
    };
    let max_unavailable = match bounded("max_unavailable", spec.max_unavailable, UNAVAILABLE_MAX)? {
        0 => mode.default_unavailable(),
        some => some,
    };
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
    let drifts = Drift::ALL.map(|choice| (choice.name(), choice));
    Ok(Motion {
        mode,
        max_surge,
        max_unavailable,
        traffic_gate,
        unready_after,
        survivor: one_of("survivor", &spec.survivor, &survivors)?,
        fail_back: one_of("fail_back", &spec.fail_back, &ways_back)?,
        drift: one_of("drift", &spec.drift, &drifts)?,
    })
}

fn mode(spec: &v1::PolicySpec) -> Result<Mode, FieldError> {
    let choices = [("available", Mode::Available), ("at_most", Mode::AtMost(Fencing::Confirm))];
    let mode = one_of("mode", &spec.mode, &choices)?;
    match (mode, &*spec.fence) {
        (Mode::Available, "") => Ok(mode),
        (Mode::Available, _) => Err(FieldError::new(
            "fence",
            "only the mode at_most has a fence: leave it out, or write mode at_most",
        )),
        (Mode::AtMost(_), fence) => {
            let fences = Fencing::ALL.map(|choice| (choice.name(), choice));
            Ok(Mode::AtMost(one_of("fence", fence, &fences)?))
        }
    }
}
