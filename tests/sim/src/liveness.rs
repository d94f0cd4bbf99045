//! What must come about once everything is put right: the second phase of every run. Each condition says what is
//! missing, so that a run that does not converge says why.

mod older;

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::bounds::{Bounded, Bounds};
use godwit_common::link::ObjectTarget;
use godwit_common::policy::overrides::mark;
use godwit_common::policy::{Drift, Override, Rule, Strategy};
use godwit_common::{ClusterName, Digest, Resources, Uid, WorkloadKind};
use godwit_hub_core::{
    ClusterRecord, ClusterState, Key, MigrationState, ObjectRecord, Policy, Record, Seat, WorkloadRecord,
};

use crate::invariants::shrink::{lacking, needed};
use crate::member::{Member, Object, Pod};
use crate::scenario::totals;
use crate::world::World;

/// The lives that a cluster shall hold; of workloads with their number.
type LiveRows = BTreeMap<Uid, Option<u32>>;

impl World {
    /// What is not yet as it shall be; nothing once the federation has settled.
    pub fn unsettled(&self) -> Vec<String> {
        let mut missing = Vec::new();
        let store = &self.hubs[0].store;
        let stuck = self.is_stuck();
        let rows = self.live_rows();
        let none = LiveRows::new();
        if self.hubs[0].core.is_none() {
            return vec!["the hub does not run".to_owned()];
        }
        for (key, record) in store {
            match record {
                Record::Federation(federation) if federation.freeze.is_some() => {
                    missing.push("failover is frozen".to_owned());
                }
                Record::Ended(ended) => missing.push(format!("{:?} is not gone everywhere", ended.what)),
                Record::Migration(migration)
                    if migration.state == MigrationState::Paused
                        || migration.state == MigrationState::Running
                            && !stuck
                            && !migration.moves.iter().any(|moved| self.is_changed(moved.workload)) =>
                {
                    missing.push(format!("{} is not completed", migration.id));
                }
                Record::Workload(workload) => self.check_workload(workload, stuck, &mut missing),
                Record::Cluster(cluster) => {
                    let live = rows.get(&cluster.name).unwrap_or(&none);
                    self.check_cluster(cluster, live, &mut missing);
                }
                Record::Seat { workload, cluster, seat }
                    if !self.is_newest(*workload, cluster, seat) && !stuck =>
                {
                    missing
                        .push(format!("{key:?}: told revision {}, rolling {}", seat.revision, seat.rolling));
                }
                Record::Seat { workload, seat, .. }
                    if seat.target != seat.placed
                        && !self.is_short(*workload)
                        && !self.is_changed(*workload) =>
                {
                    missing.push(format!("{key:?}: told {} of {}", seat.target, seat.placed));
                }
                Record::Object(object) => self.check_bounds(object, &mut missing),
                Record::Federation(_) | Record::Migration(_) | Record::Seat { .. } => {}
                Record::Policy(_) | Record::ObjectRow { .. } => {}
                Record::Journal(_) | Record::Request(_) | Record::Quota(_) | Record::Retired(_) => {}
                Record::Revision(_) | Record::Token(_) | Record::Revocation(_) => {}
                Record::RoleBinding(_) | Record::Issuer(_) => {}
            }
        }
        missing
    }

