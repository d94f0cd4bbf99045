//! Rollouts: a new revision goes over the clusters, one after the other (S31). Within a cluster its controllers replace
//! the pods, by the workload's own strategy; here is decided which cluster is told, and what is made of what it says.

use std::cmp::Reverse;
use std::time::Duration;

use godwit_common::policy::{OnFailure, Rollout as Terms};
use godwit_common::{ClusterName, Time, Uid};
use godwit_planner::Barrier;

use crate::contract::{
    Key, Policy, RevisionState, Rollout, RolloutState, RolloutView, SessionId, Severity, Subject,
};
use crate::hub::{Hub, Timer};
use crate::overrides::needs_in;
use crate::placement::Reason;
use crate::state::{Cluster, Progress, SeatState, Workload};

/// How many clusters of a rollout are named with what they wait for.
const WAITING_MAX: usize = 20;

/// What a rollout does next.
enum Step {
    /// A cluster is told the newest revision.
    Tell(ClusterName),
    /// The first cluster has it; an operator says when it goes on.
    Hold,
    /// Every cluster has it.
    Complete,
}

impl Hub {
    /// Takes the steps that the rollout of a workload may take.
    pub(crate) fn roll(&mut self, uid: Uid) {
        // Each step changes what there is to do; a cluster is told once.
        while let Some(step) = self.next_step(uid) {
            let Some(newest) = self.workloads.get(&uid).map(|workload| workload.record.revision) else {
                return;
            };
            match step {
                Step::Tell(name) => {
                    self.set_rollout(uid, RolloutState::Running, "");
                    self.set_revision(uid, &name, newest, true);
                    self.look_at_revision(uid, &name);
                }
                Step::Hold => {
                    if let Some(rollout) = self.rollout_mut(uid) {
                        rollout.held = true;
                    }
                    let message = "the policy pauses after the first cluster";
                    self.set_rollout(uid, RolloutState::PausedAfterFirst, message);
                    let text = format!(
                        "revision {newest} is ready in its first cluster, and waits for \
                                        `godwit rollout resume`"
                    );
                    self.note_rollout(uid, Severity::Normal, "RolloutPaused", &text);
                }
                Step::Complete => {
                    self.set_rollout(uid, RolloutState::Completed, "");
                    let text = format!("revision {newest} is ready in every cluster that runs it");
                    let entry = self.note_rollout(uid, Severity::Normal, "RolloutCompleted", &text);
                    self.leave_objects(uid, entry);
                }
            }
        }
        self.tell_idle(uid);
    }

    fn next_step(&self, uid: Uid) -> Option<Step> {
        let workload = self.workloads.get(&uid)?;
        let state = workload.record.rollout.as_ref().map(|rollout| rollout.state)?;
        let completed = match state {
            RolloutState::Running => false,
            RolloutState::Completed => true,
            RolloutState::Paused | RolloutState::PausedAfterFirst | RolloutState::Failed => return None,
        };
        if self.in_doubt() || (completed && workload.behind.is_empty()) {
            return None;
        }
        let policy = &self.policies.get(&workload.record.policy)?.policy;
        // Whatever was on its way to an older revision goes on to this one: it has its turn already.
        let mut superseded = workload.rolling.intersection(&workload.behind);
        let may = |name: &&ClusterName| self.reporting(name) && !self.owes_newest(workload, name);
        if let Some(name) = superseded.find(may) {
            return Some(Step::Tell(name.clone()));
        }
        let on_the_way = self.on_the_way_in(workload, policy);
        let terms = &policy.placement.rollout;
        let first_only = terms.pause_after_first && !workload.record.rollout.as_ref()?.held;
        let at_once = if first_only { 1 } else { terms.max_clusters_at_once.max(1) as usize };
        let waiting = self.waiting_for(workload, policy).next().is_some();
        if !waiting {
            return (on_the_way == 0 && !completed).then_some(Step::Complete);
        }
        if on_the_way >= at_once {
            return None;
        }
        let has_it =
            |(name, seat): (&ClusterName, &SeatState)| seat.runs() && !workload.behind.contains(name);
        if first_only && workload.seats.iter().any(has_it) {
            return Some(Step::Hold);
        }
        let may = |name: &&ClusterName| self.holds_up(workload, name).is_none();
        let next = self.in_order(workload, policy).into_iter().find(may);
        next.map(|name| Step::Tell(name.clone()))
    }

