//! Replicas that a cluster cannot schedule, and those that do not get ready there (S3, S17). Either lowers how many of
//! one workload one cluster is taken to hold; the planner then puts the rest elsewhere, and the mover moves it.
//!
//! What is known here is learned again after a restart of the hub. Only that replicas of a revision were moved away for
//! not being ready is durable: that happens once.

use std::ops::{Deref, DerefMut};
use std::time::Duration;

use godwit_common::policy::UNREADY_AFTER;
use godwit_common::{ClusterName, Time, Uid};
use godwit_planner::{Room, Scarce};

use crate::contract::{ClusterState, Key, Severity, Subject};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::state::{SeatState, Workload};

/// How many of a workload a cluster is taken to hold for a while, whatever room it reports.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) struct Lowered {
    pub(crate) most: u32,
    why: Lowering,
    until: Time,
}

/// What lowered it.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Lowering {
    /// Replicas could not be scheduled (S17).
    Unschedulable,
    /// Replicas did not get ready (S3).
    Unready,
}

/// What a workload's copies in a cluster show of such trouble. Most seats never show any, and hold nothing for it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Trouble(Option<Box<Signs>>);

/// See [`Trouble`].
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Signs {
    /// Since when the cluster has been unable to schedule copies, and how many at the least since then (S17).
    unschedulable: Option<(Time, u32)>,
    /// Since when no more of its copies have become ready, though fewer are than shall be (S3).
    unready: Option<Time>,
    /// That lasts, or its containers fail (S3).
    unwell: bool,
    lowered: Option<Lowered>,
    /// How often in a row it was lowered, and to how many last: it lasts twice as long each time.
    times: u32,
    tried: u32,
    /// The revision of which the journal says that it is not ready here.
    said: u64,
    /// When it is looked at next.
    wake: Option<Time>,
}

/// Of what shows no trouble.
static NONE: Signs = Signs {
    unschedulable: None,
    unready: None,
    unwell: false,
    lowered: None,
    times: 0,
    tried: 0,
    said: 0,
    wake: None,
};

impl Deref for Trouble {
    type Target = Signs;

    fn deref(&self) -> &Signs {
        self.0.as_deref().unwrap_or(&NONE)
    }
}

impl DerefMut for Trouble {
    fn deref_mut(&mut self) -> &mut Signs {
        self.0.get_or_insert_default()
    }
}

impl Trouble {
    /// Holds nothing any more for what is over.
    fn tidy(&mut self) {
        if self.0.as_deref() == Some(&NONE) {
            self.0 = None;
        }
    }
}

impl SeatState {
    /// Copies that shall run here, were told to, and are not ready.
    pub(crate) fn unready(&self) -> u32 {
        self.seat.placed.min(self.asked_for()).saturating_sub(self.ready())
    }

    /// Whether copies here are not ready, and not because they have just been started.
    pub(crate) fn unwell(&self) -> bool {
        self.trouble.unwell && self.unready() > 0
    }

    /// How many it is taken to hold, if that was lowered.
    pub(crate) fn lowered(&self) -> Option<Lowered> {
        self.trouble.lowered
    }

    /// The room for it, where that was not lowered by what was seen.
    pub(crate) fn estimate(&self, room: Room) -> Room {
        match self.trouble.lowered {
            Some(Lowered { most, why, .. }) if most < room.total() => {
                let scarce = match why {
                    Lowering::Unschedulable => Scarce::Unschedulable,
                    Lowering::Unready => Scarce::Unready,
                };
                Room::Limited { replicas: most, scarce }
            }
            Some(_) | None => room,
        }
    }

    /// Another revision is another attempt.
    pub(crate) fn forget_trouble(&mut self, now: Time) {
        let Trouble(Some(signs)) = std::mem::take(&mut self.trouble) else { return };
        let Signs { unschedulable, unready, wake, .. } = *signs;
        self.trouble.unschedulable = unschedulable.map(|(_, least)| (now, least));
        self.trouble.unready = unready.map(|_| now);
        self.trouble.wake = wake;
        self.trouble.tidy();
    }
}

