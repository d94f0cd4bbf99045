//! Bounds: what exceeds them is refused by name, and what is slow costs no more for it.

use godwit_common::link::{Down, Up};
use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tonic::Code;

use crate::agent::{Agent, hello};
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, WEB, deploy};

#[tokio::test]
async fn sessions_are_counted() {
    let federation = Federation::start_with(&["east", "west"], &[("LIMITS__SESSIONS", "1")]);
    let mut first = Agent::dial(&federation, "east").await.unwrap();
    first.say(Up::Hello(hello("east"))).await;
    assert!(matches!(first.hear().await, Some(Down::Welcome(_))));
    let status = Agent::dial(&federation, "west").await.err().expect("there is no room");
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.sessions"), "{status}");
    drop(first);
    // Its place is free again as soon as the hub has seen it leave.
    while Agent::dial(&federation, "west").await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn one_cluster_does_not_keep_the_others_out() {
    let federation = Federation::start_with(&["east", "west"], &[("LIMITS__SESSIONS", "100")]);
    let mut greedy = Vec::new();
    let status = loop {
        match Agent::dial(&federation, "east").await {
            Ok(agent) => greedy.push(agent),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("cluster east"), "{status}");
    assert!(Agent::dial(&federation, "west").await.is_ok());
}

#[tokio::test]
async fn watches_are_counted() {
    let federation = Federation::start_with(&[], &[("LIMITS__WATCHES", "1")]);
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let request = v1::WatchClustersRequest::default();
    let first = client.watch_clusters(request.clone()).await.unwrap();
    let status = client.watch_clusters(request.clone()).await.unwrap_err();
    assert_eq!(status.code(), Code::ResourceExhausted);
    assert!(status.message().contains("limits.watches"), "{status}");
    drop(first);
    while client.watch_clusters(request.clone()).await.is_err() {
        tokio::time::sleep(std::time::Duration::from_millis(10)).await;
    }
}

#[tokio::test]
async fn messages_are_measured() {
    let federation = Federation::start_with(&[], &[("LIMITS__ADMIN_MESSAGE_BYTES", "65536")]);
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let status = client.deploy(deploy(&"x".repeat(70_000))).await.unwrap_err();
    assert!(status.message().contains("65536"), "{status}");
    assert!(client.deploy(deploy(WEB)).await.is_ok());
}

#[tokio::test]
async fn a_slow_agent_gets_the_newest_state_and_not_all_that_lay_between() {
    const REVISIONS: usize = 40;
    // More than all buffers on the way hold together.
    const BYTES: usize = 500_000;
    let federation = Federation::start(&["east"]);
    let mut agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    for revision in 0..REVISIONS {
        let data = format!("data: {{a: {revision}-{}}}", "x".repeat(BYTES));
        client.deploy(deploy(&WEB.replace("data: {a: b}", &data))).await.unwrap();
    }
    let newest = format!("{}-x", REVISIONS - 1);
    let mut messages = 0;
    while !agent.objects.values().any(|row| row.manifest.as_ref().is_some_and(|text| text.contains(&newest)))
    {
        agent.run_once().await;
        messages += 1;
    }
    assert!(messages < REVISIONS / 2, "{messages} messages for {REVISIONS} revisions");
    agent.run_until(|agent| agent.replicas("web") == Some(10)).await;
}
