//! The authorities of both sides: the hub's fence, the agent's term.

use godwit_common::link::LeaderTerm;
use godwit_common::{Epoch, Fence, Generation, Term};

use super::WireError;
use super::check::{uid, uid_to_wire};
use crate::v1;

pub(super) fn to_wire(fence: Fence) -> v1::Fence {
    v1::Fence {
        federation_uid: uid_to_wire(fence.federation),
        epoch: fence.epoch.0,
        generation: fence.generation.0,
    }
}

pub(super) fn from_wire(wire: v1::Fence) -> Result<Fence, WireError> {
    Ok(Fence {
        federation: uid("federation_uid", &wire.federation_uid)?,
        epoch: Epoch(wire.epoch),
        generation: Generation(wire.generation),
    })
}

pub(super) fn term_to_wire(term: LeaderTerm) -> v1::LeaderTerm {
    v1::LeaderTerm { lease_uid: uid_to_wire(term.lease), transitions: term.transitions.0 }
}

pub(super) fn term_from_wire(wire: v1::LeaderTerm) -> Result<LeaderTerm, WireError> {
    Ok(LeaderTerm { lease: uid("lease_uid", &wire.lease_uid)?, transitions: Term(wire.transitions) })
}
