//! Charters: what was asked for of a workload, kept in the members for a hub that loses its store (S10). They travel with
//! the rows. A change of the total that changes no row is told to a few clusters all the same.

use std::sync::Arc;

use godwit_common::link::{CHARTER_OBJECTS_MAX, Charter};
use godwit_common::{ClusterName, Uid};

use crate::contract::Key;
use crate::hub::Hub;

/// In how many clusters a change is kept at least, as long as there are as many: to tell all of them would make a change
/// of one number cost as much as the fleet is large.
const WITNESSES: usize = 3;

impl Hub {
    /// What was asked for of a workload has changed.
    pub(crate) fn charter_changed(&mut self, uid: Uid) {
        let written = (self.federation.epoch, self.federation.next_entry);
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        workload.record.chartered = written;
        let runs = |runs: bool| {
            let seats = workload.seats.iter().filter(move |(_, seat)| (seat.seat.target > 0) == runs);
            seats.map(|(name, _)| name.clone())
        };
        let witnesses: Vec<ClusterName> = runs(true).chain(runs(false)).take(WITNESSES).collect();
        self.touched.keys.insert(Key::Workload(uid));
        self.write_charter(uid);
        for name in witnesses {
            let generation = self.generation_for(&name, uid);
            if let Some(seat) = self.workloads.get_mut(&uid).and_then(|one| one.seats.get_mut(&name)) {
                seat.seat.generation = generation;
            }
            self.seat_changed(uid, &name);
        }
    }

    /// Puts together what the members are to keep.
    pub(crate) fn write_charter(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let record = &workload.record;
        let key = |uid: &Uid| Some((*uid, self.objects.get(uid)?.record.key.clone()));
        let charter = Charter {
            replicas: record.spec.replicas,
            policy: record.policy.clone(),
            number: record.number,
            leader: record.leader.clone(),
            objects: record.objects.iter().filter_map(key).take(CHARTER_OBJECTS_MAX).collect(),
            supervised: record.spec.supervised,
            written: record.chartered,
        };
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.charter = Some(Arc::new(charter));
        }
    }
}
