//! Default values, as the real API server fills them in: appliers compare what they sent with what they read back.

use serde_json::{Value, json};

use super::pod;
use crate::kinds::Kind;
use crate::object::{self, map_at, set, set_default, text, unset};

/// Completes `object`; `old` is what it replaces.
pub(crate) fn prepare(kind: &Kind, object: &mut Value, old: Option<&Value>) {
    if old.is_none() && kind.status {
        unset(object, &["status"]);
    }
    unset_empty(object, &["metadata", "labels"]);
    unset_empty(object, &["metadata", "annotations"]);
    unset_empty(object, &["metadata", "finalizers"]);
    unset_empty(object, &["metadata", "ownerReferences"]);
    match &*kind.resource {
        "deployments.apps" => deployment(object),
        "replicasets.apps" => replica_set(object),
        "statefulsets.apps" => stateful_set(object),
        "daemonsets.apps" => daemon_set(object),
        "jobs.batch" => job(object, old),
        "cronjobs.batch" => cron_job(object),
        "pods" => whole_pod(object, old),
        "services" => service(object, old),
        "secrets" => secret(object),
        "namespaces" => namespace(object),
        "persistentvolumeclaims" => claim(object),
        "customresourcedefinitions.apiextensions.k8s.io" => definition(object),
        _ => {}
    }
}

fn unset_empty(object: &mut Value, path: &[&str; 2]) {
    let value = &object[path[0]][path[1]];
    let empty = value.as_object().is_some_and(serde_json::Map::is_empty)
        || value.as_array().is_some_and(Vec::is_empty)
        || value.is_null();
    if empty {
        unset(object, path);
    }
}

fn deployment(object: &mut Value) {
    set_default(object, &["spec", "replicas"], json!(1));
    set_default(object, &["spec", "revisionHistoryLimit"], json!(10));
    set_default(object, &["spec", "progressDeadlineSeconds"], json!(600));
    set_default(object, &["spec", "strategy", "type"], json!("RollingUpdate"));
    if object["spec"]["strategy"]["type"] == "RollingUpdate" {
        for bound in ["maxSurge", "maxUnavailable"] {
            set_default(object, &["spec", "strategy", "rollingUpdate", bound], json!("25%"));
        }
    } else {
        unset(object, &["spec", "strategy", "rollingUpdate"]);
    }
    template(object, &["spec", "template"]);
}

fn replica_set(object: &mut Value) {
    set_default(object, &["spec", "replicas"], json!(1));
    template(object, &["spec", "template"]);
}