    fn check_cluster(&self, record: &ClusterRecord, live: &LiveRows, missing: &mut Vec<String>) {
        let name = &record.name;
        let view = self.hubs[0].core.as_ref().and_then(|core| core.cluster(name));
        let state = view.map(|view| view.state);
        if state != Some(ClusterState::Ready) {
            missing.push(format!("{name} is {state:?}"));
        }
        let Some(member) = self.members.iter().find(|member| member.name == *name) else {
            return;
        };
        let held = member.fence.as_ref().map(|fence| (fence.record.fence.generation, fence.record.digest));
        let wanted = (record.generation, self.digest(name, live));
        if held != Some(wanted) && wanted.0.0 > 0 {
            missing.push(format!("{name} holds {held:?}, wanted is {wanted:?}"));
        }
        for object in member.objects.values() {
            if let Some(stamp) = object.seen.stamp.filter(|stamp| !live.contains_key(&stamp.uid)) {
                missing.push(format!("{name} still has {} of {}", object.seen.key, stamp.uid));
            }
        }
        for (uid, replicas) in live.iter().map(|(uid, replicas)| (*uid, *replicas)) {
            if self.left(uid, member).is_some() {
                continue;
            }
            let found = member
                .objects
                .values()
                .find(|object| object.seen.stamp.is_some_and(|stamp| stamp.uid == uid));
            match found {
                None => missing.push(format!("{name} lacks the object of {uid}")),
                Some(object)
                    if replicas.is_some()
                        && object.seen.replicas != replicas
                        && &*object.seen.key.kind != "DaemonSet" =>
                {
                    let has = object.seen.replicas;
                    missing.push(format!("{name} has {has:?} of {}, not {replicas:?}", object.seen.key));
                }
                Some(object)
                    if object.seen.stamp.is_some_and(|stamp| stamp.bounds != self.bounds_in(uid, name)) =>
                {
                    missing.push(format!("{name} has other bounds of {} than it was told", object.seen.key));
                }
                Some(object)
                    if object
                        .seen
                        .stamp
                        .is_some_and(|stamp| stamp.overrides != mark(&self.differs_in(uid, name))) =>
                {
                    let key = &object.seen.key;
                    missing.push(format!("{name} was told that something else is different of {key}"));
                }
                Some(object) if !object.seen.altered.is_empty() => {
                    missing.extend(self.check_edit(uid, name, object));
                }
                Some(_) => {}
            }
        }
    }

    /// The bounds that a cluster was told of an object; none of a workload.
    fn bounds_in(&self, uid: Uid, cluster: &ClusterName) -> Bounds {
        match self.hubs[0].store.get(&Key::ObjectRow(uid, cluster.clone())) {
            Some(Record::ObjectRow { row, .. }) => row.bounds,
            Some(_) | None => Bounds::default(),
        }
    }

    /// What is different in a cluster of a workload or an object, as it was told.
    fn differs_in(&self, uid: Uid, cluster: &ClusterName) -> Arc<str> {
        match (self.seat(uid, cluster), self.hubs[0].store.get(&Key::Object(uid))) {
            (Some(seat), _) => self.overrides_in(uid, cluster, seat.revision),
            (None, Some(Record::Object(object))) => self.changes_in(&object.overrides, cluster),
            (None, _) => Arc::default(),
        }
    }

    /// What is different of a revision in a cluster.
    fn overrides_in(&self, uid: Uid, cluster: &ClusterName, revision: u64) -> Arc<str> {
        match self.hubs[0].store.get(&Key::Revision(uid, revision)) {
            Some(Record::Revision(revision)) => self.changes_in(&revision.spec.overrides, cluster),
            _ => Arc::default(),
        }
    }

    fn changes_in(&self, overrides: &[Override], cluster: &ClusterName) -> Arc<str> {
        match self.hubs[0].store.get(&Key::Cluster(cluster.clone())) {
            Some(Record::Cluster(record)) => record.changes(overrides),
            _ => Arc::default(),
        }
    }