impl Hub {
    /// Copies are told to start: they have their time to get ready.
    pub(crate) fn starts_begin(&mut self, uid: Uid, name: &ClusterName) {
        let now = self.now.time;
        if let Some(seat) = self.seat_mut(uid, name) {
            seat.trouble.unready = Some(now);
            seat.trouble.unwell = false;
        }
        self.look_at_trouble_at(now + self.config.start_window, uid, name);
    }

    /// A report came: what it shows of copies that cannot be scheduled, or are not ready.
    pub(crate) fn heed_trouble(&mut self, uid: Uid, name: &ClusterName, ready_before: u32) {
        let now = self.now.time;
        let Some(seat) = self.seat_mut(uid, name) else { return };
        let (ready, unready, told) = (seat.ready(), seat.unready(), seat.seat.target);
        let stuck = seat.unschedulable().min(seat.seat.target);
        let failing = seat.seen.as_ref().is_some_and(|seen| seen.failing > 0);
        if stuck == 0 && unready == 0 && seat.trouble.0.is_none() {
            return;
        }
        let trouble: &mut Signs = &mut seat.trouble;
        let (was_stuck, was_unwell) = (trouble.unschedulable, trouble.unwell);
        trouble.unschedulable = match (stuck, was_stuck) {
            (0, _) => None,
            (_, None) => Some((now, stuck)),
            (_, Some((since, least))) => Some((since, least.min(stuck))),
        };
        let progress = ready > ready_before;
        let was_unready = trouble.unready.filter(|_| unready > 0);
        trouble.unready = match was_unready {
            _ if unready == 0 => None,
            Some(since) if !progress => Some(since),
            Some(_) | None => Some(now),
        };
        trouble.unwell = unready > 0 && (failing || (was_unwell && !progress));
        let unwell = trouble.unwell;
        // Whatever the estimate: what is ready there has found room, and is well.
        let risen = trouble.lowered.is_some_and(|lowered| ready > lowered.most);
        if ready > trouble.tried && ready >= told {
            (trouble.lowered, trouble.times) = (None, 0);
        } else if let Some(lowered) = &mut trouble.lowered {
            lowered.most = lowered.most.max(ready);
        }
        seat.trouble.tidy();
        if stuck > 0 && was_stuck.is_none() {
            self.look_at_trouble_at(now + self.config.unschedulable_after, uid, name);
        }
        if unready > 0 && was_unready.is_none() {
            self.look_at_trouble_at(now + self.config.start_window, uid, name);
        }
        if risen {
            self.roomier.insert(name.clone());
        }
        self.unwell_changes(uid, name, was_unwell, unwell);
    }

    /// Whether growth is stopped where copies are not ready: only where others are, in some other cluster. What is ready
    /// nowhere is the application's own business, and no cluster is worse than another (S3).
    pub(crate) fn well_somewhere(&self, workload: &Workload) -> bool {
        let well = |(name, seat): (&ClusterName, &SeatState)| {
            seat.ready() > 0 && !seat.unwell() && self.reporting(name)
        };
        workload.present().any(well)
    }

    /// The time has come to look again at the trouble of a workload in a cluster.
    pub(crate) fn look_at_trouble(&mut self, uid: Uid, name: &ClusterName) {
        let now = self.now.time;
        let Some(seat) = self.seat_mut(uid, name) else { return };
        if seat.trouble.wake.is_none_or(|wake| wake > now) {
            return;
        }
        seat.trouble.wake = None;
        let next = [
            self.look_at_lowered(uid, name),
            self.look_at_unschedulable(uid, name),
            self.look_at_unready(uid, name),
        ];
        if let Some(next) = next.into_iter().flatten().min() {
            self.look_at_trouble_at(next, uid, name);
        }
    }

    /// A lowered estimate ends: the cluster may get some again.
    fn look_at_lowered(&mut self, uid: Uid, name: &ClusterName) -> Option<Time> {
        let now = self.now.time;
        let seat = self.seat_mut(uid, name)?;
        let lowered = seat.trouble.lowered?;
        if lowered.until > now {
            return Some(lowered.until);
        }
        seat.trouble.lowered = None;
        if let Some((since, _)) = &mut seat.trouble.unschedulable {
            *since = now;
        }
        self.roomier.insert(name.clone());
        self.fleet_changed();
        None
    }

