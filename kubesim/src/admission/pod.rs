//! Defaults of pod specs.

use serde_json::{Value, json};

use crate::object::{items, map_at, set_default, text};

/// How long pods stay on a failed node, as the admission plugin of a real cluster says.
const TOLERATION_SECONDS: i64 = 300;

/// Fills in what a pod spec leaves out.
pub(super) fn defaults(spec: &mut Value) {
    set_default(spec, &["restartPolicy"], json!("Always"));
    set_default(spec, &["terminationGracePeriodSeconds"], json!(30));
    set_default(spec, &["dnsPolicy"], json!("ClusterFirst"));
    set_default(spec, &["securityContext"], json!({}));
    set_default(spec, &["schedulerName"], json!("default-scheduler"));
    for list in ["containers", "initContainers"] {
        if let Some(containers) = spec.get_mut(list).and_then(Value::as_array_mut) {
            containers.iter_mut().for_each(container);
        }
    }
    if let Some(volumes) = spec.get_mut("volumes").and_then(Value::as_array_mut) {
        for volume in volumes {
            for source in ["configMap", "secret", "projected", "downwardAPI"] {
                if volume[source].is_object() {
                    set_default(volume, &[source, "defaultMode"], json!(0o644));
                }
            }
        }
    }
}

fn container(container: &mut Value) {
    set_default(container, &["resources"], json!({}));
    set_default(container, &["terminationMessagePath"], json!("/dev/termination-log"));
    set_default(container, &["terminationMessagePolicy"], json!("File"));
    let image = text(&container["image"]);
    let tag = image.rsplit('/').next().and_then(|last| last.split_once(':'));
    let pull = match tag {
        Some((_, "latest")) => "Always",
        Some(_) => "IfNotPresent",
        None if image.contains('@') => "IfNotPresent",
        None => "Always",
    };
    set_default(container, &["imagePullPolicy"], json!(pull));
    if let Some(ports) = container.get_mut("ports").and_then(Value::as_array_mut) {
        for port in ports {
            set_default(port, &["protocol"], json!("TCP"));
        }
    }
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        if container[probe].is_object() {
            for (field, value) in [
                ("timeoutSeconds", 1),
                ("periodSeconds", 10),
                ("successThreshold", 1),
                ("failureThreshold", 3),
            ] {
                set_default(container, &[probe, field], json!(value));
            }
            if container[probe]["httpGet"].is_object() {
                set_default(container, &[probe, "httpGet", "scheme"], json!("HTTP"));
                set_default(container, &[probe, "httpGet", "path"], json!("/"));
            }
        }
    }
    let limits = container["resources"]["limits"].clone();
    for (resource, amount) in crate::object::fields(&limits) {
        set_default(container, &["resources", "requests", resource], amount.clone());
    }
}

/// Lets pods stay for a while on nodes that fail, unless they say something else.
pub(super) fn default_tolerations(pod: &mut Value) {
    for key in ["node.kubernetes.io/not-ready", "node.kubernetes.io/unreachable"] {
        let told = items(&pod["spec"]["tolerations"]).iter().any(|toleration| {
            let given = text(&toleration["key"]);
            (given == key || given.is_empty()) && matches!(text(&toleration["effect"]), "" | "NoExecute")
        });
        let list = map_at(pod, &["spec"]).entry("tolerations").or_insert_with(|| json!([]));
        if let (false, Some(list)) = (told, list.as_array_mut()) {
            list.push(json!({
                "key": key,
                "operator": "Exists",
                "effect": "NoExecute",
                "tolerationSeconds": TOLERATION_SECONDS,
            }));
        }
    }
}

/// The quality-of-service class.
pub(super) fn quality(spec: &Value) -> &'static str {
    let containers = items(&spec["containers"]).iter().chain(items(&spec["initContainers"]));
    let (mut any, mut guaranteed) = (false, true);
    for container in containers {
        let resources = &container["resources"];
        for resource in ["cpu", "memory"] {
            let (request, limit) = (&resources["requests"][resource], &resources["limits"][resource]);
            any |= !request.is_null() || !limit.is_null();
            guaranteed &= !limit.is_null() && request == limit;
        }
    }
    match (any, guaranteed) {
        (false, _) => "BestEffort",
        (true, true) => "Guaranteed",
        (true, false) => "Burstable",
    }
}
