//! What operators put on clusters: labels, taints, cordon. What moves by it is said before and after.

use std::collections::BTreeMap;

use godwit_proto::v1;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::deploy_request::Policy as PolicyWire;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::Connection;
use tonic::Code;

use crate::agent::Agent;
use crate::deploying::{events, wait_for_clusters};
use crate::federation::{Federation, PATIENCE, WEB, deploy};

#[tokio::test]
async fn a_label_makes_a_policy_choose_a_cluster() {
    let mut federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    let prod = BTreeMap::from([("example.com/tier".to_owned(), "prod".to_owned())]);
    let selector = v1::ClusterSelector { match_labels: prod.clone(), ..Default::default() };
    let spec = v1::PolicySpec { cluster_selector: Some(selector), ..Default::default() };
    let policy = v1::Policy { name: "prod".to_owned(), spec: Some(spec), workloads: 0 };
    let request = v1::DeployRequest { policy: Some(PolicyWire::InlinePolicy(policy)), ..deploy(WEB) };
    let deployed = WorkloadServiceClient::new(connection.clone()).deploy(request).await.unwrap().into_inner();
    assert_eq!(deployed.workloads[0].pending, 10, "{deployed:?}");

    let mut client = ClusterServiceClient::new(connection);
    let label = |dry_run| v1::LabelClusterRequest {
        name: "east".to_owned(),
        set: prod.clone(),
        dry_run,
        ..Default::default()
    };
    let rehearsed = client.label_cluster(label(true)).await.unwrap().into_inner();
    assert_eq!(rehearsed.action, "configured");
    assert_eq!(shares(&rehearsed.changes), [("web", "east", 0, 10)]);
    let [change] = &rehearsed.changes[..] else { panic!("one change, not {rehearsed:?}") };
    assert_eq!((change.policy.as_str(), change.pending_before, change.pending_after), ("prod", 10, 0));
    assert!(rehearsed.cluster.unwrap().labels.is_empty());
    assert_eq!(federation.workload("web").await.unwrap().pending, 10);

    let real = client.label_cluster(label(false)).await.unwrap().into_inner();
    assert_eq!((real.action.as_str(), &real.changes), ("configured", &rehearsed.changes));
    assert_eq!(real.cluster.unwrap().labels, prod);
    federation.workload_when("web", |workload| workload.ready == 10).await;
    let again = client.label_cluster(label(false)).await.unwrap().into_inner();
    assert_eq!((again.action.as_str(), again.changes.len()), ("unchanged", 0));
    assert!(events(&federation).await.contains(&"ClusterLabelled".to_owned()));

    federation.kill_hub();
    federation.start_hub();
    assert_eq!(cluster(&federation, "east").await.labels, prod);
    let remove = v1::LabelClusterRequest {
        name: "east".to_owned(),
        remove: prod.keys().cloned().chain(["other".to_owned()]).collect(),
        ..Default::default()
    };
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let removed = client.label_cluster(remove).await.unwrap().into_inner();
    assert!(removed.cluster.unwrap().labels.is_empty());
}

#[tokio::test]
async fn a_taint_drives_away_what_does_not_tolerate_it() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    let mut workloads = WorkloadServiceClient::new(connection.clone());
    workloads.deploy(deploy(WEB)).await.unwrap();
    federation.workload_when("web", |workload| workload.ready == 10).await;

    let mut client = ClusterServiceClient::new(connection);
    let request = |effect: &str, dry_run| v1::TaintClusterRequest {
        name: "east".to_owned(),
        add: vec![taint("repair", "", effect)],
        dry_run,
        ..Default::default()
    };
    let soft = client.taint_cluster(request("NoSchedule", true)).await.unwrap().into_inner();
    assert_eq!((soft.action.as_str(), soft.changes.len()), ("configured", 0), "what runs stays");
    let hard = client.taint_cluster(request("NoExecute", true)).await.unwrap().into_inner();
    assert_eq!(shares(&hard.changes), [("web", "east", 5, 0), ("web", "west", 5, 10)]);
    assert!(hard.cluster.unwrap().taints.is_empty());

    let real = client.taint_cluster(request("NoExecute", false)).await.unwrap().into_inner();
    assert_eq!(shares(&real.changes), [("web", "east", 5, 0), ("web", "west", 5, 10)]);
    let [taint] = &real.cluster.unwrap().taints[..] else { panic!("one taint") };
    assert_eq!(
        (taint.key.as_str(), taint.value.as_str(), taint.effect.as_str()),
        ("repair", "", "NoExecute")
    );
    assert!(taint.added.is_some_and(|added| added.seconds > 0));
    let moved = federation.workload_when("web", |workload| settled(workload, "west", 10)).await;
    assert_eq!(moved.pending, 0);
    let migrations = migrations(&federation).await;
    assert!(
        matches!(&migrations[..], [one] if one.cause == "ClusterChange" && one.cluster == "east"),
        "{migrations:?}"
    );

    let remove = v1::TaintClusterRequest {
        name: "east".to_owned(),
        remove: vec!["repair:NoExecute".to_owned(), "other".to_owned()],
        ..Default::default()
    };
    let removed = client.taint_cluster(remove).await.unwrap().into_inner();
    assert_eq!((removed.action.as_str(), removed.cluster.unwrap().taints.len()), ("configured", 0));
}

