//! Maintenance: an operator announces that a cluster may be away for a while. It gets nothing new, and its silence within
//! the window is no loss; whatever runs there is left alone (S22).

use std::time::Duration;

use godwit_common::{ClusterName, WallTime};

use crate::commands::no_cluster;
use crate::commands::refused;
use crate::contract::{Action, Answer, Changes, ClusterState, Key, Refused, RefusedKind, Severity};
use crate::hub::{Hub, Timer};

impl Hub {
    /// Opens a window from now on, or ends the one that is open.
    pub(crate) fn maintain(
        &mut self,
        name: &ClusterName,
        within: Option<Duration>,
    ) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        match (within, cluster.health.state, cluster.record.maintenance) {
            (Some(_), ClusterState::Lost, _) => {
                let message = format!("cluster {name} is lost: what it held goes elsewhere already");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            (None, _, None) => {
                return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
            }
            (Some(within), _, _) => {
                let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                self.set_maintenance(name, Some(WallTime(self.now.wall.0.saturating_add(millis))));
                let seconds = within.as_secs();
                let message = format!("for {seconds} s it gets nothing new, and its silence is no loss");
                self.note_command(Severity::Normal, "S22", "MaintenanceStarted", name.as_str(), message);
            }
            (None, _, Some(_)) => {
                self.set_maintenance(name, None);
                let message = "its silence counts again, from now on";
                self.note_command(Severity::Normal, "S22", "MaintenanceEnded", name.as_str(), message);
            }
        }
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    /// A window is over: silence counts from now on.
    pub(crate) fn maintenance_ends(&mut self, name: &ClusterName) {
        let Some(until) = self.clusters.get(name).and_then(|cluster| cluster.record.maintenance) else {
            return;
        };
        if until > self.now.wall {
            return self.await_maintenance(name);
        }
        self.set_maintenance(name, None);
        let message = "its time is over: its silence counts again, from now on";
        self.note(Severity::Normal, "S22", "MaintenanceEnded", name.as_str(), message);
    }

    /// Wakes up at the end of a cluster's window, and spares it until then.
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