    /// Shares of bounds make up what the manifest says, as far as clusters may go as high as they were told (S29).
    fn check_bounds(&self, object: &ObjectRecord, missing: &mut Vec<String>) {
        let Some(totals) = totals(&object.key, &object.manifest) else { return };
        let Bounded::Scaled(id) = &totals.of else { return };
        let mut records = self.hubs[0].store.values();
        let workload = records.find_map(|record| {
            let Record::Workload(workload) = record else { return None };
            (workload.spec.id == *id && workload.objects.contains(&object.uid)).then_some(workload)
        });
        let Some(workload) = workload else { return };
        let whole = self.policy_of(workload).is_some_and(|policy| {
            policy.placement.strategy == Strategy::Duplicate && !workload.spec.is_whole(&policy.placement)
        });
        let seats: Vec<(Bounds, u32, u32)> = self
            .members
            .iter()
            .filter_map(|member| {
                let seat = self.seat(workload.uid, &member.name)?;
                Some((self.bounds_in(object.uid, &member.name), seat.placed.max(seat.target), seat.target))
            })
            .collect();
        let sum = |of: fn(&Bounds) -> Option<u32>| -> u32 {
            seats.iter().filter(|(_, runs, _)| *runs > 0).filter_map(|(bounds, ..)| of(bounds)).sum()
        };
        let runs = seats.iter().any(|(_, runs, _)| *runs > 0);
        let key = &object.key;
        if whole && seats.iter().any(|(bounds, ..)| !bounds.is_none()) {
            missing.push(format!("{key} is divided, although every cluster runs the full number"));
        }
        if !whole && runs && sum(|bounds| bounds.max) < totals.bounds.max.unwrap_or(0) {
            missing.push(format!("the shares of {key} do not make up {totals:?}: {seats:?}"));
        }
        if !whole && seats.iter().any(|(bounds, _, told)| bounds.max.is_none_or(|max| max < *told)) {
            missing.push(format!("a cluster may not run by {key} what it was told: {seats:?}"));
        }
    }

    /// What somebody has changed of an object beside its number is set right, or shown where it is left (S29).
    fn check_edit(&self, uid: Uid, cluster: &ClusterName, object: &Object) -> Option<String> {
        let users = self.hubs[0].store.values().filter_map(|record| match record {
            Record::Workload(workload) => {
                let leans = workload.objects.contains(&uid) || workload.leaving.contains(&uid);
                (workload.uid == uid || leans).then_some(workload)
            }
            Record::Federation(_) | Record::Policy(_) | Record::Revision(_) | Record::Seat { .. } => None,
            Record::Object(_) | Record::ObjectRow { .. } | Record::Ended(_) | Record::Cluster(_) => None,
            Record::Migration(_) | Record::Journal(_) | Record::Request(_) | Record::Quota(_) => None,
            Record::Retired(_) | Record::Token(_) | Record::Revocation(_) => None,
            Record::RoleBinding(_) | Record::Issuer(_) => None,
        });
        let tolerates = |workload: &&WorkloadRecord| {
            self.policy_of(workload).is_some_and(|policy| policy.placement.motion.drift.is_tolerated())
        };
        let (lets, sets): (Vec<_>, Vec<_>) = users.partition(tolerates);
        let shows = |workload: &WorkloadRecord| {
            let view = self.hubs[0].core.as_ref()?.workload(workload.uid)?;
            view.placements.iter().find(|one| one.cluster == *cluster).map(|one| !one.edited.is_empty())
        };
        let key = &object.seen.key;
        match sets.is_empty() {
            false => Some(format!("what somebody changed of {key} in {cluster} is not set right")),
            // Where the workload has no seat any more there is nothing to show it beside.
            true if lets.iter().all(|workload| shows(workload) != Some(false)) => None,
            true => Some(format!("what somebody changed of {key} in {cluster} is not shown")),
        }
    }

    fn check_workload(&self, workload: &WorkloadRecord, is_stuck: bool, missing: &mut Vec<String>) {
        let id = &workload.spec.id;
        if !is_counted(workload.spec.kind()) {
            return;
        }
        let (is_short, is_changed) = (self.is_short(workload.uid), self.is_changed(workload.uid));
        let manifest = self.manifest_of(workload);
        for member in &self.members {
            let seat = self.seat(workload.uid, &member.name).cloned().unwrap_or_default();
            // As long as others find no node, a planned move has used up its surge (S20).
            let waits = is_stuck && is_short;
            let placed = if waits { seat.placed.min(seat.target) } else { seat.placed };
            let left = self.left(workload.uid, member);
            let placed = left.unwrap_or(placed);
            let pods = member.managed_pods_of(id);
            let ready = pods.iter().filter(|pod| pod.seen.ready).count();
            let is_old = |pod: &Pod| Some(&pod.template) != manifest;
            let stuck = pods.iter().filter(|pod| pod.seen.unschedulable || is_old(pod)).count();
            let excused = if is_stuck { stuck } else { 0 };
            let right = match is_short {
                true => pods.len() >= placed as usize,
                false => pods.len() == placed as usize,
            };
            // Beside what somebody made by hand nothing starts that may run only once; and where somebody took copies away,
            // no others stop. So what is moved may wait for it.
            let barred = left.is_none() && is_changed;
            if !barred && (!right || left.is_none() && ready + excused < placed as usize) {
                let (name, pods) = (&member.name, pods.len());
                missing.push(format!("{name} runs {ready} of {pods} of {id}, {placed} are placed"));
            }
            let old = pods.iter().filter(|pod| is_old(pod)).count();
            if old > 0 && !is_stuck && !self.owes(workload, &member.name) {
                missing.push(format!("{old} pods of {id} in {} are not of its newest revision", member.name));
            }
        }
        if workload.pending > 0 && !is_stuck {
            self.check_pending(workload, missing);
        }
    }

