//! Whatever comes in, the hub says what is wrong with it and lives on.

use godwit_common::link::{Down, RefusalCode, Up};
use godwit_proto::v1;
use godwit_proto::v1::attach_request::Message as UpWire;
use godwit_proto::v1::cluster_service_client::ClusterServiceClient;
use godwit_proto::v1::migration_service_client::MigrationServiceClient;
use godwit_proto::v1::policy_service_client::PolicyServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tokio::io::AsyncWriteExt;
use tonic::Code;

use crate::agent::{Agent, hello};
use crate::federation::{Federation, WEB, deploy};

#[tokio::test]
async fn a_huge_message_is_refused_and_the_hub_lives_on() {
    let federation = Federation::start(&[]);
    let mut client =
        WorkloadServiceClient::new(federation.operator().await).max_encoding_message_size(usize::MAX);
    let status = client.deploy(deploy(&"x".repeat(64 << 20))).await.unwrap_err();
    assert!(
        matches!(status.code(), Code::OutOfRange | Code::ResourceExhausted | Code::InvalidArgument),
        "{status}"
    );
    // Small enough for a message, too large for manifests.
    let status = client.deploy(deploy(&"x".repeat(5 << 20))).await.unwrap_err();
    assert_eq!(status.code(), Code::InvalidArgument);
    assert!(status.message().starts_with("manifests: "), "{status}");
    lives(&federation).await;
}

#[tokio::test]
async fn random_bytes_on_the_port_are_nothing_to_it() {
    let federation = Federation::start(&[]);
    let mut random = godwit_common::rng::Rng::new(11);
    for length in [0, 1, 5, 100, 10_000, 1 << 20] {
        let mut bytes: Vec<u8> = (0..length).map(|_| random.next_u64() as u8).collect();
        for tls in [false, true] {
            if tls {
                // A TLS record that claims to be a handshake.
                bytes.splice(0..bytes.len().min(3), [22, 3, 1]);
            }
            let mut stream = tokio::net::TcpStream::connect(federation.address()).await.unwrap();
            // The hub may close while they are being written.
            let _ = stream.write_all(&bytes).await;
        }
    }
    lives(&federation).await;
}

#[tokio::test]
async fn mistakes_are_named_with_their_field_and_remedy() {
    let federation = Federation::start(&[]);
    let operator = federation.operator().await;
    let mut workloads = WorkloadServiceClient::new(operator.clone());
    for (manifests, says) in [
        ("", "the text is empty"),
        ("{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}", "is a workload"),
        ("a: [", "manifests: "),
        (&WEB.replace("replicas: 10", "replicas: -1"), "replicas"),
        (&WEB.replace("replicas: 10", "replicas: 99999999999"), "replicas"),
        (&WEB.replace("replicas: 10", "replcas: 10"), "replcas"),
        (&format!("{WEB}---{WEB}"), "already"),
    ] {
        let status = workloads.deploy(deploy(manifests)).await.unwrap_err();
        assert_eq!(status.code(), Code::InvalidArgument, "{status}");
        assert!(status.message().contains(says), "{says:?} is not in {status}");
    }
    let named = v1::DeployRequest {
        policy: Some(v1::deploy_request::Policy::PolicyName("nowhere".to_owned())),
        ..deploy(WEB)
    };
    let status = workloads.deploy(named).await.unwrap_err();
    assert!(status.code() == Code::NotFound && status.message().contains("nowhere"), "{status}");

    let scale =
        |replicas| v1::ScaleWorkloadRequest { name: "web".to_owned(), replicas, ..Default::default() };
    for (replicas, code) in
        [(-1, Code::InvalidArgument), (1_000_001, Code::InvalidArgument), (5, Code::NotFound)]
    {
        assert_eq!(workloads.scale_workload(scale(replicas)).await.unwrap_err().code(), code);
    }
    let nowhere = v1::ListWorkloadsRequest { namespace: "Nowhere".to_owned(), ..Default::default() };
    let status = workloads.list_workloads(nowhere).await.unwrap_err();
    assert!(status.message().starts_with("namespace: "), "{status}");
    let list = v1::ListWorkloadsRequest { page_token: "x".to_owned(), ..Default::default() };
    let status = workloads.list_workloads(list).await.unwrap_err();
    assert!(status.message().starts_with("page_token: "), "{status}");

    let mut policies = PolicyServiceClient::new(operator.clone());
    let status = policies.apply_policy(v1::ApplyPolicyRequest::default()).await.unwrap_err();
    assert!(status.message().starts_with("policy: it is missing"), "{status}");
    let mut clusters = ClusterServiceClient::new(operator.clone());
    let status = clusters.get_cluster(v1::GetClusterRequest { name: "East".to_owned() }).await.unwrap_err();
    assert!(status.message().starts_with("name: cluster name \"East\""), "{status}");
    let delete = v1::DeleteClusterRequest { name: "east".to_owned(), force: true };
    assert_eq!(clusters.delete_cluster(delete).await.unwrap_err().code(), Code::NotFound);
    let mut migrations = MigrationServiceClient::new(operator);
    let status = migrations.get_migration(v1::GetMigrationRequest { id: "12".to_owned() }).await.unwrap_err();
    assert!(status.message().contains("m-12"), "{status}");
    assert_eq!(federation.workload("web").await.unwrap_err().code(), Code::NotFound);
}

