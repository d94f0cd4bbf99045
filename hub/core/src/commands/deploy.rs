//! Deploying and scaling: the total and the manifests change, the planner says where (S14, S30, S33).

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::{PolicyName, Uid, WorkloadId};

use super::{no_workload, refused};
use crate::ask::{Ask, Outcome, Rooms};
use crate::contract::{
    Action, Answer, Application, Cause, Deploy, Deployed, DeployedWorkload, Key, ObjectRecord, ObjectSpec,
    Policy, PolicyChoice, Refused, RefusedKind, Request, Severity, Subject, WorkloadRecord, WorkloadSpec,
};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::restore::DEFAULT_POLICY;
use crate::state::{Object, Workload};

impl Hub {
    /// Takes an application over.
    pub(crate) fn deploy(&mut self, deploy: Deploy) -> Result<Answer, Refused> {
        if let Some(answer) = self.answered(&deploy)? {
            return Ok(answer);
        }
        let policies = self.policies_of(&deploy)?;
        self.check_bounds(&deploy.application)?;
        if deploy.dry_run {
            return Ok(Answer::Deployed(self.rehearse(&deploy, &policies)));
        }
        if let PolicyChoice::Inline(policy) = &deploy.policy {
            self.apply_policy(policy.clone(), false)?;
        }
        let Deploy { request_id, fingerprint, application, .. } = deploy;
        let entry = self.note_deploy(&application);
        let objects = self.take_objects(&application.objects);
        let mut deployed = Deployed::default();
        let mut uids = Vec::new();
        for (spec, policy) in application.workloads.into_iter().zip(policies) {
            let (uid, action) = self.take_workload(spec, policy, &objects, entry);
            uids.push((uid, action));
        }
        self.plan_dirty();
        for (uid, action) in uids {
            deployed.workloads.extend(self.deployed(uid, action));
        }
        deployed.objects = application.objects.into_iter().map(|object| object.key).collect();
        let answer = Answer::Deployed(deployed);
        if !request_id.is_empty() {
            let (id, at) = (request_id, self.now.wall);
            self.remember(Request { id, fingerprint, at, answer: answer.clone() });
        }
        Ok(answer)
    }

    /// Changes the total of one workload.
    pub(crate) fn scale(&mut self, id: &WorkloadId, replicas: u32, dry_run: bool) -> Result<Answer, Refused> {
        let uid = self.ids.get(id).copied().ok_or_else(|| no_workload(id))?;
        let workload = self.workloads.get(&uid).ok_or_else(|| no_workload(id))?;
        let before = workload.record.spec.replicas;
        let spec = WorkloadSpec { replicas, ..workload.record.spec.clone() };
        let policy = workload.record.policy.clone();
        let action = if before == replicas { Action::Unchanged } else { Action::Configured };
        if dry_run {
            let outcome = self.rehearse_one(&spec, &policy, None, &mut Rooms::default());
            let workloads = vec![deployed(&spec, policy, action, outcome)];
            return Ok(Answer::Deployed(Deployed { workloads, dry_run, ..Deployed::default() }));
        }
        if before != replicas {
            let message = format!("from {before} to {replicas} replicas");
            let entry = self.note(Severity::Normal, "S14", "WorkloadScaled", id.to_string(), message);
            if let Some(workload) = self.workloads.get_mut(&uid) {
                workload.record.spec.replicas = replicas;
            }
            self.touched.keys.insert(Key::Workload(uid));
            self.touched.subjects.insert(Subject::Workload(uid));
            self.dirty.insert(uid, Reason::Command(entry));
            self.plan_dirty();
        }
        let workloads = self.deployed(uid, action).into_iter().collect();
        Ok(Answer::Deployed(Deployed { workloads, ..Deployed::default() }))
    }

