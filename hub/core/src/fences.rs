//! Fences: what the members have accepted, and what that tells of this hub's own history (S10).

use godwit_common::link::Alarm;
use godwit_common::{ClusterName, Epoch, Fence, Generation};

use crate::contract::{FreezeCause, Key, SessionId, Severity, Subject};
use crate::hub::Hub;

impl Hub {
    /// The leading agent holds what it was sent, as far as this.
    pub(crate) fn accepted(&mut self, session: SessionId, name: &ClusterName, fence: Fence) {
        let federation = self.federation.uid;
        let Some(leader) = self.leader_of(session, name) else {
            return;
        };
        if fence.federation == federation {
            leader.accepted = leader.accepted.max(fence.generation);
            self.touched.subjects.insert(Subject::Cluster(name.clone()));
            self.heed_fence(name, fence);
        }
    }

    /// An agent has refused targets; whatever its reason, an operator hears of it.
    pub(crate) fn alarm(&mut self, name: &ClusterName, alarm: Alarm) {
        match alarm {
            Alarm::Stale { held, sent } => {
                let message = format!(
                    "refused targets of epoch {}, generation {}: it holds epoch {}, generation {}",
                    sent.epoch, sent.generation, held.epoch, held.generation
                );
                self.note(Severity::Warning, "S10", "StaleTargetsRefused", name.as_str(), message);
                self.heed_fence(name, held);
            }
            Alarm::Contradiction { fence } => {
                let message = format!(
                    "two different states carry epoch {}, generation {}; it is sent everything anew",
                    fence.epoch, fence.generation
                );
                self.note(Severity::Warning, "S10", "TargetsContradict", name.as_str(), message);
                if let Some(leader) = self.clusters.get_mut(name).and_then(|cluster| cluster.leader.as_mut())
                {
                    leader.sent = None;
                    self.raise_generation(name, fence.generation);
                }
            }
            Alarm::Foreign { held, sent } => {
                let message = format!("refused targets of federation {sent}: it belongs to {held}");
                self.note(Severity::Warning, "S10", "ForeignTargetsRefused", name.as_str(), message);
            }
        }
    }

    /// A member's fence tells of a later history than this hub's store (S10).
    pub(crate) fn heed_fence(&mut self, name: &ClusterName, fence: Fence) {
        if fence.federation != self.federation.uid {
            return;
        }
        let Some(record) = self.clusters.get(name).map(|cluster| &cluster.record) else { return };
        let (known, inventoried) = (record.generation, record.inventoried);
        if fence.generation > known {
            self.raise_generation(name, fence.generation);
        }
        // What was sent was durable first: a generation beyond ours is one that this store has forgotten. A cluster
        // that was deleted and joins again has its old fence, and proves nothing.
        if fence.generation > known && inventoried {
            self.newer_history(name, fence.epoch);
        } else if self.in_doubt() && fence.epoch == self.federation.epoch {
            // Nothing was sent with this epoch since the doubt began: whoever used it is another.
            self.newer_history(name, fence.epoch);
        } else {
            self.heed_epoch(name, fence.epoch);
        }
    }

    /// A cluster of this federation has heard of this epoch: it is not above ours, unless somebody else leads, or led.
    pub(crate) fn heed_epoch(&mut self, name: &ClusterName, heard: Epoch) {
        if heard > self.federation.epoch {
            self.newer_history(name, heard);
        }
    }

    /// Somebody with more authority has spoken in this federation's name: this hub takes an epoch above, and does
    /// nothing more until an operator says so.
    fn newer_history(&mut self, name: &ClusterName, heard: Epoch) {
        if heard >= self.federation.epoch {
            self.federation.epoch = heard.next();
        }
        self.touched.keys.insert(Key::Federation);
        for cluster in self.clusters.values_mut() {
            if let Some(leader) = &mut cluster.leader {
                leader.fence_behind = true;
                leader.sent = None;
            }
        }
        let message = format!(
            "cluster {name} has accepted targets of a later history than this hub's store: the store was restored \
             from an older copy, or another hub speaks for this federation. It learns from the members what it has \
             forgotten, and says nothing to them until `godwit freeze release` accepts that"
        );
        self.freeze(FreezeCause::NewerHistory, message);
        self.doubt();
    }

    fn raise_generation(&mut self, name: &ClusterName, above: Generation) {
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.record.generation = cluster.record.generation.max(above).next();
            self.touched.keys.insert(Key::Cluster(name.clone()));
            self.touched.send.insert(name.clone());
        }
    }
}
