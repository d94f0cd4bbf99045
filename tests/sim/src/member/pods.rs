//! Controllers and kubelets: as many pods as a workload asks for, which start, become ready, and end with grace.

use std::sync::Arc;

use godwit_agent_core::{Change, PodPhase, PodSeen};
use godwit_common::{ObjectKey, WorkloadId};

use super::{Member, id_of};
use crate::clock::Cx;
use crate::happening::Happening;

/// How long a pod takes from its node to readiness.
const START: (u64, u64) = (500, 8_000);
/// How long a pod takes to end.
const GRACE: (u64, u64) = (100, 6_000);

/// A pod.
#[derive(Debug, Clone)]
pub struct Pod {
    /// As agents see it.
    pub seen: PodSeen,
    /// The own UID of the object that made it.
    pub made_by: Arc<str>,
}

impl Member {
    /// The controllers look at a workload: too few pods, too many, or its object is gone.
    pub(crate) fn reconcile(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        if self.dead {
            return;
        }
        let id = id_of(key);
        let object = self.objects.get(key).map(|object| object.seen.clone());
        let (uid, wanted) =
            object.map_or_else(|| (Arc::from(""), 0), |object| (object.uid, object.replicas.unwrap_or(1)));
        let living = |pod: &&Pod| !pod.seen.terminating;
        let (own, others): (Vec<&Pod>, Vec<&Pod>) =
            self.pods_of(&id).filter(living).partition(|pod| pod.made_by == uid);
        let mut own: Vec<(bool, bool, Arc<str>)> = own
            .into_iter()
            .map(|pod| (pod.seen.ready, pod.seen.node.is_some(), pod.seen.name.clone()))
            .collect();
        let mut ending: Vec<Arc<str>> = others.into_iter().map(|pod| pod.seen.name.clone()).collect();
        // Kubernetes ends first what is not ready, and of that what has no node.
        own.sort();
        let wanted = wanted as usize;
        let surplus = own.len().saturating_sub(wanted);
        ending.extend(own.iter().take(surplus).map(|(_, _, name)| name.clone()));
        for name in ending {
            self.end_pod(cx, &name);
        }
        for _ in own.len()..wanted {
            self.make_pod(cx, key, &id, &uid);
        }
        cx.after((1, 200), Happening::Schedule { cluster: self.index });
    }

    /// A pod has started, unless its node has failed.
    pub(crate) fn pod_starts(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>) {
        if self.has_failed_node(name) {
            return;
        }
        self.change_pod(cx, name, |pod| {
            pod.phase = PodPhase::Running;
            pod.ready = !pod.terminating;
        });
    }

    /// A pod's probe fails, or succeeds again.
    pub(crate) fn set_ready(&mut self, cx: &mut Cx<Happening>, name: &Arc<str>, ready: bool) {
        let ready = ready && !self.has_failed_node(name);
        self.change_pod(cx, name, |pod| {
            pod.ready = ready && pod.phase == PodPhase::Running && !pod.terminating;
        });
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
            let (namespace, name) = (pod.seen.namespace, pod.seen.name);
            self.show_pods(cx, Change::PodGone { namespace, name });
            cx.after((1, 200), Happening::Schedule { cluster: self.index });
        }
    }

    /// The whole cluster loses power: what ran is gone, what was stored is not.
    pub fn die(&mut self) {
        self.dead = true;
        self.pods.clear();
        self.forget_watches();
    }

    /// Power is back: controllers make new pods.
    pub(crate) fn revive(&mut self, cx: &mut Cx<Happening>) {
        self.dead = false;
        let keys: Vec<ObjectKey> = self.objects.keys().cloned().collect();
        for key in keys {
            self.controllers_look(cx, &key);
        }
    }

    fn make_pod(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, id: &WorkloadId, uid: &Arc<str>) {
        let name: Arc<str> = format!("{}-{}", key.name, self.next_version()).into();
        let seen = PodSeen {
            namespace: key.namespace.clone(),
            name: name.clone(),
            owner: Some(id.clone()),
            node: None,
            phase: PodPhase::Pending,
            terminating: false,
            ready: false,
            unschedulable: false,
            requests: self.requests_of(key),
            fault: None,
            problem: "".into(),
        };
        let made_by = uid.clone();
        self.show_pods(cx, Change::Pod(seen.clone()));
        self.pods.insert(name, Pod { seen, made_by });
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
            change(&mut pod.seen);
            let seen = pod.seen.clone();
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