    /// What is pending finds room nowhere.
    fn check_pending(&self, workload: &WorkloadRecord, missing: &mut Vec<String>) {
        let id = &workload.spec.id;
        let closed = self.closed(workload);
        let takes = |member: &Member| {
            let more = self.could_take(workload, member, &closed)?;
            Some((member.name.clone(), more))
        };
        let open: Vec<(ClusterName, u64)> = self.members.iter().filter_map(takes).collect();
        let placement = self.policy_of(workload).map(|policy| &policy.placement);
        let whole = placement.is_some_and(|placement| workload.spec.is_whole(placement));
        let fits = match whole {
            false => open.iter().any(|(_, more)| *more > 0),
            true => self.could_be_whole(workload, &open),
        };
        // What stays with its data has no place elsewhere, whatever room there is (S32).
        let stays = placement.is_some_and(|placement| !whole && workload.spec.is_pinned(placement));
        let stuck = if stays { self.beyond(workload.uid) } else { 0 };
        if workload.pending > stuck && fits {
            let (pending, reasons) = (workload.pending, &workload.pending_reasons);
            missing.push(format!("{pending} of {id} are pending: {reasons:?}; there is room: {open:?}"));
        }
    }

    /// The manifest of a workload's newest revision.
    fn manifest_of(&self, workload: &WorkloadRecord) -> Option<&Arc<str>> {
        let record = self.hubs[0].store.get(&Key::Revision(workload.uid, workload.revision))?;
        if let Record::Revision(revision) = record { Some(&revision.spec.manifest) } else { None }
    }

