//! What a command changes: noted while it is carried out, told in its answer (S30).

use std::collections::BTreeMap;

use godwit_common::{ClusterName, Uid};

use crate::contract::{Changes, PlanChange, PlanRowView};
use crate::hub::Hub;
use crate::state::{Rank, Workload};

/// The most plans that one answer tells of, and the most counts in them; how many plans there are in all, it says beside.
const PLANS_MAX: usize = 1_000;
const COUNTS_MAX: usize = 20_000;
/// The most rows of reports in one answer; whoever is left out can be asked about on its own.
const ROWS_MAX: usize = 10_000;

/// The most clusters that all workloads of one answer name as where they are, and the most as where they go yet.
pub(crate) const NAMES_MAX: usize = 20_000;

/// What was in force before, of the workloads that have been planned since.
#[derive(Debug, Clone, Default)]
pub(crate) struct Before {
    plans: BTreeMap<Uid, Plan>,
    /// What decided each cluster's number, of the workloads that were commanded.
    pub(crate) reports: BTreeMap<Uid, Vec<PlanRowView>>,
}

#[derive(Debug, Clone)]
struct Plan {
    pending: u32,
    /// Of the clusters where something was planned.
    placed: BTreeMap<ClusterName, u32>,
}

impl Before {
    /// A workload is about to be planned otherwise.
    pub(crate) fn note(&mut self, workload: &Workload) {
        self.plan_of(workload);
    }

    /// Its number in a cluster is about to change.
    pub(crate) fn note_placed(&mut self, workload: &Workload, name: &ClusterName) {
        let placed = workload.seats.get(name).map_or(0, |seat| seat.seat.placed);
        self.plan_of(workload).placed.entry(name.clone()).or_insert(placed);
    }

    /// What decided each cluster's number for these, in their order, as far as an answer holds it.
    pub(crate) fn take_reports(
        &mut self,
        uids: impl Iterator<Item = Uid>,
    ) -> BTreeMap<Uid, Vec<PlanRowView>> {
        let mut rows = 0;
        let mut reports = std::mem::take(&mut self.reports);
        let taken = uids.filter_map(|uid| Some((uid, reports.remove(&uid)?))).take_while(|(_, report)| {
            rows += report.len();
            rows <= ROWS_MAX
        });
        taken.collect()
    }

    fn plan_of(&mut self, workload: &Workload) -> &mut Plan {
        let plan = || Plan { pending: workload.record.pending, placed: BTreeMap::new() };
        self.plans.entry(workload.record.uid).or_insert_with(plan)
    }
}

impl Hub {
    /// From now on, what changes is noted.
    pub(crate) fn note_changes(&mut self) {
        self.before = Some(Before::default());
    }

    /// What has changed since, the most urgent first, as far as an answer holds it.
    pub(crate) fn plan_changes(&self) -> Changes {
        let mut plans = self.all_plan_changes();
        let (total, mut counts) = (plans.len() as u64, 0);
        let fitting = plans.iter().take(PLANS_MAX).take_while(|change| {
            counts += change.counts.len();
            counts <= COUNTS_MAX
        });
        plans.truncate(fitting.count());
        Changes { plans, total, inputs: self.inputs() }
    }

    /// All of it.
    pub(crate) fn all_plan_changes(&self) -> Vec<PlanChange> {
        let plans = self.before.iter().flat_map(|before| &before.plans);
        let mut changes: Vec<(Rank, PlanChange)> =
            plans.filter_map(|(uid, plan)| self.change(self.workloads.get(uid)?, plan)).collect();
        changes.sort_by_key(|(rank, _)| *rank);
        changes.into_iter().map(|(_, change)| change).collect()
    }

    fn change(&self, workload: &Workload, before: &Plan) -> Option<(Rank, PlanChange)> {
        let record = &workload.record;
        let count = |(name, before): (&ClusterName, &u32)| {
            let after = workload.seats.get(name).map_or(0, |seat| seat.seat.placed);
            (*before != after).then(|| (name.clone(), *before, after))
        };
        let change = PlanChange {
            id: workload.id().clone(),
            policy: record.policy.clone(),
            counts: before.placed.iter().filter_map(count).collect(),
            pending_before: before.pending,
            pending_after: record.pending,
            reasons: record.pending_reasons.clone(),
        };
        let is_one = !change.counts.is_empty() || change.pending_before != change.pending_after;
        is_one.then(|| (self.rank_of(record), change))
    }
}
