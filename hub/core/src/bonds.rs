//! What one workload needs of a cluster besides room: objects and kinds that must be there, and other workloads that
//! must, or must not. It decides about what is new, and lets what runs stay (S3); only who is colocated follows.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use godwit_common::policy::{Affinity, Override, Prestage, WorkloadSelector};
use godwit_common::{ClusterName, Uid, WorkloadId};
use godwit_planner::{Barrier, Growth};

use crate::ask::{Ask, Count};
use crate::batch::{Batch, Place};
use crate::contract::WorkloadSpec;
use crate::hub::{Hub, Timer};
use crate::overrides::needs_in;
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::{PolicyState, SeatState};

/// How long clusters are waited for that are to say whether they have what a workload needs. Agents look at once, and
/// within ten seconds again.
const NEEDS_WAIT: Duration = Duration::from_secs(15);

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
    /// The claims that it was deployed with (S33).
    claims: Vec<Arc<str>>,
    /// What is different in some clusters about what it leans on.
    rules: Vec<Arc<[Override]>>,
}

impl Bonds {
    /// What holds for the workload of a question.
    pub(crate) fn of(batch: &Batch<'_>, ask: &Ask<'_>) -> Self {
        let hub = batch.hub;
        let (claims, rules) = (hub.claims_of(ask.workload), hub.rules_beside(ask.workload));
        let mut bonds = Self { claims, rules, ..Self::default() };
        let Affinity { with, without, colocate } = &ask.policy.placement.affinity;
        for selector in with {
            let mut places = BTreeSet::new();
            batch.each_matching(ask, selector, |id| places.extend(batch.placed_in(id)));
            bonds.with.push((named(selector), places));
        }
        for selector in without {
            batch.each_matching(ask, selector, |id| bonds.keep_away(batch, id));
        }
        let own = &ask.spec.id.namespace;
        let near = batch.repellers.get(own).into_iter().chain(batch.repellers.get("")).flatten();
        for uid in near.filter(|uid| Some(**uid) != ask.uid) {
            let Some(workload) = batch.hub.workloads.get(uid) else { continue };
            let policy = batch.hub.policies.get(&workload.record.policy);
            let without = policy.map_or(&[][..], |policy| &policy.policy.placement.affinity.without);
            if repels(workload.id(), without, ask) {
                bonds.keep_away(batch, workload.id());
            }
        }
        let leader = ask
            .leader
            .filter(|leader| *colocate && **leader != ask.spec.id && batch.hub.ids.contains_key(*leader));
        bonds.leader = leader.map(|leader| (leader.to_string().into(), batch.placed_in(leader)));
        for (cluster, given) in ask.yielded.into_iter().flatten() {
            if let Some(waiting) = batch.hub.waiting_for_room(given.to) {
                bonds.yielded.insert(cluster.clone(), waiting.to_string().into());
            }
        }
        bonds
    }

    /// Whether something of it is different in a place whose agents know no overrides.
    fn owes(&self, ask: &Ask<'_>, place: &Place<'_>) -> bool {
        let cluster = &place.cluster.record;
        cluster.owes(&ask.spec.overrides) || self.rules.iter().any(|rules| cluster.owes(rules))
    }

