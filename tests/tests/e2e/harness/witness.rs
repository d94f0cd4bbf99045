//! A witness of one Deployment in several member clusters: it sees every change through the Kubernetes API itself.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::{Arc, Mutex};

use futures_util::StreamExt;
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, WatchEvent, WatchParams};
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::wait::wait_for;

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
    group: Arc<Group>,
    tasks: Vec<JoinHandle<()>>,
}

struct Group {
    /// The Deployment's name, which is its pods' label `app` too.
    name: String,
    members: BTreeMap<String, (Api<Deployment>, Api<Pod>)>,
    notes: Mutex<Notes>,
}

struct Notes {
    seen: BTreeMap<String, Seen>,
    least: Least,
}

/// The least that was ready, and where: a test that fails says whether it began so or came to it.
#[derive(Debug, Clone)]
pub(crate) struct Least {
    pub(crate) ready: i32,
    /// The cluster whose change brought it; none: it was so at the start.
    by: Option<String>,
    in_each: BTreeMap<String, i32>,
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let when =
            self.by.as_deref().map_or("at the start".to_owned(), |by| format!("after a change in {by}"));
        write!(f, "only {} replicas were ready {when}: {:?}", self.ready, self.in_each)
    }
}

impl Witness {
    /// Watches the Deployment `name`, which is in each of `clusters`, once it is ready in all of them.
    ///
    /// A Deployment's status follows its pods, and the hub counts the pods: what it calls settled may be a moment ahead.
    pub(crate) async fn start(clusters: impl Iterator<Item = &Cluster>, name: &str) -> Self {
        let mut members = BTreeMap::new();
        let mut seen = BTreeMap::new();
        for cluster in clusters {
            let deployments: Api<Deployment> = cluster.api();
            let last = wait_for(&format!("{name} to be ready in {}", cluster.name()), async || {
                let now = deployments.get(name).await.map_err(|error| error.to_string())?;
                if ready(&now) == wanted(&now) { Ok(now) } else { Err(format!("{:?}", now.status)) }
            })
            .await;
            let first = Seen { deleted: false, replicas: vec![wanted(&last)], last };
            seen.insert(cluster.name().to_owned(), first);
            members.insert(cluster.name().to_owned(), (deployments, cluster.api()));
        }
        let in_each = counts(&seen);
        let least = Least { ready: in_each.values().sum(), by: None, in_each };
        let notes = Mutex::new(Notes { seen, least });
        let group = Arc::new(Group { name: name.to_owned(), members, notes });
        let watched = |cluster: &String| tokio::spawn(Arc::clone(&group).watch(cluster.clone()));
        let tasks = group.members.keys().map(watched).collect();
        Self { group, tasks }
    }

    /// What happened in `cluster`.
    pub(crate) fn in_cluster(&self, cluster: &str) -> Seen {
        self.check();
        self.group.notes.lock().unwrap().seen[cluster].clone()
    }

    /// What happened in `cluster` until it was told to run so many: it tells a witness no sooner than the hub, and no later
    /// than is waited for.
    pub(crate) async fn until(&self, cluster: &str, replicas: i32) -> Seen {
        wait_for(&format!("{cluster} to be seen with {replicas}"), async || {
            let seen = self.in_cluster(cluster);
            if wanted(&seen.last) == replicas { Ok(seen) } else { Err(format!("{:?}", seen.replicas)) }
        })
        .await
    }

    /// The least number of ready replicas that all clusters together ever had.
    pub(crate) fn least(&self) -> Least {
        self.check();
        self.group.notes.lock().unwrap().least.clone()
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

impl Group {
    /// One watch after the other, since servers end them after a while. Changes in between are not missed: each watch
    /// begins where the last one ended.
    async fn watch(self: Arc<Self>, cluster: String) {
        let only = WatchParams::default().fields(&format!("metadata.name={}", self.name));
        let (deployments, _) = &self.members[&cluster];
        loop {
            let version = self.notes.lock().unwrap().seen[&cluster].last.metadata.resource_version.clone();
            let Ok(changes) = deployments.watch(&only, &version.unwrap()).await else {
                return;
            };
            let mut changes = changes.boxed();
            while let Some(Ok(change)) = changes.next().await {
                let noted = match change {
                    WatchEvent::Added(deployment) | WatchEvent::Modified(deployment) => {
                        self.note(&cluster, deployment, false).await
                    }
                    WatchEvent::Deleted(deployment) => self.note(&cluster, deployment, true).await,
                    WatchEvent::Bookmark(_) => Ok(()),
                    WatchEvent::Error(_) => return,
                };
                if noted.is_err() {
                    return;
                }
            }
        }
    }

    async fn note(&self, cluster: &str, deployment: Deployment, deleted: bool) -> kube::Result<()> {
        let mut in_each = BTreeMap::from([(cluster.to_owned(), ready(&deployment))]);
        if !self.notes.lock().unwrap().note(cluster, deployment, deleted) {
            return Ok(());
        }
        // Watches of several clusters come in no common order: what became ready elsewhere before this change may only
        // be seen after it. So the others are asked.
        for (other, (_, pods)) in self.members.iter().filter(|(other, _)| *other != cluster) {
            let labelled = ListParams::default().labels(&format!("app={}", self.name));
            let found = pods.list(&labelled).await?.items.into_iter().filter(is_ready).count();
            in_each.insert(other.clone(), i32::try_from(found).unwrap());
        }
        let mut notes = self.notes.lock().unwrap();
        let ready = in_each.values().sum();
        if ready < notes.least.ready {
            notes.least = Least { ready, by: Some(cluster.to_owned()), in_each };
        }
        Ok(())
    }
}

impl Notes {
    /// Whether fewer replicas than ever seem to be ready.
    fn note(&mut self, cluster: &str, deployment: Deployment, deleted: bool) -> bool {
        let seen = self.seen.get_mut(cluster).expect("the clusters are fixed at the start");
        seen.deleted |= deleted;
        if seen.replicas.last() != Some(&wanted(&deployment)) {
            seen.replicas.push(wanted(&deployment));
        }
        seen.last = deployment;
        counts(&self.seen).values().sum::<i32>() < self.least.ready
    }
}

fn counts(seen: &BTreeMap<String, Seen>) -> BTreeMap<String, i32> {
    seen.iter().map(|(cluster, seen)| (cluster.clone(), ready(&seen.last))).collect()
}

/// Whether a pod is ready, and is to stay.
pub(crate) fn is_ready(pod: &Pod) -> bool {
    let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
    let mut readiness = conditions.filter(|condition| condition.type_ == "Ready");
    pod.metadata.deletion_timestamp.is_none() && readiness.any(|condition| condition.status == "True")
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
