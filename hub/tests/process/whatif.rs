//! What if: answered by the planner that would decide it, and nothing is changed.

use godwit_proto::v1;
use godwit_proto::v1::plan_service_client::PlanServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tonic::Code;

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, WEB, deploy};
use crate::marks::shares;

#[tokio::test]
async fn losses_drains_and_new_clusters_are_only_supposed() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    WorkloadServiceClient::new(connection.clone()).deploy(deploy(WEB)).await.unwrap();
    let before = federation.workload_when("web", |workload| workload.ready == 10).await;

    let mut client = PlanServiceClient::new(connection);
    let east = || vec!["east".to_owned()];
    for request in [
        v1::WhatIfRequest { lose: east(), ..Default::default() },
        v1::WhatIfRequest { drain: east(), ..Default::default() },
    ] {
        let answer = client.what_if(request).await.unwrap().into_inner();
        assert_eq!(shares(&answer.changes), [("web", "east", 5, 0), ("web", "west", 5, 10)]);
        let sums = (answer.workloads, answer.moved, answer.pending_before, answer.pending_after);
        assert_eq!(sums, (1, 5, 0, 0));
    }
    let all = vec!["east".to_owned(), "west".to_owned()];
    let nothing_left = v1::WhatIfRequest { lose: all, ..Default::default() };
    let answer = client.what_if(nothing_left).await.unwrap().into_inner();
    assert_eq!((answer.workloads, answer.pending_after), (1, 10));
    assert!(!answer.changes[0].reasons.is_empty(), "{answer:?}");

    let replaced = v1::WhatIfRequest {
        lose: vec!["east".to_owned(), "west".to_owned()],
        add: [("north".to_owned(), "west".to_owned())].into(),
        ..Default::default()
    };
    let answer = client.what_if(replaced).await.unwrap().into_inner();
    assert_eq!((answer.workloads, answer.pending_after), (1, 0));
    let north: Vec<u32> = answer.changes[0]
        .shares
        .iter()
        .filter(|share| share.cluster == "north")
        .map(|share| share.after)
        .collect();
    assert_eq!(north, [10]);
    let after = federation.workload("web").await.unwrap();
    assert_eq!(after, before, "nothing was changed");
}

#[tokio::test]
async fn what_cannot_be_supposed_is_refused() {
    let federation = Federation::start(&["east"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let mut client = PlanServiceClient::new(federation.operator().await);
    let add = |new: &str, like: &str| v1::WhatIfRequest {
        add: [(new.to_owned(), like.to_owned())].into(),
        ..Default::default()
    };
    let lose = |name: &str| v1::WhatIfRequest { lose: vec![name.to_owned()], ..Default::default() };
    for (request, code, says) in [
        (v1::WhatIfRequest::default(), Code::InvalidArgument, "nothing is supposed"),
        (lose("West"), Code::InvalidArgument, "lose: cluster name \"West\" is not valid"),
        (lose("west"), Code::NotFound, "cluster west"),
        (add("east", "east"), Code::AlreadyExists, "cluster east is a member already"),
        (add("north", ""), Code::InvalidArgument, "add[north]: it is empty"),
        (add("north", "west"), Code::NotFound, "cluster west"),
    ] {
        let status = client.what_if(request).await.unwrap_err();
        assert_eq!(status.code(), code, "{status}");
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
}

#[tokio::test]
async fn a_policy_says_what_it_moves_before_and_after() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    WorkloadServiceClient::new(connection.clone()).deploy(deploy(WEB)).await.unwrap();
    federation.workload_when("web", |workload| workload.ready == 10).await;
    let mut client = PolicyServiceClient::new(connection);
    let east = v1::ClusterSelector { names: vec!["east".to_owned()], ..Default::default() };
    let spec = v1::PolicySpec {
        cluster_selector: Some(east.clone()),
        rebalance: "always".to_owned(),
        ..Default::default()
    };
    let policy = Some(v1::Policy { name: "default".to_owned(), spec: Some(spec), workloads: 0 });
    for dry_run in [true, false] {
        let request = v1::ApplyPolicyRequest { policy: policy.clone(), dry_run };
        let answer = client.apply_policy(request).await.unwrap().into_inner();
        assert_eq!(shares(&answer.changes), [("web", "east", 5, 10), ("web", "west", 5, 0)], "{answer:?}");
        assert_eq!(answer.policy.unwrap().spec.unwrap().cluster_selector, Some(east.clone()));
    }
}
