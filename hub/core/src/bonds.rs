//! What one workload needs of a cluster besides room: objects and kinds that must be there, and other workloads that
//! must, or must not. It decides about what is new, and lets what runs stay (S3); only who is colocated follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::policy::{Affinity, WorkloadSelector};
use godwit_common::{ClusterName, Uid, WorkloadId};
use godwit_planner::{Barrier, Growth};

use crate::ask::{Ask, Count};
use crate::batch::{Batch, Place};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::state::{PolicyState, Workload};

/// What holds for one workload, found out before its clusters are looked at.
#[derive(Debug, Default)]
pub(crate) struct Bonds {
    /// Where each of the workloads to be with is placed, and what it is called.
    with: Vec<(Arc<str>, BTreeSet<ClusterName>)>,
    /// Where something is that it keeps away from.
    without: BTreeMap<ClusterName, Arc<str>>,
    /// Where the workload is placed whose clusters it shares.
    leader: Option<(Arc<str>, BTreeSet<ClusterName>)>,
    /// Where it gave way, and to whom, as long as they wait (S16).
    yielded: BTreeMap<ClusterName, Arc<str>>,
}

impl Bonds {
    /// What holds for the workload of a question.
    pub(crate) fn of(batch: &Batch<'_>, ask: &Ask<'_>) -> Self {
        let mut bonds = Self::default();
        let Affinity { with, without, colocate } = &ask.policy.placement.affinity;
        for selector in with {
            let mut places = BTreeSet::new();
            batch.each_matching(ask, selector, |workload| places.extend(batch.placed_in(workload)));
            bonds.with.push((named(selector), places));
        }
        for selector in without {
            batch.each_matching(ask, selector, |workload| bonds.keep_away(batch, workload));
        }
        let own = &ask.spec.id.namespace;
        let near = batch.repellers.get(own).into_iter().chain(batch.repellers.get("")).flatten();
        for uid in near.filter(|uid| Some(**uid) != ask.uid) {
            let Some(workload) = batch.hub.workloads.get(uid) else { continue };
            if batch.hub.repels(workload, ask) {
                bonds.keep_away(batch, workload);
            }
        }
        let leader = ask.leader.filter(|leader| *colocate && **leader != ask.spec.id);
        let leader = leader.and_then(|id| batch.hub.workloads.get(batch.hub.ids.get(id)?));
        bonds.leader = leader.map(|leader| (leader.id().to_string().into(), batch.placed_in(leader)));
        for (cluster, given) in ask.yielded.into_iter().flatten() {
            if let Some(waiting) = batch.hub.waiting_for_room(given.to) {
                bonds.yielded.insert(cluster.clone(), waiting.to_string().into());
            }
        }
        bonds
    }

    fn keep_away(&mut self, batch: &Batch<'_>, workload: &Workload) {
        let name: Arc<str> = workload.id().to_string().into();
        for cluster in batch.occupied_in(workload) {
            self.without.entry(cluster).or_insert_with(|| name.clone());
        }
    }

    /// Whether the workload may grow in a place, where its policy alone says `growth`.
    pub(crate) fn growth(&self, ask: &Ask<'_>, place: &Place<'_>, growth: &Growth) -> Growth {
        if let Growth::Excluded(_) = growth {
            return growth.clone();
        }
        if let Some((leader, places)) = &self.leader
            && !places.contains(place.name)
        {
            let barrier = Barrier::Colocation(leader.clone());
            // A leader that is nowhere has nowhere to follow it to.
            return if places.is_empty() { Growth::Closed(barrier) } else { Growth::Excluded(barrier) };
        }
        if let Growth::Closed(_) = growth {
            return growth.clone();
        }
        let yielded = self.yielded.get(place.name).map(|to| Barrier::Yielded(to.clone()));
        let barrier = yielded.or_else(|| lacking(ask, place)).or_else(|| self.kept_out(place));
        barrier.map_or(Growth::Allowed, Growth::Closed)
    }

    fn kept_out(&self, place: &Place<'_>) -> Option<Barrier> {
        if let Some(other) = self.without.get(place.name) {
            return Some(Barrier::AntiAffinity(other.clone()));
        }
        let missing = self.with.iter().find(|(_, places)| !places.contains(place.name));
        missing.map(|(name, _)| Barrier::Affinity(name.clone()))
    }
}

/// What the workload needs and a place lacks, or may lack.
fn lacking(ask: &Ask<'_>, place: &Place<'_>) -> Option<Barrier> {
    let known = &place.cluster.needs;
    let mut unknown = None;
    for need in &ask.spec.needs {
        match known.get(need) {
            Some(true) => {}
            Some(false) => return Some(Barrier::Lacks(need.to_string().into())),
            None => unknown = unknown.or(Some(need)),
        }
    }
    unknown.map(|need| Barrier::Checking(need.to_string().into()))
}

/// What a selector of workloads is called in a reason.
fn named(selector: &WorkloadSelector) -> Arc<str> {
    let WorkloadSelector { names, labels, .. } = selector;
    let names = names.iter().map(ToString::to_string);
    let labels = labels.labels.iter().map(|(key, value)| format!("{key}={value}"));
    let expressions = selector.labels.expressions.iter().map(ToString::to_string);
    let parts: Vec<String> = names.chain(labels).chain(expressions).collect();
    match parts.is_empty() {
        true => "other workload".into(),
        false => format!("workload with {}", parts.join(", ")).into(),
    }
}