#[tokio::test]
async fn a_policy_with_a_toleration_stays() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    let tolerations =
        vec![v1::ClusterToleration { key: "repair".into(), operator: "Exists".into(), ..Default::default() }];
    let spec = v1::PolicySpec { tolerations, ..Default::default() };
    let policy = v1::Policy { name: "hardy".to_owned(), spec: Some(spec), workloads: 0 };
    let request = v1::DeployRequest { policy: Some(PolicyWire::InlinePolicy(policy)), ..deploy(WEB) };
    let deployed = WorkloadServiceClient::new(connection.clone()).deploy(request).await.unwrap().into_inner();
    assert_eq!(shares(&deployed.changes), [("web", "east", 0, 5), ("web", "west", 0, 5)]);
    let request = |key: &str| v1::TaintClusterRequest {
        name: "east".to_owned(),
        add: vec![taint(key, "now", "NoExecute")],
        ..Default::default()
    };
    let mut client = ClusterServiceClient::new(connection);
    let tainted = client.taint_cluster(request("repair")).await.unwrap().into_inner();
    assert_eq!((tainted.action.as_str(), tainted.changes.len()), ("configured", 0), "{tainted:?}");
    let other = client.taint_cluster(request("other")).await.unwrap().into_inner();
    assert_eq!(shares(&other.changes), [("web", "east", 5, 0), ("web", "west", 5, 10)], "{other:?}");
}

#[tokio::test]
async fn a_cordoned_cluster_gets_nothing_new() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    let connection = federation.operator().await;
    let mut workloads = WorkloadServiceClient::new(connection.clone());
    let web = workloads.deploy(deploy(WEB)).await.unwrap().into_inner();
    assert_eq!(shares(&web.changes), [("web", "east", 0, 5), ("web", "west", 0, 5)]);

    let mut client = ClusterServiceClient::new(connection);
    let cordon = v1::CordonClusterRequest { name: "east".to_owned(), dry_run: false };
    let cordoned = client.cordon_cluster(cordon.clone()).await.unwrap().into_inner();
    assert_eq!((cordoned.action.as_str(), shares(&cordoned.changes)), ("configured", Vec::new()));
    assert!(cordoned.cluster.unwrap().cordoned);
    assert_eq!(client.cordon_cluster(cordon).await.unwrap().into_inner().action, "unchanged");
    let more = v1::DeployRequest { replicas: Some(12), ..deploy(WEB) };
    let more = workloads.deploy(more).await.unwrap().into_inner();
    assert_eq!(shares(&more.changes), [("web", "west", 5, 7)], "what is planned anew stays, too");
    federation.workload_when("web", |workload| holds(workload, &[("east", 5), ("west", 7)])).await;

    let deployed = workloads.deploy(deploy(&WEB.replace("web", "api"))).await.unwrap().into_inner();
    assert_eq!(shares(&deployed.changes), [("api", "west", 0, 10)]);
    let rows = &deployed.workloads[0].report;
    let east = rows.iter().find(|row| row.cluster == "east").expect("its row");
    assert!(east.replicas == 0 && !east.reason.is_empty() && !east.remedy.is_empty(), "{east:?}");

    let uncordon = v1::UncordonClusterRequest { name: "east".to_owned(), dry_run: false };
    let free = client.uncordon_cluster(uncordon).await.unwrap().into_inner();
    assert_eq!((free.action.as_str(), free.cluster.unwrap().cordoned), ("configured", false));
}

#[tokio::test]
async fn a_cluster_with_too_many_bad_nodes_shows_as_degraded() {
    let federation = Federation::start(&["east"]);
    let agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    agent.report_nodes_ready(7).await;
    let shown = cluster_when(&federation, "east", |cluster| !cluster.degraded.is_empty()).await;
    assert_eq!(shown.state, "Degraded", "{shown:?}");
    assert!(shown.degraded.contains("3 of 10 nodes"), "{shown:?}");
    agent.report_nodes_ready(10).await;
    let shown = cluster_when(&federation, "east", |cluster| cluster.degraded.is_empty()).await;
    assert_eq!(shown.state, "Ready");
}

