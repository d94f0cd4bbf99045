//! The way back: what a loss or a drain took from a cluster is remembered. When the cluster is back, its copies may stay in
//! the place of those that were started elsewhere (S12), and replicas may go back to it (S13).

use std::collections::{BTreeMap, BTreeSet};
use std::time::Duration;

use godwit_common::policy::{FailBack, Rebalance, Strategy, Survivor};
use godwit_common::{ClusterName, Time, Uid};

use crate::ask::Count;
use crate::contract::{Key, Policy, Subject};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::state::{SeatState, Workload};

/// How many replicas of a workload may have a cluster's place again, ahead of others that hold them.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Back<'a> {
    pub(crate) cluster: &'a ClusterName,
    pub(crate) replicas: u32,
}

impl Hub {
    /// A plan takes replicas from clusters, and gives some to others. Those that a loss or a drain takes are remembered;
    /// whatever a cluster gets counts as its own that have come back.
    pub(crate) fn displace(&mut self, uid: Uid, counts: &[Count]) {
        for Count { cluster: name, before, after } in counts {
            let known = self.displaced_from(uid, name);
            let now = match before.checked_sub(*after) {
                Some(0) => continue,
                Some(taken) if self.displaces(uid, name) => known.saturating_add(taken),
                Some(_) => continue,
                None => known.saturating_sub(after - before),
            };
            self.set_displaced(uid, name, now);
        }
    }

    /// Whether what a workload gives in a cluster may come back: a loss or a drain takes it, and somebody else gets it.
    fn displaces(&self, uid: Uid, name: &ClusterName) -> bool {
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let Some(policy) = self.policies.get(&workload.record.policy) else { return false };
        let policy = &policy.policy;
        let away = self
            .clusters
            .get(name)
            .is_some_and(|cluster| cluster.lost_for(policy.lost_after) || cluster.record.drain.is_some());
        let settled = workload.record.spec.is_settled(&policy.placement);
        away && !settled && policy.placement.strategy != Strategy::Duplicate
    }

    /// How many replicas of a workload a cluster has had to give.
    fn displaced_from(&self, uid: Uid, name: &ClusterName) -> u32 {
        let workload = self.workloads.get(&uid);
        workload.and_then(|workload| workload.record.displaced.get(name)).copied().unwrap_or(0)
    }

    fn set_displaced(&mut self, uid: Uid, name: &ClusterName, replicas: u32) {
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let replicas = replicas.min(workload.record.wanted);
        let displaced = &mut workload.record.displaced;
        let before = match replicas {
            0 => displaced.remove(name),
            _ => displaced.insert(name.clone(), replicas),
        };
        if before.unwrap_or(0) == replicas {
            return;
        }
        self.touched.keys.insert(Key::Workload(uid));
        self.touched.subjects.insert(Subject::Workload(uid));
        let workloads = self.displaced.entry(name.clone()).or_default();
        match replicas {
            0 => workloads.remove(&uid),
            _ => workloads.insert(uid),
        };
        if workloads.is_empty() {
            self.displaced.remove(name);
        }
    }

    /// Replicas of a workload have come back to a cluster in another way.
    pub(crate) fn came_back(&mut self, uid: Uid, name: &ClusterName, replicas: u32) {
        let left = self.displaced_from(uid, name).saturating_sub(replicas);
        self.set_displaced(uid, name, left);
    }

    /// Nothing of a workload goes back to any cluster any more: it is where an operator wants it, or it ends.
    pub(crate) fn forget_displaced(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        for name in workload.record.displaced.keys().cloned().collect::<Vec<_>>() {
            self.set_displaced(uid, &name, 0);
        }
    }

    /// Fewer replicas of a workload are wanted: what was displaced becomes less in proportion.
    pub(crate) fn shrink_displaced(&mut self, uid: Uid, before: u32, after: u32) {
        let Some(workload) = self.workloads.get(&uid).filter(|_| after < before) else { return };
        let displaced = workload.record.displaced.clone();
        for (name, replicas) in displaced {
            let less = u64::from(replicas) * u64::from(after) / u64::from(before);
            self.set_displaced(uid, &name, u32::try_from(less).unwrap_or(u32::MAX));
        }
    }

    /// A cluster is back from a loss: where policies want it, its copies stay and their replacements go (S12).
    pub(crate) fn originals_return(&mut self, name: &ClusterName) {
        let Some(uids) = self.displaced.get(name).cloned() else { return };
        for uid in uids {
            let survives =
                self.workloads.get(&uid).is_some_and(|workload| self.surviving(workload, name) > 0);
            if survives {
                self.dirty.entry(uid).or_insert_with(|| Reason::Returned(name.clone()));
            }
        }
    }

