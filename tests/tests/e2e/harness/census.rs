//! Counts what is ready in the clusters themselves, as often as it can.
//!
//! It counts pods, as the hub does: a Deployment's status follows them, and under load it may do so seconds later. Clusters
//! are asked one after the other, and what has started in one and stopped in the next meanwhile would be missed in both. So
//! only two rounds that saw the same make a count: it was true of the moment between them (the double collect of Afek et
//! al., "Atomic snapshots of shared memory", 1993).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::federation::Federation;
use super::witness::is_ready;

type Clusters = BTreeMap<String, Api<Pod>>;

/// The pods that were ready, by their UIDs.
type Round = BTreeSet<String>;

/// A count of the pods of one Deployment over all clusters, until it is asked for.
pub(crate) struct Census {
    clusters: Arc<Mutex<Clusters>>,
    least: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Census {
    pub(crate) fn begin(federation: &Federation, name: impl Into<String>) -> Self {
        let name = name.into();
        let all = federation.clusters().map(|cluster| (cluster.name().to_owned(), cluster.api()));
        let clusters = Arc::new(Mutex::new(all.collect::<Clusters>()));
        let (least, over) = (Arc::new(AtomicU32::new(u32::MAX)), Arc::new(AtomicBool::new(false)));
        let (counted, lowest, ended) = (Arc::clone(&clusters), Arc::clone(&least), Arc::clone(&over));
        let task = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                let now = counted.lock().unwrap().clone();
                let rounds = (round(&now, &counted, &name).await, round(&now, &counted, &name).await);
                if let (Some(one), Some(other)) = rounds
                    && one == other
                {
                    lowest.fetch_min(u32::try_from(one.len()).unwrap(), Ordering::Relaxed);
                }
            }
        });
        Self { clusters, least, over, task }
    }

    /// A cluster is about to be switched off: whatever still ran there is missed from now on.
    pub(crate) fn leave(&self, name: &str) {
        self.clusters.lock().unwrap().remove(name);
    }

    /// A cluster was built anew.
    pub(crate) fn join(&self, cluster: &Cluster) {
        self.clusters.lock().unwrap().insert(cluster.name().to_owned(), cluster.api());
    }

    /// The least that was ever ready.
    pub(crate) async fn least(self) -> u32 {
        self.over.store(true, Ordering::Relaxed);
        self.task.await.unwrap();
        self.least.load(Ordering::Relaxed)
    }
}

/// None if a cluster was switched off meanwhile: the next count is without it.
async fn round(clusters: &Clusters, now: &Mutex<Clusters>, name: &str) -> Option<Round> {
    let labelled = ListParams::default().labels(&format!("app={name}"));
    let mut ready = Round::new();
    for (cluster, api) in clusters {
        let found = match api.list(&labelled).await {
            Ok(found) => found,
            Err(_) if !now.lock().unwrap().contains_key(cluster) => return None,
            Err(error) => panic!("{cluster} does not say how much of {name} is ready: {error}"),
        };
        ready.extend(found.items.into_iter().filter(is_ready).filter_map(|pod| pod.metadata.uid));
    }
    Some(ready)
}