    /// Whether a cluster was told the newest revision, and is there (S31).
    fn is_newest(&self, uid: Uid, cluster: &ClusterName, seat: &Seat) -> bool {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return false;
        };
        let is_newest = seat.revision == workload.revision && !seat.rolling;
        // Where nothing runs, it comes once all that run it have it, and some of these have to wait.
        let held_up = || self.members.iter().any(|member| self.owes(workload, &member.name));
        is_newest || self.owes(workload, cluster) || seat.target == 0 && held_up()
    }

    /// Whether replicas found no node. Those of several sizes may be packed otherwise than was planned, which is for
    /// S17 to mend; those of one size never, unless several histories have placed them.
    fn is_stuck(&self) -> bool {
        let (uniform, forked) = (self.operator.uniform, self.checker.histories_may_fork);
        self.members.iter().any(|member| {
            // Of what somebody started by hand nobody has counted the room, even if it was taken over since.
            let excused = !uniform || forked || member.crowded;
            excused && member.pods.values().any(|pod| pod.seen.unschedulable)
        })
    }

    /// Whether somebody has changed a workload by hand, and is let.
    fn is_changed(&self, uid: Uid) -> bool {
        self.members.iter().any(|member| self.left(uid, member).is_some())
    }

    /// How many copies of a workload somebody has asked for in a cluster by hand, where that is left as it is (S29). A
    /// number that may be taken over is not.
    fn left(&self, uid: Uid, member: &Member) -> Option<u32> {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return None;
        };
        let drift = self.policy_of(workload)?.placement.motion.drift;
        let seat = self.seat(uid, &member.name).filter(|seat| seat.shown && drift.is_tolerated())?;
        let is_its = |object: &&Object| object.seen.stamp.is_some_and(|stamp| stamp.uid == uid);
        let Some(object) = member.objects.values().find(is_its) else { return Some(0) };
        let replicas = object.seen.replicas.filter(|replicas| *replicas != seat.target)?;
        let view = self.hubs[0].core.as_ref()?.workload(uid)?;
        let placement = view.placements.iter().find(|placement| placement.cluster == member.name)?;
        let waits = |reason: &str| reason.contains("not taken over") && !reason.contains("not as long as");
        let moves = placement.target != placement.sent;
        (drift == Drift::Observe || moves || waits(&placement.reason)).then_some(replicas)
    }

    /// Whether fewer replicas of a workload are ready than are wanted: then those stay that have no place in the plan,
    /// for no step may take any away. So do those that stand in for pending ones (S20).
    fn is_short(&self, uid: Uid) -> bool {
        let Some(Record::Workload(workload)) = self.hubs[0].store.get(&Key::Workload(uid)) else {
            return false;
        };
        let policy = self.policy_of(workload);
        let beyond = self.beyond(uid);
        let short = self.ready(&workload.spec.id) <= needed(workload, policy);
        short || beyond <= workload.pending - lacking(workload, policy)
    }

    /// How many replicas of a workload clusters were told to run beyond what is placed there.
    fn beyond(&self, uid: Uid) -> u32 {
        let seats = self.members.iter().filter_map(|member| self.seat(uid, &member.name));
        seats.map(|seat| seat.target.saturating_sub(seat.placed)).sum()
    }

    /// How many more replicas of a workload a cluster could take; none if its policy does not choose it.
    fn could_take(
        &self,
        workload: &WorkloadRecord,
        member: &Member,
        closed: &BTreeSet<ClusterName>,
    ) -> Option<u64> {
        let placement = &self.policy_of(workload)?.placement;
        let rule = self.rule_of(workload, &member.name).filter(|_| !closed.contains(&member.name))?;
        let placed = self.seat(workload.uid, &member.name).map_or(0, |seat| seat.placed);
        let below = |bound: u32| u64::from(bound.saturating_sub(placed));
        let duplicate = placement.strategy == Strategy::Duplicate && !workload.spec.is_whole(placement);
        let most = match (rule.weight(), rule.max()) {
            (0, _) if duplicate => 0,
            (_, None) if duplicate => below(workload.spec.replicas),
            (_, Some(max)) if duplicate => below(max.min(workload.spec.replicas)),
            (0, _) => below(rule.min()),
            (_, Some(max)) => below(max),
            (_, None) => u64::MAX,
        };
        Some(self.room_beside(member, &workload.spec.pod.requests).min(most))
    }

    /// Whether a workload that is not divided could grow where it is, or be whole somewhere if it is nowhere.
    fn could_be_whole(&self, workload: &WorkloadRecord, open: &[(ClusterName, u64)]) -> bool {
        let placed = |name: &ClusterName| self.seat(workload.uid, name).map_or(0, |seat| seat.placed);
        let weight = |name: &ClusterName| self.rule_of(workload, name).map_or(0, |rule| rule.weight());
        match open.iter().find(|(name, _)| placed(name) > 0) {
            // Where its data is it grows as far as there is room, whatever the shares.
            Some((_, more)) => *more > 0,
            None => {
                // Its data may be where it cannot run at present: then it waits (S32).
                let pinned =
                    self.policy_of(workload).is_some_and(|one| workload.spec.is_pinned(&one.placement));
                let data =
                    |seat: &Seat| seat.placed > 0 || seat.target > 0 || (pinned && seat.cause.is_some());
                let mut seats =
                    self.members.iter().filter_map(|member| self.seat(workload.uid, &member.name));
                let at_home = seats.any(data);
                let whole = u64::from(workload.spec.replicas);
                !at_home && open.iter().any(|(name, more)| *more >= whole && weight(name) > 0)
            }
        }
    }

    fn rule_of(&self, workload: &WorkloadRecord, name: &ClusterName) -> Option<Rule> {
        let Record::Cluster(cluster) = self.hubs[0].store.get(&Key::Cluster(name.clone()))? else {
            return None;
        };
        self.policy_of(workload)?.placement.choose(name, &cluster.traits).ok()
    }

    /// The clusters of which room and rule alone do not decide what they may take of a workload. What else may keep them
    /// from growing has its own stories, and is not worked out here a second time.
    fn closed(&self, workload: &WorkloadRecord) -> BTreeSet<ClusterName> {
        let store = &self.hubs[0].store;
        let all = || self.members.iter().map(|member| member.name.clone());
        let Some(policy) = self.policy_of(workload) else { return all().collect() };
        let placement = &policy.placement;
        let repels = |record: &Record| {
            if let Record::Policy(policy) = record {
                !policy.placement.affinity.without.is_empty()
            } else {
                false
            }
        };
        let open = placement.affinity.is_empty()
            && placement.fallback.is_empty()
            && placement.strategy.constraints().is_empty()
            && !store.values().any(repels);
        if !open {
            return all().collect();
        }
        let lowered = self.lowered(workload);
        let closed = |name: &ClusterName| {
            let Some(Record::Cluster(cluster)) = store.get(&Key::Cluster(name.clone())) else { return true };
            cluster.cordoned
                || cluster.maintenance.is_some()
                || !cluster.taints.is_empty()
                || workload.yielded.contains_key(name)
                || lowered.contains(name)
                || self.owes(workload, name)
        };
        all().filter(closed).collect()
    }

    /// How many more pods of a size a cluster has room for, beside the copies that are planned or told there and do not
    /// exist: what somebody did by hand, there or in another cluster, may keep them from it for as long as it stands (S29),
    /// and room for them is promised all the time (S15). Which nodes they will find is open, so each takes as much as it
    /// can; and while there is none for all of them, there is none for anybody else.
    fn room_beside(&self, member: &Member, requests: &Resources) -> u64 {
        let mut room = member.room_for(requests);
        for (_, record) in self.hubs[0].store.range(Key::Workload(Uid(0))..) {
            let Record::Workload(WorkloadRecord { uid, spec, .. }) = record else { break };
            let Some(seat) = self.seat(*uid, &member.name) else { continue };
            let here = match is_counted(spec.kind()) {
                true => u32::try_from(member.pods_of(&spec.id).count()).unwrap_or(u32::MAX),
                // Of these the object alone counts, and it is there unless somebody deleted it.
                false => self.left(*uid, member).unwrap_or(u32::MAX),
            };
            let promised = u64::from(seat.placed.max(seat.target).saturating_sub(here));
            if promised > member.room_for(&spec.pod.requests) {
                return 0;
            }
            room = room.saturating_sub(promised * covered(&spec.pod.requests, requests));
        }
        room
    }

    /// The clusters of which it is lowered, for what was seen there, what they are taken to hold of a workload that waits
    /// (S3, S17).
    fn lowered(&self, workload: &WorkloadRecord) -> BTreeSet<ClusterName> {
        let core = self.hubs[0].core.as_ref().filter(|_| workload.pending > 0);
        let rows = core.and_then(|core| core.plan(&workload.spec.id)).map(|plan| plan.report);
        let lowered = ["could not be scheduled", "did not get ready"];
        let rows = rows.into_iter().flatten();
        rows.filter(|row| lowered.iter().any(|reason| row.reason.ends_with(reason)))
            .map(|row| row.cluster)
            .collect()
    }

    fn policy_of(&self, workload: &WorkloadRecord) -> Option<&Policy> {
        let record = self.hubs[0].store.get(&Key::Policy(workload.policy.clone()))?;
        if let Record::Policy(policy) = record { Some(policy) } else { None }
    }

    /// A seat, as hub 0 has stored it.
    pub fn seat(&self, uid: Uid, cluster: &ClusterName) -> Option<&Seat> {
        let record = self.hubs[0].store.get(&Key::Seat(uid, cluster.clone()))?;
        if let Record::Seat { seat, .. } = record { Some(seat) } else { None }
    }

    /// The lives that each cluster shall hold.
    fn live_rows(&self) -> BTreeMap<ClusterName, LiveRows> {
        let row = |(key, record): (&Key, &Record)| match (key, record) {
            (Key::Seat(uid, name), Record::Seat { seat, .. }) => {
                Some((name.clone(), *uid, Some(seat.target)))
            }
            (Key::ObjectRow(uid, name), _) => Some((name.clone(), *uid, None)),
            (Key::Federation | Key::Policy(_) | Key::Workload(_) | Key::Seat(..) | Key::Object(_), _) => None,
            (Key::Ended(_) | Key::Cluster(_) | Key::Migration(_) | Key::Journal(_), _) => None,
            (Key::Request(_) | Key::Quota(_) | Key::Retired(_) | Key::Revision(..), _) => None,
            (Key::Token(_) | Key::Revocation(_) | Key::RoleBinding(_) | Key::Issuer(_), _) => None,
        };
        let mut rows: BTreeMap<ClusterName, LiveRows> = BTreeMap::new();
        for (name, uid, replicas) in self.hubs[0].store.iter().filter_map(row) {
            rows.entry(name).or_default().insert(uid, replicas);
        }
        rows
    }

    /// The digest of what a cluster shall hold, made from the records alone.
    fn digest(&self, cluster: &ClusterName, live: &LiveRows) -> Digest {
        let mut digest = Digest::default();
        for (uid, replicas) in live.iter().map(|(uid, replicas)| (*uid, *replicas)) {
            let store = &self.hubs[0].store;
            if let (Some(seat), Some(_)) = (self.seat(uid, cluster), replicas) {
                digest += seat.hash(uid, &self.overrides_in(uid, cluster, seat.revision));
            } else if let Some(Record::Object(object)) = store.get(&Key::Object(uid)) {
                let overrides = self.changes_in(&object.overrides, cluster);
                digest +=
                    ObjectTarget::hash_of(uid, object.revision, self.bounds_in(uid, cluster), &overrides);
            }
        }
        digest
    }

    /// The generation of each cluster's targets, as hub 0 has stored it.
    pub fn generations(&self) -> BTreeMap<ClusterName, u64> {
        let generation = |record: &Record| {
            if let Record::Cluster(cluster) = record {
                return Some((cluster.name.clone(), cluster.generation.0));
            }
            None
        };
        self.hubs[0].store.values().filter_map(generation).collect()
    }

    /// Whether hub 0 hears every cluster.
    pub fn all_ready(&self) -> bool {
        let core = self.hubs[0].core.as_ref();
        let ready = |member: &Member| {
            core.and_then(|core| core.cluster(&member.name))
                .is_some_and(|view| view.state == ClusterState::Ready)
        };
        self.members.iter().all(ready)
    }

    /// The targets in force, to see whether they still change.
    pub fn targets(&self) -> BTreeSet<(Uid, ClusterName, u32)> {
        let target = |record: &Record| {
            if let Record::Seat { workload, cluster, seat } = record {
                return Some((*workload, cluster.clone(), seat.target));
            }
            None
        };
        self.hubs[0].store.values().filter_map(target).collect()
    }
}

/// Whether what workloads of a kind run is the hub's to count.
fn is_counted(kind: WorkloadKind) -> bool {
    match kind {
        WorkloadKind::Deployment | WorkloadKind::StatefulSet | WorkloadKind::Job => true,
        WorkloadKind::DaemonSet | WorkloadKind::CronJob => false,
    }
}

/// How many pods of one size a pod of another may leave no room for, on whatever node.
fn covered(other: &Resources, requests: &Resources) -> u64 {
    let times = |asked: u64, each: u64| if each == 0 { 0 } else { asked.div_ceil(each) };
    // More than these the simulator's workloads do not ask for.
    times(other.cpu_millis, requests.cpu_millis)
        .max(times(other.memory_bytes, requests.memory_bytes))
        .max(times(other.pods, requests.pods))
}
