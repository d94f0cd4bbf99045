//! What if: where everything would go if clusters were lost, drained or added, by the very planner that would decide it
//! (S30). Nothing is changed.

use std::collections::BTreeSet;

use godwit_common::{ClusterName, Uid};
use godwit_planner::Barrier;

use crate::batch::Scene;
use crate::commands::{no_cluster, refused};
use crate::contract::{ClusterRecord, ClusterState, Refused, RefusedKind, WhatIf, WhatIfView};
use crate::hub::Hub;
use crate::state::Cluster;

/// The most changes of one answer.
const CHANGES_MAX: usize = 1_000;

impl Hub {
    /// What would come of this.
    pub fn what_if(&self, what: &WhatIf) -> Result<WhatIfView, Refused> {
        let scene = self.scene_of(what)?;
        let mut changes = self.rehearse_parts(self.parts(self.concerned(what)), &scene).changes;
        let mut view = WhatIfView { workloads: changes.len() as u64, ..WhatIfView::default() };
        for change in &changes {
            let left =
                change.counts.iter().map(|(_, before, after)| u64::from(before.saturating_sub(*after)));
            view.moved += left.sum::<u64>();
            view.pending_before += u64::from(change.pending_before);
            view.pending_after += u64::from(change.pending_after);
        }
        changes.truncate(CHANGES_MAX);
        view.changes = changes;
        Ok(view)
    }

    fn scene_of(&self, what: &WhatIf) -> Result<Scene, Refused> {
        let WhatIf { lose, drain, add } = what;
        if lose.is_empty() && drain.is_empty() && add.is_empty() {
            let message = "nothing is supposed: name clusters to lose, to drain or to add";
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        let mut scene = Scene::default();
        for (names, barrier) in [(drain, Barrier::Drained), (lose, Barrier::Lost)] {
            for name in names {
                self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
                scene.emptied.insert(name.clone(), barrier.clone());
            }
        }
        for (name, like) in add {
            if self.clusters.contains_key(name) {
                let message = format!("cluster {name} is a member already: give the new one another name");
                return Err(refused(RefusedKind::AlreadyExists, message));
            }
            let model = self.clusters.get(like).ok_or_else(|| no_cluster(like))?;
            scene.clusters.insert(name.clone(), self.empty_like(name, model));
        }
        Ok(scene)
    }

    /// A cluster of another name that is like this one, well, and empty: all that its nodes offer is free.
    fn empty_like(&self, name: &ClusterName, model: &Cluster) -> Cluster {
        let record = ClusterRecord {
            name: name.clone(),
            uid: Uid::default(),
            taints: Vec::new(),
            cordoned: false,
            ..model.record.clone()
        };
        let mut cluster = Cluster::new(record, ClusterState::Ready, self.now);
        cluster.supposed = true;
        cluster.needs.clone_from(&model.needs);
        cluster.capacity = model.capacity.clone().map(|mut capacity| {
            // What the model's pods hold is free here; which node holds how much of it is not known, so that it is
            // divided evenly.
            capacity.classes = emptied(&capacity);
            capacity.nodes_ready = capacity.nodes;
            capacity
        });
        cluster
    }

    /// Whose plans may change: those of clusters that go, and those that a new one could help.
    fn concerned(&self, what: &WhatIf) -> BTreeSet<Uid> {
        let gone = what.lose.iter().chain(&what.drain).filter_map(|name| self.clusters.get(name));
        let mut concerned: BTreeSet<Uid> = gone.flat_map(|cluster| cluster.seats.iter().copied()).collect();
        concerned.retain(|uid| {
            let seats = self.workloads.get(uid).map(|workload| &workload.seats);
            let placed = |name: &ClusterName| {
                seats.and_then(|seats| seats.get(name)).is_some_and(|seat| seat.occupied() > 0)
            };
            what.lose.iter().chain(&what.drain).any(placed)
        });
        if !what.add.is_empty() {
            concerned.extend(self.pending.iter().map(|rank| rank.uid));
            concerned.extend(&self.cramped);
            concerned.extend(self.duplicated());
        }
        concerned
    }
}

/// The classes of a cluster's nodes, as if nothing ran on them.
fn emptied(capacity: &godwit_common::link::Capacity) -> Vec<godwit_common::NodeClass> {
    let nodes: u64 = capacity.classes.iter().map(|class| u64::from(class.nodes)).sum();
    let Some(nodes) = std::num::NonZeroU64::new(nodes) else { return Vec::new() };
    let mut each = capacity.allocatable.clone();
    for amount in [&mut each.cpu_millis, &mut each.memory_bytes, &mut each.ephemeral_bytes, &mut each.pods] {
        *amount /= nodes;
    }
    let classes = capacity.classes.iter().cloned().map(|mut class| {
        let free = &mut class.free;
        free.cpu_millis = free.cpu_millis.max(each.cpu_millis);
        free.memory_bytes = free.memory_bytes.max(each.memory_bytes);
        free.ephemeral_bytes = free.ephemeral_bytes.max(each.ephemeral_bytes);
        free.pods = free.pods.max(each.pods);
        class
    });
    classes.collect()
}
