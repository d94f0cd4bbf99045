//! The router: who sends traffic where the hub says, and says in turn when none goes any more to what is about to stop
//! (S20). It is slow, it is away for a while, and sometimes it speaks of what is over.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, WorkloadId};
use godwit_hub_core::{Command, Key, WithdrawalId};

use crate::clock::Cx;
use crate::happening::Happening;
use crate::world::{World, cx};

/// How long it takes to route traffic away, in milliseconds.
const TAKES: (u64, u64) = (0, 8_000);
/// How long it is away.
const AWAY: (u64, u64) = (5_000, 90_000);
const AWAY_ONE_IN: u64 = 60;

/// What it knows.
#[derive(Debug, Default)]
pub struct Router {
    /// The most milliseconds between two looks; zero for never.
    pub every: u64,
    away_until: u64,
    /// What it has heard of, and when it says that it is done.
    heard: BTreeMap<(WorkloadId, ClusterName), (WithdrawalId, u64)>,
}

impl World {
    /// From now on somebody routes traffic.
    pub fn begin_router(&mut self, every: u64) {
        self.router.every = every;
        cx!(self).after((0, every), Happening::Route);
    }

    pub(crate) fn route(&mut self) {
        cx!(self).after((1, self.router.every), Happening::Route);
        if self.now < self.router.away_until {
            return;
        }
        // Once everything is put right, it is there.
        if !self.operator.winds_up && self.rng.one_in(AWAY_ONE_IN) {
            self.router.away_until = self.now + AWAY.0 + self.rng.below(AWAY.1 - AWAY.0);
            return self.note(|| "the router is away".to_owned());
        }
        for (workload, cluster, withdrawal) in self.withdrawals() {
            let key = (workload.clone(), cluster.clone());
            let known = self.router.heard.get(&key).copied();
            let Some((heard, due)) = known.filter(|(heard, _)| *heard == withdrawal) else {
                let due = self.now + TAKES.0 + self.rng.below(TAKES.1);
                self.router.heard.insert(key, (withdrawal, due));
                if let Some((over, _)) = known.filter(|_| self.rng.one_in(8)) {
                    self.acknowledge(workload, cluster, Some(over));
                }
                continue;
            };
            if due <= self.now {
                let named = (!self.rng.one_in(8)).then_some(heard);
                self.acknowledge(workload, cluster, named);
            }
        }
    }

    fn acknowledge(&mut self, workload: WorkloadId, cluster: ClusterName, withdrawal: Option<WithdrawalId>) {
        self.command(0, Command::Acknowledge { workload, cluster, withdrawal });
    }

    /// What the hub shows of what is about to stop.
    fn withdrawals(&self) -> Vec<(WorkloadId, ClusterName, WithdrawalId)> {
        let Some(core) = &self.hubs[0].core else { return Vec::new() };
        let workloads = self.hubs[0].store.keys().filter_map(|key| match key {
            Key::Workload(uid) => core.workload(*uid),
            Key::Federation | Key::Policy(_) | Key::Seat(..) | Key::Object(_) | Key::ObjectRow(..) => None,
            Key::Ended(_) | Key::Cluster(_) | Key::Migration(_) | Key::Journal(_) => None,
            Key::Request(_) | Key::Quota(_) | Key::Retired(_) | Key::Revision(..) => None,
            Key::Token(_) | Key::Revocation(_) | Key::RoleBinding(_) | Key::Issuer(_) => None,
        });
        let rows = workloads.flat_map(|view| {
            let id = view.id;
            view.placements.into_iter().map(move |row| (id.clone(), row))
        });
        rows.filter_map(|(id, row)| Some((id, row.cluster, row.withdrawal?.id))).collect()
    }
}
