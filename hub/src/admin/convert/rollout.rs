//! Rollouts and revisions.

use godwit_common::stable_hash;
use godwit_hub_core::{RevisionView, RolloutView};
use godwit_proto::{policy, v1};
use prost::Message;

use super::timestamp;

pub(in crate::admin) fn rollout(view: &RolloutView) -> v1::Rollout {
    let RolloutView { revision, rollout, clusters, updated, waiting } = view;
    let rollout = rollout.as_ref();
    let waiting = waiting
        .iter()
        .map(|(cluster, reason)| v1::RolloutWait { cluster: cluster.to_string(), reason: reason.clone() });
    v1::Rollout {
        revision: *revision,
        state: rollout.map(|rollout| rollout.state.as_str().to_owned()).unwrap_or_default(),
        message: rollout.map(|rollout| rollout.message.to_string()).unwrap_or_default(),
        started: rollout.map(|rollout| timestamp(rollout.started)),
        instead_of: rollout.and_then(|rollout| rollout.instead_of),
        clusters: *clusters,
        clusters_updated: *updated,
        waiting: waiting.collect(),
    }
}

pub(in crate::admin) fn revision(view: &RevisionView, whole: bool) -> v1::Revision {
    let RevisionView { revision, state, clusters } = view;
    let (manifest, overrides) = (&revision.spec.manifest, &revision.spec.overrides);
    let rules: Vec<Vec<u8>> =
        overrides.iter().map(|one| policy::override_to_wire(one).encode_to_vec()).collect();
    let parts = std::iter::once(manifest.as_bytes()).chain(rules.iter().map(Vec::as_slice));
    v1::Revision {
        number: revision.number,
        state: state.as_str().to_owned(),
        created: Some(timestamp(revision.created)),
        created_by: revision.by.to_string(),
        clusters: clusters.iter().map(ToString::to_string).collect(),
        digest: format!("{:016x}", stable_hash(parts)),
        manifest: if whole { manifest.to_string() } else { String::new() },
        overrides: overrides.iter().filter(|_| whole).map(policy::override_to_wire).collect(),
    }
}
