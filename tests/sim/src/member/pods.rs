//! Controllers and kubelets: as many pods as a workload asks for, which start, become ready, and end with grace.

use std::sync::Arc;
use std::time::Duration;

use godwit_agent_core::{Change, Fault, PodPhase, PodSeen, Progress};
use godwit_common::link::Finished;
use godwit_common::{ObjectKey, Uid, WorkloadId, WorkloadKind};

use super::{Member, Object, Supervisor, id_of};
use crate::clock::Cx;
use crate::happening::Happening;
use crate::scenario::BAD;

/// How long a pod takes from its node to readiness.
const START: (u64, u64) = (500, 8_000);
/// How long a pod takes to end.
const GRACE: (u64, u64) = (100, 6_000);
/// How long a Job's pod works.
const WORK: (u64, u64) = (2_000, 120_000);

/// When controllers give up waiting for progress.
const GIVES_UP: (u64, u64) = (120_000, 121_000);

/// A pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// As agents see it.
    pub seen: PodSeen,
    /// Since when it is as ready as it is, in milliseconds.
    pub ready_since: u64,
    /// The own UID of the object that made it.
    pub made_by: Arc<str>,
    /// The manifest that it was made of.
    pub template: Arc<str>,
    /// The life of the workload that it was made for.
    pub life: Option<Uid>,
    /// Who starts and ends its process, once its container has started; none where nobody does.
    pub supervisor: Option<Supervisor>,
    /// It was made, or ends, for a reason within the cluster: somebody asked for it there, or its node has failed.
    pub of_its_own: bool,
}

impl Pod {
    /// Whether it was made of what an object says now.
    fn is_of(&self, object: &Object) -> bool {
        (&self.template, self.seen.supervised) == (&object.manifest, object.supervised)
    }

    /// Whether its process serves, as far as a supervisor has a say.
    fn serves(&self) -> bool {
        !self.seen.supervised || self.supervisor.as_ref().is_some_and(Supervisor::serves)
    }

    /// As it is shown at a moment.
    pub(super) fn shown(&self, now: u64) -> PodSeen {
        let age = if self.seen.ready { now - self.ready_since } else { 0 };
        PodSeen { ready_for: Duration::from_millis(age), ..self.seen.clone() }
    }
}

impl Member {
    /// The controllers look at a workload: too few pods, too many, of another template, or its object is gone.
    pub(crate) fn reconcile(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        if self.dead {
            return;
        }
        let id = id_of(key);
        let object = self.objects.get(key);
        let uid = object.map_or_else(|| Arc::from(""), |object| object.seen.uid.clone());
        let wanted = object.map_or(0, |object| wanted(key, object)) as usize;
        let is_new = |pod: &&&Pod| object.is_some_and(|object| pod.is_of(object));
        let living = self.pods_of(&id).filter(|pod| !pod.seen.terminating);
        let (own, others): (Vec<&Pod>, Vec<&Pod>) = living.partition(|pod| pod.made_by == uid);
        let (new, old): (Vec<&Pod>, Vec<&Pod>) = own.iter().partition(is_new);
        let (more, mut ending) = rolled(wanted, new, old);
        ending.extend(others.into_iter().map(|pod| pod.seen.name.clone()));
        for name in ending {
            self.end_pod(cx, &name);
        }
        for _ in 0..more {
            self.make_pod(cx, key, &id, &uid);
        }
        self.show_progress(cx, key, wanted);
        cx.after((1, 200), Happening::Schedule { cluster: self.index });
    }

