//! What somebody changes by hand in a member (S29). Under `enforce` its agent sets it right, and nothing of it is heard here.
//! Otherwise the agent leaves it and says so; it is told of, and under `adopt` a number is taken over.
//!
//! Whoever leaves something as it is has to know that it was once as it was told. So whether the cluster has shown that is
//! durable, and goes with the row: an agent that starts anew knows nothing.

use std::borrow::Cow;
use std::time::Duration;

use godwit_common::link::{COUNT_MAX, Difference};
use godwit_common::policy::Drift;
use godwit_common::{ClusterName, Uid};

use crate::contract::{Cause, ClusterState, Key, Severity, Subject, WorkloadRecord};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::state::{SeatState, Workload};

/// A number that may not be taken over now is looked at again after this.
const LOOKS_AGAIN: Duration = Duration::from_secs(10);

impl Hub {
    pub(crate) fn drift_of(&self, record: &WorkloadRecord) -> Drift {
        self.policies
            .get(&record.policy)
            .map_or_else(Drift::default, |policy| policy.policy.placement.motion.drift)
    }

    /// What is changed by hand may be treated otherwise than before: every cluster is told.
    pub(crate) fn tell_drift(&mut self, uid: Uid, before: Drift) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        if self.drift_of(&workload.record).is_tolerated() == before.is_tolerated() {
            return;
        }
        let names: Vec<ClusterName> = workload.seats.keys().cloned().collect();
        for name in names {
            // The word itself is the policy's: only its generation is new.
            self.tell(uid, &name, |_, _| {});
        }
        let objects = self.workloads.get(&uid).map(|workload| &workload.record);
        let objects = objects.map(|record| record.objects.union(&record.leaving).copied().collect());
        let objects: Vec<Uid> = objects.unwrap_or_default();
        for object in objects {
            self.settle_tolerance(object);
        }
    }

    /// A cluster shows a workload as it was told to run it: what differs from now on was changed by hand.
    pub(crate) fn note_shown(&mut self, uid: Uid, name: &ClusterName) {
        let Some(leader) = self.clusters.get(name).and_then(|cluster| cluster.leader.as_ref()) else {
            return;
        };
        let reflects = leader.reflects;
        let Some(workload) = self.workloads.get(&uid) else { return };
        let tolerated = self.drift_of(&workload.record).is_tolerated();
        let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name))
        else {
            return;
        };
        // An agent that leaves it as it is has seen it as it was told.
        let was_as_told = seat.seen.as_ref().is_some_and(|seen| {
            let same = seen.revision == seat.seat.revision && seen.replicas == seat.seat.target;
            seen.exists && same || seen.difference.is_some()
        });
        if tolerated && was_as_told && !seat.seat.shown && seat.seat.generation <= reflects {
            seat.seat.shown = true;
            self.touched.keys.insert(Key::Seat(uid, name.clone()));
        }
    }

    /// A report came: what differs in a cluster is told of, once.
    pub(crate) fn heed_drift(&mut self, uid: Uid, name: &ClusterName, before: Option<(Difference, u32)>) {
        self.note_shown(uid, name);
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some(seat) = workload.seats.get(name) else { return };
        let now = seat.drifted();
        // An autoscaler has a number of its own all the time.
        let same = match (before, now) {
            (Some((Difference::Autoscaled, _)), Some((Difference::Autoscaled, _))) => true,
            (before, now) => before == now,
        };
        if same {
            return;
        }
        let subject = workload.id().to_string();
        let told = seat.seat.target;
        match now {
            Some((difference, replicas)) => {
                let mode = self.drift_of(&workload.record).name();
                let message = match difference {
                    Difference::Scaled => format!(
                        "in cluster {name} somebody scaled it to {replicas}, where {told} were told; it stays so (drift: {mode})"
                    ),
                    Difference::Autoscaled => format!(
                        "in cluster {name} an autoscaler set {replicas} replicas, where {told} were told; the count is left to it"
                    ),
                    Difference::Deleted => format!(
                        "in cluster {name} somebody deleted it, where {told} replicas were told; it stays so (drift: {mode})"
                    ),
                };
                let severity = match difference {
                    Difference::Scaled | Difference::Deleted => Severity::Warning,
                    Difference::Autoscaled => Severity::Normal,
                };
                self.note(severity, "S29", "DriftFound", subject, message);
            }
            None => {
                let message = format!("in cluster {name} it is as it was told again");
                self.note(Severity::Normal, "S29", "DriftEnded", subject, message);
            }
        }
    }

    /// Takes over what was scaled by hand, of the workloads that reports or plans have touched.
    pub(crate) fn adopt_numbers(&mut self) {
        let adopts = |uid: &Uid| {
            let workload = self.workloads.get(uid)?;
            let adopts = self.drift_of(&workload.record) == Drift::Adopt;
            let scaled = |(name, seat): (&ClusterName, &SeatState)| seat.scaled().map(|_| name.clone());
            adopts.then(|| (*uid, workload.seats.iter().filter_map(scaled).collect::<Vec<_>>()))
        };
        let found: Vec<(Uid, Vec<ClusterName>)> = self.moving.iter().filter_map(adopts).collect();
        for (uid, names) in found {
            for name in names {
                self.adopt_number(uid, &name);
            }
        }
    }

    fn adopt_number(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        if self.not_adopted(workload, name).is_some() {
            self.look_at_drift(uid);
            return;
        }
        let Some(seat) = workload.seats.get(name) else { return };
        let Some(replicas) = seat.scaled() else { return };
        let (placed, may_run) = (seat.seat.placed, seat.seat.may_run);
        let before = workload.record.spec.replicas;
        let after = before.saturating_sub(placed).saturating_add(replicas);
        let message = format!(
            "in cluster {name} somebody scaled it from {placed} to {replicas}: {after} replicas are wanted, and not {before}"
        );
        let subject = workload.id().to_string();
        let entry = self.note(Severity::Normal, "S29", "NumberAdopted", subject, message);
        self.set_placed(uid, name, replicas, Cause::Command(entry));
        // They are there, or gone, without a start or a stop of ours.
        self.set_target(uid, name, replicas);
        self.set_may_run(uid, name, may_run);
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.record.spec.replicas = after;
        }
        self.charter_changed(uid);
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        self.dirty.insert(uid, Reason::Command(entry));
    }

    /// Numbers of a workload that were changed by hand may be taken over later.
    pub(crate) fn look_at_drift(&mut self, uid: Uid) {
        self.wake_at(self.now.time + LOOKS_AGAIN, Timer::Drift(uid));
    }

    /// Why a number that somebody chose by hand in a cluster is not taken over, or not now; none where it may be.
    pub(crate) fn not_adopted(&self, workload: &Workload, name: &ClusterName) -> Option<Cow<'static, str>> {
        let fixed = |words: &'static str| Some(Cow::Borrowed(words));
        let (Some(cluster), Some(seat)) = (self.clusters.get(name), workload.seats.get(name)) else {
            return fixed("it is not there");
        };
        let Some(replicas) = seat.scaled() else { return fixed("there is no such number") };
        if self.is_duplicated(&workload.record) {
            return fixed("every cluster runs the full number");
        }
        if self.federation.freeze.is_some() {
            return fixed("failover is frozen");
        }
        let reflects =
            cluster.leader.as_ref().filter(|leader| leader.inventoried).map(|leader| leader.reflects);
        let told = reflects.is_some_and(|reflects| seat.seat.generation <= reflects);
        if cluster.health.state != ClusterState::Ready
            || cluster.record.drain.is_some()
            || !told
            || !seat.seat.shown
        {
            return fixed("not as long as the cluster is not settled");
        }
        if seat.seat.target != seat.seat.placed {
            return fixed("not as long as it is moved here");
        }
        if self.is_partly_away(workload) {
            return fixed("not as long as copies of it are away");
        }
        if seat.pods() > replicas {
            return fixed("not as long as others are ending");
        }
        if replicas > seat.seat.placed && seat.bound() < replicas {
            return fixed("not all of them have a node");
        }
        self.beyond_limits(workload, name, seat.seat.placed, replicas)
    }

    /// Whether a cluster is away that has a part in a workload: it may be lost, and what is missing then is no wish.
    fn is_partly_away(&self, workload: &Workload) -> bool {
        workload.seats.iter().any(|(name, seat)| seat.seat.placed > 0 && !self.reporting(name))
    }

    /// What the policy or a quota has against it.
    fn beyond_limits(
        &self,
        workload: &Workload,
        name: &ClusterName,
        placed: u32,
        replicas: u32,
    ) -> Option<Cow<'static, str>> {
        let policy = self.policies.get(&workload.record.policy)?;
        let Some(rule) = self.rule_of(&policy.policy, name) else {
            return (replicas > placed).then_some(Cow::Borrowed("its policy does not choose the cluster"));
        };
        if rule.max().is_some_and(|max| replicas > max && replicas > placed) {
            let max = rule.max().unwrap_or_default();
            return Some(Cow::Owned(format!("its policy allows at most {max} here")));
        }
        if replicas < rule.min() && replicas < placed {
            return Some(Cow::Owned(format!("its policy wants at least {} here", rule.min())));
        }
        let more = replicas.saturating_sub(placed);
        if workload.record.spec.replicas.saturating_add(more) > COUNT_MAX {
            return Some(Cow::Borrowed("it would be more replicas than a workload can have"));
        }
        let total = workload.record.spec.replicas.saturating_add(more);
        if Self::check_ordinals(&workload.record.spec, total, &policy.policy).is_err() {
            return Some(Cow::Borrowed("its ranges of ordinals have no room for so many"));
        }
        let quota = self.quotas.get(&workload.id().namespace)?;
        let (fits, _) = quota.record.quota.fits(&quota.used, &workload.shape().requests)?;
        (u64::from(more) > fits).then_some(Cow::Borrowed("the namespace's quota does not allow it"))
    }

    /// Where a seat stands that differs from what it was told, in a few words.
    pub(crate) fn standing_of_drift(
        &self,
        workload: &Workload,
        name: &ClusterName,
    ) -> Option<Cow<'static, str>> {
        let cluster = self.clusters.get(name);
        let edited = cluster.map(|cluster| self.edited(workload, cluster)).unwrap_or_default();
        let Some((difference, replicas)) = workload.seats.get(name)?.drifted() else {
            return (!edited.is_empty())
                .then(|| Cow::Owned(format!("changed by hand, and left so: {edited} (S29)")));
        };
        Some(match difference {
            Difference::Deleted => Cow::Borrowed("deleted by hand, and left so (S29)"),
            Difference::Autoscaled => Cow::Owned(format!("an autoscaler keeps {replicas} (S29)")),
            Difference::Scaled => {
                let adopts = self.drift_of(&workload.record) == Drift::Adopt;
                let why = if adopts { self.not_adopted(workload, name) } else { None };
                let why = why.map_or_else(String::new, |why| format!(", not taken over: {why}"));
                Cow::Owned(format!("scaled by hand to {replicas}, and left so{why} (S29)"))
            }
        })
    }
}

impl SeatState {
    /// How the cluster differs from what it was told, and the number that it has there.
    pub(crate) fn drifted(&self) -> Option<(Difference, u32)> {
        let seen = self.seen.as_ref()?;
        Some((seen.difference?, seen.replicas))
    }

    /// The number that somebody chose by hand, if it is not the plan's.
    pub(crate) fn scaled(&self) -> Option<u32> {
        match self.drifted()? {
            (Difference::Scaled, replicas) => Some(replicas).filter(|replicas| *replicas != self.seat.placed),
            (Difference::Autoscaled | Difference::Deleted, _) => None,
        }
    }

    /// How many copies are asked for there, of those that were told: fewer where somebody wants fewer, and is left alone.
    pub(crate) fn asked_for(&self) -> u32 {
        let told = self.asked();
        self.drifted().map_or(told, |(_, replicas)| replicas.min(told))
    }
}
