//! Views: plain copies for the shell to show (S14, S28, S30).

use std::borrow::Cow;
use std::sync::Arc;

use godwit_common::link::{Status, Tombstoned};
use godwit_common::{ClusterName, PolicyName, Resources, Uid, WorkloadId};

use crate::ask::Ask;
use crate::batch::Batch;
use crate::contract::{
    ClusterView, Ended, FederationView, MigrationId, MigrationState, OrphanView, PlacementView, PlanView,
    PolicyView, RetiredRecord, RolloutView, Seat, WorkloadView,
};
use crate::hub::Hub;
use crate::progress::paused;
use crate::state::{Cluster, SeatState, Workload};

/// Where a workload has a seat in one of so many clusters, walking over all of them finds its clusters sooner than looking
/// each of them up.
const WALK: usize = 8;

/// A seat of a workload, as it is shown.
struct Shown<'a> {
    name: &'a ClusterName,
    seat: &'a SeatState,
    cluster: &'a Cluster,
}

impl Hub {
    /// The federation as a whole.
    pub fn federation(&self) -> FederationView {
        let freeze = self.federation.freeze.clone();
        let mut retired: Vec<RetiredRecord> = self.retired.values().cloned().collect();
        retired.sort_by_key(|retired| std::cmp::Reverse(retired.entry));
        FederationView {
            retired,
            tokens: self.shown_tokens(),
            revocations: self.shown_revocations(),
            roles: Arc::clone(&self.roles),
            issuers: Arc::clone(&self.issuers),
            uid: self.federation.uid,
            epoch: self.federation.epoch,
            alarms: freeze
                .iter()
                .map(|freeze| freeze.message.to_string())
                .chain(self.recovery_alarms())
                .collect(),
            freeze,
        }
    }

    /// A member cluster; none if it is not a member.
    pub fn cluster(&self, name: &ClusterName) -> Option<ClusterView> {
        let cluster = self.clusters.get(name)?;
        let (health, record) = (&cluster.health, &cluster.record);
        let capacity = cluster.capacity.clone().unwrap_or_default();
        let mut free = Resources::default();
        for class in &capacity.classes {
            free.add(&class.free, u64::from(class.nodes));
        }
        let tally = &cluster.tally;
        Some(ClusterView {
            name: name.clone(),
            uid: record.uid,
            claimant: cluster.claimant,
            state: health.state,
            reason: health.reason.clone(),
            since: health.since,
            agents: count(cluster.sessions.len()),
            leader: cluster.leader.as_ref().map_or_else(|| "".into(), |leader| leader.instance.clone()),
            traits: record.traits.clone(),
            taints: record.taints.clone(),
            cordoned: record.cordoned,
            drain: self.drain_view(cluster),
            maintenance: record.maintenance,
            awaited: record.awaited,
            dead: record.dead,
            unaccounted: if cluster.reporting() { 0 } else { self.unaccounted(name).0 },
            gate: self.gate_of_cluster(cluster),
            degraded: self.degraded_because(cluster).unwrap_or_default(),
            flapping: self.flapping_view(cluster),
            survival: cluster.known.survival.clone(),
            nodes: capacity.nodes,
            nodes_ready: capacity.nodes_ready,
            allocatable: capacity.allocatable,
            free,
            unmanaged: capacity.unmanaged,
            workloads: tally.workloads,
            replicas: tally.replicas,
            ready: if cluster.reporting() { tally.ready } else { 0 },
            generation: record.generation,
            accepted: cluster.leader.as_ref().map_or_else(Default::default, |leader| leader.accepted),
            last_seen: health.seen,
            removals_held: tally.held_back,
            orphans: cluster.orphans.values().map(orphan).collect(),
            lost_after: self.windows_of(name).first().copied().unwrap_or(self.config.lost_after),
        })
    }

    /// A workload, live or ending; none if it is gone.
    pub fn workload(&self, uid: Uid) -> Option<WorkloadView> {
        if let Some(workload) = self.workloads.get(&uid) {
            return Some(self.live_workload(workload));
        }
        let ended = self.ended.get(&uid)?;
        let pending_on = self.end_pending_on(ended);
        if pending_on.is_empty() { None } else { ending_workload(ended, pending_on) }
    }

