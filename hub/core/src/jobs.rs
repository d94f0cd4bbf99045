//! Jobs: what runs to its end, once (S33). That it has ended is durable here, so that no loss, no drain and no request to
//! deploy it again starts it anew.

use godwit_common::link::Finished;
use godwit_common::{ClusterName, Uid, WorkloadId, WorkloadKind};

use crate::commands::refused;
use crate::contract::{Key, Refused, RefusedKind, Severity, Subject, WorkloadSpec};
use crate::hub::Hub;
use crate::placement::Reason;

impl Hub {
    /// A cluster says that a Job has run to its end there: nobody runs it again.
    pub(crate) fn job_ended(&mut self, uid: Uid, name: &ClusterName, end: Finished) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let record = &mut workload.record;
        if record.finished.is_some() || record.spec.kind() != WorkloadKind::Job {
            return;
        }
        record.finished = Some(end);
        record.spec.replicas = 0;
        let subject = record.spec.id.to_string();
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        let (severity, reason, what) = match end {
            Finished::Complete => (Severity::Normal, "JobCompleted", "it is complete"),
            Finished::Failed => (Severity::Warning, "JobFailed", "it has failed"),
        };
        let message = format!("{what}, in cluster {name}: it does not run again; `godwit delete` removes it");
        let entry = self.note(severity, "S33", reason, subject, message);
        self.dirty.insert(uid, Reason::Command(entry));
    }

    /// Whether a Job that has ended is in the plan all the same: its end was heard while nothing was planned (S10), by a hub
    /// that was started anew since.
    pub(crate) fn is_placed_after_its_end(&self, uid: Uid) -> bool {
        let workload = self.workloads.get(&uid);
        workload.is_some_and(|workload| workload.record.finished.is_some() && workload.placed() > 0)
    }

    /// What a request asks for, if it may be: what has ended stays ended, and is asked for no replicas.
    pub(crate) fn as_it_ended(&self, spec: WorkloadSpec) -> WorkloadSpec {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        match known.is_some_and(|workload| workload.record.finished.is_some()) {
            true => WorkloadSpec { replicas: 0, ..spec },
            false => spec,
        }
    }

    /// Refuses totals that a kind does not have.
    pub(crate) fn check_total(id: &WorkloadId, replicas: u32) -> Result<(), Refused> {
        let kind = WorkloadKind::of(id);
        let (most, why) = match kind {
            WorkloadKind::Deployment | WorkloadKind::StatefulSet => return Ok(()),
            WorkloadKind::Job | WorkloadKind::CronJob => {
                (1, "runs in one cluster: 1 lets it run, 0 suspends it")
            }
            WorkloadKind::DaemonSet => (0, "runs on every node of every eligible cluster: it has no number"),
        };
        if replicas <= most {
            return Ok(());
        }
        let message = format!("{id}: replicas: {replicas}: a {} {why}", kind.name());
        Err(refused(RefusedKind::FailedPrecondition, message))
    }

    /// Refuses to change what is made once, as Kubernetes does.
    pub(crate) fn check_unchanged(&self, spec: &WorkloadSpec) -> Result<(), Refused> {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        let changed = known
            .is_some_and(|workload| workload.spec_of(workload.record.revision).manifest != spec.manifest);
        if spec.kind() != WorkloadKind::Job || !changed {
            return Ok(());
        }
        let message = format!(
            "{}: a Job cannot be changed once it was made: delete it first, or give the new one another name",
            spec.id
        );
        Err(refused(RefusedKind::FailedPrecondition, message))
    }

    /// Refuses to own more or less of a workload than before: whose its object is cannot be told from the outside meanwhile.
    pub(crate) fn check_part(&self, spec: &WorkloadSpec) -> Result<(), Refused> {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        let Some(before) = known.map(|workload| workload.record.spec.scale_only) else { return Ok(()) };
        if before == spec.scale_only {
            return Ok(());
        }
        let message = match before {
            true => {
                "only its count was Godwit's until now: delete the workload first, which leaves its objects as they \
                     are, and annotate them with godwit.dev/adopt: \"true\" to hand them over"
            }
            false => {
                "all of it was Godwit's until now: delete the workload first, and let GitOps make its objects"
            }
        };
        Err(refused(RefusedKind::FailedPrecondition, format!("{}: {message}", spec.id)))
    }

    /// Refuses to run again what has ended.
    pub(crate) fn check_not_ended(&self, uid: Uid, replicas: u32) -> Result<(), Refused> {
        let Some(workload) = self.workloads.get(&uid).filter(|_| replicas > 0) else { return Ok(()) };
        let Some(end) = workload.record.finished else { return Ok(()) };
        let message = format!(
            "{}: it has run to its end ({}), and does not run again: delete it and deploy it anew if that is meant",
            workload.id(),
            end.name()
        );
        Err(refused(RefusedKind::FailedPrecondition, message))
    }
}
