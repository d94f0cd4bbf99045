//! A workload, and where there is anything of it.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::Charter;
use godwit_common::{ClusterName, PodShape, Time, Uid, WorkloadId};

use super::SeatState;
use crate::contract::{MigrationId, Revision, RevisionState, RolloutState, WithdrawalId, WorkloadRecord};
use crate::gates::Withdrawal;
use crate::tally::{Share, Sums};

/// A workload, and its seat in every cluster that may run it.
#[derive(Debug, Clone)]
pub(crate) struct Workload {
    /// Durable.
    pub(crate) record: WorkloadRecord,
    /// What the members keep of it for a hub that has lost its store (S10).
    pub(crate) charter: Option<Arc<Charter>>,
    /// By cluster; each of them durable in its first part.
    pub(crate) seats: BTreeMap<ClusterName, SeatState>,
    /// Over all of them.
    pub(crate) sums: Sums,
    /// Where there is anything of it: planned, told or seen. It may run in a thousand clusters, and is in few.
    pub(crate) present: Names,
    /// Where its target is below the plan, and above it: what the mover has to do (S7, S20).
    pub(crate) below: BTreeSet<ClusterName>,
    /// See `below`.
    pub(crate) above: BTreeSet<ClusterName>,
    /// What is announced to stop, by cluster (S20).
    pub(crate) withdrawals: BTreeMap<ClusterName, Withdrawal>,
    /// The last one that was acknowledged in a cluster.
    pub(crate) acknowledged: BTreeMap<ClusterName, WithdrawalId>,
    /// What was deployed, by revision; each of them durable.
    pub(crate) revisions: BTreeMap<u64, Arc<Revision>>,
    /// Where it is on the way from one revision to another (S31).
    pub(crate) rolling: BTreeSet<ClusterName>,
    /// Where it has not been told the newest revision.
    pub(crate) behind: BTreeSet<ClusterName>,
    /// Running migrations that wait for it.
    pub(crate) migrations: BTreeSet<MigrationId>,
    /// The objects whose bounds follow its replicas (S29).
    pub(crate) bounded_by: BTreeSet<Uid>,
    /// When a gradual rebalance may take its next step (S18).
    pub(crate) rebalance_at: Option<Time>,
    /// When a gradual fail-back may take its next step (S13).
    pub(crate) fail_back_at: Option<Time>,
    /// Until when clusters that have not said yet whether they have what it needs are waited for.
    pub(crate) asks_until: Option<Time>,
    /// Who gave way to it, as long as it waits (S16).
    pub(crate) preempting: BTreeSet<Uid>,
    /// How often somebody did since it waits, and when it may ask again.
    pub(crate) preemptions: u32,
    /// See `preemptions`.
    pub(crate) preempts_at: Option<Time>,
}

/// A few names of clusters, in order.
#[derive(Debug, Clone, Default)]
pub(crate) struct Names(Vec<ClusterName>);

impl Workload {
    pub(crate) fn new(record: WorkloadRecord) -> Self {
        Self {
            record,
            charter: None,
            seats: BTreeMap::new(),
            sums: Sums::default(),
            present: Names::default(),
            below: BTreeSet::new(),
            above: BTreeSet::new(),
            withdrawals: BTreeMap::new(),
            acknowledged: BTreeMap::new(),
            revisions: BTreeMap::new(),
            rolling: BTreeSet::new(),
            behind: BTreeSet::new(),
            migrations: BTreeSet::new(),
            bounded_by: BTreeSet::new(),
            rebalance_at: None,
            fail_back_at: None,
            asks_until: None,
            preempting: BTreeSet::new(),
            preemptions: 0,
            preempts_at: None,
        }
    }

    /// The seats where there is anything of it, in order of name.
    pub(crate) fn present(&self) -> impl Iterator<Item = (&ClusterName, &SeatState)> {
        self.present.iter().filter_map(|name| Some((name, self.seats.get(name)?)))
    }

    pub(crate) fn id(&self) -> &WorkloadId {
        &self.record.spec.id
    }

    pub(crate) fn shape(&self) -> &PodShape {
        &self.record.spec.pod
    }

    /// It is in a cluster no longer, and whatever is kept for that is gone with it.
    pub(crate) fn take_seat(&mut self, name: &ClusterName) -> Option<SeatState> {
        for set in [&mut self.below, &mut self.above, &mut self.rolling, &mut self.behind] {
            set.remove(name);
        }
        self.present.set(name, false);
        let seat = self.seats.remove(name)?;
        self.sums.change(seat.share, Share::default());
        Some(seat)
    }

    /// Whether the mover may have something to do for it.
    pub(crate) fn unfinished(&self) -> bool {
        !(self.below.is_empty() && self.above.is_empty() && self.migrations.is_empty())
    }

    /// Whether the same in one cluster may call for a step of its rollout (S31).
    pub(crate) fn unrolled(&self, name: &ClusterName) -> bool {
        self.rolling.contains(name) || self.behind.contains(name) || self.rolls()
    }

    /// Whether its newest revision is on its way.
    pub(crate) fn rolls(&self) -> bool {
        let state = self.record.rollout.as_ref().map(|rollout| rollout.state);
        state == Some(RolloutState::Running)
    }

    /// What is known of one of its revisions.
    pub(crate) fn state_of(&self, revision: u64) -> RevisionState {
        self.record.history.get(&revision).copied().unwrap_or(RevisionState::New)
    }

    pub(crate) fn placed(&self) -> u32 {
        self.sums.placed()
    }
}

impl Names {
    pub(crate) fn iter(&self) -> impl Iterator<Item = &ClusterName> {
        self.0.iter()
    }

    /// Puts a name in, or takes it out.
    pub(crate) fn set(&mut self, name: &ClusterName, is_in: bool) {
        match (self.0.binary_search(name), is_in) {
            (Err(place), true) => self.0.insert(place, name.clone()),
            (Ok(place), false) => drop(self.0.remove(place)),
            (Ok(_), true) | (Err(_), false) => {}
        }
    }
}
