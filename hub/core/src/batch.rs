//! A batch of plans against one state of the clusters: what one workload takes, the next does not find (S15), and what
//! a policy makes of the clusters is found out once.

use std::collections::BTreeMap;

use godwit_common::{ClusterName, PodShape, PolicyName, Uid, WorkloadId};
use godwit_planner::{Barrier, Choice, Choices, ClusterRoom, Entrant, Fit, Growth, Tie, Turns, stance};

use crate::ask::Count;
use crate::contract::{ClusterState, Policy};
use crate::hub::Hub;
use crate::quotas::Spent;
use crate::shared::Shared;
use crate::state::{Cluster, SeatState};

/// A batch.
#[derive(Debug)]
pub(crate) struct Batch<'h> {
    pub(crate) hub: &'h Hub,
    /// All clusters, in order of name.
    pub(crate) places: Vec<Place<'h>>,
    /// Those whose drains say where what leaves may go, by number.
    pub(crate) directed: Vec<usize>,
    /// By policy: how it stands towards the places that it chooses, in their order.
    pub(crate) stands: BTreeMap<PolicyName, Stands>,
    pub(crate) stock: Stock,
    pub(crate) spent: Spent,
    /// What the batch has planned of workloads that others have to be with, or away from.
    pub(crate) planned: BTreeMap<WorkloadId, Vec<Count>>,
    /// Workloads under policies that keep others away, by the namespace that they look into; empty for all.
    pub(crate) repellers: BTreeMap<std::sync::Arc<str>, Vec<Uid>>,
}

/// A cluster.
#[derive(Debug, Clone)]
pub(crate) struct Place<'h> {
    pub(crate) name: &'h ClusterName,
    pub(crate) cluster: &'h Cluster,
    /// For ties.
    pub(crate) hash: u64,
    /// Room beyond what is free, in replicas of the workload that is asked about.
    pub(crate) more: u32,
}

/// How a policy stands towards the clusters that it chooses, and who of them is given the next seat, where the policy alone
/// decides that.
#[derive(Debug, Clone)]
pub(crate) struct Stands {
    pub(crate) list: Vec<Stand>,
    pub(crate) turns: Option<Turns>,
}

/// How a policy stands towards a cluster that it chooses, whatever the workload.
#[derive(Debug, Clone)]
pub(crate) struct Stand {
    pub(crate) place: usize,
    pub(crate) choice: Choice,
    pub(crate) growth: Growth,
    pub(crate) avoided: bool,
}

/// The room of the clusters that a batch has looked at, less what the batch has given away (S15).
#[derive(Debug, Default)]
pub(crate) struct Stock {
    rooms: Vec<Option<Shelf>>,
    shapes: BTreeMap<PodShape, Shape>,
    /// By shape of pod, and by place: what was found there last.
    fits: Vec<Vec<Option<Found>>>,
}

/// A shape of pod that a batch has met.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Shape(usize);

#[derive(Debug)]
struct Shelf {
    room: ClusterRoom,
    /// Rises whenever something is taken.
    version: u32,
}

#[derive(Debug, Clone)]
struct Found {
    version: u32,
    limit: u32,
    fit: Fit,
}

impl<'h> Batch<'h> {
    /// A batch over the clusters as they are.
    pub(crate) fn new(hub: &'h Hub) -> Self {
        let place = |(name, cluster): (&'h ClusterName, &'h Shared<Cluster>)| Place {
            name,
            cluster,
            hash: Tie::hash(name),
            more: 0,
        };
        let places: Vec<Place<'h>> = hub.clusters.iter().map(place).collect();
        let mut stock = Stock::default();
        stock.rooms.resize_with(places.len(), || None);
        Self {
            hub,
            directed: Self::directed(&places),
            places,
            stands: BTreeMap::new(),
            stock,
            spent: Spent::default(),
            planned: BTreeMap::new(),
            repellers: hub.repellers(),
        }
    }

    /// The same, as if a workload found more room than is free: so many replicas of it in each of these clusters.
    pub(crate) fn with_room(hub: &'h Hub, more: &BTreeMap<ClusterName, u32>) -> Self {
        let mut batch = Self::new(hub);
        for place in &mut batch.places {
            place.more = more.get(place.name).copied().unwrap_or(0);
        }
        batch
    }

    /// Finds out how a policy stands towards the places, unless that is known.
    pub(crate) fn prepare(&mut self, policy: &Policy) {
        if self.stands.contains_key(&policy.name) {
            return;
        }
        let traits = self.places.iter().map(|place| (place.name, &place.cluster.record.traits));
        let choices = Choices::new(&policy.placement, traits);
        let stand = |(place, choice): (usize, &Choice)| {
            let (growth, avoided) = growth(self.hub, &self.places[place], policy);
            Stand { place, choice: choice.clone(), growth, avoided }
        };
        let chosen = choices.as_slice().iter().enumerate().filter(|(_, choice)| choice.rule.is_ok());
        let list: Vec<Stand> = chosen.map(stand).collect();
        let entrants = list.iter().map(|stand| stand.entrant(self.places[stand.place].hash));
        let turns = Turns::new(&policy.placement.strategy, entrants);
        self.stands.insert(policy.name.clone(), Stands { list, turns });
    }
}