    /// What the controllers say of a workload's template, and whether they have given up (S31).
    fn show_progress(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, wanted: usize) {
        let Some(object) = self.objects.get(key) else { return };
        let mut progress = Progress::default();
        if WorkloadKind::of(&id_of(key)).single() {
            let runs = object.seen.replicas.unwrap_or(0);
            let finished = object.finished.then_some(Finished::Complete);
            let ready = &*key.kind == "CronJob" || object.finished || self.ready_of(&id_of(key)) > 0;
            let progress =
                Progress { updated: runs, available: runs.min(ready.into()), finished, ..progress };
            return self.set_progress(cx, key, progress);
        }
        let of_it = |pod: &&Pod| pod.is_of(object) && !pod.seen.terminating;
        for pod in self.pods_of(&id_of(key)).filter(of_it) {
            progress.updated += 1;
            progress.available += u32::from(pod.seen.ready);
        }
        let done = progress.available as usize >= wanted;
        let waited = cx.now.saturating_sub(object.progressed);
        progress.stalled = !done && &*key.kind == "Deployment" && waited >= GIVES_UP.0;
        self.set_progress(cx, key, progress);
        if !done && !progress.stalled {
            cx.after(GIVES_UP, Happening::Reconcile { cluster: self.index, key: key.clone() });
        }
    }

    /// A pod has started, unless its node has failed.
    pub(crate) fn pod_starts(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        if self.has_failed_node(name) {
            return;
        }
        if !self.registry {
            self.change_pod(cx, name, |pod| {
                (pod.fault, pod.problem) =
                    (Some(Fault::Application), "container app: ImagePullBackOff".into());
            });
            return;
        }
        let serves = !self.is_bad(name) && self.pods.get(name).is_some_and(Pod::serves);
        self.change_pod(cx, name, |pod| {
            (pod.fault, pod.problem) = (None, "".into());
            pod.phase = PodPhase::Running;
            pod.ready = !pod.terminating && serves;
        });
        if self.pods.get(name).is_some_and(|pod| pod.seen.supervised) {
            self.supervisor_starts(cx, name);
        }
        let of_job = |pod: &Pod| pod.seen.owner.as_ref().is_some_and(|owner| &*owner.kind == "Job");
        if !self.is_bad(name) && self.pods.get(name).is_some_and(of_job) {
            cx.after(WORK, Happening::JobEnds { cluster: self.index, pod: name.clone() });
        }
    }

    /// A Job's pod has done its work, unless it was ended meanwhile.
    pub(crate) fn job_ends(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        let works = |pod: &&Pod| pod.seen.phase == PodPhase::Running && !pod.seen.terminating;
        let Some(pod) = self.pods.get(name).filter(works) else { return };
        if self.dead || self.has_failed_node(name) {
            return;
        }
        if !pod.seen.ready {
            // Its process waits, for a lease or for its node.
            return cx.after(WORK, Happening::JobEnds { cluster: self.index, pod: name.clone() });
        }
        let (owner, made_by) = (pod.seen.owner.clone(), pod.made_by.clone());
        let job = self.objects.values_mut().find(|object| object.seen.uid == made_by);
        let Some(job) = job.filter(|job| Some(id_of(&job.seen.key)) == owner) else { return };
        job.finished = true;
        let key = job.seen.key.clone();
        self.change_pod(cx, name, |pod| {
            pod.phase = PodPhase::Ended;
            pod.ready = false;
        });
        self.pod_ends(cx, name);
        self.controllers_look(cx, &key);
    }

    /// Images can be pulled again: what waited for one starts.
    pub(crate) fn mend_registry(&mut self, cx: &mut Cx<Happening>) {
        self.registry = true;
        for name in self.pod_names() {
            if self.pods.get(&name).is_some_and(|pod| pod.seen.fault.is_some()) {
                self.pod_starts(cx, &name);
            }
        }
    }

    /// A pod's probe fails, or succeeds again.
    pub(crate) fn set_ready(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>, ready: bool) {
        let serves = self.pods.get(name).is_some_and(Pod::serves);
        let ready = ready && serves && !self.has_failed_node(name) && !self.is_bad(name);
        self.change_pod(cx, name, |pod| {
            pod.ready = ready && pod.phase == PodPhase::Running && !pod.terminating;
        });
    }

    fn is_bad(&self, name: &Arc<str>) -> bool {
        self.pods.get(name).is_some_and(|pod| is_bad(&pod.template))
    }

