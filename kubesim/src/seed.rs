//! What a new cluster contains: namespaces and nodes.

use std::sync::Arc;

use serde_json::{Value, json};

use crate::controllers::Cluster;
use crate::error::ApiError;
use crate::object::{self, Key, set};
use crate::options::Config;
use crate::store::{NAMESPACES, Part};

/// The release of the simulated kubelets.
const KUBELET: &str = "v1.32.0";
/// What each node offers besides what the options say.
const EPHEMERAL_STORAGE: &str = "100Gi";

/// Creates the first namespaces, the nodes and the API's own service.
pub(crate) fn plant(cluster: &Cluster, config: &Config) -> Result<(), ApiError> {
    let kind = cluster.kind(NAMESPACES)?;
    for name in ["default", "kube-system", "kube-public", "kube-node-lease"] {
        let namespace = json!({"apiVersion": "v1", "kind": "Namespace", "metadata": {"name": name}});
        // A cluster is known by this namespace's UID.
        let uid = config.uid.filter(|_| name == "kube-system");
        cluster.store.create_as(&kind, namespace, uid, false)?;
    }
    for number in 0..config.nodes {
        plant_node(cluster, config, number)?;
    }
    let kind = cluster.kind("services")?;
    let service = json!({
        "apiVersion": "v1",
        "kind": "Service",
        "metadata": {
            "namespace": "default",
            "name": "kubernetes",
            "labels": {"component": "apiserver", "provider": "kubernetes"},
        },
        "spec": {"clusterIP": "10.96.0.1", "ports": [{"name": "https", "port": 443, "targetPort": 6443}]},
    });
    cluster.store.create(&kind, service, false)?;
    Ok(())
}

fn plant_node(cluster: &Cluster, config: &Config, number: u32) -> Result<Arc<Value>, ApiError> {
    let kind = cluster.kind("nodes")?;
    let name = format!("{}-node-{}", config.name, number + 1);
    let mut labels = json!({
        "kubernetes.io/hostname": name,
        "kubernetes.io/os": "linux",
        "kubernetes.io/arch": "amd64",
        "node.kubernetes.io/instance-type": "simulated",
    });
    let zones = config.zones.len().max(1);
    if let Some(zone) = config.zones.get(usize::try_from(number).unwrap_or(0) % zones) {
        set(&mut labels, &["topology.kubernetes.io/zone"], json!(zone));
    }
    if let Some(region) = &config.region {
        set(&mut labels, &["topology.kubernetes.io/region"], json!(region));
    }
    let node = json!({
        "apiVersion": "v1",
        "kind": "Node",
        "metadata": {"name": name, "labels": labels},
        "spec": {"providerID": format!("kubesim://{}/{name}", config.name)},
    });
    cluster.store.create(&kind, node, false)?;
    let capacity = json!({
        "cpu": config.node_cpu,
        "memory": config.node_memory,
        "pods": config.node_pods.to_string(),
        "ephemeral-storage": EPHEMERAL_STORAGE,
    });
    let [_, _, high, low] = (number + 2).to_be_bytes();
    let status = json!({
        "capacity": capacity,
        "allocatable": capacity,
        "addresses": [
            {"type": "InternalIP", "address": format!("172.18.{high}.{low}")},
            {"type": "Hostname", "address": name},
        ],
        "daemonEndpoints": {"kubeletEndpoint": {"Port": 10250}},
        "nodeInfo": {
            "architecture": "amd64",
            "operatingSystem": "linux",
            "osImage": "kubesim",
            "kernelVersion": "6.0.0",
            "kubeletVersion": KUBELET,
            "kubeProxyVersion": KUBELET,
            "containerRuntimeVersion": "kubesim://0",
            "machineID": name,
            "systemUUID": name,
            "bootID": name,
        },
    });
    cluster.store.modify(&kind, &Key::new("", &name), Part::All, false, |node| {
        let mut new = node.clone();
        set(&mut new, &["status"], status);
        object::set_condition(&mut new, "Ready", "True", "KubeletReady", "kubelet is posting ready status");
        Ok(new)
    })
}