    /// The answer to a request that was answered before.
    fn answered(&mut self, deploy: &Deploy) -> Result<Option<Answer>, Refused> {
        let Some(request) = self.requests.get(&deploy.request_id).filter(|_| !deploy.dry_run) else {
            return Ok(None);
        };
        let age = self.now.wall.0.saturating_sub(request.at.0);
        if u128::from(age) > self.config.request_age.as_millis() {
            return Ok(None);
        }
        if request.fingerprint != deploy.fingerprint {
            let message = format!(
                "request_id {:?} was used for another request: choose a new one for each request",
                deploy.request_id
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        Ok(Some(request.answer.clone()))
    }

    fn remember(&mut self, request: Request) {
        self.touched.keys.insert(Key::Request(request.id.clone()));
        self.requests.insert(request.id.clone(), request);
        if self.requests.len() > self.config.requests {
            let oldest =
                self.requests.values().min_by_key(|request| request.at).map(|request| request.id.clone());
            if let Some(oldest) = oldest {
                self.requests.remove(&oldest);
                self.touched.keys.insert(Key::Request(oldest));
            }
        }
    }

    /// The policy of each workload, which must exist.
    fn policies_of(&self, deploy: &Deploy) -> Result<Vec<PolicyName>, Refused> {
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
                match (in_force, DEFAULT_POLICY.parse()) {
                    // Applying a file again must not undo `--policy`.
                    (Some(workload), _) => Ok(workload.record.policy.clone()),
                    (None, Ok(name)) => known(&name),
                    (None, Err(_)) => Err(refused(RefusedKind::NotFound, "there is no default policy")),
                }
            }
        };
        deploy.application.workloads.iter().map(chosen).collect()
    }

    fn check_bounds(&self, application: &Application) -> Result<(), Refused> {
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
        self.note(Severity::Normal, "S33", "Deployed", subject, message)
    }

    /// Takes the objects in, new or revised; returns the lives that they have.
    fn take_objects(&mut self, specs: &[ObjectSpec]) -> BTreeSet<Uid> {
        let mut uids = BTreeSet::new();
        for spec in specs {
            let known = self.object_keys.get(&spec.key).copied();
            let uid = known.unwrap_or_else(|| {
                let uid = self.rng.uid();
                let (key, manifest) = (spec.key.clone(), spec.manifest.clone());
                let record = ObjectRecord { uid, key, revision: 1, manifest };
                self.object_keys.insert(spec.key.clone(), uid);
                self.objects.insert(uid, Object { record, rows: BTreeMap::new(), users: BTreeSet::new() });
                self.touched.keys.insert(Key::Object(uid));
                uid
            });
            if self.objects.get(&uid).is_some_and(|object| object.record.manifest != spec.manifest) {
                self.revise_object(uid, spec.manifest.clone());
            }
            uids.insert(uid);
        }
        uids
    }

