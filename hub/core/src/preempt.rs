//! Preemption: a workload that finds no room gets it from lower priorities whose policies allow it (S16).

use godwit_common::{Uid, WorkloadId};

use crate::hub::Hub;

impl Hub {
    /// Who a workload is, as long as it waits for a place.
    pub(crate) fn waiting_for_room(&self, uid: Uid) -> Option<&WorkloadId> {
        let workload = self.workloads.get(&uid)?;
        (workload.record.pending > 0).then(|| workload.id())
    }
}
