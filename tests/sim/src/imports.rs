//! What runs in clusters before Godwit comes, and how it is imported (S34): at bad moments, twice, from some clusters and
//! then from others, and from a look at them that may be out of date.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::policy::Strategy;
use godwit_common::{ClusterName, ObjectKey, Uid, WorkloadId, WorkloadKind};
use godwit_hub_core::{
    Application, Command, Deploy, Found, FoundObject, FoundWorkload, Import, Key, ObjectSpec, PolicyChoice,
    Record, WorkloadSpec,
};

use crate::clock::Cx;
use crate::happening::Happening;
use crate::member::{Member, Object};
use crate::operator::a_policy;
use crate::scenario::{AUTOSCALER, autoscaler, read, reader, totals, workload};
use crate::world::{World, cx};

/// What runs before, by name.
const NAMES: [&str; 3] = ["billing", "legacy", "mail"];
/// What all of it is.
const KIND: &str = "Deployment";
/// How old a look at clusters may be by the time of the import; and when the same is said once more.
const LOOKS: (u64, u64) = (0, 6_000);
const AGAIN: (u64, u64) = (0, 10_000);

/// What is in the clusters beside what Godwit has made.
#[derive(Debug, Clone, Copy, Default, PartialEq, Eq)]
pub struct Brownfield {
    /// Something is.
    pub exists: bool,
    /// An operator imports it; otherwise nobody ever does.
    pub imported: bool,
}

impl World {
    /// Something runs in most clusters before Godwit comes.
    pub fn begin_brownfield(&mut self, imported: bool) {
        self.brownfield = Brownfield { exists: true, imported };
        for cluster in 0..self.members.len() {
            for name in NAMES {
                if !self.rng.one_in(3) {
                    self.grow(cluster, name);
                }
            }
        }
    }

    /// A person deploys something in a cluster, with or without what goes along; it may say what others of its name do not.
    fn grow(&mut self, cluster: usize, name: &str) {
        let revision = u32::from(self.rng.one_in(4));
        let replicas = u32::try_from(self.rng.below(5)).unwrap_or(0);
        let Application { workloads, objects } = workload(KIND, name, replicas, 100, revision);
        for spec in workloads {
            let key = key_of(&spec.id);
            self.members[cluster].make_by_hand(cx!(self), &key, spec.manifest, Some(replicas));
        }
        for object in objects {
            if self.rng.one_in(3) {
                continue;
            }
            self.members[cluster].make_by_hand(cx!(self), &object.key, object.manifest, None);
        }
        if self.rng.one_in(3) {
            let manifest = autoscaler(KIND, 1, 2 + self.rng.below(10));
            self.members[cluster].make_by_hand(cx!(self), &autoscaler_of(name), manifest, None);
        }
    }