impl Batch<'_> {
    /// Remembers what was planned for a workload that others may look at.
    pub(crate) fn note_planned(&mut self, ask: &Ask<'_>, counts: &[Count]) {
        if let Some(uid) = ask.uid.filter(|_| self.hub.has_bonds()) {
            self.planned.insert(uid, counts.to_vec());
        }
    }

    /// Where a workload is placed, by this batch or before.
    fn placed_in(&self, workload: &Workload) -> BTreeSet<ClusterName> {
        let placed = workload.seats.iter().filter(|(_, seat)| seat.seat.placed > 0);
        self.after_planning(workload, placed.map(|(name, _)| name.clone()).collect())
    }

    /// The same, copies that still run included.
    fn occupied_in(&self, workload: &Workload) -> BTreeSet<ClusterName> {
        let occupied = workload.seats.iter().filter(|(_, seat)| seat.occupied() > 0);
        let mut places: BTreeSet<ClusterName> = occupied.map(|(name, _)| name.clone()).collect();
        places.extend(self.after_planning(workload, BTreeSet::new()));
        places
    }

    fn after_planning(
        &self,
        workload: &Workload,
        mut places: BTreeSet<ClusterName>,
    ) -> BTreeSet<ClusterName> {
        for count in self.planned.get(&workload.record.uid).into_iter().flatten() {
            match count.after {
                0 => places.remove(&count.cluster),
                _ => places.insert(count.cluster.clone()),
            };
        }
        places
    }

    /// Does something for every other workload that a selector chooses.
    fn each_matching(&self, ask: &Ask<'_>, selector: &WorkloadSelector, mut each: impl FnMut(&Workload)) {
        let home = &ask.spec.id.namespace;
        let everywhere = selector.namespaces.contains("*");
        let own = BTreeSet::from([home.clone()]);
        let namespaces = if selector.namespaces.is_empty() { &own } else { &selector.namespaces };
        let mut look = |uid: &Uid| {
            let Some(workload) = self.hub.workloads.get(uid) else { return };
            let spec = &workload.record.spec;
            if spec.id != ask.spec.id && selector.matches(home, &spec.id, &spec.labels) {
                each(workload);
            }
        };
        match everywhere {
            true => self.hub.ids.values().for_each(&mut look),
            false => namespaces.iter().for_each(|namespace| {
                self.hub.in_namespace(namespace).for_each(|(_, uid)| look(uid));
            }),
        }
    }
}

impl Hub {
    /// The workloads of a namespace, in order of kind and name.
    pub(crate) fn in_namespace(&self, namespace: &Arc<str>) -> impl Iterator<Item = (&WorkloadId, &Uid)> {
        let from = WorkloadId { namespace: namespace.clone(), kind: "".into(), name: "".into() };
        let within = namespace.clone();
        self.ids.range(from..).take_while(move |(id, _)| id.namespace == within)
    }

    /// Whether any policy looks at other workloads.
    pub(crate) fn has_bonds(&self) -> bool {
        self.bonded_policies > 0
    }

    /// Workloads under policies that keep others away, by the namespace that they look into; empty for all.
    pub(crate) fn repellers(&self) -> BTreeMap<Arc<str>, Vec<Uid>> {
        let mut repellers: BTreeMap<Arc<str>, Vec<Uid>> = BTreeMap::new();
        if !self.has_bonds() {
            return repellers;
        }
        let repelling = |policy: &&PolicyState| !policy.policy.placement.affinity.without.is_empty();
        for policy in self.policies.values().filter(repelling) {
            let without = &policy.policy.placement.affinity.without;
            let only_own = without.iter().all(|selector| selector.namespaces.is_empty());
            for uid in &policy.users {
                let Some(workload) = self.workloads.get(uid) else { continue };
                let namespace = if only_own { workload.id().namespace.clone() } else { "".into() };
                repellers.entry(namespace).or_default().push(*uid);
            }
        }
        repellers
    }

    /// Whether a workload keeps the one of a question away.
    fn repels(&self, workload: &Workload, ask: &Ask<'_>) -> bool {
        let home = &workload.id().namespace;
        let policy = self.policies.get(&workload.record.policy);
        let mut without = policy.iter().flat_map(|policy| &policy.policy.placement.affinity.without);
        workload.id() != &ask.spec.id
            && without.any(|selector| selector.matches(home, &ask.spec.id, &ask.spec.labels))
    }

    /// What changes for others when a workload comes to a cluster, or leaves it: those that share its clusters follow, and
    /// those that wait look again.
    pub(crate) fn bonds_changed(&mut self, uid: Uid, counts: &[Count]) {
        let turned = counts.iter().any(|count| (count.before == 0) != (count.after == 0));
        if !turned || !self.has_bonds() {
            return;
        }
        let Some(id) = self.workloads.get(&uid).map(|workload| workload.id().clone()) else { return };
        let anybody =
            self.policies.values().any(|policy| !policy.policy.placement.affinity.without.is_empty());
        let looks = |uid: &Uid| {
            let workload = self.workloads.get(uid);
            let policy = workload.and_then(|workload| self.policies.get(&workload.record.policy));
            anybody || policy.is_some_and(|policy| !policy.policy.placement.affinity.is_empty())
        };
        let followers = self.followers.get(&id).into_iter().flatten().copied();
        let waiting = self.pending.iter().map(|rank| rank.uid).filter(looks);
        let concerned: Vec<Uid> = followers.chain(waiting).filter(|other| *other != uid).collect();
        for other in concerned {
            self.dirty.entry(other).or_insert_with(|| Reason::Affinity(id.clone()));
        }
    }
}
