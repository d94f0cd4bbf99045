//! Maintenance: an operator announces that a cluster may be away for a while. It gets nothing new, and its silence within
//! the window is no loss; whatever runs there is left alone (S22).

use std::time::Duration;

use godwit_common::{ClusterName, WallTime};

use crate::commands::no_cluster;
use crate::commands::refused;
use crate::contract::{
    Action, Answer, Changes, ClusterState, DrainTerms, Key, Purpose, Refused, RefusedKind, Severity,
};
use crate::hub::{Hub, Timer};
use crate::shared::Shared;
use crate::state::Cluster;

impl Hub {
    /// Opens a window, from now on or once the cluster is empty, or ends the one that is open.
    pub(crate) fn maintain(
        &mut self,
        name: &ClusterName,
        within: Option<Duration>,
        drain: Option<&DrainTerms>,
    ) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        let purpose = cluster.record.drain.as_ref().map(|drain| drain.purpose);
        let emptied = cluster.record.drain.as_ref().is_some_and(|drain| drain.state.is_empty());
        let (state, open) = (cluster.health.state, cluster.record.maintenance);
        match (within, purpose) {
            (Some(_), _) if state == ClusterState::Lost => {
                let message = format!("cluster {name} is lost: what it held goes elsewhere already");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (Some(_), Some(Purpose::Retire)) => {
                let message = format!(
                    "cluster {name} is being retired: `godwit drain cluster {name} --cancel` ends that"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (Some(within), _) if drain.is_some() => {
                let cordoned = match purpose {
                    Some(Purpose::Maintain { cordoned, .. }) => cordoned,
                    Some(Purpose::Empty | Purpose::Retire) | None => cluster.record.cordoned,
                };
                let terms = drain.cloned().unwrap_or_default();
                return self.start_drain(name, &terms, Purpose::Maintain { within, cordoned });
            }
            (Some(_), Some(Purpose::Maintain { .. })) if !emptied => {
                let message = format!(
                    "cluster {name} is emptied first, and its window begins after that: \
                     `godwit maintenance end cluster {name}` calls that off"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (None, Some(Purpose::Empty | Purpose::Retire) | None) if open.is_none() => {
                return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
            }
            (Some(within), Some(Purpose::Empty | Purpose::Maintain { .. }) | None) => {
                self.set_maintenance(name, Some(self.window(within)));
                let seconds = within.as_secs();
                let message = format!("for {seconds} s it gets nothing new, and its silence is no loss");
                self.note_command(Severity::Normal, "S22", "MaintenanceStarted", name.as_str(), message);
            }
            (None, _) => {
                let message = "its silence counts again, from now on";
                let entry =
                    self.note_command(Severity::Normal, "S22", "MaintenanceEnded", name.as_str(), message);
                self.end_maintenance(name, entry);
            }
        }
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    /// A cluster that was to be empty first is so: its window begins.
    pub(crate) fn open_window(&mut self, name: &ClusterName, within: Duration) {
        self.set_maintenance(name, Some(self.window(within)));
        let seconds = within.as_secs();
        let message = format!("it is empty, and may be away: for {seconds} s its silence is no loss");
        self.note(Severity::Normal, "S22", "MaintenanceStarted", name.as_str(), message);
    }

    /// A window is over: silence counts from now on.
    pub(crate) fn maintenance_ends(&mut self, name: &ClusterName) {
        let open = |cluster: &&Shared<Cluster>| cluster.record.maintenance.is_some();
        let Some(cluster) = self.clusters.get(name).filter(open) else { return };
        let end = cluster.health.spared_until;
        if end > self.now.time {
            return self.wake_at(end, Timer::Maintenance(name.clone()));
        }
        let message = "its time is over: its silence counts again, from now on";
        let entry = self.note(Severity::Normal, "S22", "MaintenanceEnded", name.as_str(), message);
        self.end_maintenance(name, entry);
    }

    /// What was displaced for a window may come back when it is over: the cluster is drained no longer.
    fn end_maintenance(&mut self, name: &ClusterName, entry: u64) {
        self.set_maintenance(name, None);
        let purpose = self.drain_of(name).map(|drain| drain.purpose);
        let Some(Purpose::Maintain { cordoned, .. }) = purpose else { return };
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        (cluster.record.drain, cluster.record.cordoned) = (None, cordoned);
        let seats = cluster.seats.clone();
        self.cancel_migrations_of_drain(name);
        for uid in seats.iter() {
            self.give_back_all(*uid, name, entry);
        }
        self.barriers_changed(name, Some(entry));
    }

    fn window(&self, within: Duration) -> WallTime {
        let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
        WallTime(self.now.wall.0.saturating_add(millis))
    }

    /// Wakes up at the end of a cluster's window, which began now, or before the hub was started, and spares it until then: a
    /// clock that is set back meanwhile makes no silence longer that is no loss.
    pub(crate) fn await_maintenance(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let Some(until) = cluster.record.maintenance else { return };
        let left = Duration::from_millis(until.0.saturating_sub(self.now.wall.0));
        let end = self.now.time + left;
        cluster.health.spared_until = end;
        self.wake_at(end, Timer::Maintenance(name.clone()));
    }

    fn set_maintenance(&mut self, name: &ClusterName, until: Option<WallTime>) {
        let now = self.now.time;
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        cluster.record.maintenance = until;
        // A window that ends, ends now: the cluster has its full time from here.
        cluster.health.spared_until = cluster.health.spared_until.min(now);
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.barriers_changed(name, None);
        self.await_maintenance(name);
        self.wake_at(now, Timer::Silence(name.clone()));
    }
}