    /// The name of something that runs before, now and then.
    pub(crate) fn brown_name(&mut self) -> Option<&'static str> {
        (self.brownfield.exists && self.rng.one_in(6)).then(|| NAMES[self.pick(NAMES.len())])
    }

    /// An import, of what some clusters have by now. It may be said later, and twice.
    pub(crate) fn wish_of_import(&mut self) -> Option<Command> {
        if !self.brownfield.imported || !self.rng.one_in(4) {
            return None;
        }
        let clusters: Vec<usize> = (0..self.members.len()).filter(|_| !self.rng.one_in(3)).collect();
        let one = NAMES[self.pick(NAMES.len())];
        let names = if self.rng.one_in(3) { NAMES.to_vec() } else { vec![one] };
        let command = Command::Deploy(self.gather(&clusters, &names, None)?);
        if self.rng.one_in(3) {
            cx!(self).after(AGAIN, Happening::Ask(Box::new(command.clone())));
        }
        if self.rng.one_in(2) {
            return Some(command);
        }
        cx!(self).after(LOOKS, Happening::Ask(Box::new(command)));
        None
    }

    /// What clusters have of some workloads, as one application. As the hub's shell does, it looks at what differs: then one
    /// of them has to be right.
    fn gather(&mut self, clusters: &[usize], names: &[&str], from: Option<ClusterName>) -> Option<Deploy> {
        let along = self.rng.one_in(2);
        let mut found: BTreeMap<ClusterName, Found> = BTreeMap::new();
        for member in clusters.iter().map(|cluster| &self.members[*cluster]).filter(|member| !member.dead) {
            found.insert(member.name.clone(), found_in(member, names, along));
        }
        let having = found.iter().filter(|(_, found)| !found.workloads.is_empty());
        let having: Vec<ClusterName> = having.map(|(name, _)| name.clone()).collect();
        if having.is_empty() {
            return None;
        }
        let said = differ(&found) || self.rng.one_in(6);
        let any = having[self.pick(having.len())].clone();
        let from = from.or_else(|| said.then_some(any));
        let policy = match self.rng.one_in(3) {
            true => PolicyChoice::Named(a_policy(self.pick(2))),
            false => PolicyChoice::Annotated,
        };
        let sums = !self.is_duplicate(&policy);
        let application = together(&found, from.as_ref(), sums);
        let import = Some(Import { found, allow_moves: self.rng.one_in(2), from });
        Some(Deploy { request_id: "".into(), fingerprint: 0, application, policy, import })
    }

    fn is_duplicate(&self, policy: &PolicyChoice) -> bool {
        let PolicyChoice::Named(name) = policy else { return false };
        let record = self.hubs[0].store.get(&Key::Policy(name.clone()));
        matches!(record, Some(Record::Policy(policy)) if policy.placement.strategy == Strategy::Duplicate)
    }

    /// What is not Godwit's and stands in its way comes to an end: people hand it over, put it as it was, or take it away, or it
    /// is imported as it is by now. Where nothing is ever imported, it is Godwit that steps back.
    pub(crate) fn settle_takeovers(&mut self) -> Option<Command> {
        if !self.brownfield.exists {
            return None;
        }
        let blocked = self.blocked();
        if blocked.is_empty() {
            return None;
        }
        let (cluster, key, told) = blocked[self.pick(blocked.len())].clone();
        if !self.brownfield.imported {
            return self.leaning_on(&key).map(|workload| Command::DeleteWorkload { workload });
        }
        self.note(|| format!("{key} of cluster {cluster} stands in the way"));
        match self.rng.below(4) {
            0 => self.members[cluster].hand_over(&key),
            1 => self.members[cluster].rewrite_by_hand(cx!(self), &key, told),
            2 => self.delete_by_hand(cluster, &key),
            _ => {
                let all: Vec<usize> = (0..self.members.len()).collect();
                let name = self.members[cluster].name.clone();
                let from = Some(name).filter(|_| WorkloadKind::of_name(&key.kind).is_some());
                return self.gather(&all, &[&*key.name], from).map(Command::Deploy);
            }
        }
        None
    }

    /// The workload that an object is, or one that leans on it.
    fn leaning_on(&self, key: &ObjectKey) -> Option<WorkloadId> {
        let store = &self.hubs[0].store;
        let is = |uid: &Uid| matches!(store.get(&Key::Object(*uid)), Some(Record::Object(object)) if object.key == *key);
        store.values().find_map(|record| {
            let Record::Workload(workload) = record else { return None };
            let leans = workload.objects.iter().chain(&workload.leaving).any(is);
            (leans || key_of(&workload.spec.id) == *key).then(|| workload.spec.id.clone())
        })
    }

    /// What a cluster was told to have, where that is nobody's: and what it was told that it says.
    fn blocked(&self) -> Vec<(usize, ObjectKey, Arc<str>)> {
        let store = &self.hubs[0].store;
        let told = |(key, record): (&Key, &Record)| match (key, record) {
            (Key::Seat(uid, name), Record::Seat { seat, .. }) => {
                let Some(Record::Revision(revision)) = store.get(&Key::Revision(*uid, seat.revision)) else {
                    return None;
                };
                Some((name.clone(), key_of(&revision.spec.id), revision.spec.manifest.clone()))
            }
            (Key::ObjectRow(uid, name), _) => {
                let Some(Record::Object(object)) = store.get(&Key::Object(*uid)) else { return None };
                Some((name.clone(), object.key.clone(), object.manifest.clone()))
            }
            (_, _) => None,
        };
        let mut blocked = Vec::new();
        for (name, key, manifest) in store.iter().filter_map(told) {
            let member = self.members.iter().find(|member| member.name == name);
            let object = member.and_then(|member| Some((member.index, member.objects.get(&key)?)));
            if let Some((index, _)) = object.filter(|(_, object)| object.is_unmanaged()) {
                blocked.push((index, key, manifest));
            }
        }
        blocked
    }
}

