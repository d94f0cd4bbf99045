//! Whether an agent leads.

use godwit_common::link::Leadership;
use godwit_common::{Digest, Generation};

use super::check::required;
use super::{WireError, fence};
use crate::v1;

pub(super) fn to_wire(leadership: &Leadership) -> v1::Leadership {
    let leading = match *leadership {
        Leadership::Following => None,
        Leadership::Leading { term, fence, base, digest } => Some(v1::Leading {
            term: Some(fence::term_to_wire(term)),
            fence: Some(fence::to_wire(fence)),
            base_generation: base.0,
            digest: digest.0,
        }),
    };
    v1::Leadership { leading }
}

pub(super) fn from_wire(wire: v1::Leadership) -> Result<Leadership, WireError> {
    match wire.leading {
        None => Ok(Leadership::Following),
        Some(leading) => self::leading(leading).map_err(|error| error.within("leading")),
    }
}

fn leading(wire: v1::Leading) -> Result<Leadership, WireError> {
    Ok(Leadership::Leading {
        term: required("term", wire.term, fence::term_from_wire)?,
        fence: required("fence", wire.fence, fence::from_wire)?,
        base: Generation(wire.base_generation),
        digest: Digest(wire.digest),
    })
}