    fn keep_away(&mut self, batch: &Batch<'_>, id: &WorkloadId) {
        let name: Arc<str> = id.to_string().into();
        for cluster in batch.occupied_in(id) {
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
        let older = || self.owes(ask, place).then_some(Barrier::Overrides);
        let barrier = yielded.or_else(|| self.kept_out(place)).or_else(older);
        let barrier = barrier.or_else(|| lacking(ask, place, &self.claims));
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

/// Whether a workload whose policy keeps these away keeps the one of a question away.
fn repels(id: &WorkloadId, without: &[WorkloadSelector], ask: &Ask<'_>) -> bool {
    let matches = |one: &WorkloadSelector| one.matches(&id.namespace, &ask.spec.id, &ask.spec.labels);
    *id != ask.spec.id && without.iter().any(matches)
}

/// What the workload needs and a place lacks, or may lack.
fn lacking(ask: &Ask<'_>, place: &Place<'_>, claims: &[Arc<str>]) -> Option<Barrier> {
    let known = &place.cluster.needs;
    // Where nothing is ahead of need, nobody has looked yet.
    let unasked = ask.policy.placement.prestage == Prestage::Placed && !ask.seats.contains_key(place.name);
    let mut unknown: Option<Barrier> = None;
    let here = (place.name, &place.cluster.record.traits);
    for need in &*needs_in(&ask.spec.needs, (&ask.spec.id, claims), ask.policy, here) {
        match known.get(need) {
            Some(true) => {}
            Some(false) => return Some(Barrier::Lacks(need.to_string().into())),
            None if unasked => {}
            None => unknown = unknown.or_else(|| Some(Barrier::Checking(need.to_string().into()))),
        }
    }
    unknown
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
        let affinity = &ask.policy.placement.affinity;
        if !self.hub.has_bonds() && affinity.is_empty() {
            return;
        }
        self.planned.insert(ask.spec.id.clone(), counts.to_vec());
    }

    fn seats_of(&self, id: &WorkloadId) -> impl Iterator<Item = (&ClusterName, &SeatState)> {
        let workload = self.hub.ids.get(id).and_then(|uid| self.hub.workloads.get(uid));
        workload.into_iter().flat_map(|workload| &workload.seats)
    }

    /// Where a workload is placed, by this batch or before.
    fn placed_in(&self, id: &WorkloadId) -> BTreeSet<ClusterName> {
        let placed = self.seats_of(id).filter(|(_, seat)| seat.seat.placed > 0);
        self.after_planning(id, placed.map(|(name, _)| name.clone()).collect())
    }

    /// The same, copies that still run included.
    fn occupied_in(&self, id: &WorkloadId) -> BTreeSet<ClusterName> {
        let occupied = self.seats_of(id).filter(|(_, seat)| seat.occupied() > 0);
        let mut places: BTreeSet<ClusterName> = occupied.map(|(name, _)| name.clone()).collect();
        places.extend(self.after_planning(id, BTreeSet::new()));
        places
    }

    fn after_planning(&self, id: &WorkloadId, mut places: BTreeSet<ClusterName>) -> BTreeSet<ClusterName> {
        for count in self.planned.get(id).into_iter().flatten() {
            match count.after {
                0 => places.remove(&count.cluster),
                _ => places.insert(count.cluster.clone()),
            };
        }
        places
    }

    /// Does something for every other workload that a selector chooses.
    fn each_matching(&self, ask: &Ask<'_>, selector: &WorkloadSelector, mut each: impl FnMut(&WorkloadId)) {
        let home = &ask.spec.id.namespace;
        let everywhere = selector.namespaces.contains("*");
        let own = BTreeSet::from([home.clone()]);
        let namespaces = if selector.namespaces.is_empty() { &own } else { &selector.namespaces };
        let mut look = |uid: &Uid| {
            let Some(workload) = self.hub.workloads.get(uid) else { return };
            let spec = &workload.record.spec;
            if spec.id != ask.spec.id && selector.matches(home, &spec.id, &spec.labels) {
                each(&spec.id);
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
    /// Whether a request makes a workload ask for more than it is known to need.
    pub(crate) fn asks_anew(&self, spec: &WorkloadSpec) -> bool {
        let known = self.ids.get(&spec.id).and_then(|uid| self.workloads.get(uid));
        let same = known.is_some_and(|workload| workload.record.spec.needs == spec.needs);
        !same && !spec.needs.is_empty()
    }

    /// Clusters are about to say whether they have what a workload needs.
    pub(crate) fn ask_for_needs(&mut self, uid: Uid) {
        let until = self.now.time + NEEDS_WAIT;
        if let Some(workload) = self.workloads.get_mut(&uid) {
            workload.asks_until = Some(until);
            self.wake_at(until, Timer::Needs(uid));
        }
    }

    /// Shares are kept no longer for clusters that do not answer: those that have can take them.
    pub(crate) fn asked_long_enough(&mut self, uid: Uid) {
        let now = self.now.time;
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        if workload.asks_until.is_some_and(|until| until <= now) {
            workload.asks_until = None;
            if workload.record.pending > 0 {
                self.roomier.extend(workload.seats.keys().cloned());
            }
        }
    }

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
        let repelling = |policy: &&Shared<PolicyState>| !policy.policy.placement.affinity.without.is_empty();
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

    /// What changes for others when a workload comes to a cluster, or leaves it.
    pub(crate) fn bonds_changed(&mut self, uid: Uid, counts: &[Count]) {
        let Some(id) = self.workloads.get(&uid).map(|workload| workload.id().clone()) else { return };
        for other in self.concerned_by(&id, counts) {
            self.dirty.entry(other).or_insert_with(|| Reason::Affinity(id.clone()));
        }
    }

    /// Whom it concerns that a workload comes to clusters, or leaves them: those that share its clusters follow, and those
    /// that wait look again.
    fn concerned_by(&self, id: &WorkloadId, counts: &[Count]) -> Vec<Uid> {
        let turned = counts.iter().any(|count| (count.before == 0) != (count.after == 0));
        if !turned || !self.has_bonds() {
            return Vec::new();
        }
        let anybody =
            self.policies.values().any(|policy| !policy.policy.placement.affinity.without.is_empty());
        let looks = |uid: &Uid| {
            let workload = self.workloads.get(uid);
            let policy = workload.and_then(|workload| self.policies.get(&workload.record.policy));
            anybody || policy.is_some_and(|policy| !policy.policy.placement.affinity.is_empty())
        };
        let followers = self.followers.get(id).into_iter().flatten().copied();
        let waiting = self.pending.iter().map(|rank| rank.uid).filter(looks);
        let uid = self.ids.get(id);
        followers.chain(waiting).filter(|other| Some(other) != uid).collect()
    }
}
