//! All that happens to a workload in its time: deployed, rolled out, bereft of a cluster that comes back, moved away from one
//! that is drained and from one that is retired, and deleted. On three simulated clusters always, and on three real ones where
//! `GODWIT_TEST_KUBECONFIGS` names as many.

use std::path::PathBuf;
use std::time::{SystemTime, UNIX_EPOCH};

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::Deployment as Deployed;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace};
use kube::Api;
use kube::api::{DeleteParams, PostParams};
use serde_json::json;

use crate::harness::{Builder, Census, Deployment, Federation, client, policy, wait_for};

const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];

/// Kubeconfigs of clusters with nodes, comma separated: credentials must allow everything.
const KUBECONFIGS: &str = "GODWIT_TEST_KUBECONFIGS";

/// An image that their nodes can have, and that runs until it is stopped.
const IMAGE: &str = "GODWIT_TEST_IMAGE";

/// What lives: a Deployment, and a ConfigMap of the same name beside it.
struct Life {
    federation: Federation,
    name: String,
    image: Option<String>,
}

#[tokio::test]
async fn on_simulated_clusters() {
    let builder = Builder::new(&CLUSTERS);
    lived(Life { federation: federation(builder).await, name: "web".to_owned(), image: None }).await;
}

#[tokio::test]
async fn on_real_clusters() {
    let named = std::env::var(KUBECONFIGS).unwrap_or_default();
    let paths: Vec<&str> = named.split(',').map(str::trim).filter(|path| !path.is_empty()).collect();
    let Some([alpha, bravo, charlie]) = paths.first_chunk() else {
        eprintln!("skipped: {KUBECONFIGS} names {} real clusters, and this takes three", paths.len());
        return;
    };
    let mark = SystemTime::now().duration_since(UNIX_EPOCH).unwrap().as_millis();
    let name = format!("godwit-test-lifetime-{mark}");
    let mut builder = Builder::new(&CLUSTERS);
    for (cluster, path) in CLUSTERS.into_iter().zip([alpha, bravo, charlie]) {
        make_namespace(path, &name).await;
        builder = builder.each(|spec| {
            if spec.name == cluster {
                (spec.real, spec.namespace) = (Some(PathBuf::from(path)), name.clone());
            }
        });
    }
    let life =
        Life { federation: federation(builder).await, name: name.clone(), image: std::env::var(IMAGE).ok() };
    for cluster in lived(life).await.clusters() {
        let namespaces: Api<Namespace> = cluster.all();
        namespaces.delete(&name, &DeleteParams::default()).await.unwrap();
    }
}

/// The namespace of an agent's own objects.
async fn make_namespace(kubeconfig: &str, name: &str) {
    let namespaces: Api<Namespace> = Api::all(client(kubeconfig.as_ref()).await);
    let namespace = serde_json::from_value(json!({ "metadata": { "name": name } })).unwrap();
    namespaces.create(&PostParams::default(), &namespace).await.unwrap();
}

async fn federation(builder: Builder) -> Federation {
    let timings = [("federation.min_ready", "1s"), ("federation.tombstone_age", "2s")];
    let federation = builder.hasty().settings(&timings).start().await;
    federation.admin.apply_policy(policy("even", &CLUSTERS.map(|name| (name, 1)))).await.unwrap();
    federation
}

