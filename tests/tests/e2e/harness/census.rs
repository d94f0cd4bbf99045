//! Counts what is ready in the clusters themselves, as often as it can.

use std::collections::BTreeMap;
use std::sync::atomic::{AtomicBool, AtomicU32, Ordering};
use std::sync::{Arc, Mutex};

use k8s_openapi::api::apps::v1::Deployment;
use kube::Api;
use tokio::task::JoinHandle;

use super::cluster::Cluster;
use super::federation::Federation;

type Clusters = BTreeMap<String, Api<Deployment>>;

/// A count of one Deployment over all clusters, until it is asked for.
pub(crate) struct Census {
    clusters: Arc<Mutex<Clusters>>,
    least: Arc<AtomicU32>,
    over: Arc<AtomicBool>,
    task: JoinHandle<()>,
}

impl Census {
    pub(crate) fn begin(federation: &Federation, name: &'static str) -> Self {
        let all = federation.clusters().map(|cluster| (cluster.name().to_owned(), cluster.api()));
        let clusters = Arc::new(Mutex::new(all.collect::<Clusters>()));
        let (least, over) = (Arc::new(AtomicU32::new(u32::MAX)), Arc::new(AtomicBool::new(false)));
        let (counted, lowest, ended) = (Arc::clone(&clusters), Arc::clone(&least), Arc::clone(&over));
        let task = tokio::spawn(async move {
            while !ended.load(Ordering::Relaxed) {
                let now = counted.lock().unwrap().clone();
                if let Some(ready) = count(&now, &counted, name).await {
                    lowest.fetch_min(ready, Ordering::Relaxed);
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
async fn count(clusters: &Clusters, now: &Mutex<Clusters>, name: &str) -> Option<u32> {
    let mut ready = 0;
    for (cluster, api) in clusters {
        let found = match api.get_opt(name).await {
            Ok(found) => found,
            Err(_) if !now.lock().unwrap().contains_key(cluster) => return None,
            Err(error) => panic!("{cluster} does not say how much of {name} is ready: {error}"),
        };
        let status = found.and_then(|deployed| deployed.status);
        ready += status.and_then(|status| status.ready_replicas).unwrap_or(0);
    }
    Some(u32::try_from(ready).unwrap())
}
