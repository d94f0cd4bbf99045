//! What an operator must hear about.

use godwit_common::link::Alarm;

use super::check::{required, uid, uid_to_wire};
use super::{WireError, fence};
use crate::v1;
use v1::alarm::Alarm as Wire;

pub(super) fn to_wire(alarm: &Alarm) -> v1::Alarm {
    let alarm = match *alarm {
        Alarm::Stale { held, sent } => {
            Wire::Stale(v1::StaleAlarm { held: Some(fence::to_wire(held)), sent: Some(fence::to_wire(sent)) })
        }
        Alarm::Contradiction { fence } => {
            Wire::Contradiction(v1::ContradictionAlarm { fence: Some(fence::to_wire(fence)) })
        }
        Alarm::Foreign { held, sent } => Wire::Foreign(v1::ForeignAlarm {
            held_federation_uid: uid_to_wire(held),
            sent_federation_uid: uid_to_wire(sent),
        }),
    };
    v1::Alarm { alarm: Some(alarm) }
}

pub(super) fn from_wire(wire: v1::Alarm) -> Result<Alarm, WireError> {
    match wire.alarm {
        None => Err(WireError::unknown("")),
        Some(Wire::Stale(wire)) => stale(wire).map_err(|error| error.within("stale")),
        Some(Wire::Contradiction(wire)) => {
            let fence = required("fence", wire.fence, fence::from_wire);
            let fence = fence.map_err(|error| error.within("contradiction"))?;
            Ok(Alarm::Contradiction { fence })
        }
        Some(Wire::Foreign(wire)) => foreign(&wire).map_err(|error| error.within("foreign")),
    }
}

fn stale(wire: v1::StaleAlarm) -> Result<Alarm, WireError> {
    Ok(Alarm::Stale {
        held: required("held", wire.held, fence::from_wire)?,
        sent: required("sent", wire.sent, fence::from_wire)?,
    })
}

fn foreign(wire: &v1::ForeignAlarm) -> Result<Alarm, WireError> {
    Ok(Alarm::Foreign {
        held: uid("held_federation_uid", &wire.held_federation_uid)?,
        sent: uid("sent_federation_uid", &wire.sent_federation_uid)?,
    })
}
