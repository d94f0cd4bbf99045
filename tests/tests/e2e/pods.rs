//! What operators see of pods in member clusters, through the hub and the agents' streams.

use std::fs;
use std::process::Stdio;

use godwit_proto::v1;
use godwit_proto::v1::pod_service_client::PodServiceClient;
use k8s_openapi::api::core::v1::Event;
use kube::api::{Api, PostParams};
use serde_json::json;
use tonic::{Code, Status, Streaming};

use crate::harness::{Deployment, Federation, policy, program, wait_for, within};

/// More than every buffer between an agent and a reader who does not read holds together.
const FAR_MORE_THAN_BUFFERED: usize = 1_600_000;

/// What a command came to: its status, standard output and standard error.
type Ran = (Option<i32>, String, String);

async fn godwit(federation: &Federation, args: &[&str]) -> Ran {
    let [ca, certificate, key] = federation.admin.files().map(|path| path.display().to_string());
    let context = federation.dir().join("context.yaml");
    let address = federation.admin.url();
    fs::write(&context, format!("address: {address}\nca: {ca}\ncertificate: {certificate}\nkey: {key}\n"))
        .unwrap();
    let mut command = tokio::process::Command::from(program("cli", args));
    command.env("GODWIT_CONFIG", &context).env("NO_COLOR", "1").stdin(Stdio::null()).kill_on_drop(true);
    let output = within(&format!("godwit {args:?}"), command.output()).await.unwrap();
    let text = |bytes| String::from_utf8(bytes).unwrap();
    (output.status.code(), text(output.stdout), text(output.stderr))
}

async fn pods(federation: &Federation, name: &str) -> v1::ListPodsResponse {
    let request = v1::ListPodsRequest { name: name.to_owned(), ..v1::ListPodsRequest::default() };
    let mut client = PodServiceClient::new(federation.admin.dial().await.unwrap());
    client.list_pods(request).await.unwrap().into_inner()
}

async fn log(
    federation: &Federation,
    request: v1::StreamLogRequest,
) -> Result<Streaming<v1::StreamLogResponse>, Status> {
    let mut client = PodServiceClient::new(federation.admin.dial().await?);
    client.stream_log(request).await.map(tonic::Response::into_inner)
}

/// All of a log, or why it broke off.
async fn whole(mut log: Streaming<v1::StreamLogResponse>) -> Result<String, Status> {
    let mut all = Vec::new();
    while let Some(part) = log.message().await? {
        all.extend(part.chunk);
    }
    Ok(String::from_utf8(all).unwrap())
}

fn of(pod: &v1::Pod, name: &str) -> v1::StreamLogRequest {
    v1::StreamLogRequest {
        name: name.to_owned(),
        cluster: pod.cluster.clone(),
        pod: pod.name.clone(),
        ..v1::StreamLogRequest::default()
    }
}

#[tokio::test]
async fn pods_of_all_clusters_are_listed_with_what_is_wrong_with_them() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    federation.deploy(&Deployment::new("web", 4).policy("even")).await;
    federation.deploy(&Deployment::new("bad", 2).policy("even").image("crashloop:1")).await;
    federation.settles("web", &[("alpha", 2), ("bravo", 2)]).await;
    let listed = pods(&federation, "web").await;
    let ready = listed.items.iter().filter(|pod| pod.ready && pod.phase == "Running" && !pod.node.is_empty());
    assert_eq!((ready.count(), listed.silent.len()), (4, 0), "{listed:?}");
    let clusters: Vec<&str> = listed.items.iter().map(|pod| pod.cluster.as_str()).collect();
    assert_eq!(clusters, ["alpha", "alpha", "bravo", "bravo"]);

    wait_for("a crash to show", async || {
        let (code, out, _) = godwit(&federation, &["get", "pods", "bad"]).await;
        assert_eq!(code, Some(0));
        let shown = out.contains("CrashLoopBackOff") && out.contains("Error (1)");
        if shown { Ok(()) } else { Err(out) }
    })
    .await;
    let (_, out, _) = godwit(&federation, &["get", "pods", "web"]).await;
    assert!(out.starts_with("CLUSTER") && out.matches(" 1/1 ").count() == 4, "{out}");
    let (code, _, said) = godwit(&federation, &["get", "pods", "nothing"]).await;
    assert_eq!(code, Some(1), "{said}");

    // A cluster that is away is named, and the other one's pods are told.
    let mut federation = federation;
    federation.cluster_mut("bravo").kill_agent(0);
    federation.cluster_is("bravo", "Suspect").await;
    let listed = pods(&federation, "web").await;
    let [silent] = &listed.silent[..] else { panic!("{listed:?}") };
    assert!(silent.cluster == "bravo" && silent.reason.contains("no agent of bravo"), "{silent:?}");
    assert!(listed.items.len() == 2 && listed.items.iter().all(|pod| pod.cluster == "alpha"), "{listed:?}");
}

