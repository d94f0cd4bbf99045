//! Those who route traffic: told where it may go, and asked before replicas stop (S20).

use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::placement_service_client::PlacementServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tokio::time::timeout;
use tonic::{Code, Streaming};

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};

/// Two clusters, and a policy under which nothing ready stops before traffic is routed away.
async fn federation() -> (Federation, Vec<tokio::task::JoinHandle<Option<godwit_common::link::Down>>>) {
    let federation = Federation::start_with(&["east", "west"], &[("FEDERATION__MIN_READY", "0s")]);
    let mut agents = Vec::new();
    for name in ["east", "west"] {
        agents.push(Agent::attach(&federation, name).await.keep_running());
    }
    wait_for_clusters(&federation, 2).await;
    let gate = v1::TrafficGate { mode: "ack".to_owned(), delay: None };
    let spec = v1::PolicySpec { traffic_gate: Some(gate), ..Default::default() };
    let policy = Some(v1::Policy { name: "gated".to_owned(), spec: Some(spec), workloads: 0 });
    PolicyServiceClient::new(federation.operator().await)
        .apply_policy(v1::ApplyPolicyRequest { policy, dry_run: false })
        .await
        .expect("a good policy");
    (federation, agents)
}

fn gated(name: &str, labels: &str) -> v1::DeployRequest {
    let named =
        WEB.replace("metadata: {name: web}", &format!("metadata: {{name: {name}, labels: {{{labels}}}}}"));
    v1::DeployRequest {
        policy: Some(v1::deploy_request::Policy::PolicyName("gated".to_owned())),
        ..deploy(&named)
    }
}

async fn next(watch: &mut Streaming<v1::WatchPlacementsResponse>) -> v1::WatchPlacementsResponse {
    let message = timeout(PATIENCE, watch.message()).await.expect("something changes");
    message.expect("the watch goes on").expect("the watch goes on")
}

/// The first news of `web` that is as wanted.
async fn news(
    watch: &mut Streaming<v1::WatchPlacementsResponse>,
    wanted: impl Fn(&v1::WorkloadPlacements) -> bool,
) -> v1::WorkloadPlacements {
    loop {
        let change = next(watch).await;
        assert!(!change.complete && !change.removed, "{change:?}");
        let workload = change.workload.expect("every other message has one");
        assert_eq!(workload.name, "web", "no other was asked for");
        if wanted(&workload) {
            return workload;
        }
    }
}

fn rows(workload: &v1::WorkloadPlacements) -> Vec<(&str, u32, u32)> {
    workload.clusters.iter().map(|one| (&*one.cluster, one.serving_replicas, one.ready)).collect()
}

#[tokio::test]
async fn routers_hear_what_stops_before_it_does_and_say_when_it_may() {
    let (federation, _agents) = federation().await;
    let connection = federation.operator().await;
    let mut workloads = WorkloadServiceClient::new(connection.clone());
    workloads.deploy(gated("other", "app: other")).await.unwrap();
    workloads.deploy(gated("web", "app: web")).await.unwrap();
    federation.workload_when("web", |workload| workload.ready == 10).await;
    let mut router = PlacementServiceClient::new(connection.clone());
    let request = v1::WatchPlacementsRequest {
        namespace: "default".to_owned(),
        match_labels: [("app".to_owned(), "web".to_owned())].into(),
        ..Default::default()
    };
    let mut watch = router.watch_placements(request).await.unwrap().into_inner();
    let first = next(&mut watch).await.workload.expect("what there is");
    assert_eq!((first.wanted, first.serving_replicas, first.labels["app"].as_str()), (10, 10, "web"));
    assert_eq!(rows(&first), [("east", 5, 5), ("west", 5, 5)]);
    assert!(first.clusters.iter().all(|one| one.serving && one.live && !one.lost && one.target == 5));
    let complete = next(&mut watch).await;
    assert_eq!((complete.complete, complete.workload), (true, None));

    let mut clusters = ClusterServiceClient::new(connection.clone());
    clusters
        .drain_cluster(v1::DrainClusterRequest { name: "east".to_owned(), ..Default::default() })
        .await
        .unwrap();
    let mut revisions = Vec::new();
    let ended = loop {
        let workload = news(&mut watch, |one| {
            let east = one.clusters.iter().find(|one| one.cluster == "east");
            east.is_none_or(|east| east.withdrawal.is_some())
        })
        .await;
        assert!(workload.serving_replicas >= 10, "never fewer than wanted: {workload:?}");
        let Some(east) = workload.clusters.iter().find(|one| one.cluster == "east") else {
            break workload;
        };
        let withdrawal = east.withdrawal.clone().expect("that was wanted");
        assert_eq!((withdrawal.gate.as_str(), withdrawal.until), ("ack", None));
        assert_eq!((east.serving_replicas, east.serving), (withdrawal.stays, withdrawal.stays > 0));
        assert!(east.ready > withdrawal.stays, "they run on until they are let go: {east:?}");
        if revisions.contains(&withdrawal.revision) {
            continue;
        }
        let asked = v1::AcknowledgePlacementsRequest {
            name: "web".to_owned(),
            cluster: "east".to_owned(),
            revision: withdrawal.revision.clone(),
            ..Default::default()
        };
        let answer = router.acknowledge_placements(asked.clone()).await.unwrap().into_inner();
        assert_eq!((answer.action.as_str(), &answer.revision), ("configured", &withdrawal.revision));
        let answer = router.acknowledge_placements(asked).await.unwrap().into_inner();
        assert_eq!(answer.action, "unchanged");
        revisions.push(withdrawal.revision);
    };
    assert_eq!(rows(&ended), [("west", 10, 10)]);
    assert!(revisions.len() > 1, "within the surge it takes several steps: {revisions:?}");

    let delete = v1::DeleteWorkloadRequest { name: "web".to_owned(), ..Default::default() };
    workloads.delete_workload(delete).await.unwrap();
    let gone = loop {
        let change = next(&mut watch).await;
        if change.removed {
            break change.workload.expect("whose");
        }
    };
    assert_eq!((gone.uid, gone.clusters.len()), (ended.uid, 0));
}