    /// A pod's grace is over.
    pub(crate) fn pod_ends(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        if self.dead {
            return;
        }
        if self.has_failed_node(name) {
            // Nobody can say that it has ended.
            cx.after(GRACE, Happening::PodEnds { cluster: self.index, pod: name.clone() });
        } else if let Some(pod) = self.pods.remove(name) {
            self.owner_looks(cx, &pod.seen);
            let (namespace, name) = (pod.seen.namespace, pod.seen.name);
            self.show_pods(cx, Change::PodGone { namespace, name });
            cx.after((1, 200), Happening::Schedule { cluster: self.index });
        }
    }

    /// The whole cluster loses power: what ran is gone, what was stored is not.
    pub fn die(&mut self) {
        self.dead = true;
        self.disturb_pods(&self.pod_names());
        self.pods.clear();
        self.forget_watches();
    }

    /// Power is back: controllers make new pods, unless the cluster was given up, and is set up anew.
    pub(crate) fn revive(&mut self, cx: &mut Cx<Happening>) {
        self.dead = false;
        if std::mem::take(&mut self.abandoned) {
            self.objects.clear();
        }
        let keys: Vec<ObjectKey> = self.objects.keys().cloned().collect();
        for key in keys {
            self.controllers_look(cx, &key);
        }
    }

    /// How many pods of a life of a workload may exist here where so many are told, without anybody saying anything more;
    /// none if somebody meddled.
    pub(crate) fn may_exist(&self, id: &WorkloadId, life: Uid, told: u32) -> Option<u32> {
        if self.abandoned {
            return Some(0);
        }
        let count = |pods: usize| u32::try_from(pods).unwrap_or(u32::MAX);
        let pods: Vec<&Pod> = self.pods_of(id).filter(|pod| pod.life == Some(life)).collect();
        let object =
            self.workload(id).filter(|object| object.seen.stamp.is_some_and(|stamp| stamp.uid == life));
        // Made by an object that somebody deleted: the agent makes it anew while they end.
        let bereft = |pod: &&Pod| object.is_none_or(|object| object.seen.uid != pod.made_by);
        let scaled = object.is_some_and(|object| object.scaled_by_hand);
        if scaled || pods.iter().any(|pod| pod.of_its_own || bereft(pod)) {
            return None;
        }
        let ending = count(pods.iter().filter(|pod| pod.seen.terminating).count());
        let asked = object.and_then(|object| object.seen.replicas).unwrap_or(0);
        // The member rolls a revision out, or has yet to end some: what it makes and ends meanwhile is its own.
        let old = |pod: &&Pod| object.is_some_and(|object| !pod.is_of(object));
        if count(pods.len()) - ending > asked || pods.iter().any(old) {
            return None;
        }
        // What waits for its supervisor does not run, and where none is to run nothing lets it.
        let held = object.is_some_and(|object| object.supervised);
        if told == 0 && held && pods.iter().all(|pod| pod.seen.supervised) {
            return Some(self.processes(id, life));
        }
        Some(ending + asked.max(told).max(count(pods.len()) - ending))
    }

    fn make_pod(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, id: &WorkloadId, uid: &Arc<str>) {
        let name: Arc<str> = format!("{}-{}", key.name, self.next_version()).into();
        let seen = PodSeen {
            namespace: key.namespace.clone(),
            name: name.clone(),
            owner: Some(id.clone()),
            labels: Arc::default(),
            node: None,
            phase: PodPhase::Pending,
            terminating: false,
            supervised: self.objects.get(key).is_some_and(|object| object.supervised),
            ready: false,
            ready_for: Duration::ZERO,
            unschedulable: false,
            requests: self.requests_of(key),
            fault: None,
            problem: "".into(),
        };
        let made_by = uid.clone();
        let template = self.objects.get(key).map_or_else(|| Arc::from(""), |object| object.manifest.clone());
        let object = self.objects.get(key);
        let life = object.and_then(|object| Some(object.seen.stamp?.uid));
        let of_its_own = object.is_some_and(|object| object.scaled_by_hand);
        self.show_pods(cx, Change::Pod(seen.clone()));
        let pod = Pod { seen, ready_since: cx.now, made_by, template, life, supervisor: None, of_its_own };
        self.pods.insert(name, pod);
    }

