//! What stands between the name and the age of each kind's table.

use std::time::Duration;

use serde_json::{Value, json};

use super::selectors::LabelSelector;
use super::table;
use crate::kinds::Kind;
use crate::object::{self, condition_true, fields, int, items, text};

/// The titles before the age, and those after it, which `-o wide` adds.
pub(super) fn titles(kind: &Kind) -> (&'static [&'static str], &'static [&'static str]) {
    match &*kind.resource {
        "pods" => (&["Ready", "Status", "Restarts"], &["IP", "Node", "Nominated Node", "Readiness Gates"]),
        "deployments.apps" => (&["Ready", "Up-to-date", "Available"], &["Containers", "Images", "Selector"]),
        "replicasets.apps" => (&["Desired", "Current", "Ready"], &["Containers", "Images", "Selector"]),
        "statefulsets.apps" => (&["Ready"], &["Containers", "Images"]),
        "daemonsets.apps" => (
            &["Desired", "Current", "Ready", "Up-to-date", "Available", "Node Selector"],
            &["Containers", "Images", "Selector"],
        ),
        "jobs.batch" => (&["Status", "Completions", "Duration"], &["Containers", "Images", "Selector"]),
        "cronjobs.batch" => (&["Schedule", "Timezone", "Suspend", "Active", "Last Schedule"], &[]),
        "nodes" => (
            &["Status", "Roles"],
            &["Version", "Internal-IP", "External-IP", "OS-Image", "Kernel-Version", "Container-Runtime"],
        ),
        "namespaces" => (&["Status"], &[]),
        "services" => (&["Type", "Cluster-IP", "External-IP", "Port(s)"], &["Selector"]),
        "configmaps" => (&["Data"], &[]),
        "secrets" => (&["Type", "Data"], &[]),
        "endpoints" => (&["Endpoints"], &[]),
        "events" => (&["Last Seen", "Type", "Reason", "Object", "Message"], &[]),
        "leases.coordination.k8s.io" => (&["Holder"], &[]),
        "persistentvolumeclaims" => (&["Status", "Volume", "Capacity", "StorageClass"], &[]),
        "poddisruptionbudgets.policy" => (&["Min Available", "Max Unavailable", "Allowed Disruptions"], &[]),
        _ => (&[], &[]),
    }
}

/// The cells before the age.
pub(super) fn cells(kind: &Kind, object: &Value) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let wanted = || int(&spec["replicas"], 1);
    let ready = || format!("{}/{}", int(&status["readyReplicas"], 0), wanted());
    let count = |field: &str| json!(int(&status[field], 0));
    match &*kind.resource {
        "pods" => pod(object),
        "deployments.apps" => vec![json!(ready()), count("updatedReplicas"), count("availableReplicas")],
        "replicasets.apps" => vec![json!(wanted()), count("replicas"), count("readyReplicas")],
        "statefulsets.apps" => vec![json!(ready())],
        "daemonsets.apps" => vec![
            count("desiredNumberScheduled"),
            count("currentNumberScheduled"),
            count("numberReady"),
            count("updatedNumberScheduled"),
            count("numberAvailable"),
            json!(or_none(LabelSelector::of_map(&spec["template"]["spec"]["nodeSelector"]).to_string())),
        ],
        "jobs.batch" => job(object),
        "cronjobs.batch" => vec![
            spec["schedule"].clone(),
            json!(or_none(text(&spec["timeZone"]).to_owned())),
            json!(spec["suspend"].to_string()),
            json!(items(&status["active"]).len()),
            json!("<none>"),
        ],
        "nodes" => vec![json!(node_status(object)), json!(node_roles(object))],
        "namespaces" => vec![status["phase"].clone()],
        "services" => vec![
            spec["type"].clone(),
            json!(or_none(text(&spec["clusterIP"]).to_owned())),
            json!("<none>"),
            json!(ports(spec)),
        ],
        "configmaps" => vec![json!(fields(&object["data"]).count() + fields(&object["binaryData"]).count())],
        "secrets" => vec![object["type"].clone(), json!(fields(&object["data"]).count())],
        "endpoints" => vec![json!(endpoints(object))],
        "events" => event(object),
        "leases.coordination.k8s.io" => vec![json!(text(&spec["holderIdentity"]))],
        "persistentvolumeclaims" => vec![
            status["phase"].clone(),
            json!(text(&spec["volumeName"])),
            json!(text(&status["capacity"]["storage"])),
            json!(text(&spec["storageClassName"])),
        ],
        "poddisruptionbudgets.policy" => vec![
            json!(or_na(&spec["minAvailable"])),
            json!(or_na(&spec["maxUnavailable"])),
            count("disruptionsAllowed"),
        ],
        _ => Vec::new(),
    }
}

