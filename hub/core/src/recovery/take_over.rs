//! What a member holds and this hub does not know, or knows as it was long ago, is taken over (S10). Of two members that
//! disagree on what was asked for, the one whose charter was written later is right.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::{Charter, RecalledObject};
use godwit_common::{ClusterName, Epoch, ObjectKey, PolicyName, Uid, WorkloadId};

use crate::contract::{
    Cause, Key, ObjectRecord, Policy, Revision, RevisionState, Rollout, RolloutState, Severity, Subject,
    WorkloadSpec,
};
use crate::hub::Hub;
use crate::shared::Shared;
use crate::state::Object;

/// What a cluster has told of objects that are not workloads, by life.
type Told = BTreeMap<Uid, RecalledObject>;

impl Hub {
    /// All that a cluster holds.
    pub(super) fn take_told(&mut self, name: &ClusterName, objects: Vec<RecalledObject>) {
        let (workloads, others): (Vec<_>, Vec<_>) = objects
            .into_iter()
            .partition(|object| object.charter.is_some() || self.workloads.contains_key(&object.uid));
        let others: Told = others.into_iter().map(|object| (object.uid, object)).collect();
        for object in others.values() {
            self.newer_object(object);
        }
        for workload in workloads {
            self.recalls.ordinals.insert((workload.uid, name.clone()), workload.ordinals);
            self.workload_told(name, &workload, &others);
        }
    }

    /// An object that is known, of a revision that is not.
    fn newer_object(&mut self, told: &RecalledObject) {
        let (uid, Some(manifest)) = (told.uid, &told.manifest) else { return };
        let known = self.objects.get(&uid).map(|object| object.record.revision);
        if known.is_some_and(|known| known < told.revision) {
            self.set_object_revision(uid, told.revision, manifest.clone());
        }
    }

    fn workload_told(&mut self, name: &ClusterName, told: &RecalledObject, others: &Told) {
        let uid = told.uid;
        let id = id_of(&told.key);
        if self.ended.contains_key(&uid) {
            return;
        }
        if let Some(known) = self.workloads.get(&uid) {
            let newer = told.charter.as_ref().filter(|charter| charter.written > known.record.chartered);
            let total = known.record.spec.replicas;
            if let Some(charter) = newer {
                if total != charter.replicas {
                    let what = format!("its total is {}, not {total}, says cluster {name}", charter.replicas);
                    self.find(id.to_string(), what);
                }
                self.take_charter(uid, charter, others);
            }
            self.take_revision(uid, told, others);
            return;
        }
        let Some(charter) = &told.charter else {
            return self.find(format!("{id} in {name}"), "nothing is kept of it; it stays as it is");
        };
        if let Some(other) = self.ids.get(&id).copied() {
            let older = self.workloads.get(&other).is_some_and(|one| one.record.chartered < charter.written);
            if !older {
                return;
            }
            self.find(id.to_string(), "it was deleted, and deployed anew");
            let entry = self.note(Severity::Warning, "S10", "WorkloadEnded", id.to_string(), "another life");
            self.end_workload(other, Cause::Command(entry));
        }
        if told.manifest.is_none() {
            return self.find(format!("{id} in {name}"), "its manifest is not kept there; it stays as it is");
        }
        match self.read_spec(told, charter, others) {
            Err(problem) => self.find(format!("{id} in {name}"), format!("it cannot be read: {problem}")),
            Ok(spec) => self.take_workload_over(told, charter, spec, others),
        }
    }

