//! What if: where everything would go if clusters were lost, drained or added. It is made so on a copy of the federation,
//! and decided there as it would be (S30).

use std::time::Duration;

use godwit_common::link::Capacity;
use godwit_common::{ClusterName, NodeClass, Resources, Uid};

use crate::commands::{no_cluster, refused};
use crate::contract::{
    ClusterRecord, ClusterState, DrainTerms, Purpose, Refused, RefusedKind, WhatIf, WhatIfView,
};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::Cluster;

impl Hub {
    /// What would come of this.
    pub fn what_if(&self, what: &WhatIf) -> Result<WhatIfView, Refused> {
        self.check_supposition(what)?;
        let mut copy = self.clone();
        copy.suppose(what);
        let all = copy.all_plan_changes();
        let mut view = WhatIfView { changes: copy.plan_changes(), ..WhatIfView::default() };
        for change in &all {
            let left =
                change.counts.iter().map(|(_, before, after)| u64::from(before.saturating_sub(*after)));
            view.moved += left.sum::<u64>();
            view.pending_before += u64::from(change.pending_before);
            view.pending_after += u64::from(change.pending_after);
        }
        Ok(view)
    }

    /// On a copy: makes it so, and plans what follows. Nothing is waited for: neither the end of a freeze, nor a fence,
    /// nor the room of what gives way.
    pub(crate) fn suppose(&mut self, what: &WhatIf) {
        self.supposing = true;
        self.federation.freeze = None;
        self.note_changes();
        for (name, like) in &what.add {
            self.add_supposed(name, like);
        }
        for name in &what.drain {
            let drain = self.drain_from(&DrainTerms::default(), Purpose::Empty);
            self.clear(name, Reason::Drain(name.clone(), 0), |cluster| cluster.record.drain = Some(drain));
        }
        let dead = Some(self.now.wall);
        for name in &what.lose {
            self.lost.insert(name.clone());
            self.clear(name, Reason::Lost(name.clone()), |cluster| {
                cluster.record.dead = dead;
                cluster.health.lost_through = Some(Duration::MAX);
                cluster.record.awaited = None;
            });
        }
        self.make_plans();
    }

    fn check_supposition(&self, what: &WhatIf) -> Result<(), Refused> {
        let WhatIf { lose, drain, add } = what;
        if lose.is_empty() && drain.is_empty() && add.is_empty() {
            let message = "nothing is supposed: name clusters to lose, to drain or to add";
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        let members = lose.iter().chain(drain).chain(add.values());
        if let Some(unknown) = members.into_iter().find(|name| !self.clusters.contains_key(*name)) {
            return Err(no_cluster(unknown));
        }
        if let Some(name) = add.keys().find(|name| self.clusters.contains_key(*name)) {
            let message = format!("cluster {name} is a member already: give the new one another name");
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        Ok(())
    }

    /// Whatever a cluster holds is to go elsewhere.
    fn clear(&mut self, name: &ClusterName, reason: Reason, make: impl FnOnce(&mut Cluster)) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        make(cluster);
        let held = self.placed_in(name);
        self.dirty.extend(held.into_iter().map(|uid| (uid, reason.clone())));
    }

    /// A cluster joins that is like this one, well, and empty: all that its nodes offer is free.
    fn add_supposed(&mut self, name: &ClusterName, like: &ClusterName) {
        let Some(model) = self.clusters.get(like) else { return };
        let record = ClusterRecord {
            name: name.clone(),
            uid: Uid::default(),
            taints: Vec::new(),
            cordoned: false,
            drain: None,
            maintenance: None,
            awaited: None,
            dead: None,
            knows_overrides: true,
            ..model.record.clone()
        };
        let mut cluster = Cluster::new(record, ClusterState::Ready, self.now);
        cluster.supposed = true;
        cluster.needs.clone_from(&model.needs);
        cluster.capacity = model.capacity.clone().map(|mut capacity| {
            capacity.classes = emptied(&capacity);
            capacity.nodes_ready = capacity.nodes;
            capacity
        });
        self.clusters.insert(name.clone(), Shared::new(cluster));
        self.seat_everything(name);
        self.roomier.insert(name.clone());
    }
}

/// The classes of a cluster's nodes, as if nothing ran on them. What the model's pods hold is free here; which node holds
/// how much of it is not known, so that it is divided evenly: extended resources over those that have some left, if any
/// have.
fn emptied(capacity: &Capacity) -> Vec<NodeClass> {
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
    let mut classes: Vec<NodeClass> = classes.collect();
    for (name, all) in &capacity.allocatable.extended {
        let some_have = classes.iter().any(|class| class.free.extended(name) > 0);
        let has = |class: &&mut NodeClass| !some_have || class.free.extended(name) > 0;
        let nodes: u64 = classes.iter_mut().filter(has).map(|class| u64::from(class.nodes)).sum();
        for class in classes.iter_mut().filter(has) {
            let share = all.checked_div(nodes).unwrap_or(0);
            let more = share.saturating_sub(class.free.extended(name));
            class.free.add(&Resources { extended: vec![(name.clone(), more)], ..Resources::default() }, 1);
        }
    }
    classes
}