#[tokio::test]
async fn an_agent_that_breaks_the_protocol_is_told_so() {
    let federation = Federation::start(&["east"]);
    let bad_hello = v1::Hello { cluster_uid: vec![1, 2, 3], ..v1::Hello::default() };
    let first = [
        (UpWire::Heartbeat(v1::Heartbeat {}), "must be a hello"),
        (UpWire::Hello(bad_hello), "hello"),
        (UpWire::Report(v1::Report { removed: vec![vec![0; 5]], ..v1::Report::default() }), "removed"),
    ];
    for (message, says) in first {
        let mut agent = Agent::dial(&federation, "east").await.unwrap();
        agent.say_raw(v1::AttachRequest { message: Some(message) }).await;
        is_refused(&mut agent, says).await;
    }
    for (message, says) in [
        (v1::AttachRequest { message: None }, "message"),
        (
            v1::AttachRequest {
                message: Some(UpWire::Report(v1::Report {
                    removed: vec![vec![0; 5]],
                    ..v1::Report::default()
                })),
            },
            "report.removed[0]",
        ),
        (godwit_proto::agent::up_to_wire(&Up::Hello(hello("east"))).remove(0), "hello"),
    ] {
        let mut agent = Agent::dial(&federation, "east").await.unwrap();
        agent.say(Up::Hello(hello("east"))).await;
        assert!(matches!(agent.hear().await, Some(Down::Welcome(_))));
        agent.say_raw(message).await;
        is_refused(&mut agent, says).await;
    }
    lives(&federation).await;
}

#[tokio::test]
async fn a_message_that_is_too_large_ends_its_session_only() {
    let federation = Federation::start(&["east", "west"]);
    let mut west = Agent::attach(&federation, "west").await;
    let mut east = Agent::dial(&federation, "east").await.unwrap();
    east.say(Up::Hello(hello("east"))).await;
    assert!(matches!(east.hear().await, Some(Down::Welcome(_))));
    let removed = vec![vec![0; 5 << 20]];
    let report = UpWire::Report(v1::Report { removed, ..v1::Report::default() });
    east.say_raw(v1::AttachRequest { message: Some(report) }).await;
    is_refused(&mut east, "message").await;
    crate::deploying::wait_for_clusters(&federation, 1).await;
    WorkloadServiceClient::new(federation.operator().await).deploy(deploy(WEB)).await.unwrap();
    west.run_until(|agent| agent.replicas("web") == Some(10)).await;
}

async fn is_refused(agent: &mut Agent, says: &str) {
    match agent.hear().await {
        Some(Down::Refusal(refusal)) => {
            assert_eq!(refusal.code, RefusalCode::Protocol);
            assert!(refusal.message.contains(says), "{says:?} is not in {:?}", refusal.message);
        }
        other => panic!("no refusal with {says:?} but {other:?}"),
    }
    assert_eq!(agent.hear().await, None);
}

async fn lives(federation: &Federation) {
    let status = federation.workload("nothing").await.expect_err("there is none");
    assert_eq!(status.code(), Code::NotFound);
}
