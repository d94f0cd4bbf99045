//! What a revocation means for a member: its streams end, and it is lost, not drained (S6, S23).

use std::time::Duration;

use godwit_common::ClusterName;

use crate::contract::{ClusterState, Effect, Key, Revocation, RevocationRecord, SessionId, TokenRecord};
use crate::hub::Hub;

impl Hub {
    /// Whether no agent of a cluster is let in.
    pub(crate) fn is_revoked(&self, name: &ClusterName) -> bool {
        // The usual federation has none, and pays nothing for it.
        let found = || self.revocations.get(&Revocation::Cluster(name.clone()));
        !self.revocations.is_empty() && found().is_some_and(|record| record.readmitted.is_none())
    }

    /// A cluster was revoked. An operator's word needs no second sign: it is given up at once, for every policy, and counts
    /// for no mass loss.
    pub(crate) fn expel(&mut self, name: &ClusterName, spoken: &mut Vec<Effect>) {
        if !self.is_revoked(name) {
            return;
        }
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.health.confirmed = true;
        if cluster.record.awaited.take().is_some() {
            self.touched.keys.insert(Key::Cluster(name.clone()));
        }
        let sessions: Vec<SessionId> = cluster.sessions.keys().copied().collect();
        for session in sessions {
            spoken.push(Effect::Close { session });
            self.end_session(session, "its certificates are revoked", spoken);
        }
        let state = self.clusters.get(name).map(|cluster| cluster.health.state);
        if state.is_some_and(|state| state != ClusterState::Joining) {
            self.lose(name, Duration::MAX);
        }
    }

    /// After a restart nobody waits for who is revoked, and nobody misses them.
    pub(crate) fn relate_revocations(&mut self) {
        for record in self.revocations.values().filter(|record| record.readmitted.is_none()) {
            if let Revocation::Cluster(name) = &record.what
                && let Some(cluster) = self.clusters.get_mut(name)
            {
                cluster.health.confirmed = true;
            }
        }
    }

    /// The tokens, the last first.
    pub(crate) fn shown_tokens(&self) -> Vec<TokenRecord> {
        let mut tokens: Vec<TokenRecord> = self.tokens.values().cloned().collect();
        tokens.sort_by_key(|token| std::cmp::Reverse((token.created, token.hash)));
        tokens
    }

    /// Who is kept out, in order of kind and name.
    pub(crate) fn shown_revocations(&self) -> Vec<RevocationRecord> {
        self.revocations.values().cloned().collect()
    }
}