    /// How many clusters are on their way from one revision to another, or have the newest, and not all of it is ready.
    fn on_the_way_in(&self, workload: &Workload, policy: &Policy) -> usize {
        let unsteady = |(name, seat): &(&ClusterName, &SeatState)| {
            let newest = !workload.behind.contains(*name);
            newest && seat.runs() && self.reporting(name) && !seat.is_complete()
        };
        let counts = |(name, seat): &(&ClusterName, &SeatState)| {
            let cluster = self.clusters.get(*name);
            let there = cluster.is_some_and(|cluster| !is_gone(cluster, policy));
            there && (seat.seat.rolling || unsteady(&(*name, *seat)))
        };
        workload.seats.iter().filter(counts).count()
    }

    /// The clusters that have yet to be told, but for those that run nothing of the workload.
    fn waiting_for<'a>(
        &'a self,
        workload: &'a Workload,
        policy: &'a Policy,
    ) -> impl Iterator<Item = &'a ClusterName> {
        workload.behind.iter().filter(|name| {
            let runs = workload.seats.get(*name).is_some_and(SeatState::runs);
            let cluster = self.clusters.get(*name);
            runs && cluster.is_some_and(|cluster| !cluster.lost_for(policy.lost_after))
        })
    }

    /// The same in the order of the policy; of equals, what fails shall fail where least runs. Copies that are to stop
    /// have their turn last: they may be gone by then.
    fn in_order<'a>(&'a self, workload: &'a Workload, policy: &'a Policy) -> Vec<&'a ClusterName> {
        let terms: &Terms = &policy.placement.rollout;
        let mut names: Vec<&ClusterName> = self.waiting_for(workload, policy).collect();
        names.sort_by_cached_key(|name| {
            let place = self.clusters.get(*name).map(|cluster| terms.place_of(name, &cluster.record.traits));
            let placed = workload.seats.get(*name).map_or(0, |seat| seat.seat.placed);
            (placed == 0, place, placed, (*name).clone())
        });
        names
    }

    /// The clusters that have yet to be told, in their order, as answers to commands name them.
    pub(crate) fn rollout_order(&self, workload: &Workload, policy: &Policy) -> Vec<ClusterName> {
        self.in_order(workload, policy).into_iter().cloned().collect()
    }

    /// Why a cluster cannot be told now, if so: it is passed over.
    fn holds_up(&self, workload: &Workload, name: &ClusterName) -> Option<String> {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.reporting()) else {
            return Some("it is away; it gets the revision when it is back".into());
        };
        let policy = self.policies.get(&workload.record.policy)?;
        if self.owes(workload, &workload.record.spec, &cluster.record) {
            return Some(format!("{}, and the revision has some there", Barrier::Overrides));
        }
        let needs = &workload.record.spec.needs;
        let here = (name, &cluster.record.traits);
        let claims = self.claims_of(workload);
        for need in &*needs_in(needs, (workload.id(), &claims), &policy.policy, here) {
            match cluster.needs.get(need) {
                Some(true) => {}
                Some(false) => return Some(format!("it lacks {need}, which the revision needs")),
                None => return Some(format!("it has yet to say whether {need} is there")),
            }
        }
        None
    }

    /// Whether something of the newest revision would be different in a cluster, and its agents know no overrides.
    fn owes_newest(&self, workload: &Workload, name: &ClusterName) -> bool {
        let cluster = self.clusters.get(name);
        cluster.is_some_and(|cluster| self.owes(workload, &workload.record.spec, &cluster.record))
    }

    /// Once all others have the newest revision, those that run nothing get it, too: a failover starts what is proven.
    fn tell_idle(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let state = workload.record.rollout.as_ref().map(|rollout| rollout.state);
        if state != Some(RolloutState::Completed) || workload.behind.is_empty() {
            return;
        }
        let newest = workload.record.revision;
        // What somebody made run there by hand ends with it (S29).
        let is_idle =
            |seat: &SeatState| seat.runs_nothing() || seat.seat.target == 0 && seat.drifted().is_some();
        let idle = |name: &&ClusterName| workload.seats.get(*name).is_some_and(is_idle);
        // Where something of it would be different, and nobody knows how, it waits, as anything new does (S33).
        let idle = workload.behind.iter().filter(idle).filter(|name| !self.owes_newest(workload, name));
        for name in idle.cloned().collect::<Vec<_>>() {
            self.set_revision(uid, &name, newest, false);
        }
    }

    /// Looks how far a cluster is with the revision that it was told, after a report, or when time has passed.
    pub(crate) fn look_at_revision(&mut self, uid: Uid, name: &ClusterName) {
        let now = self.now.time;
        let (min_ready, deadline) = (self.config.min_ready, self.progress_deadline(uid));
        let leader = self.clusters.get(name).and_then(|cluster| cluster.leader.as_ref());
        let session = leader.filter(|leader| leader.inventoried).map(|leader| leader.session);
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let workload = &mut **workload;
        let newest = workload.record.revision;
        let Some(seat) = workload.seats.get(name) else { return };
        let unproven = workload.state_of(seat.seat.revision) == RevisionState::New && seat.runs();
        let watched = seat.seat.rolling || unproven || (workload.rolls() && seat.seat.revision == newest);
        let Some(session) = session.filter(|_| watched) else {
            if seat.complete.is_some() || seat.progress.is_some() {
                self.forget_progress(uid, name);
            }
            return;
        };
        let Some(seat) = workload.seats.get_mut(name) else { return };
        if seat.is_complete() {
            seat.progress = None;
            let before = seat.complete.filter(|(says, _)| *says == session);
            let (_, since) = *seat.complete.insert(before.unwrap_or((session, now)));
            return match now.since(since) >= min_ready {
                true => self.revision_is_ready(uid, name),
                false => self.wake_at(since + min_ready, Timer::Revision(uid, name.clone())),
            };
        }
        seat.complete = None;
        let progress = next_progress(seat, session, now);
        seat.progress = Some(progress);
        if seat.seat.revision != newest {
            return;
        }
        let late = now.since(progress.since) >= deadline;
        let given_up = progress.stalled.filter(|since| now.since(*since) >= min_ready);
        if late || given_up.is_some() {
            let problem = seat.seen.as_ref().map(|seen| seen.problem.to_string()).unwrap_or_default();
            let what = match given_up {
                Some(_) => "it exceeded the progress deadline of its manifest".to_owned(),
                None => format!("no progress for {} s", deadline.as_secs()),
            };
            let (updated, ready) = progress.counts;
            let counts = format!("{updated} of {} updated, {ready} ready", seat.asked());
            let parts = [what, counts, problem].into_iter().filter(|part| !part.is_empty());
            return self.rollout_failed(uid, name, &parts.collect::<Vec<_>>().join("; "));
        }
        self.wake_at(progress.since + deadline, Timer::Revision(uid, name.clone()));
        if let Some(since) = progress.stalled {
            self.wake_at(since + min_ready, Timer::Revision(uid, name.clone()));
        }
    }

    fn forget_progress(&mut self, uid: Uid, name: &ClusterName) {
        if let Some(seat) = self.workloads.get_mut(&uid).and_then(|workload| workload.seats.get_mut(name)) {
            (seat.complete, seat.progress) = (None, None);
        }
    }

    /// All that a cluster was told to run is of its revision, and has been ready for long enough.
    fn revision_is_ready(&mut self, uid: Uid, name: &ClusterName) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let Some(seat) = workload.seats.get_mut(name) else { return };
        let (revision, any) = (seat.seat.revision, seat.asked() > 0);
        let was_rolling = std::mem::take(&mut seat.seat.rolling);
        if any && let Some(state @ RevisionState::New) = workload.record.history.get_mut(&revision) {
            *state = RevisionState::Proven;
            self.touched.keys.insert(Key::Workload(uid));
        }
        if was_rolling {
            self.seat_changed(uid, name);
        }
        self.moving.insert(uid);
    }

    /// The newest revision has failed in a cluster.
    fn rollout_failed(&mut self, uid: Uid, name: &ClusterName, why: &str) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let newest = workload.record.revision;
        let Some(rollout) = &workload.record.rollout else { return };
        match rollout.state {
            RolloutState::Running | RolloutState::Paused | RolloutState::PausedAfterFirst => {}
            RolloutState::Failed | RolloutState::Completed => return,
        }
        let again = rollout.instead_of.is_some();
        workload.record.history.insert(newest, RevisionState::Failed);
        let policy = self.policies.get(&workload.record.policy);
        let on_failure = policy.map(|policy| policy.policy.placement.rollout.on_failure);
        let back = workload.newest_proven(|number| number != newest);
        let back = back.filter(|_| !again && on_failure == Some(OnFailure::Rollback));
        let message = format!("revision {newest} failed in cluster {name}: {why}");
        self.set_rollout(uid, RolloutState::Failed, &message);
        let what = match back {
            Some(back) => format!("{message}; revision {back} comes back"),
            None => format!(
                "{message}; no other cluster gets it: mend it and deploy again, or use `godwit rollout undo` or \
                 `godwit rollout resume`"
            ),
        };
        let entry = self.note_rollout(uid, Severity::Warning, "RolloutFailed", &what);
        if let Some(back) = back {
            self.restore_revision(uid, back, "godwit".into(), entry);
            if let Some(rollout) = self.rollout_mut(uid) {
                (rollout.instead_of, rollout.message) = (Some(newest), message.into());
            }
            self.ensure_seats(uid);
            self.dirty.entry(uid).or_insert(Reason::Command(entry));
        }
    }

    fn progress_deadline(&self, uid: Uid) -> Duration {
        let workload = self.workloads.get(&uid);
        let policy = workload.and_then(|workload| self.policies.get(&workload.record.policy));
        policy.map(|policy| policy.policy.placement.rollout.progress_deadline).unwrap_or_default()
    }

    pub(crate) fn rollout_mut(&mut self, uid: Uid) -> Option<&mut Rollout> {
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        self.workloads.get_mut(&uid)?.record.rollout.as_mut()
    }

    /// Sets how far a rollout is. What it says of a failure that it goes back from stays.
    pub(crate) fn set_rollout(&mut self, uid: Uid, state: RolloutState, message: &str) {
        let rollout = self.workloads.get(&uid).and_then(|workload| workload.record.rollout.as_ref());
        if rollout.is_none_or(|rollout| rollout.state == state) {
            return;
        }
        if let Some(rollout) = self.rollout_mut(uid) {
            rollout.state = state;
            if rollout.instead_of.is_none() || !message.is_empty() {
                rollout.message = message.into();
            }
        }
    }

    fn note_rollout(&mut self, uid: Uid, severity: Severity, reason: &str, message: &str) -> u64 {
        let subject = self.workloads.get(&uid).map(|workload| workload.id().to_string()).unwrap_or_default();
        self.note(severity, "S31", reason, subject, message)
    }

    /// A workload's newest revision, and how far it is.
    pub(crate) fn rollout_view(&self, workload: &Workload) -> RolloutView {
        let record = &workload.record;
        let mut view = RolloutView {
            revision: record.revision,
            rollout: record.rollout.clone(),
            clusters: 0,
            updated: 0,
            waiting: Vec::new(),
        };
        let Some(policy) = self.policies.get(&record.policy).map(|policy| &policy.policy) else {
            return view;
        };
        let mut unready = Vec::new();
        for (name, seat) in &workload.seats {
            if seat.seat.placed == 0 && !seat.runs() {
                continue;
            }
            if self.clusters.get(name).is_none_or(|cluster| cluster.lost_for(policy.lost_after)) {
                continue;
            }
            view.clusters += 1;
            if workload.behind.contains(name) {
                continue;
            }
            match seat.is_complete() && seat.seat.target >= seat.seat.placed && !seat.seat.rolling {
                true => view.updated += 1,
                false => unready.push((Reverse(seat.seat.rolling), name, seat)),
            }
        }
        unready.sort_by_key(|(rolling, name, _)| (*rolling, *name));
        let unready =
            unready.into_iter().map(|(_, name, seat)| (name.clone(), self.unready_because(name, seat)));
        view.waiting = unready.take(WAITING_MAX).collect();
        let behind = self.in_order(workload, policy).into_iter();
        let behind = behind.map(|name| {
            let because = self.holds_up(workload, name);
            (name.clone(), because.unwrap_or_else(|| "its turn is yet to come".into()))
        });
        let left = WAITING_MAX.saturating_sub(view.waiting.len());
        view.waiting.extend(behind.take(left));
        view
    }

    fn unready_because(&self, name: &ClusterName, seat: &SeatState) -> String {
        if !self.reporting(name) {
            return "it is away".into();
        }
        let seen = seat.seen.clone().unwrap_or_default();
        let (told, placed) = (seat.seat.target, seat.seat.placed);
        if seen.revision != seat.seat.revision {
            return "it was told, and has not applied it yet".into();
        }
        let problem = if seen.problem.is_empty() { String::new() } else { format!("; {}", seen.problem) };
        if told < placed {
            return format!("{told} of {placed} copies were started so far{problem}");
        }
        match seat.is_complete() {
            true => format!(
                "all {told} are ready; they have to stay so for {} s",
                self.config.min_ready.as_secs()
            ),
            false => {
                let (updated, ready) = (seen.updated.min(told), seen.updated_ready.min(told));
                format!("{updated} of {told} updated, {ready} ready{problem}")
            }
        }
    }
}

/// Whether a cluster that was on its way is waited for no longer: it is lost, or away as announced.
fn is_gone(cluster: &Cluster, policy: &Policy) -> bool {
    cluster.lost_for(policy.lost_after) || (cluster.record.maintenance.is_some() && !cluster.live())
}

/// How far a cluster is that is not there yet: whatever moves begins the wait anew.
fn next_progress(seat: &SeatState, session: SessionId, now: Time) -> Progress {
    let seen = seat.seen.clone().unwrap_or_default();
    let own = seen.revision == seat.seat.revision;
    let counts = if own { (seen.updated, seen.updated_ready) } else { (0, 0) };
    let before = seat.progress.filter(|before| before.session == session);
    let since = before.filter(|before| before.counts == counts).map_or(now, |before| before.since);
    let stalled = (own && seen.stalled).then(|| before.and_then(|before| before.stalled).unwrap_or(now));
    Progress { session, counts, since, stalled }
}
