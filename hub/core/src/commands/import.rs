//! Importing: what runs already becomes Godwit's where it is, as it is (S34). It is a deployment whose first plan is what was
//! found, and whose rows name the objects that their agents may take over.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::bounds::{Bounds, Totals};
use godwit_common::{ClusterName, ObjectKey, PolicyName, Uid, WorkloadId, WorkloadKind};

use super::refused;
use crate::contract::{
    Action, Answer, Application, Cause, Deploy, Deployed, Found, FoundObject, FoundWorkload, Import,
    ObjectSpec, Policy, Refused, RefusedKind, Severity, WorkloadSpec,
};
use crate::grants::is_gated;
use crate::hub::Hub;

/// What a message names before it counts the rest.
const NAMED_MAX: usize = 10;

impl Hub {
    /// Takes over what runs, or says why not. Of what is imported again nothing changes.
    pub(super) fn import(&mut self, mut deploy: Deploy, import: Import) -> Result<Answer, Refused> {
        self.check_members(&import)?;
        let mut again = Vec::new();
        for spec in std::mem::take(&mut deploy.application.workloads) {
            match self.ids.get(&spec.id).copied() {
                Some(uid) => again.push(self.check_again(uid, &spec, &import)?),
                None => deploy.application.workloads.push(spec),
            }
        }
        Self::check_said(&again)?;
        self.check_known(&import)?;
        if deploy.application.workloads.is_empty() {
            let known = self.take_all_again(again, &import);
            let workloads = self.deployed(&known);
            let changes = self.plan_changes();
            return Ok(Answer::Deployed(Deployed { workloads, changes, ..Deployed::default() }));
        }
        let policies = self.policies_of(&deploy)?;
        self.check_bounds(&deploy.application)?;
        self.settle_totals(&mut deploy.application, &policies, &import);
        self.check_modes(&deploy, &policies)?;
        self.check_alike(&deploy.application, &policies)?;
        for (spec, policy) in deploy.application.workloads.iter().zip(&policies) {
            self.check_importable(spec, policy, &import)?;
        }
        // What is Godwit's already stays as it is.
        deploy.application.objects.iter_mut().for_each(|object| self.keep_known(object));
        let mut copy = self.clone();
        let uids = copy.take_import(deploy.clone(), &policies, &import);
        copy.check_seated(&uids, &import)?;
        let moves = copy.moved_by(&uids, &import);
        if !moves.is_empty() && !import.allow_moves {
            let message = format!(
                "what runs would not stay where it is: {}; let the policy allow what is there, or say --allow-moves",
                some(&moves)
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        let uids = self.take_import(deploy.clone(), &policies, &import);
        let created: Vec<(Uid, Action)> = uids.into_iter().map(|uid| (uid, Action::Created)).collect();
        let known = self.take_all_again(again, &import);
        let warnings = self.warnings(&policies).into_iter();
        let moved = moves.iter().take(NAMED_MAX).map(|moved| format!("moves after the import: {moved}"));
        Ok(Answer::Deployed(Deployed {
            workloads: self.deployed(&[known, created].concat()),
            objects: deploy.application.objects.into_iter().map(|object| object.key).collect(),
            changes: self.plan_changes(),
            warnings: warnings.chain(moved).collect(),
        }))
    }

    /// Whether the clusters are members that can be told.
    fn check_members(&self, import: &Import) -> Result<(), Refused> {
        for name in import.found.keys() {
            if !self.clusters.contains_key(name) {
                return Err(super::no_cluster(name));
            }
            if !self.reporting(name) {
                let message = format!(
                    "cluster {name} cannot be told anything now: see `godwit describe cluster {name}`, and import when it \
                     is back"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        }
        Ok(())
    }

    /// Whether a workload that is new here can be taken over under its policy without any of its pods being restarted.
    fn check_importable(
        &self,
        spec: &WorkloadSpec,
        policy: &PolicyName,
        import: &Import,
    ) -> Result<(), Refused> {
        let id = &spec.id;
        let no = |message: String| Err(refused(RefusedKind::FailedPrecondition, message));
        let found: Vec<_> = found_of(id, import).collect();
        if let Some((name, of)) = found.iter().find_map(|(name, found)| Some((name, found.life?))) {
            return no(format!(
                "{id} in cluster {name} carries Godwit's labels for a life that this federation does not know ({of}): remove \
                 the label godwit.dev/managed from it, or delete it"
            ));
        }
        let running: Vec<&str> = found
            .iter()
            .filter(|(_, found)| found.spec.replicas > 0)
            .map(|(name, _)| name.as_str())
            .collect();
        let alone = spec.kind().ordered() || spec.kind().single();
        if alone && running.len() > 1 {
            return no(format!(
                "{id} runs in {}: a {} runs in one cluster only (S32, S33); scale it to zero, or suspend it, in all others, or \
                 give each its own name",
                running.join(", "),
                id.kind
            ));
        }
        self.check_untouched(id, policy)
    }

    /// Whether the policy leaves what runs as it is.
    pub(super) fn check_untouched(&self, id: &WorkloadId, policy: &PolicyName) -> Result<(), Refused> {
        let no = |message: String| Err(refused(RefusedKind::FailedPrecondition, message));
        let different = |policy: &Policy| !policy.placement.overrides.is_empty();
        if self.policies.get(policy).is_some_and(|policy| different(&policy.policy)) {
            return no(format!(
                "policy {policy} has overrides, and what they make different would be another template than the one that runs: \
                 import {id} under a policy without them, then change the policy, and it rolls out"
            ));
        }
        let gated = self.policies.get(policy).is_some_and(|policy| is_gated(&policy.policy));
        let everywhere = WorkloadKind::of_name(&id.kind).is_some_and(WorkloadKind::everywhere);
        if gated && !everywhere {
            return no(format!(
                "policy {policy} has the fence gate, and a supervisor comes into pods only when they are made anew: import \
                 {id} under another policy, then change the policy"
            ));
        }
        Ok(())
    }

    /// Counts and bounds of all clusters together; but where each cluster runs the full number, that is the total, and not the
    /// sum.
    fn settle_totals(&self, application: &mut Application, policies: &[PolicyName], import: &Import) {
        for (spec, policy) in application.workloads.iter_mut().zip(policies) {
            let counts = found_of(&spec.id, import).map(|(_, found)| found.spec.replicas);
            spec.replicas = match self.would_duplicate(spec, policy) {
                true => counts.max().unwrap_or(0),
                false => counts.fold(0, u32::saturating_add),
            };
        }
        for object in &mut application.objects {
            if let Some(manifest) = self.summed(object, &application.workloads, policies, import) {
                object.manifest = manifest;
            }
        }
    }

    /// An object whose bounds, in whole numbers, are those of all clusters together. None where they are not divided again
    /// (S29): it bounds nothing, or each cluster runs the full number, and is told what the manifest says.
    fn summed(
        &self,
        object: &ObjectSpec,
        workloads: &[WorkloadSpec],
        policies: &[PolicyName],
        import: &Import,
    ) -> Option<Arc<str>> {
        let read = |object: &ObjectSpec| (self.config.reader.totals)(&object.key, &object.manifest);
        let right = read(object)?;
        let mut bounded =
            workloads.iter().zip(policies).filter(|(spec, _)| self.is_bounded(spec, &right)).peekable();
        bounded.peek()?;
        if bounded.any(|(spec, policy)| self.would_duplicate(spec, policy)) {
            return None;
        }
        let found = import.found.values().flat_map(|found| &found.objects);
        let all: Vec<Totals> = found
            .filter(|found| found.spec.key == object.key)
            .filter_map(|found| read(&found.spec))
            .collect();
        let sum = |bound: fn(&Bounds) -> Option<u32>| {
            let all = all.iter().filter_map(|totals| bound(&totals.bounds));
            bound(&right.bounds).map(|_| all.fold(0, u32::saturating_add))
        };
        let bounds = Bounds { min: sum(|bounds| bounds.min), max: sum(|bounds| bounds.max) };
        Some((self.config.reader.with_totals)(&object.key, &object.manifest, bounds))
    }

    /// Whether what is Godwit's already is the same where it was found in somebody else's hands: it would be written over
    /// there, and nobody has compared the two. Bounds are each cluster's own (S29).
    fn check_known(&self, import: &Import) -> Result<(), Refused> {
        for (name, found) in &import.found {
            for FoundObject { original, life, spec: ObjectSpec { key, manifest } } in &found.objects {
                let known = self.object_keys.get(key).and_then(|uid| Some((*uid, self.objects.get(uid)?)));
                let Some((_, known)) = known.filter(|(uid, _)| *life != Some(*uid)) else { continue };
                let same = *known.record.manifest == **manifest;
                let adopts = known.rows.get(name).and_then(|row| row.adopts);
                if import.from.is_none() && adopts.is_some_and(|adopts| adopts.is_changed(original)) {
                    return Err(changed(key, name));
                }
                // It was looked at before, and its agent is about to take it over.
                let about_to = adopts == Some(*original);
                if same || about_to || (self.config.reader.alike)(key, &known.record.manifest, manifest) {
                    continue;
                }
                let message = format!(
                    "{key} is Godwit's already, and what cluster {name} has under that name is another one, which would be \
                     written over: import without --with-dependents, give it another name there, or make it what Godwit has"
                );
                return Err(refused(RefusedKind::AlreadyExists, message));
            }
        }
        Ok(())
    }

    fn keep_known(&self, object: &mut ObjectSpec) {
        let known = self.object_keys.get(&object.key).and_then(|uid| self.objects.get(uid));
        if let Some(known) = known {
            object.manifest = known.record.manifest.clone();
        }
    }

    /// Takes it over: the revisions that run, where they run, and the plan that they are.
    fn take_import(&mut self, deploy: Deploy, policies: &[PolicyName], import: &Import) -> Vec<Uid> {
        let application = deploy.application;
        let entry = self.note_import(&application.workloads, import);
        let brought = self.take_objects(&application.objects);
        let leaders: Vec<Option<WorkloadId>> = application
            .workloads
            .iter()
            .zip(policies)
            .map(|(spec, policy)| {
                let policy = &self.policies.get(policy)?.policy;
                self.leader_for(spec, policy, &application).cloned()
            })
            .collect();
        let mut uids = Vec::new();
        for ((newest, policy), leader) in application.workloads.iter().zip(policies).zip(leaders) {
            let mut uid = None;
            // What runs with another template is an older revision, and gets the newest in its turn (S31).
            for manifest in older(newest, import).into_iter().chain([&newest.manifest]) {
                let here: Vec<(&ClusterName, &FoundWorkload)> = found_of(&newest.id, import)
                    .filter(|(_, found)| found.spec.manifest == *manifest)
                    .collect();
                let is_newest = *manifest == newest.manifest;
                let model = here.first().filter(|_| !is_newest).map_or(newest, |(_, found)| &found.spec);
                let (replicas, policy_named) = (newest.replicas, newest.policy.clone());
                let spec = WorkloadSpec { replicas, policy: policy_named, ..model.clone() };
                let objects = self.with_exports(&brought, policy);
                let (taken, _) = self.take_workload(spec, policy.clone(), leader.clone(), &objects, entry);
                uid = Some(taken);
                for (name, found) in here {
                    self.seat_found(taken, name, found, entry);
                }
            }
            uids.extend(uid);
        }
        for (name, found) in &import.found {
            self.adopt_objects(name, found);
        }
        self.make_plans();
        uids
    }

    /// What was found in a cluster is what it is told, and the plan. Nothing of it is on its way.
    fn seat_found(&mut self, uid: Uid, name: &ClusterName, found: &FoundWorkload, entry: u64) {
        self.ensure_seat(uid, name, None);
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let (newest, everywhere) = (workload.record.revision, workload.record.spec.kind().everywhere());
        let Some(seat) = workload.seats.get_mut(name) else { return };
        seat.seat.adopts = Some(found.original);
        let other = seat.seat.revision != newest;
        if other {
            self.set_revision(uid, name, newest, false);
        }
        if !everywhere {
            self.set_target(uid, name, found.spec.replicas);
            self.set_placed(uid, name, found.spec.replicas, Cause::Command(entry));
        }
        self.seat_changed(uid, name);
    }

    pub(super) fn adopt_objects(&mut self, name: &ClusterName, found: &Found) {
        // What carries Godwit's labels already needs no leave.
        for FoundObject { original, spec, .. } in found.objects.iter().filter(|found| found.life.is_none()) {
            let Some(object) = self.object_keys.get(&spec.key).copied() else { continue };
            let Some(known) = self.objects.get_mut(&object) else { continue };
            let before = known.hash_in(name);
            if let Some(row) = known.rows.get_mut(name).filter(|row| row.adopts != Some(*original)) {
                row.adopts = Some(*original);
                // Its agent may have the row already, and has to hear of this.
                self.object_row_changed(object, name, Some(before));
            }
        }
    }

    /// Whether every cluster has a place for what was found there, and can be told of it.
    fn check_seated(&self, uids: &[Uid], import: &Import) -> Result<(), Refused> {
        for workload in uids.iter().filter_map(|uid| self.workloads.get(uid)) {
            let id = workload.id();
            let unseated = |(name, _): &(&ClusterName, &FoundWorkload)| !workload.seats.contains_key(*name);
            let Some((name, _)) = found_of(id, import).find(unseated) else { continue };
            let message = format!(
                "{id} runs in cluster {name}, which is told of nothing more: it is being cleaned up, or its agents know no \
                 overrides and something that goes along has some there; see `godwit describe cluster {name}`, and import \
                 from the others"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        Ok(())
    }

    /// Where the plan is another than what was found.
    fn moved_by(&self, uids: &[Uid], import: &Import) -> Vec<String> {
        let mut moves = Vec::new();
        for workload in uids.iter().filter_map(|uid| self.workloads.get(uid)) {
            let id = workload.id();
            let found: BTreeMap<&ClusterName, &FoundWorkload> = found_of(id, import).collect();
            let everywhere = workload.record.spec.kind().everywhere();
            for (name, seat) in &workload.seats {
                let runs = found.get(name).map_or(0, |found| found.spec.replicas);
                if everywhere && !found.contains_key(name) {
                    moves.push(format!("{id} starts in {name}"));
                } else if seat.seat.placed != runs && !everywhere {
                    moves.push(format!("{id} in {name} goes from {runs} to {}", seat.seat.placed));
                }
            }
            if workload.record.pending > 0 {
                let why = workload.record.pending_reasons.first().map_or("", |reason| reason);
                moves
                    .push(format!("{} of {id} may not stay where they are ({why})", workload.record.pending));
            }
        }
        moves
    }

    fn note_import(&mut self, workloads: &[WorkloadSpec], import: &Import) -> u64 {
        let named = workloads.iter().take(NAMED_MAX);
        let named: Vec<String> =
            named.map(|spec| format!("{} with {} replicas", spec.id, spec.replicas)).collect();
        let clusters: Vec<&str> = import.found.keys().map(ClusterName::as_str).take(NAMED_MAX).collect();
        let message = format!("{}, as it runs in {}", named.join(", "), clusters.join(", "));
        let subject = workloads.first().map_or_else(String::new, |spec| spec.id.to_string());
        self.note_command(Severity::Normal, "S34", "Imported", subject, message)
    }
}

/// Where a workload was found.
pub(super) fn found_of<'a>(
    id: &'a WorkloadId,
    import: &'a Import,
) -> impl Iterator<Item = (&'a ClusterName, &'a FoundWorkload)> {
    import.found.iter().filter_map(move |(name, found)| {
        let found = found.workloads.iter().find(|found| found.spec.id == *id)?;
        Some((name, found))
    })
}

/// The manifests that run beside the newest, each once, in the order of the clusters that have them.
fn older<'a>(newest: &'a WorkloadSpec, import: &'a Import) -> Vec<&'a Arc<str>> {
    let mut seen = BTreeSet::from([&newest.manifest]);
    let manifests = found_of(&newest.id, import).map(|(_, found)| &found.spec.manifest);
    manifests.filter(|manifest| seen.insert(*manifest)).collect()
}

fn changed(key: &ObjectKey, name: &ClusterName) -> Refused {
    let message = format!(
        "{key} was changed in {name} between the import and being taken over: --from any of the clusters sets it back to what \
         Godwit has, here and in all others; to keep the change, `godwit apply` it first"
    );
    refused(RefusedKind::FailedPrecondition, message)
}

/// As many as a message names, and how many more there are.
pub(super) fn some(all: &[String]) -> String {
    let named = all.iter().take(NAMED_MAX).cloned().collect::<Vec<_>>().join(", ");
    match all.len().saturating_sub(NAMED_MAX) {
        0 => named,
        more => format!("{named}, and {more} more"),
    }
}
