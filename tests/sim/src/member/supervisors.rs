//! Supervisors in pods (S9): each asks the agents of its cluster whether its process may run, and for how long; starts it
//! when it may, and ends it when it may no longer, without anybody's help.

use std::collections::BTreeSet;
use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::PodPhase;
use godwit_common::{Time, Uid, WorkloadId};

use super::{Member, Pod};
use crate::clock::{Clock, Cx};
use crate::happening::Happening;

/// How often a supervisor asks.
const ASKS: (u64, u64) = (800, 2_500);
/// How long a process may take to end, in milliseconds: what manifests say.
pub const GRACE: u64 = 6_000;

/// A supervisor, and its process.
#[derive(Debug, Clone)]
pub struct Supervisor {
    clock: Clock,
    /// Until when its process may run, on its own clock.
    until: Time,
    process: Process,
}

#[derive(Debug, Clone, Copy, PartialEq, Eq)]
enum Process {
    /// It may not run, or has not started.
    Waits,
    Runs,
    /// It was told to end.
    Ends,
}

impl Supervisor {
    /// Whether its process is there.
    pub(super) fn runs(&self) -> bool {
        match self.process {
            Process::Waits => false,
            Process::Runs | Process::Ends => true,
        }
    }

    /// Whether its process serves.
    pub(super) fn serves(&self) -> bool {
        self.process == Process::Runs
    }
}

impl Member {
    /// A pod's container has started: its supervisor begins to ask.
    pub(super) fn supervisor_starts(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        let clock = Clock::careless(cx.now, cx.rng);
        let Some(pod) = self.pods.get_mut(name).filter(|pod| pod.supervisor.is_none()) else { return };
        pod.supervisor = Some(Supervisor { clock, until: Time::default(), process: Process::Waits });
        cx.after((1, 200), Happening::SupervisorAsks { cluster: self.index, pod: name.clone() });
    }

    /// A supervisor's question, unless it can ask nobody: for which life, and when, on its own clock.
    pub(crate) fn supervisor_asks(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) -> Option<(Uid, Time)> {
        let pod = self.pods.get(name)?;
        let (life, asked) = (pod.life?, pod.supervisor.as_ref()?.clock.read(cx.now));
        cx.after(ASKS, Happening::SupervisorAsks { cluster: self.index, pod: name.clone() });
        let alone = self.has_failed_node(name) || self.is_asleep(name);
        (!alone).then_some((life, asked))
    }

    /// A supervisor hears how long its process may run, counted from when it asked. The life of a process that starts by
    /// this.
    pub(crate) fn supervisor_hears(
        &mut self,
        cx: &mut Cx<Happening>,
        name: &Arc<str>,
        asked: Time,
        lasts: Duration,
    ) -> Option<(WorkloadId, Uid)> {
        if self.has_failed_node(name) || self.is_asleep(name) || !self.registry {
            return None;
        }
        let pod = self.pods.get_mut(name)?;
        let waits = pod.seen.phase == PodPhase::Running && !pod.seen.terminating;
        let started = (pod.seen.owner.clone()?, pod.life?);
        let supervisor = pod.supervisor.as_mut()?;
        supervisor.until = supervisor.until.max(asked + lasts);
        let ends = Happening::LeaseEnds { cluster: self.index, pod: name.clone() };
        cx.queue.push(supervisor.clock.moment(supervisor.until).max(cx.now), ends);
        let lease = supervisor.clock.read(cx.now) < supervisor.until;
        if !(waits && lease && supervisor.process == Process::Waits) {
            return None;
        }
        supervisor.process = Process::Runs;
        self.set_ready(cx, name, true);
        Some(started)
    }

    /// The lease of a process may have ended: then it is told to end.
    pub(crate) fn lease_ends(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        if self.is_asleep(name) {
            return;
        }
        let full = cx.rng.one_in(2);
        let takes = if full { GRACE } else { cx.rng.below(GRACE) };
        let Some(supervisor) = self.pods.get_mut(name).and_then(|pod| pod.supervisor.as_mut()) else {
            return;
        };
        if supervisor.process != Process::Runs || supervisor.clock.read(cx.now) < supervisor.until {
            return;
        }
        supervisor.process = Process::Ends;
        let end = supervisor.clock.moment(supervisor.until + Duration::from_millis(takes)).max(cx.now);
        cx.queue.push(end, Happening::ProcessEnds { cluster: self.index, pod: name.clone() });
        self.set_ready(cx, name, false);
    }

    /// A process that was told to end has done so, or is killed.
    pub(crate) fn process_ends(&mut self, name: &Arc<str>) {
        if self.is_asleep(name) {
            return;
        }
        let supervisor = self.pods.get_mut(name).and_then(|pod| pod.supervisor.as_mut());
        if let Some(supervisor) = supervisor.filter(|supervisor| supervisor.process == Process::Ends) {
            supervisor.process = Process::Waits;
        }
    }

    /// A node is suspended: nothing runs there, and no clock stops.
    pub(crate) fn suspend_node(&mut self, cx: &mut Cx<Happening>, node: &Arc<str>) {
        self.asleep.insert(node.clone());
        self.stop_node(cx, node);
    }

    /// A node runs on. What should have ended long ago does so before it does anything else.
    pub(super) fn wake_node(&mut self, cx: &mut Cx<Happening>, node: &Arc<str>) {
        if !self.asleep.remove(node) {
            return;
        }
        let names: BTreeSet<Arc<str>> = self.pods_on(node).into_iter().collect();
        for name in names {
            let Some(pod) = self.pods.get_mut(&name) else { continue };
            let Some(supervisor) = pod.supervisor.as_mut() else { continue };
            let overdue = supervisor.until + Duration::from_millis(GRACE) <= supervisor.clock.read(cx.now);
            if overdue {
                supervisor.process = Process::Waits;
                self.set_ready(cx, &name, false);
            } else if supervisor.process == Process::Ends {
                let end = supervisor.clock.moment(supervisor.until + Duration::from_millis(GRACE));
                cx.queue.push(end, Happening::ProcessEnds { cluster: self.index, pod: name });
            } else {
                self.lease_ends(cx, &name);
            }
        }
    }

    /// How many processes of a life of a workload run under supervisors.
    pub fn processes(&self, id: &WorkloadId, life: Uid) -> u32 {
        let runs = |pod: &&Pod| {
            let supervisor = pod.supervisor.as_ref().filter(|_| pod.life == Some(life));
            supervisor.is_some_and(Supervisor::runs) && !self.is_asleep(&pod.seen.name)
        };
        u32::try_from(self.pods_of(id).filter(runs).count()).unwrap_or(u32::MAX)
    }

    /// The same, with those of pods that have no supervisor.
    pub fn running(&self, id: &WorkloadId, life: Uid) -> u32 {
        let plain = |pod: &&Pod| {
            let started = pod.seen.phase == PodPhase::Running;
            started && !pod.seen.supervised && pod.life == Some(life) && !self.is_asleep(&pod.seen.name)
        };
        let plain = u32::try_from(self.pods_of(id).filter(plain).count()).unwrap_or(u32::MAX);
        plain.saturating_add(self.processes(id, life))
    }

    fn is_asleep(&self, pod: &Arc<str>) -> bool {
        let node = self.pods.get(pod).and_then(|pod| pod.seen.node.as_ref());
        node.is_some_and(|node| self.asleep.contains(node))
    }
}
