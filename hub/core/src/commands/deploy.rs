//! Deploying and scaling: the total and the manifests change, the planner says where (S14, S30, S33).

use godwit_common::policy::usual_policy;
use godwit_common::{PolicyName, WorkloadId};

use super::{no_workload, refused};
use crate::contract::{
    Action, Answer, Application, Changes, Deploy, Deployed, DeployedWorkload, Key, PolicyChoice, Refused,
    RefusedKind, Request, Severity, Subject, WorkloadSpec,
};
use crate::hub::Hub;
use crate::placement::Reason;

impl Hub {
    /// Takes an application over.
    pub(crate) fn deploy(&mut self, mut deploy: Deploy) -> Result<Answer, Refused> {
        if let Some(import) = deploy.import.take() {
            return self.import(deploy, import);
        }
        if let Some(answer) = self.answered(&deploy)? {
            return Ok(Answer::Deployed(answer));
        }
        let policies = self.policies_of(&deploy)?;
        self.check_bounds(&deploy.application)?;
        self.check_modes(&deploy, &policies)?;
        self.check_changes(&deploy, &policies)?;
        if let PolicyChoice::Inline(policy) = &deploy.policy {
            self.put_policy(policy.clone())?;
        }
        let Deploy { request_id, fingerprint, application, .. } = deploy;
        let entry = self.note_deploy(&application);
        let objects = self.take_objects(&application.objects);
        let mut deployed = Deployed { warnings: self.warnings(&policies), ..Deployed::default() };
        let leaders: Vec<Option<WorkloadId>> = application
            .workloads
            .iter()
            .zip(&policies)
            .map(|(spec, policy)| {
                let policy = &self.policies.get(policy)?.policy;
                self.leader_for(spec, policy, &application).cloned()
            })
            .collect();
        let mut uids = Vec::new();
        for ((spec, policy), leader) in application.workloads.into_iter().zip(policies).zip(leaders) {
            let objects = self.with_exports(&objects, &policy);
            let (uid, action) = self.take_workload(spec, policy, leader, &objects, entry);
            uids.push((uid, action));
        }
        self.make_plans();
        deployed.workloads = self.deployed(&uids);
        deployed.objects = application.objects.into_iter().map(|object| object.key).collect();
        deployed.changes = self.plan_changes();
        if !request_id.is_empty() {
            let (id, at, answer) = (request_id, self.now.wall, without_plans(&deployed));
            self.remember(Request { id, fingerprint, at, answer });
        }
        Ok(Answer::Deployed(deployed))
    }