fn key_of(id: &WorkloadId) -> ObjectKey {
    let api_version = WorkloadKind::of(id).api_version();
    ObjectKey::new(api_version, &id.kind, &id.namespace, &id.name).expect("a scenario names objects well")
}

fn autoscaler_of(name: &str) -> ObjectKey {
    ObjectKey::new("autoscaling/v2", AUTOSCALER, "shop", name).expect("a scenario names objects well")
}

fn found_in(member: &Member, names: &[&str], along: bool) -> Found {
    let mut found = Found::default();
    for name in names {
        let id = crate::scenario::id(KIND, name);
        let Some(object) = member.objects.get(&key_of(&id)) else { continue };
        let Some((original, life)) = who(object) else { continue };
        let Ok(spec) = read(&object.seen.key, &object.manifest, &[]) else { continue };
        let spec = WorkloadSpec { replicas: object.seen.replicas.unwrap_or(0), ..spec };
        found.workloads.push(FoundWorkload { original, life, spec });
        let config = ObjectKey::new("v1", "ConfigMap", "shop", name).expect("a scenario names objects well");
        for key in [config, autoscaler_of(name)].into_iter().filter(|_| along) {
            let Some(object) = member.objects.get(&key) else { continue };
            let Some((original, life)) = who(object) else { continue };
            let spec = ObjectSpec { key, manifest: object.manifest.clone() };
            found.objects.push(FoundObject { original, life, spec });
        }
    }
    found
}

fn who(object: &Object) -> Option<(godwit_common::link::Original, Option<Uid>)> {
    Some((object.original()?, object.seen.stamp.map(|stamp| stamp.uid)))
}

/// Whether anything says in one cluster what it does not say in another, but for bounds.
fn differ(found: &BTreeMap<ClusterName, Found>) -> bool {
    let mut first: BTreeMap<ObjectKey, Arc<str>> = BTreeMap::new();
    let workloads = found.values().flat_map(|found| &found.workloads);
    let workloads = workloads.map(|found| (key_of(&found.spec.id), &found.spec.manifest));
    let objects = found.values().flat_map(|found| &found.objects);
    let objects = objects.map(|found| (found.spec.key.clone(), &found.spec.manifest));
    workloads.chain(objects).any(|(key, manifest)| {
        let known = first.entry(key.clone()).or_insert_with(|| manifest.clone());
        !(reader().alike)(&key, known, manifest)
    })
}

/// One application: of what differs, `from` is right, or else the first that has it; bounds are added up.
fn together(found: &BTreeMap<ClusterName, Found>, from: Option<&ClusterName>, sums: bool) -> Application {
    let right = from.and_then(|from| found.get(from));
    let mut workloads: BTreeMap<WorkloadId, WorkloadSpec> = BTreeMap::new();
    let mut objects: BTreeMap<ObjectKey, ObjectSpec> = BTreeMap::new();
    for one in right.into_iter().chain(found.values()) {
        for of in &one.workloads {
            workloads
                .entry(of.spec.id.clone())
                .or_insert_with(|| WorkloadSpec { replicas: 0, ..of.spec.clone() });
        }
        for of in &one.objects {
            objects.entry(of.spec.key.clone()).or_insert_with(|| of.spec.clone());
        }
    }
    for of in found.values().flat_map(|found| &found.workloads) {
        if let Some(spec) = workloads.get_mut(&of.spec.id) {
            spec.replicas += of.spec.replicas;
        }
    }
    for (key, spec) in objects.iter_mut().filter(|(key, _)| sums && &*key.kind == AUTOSCALER) {
        let all = found.values().flat_map(|found| &found.objects).filter(|of| of.spec.key == *key);
        let all: Vec<_> = all.filter_map(|of| totals(key, &of.spec.manifest)).map(|one| one.bounds).collect();
        let sum = |of: fn(&godwit_common::bounds::Bounds) -> Option<u32>| {
            all.iter().filter_map(of).map(u64::from).sum::<u64>()
        };
        spec.manifest = autoscaler(KIND, sum(|bounds| bounds.min), sum(|bounds| bounds.max));
    }
    Application { workloads: workloads.into_values().collect(), objects: objects.into_values().collect() }
}
