//! What the manifests have to keep to: the restricted pod security standard, probes and ports that exist, selectors that
//! select, and no right beyond what is explained.

use serde_json::{Value, json};

use super::helm;
use super::manifests::{KUSTOMIZATIONS, key, kustomized, template};

/// The restricted standard lets pods have no other volumes than these.
const VOLUMES: [&str; 8] = [
    "configMap",
    "csi",
    "downwardAPI",
    "emptyDir",
    "ephemeral",
    "persistentVolumeClaim",
    "projected",
    "secret",
];

#[test]
fn the_kustomizations_keep_to_them() {
    for path in KUSTOMIZATIONS {
        assert_eq!(broken(&kustomized(path)), Vec::<String>::new(), "{path}");
    }
}

#[tokio::test]
async fn the_charts_keep_to_them() {
    for (chart, values) in helm::VARIANTS {
        let Some(objects) = helm::rendered(chart, values).await else {
            return;
        };
        assert_eq!(broken(&objects), Vec::<String>::new(), "{chart} with {values}");
    }
}

#[test]
fn what_breaks_them_is_found() {
    let with = |path: &str, value: Value| {
        let mut objects = kustomized("agent");
        let set = objects.iter_mut().find(|object| object["kind"] == "DaemonSet").unwrap();
        *set.pointer_mut(path).unwrap() = value;
        broken(&objects)
    };
    let pod = "/spec/template/spec";
    for (path, value, word) in [
        ("securityContext/runAsNonRoot", json!(false), "runAsNonRoot"),
        ("securityContext/seccompProfile", json!({"type": "Unconfined"}), "seccompProfile"),
        ("volumes/0", json!({"name": "tls", "hostPath": {"path": "/"}}), "hostPath"),
        ("containers/0/securityContext/capabilities", json!({"drop": ["NET_RAW"]}), "capabilities"),
        ("containers/0/securityContext/allowPrivilegeEscalation", json!(true), "allowPrivilegeEscalation"),
        ("containers/0/livenessProbe/httpGet/port", json!("metrics"), "metrics"),
        ("containers/0/resources", json!({}), "resources"),
        ("containers/0/volumeMounts/0/name", json!("data"), "data"),
        ("priorityClassName", json!("other"), "PriorityClass"),
        ("serviceAccountName", json!("default"), "ServiceAccount"),
    ] {
        let found = with(&format!("{pod}/{path}"), value);
        assert!(found.iter().any(|finding| finding.contains(word)), "{path}: {found:?}");
    }
    let found = with("/spec/selector/matchLabels", json!({"app": "x"}));
    assert!(found.iter().any(|finding| finding.contains("selector")), "{found:?}");
    let mut objects = kustomized("agent");
    let role =
        objects.iter_mut().find(|object| object["kind"] == "ClusterRole" && object.get("rules").is_some());
    role.unwrap()["rules"][0]["verbs"] = json!(["*"]);
    assert_eq!(broken(&objects).len(), 1);
}

/// Everything that is broken, in words.
fn broken(objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    for object in objects {
        let own = match object["kind"].as_str().unwrap() {
            "Role" | "ClusterRole" => rights(object),
            "RoleBinding" | "ClusterRoleBinding" => binding(object, objects),
            "Service" => selects(&object["spec"]["selector"], objects),
            "PodDisruptionBudget" => selects(&object["spec"]["selector"]["matchLabels"], objects),
            "NetworkPolicy" => selects(&object["spec"]["podSelector"]["matchLabels"], objects),
            _ => template(object).map(|template| pods(object, template, objects)).unwrap_or_default(),
        };
        found.extend(own.into_iter().map(|problem| format!("{}: {problem}", key(object))));
    }
    found
}

fn pods(object: &Value, template: &Value, objects: &[Value]) -> Vec<String> {
    let mut found = Vec::new();
    let mut demand = |holds: bool, what: &str| {
        if !holds {
            found.push(what.to_owned());
        }
    };
    let (spec, labels) = (&template["spec"], &template["metadata"]["labels"]);
    let wanted = object["spec"]["selector"]["matchLabels"].as_object().unwrap();
    demand(wanted.iter().all(|(key, value)| labels[key] == *value), "its selector does not select its pods");
    let named = |kind: &str, name: &Value| {
        objects.iter().any(|object| object["kind"] == kind && object["metadata"]["name"] == *name)
    };
    demand(named("ServiceAccount", &spec["serviceAccountName"]), "its ServiceAccount is missing");
    let priority = &spec["priorityClassName"];
    let brings = objects.iter().any(|object| object["kind"] == "PriorityClass");
    demand(!brings || named("PriorityClass", priority), "its PriorityClass is missing");
    demand(priority.is_string(), "it has no PriorityClass");
    let security = &spec["securityContext"];
    demand(security["runAsNonRoot"] == true, "runAsNonRoot is not true");
    demand(security["runAsUser"].as_u64().is_some_and(|user| user > 0), "runAsUser is root or not said");
    demand(security["seccompProfile"]["type"] == "RuntimeDefault", "seccompProfile is not RuntimeDefault");
    for host in ["hostNetwork", "hostPID", "hostIPC"] {
        demand(spec.get(host).is_none(), host);
    }
    for volume in spec["volumes"].as_array().into_iter().flatten() {
        let kinds = volume.as_object().unwrap().keys().filter(|key| *key != "name");
        kinds.for_each(|kind| demand(VOLUMES.contains(&kind.as_str()), kind));
    }
    for one in spec["containers"].as_array().unwrap() {
        found.extend(container(one, spec, &object["spec"]["volumeClaimTemplates"]));
    }
    found
}

