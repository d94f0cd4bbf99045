//! S34: what is imported stays as it is, where it is: what was found is the plan and what clusters are told, the sum is what
//! is wanted, and the very object becomes Godwit's, as long as it says what was looked at. What nobody has imported nobody
//! writes to.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::policy::Strategy;
use godwit_common::{ClusterName, ObjectKey, Uid, WorkloadId};
use godwit_hub_core::{
    Action, Answer, Command, Deploy, Deployed, Effect, Event, FoundWorkload, Import, Key, Record,
    WorkloadRecord,
};

use super::{Records, SeatChange, seat_in};
use crate::hub_process::Step;
use crate::member::{Deed, Member, Taken};

/// What was imported, over all lives of all hubs.
#[derive(Debug, Default)]
pub(super) struct Imports {
    /// What may be taken over: which object, and what stands for its contents.
    asked: BTreeSet<(ClusterName, ObjectKey, Uid, u64)>,
    /// What was found of each life.
    found: BTreeMap<(Uid, ClusterName), Found>,
    /// Lives of which nobody has said or done anything since.
    calm: BTreeMap<Uid, Calm>,
}

/// What was found of a life in a cluster.
#[derive(Debug)]
struct Found {
    replicas: u32,
    /// The revision that it is of; none if it may be another one by an operator's word.
    revision: Option<u64>,
    /// All that was told since, with what was found.
    told: BTreeSet<u32>,
}

/// A life that was imported, as it was.
#[derive(Debug)]
struct Calm {
    id: WorkloadId,
    clusters: BTreeSet<ClusterName>,
    sum: usize,
    /// So many pods were seen.
    all_there: bool,
}

