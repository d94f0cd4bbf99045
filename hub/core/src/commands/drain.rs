//! Draining a cluster: begun, paused, resumed, ended (S20, S21).

use std::time::Duration;

use godwit_common::{ClusterName, Uid, WallTime};

use super::{no_cluster, refused};
use crate::contract::{
    Action, Answer, Cause, Changes, ClusterRecord, ClusterState, Drain, DrainOrder, DrainState, DrainTerms,
    Key, Purpose, Refused, RefusedKind, Severity, Subject,
};
use crate::hub::Hub;
use crate::placement::Reason;

impl Hub {
    /// Does what an operator wants of a cluster's drain.
    pub(super) fn drain(&mut self, name: &ClusterName, order: DrainOrder) -> Result<Answer, Refused> {
        let record = &self.clusters.get(name).ok_or_else(|| no_cluster(name))?.record;
        let known = record.drain.clone();
        match (order, known) {
            (DrainOrder::Start(terms), _) => self.start_drain(name, &terms, Purpose::Empty),
            (_, None) => {
                let message = format!("cluster {name} is not drained: `godwit drain cluster {name}` begins");
                Err(refused(RefusedKind::FailedPrecondition, message))
            }
            (DrainOrder::Pause, Some(drain)) => self.pause_drain(name, &drain),
            (DrainOrder::Resume, Some(drain)) => self.resume_drain(name, drain),
            (DrainOrder::Cancel, Some(_)) => self.cancel_drain(name),
        }
    }

    /// Begins to empty a cluster for a purpose, or goes on with other terms.
    pub(crate) fn start_drain(
        &mut self,
        name: &ClusterName,
        terms: &DrainTerms,
        purpose: Purpose,
    ) -> Result<Answer, Refused> {
        self.check_drain(name, terms)?;
        let Some(cluster) = self.clusters.get(name) else { return Err(no_cluster(name)) };
        let known = cluster.record.drain.as_ref();
        let drain = self.drain_from(terms, purpose);
        let same = |known: &Drain| {
            let within = known.deadline.0 - known.started.0;
            let renewed = Drain {
                started: drain.started,
                deadline: WallTime(drain.started.0.saturating_add(within)),
                state: DrainState::Running,
                since: drain.since,
                ..known.clone()
            };
            matches!(known.state, DrainState::Running | DrainState::Done) && renewed == drain
        };
        if known.is_some_and(same) {
            return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
        }
        let record =
            ClusterRecord { drain: Some(drain), cordoned: true, awaited: None, ..cluster.record.clone() };
        let to = terms.to.as_ref().map(|to| format!(", in {to} only")).unwrap_or_default();
        let then = match purpose {
            Purpose::Empty => "",
            Purpose::Retire => "; then it leaves the federation",
            Purpose::Maintain { .. } => "; then its window of maintenance begins",
        };
        let message = format!("its replicas start elsewhere first{to}, and stop here after that{then}");
        let entry = self.put_drain(record, "DrainStarted", &message);
        for uid in self.placed_in(name).into_iter().chain(self.waiting_in(name)) {
            self.dirty.insert(uid, Reason::Drain(name.clone(), entry));
        }
        self.answer_for(name, Cause::Command(entry));
        self.await_drain(name);
        self.goes_on(name)
    }

