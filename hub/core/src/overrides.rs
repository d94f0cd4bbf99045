//! What is different in some of the clusters, as far as the hub is concerned: which rules hold for whom and where, and who
//! is told when that changes. What a rule makes of an object, its agent finds out; the hub keeps what was deployed, the same
//! for all clusters (S10).
//!
//! The rules about a workload are part of its revision: other rules are another revision, and go from cluster to cluster as
//! any other does (S31), of which those see nothing where the same rules hold as before. The rules about an object that
//! workloads lean on reach all clusters at once, as its manifest does. Which clusters a rule is for follows their labels.

use std::borrow::Cow;
use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::policy::Override;
use godwit_common::policy::overrides::{about, changes_in};
use godwit_common::{ClusterName, Need, ObjectKey, PolicyName, Traits, Uid, WorkloadId, WorkloadKind};

use crate::commands::refused;
use crate::contract::{
    Application, ClusterRecord, Key, ObjectSpec, Policy, Refused, RefusedKind, SessionId, Subject,
    WorkloadSpec,
};
use crate::hub::Hub;
use crate::shared::Shared;
use crate::state::{Object, Workload};

/// What one command may spend on looking whether rules fit, in rules looked at: enough for what people write by hand. What is
/// beyond that, agents report.
const CHECKS_MAX: usize = 400_000;
/// What it costs to carry rules out on a manifest.
const CHECK: usize = 100;
pub(crate) const CLAIM: &str = "PersistentVolumeClaim";
const CLASS: &str = "StorageClass";

impl Workload {
    /// What is different in a cluster about a revision; empty if nothing is.
    pub(crate) fn changes_in(&self, revision: u64, cluster: &ClusterRecord) -> Arc<str> {
        cluster.changes(&self.spec_of(revision).overrides)
    }
}

impl Object {
    /// The part of a cluster's digest that its row of this object is.
    pub(crate) fn hash_in(&self, name: &ClusterName) -> u64 {
        self.hash_of(self.record.revision, name)
    }

    /// The same at another revision.
    pub(crate) fn hash_of(&self, revision: u64, name: &ClusterName) -> u64 {
        let bounds = self.rows.get(name).map(|row| row.bounds).unwrap_or_default();
        let overrides = self.overrides.get(name).map_or("", |text| text);
        godwit_common::link::ObjectTarget::hash_of(self.record.uid, revision, bounds, overrides)
    }

    /// Finds out what is different in a cluster.
    pub(crate) fn differ_in(&mut self, cluster: &ClusterRecord) {
        let text = cluster.changes(&self.record.overrides);
        match text.is_empty() {
            true => self.overrides.remove(&cluster.name),
            false => self.overrides.insert(cluster.name.clone(), text),
        };
    }
}

impl Hub {
    /// The rules of a policy about a workload. Of what others make only the count is written (S33); and a Job is made once,
    /// as the rules were then.
    pub(crate) fn rules_about(&self, spec: &WorkloadSpec, policy: &Policy) -> Arc<[Override]> {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        match known {
            Some(known) if spec.kind() == WorkloadKind::Job => known.record.spec.overrides.clone(),
            Some(_) | None if spec.scale_only => Arc::default(),
            Some(_) | None => {
                let WorkloadId { namespace, kind, name } = &spec.id;
                about(&policy.placement.overrides, (kind, namespace, name))
            }
        }
    }

    /// What a revision of a workload is to be in a cluster.
    pub(crate) fn changes_of(&self, uid: Uid, revision: u64, name: &ClusterName) -> Arc<str> {
        let workload = self.workloads.get(&uid).filter(|one| !one.spec_of(revision).overrides.is_empty());
        let Some((workload, cluster)) = workload.zip(self.clusters.get(name)) else { return Arc::default() };
        workload.changes_in(revision, &cluster.record)
    }

