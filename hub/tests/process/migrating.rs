//! A cluster is lost: what the hub says about it.

use godwit_proto::v1;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;

use crate::agent::Agent;
use crate::deploying::{events, wait_for_clusters};
use crate::federation::{Federation, WEB, deploy};

#[tokio::test]
async fn the_replicas_of_a_lost_cluster_are_replaced_under_one_migration() {
    let soon = [("FEDERATION__HEARTBEAT", "1s"), ("FEDERATION__LOST_AFTER", "5s")];
    let federation = Federation::start_with(&["east", "west"], &soon);
    let east = Agent::attach(&federation, "east").await.keep_running();
    let mut west = Agent::attach(&federation, "west").await;
    wait_for_clusters(&federation, 2).await;
    let policy = v1::Policy {
        name: "fast".to_owned(),
        spec: Some(v1::PolicySpec {
            lost_after: Some(prost_types::Duration { seconds: 5, nanos: 0 }),
            ..Default::default()
        }),
        ..Default::default()
    };
    let mut request = deploy(WEB);
    request.policy = Some(v1::deploy_request::Policy::InlinePolicy(policy));
    WorkloadServiceClient::new(federation.operator().await).deploy(request).await.unwrap();
    west.run_until(|agent| agent.replicas("web") == Some(5)).await;
    federation.workload_when("web", |workload| workload.ready == 5 || workload.ready == 10).await;

    let mut client = MigrationServiceClient::new(federation.operator().await);
    let mut watch = client.watch_migrations(v1::WatchMigrationsRequest {}).await.unwrap().into_inner();
    drop(west);
    let first = watch.message().await.unwrap().unwrap().migration.unwrap();
    assert_eq!(
        (first.cause.as_str(), first.cluster.as_str(), first.state.as_str()),
        ("ClusterLost", "west", "Running")
    );
    let mut last = first.clone();
    while last.state != "Completed" {
        last = watch.message().await.unwrap().unwrap().migration.unwrap();
    }
    assert_eq!((last.id.as_str(), last.replicas, last.replicas_ready), (first.id.as_str(), 5, 5));
    let moved = v1::Move {
        namespace: "default".to_owned(),
        kind: "Deployment".to_owned(),
        name: "web".to_owned(),
        from: "west".to_owned(),
        to: "east".to_owned(),
        replicas: 5,
    };
    assert_eq!(last.moves, [moved]);
    let list = client.list_migrations(v1::ListMigrationsRequest::default()).await.unwrap().into_inner();
    assert_eq!(list.items, [last.clone()]);
    let get = v1::GetMigrationRequest { id: last.id.clone() };
    assert_eq!(client.get_migration(get).await.unwrap().into_inner().migration, Some(last));

    let workload = federation.workload_when("web", |workload| workload.ready == 10).await;
    // The five in west may still run, where nobody sees them.
    assert_eq!((workload.pending, workload.possible_over_run), (0, 5));
    let reasons = events(&federation).await;
    assert!(reasons.iter().any(|reason| reason == "ClusterLost"), "{reasons:?}");
    assert!(!east.is_finished(), "the agent in east has done all this");
}
