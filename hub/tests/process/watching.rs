//! Watches: what there is, then what changes.

use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tokio::time::timeout;
use tonic::{Code, Streaming};
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_check_response::ServingStatus;
use tonic_health::pb::health_client::HealthClient;

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};

#[tokio::test]
async fn a_workload_is_followed_from_its_deployment_to_its_end() {
    let federation = Federation::start(&["east"]);
    let _agent = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    client.deploy(deploy(&WEB.replace("name: web", "name: other"))).await.unwrap();
    let request = v1::WatchWorkloadsRequest { name: "web".to_owned(), ..Default::default() };
    let mut watch = client.watch_workloads(request).await.unwrap().into_inner();
    client.deploy(deploy(WEB)).await.unwrap();
    let mut ready = false;
    while !ready {
        let workload = next(&mut watch).await.workload.unwrap();
        assert_eq!(workload.name, "web");
        ready = workload.ready == 10;
    }
    // A second watch begins with what is there.
    let again = v1::WatchWorkloadsRequest::default();
    let mut all = client.watch_workloads(again).await.unwrap().into_inner();
    let names = [next(&mut all).await, next(&mut all).await].map(|change| change.workload.unwrap().name);
    assert_eq!(names, ["other", "web"]);

    let delete = v1::DeleteWorkloadRequest { name: "web".to_owned(), ..Default::default() };
    client.delete_workload(delete).await.unwrap();
    loop {
        let change = next(&mut watch).await;
        if change.removed {
            let workload = change.workload.unwrap();
            assert_eq!((workload.name.as_str(), workload.replicas), ("web", 0));
            return;
        }
    }
}

#[tokio::test]
async fn policies_are_followed_from_first_to_last() {
    let federation = Federation::start(&[]);
    let mut client = PolicyServiceClient::new(federation.operator().await);
    let request = v1::WatchPoliciesRequest { name: "even".to_owned() };
    let mut watch = client.watch_policies(request).await.unwrap().into_inner();
    for priority in [1, 2] {
        let spec = Some(v1::PolicySpec { priority, ..v1::PolicySpec::default() });
        let policy = Some(v1::Policy { name: "even".to_owned(), spec, workloads: 0 });
        client.apply_policy(v1::ApplyPolicyRequest { policy, dry_run: false }).await.unwrap();
        let seen = next(&mut watch).await.policy.unwrap();
        assert_eq!((seen.name.as_str(), seen.spec.unwrap().priority), ("even", priority));
    }
    client.delete_policy(v1::DeletePolicyRequest { name: "even".to_owned() }).await.unwrap();
    let gone = next(&mut watch).await;
    assert_eq!((gone.policy.unwrap().name.as_str(), gone.removed), ("even", true));
}

#[tokio::test]
async fn a_cluster_that_goes_away_is_seen_to() {
    let federation = Federation::start(&["east"]);
    let agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let request = v1::WatchClustersRequest { name: "east".to_owned() };
    let mut watch = client.watch_clusters(request).await.unwrap().into_inner();
    assert_eq!(next(&mut watch).await.cluster.unwrap().state, "Ready");
    drop(agent);
    let mut state = String::new();
    while state != "Suspect" {
        state = next(&mut watch).await.cluster.unwrap().state;
    }
}

#[tokio::test]
async fn events_come_in_order_and_a_stop_ends_the_watch_with_a_reason() {
    let mut federation = Federation::start(&["east"]);
    let _agent = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let connection = federation.operator().await;
    let mut watch = EventServiceClient::new(connection.clone())
        .watch_events(v1::WatchEventsRequest::default())
        .await
        .unwrap()
        .into_inner();
    WorkloadServiceClient::new(connection).deploy(deploy(WEB)).await.unwrap();
    let mut last = None;
    loop {
        let event = next(&mut watch).await.event.unwrap();
        assert!(last.is_none_or(|last| event.sequence > last), "{event:?} after {last:?}");
        last = Some(event.sequence);
        if event.reason == "Deployed" {
            assert!(event.message.ends_with("(by dev)"), "the name is from the certificate: {event:?}");
            break;
        }
    }
    assert!(federation.stop_hub().await.success());
    let status = loop {
        match watch.message().await {
            Ok(Some(_)) => {}
            Ok(None) => panic!("the watch ended without a word"),
            Err(status) => break status,
        }
    };
    assert_eq!(status.code(), Code::Unavailable, "{status}");
}

#[tokio::test]
async fn a_watch_of_health_does_not_hold_up_a_stop() {
    let mut federation = Federation::start(&[]);
    let request = HealthCheckRequest::default();
    let watch = HealthClient::new(federation.operator().await).watch(request).await.unwrap();
    let mut watch = watch.into_inner();
    let mut heard = vec![next(&mut watch).await.status()];
    assert!(federation.stop_hub().await.success());
    while let Some(state) = watch.message().await.expect("it is ended, not cut") {
        heard.push(state.status());
    }
    assert_eq!(heard, [ServingStatus::Serving, ServingStatus::NotServing]);
}

async fn next<M>(watch: &mut Streaming<M>) -> M {
    let message = timeout(PATIENCE, watch.message()).await.expect("something changes");
    message.expect("the watch goes on").expect("the watch goes on")
}
