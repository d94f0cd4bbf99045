//! S33: a cluster is told of nothing that is different there before an agent that knows overrides has led it, gets nothing
//! new until then of what would be, and an agent that does not know them never takes for whole what has any.

use std::collections::BTreeSet;

use godwit_common::link::{Down, Leadership, Up};
use godwit_common::{ClusterName, Epoch, Generation, Uid};
use godwit_hub_core::{ClusterRecord, Effect, Event, Key, Record};

use super::witness::Witness;
use super::{Records, SeatChange, seat_in};
use crate::member::Deed;
use crate::world::Release;

/// What is known of the agents of all clusters, over all lives of all hubs.
#[derive(Debug, Default)]
pub(super) struct Knowing {
    /// There are agents of more than one release.
    pub(super) releases_differ: bool,
    /// Clusters that were led by an agent that knows overrides.
    led: BTreeSet<(ClusterName, Uid)>,
    /// What was said in which something was different.
    differs: BTreeSet<(ClusterName, Epoch, Generation)>,
}

impl Knowing {
    /// A hub has heard something, and knows it when it decides. True if the agents of a cluster know more than before.
    pub(super) fn hear(&mut self, witness: &Witness, event: &Event) -> bool {
        if let Event::Message { session, message: Up::Leadership(Leadership::Leading { .. }) } = event
            && let Some(greeting) = witness.greeting(*session).filter(|greeting| greeting.knows_overrides)
        {
            let first = self.led.insert((greeting.cluster.clone(), greeting.uid));
            return first && self.releases_differ;
        }
        false
    }

    /// After a step of a hub.
    pub(super) fn check(
        &mut self,
        records: &Records,
        witness: &Witness,
        effects: &[Effect],
        seats: &[SeatChange],
    ) {
        for effect in effects {
            match effect {
                Effect::Put(Record::Cluster(cluster)) => assert!(
                    !cluster.knows_overrides || self.led.contains(&(cluster.name.clone(), cluster.uid)),
                    "S33: the agents of {} are taken to know overrides, and none that does has led it",
                    cluster.name
                ),
                Effect::Send { session, message: Down::Targets(targets) } => {
                    let Some(cluster) = witness.cluster_of(*session) else { continue };
                    let fence = targets.fence;
                    let objects = targets.objects.iter().any(|row| !row.overrides.is_empty());
                    let told = objects || targets.workloads.iter().any(|row| !row.overrides.is_empty());
                    let Some(record) = cluster_in(records, cluster) else { continue };
                    assert!(
                        !told || self.led.contains(&(cluster.clone(), record.uid)),
                        "S33: {cluster} is told that something is different there, and none of its agents knows how"
                    );
                    if self.releases_differ && has_changes(records, record) {
                        self.differs.insert((cluster.clone(), fence.epoch, fence.generation));
                    }
                }
                Effect::Put(_) | Effect::Delete(_) => {}
                Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => {}
            }
        }
        seats.iter().for_each(|seat| check_seat(records, seat));
    }

    /// After a deed of an agent.
    pub(super) fn check_deed(&self, cluster: &ClusterName, deed: &Deed, release: Release) {
        let fence = match deed {
            // A reign begins: nothing is accepted by that.
            Deed::Fence { before: Some(before), after } if before.fence == after.fence => return,
            Deed::Fence { after, .. } => after.fence,
            Deed::Applied { after, .. } => after.fence,
            Deed::Deleted { .. } => return,
        };
        let differs = self.differs.contains(&(cluster.clone(), fence.epoch, fence.generation));
        assert!(
            release == Release::Newer || !differs,
            "S33: an agent of {cluster} that knows no overrides has taken {fence:?}, in which something is different"
        );
    }
}

/// Whether anything that a cluster holds is different there.
fn has_changes(records: &Records, cluster: &ClusterRecord) -> bool {
    records.iter().any(|(key, record)| match (key, record) {
        (Key::Seat(uid, name), Record::Seat { seat, .. }) if *name == cluster.name => {
            matches!(records.get(&Key::Revision(*uid, seat.revision)), Some(Record::Revision(revision))
                if !cluster.changes(&revision.spec.overrides).is_empty())
        }
        (Key::ObjectRow(uid, name), _) if *name == cluster.name => {
            matches!(records.get(&Key::Object(*uid)), Some(Record::Object(object))
                if !cluster.changes(&object.overrides).is_empty())
        }
        (_, _) => false,
    })
}

/// What runs somewhere stays; another revision, and more copies, wait for agents that know what is different about them.
fn check_seat(records: &Records, seat: &SeatChange) {
    let (uid, name) = (seat.workload, &seat.cluster);
    let Some(cluster) = cluster_in(records, name) else { return };
    let Some(Record::Revision(revision)) = records.get(&Key::Revision(uid, seat.after.revision)) else {
        return;
    };
    // What was found there was told by somebody else.
    let found = seat.before.generation.0 == 0;
    if found || !cluster.owes(&revision.spec.overrides) {
        return;
    }
    assert!(
        seat.after.revision == seat.before.revision && seat.after.target <= seat.before.target,
        "S33: {uid} in {name} goes from {} of revision {} to {} of {}, and its agents know no overrides: {:?}",
        seat.before.target,
        seat.before.revision,
        seat.after.target,
        seat.after.revision,
        seat_in(records, uid, name)
    );
}

fn cluster_in<'r>(records: &'r Records, name: &ClusterName) -> Option<&'r ClusterRecord> {
    let record = records.get(&Key::Cluster(name.clone()))?;
    if let Record::Cluster(cluster) = record { Some(cluster) } else { None }
}