async fn lived(mut life: Life) -> Federation {
    life.deploy("blue").await;
    life.settles(&CLUSTERS).await;
    life.deploy("green").await;
    life.has_rolled_out().await;
    life.settles(&CLUSTERS).await;

    // Lost as the hub sees it: nobody speaks for it any more. Its replicas run on, and are too many when it returns.
    life.federation.cluster_mut("alpha").kill_agent(0);
    life.federation.cluster_is("alpha", "Lost").await;
    life.settles(&["bravo", "charlie"]).await;
    life.federation.cluster_mut("alpha").start_agent(0);
    life.federation.cluster_is("alpha", "Ready").await;
    life.federation.admin.rebalance().await.unwrap();
    life.settles(&CLUSTERS).await;

    let census = Census::begin(&life.federation, life.name.clone());
    let drain = v1::DrainClusterRequest { name: "bravo".to_owned(), ..v1::DrainClusterRequest::default() };
    life.federation.admin.drain(drain).await.unwrap();
    life.settles(&["alpha", "charlie"]).await;
    life.federation.admin.uncordon("bravo").await.unwrap();
    life.federation.cluster_is("bravo", "Ready").await;
    life.federation.admin.rebalance().await.unwrap();
    life.settles(&CLUSTERS).await;

    // It is told that it was retired.
    life.federation.cluster_mut("charlie").may_log_errors(0);
    let retire =
        v1::RetireClusterRequest { name: "charlie".to_owned(), ..v1::RetireClusterRequest::default() };
    life.federation.admin.retire(retire).await.unwrap();
    life.federation.cluster_leaves("charlie").await;
    life.is_gone_from("charlie").await;
    life.settles(&["alpha", "bravo"]).await;
    assert_eq!(census.least().await, 6, "never fewer than wanted");

    life.federation.admin.delete(&life.name).await.unwrap();
    for cluster in ["alpha", "bravo"] {
        life.is_gone_from(cluster).await;
    }
    life.federation
}

impl Life {
    async fn deploy(&self, colour: &str) {
        let name = &self.name;
        let mut web = Deployment::new(name, 6).policy("even").yaml();
        if let Some(image) = &self.image {
            web = web.replace("registry.example/main:1", image);
        }
        // What differs is of the pods.
        let manifests = format!(
            "{web}          env: [{{name: COLOUR, value: {colour}}}]
---
apiVersion: v1
kind: ConfigMap
metadata: {{name: {name}}}
data: {{colour: {colour}}}
"
        );
        let request = v1::DeployRequest { manifests, ..v1::DeployRequest::default() };
        self.federation.admin.deploy(request).await.unwrap();
    }

    /// Waits until all six replicas run, the same number in each of these clusters.
    async fn settles(&self, clusters: &[&str]) {
        let each = u32::try_from(6 / clusters.len()).unwrap();
        let shares: Vec<(&str, u32)> = clusters.iter().map(|cluster| (*cluster, each)).collect();
        self.federation.settles(&self.name, &shares).await;
    }

    async fn has_rolled_out(&self) {
        wait_for("the second revision to be everywhere", async || {
            let workload =
                self.federation.admin.workload(&self.name).await.map_err(|error| error.to_string())?;
            let rollout = workload.rollout.ok_or("there is none")?;
            if rollout.state == "Completed" { Ok(()) } else { Err(format!("{rollout:?}")) }
        })
        .await;
        for cluster in self.federation.clusters() {
            let deployed = cluster.deployment(&self.name).await.unwrap();
            let environment = &deployed.spec.template.spec.unwrap().containers[0].env;
            assert_eq!(
                environment.as_ref().unwrap()[0].value.as_deref(),
                Some("green"),
                "{}",
                cluster.name()
            );
            let settings = cluster.api::<ConfigMap>().get(&self.name).await.unwrap();
            assert_eq!(settings.data.unwrap()["colour"], "green", "{}", cluster.name());
        }
    }

    async fn is_gone_from(&self, cluster: &str) {
        let cluster = self.federation.cluster(cluster);
        wait_for(&format!("{} to be gone from {}", self.name, cluster.name()), async || {
            let deployed =
                cluster.api::<Deployed>().get_opt(&self.name).await.map_err(|error| error.to_string())?;
            let settings =
                cluster.api::<ConfigMap>().get_opt(&self.name).await.map_err(|error| error.to_string())?;
            if deployed.is_none() && settings.is_none() {
                Ok(())
            } else {
                Err(format!("{deployed:?} {settings:?}"))
            }
        })
        .await;
    }
}
