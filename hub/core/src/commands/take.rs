//! Taking applications in: what is new, what has changed, what is dropped (S27, S28, S33).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::{PolicyName, Uid, WorkloadId};

use crate::contract::{
    Action, Application, Cause, Key, ObjectRecord, ObjectSpec, Policy, Subject, WorkloadRecord, WorkloadSpec,
};
use crate::grants::is_gated;
use crate::hub::Hub;
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::{Object, Workload};

impl Hub {
    /// Takes the objects in, new or revised; returns the lives that they have.
    pub(crate) fn take_objects(&mut self, specs: &[ObjectSpec]) -> BTreeSet<Uid> {
        let mut uids = BTreeSet::new();
        for spec in specs {
            let known = self.object_keys.get(&spec.key).copied();
            let uid = known.unwrap_or_else(|| {
                let uid = self.rng.uid();
                let (key, manifest) = (spec.key.clone(), spec.manifest.clone());
                let record = ObjectRecord { uid, key, revision: 1, manifest, overrides: Arc::default() };
                self.object_keys.insert(spec.key.clone(), uid);
                let object = Object::new(record);
                self.objects.insert(uid, Shared::new(object));
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

    /// Takes a workload in, new or changed.
    pub(super) fn take_workload(
        &mut self,
        spec: WorkloadSpec,
        policy: PolicyName,
        leader: Option<WorkloadId>,
        objects: &BTreeSet<Uid>,
        entry: u64,
    ) -> (Uid, Action) {
        let gated = self.policies.get(&policy).is_some_and(|policy| is_gated(&policy.policy));
        // What runs everywhere is fenced nowhere, and what others make has no supervisor of ours (S33).
        let supervised = gated && !spec.kind().everywhere() && !spec.scale_only;
        let rules = self.policies.get(&policy).map(|policy| self.rules_about(&spec, &policy.policy));
        let spec = WorkloadSpec { supervised, overrides: rules.unwrap_or_default(), ..spec };
        let spec = self.as_it_ended(spec);
        let action = self.action_on(&spec, &policy, leader.as_ref(), objects);
        let asks = self.asks_anew(&spec);
        let uid = match self.ids.get(&spec.id) {
            Some(uid) => *uid,
            None => {
                let (uid, number) = (self.rng.uid(), self.federation.next_workload);
                self.federation.next_workload += 1;
                self.create_workload(uid, number, spec.clone(), policy.clone());
                uid
            }
        };
        if action == Action::Unchanged {
            return (uid, action);
        }
        if asks {
            self.ask_for_needs(uid);
        }
        self.revise(uid, &spec, objects);
        self.use_objects(uid, objects, entry);
        self.change_policy(uid, policy);
        self.follow(uid, leader);
        self.replace_spec(uid, spec);
        self.ensure_seats(uid);
        self.charter_changed(uid);
        self.dirty.insert(uid, Reason::Command(entry));
        (uid, action)
    }

    /// What a workload is asked for to be from now on.
    pub(crate) fn replace_spec(&mut self, uid: Uid, spec: WorkloadSpec) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let (placed, namespace) = (workload.placed(), spec.id.namespace.clone());
        let after = spec.pod.requests.clone();
        let before = std::mem::replace(&mut workload.record.spec, spec).pod.requests;
        self.use_quota(&namespace, (&before, placed), (&after, placed));
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
    }

    /// What a request does to a workload.
    fn action_on(
        &self,
        spec: &WorkloadSpec,
        policy: &PolicyName,
        leader: Option<&WorkloadId>,
        objects: &BTreeSet<Uid>,
    ) -> Action {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        let same = |record: &WorkloadRecord| {
            (&record.spec, &record.policy, record.leader.as_ref(), &record.objects)
                == (spec, policy, leader, objects)
        };
        match known {
            None => Action::Created,
            Some(workload) if same(&workload.record) => Action::Unchanged,
            Some(_) => Action::Configured,
        }
    }

    /// Whose clusters a workload shares under a policy: those of the first workload of its application. Applied on its
    /// own, it goes on as before.
    pub(super) fn leader_for<'a>(
        &'a self,
        spec: &WorkloadSpec,
        policy: &Policy,
        application: &'a Application,
    ) -> Option<&'a WorkloadId> {
        if !policy.placement.affinity.colocate {
            return None;
        }
        match &application.workloads[..] {
            [first, _, ..] => Some(&first.id).filter(|id| **id != spec.id),
            [_] | [] => {
                let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
                known.and_then(|workload| workload.record.leader.as_ref())
            }
        }
    }

    /// From now on a workload shares the clusters of another, or of none.
    pub(crate) fn follow(&mut self, uid: Uid, leader: Option<WorkloadId>) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let before = std::mem::replace(&mut workload.record.leader, leader.clone());
        if let Some(before) = before {
            self.stop_following(uid, &before);
        }
        if let Some(leader) = leader {
            self.followers.entry(leader).or_default().insert(uid);
        }
    }

