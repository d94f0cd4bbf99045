//! Supervisors in pods (S9), as a change of a workload's manifest: every container's command becomes that of a supervisor,
//! which starts it under a lease. A container that comes first copies the supervisor's program to where all others find it,
//! and the lease is a file in a folder of the node.

mod obstacle;

use godwit_common::WorkloadKind;
use serde_json::{Map, Value, json};

pub use obstacle::obstacle;

/// The container that copies the program, and the volume that it is copied to.
const GATE: &str = "godwit-gate";
/// The volume of the leases.
const LEASE: &str = "godwit-lease";
/// Where volumes of ours are mounted.
const MOUNTS: &str = "/.godwit/";
const GATE_MOUNT: &str = "/.godwit/gate";
const LEASE_MOUNT: &str = "/.godwit/lease";
/// The program in every container.
const PROGRAM: &str = "/.godwit/gate/godwit-gate";
/// The same in its own image.
const PROGRAM_IN_IMAGE: &str = "/usr/local/bin/godwit-gate";
/// The lease in every container.
const LEASE_IN_POD: &str = "/.godwit/lease/lease";
/// The name of the file in the folder of its workload.
pub const LEASE_FILE: &str = "lease";
/// What Kubernetes gives pods to end that do not say.
const GRACE_SECONDS: u64 = 30;

/// How pods get a supervisor in one cluster.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Supervisor {
    /// The image that holds the program.
    pub image: String,
    /// The folder on each node in which agents keep leases, one folder for each workload.
    pub directory: String,
}

/// Puts a supervisor into the pods of a workload's manifest. `life` is the UID by which the lease names the workload.
pub fn supervise(
    kind: WorkloadKind,
    manifest: &mut Value,
    life: &str,
    supervisor: &Supervisor,
) -> Result<(), String> {
    if let Some(obstacle) = obstacle(kind, manifest) {
        return Err(obstacle);
    }
    let spec = manifest.pointer_mut(&pointer(kind)).and_then(Value::as_object_mut);
    let spec = spec.ok_or("its pods have no spec")?;
    let grace = spec.get("terminationGracePeriodSeconds").and_then(Value::as_u64).unwrap_or(GRACE_SECONDS);
    let terms = Terms { life, grace, probed: !kind.single() };
    for (containers, probed) in [("containers", terms.probed), ("initContainers", false)] {
        for container in items_mut(spec, containers) {
            wrap(container, &Terms { probed, ..terms });
        }
    }
    relist(spec, "initContainers", |all| all.insert(0, installs(supervisor)));
    let lease = json!({
        "name": LEASE,
        "hostPath": {"path": format!("{}/{life}", supervisor.directory), "type": "DirectoryOrCreate"},
    });
    let gate = json!({"name": GATE, "emptyDir": {"sizeLimit": "64Mi"}});
    relist(spec, "volumes", |all| all.extend([gate, lease]));
    Ok(())
}

/// Whether all that runs in a pod does so under a supervisor, by the spec that its cluster shows.
pub fn is_supervised(spec: &Value) -> bool {
    let shares = ["hostPID", "shareProcessNamespace"];
    let items = |name: &str| spec.get(name).and_then(Value::as_array).into_iter().flatten();
    let is_first = |first: &Value| first["name"] == GATE && first["command"] == json!(install_command());
    let volume = |name: &str| items("volumes").find(|volume| volume["name"] == name);
    let lease = volume(LEASE).and_then(|volume| volume.pointer("/hostPath/path")?.as_str());
    let Some(life) = lease.and_then(|path| path.rsplit('/').next()) else { return false };
    !shares.iter().any(|field| spec.get(field).and_then(Value::as_bool).unwrap_or(false))
        && items("initContainers").next().is_some_and(is_first)
        && volume(GATE).is_some_and(|volume| volume.get("emptyDir").is_some())
        && items("containers").chain(items("initContainers").skip(1)).all(|one| is_wrapped(one, life))
}

/// Whether a pod may have a supervisor: by a look that costs little.
pub fn first_is(name: &str) -> bool {
    name == GATE
}

#[derive(Debug, Clone, Copy)]
struct Terms<'a> {
    life: &'a str,
    grace: u64,
    /// Whether it is asked if its process serves.
    probed: bool,
}

