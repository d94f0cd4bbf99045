//! Starts, stops, crashes, and stores that cannot be used.

use std::process::Output;
use std::time::Duration;

use godwit_common::link::Down;
use godwit_proto::v1;
use godwit_proto::v1::federation_service_client::FederationServiceClient;
use godwit_proto::v1::workload_service_client::WorkloadServiceClient;

use crate::agent::Agent;
use crate::deploying::{events, wait_for_clusters, without_plans};
use crate::federation::{Federation, PATIENCE, WEB, deploy};

#[tokio::test]
async fn a_kill_loses_nothing() {
    let mut federation = Federation::start(&["east"]);
    let mut agent = Agent::attach(&federation, "east").await;
    wait_for_clusters(&federation, 1).await;
    let before = whole(&federation).await;
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let request = v1::DeployRequest { request_id: "once".to_owned(), ..deploy(WEB) };
    let answer = client.deploy(request.clone()).await.unwrap().into_inner();
    agent.run_until(|agent| agent.replicas("web") == Some(10)).await;
    let known = federation.workload_when("web", |workload| workload.ready == 10).await;
    federation.kill_hub();
    drop(agent);

    federation.start_hub();
    let after = whole(&federation).await;
    assert_eq!(after.uid, before.uid);
    assert!(after.epoch > before.epoch, "{after:?}");
    let workload = federation.workload("web").await.unwrap();
    assert_eq!((&workload.uid, workload.replicas, workload.revision), (&known.uid, 10, known.revision));
    assert_eq!(workload.placements[0].target, 10);
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    assert_eq!(client.deploy(request).await.unwrap().into_inner(), without_plans(answer));
    assert!(events(&federation).await.contains(&"Deployed".to_owned()));

    let mut agent = Agent::attach(&federation, "east").await;
    agent.run_until(|agent| agent.replicas("web") == Some(10)).await;
    assert_eq!(agent.workloads.keys().next().unwrap().to_string(), workload.uid);
}

#[tokio::test]
async fn every_acknowledged_deployment_survives_a_kill() {
    let mut federation = Federation::start(&[]);
    let connection = federation.operator().await;
    let writing = tokio::spawn(async move {
        let mut client = WorkloadServiceClient::new(connection);
        let mut acknowledged = 0;
        loop {
            let manifests = WEB.replace("name: web", &format!("name: web-{acknowledged}"));
            match client.deploy(deploy(&manifests)).await {
                Ok(_) => acknowledged += 1,
                Err(_) => return acknowledged,
            }
        }
    });
    let written = async {
        while federation.workload("web-20").await.is_err() {
            tokio::time::sleep(Duration::from_millis(10)).await;
        }
    };
    tokio::time::timeout(PATIENCE, written).await.expect("they are written");
    federation.kill_hub();
    let acknowledged: usize = writing.await.unwrap();
    federation.start_hub();
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let list = v1::ListWorkloadsRequest { page_size: 1_000, ..Default::default() };
    let found = client.list_workloads(list).await.unwrap().into_inner().items.len();
    // The last one may have been written without its answer having left.
    assert!(found == acknowledged || found == acknowledged + 1, "{acknowledged} acknowledged, {found} found");
}

#[tokio::test]
async fn a_full_disk_ends_the_hub_and_loses_nothing_that_was_acknowledged() {
    let mut federation = Federation::stopped(&[]);
    // The limit stands for the disk: writes beyond it fail, once the signal is out of the way.
    federation.start_hub_by("trap '' XFSZ; ulimit -f 6000; exec \"$0\"");
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let data = format!("data: {{a: {}}}", "x".repeat(100_000));
    let mut acknowledged = 0;
    let refused = loop {
        let name = format!("name: web-{acknowledged}");
        let manifests = WEB.replace("name: web", &name).replace("data: {a: b}", &data);
        match client.deploy(deploy(&manifests)).await {
            Ok(_) => acknowledged += 1,
            Err(status) => break status,
        }
    };
    assert_eq!(refused.code(), tonic::Code::Unavailable, "{refused}");
    assert_eq!(federation.wait_for_end().await.code(), Some(1));
    federation.start_hub();
    let mut client = WorkloadServiceClient::new(federation.operator().await);
    let list = v1::ListWorkloadsRequest { page_size: 1_000, ..Default::default() };
    let found = client.list_workloads(list).await.unwrap().into_inner().items.len();
    assert!(acknowledged > 0 && found == acknowledged, "{acknowledged} acknowledged, {found} found");
}

