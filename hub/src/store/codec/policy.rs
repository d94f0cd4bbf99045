//! Policies: stored as the API has them.

use godwit_hub_core::Policy;
use godwit_proto::policy;
use godwit_proto::store::v1 as wire;

use super::Invalid;
use super::parts::{name, needed};

pub(super) fn to_wire(policy: &Policy) -> wire::Policy {
    let Policy { name, placement, lost_after } = policy;
    let spec = policy::to_wire(placement, Some(*lost_after));
    wire::Policy { name: name.to_string(), spec: Some(spec) }
}

pub(super) fn from_wire(policy: wire::Policy) -> Result<Policy, Invalid> {
    let spec = needed("spec", policy.spec)?;
    let terms = policy::from_store("spec", &spec);
    let terms = terms.map_err(|error| Invalid::new(&error.field, error.problem))?;
    Ok(Policy {
        name: name("name", &policy.name)?,
        placement: terms.placement,
        lost_after: needed("spec.lost_after", terms.lost_after)?,
    })
}