    /// Whether a cluster can be drained on these terms: whoever is named must be there, and be another.
    pub(super) fn check_drain(&self, name: &ClusterName, terms: &DrainTerms) -> Result<(), Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        // What is awaited holds its plan still: an order to empty it ends that.
        if cluster.health.state == ClusterState::Lost && cluster.record.awaited.is_none() {
            let message = format!(
                "cluster {name} is lost: what it held goes elsewhere already; `godwit delete cluster {name} --force` \
                 forgets it"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        cleaned_up(name, cluster.record.drain.as_ref())?;
        let Some(to) = &terms.to else { return Ok(()) };
        if to.names.contains(name) {
            let message = format!("to: cluster {name} is the one that is drained: name others");
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        let unknown = to.names.iter().find(|name| !self.clusters.contains_key(*name));
        unknown.map_or(Ok(()), |unknown| Err(no_cluster(unknown)))
    }

    fn pause_drain(&mut self, name: &ClusterName, drain: &Drain) -> Result<Answer, Refused> {
        match drain.state {
            DrainState::Running => {}
            DrainState::Paused => {
                return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
            }
            DrainState::Overdue | DrainState::Done | DrainState::Cleaning => {
                let state = drain.state.as_str().to_lowercase();
                let message = format!("the drain of cluster {name} is {state}: there is nothing to pause");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        self.set_drain_state(name, DrainState::Paused);
        let message = "nothing more starts or stops for it";
        self.note_command(Severity::Normal, "S21", "DrainPaused", name.as_str(), message);
        Ok(Answer::Applied { action: Action::Configured, changes: Changes::default() })
    }

    fn resume_drain(&mut self, name: &ClusterName, drain: Drain) -> Result<Answer, Refused> {
        match drain.state {
            DrainState::Paused | DrainState::Overdue => {}
            DrainState::Running | DrainState::Done | DrainState::Cleaning => {
                return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
            }
        }
        let Some(cluster) = self.clusters.get(name) else { return Err(no_cluster(name)) };
        let within = Duration::from_millis(drain.deadline.0.saturating_sub(drain.started.0));
        let Drain { max_surge, force, to, purpose, .. } = drain;
        let drain = self.drain_from(&DrainTerms { within, max_surge, force, to }, purpose);
        let record = ClusterRecord { drain: Some(drain), ..cluster.record.clone() };
        self.put_drain(record, "DrainResumed", "it goes on");
        self.await_drain(name);
        self.goes_on(name)
    }

    /// What has not moved yet stays: neither was it started elsewhere, nor stopped here.
    pub(super) fn cancel_drain(&mut self, name: &ClusterName) -> Result<Answer, Refused> {
        let Some(cluster) = self.clusters.get(name) else { return Err(no_cluster(name)) };
        cleaned_up(name, cluster.record.drain.as_ref())?;
        let record = ClusterRecord { drain: None, ..cluster.record.clone() };
        let message = "what has not moved yet stays";
        let entry = self.put_drain(record, "DrainEnded", message);
        let seats: Vec<Uid> = self
            .clusters
            .get(name)
            .map(|cluster| cluster.seats.iter().copied().collect())
            .unwrap_or_default();
        self.cancel_migrations_of_drain(name);
        for uid in seats {
            self.give_back_all(uid, name, entry);
        }
        self.goes_on(name)
    }

    /// What runs in a cluster without anybody's word stops by this one (S27).
    fn answer_for(&mut self, name: &ClusterName, cause: Cause) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let seat = |uid: &Uid| self.workloads.get(uid)?.seats.get(name).map(|seat| seat.seat.clone());
        let unexplained =
            |uid: &Uid| seat(uid).filter(|seat| seat.cause.is_none()).map(|seat| (*uid, seat.placed));
        let unexplained: Vec<(Uid, u32)> = cluster.held.iter().filter_map(unexplained).collect();
        for (uid, placed) in unexplained {
            self.set_placed(uid, name, placed, cause);
        }
    }

    /// Puts the record of a cluster whose drain has changed in force; returns the entry in the journal.
    fn put_drain(&mut self, record: ClusterRecord, reason: &str, message: &str) -> u64 {
        let name = record.name.clone();
        if let Some(cluster) = self.clusters.get_mut(&name) {
            cluster.record = record;
        }
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        self.show_migrations();
        self.note_command(Severity::Normal, "S20", reason, name.as_str(), message)
    }

    fn goes_on(&mut self, name: &ClusterName) -> Result<Answer, Refused> {
        self.make_plans();
        self.moving_at(name);
        self.look_at_drain(name);
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }
}

/// What is being cleaned up cannot be called back: parts of what was applied there are gone (S23).
fn cleaned_up(name: &ClusterName, drain: Option<&Drain>) -> Result<(), Refused> {
    if drain.is_none_or(|drain| drain.state != DrainState::Cleaning) {
        return Ok(());
    }
    let message = format!(
        "cluster {name} is being cleaned up, and leaves the federation: that cannot be called back; afterwards \
         `godwit retire cluster {name} --undo` lets it join again, as a new one"
    );
    Err(refused(RefusedKind::FailedPrecondition, message))
}
