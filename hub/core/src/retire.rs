//! Retiring: a cluster that was emptied is cleaned up by tombstones, and leaves the federation (S23, S27, S28). It goes on
//! over restarts of the hub, and waits for a cluster that is away.

use godwit_common::link::{Down, Refusal, RefusalCode, Tombstoned};
use godwit_common::{ClusterName, Uid};

use crate::contract::{
    ClusterRecord, DrainState, Effect, Key, Purpose, RetiredRecord, SessionId, Severity, Subject,
};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::sessions::REFUSED_RETRY;

impl Hub {
    /// A cluster that is to be retired is empty: whatever was applied there is removed. Its rows end there, and live on
    /// elsewhere; namespaces, kinds and claims stay, as with every tombstone (S28).
    pub(crate) fn clean_up(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let (seats, objects) = (cluster.seats.clone(), cluster.objects.clone());
        self.set_drain_state(name, DrainState::Cleaning);
        let message = format!("{} workloads and {} objects are removed there", seats.len(), objects.len());
        let entry = self.note(Severity::Normal, "S23", "ClusterCleanUp", name.as_str(), message);
        for uid in seats.iter() {
            self.end_seat(*uid, name, entry);
        }
        for uid in objects.iter() {
            self.end_object_row(*uid, name);
        }
        self.wake_at(self.now.time, Timer::Retire(name.clone()));
    }

    pub(crate) fn end_seat(&mut self, uid: Uid, name: &ClusterName, entry: u64) {
        let settled = self.workloads.get(&uid).is_some_and(|workload| self.is_settled(&workload.record));
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let Some(seat) = workload.take_seat(name) else { return };
        let record = &workload.record;
        let what = record.spec.tombstone();
        let hash = seat.hash(uid);
        // Others may have waited for it (S31).
        self.moving.insert(uid);
        // Its data was there, and goes with it: it may begin anew elsewhere (S32).
        let homeless = settled && seat.data().is_some();
        let rank = self.workloads.get(&uid).map(|workload| self.rank_of(&workload.record));
        if homeless {
            self.dirty.insert(uid, Reason::Deleted(name.clone(), entry));
        }
        if let Some(rank) = rank {
            self.leave_seat(uid, name, &seat, rank, hash);
        }
        self.end_in(uid, name, what);
    }

    fn end_object_row(&mut self, uid: Uid, name: &ClusterName) {
        let Some(object) = self.objects.get_mut(&uid) else { return };
        let hash = object.hash_in(name);
        if object.rows.remove(name).is_none() {
            return;
        }
        object.overrides.remove(name);
        let key = object.record.key.clone();
        self.leave_row(uid, name, hash);
        self.end_in(uid, name, Tombstoned::Object(key));
    }

    /// The last tombstone of a retired cluster is done: it leaves the federation, and its agents are told.
    pub(crate) fn look_at_retirement(&mut self, name: &ClusterName, spoken: &mut Vec<Effect>) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let cleaning = |cluster: &ClusterRecord| {
            cluster.drain.as_ref().is_some_and(|drain| drain.state == DrainState::Cleaning)
        };
        if cleaning(&cluster.record) && cluster.ended.is_empty() {
            let message = "it was emptied and cleaned up, and has left the federation";
            let entry = self.note(Severity::Normal, "S23", "ClusterRetired", name.as_str(), message);
            self.retire_now(name, entry, spoken);
        }
    }

    /// A cluster leaves for good: it is remembered, so that it does not join again by itself.
    pub(crate) fn retire_now(&mut self, name: &ClusterName, entry: u64, spoken: &mut Vec<Effect>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let uid = cluster.record.uid;
        let sessions: Vec<SessionId> = cluster.sessions.keys().copied().collect();
        cluster.sessions.clear();
        for session in sessions {
            self.sessions.remove(&session);
            let refusal = Refusal {
                code: RefusalCode::Deleted,
                message: retired_message(name).into(),
                retry_after: REFUSED_RETRY,
            };
            spoken.push(Effect::Send { session, message: Down::Refusal(refusal) });
            spoken.push(Effect::Close { session });
        }
        let retired = RetiredRecord { uid, name: name.clone(), at: self.now.wall, entry };
        self.retired.insert(uid, retired);
        self.touched.keys.insert(Key::Retired(uid));
        self.touched.subjects.insert(Subject::Federation);
        // The first of those that are remembered make room.
        while self.retired.len() > self.config.retired {
            let first = self.retired.values().min_by_key(|retired| retired.entry).map(|retired| retired.uid);
            let Some(first) = first else { break };
            self.retired.remove(&first);
            self.touched.keys.insert(Key::Retired(first));
        }
        self.drop_cluster(name, entry);
    }

    /// Whether what is to be done about a cluster is done for its retirement.
    pub(crate) fn is_retiring(&self, name: &ClusterName) -> bool {
        self.drain_of(name).is_some_and(|drain| drain.purpose == Purpose::Retire)
    }
}

pub(crate) fn retired_message(name: &ClusterName) -> String {
    format!(
        "cluster {name} was retired: uninstall its agents, or let it join again, as a new one, with \
         `godwit retire cluster {name} --undo`"
    )
}
