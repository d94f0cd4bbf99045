//! The main job, as far as the hub does it: an application is taken over, divided, and kept.

use godwit_common::link::Down;
use godwit_proto::v1;
use godwit_proto::v1::deploy_request::Policy as PolicyWire;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::plan_service_client::PlanServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tonic::Code;

use crate::agent::Agent;
use crate::federation::{Federation, WEB, deploy};

#[tokio::test]
async fn an_application_is_divided_and_runs() {
    let federation = Federation::start(&["east", "west"]);
    let mut east = Agent::attach(&federation, "east").await;
    let mut west = Agent::attach(&federation, "west").await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    wait_for_clusters(&federation, 2).await;

    let mut request = deploy(WEB);
    request.replicas = Some(30);
    request.policy = Some(PolicyWire::InlinePolicy(weights(&[("east", 1), ("west", 2)])));
    let rehearsed =
        client.deploy(v1::DeployRequest { dry_run: true, ..request.clone() }).await.unwrap().into_inner();
    assert!(rehearsed.dry_run);
    assert_eq!(federation.workload("web").await.unwrap_err().code(), Code::NotFound);

    let real = client.deploy(request).await.unwrap().into_inner();
    assert_eq!(
        (real.dry_run, &real.workloads, &real.objects),
        (false, &rehearsed.workloads, &rehearsed.objects)
    );
    let [workload] = &real.workloads[..] else {
        panic!("one workload, not {real:?}");
    };
    let shares: Vec<(&str, u32)> =
        workload.placements.iter().map(|share| (share.cluster.as_str(), share.replicas)).collect();
    assert_eq!((workload.action.as_str(), shares), ("created", vec![("east", 10), ("west", 20)]));
    assert_eq!((workload.pending, &real.objects[..]), (0, &["ConfigMap default/web".to_owned()][..]));

    east.run_until(|agent| agent.replicas("web") == Some(10)).await;
    west.run_until(|agent| agent.replicas("web") == Some(20)).await;
    assert_eq!(east.objects.len(), 1);
    let seen = federation.workload_when("web", |workload| workload.ready == 30).await;
    assert_eq!((seen.replicas, seen.pending, seen.policy.as_str()), (30, 0, "web"));
    let mut targets =
        seen.placements.iter().map(|placement| (placement.target, placement.observed, placement.live));
    assert!(targets.clone().eq([(10, 10, true), (20, 20, true)]), "{:?}", targets.next());
    assert!(events(&federation).await.contains(&"Deployed".to_owned()));
    let whole = crate::lifecycle::whole(&federation).await;
    let sums = (whole.clusters, whole.workloads, whole.replicas, whole.ready, whole.pending);
    assert_eq!(sums, (2, 1, 30, 30, 0));

    let plan = v1::GetPlanRequest { name: "web".to_owned(), ..Default::default() };
    let plan = PlanServiceClient::new(federation.operator().await).get_plan(plan).await.unwrap().into_inner();
    let rows: Vec<(String, u32, u32)> =
        plan.plan.unwrap().report.into_iter().map(|row| (row.cluster, row.weight, row.replicas)).collect();
    assert_eq!(rows, [("east".to_owned(), 1, 10), ("west".to_owned(), 2, 20)]);
}

#[tokio::test]
async fn the_same_request_again_changes_nothing() {
    let federation = Federation::start(&["east"]);
    let _agent = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let request = v1::DeployRequest { request_id: "build/7".to_owned(), ..deploy(WEB) };
    let first = client.deploy(request.clone()).await.unwrap().into_inner();
    let scale = v1::ScaleWorkloadRequest { name: "web".to_owned(), replicas: 4, ..Default::default() };
    let scaled = client.scale_workload(scale).await.unwrap().into_inner().workload.unwrap();
    assert_eq!((scaled.action.as_str(), scaled.replicas), ("configured", 4));

    let again = client.deploy(request.clone()).await.unwrap().into_inner();
    assert_eq!(again, without_plans(first));
    assert_eq!(federation.workload("web").await.unwrap().replicas, 4);

    let other = v1::DeployRequest { replicas: Some(5), ..request };
    let status = client.deploy(other).await.unwrap_err();
    assert_eq!(status.code(), Code::AlreadyExists);
    assert!(status.message().contains("build/7"), "{status}");
}

#[tokio::test]
async fn an_end_is_confirmed_by_those_who_held_it() {
    let federation = Federation::start(&["east"]);
    let mut agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    client.deploy(deploy(WEB)).await.unwrap();
    agent.run_until(|agent| agent.replicas("web") == Some(10)).await;
    let delete = v1::DeleteWorkloadRequest { name: "web".to_owned(), ..Default::default() };
    let pending = client.delete_workload(delete.clone()).await.unwrap().into_inner().deletion_pending_on;
    assert_eq!(pending, ["east"]);
    let ending = federation.workload("web").await.unwrap();
    assert!(ending.deleting, "{ending:?}");
    agent.run_until(|agent| agent.workloads.is_empty() && agent.objects.is_empty()).await;
    let _agent = agent.keep_running();
    while federation.workload("web").await.is_ok() {
        tokio::time::sleep(std::time::Duration::from_millis(20)).await;
    }
    let status = client.delete_workload(delete).await.unwrap_err();
    assert_eq!(status.code(), Code::NotFound);
}

