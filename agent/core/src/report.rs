//! What the hub is told of the cluster (S11, S25): differences from what it was told last, so that however long it could
//! not be reached, and however much happened, the next report is as large as what is different now.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{COUNT_MAX, Capacity, Edit, Report, Status, TEXT_MAX};
use godwit_common::{Generation, Need, NeedStatus, Time, Uid, WorkloadId, WorkloadKind};

use crate::Config;
use crate::needs::Needs;
use crate::rows::{Row, Rows};
use crate::view::{Touched, View};

/// In a report of more rows than this, problems are cut to [`SHORT_TEXT_MAX`], so that trouble everywhere at once does not
/// make it many times larger.
const FULL_TEXT_ROWS_MAX: usize = 10_000;
const SHORT_TEXT_MAX: usize = 96;

/// What may read differently than it was told.
#[derive(Debug, Default)]
pub(crate) struct Dirty {
    pub(crate) ids: BTreeSet<WorkloadId>,
    /// Removals that were completed and not told yet.
    pub(crate) removed: BTreeSet<Uid>,
    /// All workloads of these namespaces; of all of them for the empty one.
    namespaces: BTreeSet<Arc<str>>,
    needs: BTreeSet<Need>,
    /// Rows of which fields were changed by hand, and left so, or are no longer.
    pub(crate) edits: BTreeSet<Uid>,
    capacity: bool,
    urgent: bool,
}

#[derive(Debug)]
pub(crate) struct Reporter {
    interval: Duration,
    soon: Duration,
    capacity_interval: Duration,
    pub(crate) dirty: Dirty,
    /// What the hub was told, for each workload.
    told: BTreeMap<WorkloadId, Status>,
    told_reflects: Generation,
    told_capacity: Option<Capacity>,
    told_needs: BTreeMap<Need, bool>,
    told_edits: BTreeMap<Uid, Arc<str>>,
    /// The inventory of this session and reign was sent.
    opened: bool,
    last: Time,
    last_capacity: Time,
}

impl Dirty {
    /// The problem of a row changed: its workload's own, or that of the workloads which may lean on it.
    pub(crate) fn problem_of(&mut self, row: &Row) {
        match row.workload() {
            Some(id) => self.ids.insert(id),
            None => self.namespaces.insert(row.key.namespace.clone()),
        };
    }
}

impl Reporter {
    pub(crate) fn new(config: &Config) -> Self {
        Self {
            interval: config.report_interval,
            soon: config.report_soon,
            capacity_interval: config.capacity_interval,
            dirty: Dirty::default(),
            told: BTreeMap::new(),
            told_reflects: Generation::default(),
            told_capacity: None,
            told_needs: BTreeMap::new(),
            told_edits: BTreeMap::new(),
            opened: false,
            last: Time::default(),
            last_capacity: Time::default(),
        }
    }

    /// A session or a reign begins: the next report is an inventory.
    pub(crate) fn restart(&mut self) {
        self.opened = false;
    }

    /// Takes note of what a watch has changed. Workloads that are not ours only take room.
    pub(crate) fn touched(&mut self, touched: Touched, view: &View, rows: &Rows) {
        let ours = |id: &WorkloadId| {
            view.workload(id).is_some() || rows.workload(id).is_some() || self.told.contains_key(id)
        };
        self.dirty.ids.extend(touched.workloads.into_iter().filter(ours));
        self.dirty.capacity |= touched.capacity;
        self.dirty.urgent |= touched.readiness;
    }

    /// It is news whether a need is met. Replicas may be waiting for it: it is as urgent as readiness.
    pub(crate) fn need_changed(&mut self, need: Need) {
        self.dirty.needs.insert(need);
        self.dirty.urgent = true;
    }

    /// The hub cannot be expected to remember what it was told of a need.
    pub(crate) fn forget_need(&mut self, need: &Need) {
        self.told_needs.remove(need);
    }

    /// The report that is due, if any.
    pub(crate) fn pop(&mut self, now: Time, view: &View, rows: &Rows, needs: &Needs) -> Option<Report> {
        if !self.opened {
            self.opened = true;
            return Some(self.inventory(now, view, rows, needs));
        }
        self.expand(view, rows);
        if self.due(rows).is_none_or(|due| due > now) {
            return None;
        }
        let report = self.changes(now, view, rows, needs);
        let rows_empty = report.statuses.is_empty() && report.removed.is_empty() && report.needs.is_empty();
        let empty = rows_empty && report.edits.is_empty() && report.capacity.is_none();
        (!empty || self.told_reflects != report.reflects).then(|| {
            self.told_reflects = report.reflects;
            report
        })
    }

    pub(crate) fn deadline(&self, rows: &Rows) -> Option<Time> {
        match self.opened {
            true => self.due(rows),
            false => Some(Time::default()),
        }
    }