#[tokio::test]
async fn a_stop_says_goodbye_and_moves_nothing() {
    let mut federation = Federation::start(&["east", "west"]);
    let agents = [Agent::attach(&federation, "east").await, Agent::attach(&federation, "west").await]
        .map(Agent::keep_running);
    wait_for_clusters(&federation, 2).await;
    WorkloadServiceClient::new(federation.operator().await).deploy(deploy(WEB)).await.unwrap();
    federation.workload_when("web", |workload| workload.ready == 10).await;
    // Neither a silent connection nor a session without a hello holds the stop up.
    let _silent = tokio::net::TcpStream::connect(federation.address()).await.unwrap();
    let _mute = Agent::dial(&federation, "east").await.unwrap();
    assert!(federation.stop_hub().await.success());
    for agent in agents {
        let last = tokio::time::timeout(PATIENCE, agent).await.unwrap().unwrap();
        assert!(matches!(last, Some(Down::Goodbye { .. })), "{last:?}");
    }
    federation.start_hub();
    let placements = federation.workload("web").await.unwrap().placements;
    assert!(placements.iter().all(|placement| placement.target == 5), "{placements:?}");
    let reasons = events(&federation).await;
    let doubted = |reason: &String| ["ClusterLost", "ClusterSuspect"].contains(&reason.as_str());
    assert!(!reasons.iter().any(doubted), "{reasons:?}");
}

#[test]
fn a_second_hub_on_the_same_store_is_told_so() {
    let federation = Federation::start(&[]);
    let output = federation.command().output().unwrap();
    assert!(ended_saying(1, &output, "is in use by another process"), "{output:?}");
}

#[test]
fn a_damaged_store_is_refused_by_name() {
    let mut federation = Federation::start(&[]);
    federation.kill_hub();
    let file = federation.data().join("hub.redb");
    let mut bytes = std::fs::read(&file).unwrap();
    // The pages of the tables, all of them: what is damaged is not only free space.
    for byte in bytes.iter_mut().skip(4096) {
        *byte ^= 0x55;
    }
    std::fs::write(&file, &bytes).unwrap();
    let output = federation.command().output().unwrap();
    assert!(
        ended_saying(1, &output, "hub.redb is damaged") && ended_saying(1, &output, "restore a backup"),
        "{output:?}"
    );

    std::fs::write(&file, &bytes[..1000]).unwrap();
    let output = federation.command().output().unwrap();
    assert!(ended_saying(1, &output, "hub.redb is damaged"), "{output:?}");
}

#[test]
fn mistakes_in_the_configuration_end_it_before_anything_is_opened() {
    let federation = Federation::stopped(&[]);
    let run = |more: &[&str]| federation.command().args(more).output().unwrap();
    let output = run(&["--set", "federation.hartbeat=1s", "--log-format", "xml"]);
    assert!(ended_saying(2, &output, "federation.hartbeat = \"1s\" (from --set)"), "{output:?}");
    assert!(ended_saying(2, &output, "log.format = \"xml\" (from --log-format)"), "{output:?}");
    let output = run(&["--tls-key", "/nowhere.key"]);
    assert!(ended_saying(1, &output, "/nowhere.key"), "{output:?}");
    assert_eq!(run(&["--no-such-flag"]).status.code(), Some(2));
    assert!(!federation.data().exists());

    let output = run(&["--check-config"]);
    assert!(output.status.success(), "{output:?}");
    let output = run(&["--print-config"]);
    let printed = String::from_utf8(output.stdout).unwrap();
    assert!(
        printed.contains("federation.heartbeat = \"10s\"  # GODWIT_HUB_FEDERATION__HEARTBEAT"),
        "{printed}"
    );
    assert!(!federation.data().exists());
}

#[test]
fn a_taken_port_is_named() {
    let federation = Federation::start(&[]);
    let other = Federation::stopped(&[]);
    let address = federation.address().to_string();
    let output = other.command().args(["--listen", &address]).output().unwrap();
    assert!(ended_saying(1, &output, &format!("listen = {address:?} cannot be bound")), "{output:?}");
}

#[test]
fn a_hub_ends_with_whoever_started_it() {
    use std::io::{BufRead, BufReader};
    let federation = Federation::stopped(&[]);
    let ready = federation.folder.path().join("ready");
    let mut command = federation.command();
    command.arg("--exit-with-stdin").arg("--ready-file").arg(&ready).stdin(std::process::Stdio::piped());
    let mut hub = command.spawn().unwrap();
    let mut line = String::new();
    BufReader::new(hub.stdout.take().unwrap()).read_line(&mut line).unwrap();
    let written = std::fs::read_to_string(&ready).unwrap();
    assert_eq!(line, format!("godwit-hub ready {written}"));
    drop(hub.stdin.take());
    assert!(hub.wait().unwrap().success());
}

pub(crate) async fn whole(federation: &Federation) -> v1::Federation {
    let mut client = FederationServiceClient::new(federation.operator().await);
    let answer = client.get_federation(v1::GetFederationRequest {}).await.expect("an answer");
    answer.into_inner().federation.expect("a federation")
}

fn ended_saying(status: i32, output: &Output, words: &str) -> bool {
    let said = String::from_utf8_lossy(&output.stderr);
    output.status.code() == Some(status) && said.contains(words) && !said.contains("panicked at hub")
}