    fn take_workload_over(
        &mut self,
        told: &RecalledObject,
        charter: &Arc<Charter>,
        spec: WorkloadSpec,
        others: &Told,
    ) {
        let (uid, id) = (told.uid, spec.id.clone());
        self.federation.next_workload = self.federation.next_workload.max(charter.number.saturating_add(1));
        self.know_policy(&charter.policy);
        self.create_workload(uid, charter.number, spec.clone(), charter.policy.clone());
        self.put_old_revision(uid, told.revision, spec, BTreeSet::new());
        self.take_charter(uid, charter, others);
        if let Some(workload) = self.workloads.get_mut(&uid) {
            let objects = workload.record.objects.clone();
            if let Some(revision) = workload.revisions.get_mut(&told.revision) {
                Arc::make_mut(revision).objects = objects;
            }
        }
        self.recalls.changed.insert(uid);
        let key = (id, uid);
        for name in self.clusters.keys().cloned().collect::<Vec<_>>() {
            let status = self.clusters.get_mut(&name).and_then(|cluster| cluster.orphans.remove(&key));
            if let Some(status) = status {
                self.status(&name, status);
            }
        }
    }

    /// What was asked for of a workload, as it was written later than what is known.
    fn take_charter(&mut self, uid: Uid, charter: &Arc<Charter>, others: &Told) {
        self.know_policy(&charter.policy);
        let mut objects = BTreeSet::new();
        for (object, key) in &charter.objects {
            objects.extend(self.know_object(*object, key, charter.written, others));
        }
        self.change_policy(uid, charter.policy.clone());
        self.follow(uid, charter.leader.clone());
        let entry = self.federation.next_entry;
        self.use_objects(uid, &objects, entry);
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.record.spec.replicas = charter.replicas;
            workload.record.chartered = charter.written;
        }
        self.write_charter(uid);
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        self.recalls.changed.insert(uid);
    }

    /// A revision that is not known.
    fn take_revision(&mut self, uid: Uid, told: &RecalledObject, others: &Told) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        if workload.revisions.contains_key(&told.revision) {
            return;
        }
        let id = workload.id().to_string();
        let (replicas, objects) = (workload.record.spec.replicas, workload.record.objects.clone());
        let Some(charter) = told.charter.as_ref().filter(|_| told.manifest.is_some()) else {
            return self.find(id, format!("the manifest of its revision {} is not kept", told.revision));
        };
        match self.read_spec(told, charter, others) {
            Err(problem) => self.find(id, format!("revision {} cannot be read: {problem}", told.revision)),
            Ok(spec) => {
                let spec = WorkloadSpec { replicas, ..spec };
                self.put_old_revision(uid, told.revision, spec, objects);
                self.recalls.changed.insert(uid);
            }
        }
    }

    /// Puts a revision among those that are kept, as the newest one if it is.
    fn put_old_revision(&mut self, uid: Uid, number: u64, spec: WorkloadSpec, objects: BTreeSet<Uid>) {
        let (created, by): (_, Arc<str>) = (self.now.wall, "".into());
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if number >= workload.record.revision {
            let replicas = workload.record.spec.replicas;
            workload.record.revision = number;
            workload.record.spec = WorkloadSpec { replicas, ..spec.clone() };
        }
        let revision = Arc::new(Revision { workload: uid, number, spec, objects, created, by: by.clone() });
        workload.revisions.insert(number, revision);
        workload.record.history.insert(number, RevisionState::New);
        if workload.record.rollout.is_none() && number > 1 {
            // How far it was is not known: whoever has an older one gets the newest in its turn.
            let (started, state, message) = (created, RolloutState::Completed, by);
            workload.record.rollout = Some(Rollout { started, state, message, held: true, instead_of: None });
        }
        self.touched.keys.insert(Key::Revision(uid, number));
        self.touched.keys.insert(Key::Workload(uid));
        self.seats_observed(uid);
    }

    /// What was told of a workload, as its deployment would have read it.
    fn read_spec(
        &self,
        of: &RecalledObject,
        charter: &Charter,
        others: &Told,
    ) -> Result<WorkloadSpec, String> {
        let manifest = of.manifest.clone().unwrap_or_default();
        let known = |uid: &Uid| self.objects.get(uid).map(|object| object.record.manifest.clone());
        let told = |uid: &Uid| others.get(uid).and_then(|told| told.manifest.clone());
        let objects = charter.objects.iter().filter_map(|(uid, _)| told(uid).or_else(|| known(uid)));
        let objects: Vec<Arc<str>> = objects.collect();
        let spec = (self.config.reader.workload)(&of.key, &manifest, &objects)?;
        let (replicas, supervised) = (charter.replicas, charter.supervised);
        let policy = self.policies.get(&charter.policy);
        let overrides = policy.map(|policy| self.rules_about(&spec, &policy.policy)).unwrap_or_default();
        Ok(WorkloadSpec { replicas, supervised, manifest, overrides, ..spec })
    }

    /// A policy that is not known stands for what it will say when it is applied again.
    fn know_policy(&mut self, name: &PolicyName) {
        if self.policies.contains_key(name) {
            return;
        }
        let lost_after = self.config.lost_after;
        self.add_policy(Policy { name: name.clone(), placement: Default::default(), lost_after });
        if let Some(recovery) = &mut self.federation.recovery {
            recovery.missing.insert(name.clone());
        }
        self.touched.keys.insert(Key::Federation);
        self.touched.keys.insert(Key::Policy(name.clone()));
        self.touched.subjects.insert(Subject::Policy(name.clone()));
    }

    /// Takes an object in that goes ahead of a workload, as a charter of this age says. The life of it that counts, which
    /// is another one if it was made anew since; none if nobody knows its manifest.
    fn know_object(
        &mut self,
        uid: Uid,
        key: &ObjectKey,
        written: (Epoch, u64),
        others: &Told,
    ) -> Option<Uid> {
        let other = self.object_keys.get(key).copied().filter(|other| *other != uid);
        if let Some(other) = other.filter(|other| self.last_chartered(*other) > Some(written)) {
            return Some(other);
        }
        if self.objects.contains_key(&uid) {
            return Some(uid);
        }
        let told = others.get(&uid).and_then(|told| Some((told.revision, told.manifest.clone()?)));
        let Some((revision, manifest)) = told.filter(|_| !self.ended.contains_key(&uid)) else {
            self.find(key.to_string(), "its manifest is not kept; it stays as it is");
            return None;
        };
        let record = ObjectRecord { uid, key: key.clone(), revision, manifest, overrides: Arc::default() };
        let object = Object::new(record);
        self.object_keys.insert(key.clone(), uid);
        self.objects.insert(uid, Shared::new(object));
        self.touched.keys.insert(Key::Object(uid));
        if let Some(other) = other {
            self.succeed(other, uid);
        }
        Some(uid)
    }

    /// When it was last written that a workload leans on an object. A new life of an object begins when nobody leans on the
    /// one before: so of two lives, what was written of the later one is younger.
    fn last_chartered(&self, object: Uid) -> Option<(Epoch, u64)> {
        let users = self.objects.get(&object)?.users.iter();
        users.filter_map(|user| Some(self.workloads.get(user)?.record.chartered)).max()
    }

    /// An object was made anew: who leaned on its old life, and was not heard of since, leans on the new one.
    fn succeed(&mut self, old: Uid, new: Uid) {
        let users = self.objects.get(&old).map(|object| object.users.clone()).unwrap_or_default();
        let entry = self.federation.next_entry;
        for user in users {
            let Some(workload) = self.workloads.get_mut(&user) else { continue };
            workload.record.leaving.remove(&old);
            if workload.record.objects.remove(&old) {
                workload.record.objects.insert(new);
                let objects = workload.record.objects.clone();
                self.use_objects(user, &objects, entry);
                self.write_charter(user);
            }
            self.touched.keys.insert(Key::Workload(user));
            self.recalls.changed.insert(user);
            self.leave_object(old, user, Cause::Command(entry));
        }
    }
}

fn id_of(key: &ObjectKey) -> WorkloadId {
    let (namespace, kind, name) = (key.namespace.clone(), key.kind.clone(), key.name.clone());
    WorkloadId { namespace, kind, name }
}