fn stateful_set(object: &mut Value) {
    set_default(object, &["spec", "replicas"], json!(1));
    set_default(object, &["spec", "revisionHistoryLimit"], json!(10));
    set_default(object, &["spec", "podManagementPolicy"], json!("OrderedReady"));
    set_default(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if object["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
        set_default(object, &["spec", "updateStrategy", "rollingUpdate", "partition"], json!(0));
    }
    let retain = ["spec", "persistentVolumeClaimRetentionPolicy"];
    for moment in ["whenDeleted", "whenScaled"] {
        set_default(object, &[retain[0], retain[1], moment], json!("Retain"));
    }
    if let Some(claims) = object["spec"].get_mut("volumeClaimTemplates").and_then(Value::as_array_mut) {
        for template in claims {
            set_default(template, &["apiVersion"], json!("v1"));
            set_default(template, &["kind"], json!("PersistentVolumeClaim"));
            claim(template);
            set_default(template, &["status", "phase"], json!("Pending"));
        }
    }
    template(object, &["spec", "template"]);
}

fn daemon_set(object: &mut Value) {
    set_default(object, &["spec", "revisionHistoryLimit"], json!(10));
    set_default(object, &["spec", "updateStrategy", "type"], json!("RollingUpdate"));
    if object["spec"]["updateStrategy"]["type"] == "RollingUpdate" {
        let bounds = ["spec", "updateStrategy", "rollingUpdate"];
        set_default(object, &[bounds[0], bounds[1], bounds[2], "maxSurge"], json!(0));
        set_default(object, &[bounds[0], bounds[1], bounds[2], "maxUnavailable"], json!(1));
    }
    template(object, &["spec", "template"]);
}

fn job(object: &mut Value, old: Option<&Value>) {
    job_spec(map_value(object, &["spec"]));
    template(object, &["spec", "template"]);
    if old.is_none() && object["spec"]["manualSelector"] != json!(true) {
        set_default(object, &["metadata", "labels", "job-name"], json!(object::name(object)));
    }
}

fn job_spec(spec: &mut Value) {
    let unset_counts = spec["completions"].is_null() && spec["parallelism"].is_null();
    if unset_counts {
        set(spec, &["completions"], json!(1));
    }
    set_default(spec, &["parallelism"], json!(1));
    set_default(spec, &["backoffLimit"], json!(6));
    set_default(spec, &["completionMode"], json!("NonIndexed"));
    set_default(spec, &["suspend"], json!(false));
    set_default(spec, &["podReplacementPolicy"], json!("TerminatingOrFailed"));
}

fn cron_job(object: &mut Value) {
    set_default(object, &["spec", "concurrencyPolicy"], json!("Allow"));
    set_default(object, &["spec", "suspend"], json!(false));
    set_default(object, &["spec", "successfulJobsHistoryLimit"], json!(3));
    set_default(object, &["spec", "failedJobsHistoryLimit"], json!(1));
    template(object, &["spec", "jobTemplate", "spec", "template"]);
}

fn template(object: &mut Value, path: &[&str]) {
    let template = map_value(object, path);
    set_default(template, &["metadata"], json!({}));
    pod::defaults(map_value(template, &["spec"]));
}

fn whole_pod(object: &mut Value, old: Option<&Value>) {
    pod::defaults(map_value(object, &["spec"]));
    if old.is_some() {
        return;
    }
    set_default(object, &["spec", "serviceAccountName"], json!("default"));
    set_default(object, &["spec", "enableServiceLinks"], json!(true));
    set_default(object, &["spec", "priority"], json!(0));
    set_default(object, &["spec", "preemptionPolicy"], json!("PreemptLowerPriority"));
    pod::default_tolerations(object);
    let class = pod::quality(&object["spec"]);
    set(object, &["status"], json!({"phase": "Pending", "qosClass": class}));
}

fn service(object: &mut Value, old: Option<&Value>) {
    set_default(object, &["spec", "type"], json!("ClusterIP"));
    set_default(object, &["spec", "sessionAffinity"], json!("None"));
    if text(&object["spec"]["type"]) != "ExternalName" {
        let kept = old.map_or(Value::Null, |old| old["spec"]["clusterIP"].clone());
        let address = if kept.is_string() { kept } else { json!(cluster_ip(object)) };
        set_default(object, &["spec", "clusterIP"], address.clone());
        let address = object["spec"]["clusterIP"].clone();
        set_default(object, &["spec", "clusterIPs"], json!([address]));
        set_default(object, &["spec", "ipFamilies"], json!(["IPv4"]));
        set_default(object, &["spec", "ipFamilyPolicy"], json!("SingleStack"));
        set_default(object, &["spec", "internalTrafficPolicy"], json!("Cluster"));
    }
    if let Some(ports) = object["spec"].get_mut("ports").and_then(Value::as_array_mut) {
        for port in ports {
            set_default(port, &["protocol"], json!("TCP"));
            let number = port["port"].clone();
            set_default(port, &["targetPort"], number);
        }
    }
    if old.is_none() {
        set(object, &["status"], json!({"loadBalancer": {}}));
    }
}

/// An address that depends on the service's name alone. Nothing routes it, so two services may share one.
fn cluster_ip(object: &Value) -> String {
    let hash = godwit_common::stable_hash([object::Key::of(object).to_string().as_bytes()]);
    format!("10.96.{}.{}", (hash >> 8) & 0xff, (hash & 0xff).clamp(2, 254))
}

fn secret(object: &mut Value) {
    set_default(object, &["type"], json!("Opaque"));
    let given = object.as_object_mut().and_then(|map| map.shift_remove("stringData"));
    for (field, value) in object::fields(&given.unwrap_or_default()) {
        let encoded = crate::kubeconfig::base64(text(value).as_bytes());
        map_at(object, &["data"]).insert(field.clone(), json!(encoded));
    }
}

fn namespace(object: &mut Value) {
    let name = json!(object::name(object));
    set(object, &["metadata", "labels", "kubernetes.io/metadata.name"], name);
    if !object::deleting(object) {
        set_default(object, &["spec", "finalizers"], json!(["kubernetes"]));
    }
    set_default(object, &["status", "phase"], json!("Active"));
}

fn claim(object: &mut Value) {
    set_default(object, &["spec", "volumeMode"], json!("Filesystem"));
    set_default(object, &["status", "phase"], json!("Pending"));
}

fn definition(object: &mut Value) {
    let kind = text(&object["spec"]["names"]["kind"]).to_owned();
    set_default(object, &["spec", "names", "singular"], json!(kind.to_lowercase()));
    set_default(object, &["spec", "names", "listKind"], json!(format!("{kind}List")));
    set_default(object, &["spec", "conversion", "strategy"], json!("None"));
}

/// The value at `path`, made a map if it is none.
fn map_value<'a>(object: &'a mut Value, path: &[&str]) -> &'a mut Value {
    let mut current = object;
    for step in path {
        current = object::as_map(current).entry(*step).or_insert_with(|| json!({}));
    }
    current
}
