//! Revisions: what a workload was deployed as. A new one is put here, the last ones are kept, and an older one may come
//! back as a new one (S31).

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::link::NEEDS_MAX;
use godwit_common::{ClusterName, Need, Uid};

use crate::contract::{ClusterRecord, Key, Revision, RevisionState, Rollout, RolloutState, WorkloadSpec};
use crate::hub::Hub;
use crate::overrides::needs_in;
use crate::state::{SeatState, Workload};

impl Workload {
    /// What was deployed as a revision.
    pub(crate) fn spec_of(&self, revision: u64) -> &WorkloadSpec {
        self.revisions.get(&revision).map_or(&self.record.spec, |revision| &revision.spec)
    }

    /// The revision that copies start with where there are none: as long as the newest is on its way, the newest that
    /// was ready somewhere.
    pub(crate) fn first_to_start(&self) -> u64 {
        let proven = self.newest_proven(|_| true).filter(|_| self.is_under_way());
        proven.unwrap_or(self.record.revision)
    }

    /// Whether there may be clusters that have an older revision.
    pub(crate) fn is_under_way(&self) -> bool {
        self.record.rollout.as_ref().is_some_and(|rollout| match rollout.state {
            RolloutState::Running
            | RolloutState::Paused
            | RolloutState::PausedAfterFirst
            | RolloutState::Failed => true,
            RolloutState::Completed => false,
        })
    }

    /// The newest of these revisions that was ready somewhere.
    pub(crate) fn newest_proven(&self, among: impl Fn(u64) -> bool) -> Option<u64> {
        let mut history = self.record.history.iter().rev();
        let found = history.find(|(number, state)| **state == RevisionState::Proven && among(**number));
        found.map(|(number, _)| *number)
    }
}

impl Hub {
    /// What a cluster is to look for that is told this: what the newest revision needs is looked for before it comes.
    pub(crate) fn needs_of(&self, workload: &Workload, spec: &WorkloadSpec, name: &ClusterName) -> Vec<Need> {
        let both: BTreeSet<&Need> = spec.needs.iter().chain(&workload.record.spec.needs).collect();
        let needs: Vec<Need> = match both.len() {
            0..=NEEDS_MAX => both.into_iter().cloned().collect(),
            _ => spec.needs.clone(),
        };
        match self.policies.get(&workload.record.policy).zip(self.clusters.get(name)) {
            Some((policy, cluster)) => {
                let here = (name, &cluster.record.traits);
                needs_in(&needs, (workload.id(), &self.claims_of(workload)), &policy.policy, here)
                    .into_owned()
            }
            None => needs,
        }
    }

