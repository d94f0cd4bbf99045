//! What of an object says that it is ours, and what was written last.

use godwit_agent_core::{Stamp, labels};
use godwit_common::bounds::Bounds;
use godwit_common::link::LeaderTerm;
use godwit_common::policy::overrides::mark;
use godwit_common::{Epoch, Fence, Generation, Term, Uid};
use k8s_openapi::apimachinery::pkg::apis::meta::v1::ObjectMeta;

use super::{Texts, get};

pub(super) fn stamp(metadata: &ObjectMeta) -> Stamp {
    let uid = |texts: &Option<Texts>, name: &str| get(texts, name).parse::<Uid>().unwrap_or_default();
    let number = |name: &str| get(&metadata.annotations, name).parse().unwrap_or(0);
    let (lease, transitions) = get(&metadata.annotations, labels::TERM).split_once('/').unwrap_or_default();
    Stamp {
        uid: uid(&metadata.labels, labels::UID),
        revision: number(labels::REVISION),
        ordinals: u32::try_from(number(labels::ORDINALS)).unwrap_or(u32::MAX),
        bounds: bounds(get(&metadata.annotations, labels::BOUNDS)),
        overrides: mark(get(&metadata.annotations, labels::OVERRIDES)),
        fence: Fence {
            federation: uid(&metadata.annotations, labels::FEDERATION),
            epoch: Epoch(number(labels::EPOCH)),
            generation: Generation(number(labels::GENERATION)),
        },
        term: LeaderTerm {
            lease: lease.parse().unwrap_or_default(),
            transitions: Term(transitions.parse().unwrap_or(0)),
        },
    }
}

/// What cannot be read is none.
fn bounds(text: &str) -> Bounds {
    let (min, max) = text.split_once('/').unwrap_or_default();
    Bounds { min: min.parse().ok(), max: max.parse().ok() }
}
