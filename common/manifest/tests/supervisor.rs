//! Supervisors in pods (S9): what becomes of a manifest, and what cannot have one.

use godwit_common::WorkloadKind;
use godwit_manifest::supervisor::{Supervisor, is_supervised, obstacle, supervise};
use serde_json::{Value, json};

const LIFE: &str = "6ba7b810-9dad-11d1-80b4-00c04fd430c8";

fn supervisor() -> Supervisor {
    Supervisor { image: "registry.example/agent:1".to_owned(), directory: "/run/godwit/leases".to_owned() }
}

fn pod() -> Value {
    json!({
        "terminationGracePeriodSeconds": 7,
        "initContainers": [{"name": "migrate", "command": ["migrate"]}],
        "containers": [
            {"name": "web", "command": ["serve"], "args": ["--port", "80"], "volumeMounts": [{"name": "data", "mountPath": "/data"}]},
            {"name": "side", "command": ["sh", "-c", "x"], "readinessProbe": {"tcpSocket": {"port": 1}}},
        ],
        "volumes": [{"name": "data", "emptyDir": {}}],
    })
}

fn deployment(pod: Value) -> Value {
    json!({"kind": "Deployment", "spec": {"selector": {}, "template": {"spec": pod}}})
}

fn supervised(pod: Value) -> Value {
    let mut manifest = deployment(pod);
    supervise(WorkloadKind::Deployment, &mut manifest, LIFE, &supervisor()).expect("nothing is in the way");
    manifest["spec"]["template"]["spec"].take()
}

#[test]
fn s9_every_container_is_started_by_a_supervisor() {
    let pod = supervised(pod());
    let own = |list: &str, place: usize| pod[list][place]["command"].as_array().expect("a command").clone();
    let ours = [
        "/.godwit/gate/godwit-gate",
        "--lease",
        "/.godwit/lease/lease",
        "--life",
        LIFE,
        "--grace",
        "7s",
        "--",
    ];
    for (list, place, rest) in [
        ("initContainers", 1, vec!["migrate"]),
        ("containers", 0, vec!["serve"]),
        ("containers", 1, vec!["sh", "-c", "x"]),
    ] {
        let expected: Vec<&str> = ours.into_iter().chain(rest).collect();
        assert_eq!(own(list, place), expected, "{list}[{place}]");
        let mounts = pod[list][place]["volumeMounts"].as_array().expect("mounts");
        assert!(mounts.iter().rev().take(2).all(|mount| mount["readOnly"] == true), "{mounts:?}");
    }
    assert_eq!(pod["containers"][0]["args"], json!(["--port", "80"]), "arguments follow as they are");
    let first = &pod["initContainers"][0];
    assert_eq!(
        (&first["name"], &first["image"]),
        (&json!("godwit-gate"), &json!("registry.example/agent:1"))
    );
    assert_eq!(first["resources"]["requests"], first["resources"]["limits"]);
    let lease = json!({"path": format!("/run/godwit/leases/{LIFE}"), "type": "DirectoryOrCreate"});
    assert_eq!(pod["volumes"][2]["hostPath"], lease);
    assert!(is_supervised(&pod));
}

#[test]
fn s9_readiness_is_asked_for_where_nobody_does() {
    let pod = supervised(pod());
    let probe = &pod["containers"][0]["readinessProbe"]["exec"]["command"];
    let lease = ["/.godwit/gate/godwit-gate", "--check", "--lease", "/.godwit/lease/lease", "--life", LIFE];
    assert_eq!(*probe, json!(lease));
    assert_eq!(pod["containers"][1]["readinessProbe"], json!({"tcpSocket": {"port": 1}}));
    assert!(pod["initContainers"][1].get("readinessProbe").is_none());
}

#[test]
fn s9_each_kind_has_its_pods_elsewhere() {
    for (kind, manifest) in [
        (WorkloadKind::StatefulSet, deployment(pod())),
        (WorkloadKind::Job, deployment(pod())),
        (WorkloadKind::CronJob, json!({"spec": {"jobTemplate": deployment(pod())}})),
    ] {
        let mut manifest = manifest;
        supervise(kind, &mut manifest, LIFE, &supervisor()).expect("nothing is in the way");
        let places = ["/spec/template/spec", "/spec/jobTemplate/spec/template/spec"];
        let pod = places.iter().find_map(|place| manifest.pointer(place)).expect("pods");
        assert!(is_supervised(pod), "{kind:?}");
        assert_eq!(pod["containers"][0].get("readinessProbe").is_some(), kind == WorkloadKind::StatefulSet);
    }
}