    fn due(&self, rows: &Rows) -> Option<Time> {
        let dirty = &self.dirty;
        let statuses = !dirty.ids.is_empty() || !dirty.namespaces.is_empty();
        let others = !dirty.removed.is_empty() || !dirty.needs.is_empty() || !dirty.edits.is_empty();
        let news = statuses || others || rows.reflects() != self.told_reflects;
        let wait = if dirty.urgent { self.soon } else { self.interval };
        let news = news.then(|| self.last + wait);
        let capacity =
            dirty.capacity.then(|| (self.last_capacity + self.capacity_interval).max(self.last + self.soon));
        [news, capacity].into_iter().flatten().min()
    }

    /// All that is there; what it does not list does not exist (S11).
    fn inventory(&mut self, now: Time, view: &View, rows: &Rows, needs: &Needs) -> Report {
        let ids: BTreeSet<&WorkloadId> =
            view.workload_ids().chain(rows.workload_ids()).chain(self.told.keys()).collect();
        let status = |id: &&WorkloadId| status(now, id, view, rows, self.told.get(*id));
        let statuses: Vec<Status> = ids.iter().filter_map(status).collect();
        let capacity = view.capacity();
        let needs: Vec<NeedStatus> = needs.statuses().collect();
        self.told.clear();
        self.told.extend(statuses.iter().map(|status| (status.workload.clone(), status.clone())));
        self.told_reflects = rows.reflects();
        self.told_capacity = Some(capacity.clone());
        self.told_needs = needs.iter().map(|status| (status.need.clone(), status.met)).collect();
        let edits = rows.rows().filter(|(_, row)| !row.drift.edited.is_empty());
        self.told_edits = edits.map(|(uid, row)| (uid, row.drift.edited.clone())).collect();
        let edits = self.told_edits.iter().map(|(uid, fields)| Edit { uid: *uid, fields: fields.clone() });
        let edits = edits.collect();
        (self.last, self.last_capacity) = (now, now);
        self.dirty = Dirty::default();
        let mut report = Report {
            complete: true,
            reflects: self.told_reflects,
            statuses,
            removed: rows.graves().filter(|(_, grave)| grave.done).map(|(uid, _)| uid).collect(),
            capacity: Some(capacity),
            needs,
            edits,
        };
        cut_texts(&mut report.statuses);
        report
    }

    fn changes(&mut self, now: Time, view: &View, rows: &Rows, needs: &Needs) -> Report {
        let mut statuses = Vec::new();
        for id in std::mem::take(&mut self.dirty.ids) {
            let told = self.told.remove(&id);
            let Some(new) = status(now, &id, view, rows, told.as_ref()) else {
                statuses.extend(told.map(gone));
                continue;
            };
            // That its pods are older than before is no news.
            let same = |told: Status| Status { ready_for: new.ready_for, ..told } == new;
            if !told.is_some_and(same) {
                statuses.push(new.clone());
            }
            self.told.insert(id, new);
        }
        cut_texts(&mut statuses);
        let removed = std::mem::take(&mut self.dirty.removed).into_iter().collect();
        let needs = self.changed_needs(needs);
        let edits = self.changed_edits(rows);
        self.dirty.urgent = false;
        self.last = now;
        // Whatever calls for a report, it carries the room of the same cut.
        let capacity = std::mem::take(&mut self.dirty.capacity).then(|| view.capacity());
        let capacity = capacity.filter(|capacity| self.told_capacity.as_ref() != Some(capacity));
        if capacity.is_some() {
            self.told_capacity = capacity.clone();
            self.last_capacity = now;
        }
        Report { complete: false, reflects: rows.reflects(), statuses, removed, capacity, needs, edits }
    }

    fn changed_needs(&mut self, needs: &Needs) -> Vec<NeedStatus> {
        let mut changed = Vec::new();
        for need in std::mem::take(&mut self.dirty.needs) {
            if let Some(met) = needs.met(&need)
                && self.told_needs.insert(need.clone(), met) != Some(met)
            {
                changed.push(NeedStatus { need, met });
            }
        }
        changed
    }

    /// A row that was replaced has no fields changed by hand any more, and nobody says so.
    fn changed_edits(&mut self, rows: &Rows) -> Vec<Edit> {
        let mut uids = std::mem::take(&mut self.dirty.edits);
        uids.extend(self.told_edits.keys());
        let mut changed = Vec::new();
        for uid in uids {
            let fields = rows.edited(uid);
            let told = match &*fields {
                "" => self.told_edits.remove(&uid).unwrap_or_default(),
                _ => self.told_edits.insert(uid, fields.clone()).unwrap_or_default(),
            };
            if told != fields {
                changed.push(Edit { uid, fields });
            }
        }
        changed
    }

    /// Turns namespaces into the workloads in them.
    fn expand(&mut self, view: &View, rows: &Rows) {
        if self.dirty.namespaces.is_empty() {
            return;
        }
        let namespaces = std::mem::take(&mut self.dirty.namespaces);
        let all = namespaces.contains("");
        let ids = view.workload_ids().chain(rows.workload_ids());
        let within = ids.filter(|id| all || namespaces.contains(&id.namespace));
        self.dirty.ids.extend(within.cloned());
    }
}

