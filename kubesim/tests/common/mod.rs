//! A simulated cluster in this process, and a client of it.
#![allow(dead_code, reason = "each test program uses a part of it")]

use std::time::Duration;

use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, DynamicObject, ListParams, Patch, PatchParams, PostParams};
use kube::config::{KubeConfigOptions, Kubeconfig};
use kube::discovery::ApiResource;
use kubesim::{Config, Simulation};
use serde_json::{Value, json};

/// A cluster that runs until it is dropped.
pub(crate) struct Cluster {
    pub(crate) client: kube::Client,
    pub(crate) kubeconfig: String,
    pub(crate) url: String,
    task: tokio::task::JoinHandle<anyhow::Result<()>>,
}

impl Drop for Cluster {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// A configuration in which nothing takes long.
pub(crate) fn quick() -> Config {
    Config {
        startup_delay: (Duration::from_millis(10), Duration::from_millis(30)),
        termination_delay: Duration::from_millis(20),
        eviction_delay: Duration::from_millis(200),
        run_time: Duration::from_millis(20),
        ..Config::default()
    }
}

/// Starts a cluster.
pub(crate) async fn start(config: Config) -> Cluster {
    let simulation = Simulation::start(config).await.expect("a cluster");
    let kubeconfig = simulation.kubeconfig().to_owned();
    let url = simulation.url().to_owned();
    let task = tokio::spawn(simulation.run(std::future::pending()));
    let client = client(&kubeconfig).await;
    Cluster { client, kubeconfig, url, task }
}

/// A client of the cluster that `kubeconfig` leads to.
pub(crate) async fn client(kubeconfig: &str) -> kube::Client {
    let parsed = Kubeconfig::from_yaml(kubeconfig).expect("a kubeconfig");
    let mut config = kube::Config::from_custom_kubeconfig(parsed, &KubeConfigOptions::default())
        .await
        .expect("a client configuration");
    // A refusal is to be seen as it is: a client that retries for minutes hides it.
    config.default_retry = false;
    kube::Client::try_from(config).expect("a client")
}

/// Waits until `probe` gives something.
pub(crate) async fn eventually<T, F: Future<Output = Option<T>>>(
    what: &str,
    mut probe: impl FnMut() -> F,
) -> T {
    let waiting = async {
        loop {
            if let Some(found) = probe().await {
                return found;
            }
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(Duration::from_secs(60), waiting)
        .await
        .unwrap_or_else(|_| panic!("never happened: {what}"))
}

impl Cluster {
    /// Objects of any kind in the default namespace.
    pub(crate) fn api(&self, group: &str, version: &str, kind: &str, plural: &str) -> Api<DynamicObject> {
        let gvk = kube::core::GroupVersionKind::gvk(group, version, kind);
        let resource = ApiResource::from_gvk_with_plural(&gvk, plural);
        Api::namespaced_with(self.client.clone(), "default", &resource)
    }

    pub(crate) fn deployments(&self) -> Api<DynamicObject> {
        self.api("apps", "v1", "Deployment", "deployments")
    }

    pub(crate) fn pods(&self) -> Api<Pod> {
        Api::namespaced(self.client.clone(), "default")
    }

    /// Applies `object` in the name of `manager`.
    pub(crate) async fn apply(
        &self,
        api: &Api<DynamicObject>,
        manager: &str,
        object: &Value,
    ) -> kube::Result<DynamicObject> {
        let name = object["metadata"]["name"].as_str().expect("a name");
        api.patch(name, &PatchParams::apply(manager), &Patch::Apply(object)).await
    }

    /// Creates `object`.
    pub(crate) async fn create(&self, api: &Api<DynamicObject>, object: Value) -> DynamicObject {
        let object = serde_json::from_value(object).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("created")
    }

    /// The pods that `selector` selects and that are ready.
    pub(crate) async fn ready_pods(&self, selector: &str) -> Vec<Pod> {
        let list = self.pods().list(&ListParams::default().labels(selector)).await.expect("a list");
        list.items.into_iter().filter(is_ready).collect()
    }

    /// Waits until exactly `count` pods are selected and all are ready.
    pub(crate) async fn wait_for_pods(&self, selector: &str, count: usize) -> Vec<Pod> {
        eventually(&format!("{count} ready pods of {selector}"), || async {
            let all = self.pods().list(&ListParams::default().labels(selector)).await.expect("a list");
            let ready = all.items.iter().filter(|pod| is_ready(pod)).count();
            (ready == count && all.items.len() == count).then_some(all.items)
        })
        .await
    }
}

pub(crate) fn is_ready(pod: &Pod) -> bool {
    let status = serde_json::to_value(pod).expect("JSON");
    status["status"]["conditions"]
        .as_array()
        .is_some_and(|all| all.iter().any(|one| one["type"] == "Ready" && one["status"] == "True"))
}

/// A deployment of `image`.
pub(crate) fn deployment(name: &str, replicas: u32, image: &str) -> Value {
    workload("Deployment", name, replicas, image)
}

/// A workload of `image` in the group `apps`.
pub(crate) fn workload(kind: &str, name: &str, replicas: u32, image: &str) -> Value {
    json!({
        "apiVersion": "apps/v1",
        "kind": kind,
        "metadata": {"name": name},
        "spec": {
            "replicas": replicas,
            "selector": {"matchLabels": {"app": name}},
            "template": {
                "metadata": {"labels": {"app": name}},
                "spec": {"containers": [{
                    "name": "main",
                    "image": image,
                    "resources": {"requests": {"cpu": "100m"}},
                }]},
            },
        },
    })
}

pub(crate) fn config_map(name: &str, labels: Value, data: Value) -> Value {
    json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name, "labels": labels}, "data": data})
}