impl Imports {
    /// After a step of a hub; says how many workloads it has imported.
    pub(super) fn check(
        &mut self,
        records: &Records,
        (step, seats): (&Step<'_>, &[SeatChange]),
        forked: bool,
    ) -> u64 {
        let import = imported(step);
        for seat in seats {
            self.follow(seat, import.is_some());
        }
        for effect in step.effects {
            if let Effect::Delete(Key::Workload(uid) | Key::Seat(uid, _)) = effect {
                self.calm.remove(uid);
            }
        }
        if forked {
            self.calm.clear();
        }
        let Some((import, deployed)) = import else { return 0 };
        for (name, found) in &import.found {
            let workloads = found.workloads.iter().filter(|found| found.life.is_none());
            let objects = found.objects.iter().filter(|found| found.life.is_none());
            let workloads = workloads.map(|found| (key_of(found), found.original));
            let asked = workloads.chain(objects.map(|found| (found.spec.key.clone(), found.original)));
            let asked = asked.map(|(key, original)| (name.clone(), key, original.uid, original.content));
            self.asked.extend(asked);
        }
        let created = deployed.workloads.iter().filter(|one| one.action == Action::Created);
        let created: Vec<&WorkloadRecord> =
            created.filter_map(|one| written(step.effects, &one.id)).collect();
        for workload in &created {
            self.take(records, workload, import, forked);
        }
        created.len() as u64
    }

    /// A workload is Godwit's from now on.
    fn take(&mut self, records: &Records, workload: &WorkloadRecord, import: &Import, forked: bool) {
        let (uid, id) = (workload.uid, &workload.spec.id);
        let found = import.found.iter().flat_map(|(name, found)| {
            found.workloads.iter().filter(|found| found.spec.id == *id).map(move |found| (name, found))
        });
        let found: Vec<(&ClusterName, &FoundWorkload)> = found.collect();
        let counts = || found.iter().map(|(_, found)| found.spec.replicas);
        let policy = records.get(&Key::Policy(workload.policy.clone()));
        let each = matches!(policy, Some(Record::Policy(policy))
            if policy.placement.strategy == Strategy::Duplicate);
        let total = if each { counts().max().unwrap_or(0) } else { counts().sum() };
        assert!(
            workload.spec.replicas == total,
            "S34: {total} of {id} run when it is imported, and {} are wanted",
            workload.spec.replicas
        );
        for (name, found) in &found {
            let seat = seat_in(records, uid, name);
            // What is allowed to move may begin with it.
            let told = seat.is_some_and(|seat| {
                let as_found = import.allow_moves || seat.target == found.spec.replicas;
                as_found && seat.adopts == Some(found.original)
            });
            assert!(
                told,
                "S34: {} of {id} run in {name} as {:?}, and it is told {seat:?}",
                found.spec.replicas, found.original
            );
            let placed = seat.map_or(0, |seat| seat.placed);
            assert!(
                import.allow_moves || placed == found.spec.replicas,
                "S34: {} of {id} run in {name}, {placed} are planned, and nobody has allowed moves",
                found.spec.replicas
            );
            // Where its turn has come in the same step, what others run is what it gets (S31).
            let rolls = seat.is_some_and(|seat| seat.rolling) || found.spec.replicas == 0;
            let revision = seat.map(|seat| seat.revision).filter(|_| !rolls);
            let replicas = found.spec.replicas;
            let told = [replicas].into_iter().chain(seat.map(|seat| seat.target)).collect();
            self.found.insert((uid, (*name).clone()), Found { replicas, revision, told });
        }
        let clusters = found.iter().map(|(name, _)| (*name).clone()).collect();
        let sum = counts().map(|count| count as usize).sum();
        let mut seats = found.iter().filter_map(|(name, _)| seat_in(records, uid, name));
        if !forked && !import.allow_moves && !seats.any(|seat| seat.rolling) {
            self.calm.insert(uid, Calm { id: id.clone(), clusters, sum, all_there: false });
        }
    }

    fn follow(&mut self, seat: &SeatChange, imports: bool) {
        let (before, after) = (&seat.before, &seat.after);
        if let Some(found) = self.found.get_mut(&(seat.workload, seat.cluster.clone())) {
            found.told.insert(after.target);
            if before.adopts != after.adopts {
                // It was imported again, and what was changed since is kept, or set back.
                found.revision = None;
            }
        }
        if !imports && (before.target, before.revision) != (after.target, after.revision) {
            self.calm.remove(&seat.workload);
        }
    }

    /// What was found of a life in a cluster, as long as nothing else is known of it.
    pub(super) fn found_in(&self, uid: Uid, cluster: &ClusterName) -> u32 {
        self.found.get(&(uid, cluster.clone())).map_or(0, |found| found.replicas)
    }

    /// After a deed of an agent. True if it has taken something over.
    pub(super) fn check_deed(&self, cluster: &ClusterName, deed: &Deed, forked: bool) -> bool {
        let Deed::Applied { key, after, took: Some(took), .. } = deed else { return false };
        if took.handed_over {
            return true;
        }
        let Taken { original, before, after: said, .. } = &**took;
        assert!(
            self.asked.contains(&(cluster.clone(), key.clone(), original.uid, original.content)),
            "S34: {key} in {cluster} was nobody's, and was written over: it was not imported as it was then, {original:?}"
        );
        let found = self.found.get(&(after.uid, cluster.clone()));
        // A hub with another history may have told something else.
        let Some(found) = found.filter(|_| !forked) else { return true };
        assert!(
            found.revision != Some(after.revision) || before.0 == said.0,
            "S34: the pods of {key} in {cluster} are restarted by its import: it said {}, and says {}",
            before.0,
            said.0
        );
        assert!(
            said.1.is_none_or(|count| found.told.contains(&count)),
            "S34: {key} in {cluster} gets {:?} copies by its import, and was told {:?}",
            said.1,
            found.told
        );
        true
    }

    /// After the controllers of a member have looked at something: as long as nobody has told anything else since the
    /// import, nor done anything there, all that ran does.
    pub(super) fn check_members(&mut self, members: &[Member]) {
        self.calm.retain(|_, calm| {
            let here = members.iter().filter(|member| calm.clusters.contains(&member.name));
            !here.into_iter().any(|member| member.disturbed.contains(&calm.id))
        });
        for Calm { id, clusters, sum, all_there } in self.calm.values_mut() {
            let here = members.iter().filter(|member| clusters.contains(&member.name));
            let pods = here.flat_map(|member| member.pods_of(id)).filter(|pod| !pod.seen.terminating).count();
            assert!(
                !*all_there || pods >= *sum,
                "S34: {sum} of {id} ran when it was imported, {pods} do now, and nobody has told anything else"
            );
            *all_there |= pods >= *sum;
        }
    }
}

/// The import that a step has carried out.
fn imported<'s>(step: &'s Step<'_>) -> Option<(&'s Import, &'s Deployed)> {
    let Some(Event::Command { command: Command::Deploy(Deploy { import: Some(import), .. }), .. }) =
        step.event
    else {
        return None;
    };
    step.effects.iter().find_map(|effect| match effect {
        Effect::Answer { answer: Ok(Answer::Deployed(deployed)), .. } => Some((import, deployed)),
        Effect::Answer { .. } | Effect::Put(_) | Effect::Delete(_) => None,
        Effect::Send { .. } | Effect::Close { .. } => None,
    })
}

fn written<'e>(effects: &'e [Effect], id: &WorkloadId) -> Option<&'e WorkloadRecord> {
    effects.iter().rev().find_map(|effect| match effect {
        Effect::Put(Record::Workload(workload)) if workload.spec.id == *id => Some(workload),
        Effect::Put(_) | Effect::Delete(_) => None,
        Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => None,
    })
}

fn key_of(found: &FoundWorkload) -> ObjectKey {
    let WorkloadId { namespace, kind, name } = found.spec.id.clone();
    ObjectKey { api_version: found.spec.api_version.clone(), kind, namespace, name }
}
