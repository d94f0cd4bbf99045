//! What runs here that nobody manages, and what is the cluster's own.

use godwit_common::WorkloadId;
use godwit_common::link::{COUNT_MAX, UNMANAGED_MAX, Unmanaged};

use super::{Tally, View};

/// Namespaces of the cluster itself, and the agents' own.
pub(super) const SYSTEM: [&str; 4] = ["kube-system", "kube-public", "kube-node-lease", "godwit-system"];
/// Owners whose pods belong to their nodes, and go with these.
const OF_NODES: [&str; 2] = ["DaemonSet", "Node"];

impl View {
    /// What stays when everything managed is gone (S21).
    pub(super) fn unmanaged(&self) -> Unmanaged {
        let foreign = |(id, tally): &(&WorkloadId, &Tally)| {
            tally.pods > 0
                && !self.workloads.contains_key(*id)
                && !OF_NODES.contains(&&*id.kind)
                && !SYSTEM.contains(&&*id.namespace)
        };
        let owned = self.tallies.iter().filter(foreign).map(|(id, tally)| (id.clone(), tally.pods));
        let bare = self.bare.iter().map(|(namespace, name)| {
            let (namespace, name) = (namespace.clone(), name.clone());
            (WorkloadId { namespace, kind: "Pod".into(), name }, 1)
        });
        let mut unmanaged = Unmanaged::default();
        for (id, pods) in owned.chain(bare) {
            unmanaged.pods = unmanaged.pods.saturating_add(pods).min(COUNT_MAX);
            unmanaged.owners = unmanaged.owners.saturating_add(1).min(COUNT_MAX);
            if unmanaged.first.len() < UNMANAGED_MAX {
                unmanaged.first.push((id, pods.min(COUNT_MAX)));
            }
        }
        unmanaged
    }
}