    fn take_workload(
        &mut self,
        spec: WorkloadSpec,
        policy: PolicyName,
        objects: &BTreeSet<Uid>,
        entry: u64,
    ) -> (Uid, Action) {
        let known = self.ids.get(&spec.id).copied();
        let (uid, mut action) = match known {
            Some(uid) => (uid, Action::Unchanged),
            None => (self.create_workload(spec.clone(), policy.clone()), Action::Created),
        };
        let Some(workload) = self.workloads.get(&uid) else {
            return (uid, action);
        };
        let record = &workload.record;
        let same_objects = record.objects == *objects;
        let same_manifest = record.spec.manifest == spec.manifest;
        let same_plan = record.spec.replicas == spec.replicas
            && record.spec.pod == spec.pod
            && record.spec.stateful == spec.stateful
            && record.policy == policy;
        if action == Action::Unchanged && !(same_manifest && same_plan && same_objects) {
            action = Action::Configured;
        }
        self.use_objects(uid, objects, entry);
        if !same_manifest {
            self.revise_workload(uid, spec.manifest.clone());
        }
        if !same_plan {
            self.change_policy(uid, policy);
        }
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.record.spec = spec;
        }
        if action != Action::Unchanged {
            self.touched.keys.insert(Key::Workload(uid));
            self.touched.subjects.insert(Subject::Workload(uid));
            self.ensure_seats(uid);
            self.dirty.insert(uid, Reason::Command(entry));
        }
        (uid, action)
    }

    fn create_workload(&mut self, spec: WorkloadSpec, policy: PolicyName) -> Uid {
        let uid = self.rng.uid();
        let number = self.federation.next_workload;
        self.federation.next_workload += 1;
        self.touched.keys.insert(Key::Federation);
        if let Some(policy) = self.policies.get_mut(&policy) {
            policy.users.insert(uid);
        }
        self.touched.subjects.insert(Subject::Policy(policy.clone()));
        self.ids.insert(spec.id.clone(), uid);
        let record = WorkloadRecord {
            uid,
            number,
            created: self.now.wall,
            policy,
            revision: 1,
            objects: BTreeSet::new(),
            pending: spec.replicas,
            pending_reasons: Vec::new(),
            spec,
        };
        self.workloads.insert(uid, Workload::new(record));
        uid
    }

    fn change_policy(&mut self, uid: Uid, policy: PolicyName) {
        let Some(workload) = self.workloads.get_mut(&uid) else {
            return;
        };
        let old = std::mem::replace(&mut workload.record.policy, policy.clone());
        let record = workload.record.clone();
        if old == policy {
            return;
        }
        if let Some(old) = self.policies.get_mut(&old) {
            old.users.remove(&uid);
        }
        if let Some(new) = self.policies.get_mut(&policy) {
            new.users.insert(uid);
        }
        self.touched.subjects.insert(Subject::Policy(old));
        self.touched.subjects.insert(Subject::Policy(policy));
        self.rank_changed(uid, &record);
        self.seats_observed(uid);
    }

    /// From now on a workload leans on these objects; what nobody leans on any more ends (S27, S28).
    fn use_objects(&mut self, uid: Uid, objects: &BTreeSet<Uid>, entry: u64) {
        for object in objects {
            if let Some(object) = self.objects.get_mut(object) {
                object.users.insert(uid);
            }
        }
        let before =
            self.workloads.get(&uid).map(|workload| workload.record.objects.clone()).unwrap_or_default();
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.record.objects = objects.clone();
        }
        for dropped in before.difference(objects) {
            self.leave_object(*dropped, uid, Cause::Command(entry));
        }
    }

    /// What a deployment would come to, by the very planner that would run; nothing is changed (S30).
    fn rehearse(&mut self, deploy: &Deploy, policies: &[PolicyName]) -> Deployed {
        let inline = match &deploy.policy {
            PolicyChoice::Inline(policy) => Some(policy),
            PolicyChoice::Annotated | PolicyChoice::Named(_) => None,
        };
        let mut rooms = Rooms::default();
        let mut rehearsed = Deployed { dry_run: true, ..Deployed::default() };
        for (spec, name) in deploy.application.workloads.iter().zip(policies) {
            let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
            let action = match known {
                None => Action::Created,
                Some(workload) if workload.record.spec == *spec && workload.record.policy == *name => {
                    Action::Unchanged
                }
                Some(_) => Action::Configured,
            };
            let outcome = self.rehearse_one(spec, name, inline, &mut rooms);
            rehearsed.workloads.push(deployed(spec, name.clone(), action, outcome));
        }
        rehearsed.objects = deploy.application.objects.iter().map(|object| object.key.clone()).collect();
        rehearsed
    }

    fn rehearse_one(
        &mut self,
        spec: &WorkloadSpec,
        name: &PolicyName,
        inline: Option<&Policy>,
        rooms: &mut Rooms,
    ) -> Outcome {
        let mut scratch = std::mem::take(&mut self.scratch);
        let none = BTreeMap::new();
        let seats =
            self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid)).map(|workload| &workload.seats);
        let policy = inline.or_else(|| self.policies.get(name).map(|policy| &policy.policy));
        let outcome = policy.map(|policy| {
            let moves = policy.placement.rebalance.moves(spec.replicas);
            self.ask(&Ask { spec, policy, seats: seats.unwrap_or(&none) }, moves, rooms, &mut scratch)
        });
        self.scratch = scratch;
        outcome.unwrap_or_default()
    }

    fn deployed(&self, uid: Uid, action: Action) -> Option<DeployedWorkload> {
        let workload = self.workloads.get(&uid)?;
        let record = &workload.record;
        let policy = self.policies.get(&record.policy)?;
        let placements = workload
            .seats
            .iter()
            .filter(|(name, seat)| seat.seat.placed > 0 || policy.policy.placement.rule_for(name).is_some())
            .map(|(name, seat)| (name.clone(), seat.seat.placed))
            .collect();
        Some(DeployedWorkload {
            id: record.spec.id.clone(),
            action,
            policy: record.policy.clone(),
            replicas: record.spec.replicas,
            placements,
            pending: record.pending,
            reasons: record.pending_reasons.iter().map(|reason| reason.to_string()).collect(),
        })
    }
}

fn deployed(spec: &WorkloadSpec, policy: PolicyName, action: Action, outcome: Outcome) -> DeployedWorkload {
    DeployedWorkload {
        id: spec.id.clone(),
        action,
        policy,
        replicas: spec.replicas,
        placements: outcome.counts.into_iter().map(|count| (count.cluster, count.after)).collect(),
        pending: outcome.pending,
        reasons: outcome.reasons.iter().map(|reason| reason.to_string()).collect(),
    }
}
