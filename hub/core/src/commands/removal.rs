//! Deleting: workloads, and clusters that are gone for good (S23, S28).

use std::time::Duration;

use godwit_common::{ClusterName, Uid, WorkloadId};

use super::{no_cluster, no_workload, refused};
use crate::contract::{
    Answer, Cause, ClusterState, DrainState, Key, Refused, RefusedKind, Severity, Subject,
};
use crate::hub::Hub;
use crate::placement::Reason;

impl Hub {
    /// Ends a workload everywhere. An absent cluster does not hold it up: its tombstone waits (S28).
    pub(crate) fn delete_workload(&mut self, id: &WorkloadId) -> Result<Answer, Refused> {
        let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
        let entry = self.note_command(
            Severity::Normal,
            "S28",
            "WorkloadDeleted",
            id.to_string(),
            "its replicas stop everywhere",
        );
        self.end_workload(uid, Cause::Command(entry));
        let pending_on = self.ended.get(&uid).map(|ended| self.end_pending_on(ended));
        Ok(Answer::WorkloadDeleted { pending_on: pending_on.unwrap_or_default() })
    }

    /// Forgets a cluster that was drained, or is lost: then what may still run there runs on, and nobody looks after it.
    pub(crate) fn delete_cluster(&mut self, name: &ClusterName, force: bool) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        let state = cluster.health.state;
        let drain = cluster.record.drain.as_ref();
        let drained = drain.is_some_and(|drain| drain.state == DrainState::Done) && self.is_empty(cluster);
        let gone =
            drained || matches!(state, ClusterState::Lost | ClusterState::Unknown | ClusterState::Joining);
        if cluster.live() || !gone {
            let message = format!(
                "cluster {name} is {}: only a cluster that is drained or lost, and not connected, can be deleted; \
                 stop its agents first",
                state.as_str()
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if !force && !drained {
            let message = format!(
                "what may still run in cluster {name} would not be stopped by anybody: say --force if that is meant"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if !drained {
            self.check_accounted(name)?;
        }
        let (severity, message) = match drained {
            true => (Severity::Normal, "it was drained, and is forgotten"),
            false => (Severity::Warning, "it is forgotten; what may still run there is not stopped"),
        };
        let entry = self.note_command(severity, "S23", "ClusterDeleted", name.as_str(), message);
        self.drop_cluster(name, entry);
        Ok(Answer::Done)
    }

    /// A cluster leaves the federation.
    pub(crate) fn drop_cluster(&mut self, name: &ClusterName, entry: u64) {
        self.end_cluster(name, entry);
        if let Some(cluster) = self.clusters.remove(name) {
            self.count_state(cluster.health.state, None);
            self.note_former(name, cluster.record.uid);
        }
        self.lost.remove(name);
        self.unpin_issuer(name);
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
    }

    /// A cluster is over, by an operator's word: it holds nothing any more, and no tombstone waits for it. This is the one
    /// place where copies are given up that nobody has seen stop: whoever may not run twice is fenced from here (S9).
    pub(crate) fn end_cluster(&mut self, name: &ClusterName, entry: u64) {
        let Some(cluster) = self.clusters.get_mut(name) else {
            return;
        };
        // Lost for every policy: what was placed there is placed elsewhere while it is still known where it was.
        cluster.health.lost_through = Some(Duration::MAX);
        self.lost.insert(name.clone());
        cluster.record.awaited = None;
        let (seats, objects, ended) = (cluster.seats.clone(), cluster.objects.clone(), cluster.ended.clone());
        let waiting = if self.drain_of(name).is_some() { self.waiting_in(name) } else { Vec::new() };
        for uid in self.placed_in(name).into_iter().chain(waiting) {
            self.dirty.insert(uid, Reason::Deleted(name.clone(), entry));
        }
        self.plan_dirty();
        for uid in seats.iter().copied() {
            self.drop_seat(uid, name, entry);
        }
        for uid in objects.iter().copied() {
            if let Some(object) = self.objects.get_mut(&uid) {
                object.rows.remove(name);
            }
            self.touched.keys.insert(Key::ObjectRow(uid, name.clone()));
        }
        for uid in ended {
            self.forget_end(uid, name);
        }
        for uid in self.run_in_every(name) {
            self.dirty.insert(uid, Reason::Deleted(name.clone(), entry));
        }
    }

    fn drop_seat(&mut self, uid: Uid, name: &ClusterName, entry: u64) {
        self.came_back(uid, name, u32::MAX);
        let settled = self.workloads.get(&uid).is_some_and(|workload| self.is_settled(&workload.record));
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        let data = workload.take_seat(name).and_then(|seat| seat.data());
        workload.withdrawals.remove(name);
        workload.acknowledged.remove(name);
        // Others may start now that waited for what it may have run (S8).
        self.moving.insert(uid);
        self.trim_holds(uid, name);
        self.bounds_follow(uid);
        if settled && data.is_some() {
            // Its data was there, and is gone with it: it may begin anew elsewhere.
            self.dirty.insert(uid, Reason::Deleted(name.clone(), entry));
        }
        // Others may have waited for it (S31).
        self.moving.insert(uid);
        self.touched.keys.insert(Key::Seat(uid, name.clone()));
        self.touched.subjects.insert(Subject::Workload(uid));
    }
}