#[test]
fn s9_a_pod_that_was_changed_is_not_believed() {
    let whole = supervised(pod());
    let changes: [(&str, Value); 9] = [
        ("/containers/0/command", json!(["serve"])),
        ("/containers/1/command/4", json!("another life")),
        ("/containers/1/command/7", json!("--lease")),
        ("/containers/0/volumeMounts", json!([])),
        ("/initContainers/0/command", json!(["sh"])),
        ("/initContainers/1/command/0", json!("sh")),
        ("/volumes/1", json!({"name": "godwit-gate", "hostPath": {"path": "/x"}})),
        ("/volumes/2", json!({"name": "godwit-lease", "emptyDir": {}})),
        ("/volumes/2/hostPath/path", json!("/tmp")),
    ];
    for (place, value) in changes {
        let mut pod = whole.clone();
        *pod.pointer_mut(place).expect("it is there") = value;
        assert!(!is_supervised(&pod), "{place}");
    }
    let mut joined = whole.clone();
    joined["containers"].as_array_mut().expect("a list").push(json!({"name": "proxy", "image": "mesh:1"}));
    assert!(!is_supervised(&joined), "what a webhook adds runs on");
    let mut shared = whole;
    shared["shareProcessNamespace"] = json!(true);
    assert!(!is_supervised(&shared));
    assert!(!is_supervised(&pod()) && !is_supervised(&json!({})) && !is_supervised(&json!(3)));
}

#[test]
fn s9_what_cannot_have_a_supervisor_is_refused_with_the_remedy() {
    let cases: [(&str, Value, &str); 9] = [
        ("/containers/0/command", Value::Null, "spec.template.spec.containers[web].command: it is missing"),
        (
            "/initContainers/0/command",
            json!([]),
            "spec.template.spec.initContainers[migrate].command: it is missing",
        ),
        ("/hostPID", json!(true), "spec.template.spec.hostPID: a supervisor has to be the first process"),
        ("/shareProcessNamespace", json!(true), "spec.template.spec.shareProcessNamespace: a supervisor"),
        ("/os", json!({"name": "windows"}), "spec.template.spec.os.name: there is no supervisor for Windows"),
        (
            "/nodeSelector",
            json!({"kubernetes.io/os": "windows"}),
            "spec.template.spec.nodeSelector: there is no",
        ),
        (
            "/volumes/0/name",
            json!("godwit-lease"),
            "spec.template.spec.volumes[godwit-lease]: the supervisor's own",
        ),
        (
            "/containers/1/name",
            json!("godwit-gate"),
            "containers[godwit-gate]: the supervisor's own container",
        ),
        ("/containers/0/volumeMounts/0/mountPath", json!("/.godwit"), "volumeMounts: /.godwit is where"),
    ];
    for (place, value, problem) in cases {
        let mut pod = pod();
        let name = place.trim_start_matches('/');
        match pod.pointer_mut(place) {
            Some(found) => *found = value,
            None => pod[name] = value,
        }
        let mut manifest = deployment(pod);
        let found = obstacle(WorkloadKind::Deployment, &manifest).unwrap_or_default();
        assert!(found.contains(problem), "{place}: {found}");
        let before = manifest.clone();
        assert_eq!(supervise(WorkloadKind::Deployment, &mut manifest, LIFE, &supervisor()), Err(found));
        assert_eq!(manifest, before, "nothing is half done");
    }
    let mut hooked = pod();
    hooked["containers"][0]["lifecycle"] = json!({"postStart": {"exec": {"command": ["x"]}}});
    let found = obstacle(WorkloadKind::Deployment, &deployment(hooked)).unwrap_or_default();
    assert!(
        found.contains("containers[web].lifecycle.postStart.exec: it would run without a lease"),
        "{found}"
    );
    assert_eq!(obstacle(WorkloadKind::Deployment, &deployment(pod())), None);
    assert!(supervise(WorkloadKind::Deployment, &mut json!({}), LIFE, &supervisor()).is_err());
}
