//! What keeps pods from having a supervisor (S9).

use godwit_common::WorkloadKind;
use serde_json::Value;

use super::{GATE, LEASE, MOUNTS, path, pointer};

/// Why the pods of a workload cannot have a supervisor, if they cannot: the field, and the remedy.
pub fn obstacle(kind: WorkloadKind, manifest: &Value) -> Option<String> {
    let spec = manifest.pointer(&pointer(kind))?;
    let at = path(kind);
    of_pod(spec, at).or_else(|| {
        let all = ["initContainers", "containers"].into_iter();
        let mut all = all.flat_map(|list| items(spec, list).map(move |container| (list, container)));
        all.find_map(|(list, container)| {
            let name = container["name"].as_str().unwrap_or_default();
            of_container(container, name, &format!("{at}.{list}[{name}]"))
        })
    })
}

fn of_pod(spec: &Value, at: &str) -> Option<String> {
    for field in ["hostPID", "shareProcessNamespace"] {
        if spec[field] == true {
            return Some(format!(
                "{at}.{field}: a supervisor has to be the first process of each container, so that nothing outlives it: \
                 remove it"
            ));
        }
    }
    let windows = [
        ("os.name", spec.pointer("/os/name")),
        ("nodeSelector", spec.pointer("/nodeSelector/kubernetes.io~1os")),
    ];
    for (field, found) in windows {
        if found.is_some_and(|os| os == "windows") {
            return Some(format!("{at}.{field}: there is no supervisor for Windows"));
        }
    }
    let mut volumes = items(spec, "volumes").filter_map(|volume| volume["name"].as_str());
    let taken = volumes.find(|name| [GATE, LEASE].contains(name))?;
    Some(format!("{at}.volumes[{taken}]: the supervisor's own volumes are called so: give it another name"))
}

fn of_container(container: &Value, name: &str, at: &str) -> Option<String> {
    if name == GATE {
        return Some(format!("{at}: the supervisor's own container is called so: give it another name"));
    }
    let mut mounts = items(container, "volumeMounts").filter_map(|mount| mount["mountPath"].as_str());
    if let Some(path) = mounts.find(|path| format!("{path}/").starts_with(MOUNTS)) {
        return Some(format!("{at}.volumeMounts: {path} is where the supervisor is: mount it elsewhere"));
    }
    if container.pointer("/lifecycle/postStart/exec").is_some() {
        return Some(format!(
            "{at}.lifecycle.postStart.exec: it would run without a lease: let the command do it"
        ));
    }
    let command = items(container, "command").next().is_some();
    (!command).then(|| {
        format!(
            "{at}.command: it is missing, and the entry point of an image is not known before it runs: write the command \
             that a supervisor is to start"
        )
    })
}

fn items<'a>(object: &'a Value, name: &str) -> impl Iterator<Item = &'a Value> {
    object.get(name).and_then(Value::as_array).into_iter().flatten()
}
