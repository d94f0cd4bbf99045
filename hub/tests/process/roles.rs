//! What operators of each role may call, and what they are shown: over the wire, method by method.

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_certs::{Authority, TlsFiles};
use godwit_proto::v1;
use godwit_proto::v1::access_service_client::AccessServiceClient;
use godwit_proto::v1::event_service_client::EventServiceClient;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::placement_service_client::PlacementServiceClient;
use godwit_proto::v1::plan_service_client::PlanServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::quota_service_client::QuotaServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::Connection;
use prost::Message;
use prost_types::FileDescriptorSet;
use tokio::time::timeout;
use tonic::codec::{Codec, DecodeBuf, Decoder, EncodeBuf, Encoder};
use tonic::codegen::http::uri::PathAndQuery;
use tonic::{Code, Request, Status};

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};

/// Nobody is anything unbound, but the operator of the tests.
const STRICT: &[(&str, &str)] = &[("ACCESS__UNBOUND", "none"), ("ACCESS__ADMINS", "dev")];

/// A certificate for an operator of that name, of the federation's own authority.
pub(crate) fn certificate(federation: &Federation, name: &str) -> TlsFiles {
    let folder = federation.folder.path();
    let authority = Authority::load(&folder.join("ca.pem"), &folder.join("ca.key")).expect("the authority");
    let issued = authority
        .issue_admin(&name.parse().expect("valid"), Duration::from_secs(3600))
        .expect("a certificate");
    let files = TlsFiles {
        ca: folder.join("ca.pem"),
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    std::fs::write(&files.certificate, &issued.certificate_pem).expect("a file");
    std::fs::write(&files.key, issued.key_pem.as_deref().expect("a key")).expect("a file");
    files
}

pub(crate) async fn operator(federation: &Federation, name: &str) -> Connection {
    federation.connect(&certificate(federation, name)).await
}

pub(crate) async fn bind(federation: &Federation, name: &str, role: &str, namespaces: &[&str]) {
    let request = v1::BindRoleRequest {
        name: name.to_owned(),
        role: role.to_owned(),
        namespaces: namespaces.iter().map(ToString::to_string).collect(),
        ..Default::default()
    };
    AccessServiceClient::new(federation.operator().await).bind_role(request).await.expect("a good binding");
}

/// An empty message, whatever the method takes.
struct Nothing;

impl Codec for Nothing {
    type Encode = ();
    type Decode = ();
    type Encoder = Self;
    type Decoder = Self;

    fn encoder(&mut self) -> Self {
        Self
    }

    fn decoder(&mut self) -> Self {
        Self
    }
}

impl Encoder for Nothing {
    type Item = ();
    type Error = Status;

    fn encode(&mut self, (): (), _: &mut EncodeBuf<'_>) -> Result<(), Status> {
        Ok(())
    }
}

impl Decoder for Nothing {
    type Item = ();
    type Error = Status;

    fn decode(&mut self, from: &mut DecodeBuf<'_>) -> Result<Option<()>, Status> {
        bytes::Buf::advance(from, bytes::Buf::remaining(from));
        Ok(Some(()))
    }
}

/// Whether a method refuses whoever calls it, for who that is.
async fn is_denied(connection: &Connection, path: &str) -> bool {
    let mut client = tonic::client::Grpc::new(connection.clone());
    client.ready().await.expect("a connection");
    let path = PathAndQuery::try_from(path.to_owned()).expect("a path");
    let call = client.server_streaming(Request::new(()), path.clone(), Nothing);
    match timeout(PATIENCE, call).await.expect("an answer") {
        // Streams of what there is, and unary answers.
        Ok(_) => false,
        Err(status) => {
            assert_ne!(status.code(), Code::Unimplemented, "{path}: {status}");
            if status.code() == Code::PermissionDenied {
                assert!(status.message().contains("godwit role bind"), "{path} names no remedy: {status}");
            }
            status.code() == Code::PermissionDenied
        }
    }
}

/// All methods for operators, by service and name.
fn methods() -> Vec<String> {
    let set = FileDescriptorSet::decode(godwit_proto::DESCRIPTORS).expect("descriptors");
    let mut all = Vec::new();
    for service in set.file.iter().flat_map(|file| &file.service) {
        if !["AgentService", "EnrolmentService"].contains(&service.name()) {
            all.extend(service.method.iter().map(|method| format!("{}/{}", service.name(), method.name())));
        }
    }
    all
}

/// Written out once more beside the hub's own table: whoever changes one of them has to say so here.
const READS: &[&str] = &[
    "AccessService/WhoAmI",
    "ClusterService/GetCluster",
    "ClusterService/ListClusters",
    "ClusterService/ListOrphans",
    "ClusterService/WatchClusters",
    "EventService/ListEvents",
    "EventService/WatchEvents",
    "FederationService/GetFederation",
    "MigrationService/GetMigration",
    "MigrationService/ListMigrations",
    "MigrationService/WatchMigrations",
    "PlacementService/WatchPlacements",
    "PlanService/GetPlan",
    "PodService/ListPods",
    "PodService/StreamLog",
    "PolicyService/GetPolicy",
    "PolicyService/ListPolicies",
    "PolicyService/WatchPolicies",
    "QuotaService/GetQuota",
    "QuotaService/ListQuotas",
    "QuotaService/WatchQuotas",
    "RolloutService/ListRevisions",
    "WorkloadService/GetRenderedWorkload",
    "WorkloadService/GetWorkload",
    "WorkloadService/ListWorkloads",
    "WorkloadService/WatchWorkloads",
];
const DEPLOYS: &[&str] = &[
    "PlacementService/AcknowledgePlacements",
    "RolloutService/PauseRollout",
    "RolloutService/ResumeRollout",
    "RolloutService/UndoRollout",
    "WorkloadService/DeleteWorkload",
    "WorkloadService/Deploy",
    "WorkloadService/Import",
    "WorkloadService/Rebalance",
    "WorkloadService/ScaleWorkload",
];
const FOR_ADMINS: &[&str] = &[
    "AccessService/ApproveEnrolment",
    "AccessService/BindRole",
    "AccessService/CreateToken",
    "AccessService/DeleteToken",
    "AccessService/DenyEnrolment",
    "AccessService/Revoke",
    "AccessService/UnbindRole",
    "AuthorityService/AbandonAuthority",
    "AuthorityService/FinishAuthority",
    "AuthorityService/GetAuthority",
    "AuthorityService/PrepareAuthority",
    "AuthorityService/SwitchAuthority",
    "ClusterService/DeleteCluster",
    "ClusterService/ReplaceCluster",
    "ClusterService/RetireCluster",
    "FederationService/Backup",
];
/// It shows all namespaces at once.
const WHOLE: &str = "PlanService/WhatIf";

#[tokio::test]
async fn each_role_may_call_what_it_is_for_and_nothing_else() {
    let federation = Federation::start_with(&[], STRICT);
    bind(&federation, "vera", "viewer", &[]).await;
    bind(&federation, "vic", "viewer", &["shop"]).await;
    bind(&federation, "dora", "deployer", &["shop"]).await;
    bind(&federation, "otto", "operator", &[]).await;
    bind(&federation, "anna", "admin", &[]).await;
    let one = |method: &str, lists: &[&[&str]]| lists.iter().any(|list| list.contains(&method));
    type May<'a> = &'a dyn Fn(&str) -> bool;
    let whole: &[&str] = &[WHOLE];
    let cases: [(&str, May<'_>); 6] = [
        ("nobody", &|method| method == "AccessService/WhoAmI"),
        ("vera", &|method| one(method, &[READS, whole])),
        ("vic", &|method| one(method, &[READS])),
        ("dora", &|method| one(method, &[READS, DEPLOYS])),
        ("otto", &|method| !one(method, &[FOR_ADMINS])),
        ("anna", &|_| true),
    ];
    for (name, may) in cases {
        let connection = operator(&federation, name).await;
        let mut wrong = BTreeSet::new();
        for method in methods() {
            let denied = is_denied(&connection, &format!("/godwit.v1.{method}")).await;
            if denied == may(&method) {
                wrong.insert(method);
            }
        }
        assert!(wrong.is_empty(), "{name} may, or may not, against what is said here: {wrong:?}");
    }
}

#[tokio::test]
async fn what_is_no_method_is_refused_for_everybody() {
    let federation = Federation::start(&["east"]);
    for files in [federation.certificates.admin.clone(), federation.agent_files("east")] {
        let mut client = tonic::client::Grpc::new(federation.connect(&files).await);
        for path in ["/godwit.v1.EventService/Forget", "/other.Service/Method", "/x"] {
            client.ready().await.expect("a connection");
            let call = client.server_streaming(Request::new(()), PathAndQuery::from_static(path), Nothing);
            let status = call.await.map(|_| ()).expect_err(path);
            assert_eq!(status.code(), Code::Unimplemented, "{path}: {status}");
        }
    }
}

fn in_namespace(namespace: &str) -> v1::DeployRequest {
    v1::DeployRequest { namespace: namespace.to_owned(), ..deploy(WEB) }
}

/// A federation with the same workload in two namespaces, and a deployer of one of them.
async fn tenants() -> (Federation, Connection) {
    let federation = Federation::start_with(&["east"], STRICT);
    // The agent runs on by itself, and ends with the test.
    drop(Agent::attach(&federation, "east").await.keep_running());
    wait_for_clusters(&federation, 1).await;
    let mut workloads = WorkloadServiceClient::new(federation.operator().await);
    for namespace in ["shop", "prod"] {
        workloads.deploy(in_namespace(namespace)).await.expect("an admin may");
    }
    bind(&federation, "dora", "deployer", &["shop"]).await;
    let dora = operator(&federation, "dora").await;
    (federation, dora)
}

#[tokio::test]
async fn of_what_a_workload_leans_on_a_deployer_is_shown_what_is_in_its_own_namespaces() {
    let (federation, dora) = tenants().await;
    let elsewhere = "
{apiVersion: v1, kind: ConfigMap, metadata: {name: shared, namespace: prod}, data: {address: db.internal}}
---
{apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: reads}, rules: []}
---
";
    let manifests = format!("{elsewhere}{}", WEB.replace("name: web", "name: api"));
    let request = v1::DeployRequest { manifests, ..in_namespace("shop") };
    WorkloadServiceClient::new(federation.operator().await).deploy(request).await.expect("an admin may");
    let shown = async |connection: Connection| {
        let request = v1::GetRenderedWorkloadRequest {
            namespace: "shop".to_owned(),
            name: "api".to_owned(),
            ..Default::default()
        };
        let answer = WorkloadServiceClient::new(connection).get_rendered_workload(request).await;
        let mut items = answer.expect("it may look at its own").into_inner().items;
        let item = items.pop().expect("a cluster");
        let objects = item.objects.iter().map(|one| format!("{} {}/{}", one.kind, one.namespace, one.name));
        (objects.collect::<BTreeSet<String>>(), item.left_out)
    };
    let own = ["ConfigMap shop/api", "Deployment shop/api"].map(str::to_owned);
    assert_eq!(shown(dora).await, (own.clone().into(), 2));
    let others = ["ClusterRole /reads", "ConfigMap prod/shared"].map(str::to_owned);
    let all = own.into_iter().chain(others).collect();
    assert_eq!(shown(federation.operator().await).await, (all, 0), "an admin sees everything");
}

#[tokio::test]
async fn a_deployer_is_shown_its_own_namespaces_only() {
    let (federation, dora) = tenants().await;
    let mut quotas = QuotaServiceClient::new(federation.operator().await);
    for namespace in ["shop", "prod"] {
        let spec = Some(v1::QuotaSpec { replicas: Some(50), ..Default::default() });
        let quota = Some(v1::Quota { namespace: namespace.to_owned(), spec, used: None });
        quotas.apply_quota(v1::ApplyQuotaRequest { quota, dry_run: false }).await.expect("an admin may");
    }
    let mut workloads = WorkloadServiceClient::new(dora.clone());
    let all = workloads.list_workloads(v1::ListWorkloadsRequest::default()).await.expect("it may list");
    let seen: Vec<String> = all.into_inner().items.into_iter().map(|one| one.namespace).collect();
    assert_eq!(seen, ["shop"]);
    let rendered = |namespace: &str| v1::GetRenderedWorkloadRequest {
        namespace: namespace.to_owned(),
        name: "web".to_owned(),
        ..Default::default()
    };
    workloads.get_rendered_workload(rendered("shop")).await.expect("it may look at its own");
    let refused = workloads.get_rendered_workload(rendered("prod")).await.expect_err("another's");
    assert_eq!(refused.code(), Code::PermissionDenied);
    let seen = QuotaServiceClient::new(dora.clone()).list_quotas(v1::ListQuotasRequest::default()).await;
    let seen: Vec<String> =
        seen.expect("it may list").into_inner().items.into_iter().map(|one| one.namespace).collect();
    assert_eq!(seen, ["shop"]);
    let events = EventServiceClient::new(dora.clone()).list_events(v1::ListEventsRequest::default()).await;
    let events = events.expect("it may list").into_inner().items;
    assert!(
        !events.is_empty() && events.iter().all(|event| event.subject == "Deployment shop/web"),
        "{events:?}"
    );
    let migrations = MigrationServiceClient::new(dora.clone());
    let migrations = { migrations }.list_migrations(v1::ListMigrationsRequest::default()).await;
    let moves = migrations.expect("it may list").into_inner().items.into_iter().flat_map(|one| one.moves);
    assert!(moves.clone().all(|one| one.namespace == "shop"), "{:?}", moves.collect::<Vec<_>>());

    // What is named is refused, whether it is there or not.
    let says = |status: Status| {
        assert_eq!(status.code(), Code::PermissionDenied, "{status}");
        assert!(status.message().contains("dora is deployer in shop"), "{status}");
        assert!(status.message().contains("namespace prod"), "{status}");
    };
    for name in ["web", "nothing"] {
        let (namespace, name) = ("prod".to_owned(), name.to_owned());
        let get =
            v1::GetWorkloadRequest { namespace: namespace.clone(), name: name.clone(), ..Default::default() };
        says(workloads.get_workload(get).await.map(|_| ()).unwrap_err());
        let plan = v1::GetPlanRequest { namespace, name, ..Default::default() };
        says(PlanServiceClient::new(dora.clone()).get_plan(plan).await.map(|_| ()).unwrap_err());
    }
    let list = v1::ListWorkloadsRequest { namespace: "prod".to_owned(), ..Default::default() };
    says(workloads.list_workloads(list).await.map(|_| ()).unwrap_err());
    let watch = v1::WatchPlacementsRequest { namespace: "prod".to_owned(), ..Default::default() };
    let placements = PlacementServiceClient::new(dora.clone());
    says({ placements }.watch_placements(watch).await.map(|_| ()).unwrap_err());
    says(workloads.deploy(in_namespace("prod")).await.map(|_| ()).unwrap_err());

    // Its own it changes; how others' plans would change with it is not told.
    let scale = v1::ScaleWorkloadRequest {
        namespace: "shop".to_owned(),
        name: "web".to_owned(),
        replicas: 12,
        ..Default::default()
    };
    let scaled = workloads.scale_workload(scale).await.expect("its own").into_inner();
    assert!(scaled.changes.iter().all(|change| change.namespace == "shop"), "{:?}", scaled.changes);
}

#[tokio::test]
async fn a_role_counts_from_the_next_call_on_and_ends_what_was_begun_under_another() {
    let (federation, dora) = tenants().await;
    let mut workloads = WorkloadServiceClient::new(dora.clone());
    let mut watch =
        workloads.watch_workloads(v1::WatchWorkloadsRequest::default()).await.unwrap().into_inner();
    let first = timeout(PATIENCE, watch.message()).await.expect("what there is").unwrap().unwrap();
    assert_eq!(first.workload.expect("a workload").namespace, "shop");

    // The same certificate, the same connection.
    bind(&federation, "dora", "viewer", &["prod"]).await;
    let ended = async {
        loop {
            match watch.message().await {
                Ok(Some(_)) => {}
                Ok(None) => panic!("it ends with a word"),
                Err(status) => return status,
            }
        }
    };
    let status = timeout(PATIENCE, ended).await.expect("it ends");
    assert_eq!(status.code(), Code::PermissionDenied, "{status}");
    assert!(status.message().contains("the role of dora was changed"), "{status}");
    let all = workloads.list_workloads(v1::ListWorkloadsRequest::default()).await.expect("it may list");
    assert_eq!(all.into_inner().items.len(), 1);
    let status = workloads.deploy(in_namespace("shop")).await.unwrap_err();
    assert!(
        status.message().contains("dora is viewer in prod, and Deploy takes the role deployer"),
        "{status}"
    );
}

#[tokio::test]
async fn who_one_is_and_what_is_bound_is_told_and_survives_a_restart() {
    let mut federation = Federation::start_with(&[], STRICT);
    let files = certificate(&federation, "eve");
    let who = async |federation: &Federation| {
        let mut client = AccessServiceClient::new(federation.connect(&files).await);
        client.who_am_i(v1::WhoAmIRequest {}).await.expect("everybody may ask").into_inner()
    };
    let nobody = who(&federation).await;
    assert_eq!((&*nobody.name, &*nobody.role, &*nobody.source), ("eve", "", "unbound"));
    assert!(
        !nobody.serial.is_empty() && nobody.expires.is_some() && nobody.address.starts_with("127."),
        "{nobody:?}"
    );

    let request = v1::BindRoleRequest {
        name: "eve".to_owned(),
        role: "deployer".to_owned(),
        namespaces: vec!["shop".to_owned()],
        policies: vec!["default".to_owned()],
        max_priority: 7,
    };
    let mut admin = AccessServiceClient::new(federation.operator().await);
    assert_eq!(admin.bind_role(request.clone()).await.unwrap().into_inner().action, "created");
    assert_eq!(admin.bind_role(request.clone()).await.unwrap().into_inner().action, "unchanged");
    for (wrong, field) in [
        (v1::BindRoleRequest { name: "a b".to_owned(), ..request.clone() }, "name: "),
        (v1::BindRoleRequest { role: "root".to_owned(), ..request.clone() }, "role: it is not a role"),
        (v1::BindRoleRequest { namespaces: vec!["A".to_owned()], ..request.clone() }, "namespaces: "),
        (v1::BindRoleRequest { policies: vec![String::new()], ..request.clone() }, "policies: "),
        (v1::BindRoleRequest { max_priority: 1001, ..request.clone() }, "max_priority: 1001"),
        (v1::BindRoleRequest { namespaces: Vec::new(), ..request }, "namespaces: it is empty"),
    ] {
        let status = admin.bind_role(wrong).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().starts_with(field), "{status}");
    }

    assert!(federation.stop_hub().await.success());
    federation.start_hub();
    let eve = who(&federation).await;
    assert_eq!((&*eve.role, &*eve.source, eve.max_priority), ("deployer", "bound", 7));
    assert_eq!((eve.namespaces, eve.policies), (vec!["shop".to_owned()], vec!["default".to_owned()]));
    let mut admin = AccessServiceClient::new(federation.operator().await);
    let roles = admin.list_roles(v1::ListRolesRequest {}).await.unwrap().into_inner();
    assert_eq!((roles.unbound.as_str(), roles.admins), ("", vec!["dev".to_owned()]));
    assert_eq!((roles.items.len(), roles.items[0].by.as_str()), (1, "dev"));
    let unbind = v1::UnbindRoleRequest { name: "eve".to_owned() };
    assert_eq!(admin.unbind_role(unbind.clone()).await.unwrap().into_inner().role, "");
    assert_eq!(admin.unbind_role(unbind).await.unwrap_err().code(), Code::NotFound);
    assert_eq!(who(&federation).await.role, "");
    // A policy, for one: nobody is anything any more but by the configuration.
    let status = PolicyServiceClient::new(federation.connect(&files).await)
        .list_policies(v1::ListPoliciesRequest::default())
        .await
        .unwrap_err();
    assert!(status.message().contains("eve has no role"), "{status}");
}
