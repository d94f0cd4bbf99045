//! Between the messages of the agents' stream and the plain values that the machines speak.
//!
//! Outward nothing can fail. Inward everything is checked: a message is taken whole or refused whole, and a
//! [`WireError`] says which field is wrong. Nothing that a peer sends makes these functions panic.

mod alarm;
mod capacity;
mod check;
mod error;
mod fence;
mod hello;
mod leadership;
pub mod lease;
mod need;
mod parts;
mod recall;
mod report;
mod session;
mod targets;
#[cfg(test)]
mod tests;

use std::sync::Arc;

use godwit_common::Digest;
use godwit_common::link::{Down, TEXT_MAX, Targets, Up};

use crate::v1;
pub use capacity::unmanaged_to_wire;
use check::{required, text};
pub use error::WireError;
use v1::attach_request::Message as UpWire;
use v1::attach_response::Message as DownWire;

/// The messages that say `up`: one, or as many as a large report takes.
pub fn up_to_wire(up: &Up) -> Vec<v1::AttachRequest> {
    let message = match up {
        Up::Hello(hello) => UpWire::Hello(hello::to_wire(hello)),
        Up::Heartbeat => UpWire::Heartbeat(v1::Heartbeat {}),
        Up::Renewal { number } => UpWire::Renewal(v1::Renewal { number: *number }),
        Up::Leadership(leadership) => UpWire::Leadership(leadership::to_wire(leadership)),
        Up::Report(report) => {
            let request = |part| v1::AttachRequest { message: Some(UpWire::Report(part)) };
            return report::to_wire(report).into_iter().map(request).collect();
        }
        Up::Accepted { fence, digest } => {
            UpWire::Accepted(v1::Accepted { fence: Some(fence::to_wire(*fence)), digest: digest.0 })
        }
        Up::SyncWanted => UpWire::SyncWanted(v1::SyncWanted {}),
        Up::Alarm(alarm) => UpWire::Alarm(alarm::to_wire(alarm)),
        Up::ApiServer { unreachable } => UpWire::ApiServer(v1::ApiServer {
            unreachable: unreachable.as_deref().unwrap_or_default().into(),
        }),
        Up::Recalled(recalled) => UpWire::Recalled(recall::to_wire(recalled)),
        Up::Goodbye => UpWire::Goodbye(v1::AgentGoodbye {}),
    };
    vec![v1::AttachRequest { message: Some(message) }]
}

/// The receiving end of an agent's messages: one for each session.
#[derive(Debug, Default)]
pub struct UpInbox {
    /// The parts of a large report that have come so far.
    parts: Option<report::Begun>,
}

impl UpInbox {
    /// What the agent's message says; nothing yet if more of it is to come.
    pub fn take(&mut self, wire: v1::AttachRequest) -> Result<Option<Up>, WireError> {
        let up = match wire.message {
            None => return Err(WireError::unknown("message")),
            Some(UpWire::Hello(wire)) => named("hello", hello::from_wire(wire).map(Up::Hello))?,
            Some(UpWire::Heartbeat(v1::Heartbeat {})) => Up::Heartbeat,
            Some(UpWire::Renewal(v1::Renewal { number })) => Up::Renewal { number },
            Some(UpWire::Leadership(wire)) => {
                named("leadership", leadership::from_wire(wire).map(Up::Leadership))?
            }
            Some(UpWire::Report(wire)) => {
                let report = named("report", report::join(&mut self.parts, wire))?;
                return Ok(report.map(Up::Report));
            }
            Some(UpWire::Accepted(wire)) => named("accepted", accepted(wire))?,
            Some(UpWire::SyncWanted(v1::SyncWanted {})) => Up::SyncWanted,
            Some(UpWire::Alarm(wire)) => named("alarm", alarm::from_wire(wire).map(Up::Alarm))?,
            Some(UpWire::ApiServer(wire)) => named("api_server", api_server(wire))?,
            Some(UpWire::Recalled(wire)) => named("recalled", recall::from_wire(wire).map(Up::Recalled))?,
            Some(UpWire::Goodbye(v1::AgentGoodbye {})) => Up::Goodbye,
            Some(UpWire::InquiryAnswer(_)) => return Err(unasked("inquiry_answer")),
        };
        Ok(Some(up))
    }
}