/// The state of a workload now; `None` when there is nothing to say of it.
fn status(now: Time, id: &WorkloadId, view: &View, rows: &Rows, told: Option<&Status>) -> Option<Status> {
    let (object, row, tally) = (view.workload(id), rows.workload(id), view.tally(id));
    let around = rows.problem_around(id);
    let own = row.map(|(_, row)| row.problem.clone()).filter(|problem| !problem.is_empty());
    let problem = own.or(around).or_else(|| tally.and_then(|tally| tally.problem().cloned()));
    if object.is_none() {
        // What was just written will be seen in a moment; its pods may be seen even sooner.
        if told.is_none() && row.is_some_and(|(_, row)| row.written.is_some()) {
            return None;
        }
        let known = row.is_some() || told.is_some();
        let left = row.is_some_and(|(_, row)| row.drift.found.is_some());
        let worth_saying =
            left || tally.is_some() || (row.is_some() && (told.is_some() || problem.is_some()));
        if !(known && worth_saying) {
            return None;
        }
    }
    let stamp = object.and_then(|object| object.stamp);
    let uid = stamp.map(|stamp| stamp.uid).or(row.map(|(uid, _)| uid)).or(told.map(|told| told.uid));
    // Who leaves no mark on the object has no other revision there than the one that was told.
    let scaled = row.filter(|(_, row)| row.scale_only && object.is_some()).map(|(_, row)| row.revision);
    let tally = tally.cloned().unwrap_or_default();
    let mut progress = object.map(|object| object.progress).unwrap_or_default();
    if WorkloadKind::of_name(&id.kind).is_none() {
        // What a custom resource calls available, nobody has agreed on.
        progress.available = progress.available.min(tally.ready);
    }
    Some(as_it_counts(Status {
        workload: id.clone(),
        uid: uid.unwrap_or_default(),
        revision: stamp
            .map(|stamp| stamp.revision)
            .or(scaled)
            .or(told.map(|told| told.revision))
            .unwrap_or(0),
        replicas: object.and_then(|object| object.replicas).unwrap_or(0).min(COUNT_MAX),
        pods: tally.pods.min(COUNT_MAX),
        bound: tally.bound.min(COUNT_MAX),
        ready: tally.ready.min(COUNT_MAX),
        unschedulable: tally.unschedulable.min(COUNT_MAX),
        failing: tally.failing.min(COUNT_MAX),
        stranded: tally.stranded.min(COUNT_MAX),
        updated: progress.updated.min(COUNT_MAX),
        updated_ready: progress.available.min(COUNT_MAX),
        stalled: progress.stalled,
        finished: progress.finished,
        terminating: tally.terminating.min(COUNT_MAX),
        ready_for: tally.ready_for(now),
        supervised: tally.supervised.min(COUNT_MAX),
        difference: row.and_then(|(_, row)| row.drift.found),
        problem: problem.unwrap_or_default(),
        exists: object.is_some(),
    }))
}

/// What runs in one cluster only is there or not, however many pods it has (S33). A CronJob that may run is there between its
/// runs, too; one that may not is there as long as a Job of it has pods.
fn as_it_counts(status: Status) -> Status {
    let kind = WorkloadKind::of(&status.workload);
    if !kind.single() {
        return status;
    }
    let one = Status {
        pods: status.pods.min(1),
        bound: status.bound.min(1),
        ready: status.ready.min(1),
        unschedulable: status.unschedulable.min(1),
        failing: status.failing.min(1),
        stranded: status.stranded.min(1),
        terminating: status.terminating.min(1),
        ..status
    };
    match (kind, one.exists && one.replicas > 0) {
        (WorkloadKind::CronJob, true) => Status { pods: 1, bound: 1, ready: 1, unschedulable: 0, ..one },
        (WorkloadKind::CronJob, false) => Status { ready: 0, terminating: one.pods, ..one },
        (WorkloadKind::Job, _) => one,
        (WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::DaemonSet, _) => one,
    }
}

/// The last word on a workload.
fn gone(told: Status) -> Status {
    Status {
        replicas: 0,
        pods: 0,
        bound: 0,
        ready: 0,
        unschedulable: 0,
        failing: 0,
        stranded: 0,
        updated: 0,
        updated_ready: 0,
        stalled: false,
        finished: None,
        terminating: 0,
        ready_for: Duration::ZERO,
        supervised: 0,
        difference: None,
        problem: Arc::default(),
        exists: false,
        ..told
    }
}

fn cut_texts(statuses: &mut [Status]) {
    let max = match statuses.len() {
        0..=FULL_TEXT_ROWS_MAX => TEXT_MAX,
        _ => SHORT_TEXT_MAX,
    };
    for status in statuses.iter_mut().filter(|status| status.problem.len() > max) {
        let end = status.problem.floor_char_boundary(max);
        status.problem = status.problem.get(..end).unwrap_or_default().into();
    }
}
