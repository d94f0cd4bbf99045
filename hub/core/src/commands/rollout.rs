//! Holding a rollout, letting it go on, going back (S31).

use godwit_common::{ClusterName, Uid, WorkloadId};

use super::{no_workload, refused};
use crate::contract::{
    Action, Answer, Deployed, HistoryView, Refused, RefusedKind, RevisionState, RevisionView, RolloutOrder,
    RolloutState, Severity,
};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::state::Workload;

impl Hub {
    /// Does what an operator wants of a workload's rollout.
    pub(super) fn rollout(&mut self, id: &WorkloadId, order: RolloutOrder) -> Result<Answer, Refused> {
        let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
        let workload = self.workloads.get(&uid).ok_or_else(|| no_workload(id))?;
        let policy = workload.record.policy.clone();
        let action = match order {
            RolloutOrder::Pause => self.pause_rollout(uid, id)?,
            RolloutOrder::Resume => self.resume_rollout(uid, id)?,
            RolloutOrder::Undo { to } => self.undo_rollout(uid, id, to)?,
        };
        self.make_plans();
        let workloads = self.deployed(&[(uid, action)]);
        let (changes, warnings) = (self.plan_changes(), self.warnings(&[policy]));
        Ok(Answer::Deployed(Deployed { workloads, changes, warnings, ..Deployed::default() }))
    }

    fn rollout_state(&self, uid: Uid) -> Option<RolloutState> {
        self.workloads.get(&uid)?.record.rollout.as_ref().map(|rollout| rollout.state)
    }

    fn pause_rollout(&mut self, uid: Uid, id: &WorkloadId) -> Result<Action, Refused> {
        match self.rollout_state(uid) {
            Some(RolloutState::Paused) => return Ok(Action::Unchanged),
            Some(RolloutState::Running | RolloutState::PausedAfterFirst) => {}
            Some(RolloutState::Failed) => {
                let message =
                    format!("the rollout of {id} has failed: no other cluster gets it, paused or not");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            Some(RolloutState::Completed) | None => {
                let message = format!("no rollout of {id} is under way: there is nothing to pause");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        let message = format!("paused by {}", self.operator);
        self.set_rollout(uid, RolloutState::Paused, &message);
        let message = "no further cluster gets the new revision";
        self.note_command(Severity::Normal, "S31", "RolloutPaused", id.to_string(), message);
        Ok(Action::Configured)
    }

    fn resume_rollout(&mut self, uid: Uid, id: &WorkloadId) -> Result<Action, Refused> {
        match self.rollout_state(uid) {
            Some(RolloutState::Running) => return Ok(Action::Unchanged),
            Some(RolloutState::Paused | RolloutState::PausedAfterFirst | RolloutState::Failed) => {}
            Some(RolloutState::Completed) | None => {
                let message = format!("no rollout of {id} is under way: there is nothing to resume");
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        self.note_command(Severity::Normal, "S31", "RolloutResumed", id.to_string(), "it goes on");
        if let Some(rollout) = self.rollout_mut(uid) {
            // Whatever the policy asked to see after the first cluster, the operator has seen.
            rollout.held |= rollout.state == RolloutState::PausedAfterFirst;
        }
        self.set_rollout(uid, RolloutState::Running, "");
        let Some(workload) = self.workloads.get_mut(&uid) else { return Ok(Action::Configured) };
        let newest = workload.record.revision;
        if let Some(state @ RevisionState::Failed) = workload.record.history.get_mut(&newest) {
            *state = RevisionState::New;
        }
        // It has as much time as it had before.
        let names: Vec<ClusterName> = workload.seats.keys().cloned().collect();
        workload.seats.values_mut().for_each(|seat| seat.progress = None);
        names.iter().for_each(|name| self.look_at_revision(uid, name));
        self.moving.insert(uid);
        Ok(Action::Configured)
    }

    fn undo_rollout(&mut self, uid: Uid, id: &WorkloadId, to: Option<u64>) -> Result<Action, Refused> {
        let workload = self.workloads.get(&uid).ok_or_else(|| no_workload(id))?;
        let newest = workload.record.revision;
        let to = match to {
            Some(to) if to == newest => return Ok(Action::Unchanged),
            Some(to) if workload.revisions.contains_key(&to) => to,
            Some(to) => {
                let kept: Vec<String> = workload.revisions.keys().map(ToString::to_string).collect();
                let message =
                    format!("revision {to} of {id} is not kept: choose one of {}", kept.join(", "));
                return Err(refused(RefusedKind::NotFound, message));
            }
            None => before(workload).ok_or_else(|| {
                let message = format!(
                    "{id} has no revision before {newest} that did not fail: `godwit rollout history` lists all, \
                     --to-revision chooses one"
                );
                refused(RefusedKind::FailedPrecondition, message)
            })?,
        };
        let message = format!("revision {to} comes back as revision {}", newest + 1);
        let entry = self.note_command(Severity::Normal, "S31", "RolloutUndone", id.to_string(), message);
        self.restore_revision(uid, to, self.operator.clone(), entry);
        self.ensure_seats(uid);
        self.dirty.insert(uid, Reason::Command(entry));
        Ok(Action::Configured)
    }

    /// All revisions of a workload that are kept; none if there is no such workload.
    pub fn history(&self, id: &WorkloadId) -> Option<HistoryView> {
        let workload = self.workloads.get(self.ids.get(id)?)?;
        let clusters = |number: u64| {
            let told = workload.seats.iter();
            let told = told.filter(|(_, seat)| seat.seat.revision == number && seat.seat.target > 0);
            told.map(|(name, _)| name.clone()).collect()
        };
        let revisions = workload.revisions.iter().map(|(number, revision)| RevisionView {
            revision: revision.clone(),
            state: workload.state_of(*number),
            clusters: clusters(*number),
        });
        Some(HistoryView { id: id.clone(), revisions: revisions.collect() })
    }
}

/// The newest revision before the present one that did not fail.
fn before(workload: &Workload) -> Option<u64> {
    let older = workload.record.history.range(..workload.record.revision).rev();
    older.filter(|(_, state)| **state != RevisionState::Failed).map(|(number, _)| *number).next()
}
