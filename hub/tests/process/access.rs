//! Who may do what.

use std::time::Duration;

use godwit_certs::{AdminName, Authority, Identity, TlsFiles};
use godwit_proto::v1;
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::federation_service_client::FederationServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use godwit_rt::dial::dial;
use godwit_rt::limits::DialTimeouts;
use godwit_rt::tls::ClientTls;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tonic::Code;
use tonic_health::pb::HealthCheckRequest;
use tonic_health::pb::health_client::HealthClient;
use tonic_reflection::pb::{v1 as reflection, v1alpha};

use crate::agent::Agent;
use crate::federation::{Federation, WEB, deploy, foreign};

#[tokio::test]
async fn an_agents_certificate_opens_no_admin_service() {
    let federation = Federation::start(&["east"]);
    let agent = federation.connect(&federation.agent_files("east")).await;
    let refused = [
        WorkloadServiceClient::new(agent.clone()).deploy(deploy(WEB)).await.unwrap_err(),
        PolicyServiceClient::new(agent.clone())
            .list_policies(v1::ListPoliciesRequest::default())
            .await
            .unwrap_err(),
        ClusterServiceClient::new(agent.clone())
            .watch_clusters(v1::WatchClustersRequest::default())
            .await
            .unwrap_err(),
        FederationServiceClient::new(agent).release_freeze(v1::ReleaseFreezeRequest {}).await.unwrap_err(),
    ];
    for status in refused {
        assert_eq!(status.code(), Code::PermissionDenied);
        assert!(status.message().contains("spiffe://godwit/cluster/east/agent"), "{status}");
    }
    assert_eq!(federation.workload("web").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_operators_certificate_does_not_attach() {
    let federation = Federation::start(&[]);
    let mut client = AgentServiceClient::new(federation.operator().await);
    let status = client.attach(tokio_stream::empty()).await.unwrap_err();
    assert_eq!(status.code(), Code::PermissionDenied);
    assert!(status.message().contains("spiffe://godwit/admin/dev"), "{status}");
}

#[tokio::test]
async fn a_cluster_speaks_only_for_itself() {
    let federation = Federation::start(&["east", "west"]);
    let _east = Agent::attach(&federation, "east").await.keep_running();
    // The certificate says west, whatever the agent says it is: here, the cluster that east is.
    let mut west = Agent::dial(&federation, "west").await.unwrap();
    west.say(godwit_common::link::Up::Hello(crate::agent::hello("east"))).await;
    let refusal = west.hear().await;
    assert!(
        matches!(&refusal, Some(godwit_common::link::Down::Refusal(refusal)) if refusal.message.contains("east")),
        "{refusal:?}"
    );
}

#[tokio::test]
async fn strangers_do_not_get_past_the_handshake() {
    let federation = Federation::start(&["east"]);
    let elsewhere = tempfile::tempdir().unwrap();
    let theirs = foreign(elsewhere.path());
    for files in [&theirs.admin, &theirs.agents[&"east".parse().unwrap()]] {
        // They know our authority, but ours does not know theirs.
        let files = TlsFiles { ca: federation.certificates.admin.ca.clone(), ..files.clone() };
        let tls = ClientTls::client(files).unwrap();
        let endpoint = format!("https://{}", federation.address()).parse().unwrap();
        let error = dial(&endpoint, &tls, DialTimeouts::default()).await.unwrap_err().to_string();
        assert!(error.contains("certificate") || error.contains("alert"), "{error}");
    }
    assert!(federation.workload("web").await.is_err_and(|status| status.code() == Code::NotFound));
}

#[tokio::test]
async fn without_tls_there_is_no_answer() {
    let federation = Federation::start(&[]);
    let mut stream = tokio::net::TcpStream::connect(federation.address()).await.unwrap();
    stream.write_all(b"PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n").await.unwrap();
    let mut answer = Vec::new();
    // A TLS alert at most, and then the end.
    let read = tokio::time::timeout(Duration::from_secs(30), stream.read_to_end(&mut answer)).await;
    assert!(read.is_ok() && answer.len() < 100, "{answer:?}");
}

#[tokio::test]
async fn a_renewed_operators_certificate_is_taken() {
    let federation = Federation::start(&[]);
    let folder = federation.folder.path();
    let authority = Authority::load(&folder.join("ca.pem"), &folder.join("ca.key")).unwrap();
    let name: AdminName = "second".parse().unwrap();
    let issued = authority.issue_admin(&name, Duration::from_secs(3600)).unwrap();
    let files = TlsFiles {
        ca: folder.join("ca.pem"),
        certificate: folder.join("second.pem"),
        key: folder.join("second.key"),
    };
    std::fs::write(&files.certificate, &issued.certificate_pem).unwrap();
    std::fs::write(&files.key, issued.key_pem.as_deref().unwrap()).unwrap();
    let mut client = FederationServiceClient::new(federation.connect(&files).await);
    client.get_federation(v1::GetFederationRequest {}).await.unwrap();
    assert_eq!(Identity::Admin { name }.to_string(), "spiffe://godwit/admin/second");
}

#[tokio::test]
async fn health_and_reflection_are_for_every_certificate() {
    let federation = Federation::start(&["east"]);
    for files in [federation.certificates.admin.clone(), federation.agent_files("east")] {
        let connection = federation.connect(&files).await;
        let health = HealthClient::new(connection.clone()).check(HealthCheckRequest::default()).await;
        assert_eq!(health.unwrap().into_inner().status(), tonic_health::ServingStatus::Serving.into());

        let request = reflection::ServerReflectionRequest {
            message_request: Some(reflection::server_reflection_request::MessageRequest::ListServices(
                String::new(),
            )),
            ..Default::default()
        };
        let mut client =
            reflection::server_reflection_client::ServerReflectionClient::new(connection.clone());
        let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        let Some(reflection::server_reflection_response::MessageResponse::ListServicesResponse(list)) =
            answer.message_response
        else {
            panic!("no list of services");
        };
        let mut names: Vec<String> = list.service.into_iter().map(|service| service.name).collect();
        names.sort();
        let ours: Vec<&str> =
            names.iter().filter_map(|name| name.strip_prefix("godwit.v1.")).collect::<Vec<_>>();
        assert_eq!(
            ours,
            [
                "AccessService",
                "AgentService",
                "AuthorityService",
                "ClusterService",
                "EnrolmentService",
                "EventService",
                "FederationService",
                "MigrationService",
                "PlacementService",
                "PlanService",
                "PodService",
                "PolicyService",
                "QuotaService",
                "RolloutService",
                "WorkloadService"
            ]
        );
        assert!(names.contains(&"grpc.health.v1.Health".to_owned()), "{names:?}");

        // Python's client speaks only the older version.
        let request = v1alpha::ServerReflectionRequest {
            message_request: Some(v1alpha::server_reflection_request::MessageRequest::FileContainingSymbol(
                "godwit.v1.WorkloadService".to_owned(),
            )),
            ..Default::default()
        };
        let mut client = v1alpha::server_reflection_client::ServerReflectionClient::new(connection);
        let answers = client.server_reflection_info(tokio_stream::iter([request])).await.unwrap();
        let answer = answers.into_inner().message().await.unwrap().unwrap();
        assert!(
            matches!(
                answer.message_response,
                Some(v1alpha::server_reflection_response::MessageResponse::FileDescriptorResponse(_))
            ),
            "{answer:?}"
        );
    }
}