    /// Changes the total of one workload.
    pub(crate) fn scale(&mut self, id: &WorkloadId, replicas: u32) -> Result<Answer, Refused> {
        let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
        let workload = self.workloads.get(&uid).ok_or_else(|| no_workload(id))?;
        Self::check_total(id, replicas)?;
        self.check_not_ended(uid, replicas)?;
        let before = workload.record.spec.replicas;
        if let Some(policy) = self.policies.get(&workload.record.policy) {
            Self::check_ordinals(&workload.record.spec, replicas, &policy.policy)?;
        }
        let action = if before == replicas { Action::Unchanged } else { Action::Configured };
        let warnings = self.warnings(std::slice::from_ref(&workload.record.policy));
        if before != replicas {
            let message = format!("from {before} to {replicas} replicas");
            let entry = self.note_command(Severity::Normal, "S14", "WorkloadScaled", id.to_string(), message);
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.record.spec.replicas = replicas;
            }
            self.touched.keys.insert(Key::Workload(uid));
            self.touched.subjects.insert(Subject::Workload(uid));
            self.dirty.insert(uid, Reason::Command(entry));
            self.charter_changed(uid);
        }
        self.make_plans();
        let workloads = self.deployed(&[(uid, action)]);
        let changes = self.plan_changes();
        Ok(Answer::Deployed(Deployed { workloads, changes, warnings, ..Deployed::default() }))
    }

    /// The policy of each workload, which must exist.
    pub(super) fn policies_of(&self, deploy: &Deploy) -> Result<Vec<PolicyName>, Refused> {
        let known = |name: &PolicyName| {
            if self.policies.contains_key(name) {
                return Ok(name.clone());
            }
            let known: Vec<&str> = self.policies.keys().map(PolicyName::as_str).take(10).collect();
            let message =
                format!("policy {name:?} does not exist: apply it first, or use one of {}", known.join(", "));
            Err(refused(RefusedKind::NotFound, message))
        };
        let chosen = |spec: &WorkloadSpec| match (&deploy.policy, &spec.policy) {
            (PolicyChoice::Named(name), _) => known(name),
            (PolicyChoice::Inline(policy), _) => Ok(policy.name.clone()),
            (PolicyChoice::Annotated, Some(name)) => known(name),
            (PolicyChoice::Annotated, None) => {
                let in_force = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
                let usual = usual_policy(spec.kind());
                match (in_force, usual.parse()) {
                    // Applying a file again must not undo `--policy`.
                    (Some(workload), _) => Ok(workload.record.policy.clone()),
                    (None, Ok(name)) => known(&name),
                    (None, Err(_)) => {
                        Err(refused(RefusedKind::NotFound, format!("there is no policy {usual}")))
                    }
                }
            }
        };
        deploy.application.workloads.iter().map(chosen).collect()
    }

    /// Whether the workloads are what their kinds may be, and go with their policies (S8, S32, S33).
    pub(super) fn check_modes(&self, deploy: &Deploy, policies: &[PolicyName]) -> Result<(), Refused> {
        for (spec, name) in deploy.application.workloads.iter().zip(policies) {
            Self::check_total(&spec.id, spec.replicas)?;
            self.check_unchanged(spec)?;
            self.check_part(spec)?;
            let known = self.policies.get(name).map(|known| &known.policy);
            let policy = if let PolicyChoice::Inline(policy) = &deploy.policy { Some(policy) } else { known };
            if let Some(policy) = policy {
                Self::check_mode(spec, policy)?;
                Self::check_ordinals(spec, spec.replicas, policy)?;
            }
        }
        Ok(())
    }

    /// Whether what the policies change in some clusters can be carried out on what is deployed.
    fn check_changes(&self, deploy: &Deploy, policies: &[PolicyName]) -> Result<(), Refused> {
        let known = |name: &PolicyName| self.policies.get(name).map(|known| &known.policy);
        let policies: Vec<_> = match &deploy.policy {
            PolicyChoice::Inline(policy) => policies.iter().map(|_| policy).collect(),
            PolicyChoice::Annotated | PolicyChoice::Named(_) => policies.iter().filter_map(known).collect(),
        };
        self.check_rules(&deploy.application, &policies)
    }

    pub(super) fn check_bounds(&self, application: &Application) -> Result<(), Refused> {
        let new = application.workloads.iter().filter(|spec| !self.ids.contains_key(&spec.id)).count();
        if self.workloads.len() + new > self.config.workloads {
            let message = format!("the federation holds at most {} workloads", self.config.workloads);
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        Ok(())
    }

    fn note_deploy(&mut self, application: &Application) -> u64 {
        let named: Vec<String> = application
            .workloads
            .iter()
            .map(|spec| format!("{} with {} replicas", spec.id, spec.replicas))
            .take(10)
            .collect();
        let objects = application.objects.len();
        let message = format!("{}; {objects} objects go ahead", named.join(", "));
        let subject = application.workloads.first().map_or_else(String::new, |spec| spec.id.to_string());
        self.note_command(Severity::Normal, "S33", "Deployed", subject, message)
    }
}

/// An answer as it is remembered: what it said about plans may be long, and is soon out of date.
fn without_plans(deployed: &Deployed) -> Deployed {
    let workloads = deployed.workloads.iter().cloned();
    Deployed {
        workloads: workloads
            .map(|workload| DeployedWorkload {
                report: Vec::new(),
                rollout: Vec::new(),
                behind: 0,
                ..workload
            })
            .collect(),
        changes: Changes { inputs: deployed.changes.inputs, ..Changes::default() },
        ..deployed.clone()
    }
}
