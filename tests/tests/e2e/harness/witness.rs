//! A witness of one Deployment in several member clusters: it sees every change through the Kubernetes API itself.

use std::collections::BTreeMap;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use kube::api::{Api, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use super::cluster::Cluster;

/// What was seen in one cluster.
#[derive(Debug, Clone)]
pub(crate) struct Seen {
    /// Whether the Deployment was ever removed.
    pub(crate) deleted: bool,
    /// Every value of `spec.replicas`, in order.
    pub(crate) replicas: Vec<i32>,
    /// The last state.
    pub(crate) last: Deployment,
}

/// Watches until dropped.
pub(crate) struct Witness {
    notes: Arc<Mutex<Notes>>,
    tasks: Vec<JoinHandle<()>>,
}

#[derive(Debug)]
struct Notes {
    seen: BTreeMap<String, Seen>,
    least_ready: i32,
}

impl Witness {
    /// Watches the Deployment `name`, which is in each of `clusters`, from now on.
    pub(crate) async fn start(clusters: impl Iterator<Item = &Cluster>, name: &str) -> Self {
        let mut apis = Vec::new();
        let mut seen = BTreeMap::new();
        for cluster in clusters {
            let api: Api<Deployment> = cluster.api();
            let last = api.get(name).await.unwrap();
            let first = Seen { deleted: false, replicas: vec![wanted(&last)], last };
            seen.insert(cluster.name().to_owned(), first);
            apis.push((cluster.name().to_owned(), api));
        }
        let least_ready = seen.values().map(|seen| ready(&seen.last)).sum();
        let notes = Arc::new(Mutex::new(Notes { seen, least_ready }));
        let watched = |(cluster, api)| tokio::spawn(watch(cluster, api, name.to_owned(), Arc::clone(&notes)));
        let tasks = apis.into_iter().map(watched).collect();
        Self { notes, tasks }
    }

    /// What happened in `cluster`.
    pub(crate) fn in_cluster(&self, cluster: &str) -> Seen {
        self.check();
        self.notes.lock().unwrap().seen[cluster].clone()
    }

    /// The least number of ready replicas that all clusters together ever had.
    pub(crate) fn least_ready(&self) -> i32 {
        self.check();
        self.notes.lock().unwrap().least_ready
    }

    fn check(&self) {
        let ended = self.tasks.iter().any(JoinHandle::is_finished);
        assert!(!ended, "a watch broke off: the witness may have missed something");
    }
}

impl Drop for Witness {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// One watch after the other, since servers end them after a while. Changes in between are not missed: each watch
/// begins where the last one ended.
async fn watch(cluster: String, api: Api<Deployment>, name: String, notes: Arc<Mutex<Notes>>) {
    let only = WatchParams::default().fields(&format!("metadata.name={name}"));
    loop {
        let version = notes.lock().unwrap().seen[&cluster].last.metadata.resource_version.clone();
        let Ok(changes) = api.watch(&only, &version.unwrap()).await else {
            return;
        };
        let mut changes = changes.boxed();
        while let Some(Ok(change)) = changes.next().await {
            match change {
                WatchEvent::Added(deployment) | WatchEvent::Modified(deployment) => {
                    notes.lock().unwrap().note(&cluster, deployment, false);
                }
                WatchEvent::Deleted(deployment) => notes.lock().unwrap().note(&cluster, deployment, true),
                WatchEvent::Bookmark(_) => {}
                WatchEvent::Error(_) => return,
            }
        }
    }
}

impl Notes {
    fn note(&mut self, cluster: &str, deployment: Deployment, deleted: bool) {
        let seen = self.seen.get_mut(cluster).expect("the clusters are fixed at the start");
        seen.deleted |= deleted;
        if seen.replicas.last() != Some(&wanted(&deployment)) {
            seen.replicas.push(wanted(&deployment));
        }
        seen.last = deployment;
        let total = self.seen.values().map(|seen| ready(&seen.last)).sum();
        self.least_ready = self.least_ready.min(total);
    }
}

/// `spec.replicas`.
pub(crate) fn wanted(deployment: &Deployment) -> i32 {
    deployment.spec.replicas.unwrap_or(1)
}

/// `status.readyReplicas`.
pub(crate) fn ready(deployment: &Deployment) -> i32 {
    let status = deployment.status.as_ref();
    status.and_then(|status| status.ready_replicas).unwrap_or(0)
}