    /// A workload was deployed; as a new revision, unless it is the newest one again.
    pub(crate) fn revise(&mut self, uid: Uid, spec: &WorkloadSpec, objects: &BTreeSet<Uid>) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let newest = workload.record.revision;
        if let Some(same) = workload.revisions.get_mut(&newest).filter(|one| is_same(&one.spec, spec)) {
            if same.objects != *objects {
                Arc::make_mut(same).objects = objects.clone();
                self.touched.keys.insert(Key::Revision(uid, newest));
            }
            return;
        }
        self.put_revision(uid, spec.clone(), objects.clone(), self.operator.clone());
    }

    pub(crate) fn is_under_way(&self, uid: Uid) -> bool {
        self.workloads.get(&uid).is_some_and(|workload| workload.is_under_way())
    }

    /// An older revision comes back: it is the newest from now on, under a new number.
    pub(crate) fn restore_revision(&mut self, uid: Uid, number: u64, by: Arc<str>, entry: u64) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let current = &workload.record.spec;
        let (replicas, policy) = (current.replicas, current.policy.clone());
        let in_force = workload.record.policy.clone();
        let Some(revision) = workload.revisions.get(&number) else { return };
        let spec = WorkloadSpec { replicas, policy, ..revision.spec.clone() };
        // What was left since then is gone; what has changed stays changed.
        let objects: BTreeSet<Uid> =
            revision.objects.iter().filter(|object| self.objects.contains_key(object)).copied().collect();
        if self.asks_anew(&spec) {
            self.ask_for_needs(uid);
        }
        // Exports are the policy's, and not the revision's.
        let objects = if spec.scale_only { objects } else { self.with_exports(&objects, &in_force) };
        self.put_revision(uid, spec.clone(), objects.clone(), by);
        self.use_objects(uid, &objects, entry);
        self.replace_spec(uid, spec);
        self.charter_changed(uid);
        if let Some(rollout) = self.rollout_mut(uid) {
            // Who goes back does not wait to see how the first cluster likes it.
            (rollout.state, rollout.held) = (RolloutState::Running, true);
            rollout.message = "".into();
        }
    }

    fn put_revision(&mut self, uid: Uid, spec: WorkloadSpec, objects: BTreeSet<Uid>, by: Arc<str>) {
        let (created, first) =
            (self.now.wall, self.workloads.get(&uid).is_none_or(|one| one.revisions.is_empty()));
        let now = self.now.time;
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let number = workload.record.revision + 1;
        // The same again has another number, and no longer the old one, as a Deployment's revisions do.
        let again = workload.revisions.iter().find(|(_, older)| is_same(&older.spec, &spec));
        let again = again.map(|(number, _)| *number);
        let proven = again.is_some_and(|again| workload.state_of(again) == RevisionState::Proven);
        let state = if proven { RevisionState::Proven } else { RevisionState::New };
        // Where pods are of this content already, another number changes nothing.
        let clusters = &self.clusters;
        let differs_alike = |name: &ClusterName, seat: &SeatState| {
            let same = |cluster: &ClusterRecord| {
                cluster.changes(&spec.overrides) == seat.overrides && !cluster.owes(&spec.overrides)
            };
            clusters.get(name).is_none_or(|cluster| same(&cluster.record))
        };
        let alike = |name: &ClusterName, seat: &SeatState| {
            is_alike(workload.spec_of(seat.seat.revision), &spec) && differs_alike(name, seat)
        };
        let seats = workload.seats.iter().filter(|(name, seat)| alike(name, seat));
        let seats: Vec<(ClusterName, bool)> =
            seats.map(|(name, seat)| (name.clone(), seat.seat.rolling)).collect();
        // What was seen of room and readiness was seen of older revisions.
        workload.seats.values_mut().for_each(|seat| seat.forget_trouble(now));
        let needs_more = spec.needs.iter().any(|need| !workload.record.spec.needs.contains(need));
        let revision = Arc::new(Revision { workload: uid, number, spec, objects, created, by });
        workload.revisions.insert(number, revision);
        workload.record.history.insert(number, state);
        workload.record.revision = number;
        if let Some(again) = again {
            workload.revisions.remove(&again);
            workload.record.history.remove(&again);
            self.touched.keys.insert(Key::Revision(uid, again));
        }
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.keys.insert(Key::Revision(uid, number));
        if first {
            return;
        }
        self.begin_rollout(uid);
        for (name, rolling) in seats {
            self.set_revision(uid, &name, number, rolling);
        }
        self.tell_needs(uid, needs_more);
        self.seats_observed(uid);
        self.forget_revisions(uid);
        self.moving.insert(uid);
    }

    fn begin_rollout(&mut self, uid: Uid) {
        let started = self.now.wall;
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let before = workload.record.rollout.take();
        // Whoever has paused it says when it goes on, whatever is deployed meanwhile.
        let paused = before.filter(|before| before.state == RolloutState::Paused);
        let (state, message) = match paused {
            Some(paused) => (RolloutState::Paused, paused.message),
            None => (RolloutState::Running, "".into()),
        };
        workload.record.rollout = Some(Rollout { started, state, message, held: false, instead_of: None });
    }

    /// Clusters that keep an older revision for a while are told what the newest needs: it is looked for ahead (S33).
    fn tell_needs(&mut self, uid: Uid, more: bool) {
        let Some(workload) = self.workloads.get(&uid).filter(|_| more) else { return };
        let newest = workload.record.revision;
        let older = workload.seats.iter().filter(|(_, seat)| seat.seat.revision != newest);
        let older: Vec<ClusterName> = older.map(|(name, _)| name.clone()).collect();
        for name in older {
            let generation = self.generation_for(&name, uid);
            if let Some(seat) = self.workloads.get_mut(&uid).and_then(|one| one.seats.get_mut(&name)) {
                (seat.seat.generation, seat.seat.manifest_generation) = (generation, generation);
            }
            self.seat_changed(uid, &name);
        }
    }

    /// The oldest revisions make room, but for those of which copies run, and the newest to which there is a way back.
    fn forget_revisions(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let old = workload.revisions.keys().rev().skip(self.config.revisions).copied();
        let back = workload.newest_proven(|number| number != workload.record.revision);
        let mut old: BTreeSet<u64> = old.filter(|number| Some(*number) != back).collect();
        if old.is_empty() {
            return;
        }
        let (start, mut idle) = (workload.first_to_start(), Vec::new());
        for (name, seat) in &workload.seats {
            match seat.runs_nothing() && start != seat.seat.revision {
                true if old.contains(&seat.seat.revision) => idle.push(name.clone()),
                true => {}
                false => {
                    old.remove(&seat.seat.revision);
                }
            }
        }
        for name in idle {
            self.set_revision(uid, &name, start, false);
        }
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        for number in old {
            workload.revisions.remove(&number);
            workload.record.history.remove(&number);
            self.touched.keys.insert(Key::Revision(uid, number));
        }
    }

    /// The revision that copies start with in a cluster. What would be different of it there, and nobody there knows how, is
    /// no choice: then another that was ready somewhere, or the newest (S33).
    pub(crate) fn revision_to_start(&self, workload: &Workload, name: &ClusterName) -> u64 {
        let cluster = self.clusters.get(name).filter(|cluster| !cluster.record.knows_overrides);
        let owes = |number: u64| {
            cluster.is_some_and(|cluster| cluster.record.owes(&workload.spec_of(number).overrides))
        };
        let first = workload.first_to_start();
        match owes(first) {
            false => first,
            true => workload.newest_proven(|number| !owes(number)).unwrap_or(workload.record.revision),
        }
    }

    /// Copies start where there were none: the revision for them is chosen anew.
    pub(crate) fn choose_revision(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some(seat) = workload.seats.get(name) else { return };
        let revision = self.revision_to_start(workload, name);
        if seat.runs_nothing() && seat.seat.revision != revision {
            self.set_revision(uid, name, revision, false);
        }
    }

    /// Derives what the records of a workload and of its revisions imply about each other, and checks it.
    pub(crate) fn relate_revisions(&mut self, uid: Uid) -> Result<(), String> {
        let Some(workload) = self.workloads.get_mut(&uid) else { return Ok(()) };
        let known = |number: u64| workload.revisions.contains_key(&number);
        let told = workload.seats.values().map(|seat| seat.seat.revision);
        let mut numbers = std::iter::once(workload.record.revision).chain(told);
        if let Some(missing) = numbers.find(|number| !known(*number)) {
            return Err(format!("its revision {missing} is not there"));
        }
        workload.record.spec.manifest = workload.spec_of(workload.record.revision).manifest.clone();
        let told = workload.seats.iter().map(|(name, seat)| (name.clone(), seat.seat.revision));
        for (name, revision) in told.collect::<Vec<_>>() {
            let overrides = self.changes_of(uid, revision, &name);
            let seat = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(&name));
            if let Some((seat, cluster)) =
                seat.zip(self.clusters.get_mut(&name)).filter(|_| !overrides.is_empty())
            {
                cluster.digest -= seat.hash(uid);
                seat.overrides = overrides;
                cluster.digest += seat.hash(uid);
            }
        }
        Ok(())
    }
}

/// Whether two deployments are one revision.
fn is_same(one: &WorkloadSpec, other: &WorkloadSpec) -> bool {
    is_alike(one, other) && (&one.needs, &one.overrides) == (&other.needs, &other.overrides)
}

/// Whether pods of one are pods of the other, but for what is different in some clusters.
fn is_alike(one: &WorkloadSpec, other: &WorkloadSpec) -> bool {
    (&one.manifest, &one.api_version, one.supervised)
        == (&other.manifest, &other.api_version, other.supervised)
}