#[tokio::test]
async fn what_routers_ask_for_must_be_possible() {
    let (federation, _agents) = federation().await;
    let connection = federation.operator().await;
    WorkloadServiceClient::new(connection.clone()).deploy(gated("web", "app: web")).await.unwrap();
    let mut router = PlacementServiceClient::new(connection);
    let watch = v1::WatchPlacementsRequest::default;
    let bad_key = [("-".to_owned(), "x".to_owned())].into();
    for (request, says) in [
        (v1::WatchPlacementsRequest { namespace: "A".to_owned(), ..watch() }, "namespace: "),
        (v1::WatchPlacementsRequest { kind: "a b".to_owned(), ..watch() }, "kind: "),
        (v1::WatchPlacementsRequest { name: "A/b".to_owned(), ..watch() }, ""),
        (v1::WatchPlacementsRequest { match_labels: bad_key, ..watch() }, "match_labels[-]: "),
    ] {
        let status = router.watch_placements(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
    let ack = |name: &str, cluster: &str, revision: &str| v1::AcknowledgePlacementsRequest {
        name: name.to_owned(),
        cluster: cluster.to_owned(),
        revision: revision.to_owned(),
        ..Default::default()
    };
    for (request, code, says) in [
        (ack("", "east", ""), Code::InvalidArgument, "name: it is empty"),
        (ack("web", "", ""), Code::InvalidArgument, "cluster: it is empty"),
        (ack("web", "east", "17"), Code::InvalidArgument, "revision: \"17\" is not a withdrawal's"),
        (ack("api", "east", ""), Code::NotFound, "Deployment default/api is not deployed"),
        (ack("web", "north", ""), Code::NotFound, "cluster north is not a member"),
        (
            ack("web", "east", ""),
            Code::FailedPrecondition,
            "no replica of Deployment default/web in cluster east",
        ),
        (
            ack("web", "east", "1-0"),
            Code::FailedPrecondition,
            "no replica of Deployment default/web in cluster",
        ),
    ] {
        let status = router.acknowledge_placements(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
}

/// Its labels make each message some 30 KB long: what a connection holds for a reader who does not read is soon full.
#[tokio::test]
async fn a_router_that_does_not_read_misses_what_lies_between_and_hears_the_end() {
    let (federation, _agents) = federation().await;
    let connection = federation.operator().await;
    let mut workloads = WorkloadServiceClient::new(connection.clone());
    let filler = "x".repeat(55);
    let labels: Vec<String> = (0..250).map(|number| format!("k{number}-{filler}: v-{filler}")).collect();
    workloads.deploy(gated("web", &labels.join(", "))).await.unwrap();
    federation.workload_when("web", |workload| workload.ready == 10).await;
    let mut router = PlacementServiceClient::new(federation.operator().await);
    let mut watch =
        router.watch_placements(v1::WatchPlacementsRequest::default()).await.unwrap().into_inner();
    const STEPS: i64 = 400;
    for step in 1..=STEPS {
        let request =
            v1::ScaleWorkloadRequest { name: "web".to_owned(), replicas: 10 + step, ..Default::default() };
        workloads.scale_workload(request).await.unwrap();
    }
    let all = u32::try_from(10 + STEPS).unwrap();
    federation.workload_when("web", |workload| workload.ready == all).await;
    let mut heard = 0;
    loop {
        let change = next(&mut watch).await;
        heard += 1;
        if change.workload.is_some_and(|workload| workload.serving_replicas == all) {
            break;
        }
    }
    assert!(heard < STEPS / 2, "{heard} messages were kept for a reader who did not read");
}