    pub(super) fn end_pod(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        let bound = self.pods.get(name).is_some_and(|pod| pod.seen.node.is_some());
        self.change_pod(cx, name, |pod| {
            pod.terminating = true;
            pod.ready = false;
        });
        let ends = Happening::PodEnds { cluster: self.index, pod: name.clone() };
        cx.after(if bound { GRACE } else { (1, 20) }, ends);
    }

    pub(super) fn bind_pod(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>, node: Arc<str>) {
        self.change_pod(cx, name, |pod| {
            pod.node = Some(node);
            pod.unschedulable = false;
        });
        let starts = Happening::PodStarts { cluster: self.index, pod: name.clone() };
        cx.after(START, starts);
    }

    pub(super) fn change_pod(
        &mut self,
        cx: &mut Cx<Happening>,
        name: &Arc<str>,
        change: impl FnOnce(&mut PodSeen),
    ) {
        if let Some(pod) = self.pods.get_mut(name) {
            let before = pod.seen.ready;
            change(&mut pod.seen);
            if pod.seen.ready != before {
                pod.ready_since = cx.now;
            }
            let (changed, seen) = (pod.seen.ready != before, pod.shown(cx.now));
            if changed {
                self.owner_looks(cx, &seen);
            }
            self.show_pods(cx, Change::Pod(seen));
        }
    }

    /// What has become of a pod may be of interest to those who made it.
    pub(super) fn owner_looks(&mut self, cx: &mut Cx<Happening>, pod: &PodSeen) {
        let is_owner = |key: &&ObjectKey| pod.owner.as_ref() == Some(&id_of(key));
        if let Some(key) = self.objects.keys().find(is_owner).cloned() {
            self.controllers_look(cx, &key);
        }
    }
}

/// How many pods the controller of an object makes. A CronJob's run too rarely to be seen here.
fn wanted(key: &ObjectKey, object: &Object) -> u32 {
    let told = object.seen.replicas.unwrap_or(1);
    match WorkloadKind::of(&id_of(key)) {
        WorkloadKind::Job if object.finished => 0,
        WorkloadKind::Job | WorkloadKind::Deployment | WorkloadKind::StatefulSet => told,
        WorkloadKind::DaemonSet => told,
        WorkloadKind::CronJob => 0,
    }
}

/// How many pods of the present template are to be made, and which pods are to end: a rolling update that never goes
/// further below the wanted number, nor further above it, than a quarter of it, and one always.
fn rolled(wanted: usize, mut new: Vec<&Pod>, mut old: Vec<&Pod>) -> (usize, Vec<Arc<str>>) {
    let (surge, missing) = (wanted.div_ceil(4).max(1), (wanted / 4).max(1));
    let least = wanted.saturating_sub(missing);
    // Kubernetes ends first what is not ready, and of that what has no node.
    let order = |pod: &&Pod| (pod.seen.ready, pod.seen.node.is_some(), pod.seen.name.clone());
    new.sort_by_key(order);
    old.sort_by_key(order);
    let surplus = new.len().saturating_sub(wanted);
    let mut ending: Vec<Arc<str>> = new.iter().take(surplus).map(|pod| pod.seen.name.clone()).collect();
    let (new, total) = (&new[surplus..], new.len() - surplus + old.len());
    let room = (wanted + if old.is_empty() { 0 } else { surge }).saturating_sub(total);
    let more = wanted.saturating_sub(new.len()).min(room);
    // What is old and not ready serves nobody, and makes room; of what is ready, no more than can be spared.
    let (unready, ready): (Vec<&Pod>, Vec<&Pod>) = old.iter().partition(|pod| !pod.seen.ready);
    let all_ready = ready.len() + new.iter().filter(|pod| pod.seen.ready).count();
    let spare = ready.iter().take(all_ready.saturating_sub(least));
    ending.extend(unready.iter().chain(spare).map(|pod| pod.seen.name.clone()));
    (more, ending)
}

/// Whether pods of a manifest never get ready.
pub fn is_bad(manifest: &str) -> bool {
    manifest.contains(&format!("\"revision\":{BAD}}}"))
}