    fn live_workload(&self, workload: &Workload) -> WorkloadView {
        let record = &workload.record;
        let (mut placements, mut problems) = (Vec::with_capacity(workload.seats.len()), Vec::new());
        // It may be on many ways, and in a thousand clusters.
        let is_held = self.is_held(workload);
        for Shown { name, seat, cluster } in self.shown(workload) {
            let live = cluster.reporting();
            let seen = seat.seen.as_ref();
            let reported = seen.filter(|_| live);
            placements.push(PlacementView {
                cluster: name.clone(),
                target: seat.seat.placed,
                sent: seat.seat.target,
                observed: seat.pods(),
                ready: reported.map_or(0, |seen| seen.ready),
                revision: seat.seat.revision,
                updated: reported.map_or(0, |seen| seen.updated),
                updated_ready: reported.map_or(0, |seen| seen.updated_ready),
                reason: self.standing_at(cluster, seat, workload, is_held),
                live,
                lost: self.lost_to(workload, cluster),
                serving: if live { workload.serving(name, seat) } else { 0 },
                withdrawal: self.withdrawal(workload, name).map(Box::new),
                drift: seat.drifted().filter(|_| live).map(|(difference, _)| difference),
                edited: if live { self.edited(workload, cluster) } else { Arc::default() },
            });
            if let Some(seen) = seen.filter(|seen| !seen.problem.is_empty()) {
                problems.push(format!("{name}: {}", seen.problem));
            }
        }
        // Beyond its plan there is something only there.
        let unseen = |name: &ClusterName| {
            let live = self.clusters.get(name).is_some_and(|cluster| cluster.live());
            let seat = workload.seats.get(name).filter(|_| !live);
            seat.map_or(0, |seat| seat.seat.target.saturating_sub(seat.seat.placed))
        };
        let halted = |id: &MigrationId| {
            let migration = &self.migrations.get(id)?.migration;
            (migration.state == MigrationState::Paused).then(|| paused(*id))
        };
        problems.extend(workload.migrations.iter().filter_map(halted));
        WorkloadView {
            id: record.spec.id.clone(),
            uid: record.uid,
            labels: record.spec.labels.clone(),
            replicas: record.spec.replicas,
            wanted: record.wanted,
            ready: self.ready(workload),
            pending: record.pending,
            pending_reasons: record.pending_reasons.clone(),
            policy: Some(record.policy.clone()),
            scale_only: record.spec.scale_only,
            leader: record.leader.clone(),
            rollout: self.rollout_view(workload),
            placements,
            displaced: self.displaced_view(workload),
            gate: self.gate_of_workload(workload),
            possible_over_run: match self.is_duplicated(record) || self.is_at_most(record) {
                // Nothing replaces what a lost cluster may still run.
                true => 0,
                false => workload.above.iter().map(unseen).fold(0, u32::saturating_add),
            },
            finished: record.finished,
            deleting: false,
            deletion_pending_on: Vec::new(),
            objects: record
                .objects
                .iter()
                .filter_map(|uid| Some(self.objects.get(uid)?.record.key.to_string()))
                .collect(),
            problems,
            created: record.created,
        }
    }

    /// The seats of a workload with their clusters, in order of name. Where it has a seat in most of them, one walk finds
    /// all.
    fn shown<'a>(&'a self, workload: &'a Workload) -> impl Iterator<Item = Shown<'a>> {
        let walks = workload.seats.len() * WALK >= self.clusters.len();
        let mut clusters = self.clusters.iter();
        workload.seats.iter().filter_map(move |(name, seat)| {
            let cluster = match walks {
                true => clusters.find(|(other, _)| *other == name).map(|(_, cluster)| cluster),
                false => self.clusters.get(name),
            };
            Some(Shown { name, seat, cluster: cluster? })
        })
    }

