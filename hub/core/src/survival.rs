//! Survivability: whether the fleet could take over what each single cluster holds (N-1). It is found out by the very
//! planner that would decide it, again whenever something has changed that may matter; one cluster at a time, so that it
//! never holds up what is urgent.

use std::time::Duration;

use godwit_common::{ClusterName, WallTime, WorkloadId};

use crate::contract::{ClusterState, Severity, Subject, Survival, WhatIf};
use crate::hub::{Hub, Timer};

/// Between two checks there is at least this.
const PAUSE: Duration = Duration::from_secs(1);
/// And this for each workload that the last one looked at: checks take a few percent of the time at most.
const PAUSE_EACH: Duration = Duration::from_millis(1);
/// How many of the workloads that would not fit are named.
const EXAMPLES_MAX: usize = 10;

/// What is known of one cluster's loss.
#[derive(Debug, Clone, Default)]
pub(crate) struct Known {
    /// The number of the last change of the fleet that it takes into account; zero before the first check.
    as_of: u64,
    pub(crate) survival: Option<Survival>,
}

impl Hub {
    /// Something has changed that may decide whether a loss could be survived.
    pub(crate) fn fleet_changed(&mut self) {
        self.fleet_changes += 1;
        if !self.checking_survival {
            self.checking_survival = true;
            self.wake_at(self.now.time + PAUSE, Timer::Survival);
        }
    }

    /// Looks at the cluster whose answer is the oldest, if any is out of date.
    pub(crate) fn check_survival(&mut self) {
        self.checking_survival = false;
        let stale = self.clusters.iter().filter(|(_, cluster)| cluster.known.as_of < self.fleet_changes);
        let oldest = stale.min_by_key(|(_, cluster)| cluster.known.as_of).map(|(name, _)| name.clone());
        let Some(name) = oldest else { return };
        let looked_at = self.check_one(&name);
        self.checking_survival = true;
        let pause = PAUSE.max(PAUSE_EACH.saturating_mul(looked_at));
        self.wake_at(self.now.time + pause, Timer::Survival);
    }

    fn check_one(&mut self, name: &ClusterName) -> u32 {
        let (as_of, checked) = (self.fleet_changes, self.now.wall);
        let Some(cluster) = self.clusters.get(name) else { return 0 };
        let looked_at = cluster.tally.workloads;
        // What is lost already has moved, or waits: there is nothing left to survive.
        let member = match cluster.health.state {
            ClusterState::Ready | ClusterState::Suspect | ClusterState::Returning | ClusterState::Unknown => {
                true
            }
            ClusterState::Lost | ClusterState::Joining => false,
        };
        let survival = member.then(|| self.after_loss(name, checked));
        self.note_survival(name, survival, as_of);
        looked_at
    }

    /// What would become of what a cluster holds.
    fn after_loss(&self, name: &ClusterName, checked: WallTime) -> Survival {
        let mut copy = self.clone();
        copy.suppose(&WhatIf { lose: [name.clone()].into(), ..WhatIf::default() });
        let mut survival = Survival { unplaced: 0, workloads: 0, examples: Vec::new(), checked };
        for change in copy.all_plan_changes() {
            let short = change.pending_after.saturating_sub(change.pending_before);
            if short == 0 || self.runs_in_every(&change.id) {
                continue;
            }
            survival.unplaced += u64::from(short);
            survival.workloads += 1;
            if survival.examples.len() < EXAMPLES_MAX {
                survival.examples.push((change.id, short));
            }
        }
        survival
    }

    /// Whether each chosen cluster runs the full number of a workload: then none makes up for another.
    fn runs_in_every(&self, id: &WorkloadId) -> bool {
        let workload = self.ids.get(id).and_then(|uid| self.workloads.get(uid));
        workload.is_some_and(|workload| self.is_duplicated(&workload.record))
    }

    fn note_survival(&mut self, name: &ClusterName, survival: Option<Survival>, as_of: u64) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        let before = std::mem::replace(&mut cluster.known, Known { as_of, survival });
        let short = |survival: &Option<Survival>| survival.as_ref().is_some_and(|known| known.unplaced > 0);
        let (was_short, is_short) = (short(&before.survival), short(&cluster.known.survival));
        let message = cluster.known.survival.as_ref().map(in_words);
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        match (was_short, is_short, message) {
            (false, true, Some(message)) => {
                self.note(Severity::Warning, "S14", "SurvivabilityLost", name.as_str(), message);
            }
            (true, false, Some(_)) => {
                let message = "if it were lost now, everything would find room elsewhere";
                self.note(Severity::Normal, "S14", "SurvivabilityRegained", name.as_str(), message);
            }
            (_, _, _) => {}
        }
    }
}

fn in_words(survival: &Survival) -> String {
    let named: Vec<String> =
        survival.examples.iter().map(|(id, replicas)| format!("{replicas} of {id}")).collect();
    let Survival { unplaced, workloads, .. } = survival;
    format!(
        "if it were lost now, {unplaced} replicas of {workloads} workloads would find no room: {}",
        named.join(", ")
    )
}