    /// What a cluster has been unable to schedule for long enough goes elsewhere (S17).
    fn look_at_unschedulable(&mut self, uid: Uid, name: &ClusterName) -> Option<Time> {
        let (now, after) = (self.now.time, self.config.unschedulable_after);
        let reporting_since = self.reporting_since(name);
        let may_leave = self.may_leave(uid, name);
        let seat = self.seat_mut(uid, name)?;
        let (since, least) = seat.trouble.unschedulable?;
        let Some(reporting_since) = reporting_since else { return Some(now + after) };
        let due = since.max(reporting_since) + after;
        if due > now {
            return Some(due);
        }
        seat.trouble.unschedulable = Some((now, seat.unschedulable().min(seat.seat.target)));
        let most = seat.seat.target.saturating_sub(least);
        if may_leave && seat.seat.placed > most {
            self.lower(uid, name, most, Lowering::Unschedulable);
            self.dirty.entry(uid).or_insert_with(|| Reason::Unschedulable(name.clone()));
        }
        Some(now + after)
    }

    /// What has not been ready for long stops the growth there, and goes elsewhere if that may help (S3).
    fn look_at_unready(&mut self, uid: Uid, name: &ClusterName) -> Option<Time> {
        let (now, window) = (self.now.time, self.config.start_window);
        let reporting_since = self.reporting_since(name);
        let after = self.unready_after(uid);
        let seat = self.seat_mut(uid, name)?;
        if seat.unready() == 0 {
            seat.trouble.unready = None;
            return None;
        }
        let since = seat.trouble.unready?;
        let Some(reporting_since) = reporting_since else { return Some(now + window) };
        let since = since.max(reporting_since);
        let (stops_at, moves_at) = (since + window, since + after);
        if stops_at <= now {
            let was_unwell = std::mem::replace(&mut seat.trouble.unwell, true);
            self.unwell_changes(uid, name, was_unwell, true);
        }
        if moves_at <= now {
            self.unready_for_long(uid, name, now.since(since));
        }
        let next = [stops_at, moves_at].into_iter().filter(|at| *at > now).min();
        Some(next.unwrap_or(now + window))
    }