    /// Where a seat stands on the way to its target, in a few words; what decided the target is in the plan.
    pub(crate) fn standing(
        &self,
        name: &ClusterName,
        seat: &SeatState,
        workload: &Workload,
    ) -> Cow<'static, str> {
        let cluster = self.clusters.get(name);
        cluster.map_or_else(Cow::default, |cluster| {
            self.standing_at(cluster, seat, workload, self.is_held(workload))
        })
    }

    fn standing_at(
        &self,
        cluster: &Cluster,
        seat: &SeatState,
        workload: &Workload,
        is_held: bool,
    ) -> Cow<'static, str> {
        let name = &cluster.record.name;
        let Seat { placed, target, .. } = seat.seat;
        if is_held {
            let held = self.held(workload, name);
            let stands = held.starts > 0 && held.starts == placed.saturating_sub(target) || held.stops > 0;
            if let Some(migration) = self.held_by(workload, name).filter(|_| stands) {
                return Cow::Owned(paused(migration));
            }
        }
        let differs = seat.drifted().is_some() || !cluster.edits.is_empty();
        let differs = differs && placed == target && cluster.reporting();
        let drift = if differs { self.standing_of_drift(workload, name) } else { None };
        drift.unwrap_or_else(|| Cow::Borrowed(self.standing_of_moving(cluster, seat, workload)))
    }

    fn standing_of_moving(&self, cluster: &Cluster, seat: &SeatState, workload: &Workload) -> &'static str {
        let name = &cluster.record.name;
        let Some(policy) = self.policies.get(&workload.record.policy) else { return "" };
        let Seat { placed, target, .. } = seat.seat;
        if cluster.lost_for(policy.policy.lost_after) {
            return if target > 0 { "cluster lost: copies may still run" } else { "cluster lost" };
        }
        match (cluster.live(), cluster.reporting()) {
            (false, _) => "cluster away: nothing moves yet",
            (true, false) => "inventory awaited",
            (true, true) if seat.held_back => "removal held back (S27)",
            (true, true)
                if target < placed
                    && (self.is_at_most(&workload.record) || self.moves_at_once(&workload.record))
                    && self.may_start(workload, name) == 0 =>
            {
                "starts when old copies have ended (S8)"
            }
            (true, true) if target < placed && self.surge_left(workload) == Some(0) => {
                "starts as others stop elsewhere: it is moved within its surge (S20)"
            }
            (true, true) if target < placed => "starts wait for the pace (S7)",
            (true, true) if workload.withdrawals.contains_key(name) => {
                "waits for traffic to be routed away (S20)"
            }
            (true, true) if target > placed => "surplus: stops when the others are ready (S20)",
            (true, true) if seat.everywhere => {
                if seat.ready() < seat.asked() {
                    "starting"
                } else {
                    ""
                }
            }
            (true, true) if seat.unschedulable() > 0 => "the cluster cannot schedule all of them (S17)",
            (true, true) if seat.unwell() => "not ready, and not just starting (S3)",
            (true, true) if seat.ready() < placed => "starting",
            (true, true) if seat.pods() > placed => "stopping",
            (true, true) => "",
        }
    }

    /// A policy; none if there is none of the name.
    pub fn policy(&self, name: &PolicyName) -> Option<PolicyView> {
        let state = self.policies.get(name)?;
        Some(PolicyView { policy: state.policy.clone(), workloads: count(state.users.len()) })
    }

    /// The plan in force for a workload, with what decided each share.
    pub fn plan(&self, id: &WorkloadId) -> Option<PlanView> {
        let workload = self.workloads.get(self.ids.get(id)?)?;
        let record = &workload.record;
        let policy = &self.policies.get(&record.policy)?.policy;
        Some(PlanView {
            id: id.clone(),
            inputs: self.inputs(),
            replicas: record.spec.replicas,
            wanted: record.wanted,
            pending: record.pending,
            reasons: record.pending_reasons.clone(),
            policy: record.policy.clone(),
            report: Batch::new(self).explain(&Ask::of(workload, policy)),
        })
    }
}

fn ending_workload(ended: &Ended, deletion_pending_on: Vec<ClusterName>) -> Option<WorkloadView> {
    let (Tombstoned::Workload { workload, .. } | Tombstoned::Scaled { workload, .. }) = &ended.what else {
        return None;
    };
    Some(WorkloadView {
        id: workload.clone(),
        uid: ended.uid,
        labels: Default::default(),
        replicas: 0,
        wanted: 0,
        ready: 0,
        pending: 0,
        pending_reasons: Vec::new(),
        policy: None,
        scale_only: matches!(ended.what, Tombstoned::Scaled { .. }),
        leader: None,
        rollout: RolloutView::default(),
        placements: Vec::new(),
        displaced: Vec::new(),
        possible_over_run: 0,
        gate: None,
        finished: None,
        deleting: true,
        deletion_pending_on,
        objects: Vec::new(),
        problems: Vec::new(),
        created: ended.since,
    })
}

fn count(len: usize) -> u32 {
    u32::try_from(len).unwrap_or(u32::MAX)
}

fn orphan(status: &Status) -> OrphanView {
    OrphanView {
        workload: status.workload.clone(),
        uid: status.uid,
        revision: status.revision,
        pods: status.pods,
        ready: status.ready,
    }
}
