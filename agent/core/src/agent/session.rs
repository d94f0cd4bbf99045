//! What a session begins with, and what only the hub at its other end may renew.

use std::time::Duration;

use godwit_common::link::{Hello, Leadership, VERSIONS, Welcome};
use godwit_common::{Epoch, Fence, Uid};

use super::{Agent, Hold};
use crate::fence::Keeper;
use crate::{Config, Identity};

impl Agent {
    pub(super) fn welcomed(&mut self, welcome: Welcome) {
        if self.heard.0 != welcome.federation {
            self.heard = (welcome.federation, Epoch::default());
        }
        self.heard.1 = self.heard.1.max(welcome.epoch);
        self.hub = (welcome.federation, welcome.epoch);
        self.grants.begin(self.now);
        self.announce();
    }

    /// The hub has renewed the cluster's lease: if it is the one that leads, as far as this cluster has heard (S9, S10).
    pub(super) fn granted(&mut self, number: u64, lease: Duration) {
        let held = self.keeper.record().fence;
        let leads = self.hub.0 == held.federation && self.hub.1 >= highest_epoch(held, self.heard);
        if let Some(heartbeat) = self.link.heartbeat().filter(|_| leads && self.term().is_some()) {
            self.grants.granted(self.now, number, lease, heartbeat);
        }
    }

    /// Tells the hub that this agent leads, if it does, and begins its reports anew.
    pub(super) fn announce(&mut self) {
        let Some(term) = self.term() else { return };
        self.reporter.restart();
        self.recall.end();
        self.hold = Hold::Inventory;
        self.link.outbox.leadership(Some(Leadership::Leading {
            term,
            fence: self.keeper.record().fence,
            base: self.rows.fence().generation,
            digest: self.rows.digest(),
        }));
    }
}

/// The first message of a session; not before the agent knows which cluster it is in, and what that holds.
pub(super) fn hello(
    config: &Config,
    identity: Option<&Identity>,
    keeper: &Keeper,
    heard: (Uid, Epoch),
) -> Option<Hello> {
    let identity = identity.filter(|_| keeper.is_known())?;
    let held = keeper.record().fence;
    let federation = Some(held.federation).filter(|federation| *federation != Uid::default());
    Some(Hello {
        versions: VERSIONS,
        build: config.build.clone(),
        instance: config.instance.clone(),
        zone: identity.zone.clone(),
        cluster_uid: identity.cluster_uid,
        federation,
        highest_epoch: highest_epoch(held, heard),
        region: identity.region.clone(),
        supervises: config.supervises,
        knows_overrides: true,
    })
}

/// The highest epoch of the cluster's own federation: its fence says one, and a higher one may have been heard of.
fn highest_epoch(held: Fence, heard: (Uid, Epoch)) -> Epoch {
    if heard.0 == held.federation { held.epoch.max(heard.1) } else { held.epoch }
}