#[tokio::test]
async fn logs_are_read_wherever_the_pods_run() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    for name in ["web", "other"] {
        federation.deploy(&Deployment::new(name, 2).policy("even")).await;
        federation.settles(name, &[("alpha", 1), ("bravo", 1)]).await;
    }
    let (code, out, said) = godwit(&federation, &["logs", "web"]).await;
    assert_eq!((code, said.as_str()), (Some(0), ""));
    for pod in pods(&federation, "web").await.items {
        let first = out.lines().find(|line| line.starts_with(&format!("{}/{} ", pod.cluster, pod.name)));
        assert!(first.is_some_and(|line| line.ends_with(&format!("of {} has started", pod.name))), "{out}");
    }

    // Followed: what comes later comes, and it ends when the pod does.
    let pod = pods(&federation, "web").await.items.remove(0);
    let mut followed =
        log(&federation, v1::StreamLogRequest { follow: true, tail_lines: Some(0), ..of(&pod, "web") })
            .await
            .unwrap();
    let line = within("a new line", followed.message()).await.unwrap().unwrap();
    assert!(String::from_utf8_lossy(&line.chunk).contains("wrote line"), "{line:?}");
    let tail =
        log(&federation, v1::StreamLogRequest { tail_lines: Some(1), ..of(&pod, "web") }).await.unwrap();
    assert_eq!(whole(tail).await.unwrap().lines().count(), 1);
    federation.admin.scale("web", 0).await.unwrap();
    within("its end", whole(followed)).await.unwrap();

    // What is not there, or not the workload's, is not told.
    let other = pods(&federation, "other").await.items.remove(0);
    for (request, words) in [
        (of(&other, "web"), "has no pod"),
        (
            v1::StreamLogRequest { container: "nope".into(), ..of(&other, "other") },
            "container nope is not valid",
        ),
        (v1::StreamLogRequest { pod: "nope".into(), ..of(&other, "other") }, "has no pod nope"),
    ] {
        let refused = whole(log(&federation, request).await.unwrap()).await.unwrap_err();
        assert!(refused.code() == Code::NotFound && refused.message().contains(words), "{refused:?}");
    }
    for (request, code) in [
        (v1::StreamLogRequest { name: "nope".into(), ..of(&other, "other") }, Code::NotFound),
        (v1::StreamLogRequest { cluster: "zulu".into(), ..of(&other, "other") }, Code::Unavailable),
        (v1::StreamLogRequest { pod: String::new(), ..of(&other, "other") }, Code::InvalidArgument),
        (v1::StreamLogRequest { cluster: String::new(), ..of(&other, "other") }, Code::InvalidArgument),
    ] {
        assert_eq!(log(&federation, request).await.unwrap_err().code(), code);
    }
}

#[tokio::test]
async fn who_does_not_read_a_log_is_cut_and_slows_nobody() {
    let federation = Federation::of(&["alpha"]).await;
    federation.deploy(&Deployment::new("web", 1).image("chatty:1")).await;
    federation.settles("web", &[("alpha", 1)]).await;
    let pod = pods(&federation, "web").await.items.remove(0);
    let follow = || v1::StreamLogRequest { follow: true, ..of(&pod, "web") };
    let unread = log(&federation, follow()).await.unwrap();
    // Both have an equal share of the agent's stream: when this one has come so far, the other one has long been full.
    let mut read = log(&federation, follow()).await.unwrap();
    let mut bytes = 0;
    while bytes < FAR_MORE_THAN_BUFFERED {
        bytes += within("the log", read.message()).await.unwrap().unwrap().chunk.len();
    }
    drop(read);
    let cut = within("the rest", whole(unread)).await.unwrap_err();
    assert_eq!(cut.code(), Code::ResourceExhausted, "{cut:?}");
    // Meanwhile the agent was heard: nothing was missed, and what is deployed now is there at once.
    federation.deploy(&Deployment::new("next", 3)).await;
    federation.settles("next", &[("alpha", 3)]).await;
    let events = federation.admin.events().await.unwrap();
    assert!(events.iter().all(|event| event.reason != "ClusterSuspect"), "{events:?}");
}

#[tokio::test]
async fn events_of_pods_are_shown_with_their_workload() {
    let federation = Federation::of(&["alpha"]).await;
    federation.deploy(&Deployment::new("web", 1)).await;
    federation.settles("web", &[("alpha", 1)]).await;
    let pod = pods(&federation, "web").await.items.remove(0);
    let event = json!({
        "metadata": {"name": "web.1", "namespace": "default"},
        "involvedObject": {"apiVersion": "v1", "kind": "Pod", "namespace": "default", "name": pod.name},
        "type": "Warning", "reason": "Unhealthy", "message": "Readiness probe failed", "count": 3,
        "lastTimestamp": "2026-01-02T03:04:05Z",
    });
    let events: Api<Event> = federation.cluster("alpha").api();
    events.create(&PostParams::default(), &serde_json::from_value(event).unwrap()).await.unwrap();
    let (code, out, said) = godwit(&federation, &["describe", "workload", "web"]).await;
    assert_eq!(code, Some(0), "{said}");
    let line = out.lines().find(|line| line.contains("Unhealthy"));
    let line = line.unwrap_or_else(|| panic!("{out}"));
    assert!(line.contains(&pod.name) && line.contains("Readiness probe failed (x3)"), "{line}");
}