    /// A workload shares the clusters of another no longer.
    pub(crate) fn stop_following(&mut self, uid: Uid, leader: &WorkloadId) {
        if let Some(followers) = self.followers.get_mut(leader) {
            followers.remove(&uid);
            if followers.is_empty() {
                self.followers.remove(leader);
            }
        }
    }

    /// A new life. It has no revision yet, and is not planned.
    pub(crate) fn create_workload(&mut self, uid: Uid, number: u64, spec: WorkloadSpec, policy: PolicyName) {
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
            revision: 0,
            history: BTreeMap::new(),
            rollout: None,
            objects: BTreeSet::new(),
            leaving: BTreeSet::new(),
            // It is planned before the step ends.
            wanted: 0,
            withheld: 0,
            pending: 0,
            pending_reasons: Vec::new(),
            leader: None,
            yielded: BTreeMap::new(),
            displaced: BTreeMap::new(),
            chartered: Default::default(),
            finished: None,
            spec,
        };
        self.workloads.insert(uid, Shared::new(Workload::new(record)));
    }

    pub(crate) fn change_policy(&mut self, uid: Uid, policy: PolicyName) {
        let Some(workload) = self.workloads.get(&uid).filter(|workload| workload.record.policy != policy)
        else {
            return;
        };
        let rank = self.rank_of(&workload.record);
        self.leave_queues(uid, rank);
        let Some(workload) = self.workloads.get(&uid) else { return };
        let drift = self.drift_of(&workload.record);
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let old = std::mem::replace(&mut workload.record.policy, policy.clone());
        if let Some(old) = self.policies.get_mut(&old) {
            old.users.remove(&uid);
        }
        if let Some(new) = self.policies.get_mut(&policy) {
            new.users.insert(uid);
        }
        self.touched.subjects.insert(Subject::Policy(old));
        self.touched.subjects.insert(Subject::Policy(policy));
        self.seats_observed(uid);
        self.tell_drift(uid, drift);
        let objects = self.workloads.get(&uid).map(|workload| workload.record.objects.clone());
        objects.into_iter().flatten().for_each(|object| self.settle_overrides(object));
    }

    /// From now on a workload leans on these objects. What nobody leans on any more ends (S27, S28), but not before the
    /// revisions are gone that came with it (S31).
    pub(crate) fn use_objects(&mut self, uid: Uid, objects: &BTreeSet<Uid>, entry: u64) {
        for object in objects {
            if let Some(object) = self.objects.get_mut(object) {
                object.users.insert(uid);
            }
        }
        for object in objects {
            self.settle_tolerance(*object);
            self.settle_overrides(*object);
            self.relate_bounds(*object);
        }
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let record = &mut workload.record;
        let before = std::mem::replace(&mut record.objects, objects.clone());
        record.leaving.extend(before);
        record.leaving.retain(|object| !objects.contains(object));
        self.touched.keys.insert(Key::Workload(uid));
        if !self.is_under_way(uid) {
            self.leave_objects(uid, entry);
        }
    }

    /// No copies are left of the revisions that came with these.
    pub(crate) fn leave_objects(&mut self, uid: Uid, entry: u64) {
        let Some(workload) = self.workloads.get_mut(&uid).filter(|one| !one.record.leaving.is_empty()) else {
            return;
        };
        let leaving = std::mem::take(&mut workload.record.leaving);
        self.touched.keys.insert(Key::Workload(uid));
        for object in leaving {
            self.leave_object(object, uid, Cause::Command(entry));
        }
    }
}