/// The cells after the age.
pub(super) fn wide_cells(kind: &Kind, object: &Value) -> Vec<Value> {
    let (spec, status) = (&object["spec"], &object["status"]);
    let containers = &spec["template"]["spec"]["containers"];
    let listed = |field: &str| {
        let all: Vec<&str> = items(containers).iter().map(|container| text(&container[field])).collect();
        json!(all.join(","))
    };
    let selector = || json!(LabelSelector::of_spec(&spec["selector"]).unwrap_or_default().to_string());
    match &*kind.resource {
        "pods" => vec![
            json!(or_none(text(&status["podIP"]).to_owned())),
            json!(or_none(text(&spec["nodeName"]).to_owned())),
            json!("<none>"),
            json!("<none>"),
        ],
        "deployments.apps" | "replicasets.apps" | "daemonsets.apps" | "jobs.batch" => {
            vec![listed("name"), listed("image"), selector()]
        }
        "statefulsets.apps" => vec![listed("name"), listed("image")],
        "nodes" => {
            let info = &status["nodeInfo"];
            vec![
                info["kubeletVersion"].clone(),
                items(&status["addresses"]).first().map_or(Value::Null, |first| first["address"].clone()),
                json!("<none>"),
                info["osImage"].clone(),
                info["kernelVersion"].clone(),
                info["containerRuntimeVersion"].clone(),
            ]
        }
        "services" => vec![json!(or_none(LabelSelector::of_map(&spec["selector"]).to_string()))],
        _ => Vec::new(),
    }
}

fn pod(pod: &Value) -> Vec<Value> {
    let statuses = items(&pod["status"]["containerStatuses"]);
    let ready = statuses.iter().filter(|status| status["ready"] == json!(true)).count();
    let restarts: i64 = statuses.iter().map(|status| int(&status["restartCount"], 0)).sum();
    let reason = statuses.iter().find_map(|status| {
        let waiting = text(&status["state"]["waiting"]["reason"]);
        let ended = text(&status["state"]["terminated"]["reason"]);
        [waiting, ended].into_iter().find(|reason| !reason.is_empty())
    });
    let shown = if object::deleting(pod) {
        "Terminating"
    } else {
        match (reason, text(&pod["status"]["reason"])) {
            (Some(reason), _) => reason,
            (None, "") => text(&pod["status"]["phase"]),
            (None, reason) => reason,
        }
    };
    let total = items(&pod["spec"]["containers"]).len();
    vec![json!(format!("{ready}/{total}")), json!(shown), json!(restarts.to_string())]
}

fn job(job: &Value) -> Vec<Value> {
    let (spec, status) = (&job["spec"], &job["status"]);
    let state = if condition_true(job, "Complete") {
        "Complete"
    } else if condition_true(job, "Failed") {
        "Failed"
    } else if condition_true(job, "Suspended") {
        "Suspended"
    } else {
        "Running"
    };
    let done = format!("{}/{}", int(&status["succeeded"], 0), int(&spec["completions"], 1));
    let (start, end) = (text(&status["startTime"]), text(&status["completionTime"]));
    let took = match (object::parse_time(start), object::parse_time(end)) {
        (Some(start), Some(end)) => table::human(Duration::try_from(end - start).unwrap_or_default()),
        (Some(_), None) => table::age(start),
        (None, _) => String::new(),
    };
    vec![json!(state), json!(done), json!(took)]
}

fn node_status(node: &Value) -> String {
    let ready = if condition_true(node, "Ready") { "Ready" } else { "NotReady" };
    if node["spec"]["unschedulable"] == json!(true) {
        format!("{ready},SchedulingDisabled")
    } else {
        ready.to_owned()
    }
}

fn node_roles(node: &Value) -> String {
    let roles: Vec<&str> = fields(&node["metadata"]["labels"])
        .filter_map(|(label, _)| label.strip_prefix("node-role.kubernetes.io/"))
        .collect();
    or_none(roles.join(","))
}

fn ports(spec: &Value) -> String {
    let listed: Vec<String> = items(&spec["ports"])
        .iter()
        .map(|port| format!("{}/{}", port["port"], text(&port["protocol"])))
        .collect();
    or_none(listed.join(","))
}

/// As kubectl: more addresses than this are only counted.
const SHOWN_ENDPOINTS: usize = 3;

fn endpoints(endpoints: &Value) -> String {
    let mut all = Vec::new();
    for subset in items(&endpoints["subsets"]) {
        for address in items(&subset["addresses"]) {
            for port in items(&subset["ports"]) {
                all.push(format!("{}:{}", text(&address["ip"]), port["port"]));
            }
        }
    }
    let more = all.len().saturating_sub(SHOWN_ENDPOINTS);
    all.truncate(SHOWN_ENDPOINTS);
    let listed = or_none(all.join(","));
    if more > 0 { format!("{listed} + {more} more...") } else { listed }
}

fn event(event: &Value) -> Vec<Value> {
    let about = &event["involvedObject"];
    let object = format!("{}/{}", text(&about["kind"]).to_lowercase(), text(&about["name"]));
    vec![
        json!(table::age(text(&event["lastTimestamp"]))),
        event["type"].clone(),
        event["reason"].clone(),
        json!(object),
        event["message"].clone(),
    ]
}

fn or_none(text: String) -> String {
    if text.is_empty() { "<none>".to_owned() } else { text }
}

fn or_na(value: &Value) -> String {
    match value {
        Value::Null => "N/A".to_owned(),
        Value::String(text) => text.clone(),
        other => other.to_string(),
    }
}