    /// Whether something about a workload, or about what it leans on, would be different in a cluster whose agents are of a
    /// release that knows no such thing: it gets nothing new of it, and keeps what it has.
    pub(crate) fn owes(&self, workload: &Workload, spec: &WorkloadSpec, cluster: &ClusterRecord) -> bool {
        // Nearly all clusters know.
        !cluster.knows_overrides
            && (cluster.owes(&spec.overrides)
                || self.rules_beside(workload).iter().any(|rules| cluster.owes(rules)))
    }

    /// The rules about what a workload leans on, where there are any.
    pub(crate) fn rules_beside(&self, workload: &Workload) -> Vec<Arc<[Override]>> {
        let objects = workload.record.objects.iter().filter_map(|uid| self.objects.get(uid));
        let rules = objects.map(|object| &object.record.overrides);
        rules.filter(|rules| !rules.is_empty()).cloned().collect()
    }

    /// A policy says something else than before, or is another one: what is different of a workload is a new revision.
    pub(crate) fn follow_rules(&mut self, uid: Uid, entry: u64) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let record = &workload.record;
        let Some(policy) = self.policies.get(&record.policy) else { return };
        let overrides = self.rules_about(&record.spec, &policy.policy);
        let objects = record.objects.clone();
        if record.spec.overrides != overrides && self.federation.recovery.is_some() {
            self.recall_rules(uid, &overrides);
        } else if record.spec.overrides != overrides {
            let spec = WorkloadSpec { overrides, ..record.spec.clone() };
            self.revise(uid, &spec, &objects);
            self.use_objects(uid, &objects, entry);
            self.replace_spec(uid, spec);
            self.charter_changed(uid);
        }
        objects.into_iter().for_each(|object| self.settle_overrides(object));
    }

    /// What is deployed was found in the members, and the policy is known again only now: its rules were those of all that
    /// was found, as far as anybody knows, and nothing was told meanwhile (S10).
    fn recall_rules(&mut self, uid: Uid, overrides: &Arc<[Override]>) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        workload.record.spec.overrides = overrides.clone();
        for revision in workload.revisions.values_mut() {
            Arc::make_mut(revision).spec.overrides = overrides.clone();
        }
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.keys.extend(workload.revisions.keys().map(|number| Key::Revision(uid, *number)));
        let seats =
            workload.seats.iter().map(|(name, seat)| (name.clone(), seat.seat.revision, seat.seat.rolling));
        for (name, revision, rolling) in seats.collect::<Vec<_>>() {
            self.set_revision(uid, &name, revision, rolling);
        }
    }

    /// The rules about an object are those of the policy of the oldest workload that leans on it. Clusters are told where
    /// something else is different than before.
    pub(crate) fn settle_overrides(&mut self, uid: Uid) {
        let Some(object) = self.objects.get(&uid) else { return };
        let users = object.users.iter().filter_map(|user| self.workloads.get(user));
        let oldest = users.min_by_key(|workload| workload.record.number);
        let policy = oldest.and_then(|workload| self.policies.get(&workload.record.policy));
        let Some(policy) = policy else { return };
        let ObjectKey { kind, namespace, name, .. } = &object.record.key;
        let overrides = about(&policy.policy.placement.overrides, (kind, namespace, name));
        if object.record.overrides == overrides {
            return;
        }
        let names: Vec<ClusterName> = object.rows.keys().cloned().collect();
        // Where agents know no overrides, what waited for others may have to wait no longer.
        self.moving.extend(object.users.iter().copied());
        self.touched.keys.insert(Key::Object(uid));
        if let Some(object) = self.objects.get_mut(&uid) {
            object.record.overrides = overrides;
        }
        names.iter().for_each(|name| self.object_differs(uid, name));
    }

    fn object_differs(&mut self, uid: Uid, name: &ClusterName) {
        let Some((cluster, object)) = self.clusters.get(name).zip(self.objects.get(&uid)) else { return };
        let before = object.overrides.get(name).map_or("", |text| text);
        if *cluster.record.changes(&object.record.overrides) != *before {
            let before = object.hash_in(name);
            self.object_row_changed(uid, name, Some(before));
        }
    }

    /// What rules choose a cluster by has changed: what is different there, it is told at once.
    pub(crate) fn differ_anew(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let (seats, objects) = (cluster.seats.clone(), cluster.objects.clone());
        for uid in seats.iter().copied() {
            let Some(workload) = self.workloads.get(&uid) else { continue };
            let Some(seat) = workload.seats.get(name) else { continue };
            // It is no rollout: nobody's turn comes for it, nor has it to be heard.
            let (revision, rolling) = (seat.seat.revision, seat.seat.rolling);
            let differs = *self.changes_of(uid, revision, name) != *seat.overrides;
            // It may be told now what would have been different there.
            if workload.behind.contains(name) {
                self.moving.insert(uid);
            }
            if differs || self.claims_elsewhere(workload) {
                self.set_revision(uid, name, revision, rolling);
                self.moving.insert(uid);
            }
        }
        for uid in objects.iter() {
            self.object_differs(*uid, name);
        }
    }

    /// The first agent that carries out overrides leads the cluster: what is due there is told it now. That stays so: what was
    /// told is not taken back because an older agent leads for a while, in the course of an upgrade.
    pub(crate) fn look_at_overrides(&mut self, session: SessionId, name: &ClusterName) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let knows = cluster.sessions.get(&session).is_some_and(|session| session.knows_overrides);
        if !knows || cluster.record.knows_overrides {
            return;
        }
        cluster.record.knows_overrides = true;
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        if !cluster.record.inventoried {
            return;
        }
        self.differ_anew(name);
        let has_rules = |(uid, workload): (&Uid, &Shared<Workload>)| {
            let ruled = !workload.record.spec.overrides.is_empty() || !self.rules_beside(workload).is_empty();
            let policy = self.policies.get(&workload.record.policy);
            let chosen = policy.is_some_and(|policy| self.chooses(&policy.policy, name));
            (ruled && chosen).then_some(*uid)
        };
        for uid in self.workloads.iter().filter_map(has_rules).collect::<Vec<_>>() {
            self.ensure_ahead(uid, name);
            self.moving.insert(uid);
        }
        // Whoever waits may have a place there.
        self.roomier.insert(name.clone());
    }

    /// The names of the claims that a workload was deployed with, beside those that its own manifest makes.
    pub(crate) fn claims_of(&self, workload: &Workload) -> Vec<Arc<str>> {
        let objects = workload.record.objects.iter().filter_map(|uid| self.objects.get(uid));
        let claims = objects.map(|object| &object.record.key).filter(|key| &*key.kind == CLAIM);
        claims.map(|key| key.name.clone()).collect()
    }

    /// Whether its policy gives its claims another class somewhere: then clusters need different things.
    fn claims_elsewhere(&self, workload: &Workload) -> bool {
        let policy = self.policies.get(&workload.record.policy);
        policy.is_some_and(|policy| {
            let claims = self.claims_of(workload);
            gives_classes(&policy.policy.placement.overrides, workload.id(), &claims).next().is_some()
        })
    }

    /// Whether what a policy changes can be carried out on what is deployed, in every cluster that it chooses.
    pub(crate) fn check_rules(&self, application: &Application, policies: &[&Policy]) -> Result<(), Refused> {
        let mut left = CHECKS_MAX;
        for (spec, policy) in application.workloads.iter().zip(policies) {
            self.check_workload(spec, policy, &mut left)?;
        }
        if let Some(policy) = policies.first() {
            for object in &application.objects {
                self.check_object(object, policy, &mut left)?;
            }
        }
        Ok(())
    }

    /// What is imported is as it runs, in every cluster: whether a policy that would have it different changes nothing of that,
    /// nobody has tried (S34).
    pub(crate) fn check_alike(
        &self,
        application: &Application,
        policies: &[PolicyName],
    ) -> Result<(), Refused> {
        let named: BTreeSet<&PolicyName> = policies.iter().collect();
        for policy in named.into_iter().filter_map(|name| self.policies.get(name)) {
            let rules = &policy.policy.placement.overrides;
            let of_workload = |id: &WorkloadId| !about(rules, (&id.kind, &id.namespace, &id.name)).is_empty();
            let of_object =
                |key: &ObjectKey| !about(rules, (&key.kind, &key.namespace, &key.name)).is_empty();
            let workload = application.workloads.iter().find(|spec| of_workload(&spec.id));
            let object = application.objects.iter().find(|object| of_object(&object.key));
            let meant = workload.map(|spec| spec.id.to_string());
            if let Some(meant) = meant.or_else(|| object.map(|object| object.key.to_string())) {
                let policy = &policy.policy.name;
                let message = format!(
                    "policy {policy} has overrides about {meant}, and what is imported stays as it is: import it under \
                     another policy, and apply the overrides then"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        Ok(())
    }

    /// Whether new rules can be carried out on all that is under their policy.
    pub(crate) fn check_new_rules(&self, policy: &Policy) -> Result<(), Refused> {
        let Some(known) = self.policies.get(&policy.name) else { return Ok(()) };
        if known.policy.placement.overrides == policy.placement.overrides {
            return Ok(());
        }
        let mut left = CHECKS_MAX;
        let mut seen = BTreeSet::new();
        for workload in known.users.iter().filter_map(|uid| self.workloads.get(uid)) {
            self.check_workload(&workload.record.spec, policy, &mut left)?;
            for object in workload.record.objects.iter().filter(|object| seen.insert(**object)) {
                let Some(object) = self.objects.get(object) else { continue };
                let (key, manifest) = (object.record.key.clone(), object.record.manifest.clone());
                self.check_object(&ObjectSpec { key, manifest }, policy, &mut left)?;
            }
        }
        Ok(())
    }

    fn check_workload(&self, spec: &WorkloadSpec, policy: &Policy, left: &mut usize) -> Result<(), Refused> {
        let WorkloadId { namespace, kind, name } = spec.id.clone();
        let key = ObjectKey { api_version: spec.api_version.clone(), kind, namespace, name };
        let rules = self.rules_about(spec, policy);
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        if let Some(known) = known.filter(|_| spec.kind() == WorkloadKind::StatefulSet && spec.claims) {
            let changes = (&*known.record.spec.overrides, &*rules);
            self.check_class(&key, known.present.iter(), changes, policy)?;
        }
        self.check_fit((&key, &spec.manifest), &rules, policy, left)
    }

    fn check_object(&self, object: &ObjectSpec, policy: &Policy, left: &mut usize) -> Result<(), Refused> {
        let ObjectSpec { key, manifest } = object;
        let rules = about(&policy.placement.overrides, (&key.kind, &key.namespace, &key.name));
        let known = self.object_keys.get(key).and_then(|uid| self.objects.get(uid));
        if let Some(known) = known.filter(|known| &*key.kind == CLAIM && self.rules_over(known, policy)) {
            self.check_class(key, known.rows.keys(), (&known.record.overrides, &rules), policy)?;
        }
        self.check_fit((key, manifest), &rules, policy, left)
    }

    /// Whether a policy is that of the oldest workload that leans on an object.
    fn rules_over(&self, object: &Object, policy: &Policy) -> bool {
        let users = object.users.iter().filter_map(|user| self.workloads.get(user));
        let oldest = users.min_by_key(|workload| workload.record.number);
        oldest.is_some_and(|oldest| oldest.record.policy == policy.name)
    }

    /// Whether claims keep their class where they are: Kubernetes lets nobody change it. A rule that is taken back is let
    /// go, since that is the way out where one came to hold by a label.
    fn check_class<'n>(
        &self,
        key: &ObjectKey,
        places: impl Iterator<Item = &'n ClusterName>,
        (before, after): (&[Override], &[Override]),
        policy: &Policy,
    ) -> Result<(), Refused> {
        if before == after || self.federation.recovery.is_some() {
            return Ok(());
        }
        let class = |rules: &[Override], name: &ClusterName, traits: &Traits| {
            let here = rules.iter().filter(|one| one.selector.matches(name, traits));
            here.filter_map(|one| one.change.storage_class.clone()).next_back()
        };
        for name in places {
            let Some(cluster) = self.clusters.get(name) else { continue };
            let traits = &cluster.record.traits;
            let Some(given) = class(after, name, traits) else { continue };
            if class(before, name, traits).as_ref() != Some(&given) {
                let message = format!(
                    "policy {}: {key} in cluster {name} has its claims already, and Kubernetes lets nobody change their \
                     class, here to {given}: say in the rule's objects or clusterSelector which others it is about, or \
                     deploy this anew under another name",
                    policy.name
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        Ok(())
    }

    pub(crate) fn check_fit(
        &self,
        (key, manifest): (&ObjectKey, &Arc<str>),
        rules: &[Override],
        policy: &Policy,
        left: &mut usize,
    ) -> Result<(), Refused> {
        if rules.is_empty() {
            return Ok(());
        }
        let mut texts: BTreeMap<Arc<str>, &ClusterName> = BTreeMap::new();
        for (name, cluster) in self.clusters.iter() {
            let Some(rest) = left.checked_sub(rules.len()) else {
                *left = 0;
                return Ok(());
            };
            *left = rest;
            if self.chooses(policy, name) {
                texts.entry(changes_in(rules, name, &cluster.record.traits)).or_insert(name);
            }
        }
        texts.remove("");
        for (text, cluster) in texts {
            let Some(rest) = left.checked_sub(CHECK) else {
                *left = 0;
                return Ok(());
            };
            *left = rest;
            (self.config.reader.overrides)(key, manifest, &text).map_err(|problem| {
                let policy = &policy.name;
                let message = format!(
                    "policy {policy}: {key} in cluster {cluster}: {problem}; mend the rule, or say in its objects which \
                     it is about"
                );
                refused(RefusedKind::FailedPrecondition, message)
            })?;
        }
        Ok(())
    }
}

/// What a workload needs of a cluster, where its policy may give its claims another class than their manifests say.
pub(crate) fn needs_in<'n>(
    needs: &'n [Need],
    (id, claims): (&WorkloadId, &[Arc<str>]),
    policy: &Policy,
    (name, traits): (&ClusterName, &Traits),
) -> Cow<'n, [Need]> {
    let here = |one: &&Override| one.selector.matches(name, traits);
    let given = gives_classes(&policy.placement.overrides, id, claims).filter(here).last();
    let Some(class) = given.and_then(|one| one.change.storage_class.clone()) else {
        return needs.into();
    };
    let renamed = |need: &Need| match need {
        Need::Object(key) if &*key.kind == CLASS => {
            Need::Object(ObjectKey { name: class.clone(), ..key.clone() })
        }
        Need::Object(_) | Need::Given(_) | Need::Kind { .. } | Need::Scalable { .. } => need.clone(),
    };
    let needs: BTreeSet<Need> = needs.iter().map(renamed).collect();
    needs.into_iter().collect()
}

/// The rules that give the claims that a workload makes, or one of those it was deployed with, another class.
fn gives_classes<'r>(
    rules: &'r [Override],
    WorkloadId { namespace, kind, name }: &'r WorkloadId,
    claims: &'r [Arc<str>],
) -> impl Iterator<Item = &'r Override> {
    rules.iter().filter(move |one| {
        let about = |kind: &str, name: &str| one.objects.matches(kind, namespace, name);
        let of_claims = || claims.iter().any(|name| about(CLAIM, name));
        one.change.storage_class.is_some() && (about(kind, name) || of_claims())
    })
}
