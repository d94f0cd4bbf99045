//! Endpoints: the addresses of the ready pods behind each service.

use std::time::Duration;

use serde_json::{Value, json};

use super::engine::{Controller, Queue};
use super::{Cluster, pods, unless_gone};
use crate::api::selectors::LabelSelector;
use crate::error::ApiError;
use crate::object::{self, Key, fields, items, set, text};
use crate::store::{Change, DeleteOptions, PODS, Part};

const SERVICES: &str = "services";
const RESOURCE: &str = "endpoints";
const SLICES: &str = "endpointslices.discovery.k8s.io";
/// Changes of pods are gathered for this long: a service with thousands of pods is not gone through for each of them.
const GATHER: Duration = Duration::from_millis(250);

/// The controller of endpoints.
#[derive(Debug, Default)]
pub(crate) struct Endpoints;

impl Controller for Endpoints {
    type Item = Key;

    fn resources(&self) -> &'static [&'static str] {
        &[SERVICES, PODS]
    }

    fn observe(&mut self, cluster: &Cluster, change: &Change, queue: &mut Queue<Key>) {
        if *change.resource == *SERVICES {
            queue.add(change.key.clone());
            return;
        }
        for service in cluster.store.all(SERVICES, Some(&change.key.namespace)) {
            let selector = LabelSelector::of_map(&service["spec"]["selector"]);
            let touched = |pod: &Value| !selector.is_empty() && selector.matches(&pod["metadata"]["labels"]);
            if touched(&change.after) || change.before.as_ref().is_some_and(|pod| touched(pod)) {
                queue.add_after(Key::of(&service), GATHER);
            }
        }
    }

    fn reconcile(&mut self, cluster: &Cluster, key: &Key) -> Result<Option<Duration>, ApiError> {
        let (endpoints, slices) = (cluster.kind(RESOURCE)?, cluster.kind(SLICES)?);
        let Some(service) = cluster.store.get(SERVICES, key) else {
            // The slice goes with its owner; endpoints have none.
            unless_gone(cluster.store.delete(&endpoints, key, &DeleteOptions::default()))?;
            return Ok(None);
        };
        if fields(&service["spec"]["selector"]).next().is_none() {
            return Ok(None);
        }
        let selector = LabelSelector::of_map(&service["spec"]["selector"]);
        let mut selected = cluster.store.all(PODS, Some(&key.namespace));
        selected.retain(|pod| {
            selector.matches(&pod["metadata"]["labels"])
                && !text(&pod["status"]["podIP"]).is_empty()
                && pods::is_active(pod)
        });
        let ports: Vec<Value> = items(&service["spec"]["ports"]).iter().map(port).collect();
        let addresses = |ready: bool| -> Vec<Value> {
            selected.iter().filter(|pod| pods::is_ready(pod) == ready).map(|pod| address(pod)).collect()
        };
        let mut subset = json!({"ports": ports});
        for (field, list) in [("addresses", addresses(true)), ("notReadyAddresses", addresses(false))] {
            if !list.is_empty() {
                set(&mut subset, &[field], Value::Array(list));
            }
        }
        let subsets = if selected.is_empty() { json!([]) } else { json!([subset]) };
        let slice: Vec<Value> = selected.iter().map(|pod| slice_endpoint(pod)).collect();
        put(cluster, &endpoints, &service, &key.name, &[("subsets", subsets)])?;
        let parts = [("addressType", json!("IPv4")), ("endpoints", json!(slice)), ("ports", json!(ports))];
        put(cluster, &slices, &service, &format!("{}-sim", key.name), &parts)?;
        Ok(None)
    }
}

fn port(port: &Value) -> Value {
    let target = if port["targetPort"].is_number() { &port["targetPort"] } else { &port["port"] };
    let mut shown = json!({"port": target, "protocol": port["protocol"]});
    if let Some(name) = port.get("name") {
        set(&mut shown, &["name"], name.clone());
    }
    shown
}

fn target(pod: &Value) -> Value {
    json!({
        "kind": "Pod",
        "namespace": pod["metadata"]["namespace"],
        "name": pod["metadata"]["name"],
        "uid": pod["metadata"]["uid"],
    })
}

fn address(pod: &Value) -> Value {
    json!({"ip": pod["status"]["podIP"], "nodeName": pod["spec"]["nodeName"], "targetRef": target(pod)})
}

fn slice_endpoint(pod: &Value) -> Value {
    let ready = pods::is_ready(pod);
    json!({
        "addresses": [pod["status"]["podIP"]],
        "conditions": {"ready": ready, "serving": ready, "terminating": false},
        "nodeName": pod["spec"]["nodeName"],
        "targetRef": target(pod),
    })
}

/// Writes an object that belongs to `service`.
fn put(
    cluster: &Cluster,
    kind: &crate::kinds::Kind,
    service: &Value,
    name: &str,
    parts: &[(&str, Value)],
) -> Result<(), ApiError> {
    let key = Key::new(object::namespace(service), name);
    let fill = |object: &mut Value| {
        for (field, value) in parts {
            set(object, &[field], value.clone());
        }
    };
    let written = cluster.store.modify(kind, &key, Part::Main, false, |current| {
        let mut new = current.clone();
        fill(&mut new);
        Ok(new)
    });
    match written {
        Err(error) if error.code == 404 => {}
        result => return result.map(drop),
    }
    let mut object = json!({
        "apiVersion": kind.api_version(),
        "kind": kind.kind,
        "metadata": {
            "namespace": object::namespace(service),
            "name": name,
            "labels": {"kubernetes.io/service-name": object::name(service)},
        },
    });
    if &*kind.resource == SLICES {
        set(&mut object, &["metadata", "ownerReferences"], json!([object::controller_ref(service)]));
    }
    fill(&mut object);
    match cluster.store.create(kind, object, false) {
        // The namespace is on its way out.
        Err(error) if error.reason == "Forbidden" => Ok(()),
        result => unless_gone(result),
    }
}