/// The messages that say `down`: one, or as many as a large state takes.
pub fn down_to_wire(down: &Down) -> Vec<v1::AttachResponse> {
    let message = match down {
        Down::Welcome(welcome) => DownWire::Welcome(session::welcome_to_wire(welcome)),
        Down::Standby { retry_after } => DownWire::Standby(session::standby_to_wire(*retry_after)),
        Down::Targets(targets) => {
            let response = |part| v1::AttachResponse { message: Some(DownWire::Targets(part)) };
            return targets::to_wire(targets).into_iter().map(response).collect();
        }
        Down::Grant { number, lease } => DownWire::Grant(session::grant_to_wire(*number, *lease)),
        Down::Recall(known) => DownWire::Recall(recall::recall_to_wire(known)),
        Down::Summons(summons) => DownWire::Summons(session::summons_to_wire(summons)),
        Down::Redirect { addresses } => DownWire::Redirect(session::redirect_to_wire(addresses)),
        Down::Refusal(refusal) => DownWire::Refusal(session::refusal_to_wire(refusal)),
        Down::Goodbye { retry_after } => DownWire::Goodbye(session::goodbye_to_wire(*retry_after)),
    };
    vec![v1::AttachResponse { message: Some(message) }]
}

/// The receiving end of a hub's messages: one for each session.
#[derive(Debug, Default)]
pub struct DownInbox {
    /// The parts of a large state that have come so far.
    parts: Option<Targets>,
}

impl DownInbox {
    /// What the hub's message says; nothing yet if more of it is to come.
    pub fn take(&mut self, wire: v1::AttachResponse) -> Result<Option<Down>, WireError> {
        let down = match wire.message {
            None => return Err(WireError::unknown("message")),
            Some(DownWire::Welcome(wire)) => {
                named("welcome", session::welcome_from_wire(wire).map(Down::Welcome))?
            }
            Some(DownWire::Standby(wire)) => {
                let standby = |retry_after| Down::Standby { retry_after };
                named("standby", session::standby_from_wire(wire).map(standby))?
            }
            Some(DownWire::Targets(wire)) => {
                let targets = named("targets", targets::join(&mut self.parts, wire))?;
                return Ok(targets.map(|targets| Down::Targets(Arc::new(targets))));
            }
            Some(DownWire::Grant(wire)) => {
                let grant = |(number, lease)| Down::Grant { number, lease };
                named("grant", session::grant_from_wire(wire).map(grant))?
            }
            Some(DownWire::Recall(wire)) => {
                named("recall", recall::recall_from_wire(wire).map(Down::Recall))?
            }
            Some(DownWire::Summons(wire)) => {
                named("summons", session::summons_from_wire(wire).map(Down::Summons))?
            }
            Some(DownWire::Redirect(wire)) => {
                let redirect = |addresses| Down::Redirect { addresses };
                named("redirect", session::redirect_from_wire(wire).map(redirect))?
            }
            Some(DownWire::Refusal(wire)) => {
                named("refusal", session::refusal_from_wire(wire).map(Down::Refusal))?
            }
            Some(DownWire::Goodbye(wire)) => {
                let goodbye = |retry_after| Down::Goodbye { retry_after };
                named("goodbye", session::goodbye_from_wire(wire).map(goodbye))?
            }
            Some(DownWire::Inquiry(_)) => return Err(unasked("inquiry")),
            Some(DownWire::RenewCertificate(_)) => return Err(unasked("renew_certificate")),
        };
        Ok(Some(down))
    }
}

/// Inquiries and their answers are between the shells, which take them out before: no machine hears of them.
fn unasked(field: &str) -> WireError {
    WireError::new(
        field,
        "it has no place here: inquiries come after the welcome, and answers to those who asked",
    )
}

fn api_server(wire: v1::ApiServer) -> Result<Up, WireError> {
    let unreachable = text("unreachable", wire.unreachable, TEXT_MAX)?;
    Ok(Up::ApiServer { unreachable: Some(unreachable).filter(|reason| !reason.is_empty()) })
}

fn accepted(wire: v1::Accepted) -> Result<Up, WireError> {
    Ok(Up::Accepted { fence: required("fence", wire.fence, fence::from_wire)?, digest: Digest(wire.digest) })
}

fn named<T>(field: &str, result: Result<T, WireError>) -> Result<T, WireError> {
    result.map_err(|error| error.within(field))
}