    /// How many copies in a cluster that has returned are to stay: those that run there ready, of what it had to give, if
    /// they are of the newest revision. So nothing starts because of it.
    fn surviving(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let (Some(policy), Some(cluster), Some(seat)) =
            (self.policies.get(&workload.record.policy), self.clusters.get(name), workload.seats.get(name))
        else {
            return 0;
        };
        let reflects = cluster.leader.as_ref().map_or_else(Default::default, |leader| leader.reflects);
        // Copies of an older revision, or on their way from one, have no claim (S31).
        let behind = workload.behind.contains(name) || workload.rolling.contains(name);
        let newest = !behind && seat.seat.manifest_generation <= reflects;
        let original = match policy.policy.placement.motion.survivor {
            Survivor::KeepOriginal => true,
            Survivor::KeepReplacement => false,
            Survivor::LongestRunning => self.ran_longest(workload, name),
        };
        if !original || !newest || !gives_back(&policy.policy) {
            return 0;
        }
        let displaced = workload.record.displaced.get(name).copied().unwrap_or(0);
        seat.staying().min(seat.seat.target).saturating_sub(seat.seat.placed).min(displaced)
    }

    /// Whether the youngest ready copy in a cluster has been ready for longer than the youngest in all others: their
    /// replacements are the youngest that there are. A cluster that does not say so is taken for young.
    fn ran_longest(&self, workload: &Workload, name: &ClusterName) -> bool {
        let age = |seat: &SeatState| {
            let (ready_for, reported) = seat.ready_for;
            ready_for + self.now.time.since(reported)
        };
        let ready = workload.seats.iter().filter(|(other, seat)| self.reporting(other) && seat.ready() > 0);
        let (own, others): (Vec<_>, Vec<_>) = ready.partition(|(other, _)| *other == name);
        let youngest = others.into_iter().map(|(_, seat)| age(seat)).min();
        own.first().is_some_and(|(_, seat)| youngest.is_none_or(|youngest| age(seat) > youngest))
    }

    /// A cluster may be able to take more than before: replicas that it had to give may go back to it (S13).
    pub(crate) fn ways_back_open(&mut self, name: &ClusterName) {
        // A drain may have taken thousands, and each report of its cluster comes here.
        if self.returning_policies == 0 {
            return;
        }
        let Some(uids) = self.displaced.get(name).cloned() else { return };
        for uid in uids {
            let waits = self.workloads.get(&uid).is_some_and(|workload| workload.fail_back_at.is_some());
            match self.fail_back_of(uid) {
                FailBack::Never => {}
                FailBack::Immediate if !self.may_get_back(uid, name) => {}
                // It is planned for another reason: after that it has its turn.
                FailBack::Immediate if self.dirty.contains_key(&uid) => {
                    self.fail_back_at(uid, self.now.time + self.config.heartbeat / 2);
                }
                FailBack::Immediate => {
                    self.dirty.insert(uid, Reason::FailedBack(name.clone()));
                }
                FailBack::Gradual if waits => {}
                FailBack::Gradual => self.await_fail_back(uid),
            }
        }
    }

    /// What a workload's policy says about the way back.
    fn fail_back_of(&self, uid: Uid) -> FailBack {
        let policy = self.workloads.get(&uid).and_then(|one| self.policies.get(&one.record.policy));
        let policy = policy.map(|policy| &policy.policy);
        let policy = policy.filter(|policy| lets_return(policy));
        policy.map_or(FailBack::Never, |policy| policy.placement.motion.fail_back)
    }

    /// Wakes up when the first cluster that a workload may go back to has been stable for long enough.
    fn await_fail_back(&mut self, uid: Uid) {
        let Some(workload) = self.workloads.get(&uid) else { return };
        let stable = |name: &ClusterName| {
            Some(self.clusters.get(name)?.health.stable_since? + self.config.fail_back_after)
        };
        let first = workload.record.displaced.keys().filter_map(stable).min();
        if let Some(at) = first {
            self.fail_back_at(uid, at.max(self.now.time + self.config.fail_back_pause));
        }
    }