fn container(container: &Value, pod: &Value, claims: &Value) -> Vec<String> {
    let mut found = Vec::new();
    let mut demand = |holds: bool, what: String| {
        if !holds {
            found.push(what);
        }
    };
    let security = &container["securityContext"];
    for (field, value) in [
        ("allowPrivilegeEscalation", json!(false)),
        ("readOnlyRootFilesystem", json!(true)),
        ("capabilities", json!({"drop": ["ALL"]})),
    ] {
        demand(security[field] == value, format!("{field} is not {value}"));
    }
    demand(security.get("privileged").is_none(), "privileged".to_owned());
    let resources = &container["resources"];
    for needed in ["/requests/cpu", "/requests/memory", "/limits/memory"] {
        demand(resources.pointer(needed).is_some(), format!("resources{needed} is not said"));
    }
    let ports: Vec<&Value> =
        container["ports"].as_array().unwrap().iter().map(|port| &port["name"]).collect();
    for probe in ["livenessProbe", "readinessProbe", "startupProbe"] {
        match container.get(probe) {
            Some(probe) => {
                let port = &probe["httpGet"]["port"];
                demand(ports.contains(&port), format!("there is no port {port} to probe"));
            }
            // Only what starts slowly needs it.
            None => demand(probe == "startupProbe", format!("it has no {probe}")),
        }
    }
    let listed = |list: &Value, name: &Value, path: &str| {
        list.as_array().into_iter().flatten().any(|volume| volume.pointer(path) == Some(name))
    };
    for mount in container["volumeMounts"].as_array().unwrap() {
        let name = &mount["name"];
        let is_there = listed(&pod["volumes"], name, "/name") || listed(claims, name, "/metadata/name");
        demand(is_there, format!("there is no volume {name}"));
    }
    found
}

/// A selector that meets no pods of these manifests is misspelt.
fn selects(labels: &Value, objects: &[Value]) -> Vec<String> {
    let wanted = labels.as_object().unwrap();
    let meets = |template: &Value| {
        let labels = &template["metadata"]["labels"];
        !wanted.is_empty() && wanted.iter().all(|(key, value)| labels[key] == *value)
    };
    match objects.iter().filter_map(template).any(meets) {
        true => Vec::new(),
        false => vec![format!("its selector {labels} selects no pods")],
    }
}

/// No wildcard, no way to further rights, and no deletion of what holds everything or data.
fn rights(role: &Value) -> Vec<String> {
    let mut found = Vec::new();
    for rule in role["rules"].as_array().into_iter().flatten() {
        let texts = |field: &str| {
            // Paths of the API server itself have neither groups nor resources.
            let list = rule[field].as_array().into_iter().flatten();
            list.map(|text| text.as_str().unwrap().to_owned()).collect::<Vec<_>>()
        };
        let (groups, resources, verbs) = (texts("apiGroups"), texts("resources"), texts("verbs"));
        let paths = texts("nonResourceURLs");
        let has = |list: &[String], words: &[&str]| list.iter().any(|text| words.contains(&text.as_str()));
        let starred = paths.iter().any(|path| path.contains('*'));
        if starred || [&groups, &resources, &verbs].into_iter().any(|list| has(list, &["*"])) {
            found.push(format!("a wildcard in {rule}"));
        }
        if has(&verbs, &["escalate", "bind", "impersonate", "deletecollection"])
            || has(&groups, &["rbac.authorization.k8s.io"])
        {
            found.push(format!("a way to further rights in {rule}"));
        }
        let lasting = [
            "namespaces",
            "persistentvolumeclaims",
            "persistentvolumes",
            "customresourcedefinitions",
            "nodes",
            "pods",
        ];
        if has(&resources, &lasting) && has(&verbs, &["delete"]) {
            found.push(format!("a deletion that no agent asks for in {rule}"));
        }
    }
    found
}

fn binding(binding: &Value, objects: &[Value]) -> Vec<String> {
    let named = |kind: &Value, name: &Value| {
        objects.iter().any(|object| object["kind"] == *kind && object["metadata"]["name"] == *name)
    };
    let role = &binding["roleRef"];
    let parties = binding["subjects"].as_array().unwrap().iter().chain([role]);
    let missing = parties.filter(|party| !named(&party["kind"], &party["name"]));
    missing.map(|party| format!("there is no {} {}", party["kind"], party["name"])).collect()
}