/// Where the spec of a kind's pods is.
fn pointer(kind: WorkloadKind) -> String {
    format!("/{}", path(kind).replace('.', "/"))
}

fn path(kind: WorkloadKind) -> &'static str {
    match kind {
        WorkloadKind::CronJob => "spec.jobTemplate.spec.template.spec",
        WorkloadKind::Deployment
        | WorkloadKind::StatefulSet
        | WorkloadKind::DaemonSet
        | WorkloadKind::Job => "spec.template.spec",
    }
}

fn lease_of(life: &str) -> [&str; 4] {
    ["--lease", LEASE_IN_POD, "--life", life]
}

fn install_command() -> [&'static str; 3] {
    [PROGRAM_IN_IMAGE, "--install", PROGRAM]
}

/// Its requests are its limits, so that pods which are guaranteed theirs stay so.
fn installs(supervisor: &Supervisor) -> Value {
    let resources = json!({"cpu": "10m", "memory": "32Mi"});
    json!({
        "name": GATE,
        "image": supervisor.image,
        "command": install_command(),
        "resources": {"requests": resources, "limits": resources},
        "securityContext": {
            "allowPrivilegeEscalation": false,
            "capabilities": {"drop": ["ALL"]},
            "readOnlyRootFilesystem": true,
            "runAsNonRoot": true,
            "seccompProfile": {"type": "RuntimeDefault"},
        },
        "volumeMounts": [{"name": GATE, "mountPath": GATE_MOUNT}],
    })
}

fn wrap(container: &mut Map<String, Value>, terms: &Terms<'_>) {
    let grace = format!("{}s", terms.grace);
    let ours = [PROGRAM].into_iter().chain(lease_of(terms.life)).chain(["--grace", &grace, "--"]);
    let ours: Vec<Value> = ours.map(Value::from).collect();
    relist(container, "command", |own| {
        own.splice(0..0, ours);
    });
    relist(container, "volumeMounts", |own| {
        own.extend([
            json!({"name": GATE, "mountPath": GATE_MOUNT, "readOnly": true}),
            json!({"name": LEASE, "mountPath": LEASE_MOUNT, "readOnly": true}),
        ]);
    });
    // While it waits there is a process, and nothing that serves; only a probe can tell.
    if terms.probed && container.get("readinessProbe").is_none_or(Value::is_null) {
        let check: Vec<&str> = [PROGRAM, "--check"].into_iter().chain(lease_of(terms.life)).collect();
        let probe = json!({"exec": {"command": check}, "periodSeconds": 5, "timeoutSeconds": 5});
        container.insert("readinessProbe".to_owned(), probe);
    }
}

fn is_wrapped(container: &Value, life: &str) -> bool {
    let command = container["command"].as_array().map(Vec::as_slice).unwrap_or_default();
    let ours = [PROGRAM].into_iter().chain(lease_of(life)).chain(["--grace"]);
    let begins = ours.enumerate().all(|(place, word)| command.get(place).is_some_and(|found| *found == word));
    let mounts = container["volumeMounts"].as_array().map(Vec::as_slice).unwrap_or_default();
    let mounted = |name: &str, path: &str| {
        mounts
            .iter()
            .any(|mount| mount["name"] == name && mount["mountPath"] == path && mount["readOnly"] == true)
    };
    begins
        && command.get(7).is_some_and(|word| word == "--")
        && mounted(GATE, GATE_MOUNT)
        && mounted(LEASE, LEASE_MOUNT)
}

/// Changes the list under a name; what is no list counts as an empty one.
fn relist(object: &mut Map<String, Value>, name: &str, change: impl FnOnce(&mut Vec<Value>)) {
    let place = object.entry(name).or_insert(Value::Null);
    let mut items = match place.take() {
        Value::Array(items) => items,
        _ => Vec::new(),
    };
    change(&mut items);
    *place = Value::Array(items);
}

fn items_mut<'a>(
    object: &'a mut Map<String, Value>,
    name: &str,
) -> impl Iterator<Item = &'a mut Map<String, Value>> {
    let items = object.get_mut(name).and_then(Value::as_array_mut);
    items.into_iter().flatten().filter_map(Value::as_object_mut)
}