#[tokio::test]
async fn mistakes_are_named() {
    let federation = Federation::start(&["east"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    wait_for_clusters(&federation, 1).await;
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let label = |set: &[(&str, &str)], remove: &[&str]| v1::LabelClusterRequest {
        name: "east".to_owned(),
        set: set.iter().map(|(key, value)| ((*key).to_owned(), (*value).to_owned())).collect(),
        remove: remove.iter().map(ToString::to_string).collect(),
        dry_run: false,
    };
    for (request, says) in [
        (label(&[], &[]), "set: it is empty, as is remove"),
        (label(&[("a", "b")], &["a"]), "remove: a is set, too"),
        (label(&[("a b", "c")], &[]), "set: \"a b\" is not a key"),
        (label(&[("a", "b c")], &[]), "set[a]: \"b c\" is not a value"),
        (label(&[], &["-"]), "remove: \"-\" is not a key"),
    ] {
        let status = client.label_cluster(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
    let named = |add: Vec<v1::ClusterTaint>, remove: &[&str]| v1::TaintClusterRequest {
        name: "east".to_owned(),
        add,
        remove: remove.iter().map(ToString::to_string).collect(),
        dry_run: false,
    };
    for (request, says) in [
        (named(Vec::new(), &[]), "add: it is empty, as is remove"),
        (named(vec![taint("a", "", "Never")], &[]), "add[0].effect: \"Never\" is not an effect"),
        (named(Vec::new(), &["a:Never"]), "remove: \"Never\" is not an effect"),
    ] {
        let status = client.taint_cluster(request).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument);
        assert!(status.message().starts_with(says), "{says:?} does not begin {status}");
    }
    let many = (0..65).map(|number| (format!("n{number}"), String::new())).collect();
    let many = v1::LabelClusterRequest { set: many, ..label(&[], &[]) };
    assert_eq!(client.label_cluster(many).await.unwrap_err().code(), Code::ResourceExhausted);
    let nowhere = v1::CordonClusterRequest { name: "west".to_owned(), dry_run: false };
    assert_eq!(client.cordon_cluster(nowhere).await.unwrap_err().code(), Code::NotFound);
    let shown = cluster(&federation, "east").await;
    assert!(shown.labels.is_empty() && shown.taints.is_empty() && !shown.cordoned, "{shown:?}");
}

/// Every count that changes: workload, cluster, before, after.
pub(crate) fn shares(changes: &[v1::PlanChange]) -> Vec<(&str, &str, u32, u32)> {
    let shares = changes.iter().flat_map(|change| change.shares.iter().map(move |share| (change, share)));
    shares
        .map(|(change, share)| (change.name.as_str(), share.cluster.as_str(), share.before, share.after))
        .collect()
}

pub(crate) async fn cluster(federation: &Federation, name: &str) -> v1::Cluster {
    let mut client = ClusterServiceClient::new(federation.operator().await);
    get(&mut client, name).await
}

async fn get(client: &mut ClusterServiceClient<Connection>, name: &str) -> v1::Cluster {
    let request = v1::GetClusterRequest { name: name.to_owned() };
    client.get_cluster(request).await.expect("an answer").into_inner().cluster.expect("a cluster")
}

async fn cluster_when(
    federation: &Federation,
    name: &str,
    wanted: impl Fn(&v1::Cluster) -> bool,
) -> v1::Cluster {
    let mut client = ClusterServiceClient::new(federation.operator().await);
    let waiting = async {
        loop {
            let cluster = get(&mut client, name).await;
            if wanted(&cluster) {
                return cluster;
            }
            tokio::time::sleep(std::time::Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the cluster becomes so in time")
}

async fn migrations(federation: &Federation) -> Vec<v1::Migration> {
    use godwit_proto::v1::migration_service_client::MigrationServiceClient;
    let mut client = MigrationServiceClient::new(federation.operator().await);
    let answer = client.list_migrations(v1::ListMigrationsRequest::default()).await;
    answer.expect("an answer").into_inner().items
}

fn settled(workload: &v1::Workload, cluster: &str, replicas: u32) -> bool {
    workload.placements.iter().all(|placement| {
        let wanted = if placement.cluster == cluster { replicas } else { 0 };
        (placement.target, placement.sent, placement.ready) == (wanted, wanted, wanted)
    })
}

/// Whether so many are to run, and are ready, in exactly these clusters.
fn holds(workload: &v1::Workload, shares: &[(&str, u32)]) -> bool {
    let held = workload.placements.iter().filter(|one| (one.target, one.ready) != (0, 0));
    let held: Vec<_> = held.map(|one| (one.cluster.as_str(), one.target, one.ready)).collect();
    held == shares.iter().map(|(cluster, count)| (*cluster, *count, *count)).collect::<Vec<_>>()
}

fn taint(key: &str, value: &str, effect: &str) -> v1::ClusterTaint {
    v1::ClusterTaint { key: key.to_owned(), value: value.to_owned(), effect: effect.to_owned(), added: None }
}