    fn fail_back_at(&mut self, uid: Uid, at: Time) {
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.fail_back_at = Some(at);
            self.wake_at(at, Timer::FailBack(uid));
        }
    }

    /// The time for the next step back has come. A gradual one waits for what moves already, and for clusters to be stable.
    pub(crate) fn fail_back_due(&mut self, uid: Uid) {
        let now = self.now.time;
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if workload.fail_back_at.is_none_or(|at| at > now) {
            return;
        }
        workload.fail_back_at = None;
        let (moving, frozen) = (!workload.migrations.is_empty(), self.federation.freeze.is_some());
        let wait = match self.fail_back_of(uid) {
            FailBack::Never => return,
            FailBack::Gradual if moving || frozen => {
                return self.fail_back_at(uid, now + self.config.fail_back_pause);
            }
            FailBack::Gradual => self.config.fail_back_after,
            FailBack::Immediate => Duration::ZERO,
        };
        let stable = |name: &&ClusterName| {
            let since = self.clusters.get(*name).and_then(|cluster| cluster.health.stable_since);
            since.is_some_and(|since| now.since(since) >= wait)
        };
        let displaced = self.workloads.get(&uid).into_iter().flat_map(|one| one.record.displaced.keys());
        let (stable, young): (Vec<_>, Vec<_>) = displaced.partition(stable);
        match stable.into_iter().find(|name| self.may_get_back(uid, name)).cloned() {
            Some(name) => {
                self.dirty.entry(uid).or_insert(Reason::FailedBack(name));
            }
            // Those that are stable have no room now: when they have, they say so.
            None => {
                let stable = |name: &ClusterName| Some(self.clusters.get(name)?.health.stable_since? + wait);
                if let Some(at) = young.into_iter().filter_map(stable).min() {
                    self.fail_back_at(uid, at);
                }
            }
        }
    }

    /// After a step back there is another, as long as something is left to go.
    pub(crate) fn next_step_back(&mut self, uid: Uid) {
        let left = self.workloads.get(&uid).is_some_and(|workload| !workload.record.displaced.is_empty());
        if left && self.fail_back_of(uid) == FailBack::Gradual {
            self.fail_back_at(uid, self.now.time + self.config.fail_back_pause);
        }
    }

    /// Whether a cluster could take something back: nothing keeps it from growing, and there is room.
    fn may_get_back(&self, uid: Uid, name: &ClusterName) -> bool {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.reporting()) else {
            return false;
        };
        let room = crate::batch::room_left(self, cluster);
        self.takes_more(uid, name, &room, &mut BTreeMap::new())
    }

    /// What a plan for this reason gives back, and to whom.
    pub(crate) fn back<'a>(&self, workload: &Workload, reason: &'a Reason) -> Option<Back<'a>> {
        let (cluster, replicas) = if let Reason::Returned(name) = reason {
            (name, self.surviving(workload, name))
        } else if let Reason::FailedBack(name) = reason {
            (name, self.step_back(workload, name))
        } else {
            return None;
        };
        Some(Back { cluster, replicas })
    }

    /// How many replicas go back to a cluster in one step.
    fn step_back(&self, workload: &Workload, name: &ClusterName) -> u32 {
        let displaced = workload.record.displaced.get(name).copied().unwrap_or(0);
        match self.fail_back_of(workload.record.uid) {
            FailBack::Never => 0,
            FailBack::Gradual => {
                let wanted = u64::from(workload.record.wanted);
                let step = (wanted * u64::from(self.config.fail_back_percent)).div_ceil(100).max(1);
                displaced.min(u32::try_from(step).unwrap_or(u32::MAX))
            }
            FailBack::Immediate => displaced,
        }
    }

    /// The workloads that had to leave something where they were, by cluster, out of the records.
    pub(crate) fn relate_displaced(&mut self) {
        let mut index: BTreeMap<ClusterName, BTreeSet<Uid>> = BTreeMap::new();
        for (uid, workload) in self.workloads.iter() {
            for name in workload.record.displaced.keys() {
                index.entry(name.clone()).or_default().insert(*uid);
            }
        }
        *self.displaced = index;
    }

    /// What a workload had to leave, as it is shown.
    pub(crate) fn displaced_view(&self, workload: &Workload) -> Vec<(ClusterName, u32)> {
        workload.record.displaced.iter().map(|(name, replicas)| (name.clone(), *replicas)).collect()
    }
}

/// Whether replicas go back by themselves under a policy. Where they move for balance, that is the way back.
pub(crate) fn lets_return(policy: &Policy) -> bool {
    let moves = policy.placement.rebalance != Rebalance::Never;
    !moves && gives_back(policy) && policy.placement.motion.fail_back != FailBack::Never
}

/// Whether a cluster is given back what it had under a policy at all. Where the first group that can hold all is used, or
/// every cluster runs the full number, that is said already.
fn gives_back(policy: &Policy) -> bool {
    policy.placement.fallback.is_empty() && policy.placement.strategy != Strategy::Duplicate
}