#[tokio::test]
async fn lists_are_in_order_and_cut_into_pages() {
    let federation = Federation::start(&[]);
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let names = ["a-1/x", "a/x", "a/z", "b/x", "c/x"];
    for name in names.iter().rev() {
        let (namespace, name) = name.split_once('/').unwrap();
        let manifests = WEB.replace("name: web", &format!("name: {name}"));
        client
            .deploy(v1::DeployRequest { namespace: namespace.to_owned(), ..deploy(&manifests) })
            .await
            .unwrap();
    }
    for (namespace, page_size, expected) in [
        ("", 0, &["a/x", "a/z", "a-1/x", "b/x", "c/x"][..]),
        ("", 2, &["a/x", "a/z", "a-1/x", "b/x", "c/x"]),
        ("a", 0, &["a/x", "a/z"]),
        ("a", 1, &["a/x", "a/z"]),
        ("b", 1, &["b/x"]),
        ("d", 0, &[]),
    ] {
        let mut request =
            v1::ListWorkloadsRequest { namespace: namespace.to_owned(), page_size, ..Default::default() };
        let mut found = Vec::new();
        loop {
            let page = client.list_workloads(request.clone()).await.unwrap().into_inner();
            assert!(page_size == 0 || page.items.len() <= page_size as usize);
            found.extend(page.items.into_iter().map(|item| format!("{}/{}", item.namespace, item.name)));
            request.page_token = page.next_page_token;
            if request.page_token.is_empty() {
                break;
            }
        }
        assert_eq!(found, expected, "namespace {namespace:?} by {page_size}");
    }
}

#[tokio::test]
async fn policies_are_kept_by_name() {
    let federation = Federation::start(&["east"]);
    let mut client = PolicyServiceClient::new(federation.operator().await);
    let policy = v1::Policy { name: "spread".to_owned(), ..weights(&[("east", 3)]) };
    let apply = |dry_run| v1::ApplyPolicyRequest { policy: Some(policy.clone()), dry_run };
    for (dry_run, action) in [(true, "created"), (false, "created"), (false, "unchanged")] {
        let answer = client.apply_policy(apply(dry_run)).await.unwrap().into_inner();
        assert_eq!(answer.action, action);
    }
    let list = client.list_policies(v1::ListPoliciesRequest::default()).await.unwrap().into_inner();
    let names: Vec<&str> = list.items.iter().map(|policy| policy.name.as_str()).collect();
    assert_eq!(names, ["default", "spread", "stateful"]);
    let get = v1::GetPolicyRequest { name: "spread".to_owned() };
    let known = client.get_policy(get.clone()).await.unwrap().into_inner().policy.unwrap();
    assert_eq!(known.spec.unwrap().clusters["east"].weight, Some(3));
    client.delete_policy(v1::DeletePolicyRequest { name: "spread".to_owned() }).await.unwrap();
    assert_eq!(client.get_policy(get).await.unwrap_err().code(), Code::NotFound);
    let default = v1::DeletePolicyRequest { name: "default".to_owned() };
    assert_eq!(client.delete_policy(default).await.unwrap_err().code(), Code::FailedPrecondition);
}

#[tokio::test]
async fn only_so_many_agents_of_a_cluster_are_kept() {
    let federation = Federation::start(&["east"]);
    let mut kept = Vec::new();
    for number in 0..4 {
        let mut agent = Agent::dial(&federation, "east").await.unwrap();
        let mut hello = crate::agent::hello("east");
        hello.instance = format!("agent-{number}").into();
        agent.say(godwit_common::link::Up::Hello(hello)).await;
        match agent.hear().await {
            Some(Down::Welcome(_)) => kept.push(agent),
            Some(Down::Standby { .. }) => assert_eq!(agent.hear().await, None),
            other => panic!("{other:?}"),
        }
    }
    assert_eq!(kept.len(), 3);
}

/// Until that many clusters are ready to be given work.
pub(crate) async fn wait_for_clusters(federation: &Federation, count: u32) {
    use godwit_proto::v1::federation_service_client::FederationServiceClient;
    let mut client = FederationServiceClient::new(federation.operator().await);
    let ready = async {
        loop {
            let answer =
                client.get_federation(v1::GetFederationRequest {}).await.expect("an answer").into_inner();
            if answer.federation.expect("a federation").clusters_ready == count {
                return;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(crate::federation::PATIENCE, ready).await.expect("clusters become ready");
}

/// The reasons in the journal, oldest first.
pub(crate) async fn events(federation: &Federation) -> Vec<String> {
    let mut client = EventServiceClient::new(federation.operator().await);
    let mut reasons = Vec::new();
    let mut page_token = String::new();
    loop {
        // Small pages, so that they have to be joined.
        let request = v1::ListEventsRequest { page_size: 2, page_token, ..Default::default() };
        let page = client.list_events(request).await.expect("a page").into_inner();
        reasons.extend(page.items.into_iter().map(|event| event.reason));
        page_token = page.next_page_token;
        if page_token.is_empty() {
            return reasons;
        }
    }
}

fn weights(weights: &[(&str, u32)]) -> v1::Policy {
    let rule = |(cluster, weight): &(&str, u32)| {
        ((*cluster).to_owned(), v1::ClusterRule { weight: Some(*weight), ..Default::default() })
    };
    let spec = v1::PolicySpec { clusters: weights.iter().map(rule).collect(), ..Default::default() };
    v1::Policy { spec: Some(spec), ..Default::default() }
}

/// An answer as the hub remembers it: what it said about plans is given once.
pub(crate) fn without_plans(mut answer: v1::DeployResponse) -> v1::DeployResponse {
    (answer.changes, answer.changes_total) = (Vec::new(), 0);
    answer.workloads.iter_mut().for_each(|workload| workload.report.clear());
    answer
}