impl Stand {
    fn entrant(&self, hash: u64) -> Entrant<'_> {
        let Self { choice, growth, avoided, .. } = self;
        Entrant { choice, avoided: *avoided, grows: *growth == Growth::Allowed, hash }
    }
}

impl Stock {
    /// The number of a shape of pod: many workloads share one, and what was found for it.
    pub(crate) fn shape(&mut self, pod: &PodShape) -> Shape {
        if let Some(shape) = self.shapes.get(pod) {
            return *shape;
        }
        let shape = Shape(self.fits.len());
        self.shapes.insert(pod.clone(), shape);
        self.fits.push(vec![None; self.rooms.len()]);
        shape
    }

    /// How many of a pod fit into a place, up to a limit.
    pub(crate) fn fits(
        &mut self,
        place: usize,
        hub: &Hub,
        cluster: &Cluster,
        (pod, shape): (&PodShape, Shape),
        limit: u32,
    ) -> Fit {
        let found = self.fits.get_mut(shape.0).and_then(|places| places.get_mut(place));
        let (Some(shelf), Some(found)) = (self.rooms.get_mut(place), found) else {
            return Fit { replicas: 0, scarce: godwit_planner::Scarce::Nodes };
        };
        let shelf = shelf.get_or_insert_with(|| Shelf { room: room_left(hub, cluster), version: 0 });
        if let Some(known) = found.as_ref().filter(|known| known.serves(shelf.version, limit)) {
            let replicas = known.fit.replicas.min(limit);
            return Fit { replicas, scarce: known.fit.scarce.clone() };
        }
        let fit = shelf.room.fits(pod, limit);
        *found = Some(Found { version: shelf.version, limit, fit: fit.clone() });
        fit
    }

    /// Takes the room of so many pods.
    pub(crate) fn take(&mut self, place: usize, pod: &PodShape, replicas: u32) {
        if let Some(Some(shelf)) = self.rooms.get_mut(place)
            && replicas > 0
        {
            shelf.room.take(pod, replicas);
            shelf.version += 1;
        }
    }
}

impl Found {
    /// Whether it answers for a limit as well: it was counted to the end, or as far.
    fn serves(&self, version: u32, limit: u32) -> bool {
        self.version == version && (limit <= self.limit || self.fit.replicas < self.limit)
    }
}

/// Whether a cluster may get more of what is under a policy, and whether it is avoided.
pub(crate) fn growth(hub: &Hub, place: &Place<'_>, policy: &Policy) -> (Growth, bool) {
    let cluster = place.cluster;
    if cluster.lost_for(policy.lost_after) {
        return (Growth::Excluded(Barrier::Lost), false);
    }
    if cluster.record.drain.is_some() {
        return (Growth::Excluded(Barrier::Drained), false);
    }
    let stance = stance(&policy.placement.tolerations, hub.aged_taints(cluster));
    if let Growth::Excluded(_) = &stance.growth {
        return (stance.growth, stance.avoided);
    }
    let degraded = hub.degraded(cluster).then_some(Barrier::Degraded);
    let closed = match cluster.health.state {
        ClusterState::Ready if cluster.reporting() => None,
        // Without the API server nobody leads, and no inventory comes.
        ClusterState::Ready if degraded.is_some() => degraded.clone(),
        ClusterState::Ready | ClusterState::Unknown | ClusterState::Joining | ClusterState::Returning => {
            Some(Barrier::Inventory)
        }
        ClusterState::Suspect | ClusterState::Lost => Some(Barrier::Suspect),
    };
    let cordoned = cluster.record.cordoned.then_some(Barrier::Cordoned);
    let maintained = cluster.record.maintenance.map(|_| Barrier::Maintenance);
    let flapping = cluster.flapping().then_some(Barrier::Flapping);
    let closed = closed.or(cordoned).or(maintained).or(degraded).or(flapping);
    let growth = closed.map_or(stance.growth, Growth::Closed);
    (growth, stance.avoided)
}

/// What a cluster reported as free, less what is on its way there already.
pub(crate) fn room_left(hub: &Hub, cluster: &Cluster) -> ClusterRoom {
    let name = &cluster.record.name;
    let Some(capacity) = &cluster.capacity else { return ClusterRoom::default() };
    let mut room = ClusterRoom::new(capacity.classes.iter().cloned(), capacity.mixed_labels.clone());
    for (uid, replicas) in cluster.on_the_way.iter() {
        let Some(workload) = hub.workloads.get(uid) else {
            continue;
        };
        let taken = room.take(workload.shape(), *replicas);
        let stuck = workload.seats.get(name).map_or(0, SeatState::unschedulable);
        // Replicas of several sizes may need all that is left to find their places, unless it is known that they
        // find none.
        if taken < replicas.saturating_sub(stuck) {
            room = ClusterRoom::default();
        }
    }
    room
}