    /// Copies have not been ready for as long as the policy waits. Once for each revision they go elsewhere, if their
    /// nodes or the cluster are at fault, or if the same revision is ready in another cluster; what fails by itself
    /// stays. Whatever stays is reported once (S3).
    fn unready_for_long(&mut self, uid: Uid, name: &ClusterName, lasts: Duration) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some((seat, seen)) = workload.seats.get(name).and_then(|seat| Some((seat, seat.seen.as_ref()?)))
        else {
            return;
        };
        let (unready, told) = (seat.unready(), seat.seat.placed.min(seat.seat.target));
        let elsewhere = self.is_ready_elsewhere(workload, name, seen.revision);
        // Those that cannot be scheduled are another matter (S17).
        let own = seen.failing.saturating_add(seen.unschedulable);
        let movable = if elsewhere { unready.saturating_sub(own) } else { 0 };
        let movable = movable.max(seen.stranded.min(unready));
        let (once, may_leave) = (seat.seat.given_up != seen.revision, self.may_leave(uid, name));
        let (revision, most) = (seen.revision, seat.seat.placed.saturating_sub(movable));
        if movable > 0 && once && may_leave {
            self.lower(uid, name, most, Lowering::Unready);
            if let Some(seat) = self.seat_mut(uid, name) {
                seat.seat.given_up = revision;
            }
            self.touched.keys.insert(Key::Seat(uid, name.clone()));
            self.dirty.entry(uid).or_insert_with(|| Reason::Unready(name.clone()));
            return;
        }
        if seat.trouble.said == revision {
            return;
        }
        let why = match () {
            () if self.is_settled(&workload.record) => "it stays where it is, whole or with its data (S32)",
            () if self.is_duplicated(&workload.record) => "every cluster runs the full number",
            () if !may_leave => "the cluster is not to be left now",
            () if movable > 0 => "replicas of this revision have left it once already",
            () if seen.failing > 0 => "its own containers fail, which would go with them",
            () => "this revision is ready in no other cluster",
        };
        let problem = match &*seen.problem {
            "" => String::new(),
            problem => format!(" ({problem})"),
        };
        let message = format!(
            "{unready} of {told} replicas in {name} have not been ready for {} s{problem}; they stay: {why}",
            lasts.as_secs()
        );
        let subject = workload.id().to_string();
        self.note(Severity::Warning, "S3", "ReplicasUnready", subject, message);
        if let Some(seat) = self.seat_mut(uid, name) {
            seat.trouble.said = revision;
        }
    }

    /// Whether the copies of a workload in some other cluster are of a revision, and all ready.
    fn is_ready_elsewhere(&self, workload: &Workload, name: &ClusterName, revision: u64) -> bool {
        let ready = |(other, seat): (&ClusterName, &SeatState)| {
            let same = seat.seen.as_ref().is_some_and(|seen| seen.revision == revision);
            other != name && same && self.reporting(other) && seat.ready() > 0 && seat.unready() == 0
        };
        workload.present().any(ready)
    }

    /// Whether replicas may leave a cluster for what is wrong with them there. Stateful ones never do (S32), nor those of
    /// which every cluster runs the full number; and not where the cluster's own affairs decide what moves.
    fn may_leave(&self, uid: Uid, name: &ClusterName) -> bool {
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let Some(cluster) = self.clusters.get(name) else { return false };
        let record = &cluster.record;
        !self.is_settled(&workload.record)
            && !self.is_duplicated(&workload.record)
            && self.federation.freeze.is_none()
            && cluster.health.state == ClusterState::Ready
            && record.maintenance.is_none()
            && record.drain.is_none()
    }

    /// A cluster is taken to hold no more than so many of a workload, for a while, and for twice as long each time.
    fn lower(&mut self, uid: Uid, name: &ClusterName, most: u32, why: Lowering) {
        let (now, first, longest) = (self.now.time, self.config.lowered_for, self.config.lowered_for_max);
        let Some(seat) = self.seat_mut(uid, name) else { return };
        let life = first.saturating_mul(1 << seat.trouble.times.min(12)).min(longest.max(first));
        seat.trouble.times = seat.trouble.times.saturating_add(1);
        seat.trouble.tried = most;
        seat.trouble.lowered = Some(Lowered { most, why, until: now + life });
        self.look_at_trouble_at(now + life, uid, name);
        self.touched.subjects.insert(Subject::Workload(uid));
        self.fleet_changed();
    }

    fn look_at_trouble_at(&mut self, at: Time, uid: Uid, name: &ClusterName) {
        let Some(seat) = self.seat_mut(uid, name) else { return };
        if seat.trouble.wake.is_none_or(|wake| wake > at) {
            seat.trouble.wake = Some(at);
            self.wake_at(at, Timer::Trouble(uid, name.clone()));
        }
    }

    /// Growth of a workload in a cluster is stopped, or possible again.
    fn unwell_changes(&mut self, uid: Uid, name: &ClusterName, before: bool, after: bool) {
        if before == after {
            return;
        }
        self.touched.subjects.insert(Subject::Workload(uid));
        let pending = self.workloads.get(&uid).is_some_and(|workload| workload.record.pending > 0);
        if !after {
            self.roomier.insert(name.clone());
        } else if pending {
            // It may be well nowhere by now, so that this stops nothing any more.
            self.dirty.entry(uid).or_insert_with(|| Reason::Room(name.clone()));
        }
    }

    /// Since when a cluster has reported what it holds, without a change of who does.
    fn reporting_since(&self, name: &ClusterName) -> Option<Time> {
        let leader = self.clusters.get(name)?.leader.as_ref()?;
        leader.inventoried.then_some(leader.reporting_since)
    }

    /// How long a policy waits for replicas that are not ready (S3).
    fn unready_after(&self, uid: Uid) -> Duration {
        let workload = self.workloads.get(&uid);
        let policy = workload.and_then(|workload| self.policies.get(&workload.record.policy));
        policy.map_or(UNREADY_AFTER, |policy| policy.policy.placement.motion.unready_after)
    }

    fn seat_mut(&mut self, uid: Uid, name: &ClusterName) -> Option<&mut SeatState> {
        self.workloads.get_mut(&uid)?.seats.get_mut(name)
    }
}
