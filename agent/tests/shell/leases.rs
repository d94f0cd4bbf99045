//! Supervisors in pods (S9): what the agent writes into the cluster, and the leases that it writes for its node.

use std::path::Path;
use std::time::Duration;

use godwit_common::Uid;
use godwit_common::link::{Down, Up, WorkloadTarget};
use godwit_gate::clock;
use godwit_gate::lease::Lease;
use godwit_manifest::supervisor::is_supervised;
use serde_json::{Value, json};

use crate::stage::{Stage, deployment, fence, web, whole};

/// What an agent is told to put supervisors into pods by.
fn settings(leases: &Path) -> [String; 3] {
    [
        format!("gate.directory={}", leases.display()),
        "gate.image=registry.example/godwit-agent:1".to_owned(),
        "gate.listen=127.0.0.1:0".to_owned(),
    ]
}

/// Two replicas with a command.
fn target(revision: u64, supervised: bool) -> WorkloadTarget {
    let plain = deployment(1, revision, 2);
    let mut manifest: Value = serde_json::from_str(&plain.manifest.clone().unwrap()).unwrap();
    manifest["spec"]["template"]["spec"]["containers"][0]["command"] = json!(["serve"]);
    WorkloadTarget { manifest: Some(manifest.to_string().into()), supervised, ..plain }
}

fn lease(leases: &Path) -> Option<Lease> {
    let bytes = std::fs::read(leases.join(Uid(1).to_string()).join("lease")).ok()?;
    Some(Lease::read(&bytes).unwrap())
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_pods_have_a_supervisor_and_the_node_their_lease_as_long_as_they_are_to() {
    let (stage, folder) = (Stage::new().await, tempfile::tempdir().unwrap());
    let (hub, leases) = (&stage.hub, folder.path());
    let _agent = stage.agent_with("agent-1", &settings(leases));
    hub.until_inventory().await;
    hub.send(whole(fence(1, 1), vec![], vec![target(1, true)])).await;
    let status = hub.until_status(&web(), |status| status.ready == 2).await;
    assert_eq!((status.pods, status.supervised), (2, 2), "the hub is told of it");
    let pods = |object: &k8s_openapi::api::apps::v1::Deployment| {
        serde_json::to_value(object.spec.as_ref().unwrap().template.spec.as_ref().unwrap()).unwrap()
    };
    let first = stage.deployments().get("web").await.unwrap();
    assert!(is_supervised(&pods(&first)), "{first:?}");
    assert_eq!(lease(leases), None, "nobody has mounted its folder yet");

    // The kubelet makes the folder; the hub grants.
    std::fs::create_dir(leases.join(Uid(1).to_string())).unwrap();
    std::fs::create_dir(leases.join(Uid(2).to_string())).unwrap();
    let Up::Renewal { number } = hub.until_up("a renewal", |up| matches!(up, Up::Renewal { .. })).await
    else {
        panic!("that was asked for")
    };
    let asked = clock::now();
    hub.say(&Down::Grant { number, lease: Duration::from_secs(60) }).await;
    let granted = stage.until("the lease", || async { lease(leases) }).await;
    assert!(granted.until <= asked + Duration::from_secs(60) && granted.until > clock::now(), "{granted:?}");
    assert_eq!((granted.life, granted.boot), (Uid(1).to_string(), clock::boot().unwrap()));
    assert!(!leases.join(Uid(2).to_string()).join("lease").exists(), "nobody is to run that");

    // What was put into it is nobody's change by hand.
    hub.send(whole(fence(1, 2), vec![], vec![WorkloadTarget { replicas: 3, ..target(1, true) }])).await;
    hub.until_status(&web(), |status| status.ready == 3 && status.supervised == 3).await;
    let second = stage.deployments().get("web").await.unwrap();
    assert_eq!(pods(&second), pods(&first));

    // Another revision, without.
    hub.send(whole(fence(1, 3), vec![], vec![target(2, false)])).await;
    stage.until_image("web:2").await;
    let third = stage.deployments().get("web").await.unwrap();
    let plain = pods(&third);
    assert_eq!(plain["containers"][0]["command"], json!(["serve"]));
    assert!(plain.get("initContainers").is_none() && plain.get("volumes").is_none(), "{plain}");
    let withdrawn = || async { lease(leases).is_none().then_some(()) };
    stage.until("the lease to be withdrawn", withdrawn).await;
    hub.until_status(&web(), |status| status.pods == 2 && status.supervised == 0).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn s9_what_cannot_have_a_supervisor_is_not_run_without() {
    let (stage, folder) = (Stage::new().await, tempfile::tempdir().unwrap());
    let _agent = stage.agent_with("agent-1", &settings(folder.path()));
    stage.hub.until_inventory().await;
    let hidden = WorkloadTarget { supervised: true, ..deployment(1, 1, 2) };
    stage.hub.send(whole(fence(1, 1), vec![], vec![hidden])).await;
    let status = stage.hub.until_status(&web(), |status| !status.problem.is_empty()).await;
    assert!(status.problem.contains("spec.template.spec.containers[web].command"), "{}", status.problem);
    assert!(stage.deployments().get_opt("web").await.unwrap().is_none());
}
