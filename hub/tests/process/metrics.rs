//! Metrics, as a scraper gets them from a hub that works.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::time::Duration;

use godwit_proto::v1::workload_service_client::WorkloadServiceClient;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::TcpStream;

use crate::agent::Agent;
use crate::deploying::wait_for_clusters;
use crate::federation::{Federation, PATIENCE, WEB, deploy};

#[tokio::test]
async fn a_scrape_shows_what_the_hub_knows() {
    let (federation, metrics) = measured(&["east", "west"]);
    let before = values(metrics).await;
    let frozen = before["godwit_failover_frozen"];
    assert_eq!((before["godwit_workloads"], before["godwit_clusters{state=\"Ready\"}"], frozen), (0, 0, 0));
    let version = format!("godwit_build_info{{version=\"{}\"}}", env!("CARGO_PKG_VERSION"));
    assert_eq!((before["godwit_hub_epoch"], before[&version]), (1, 1));

    let east = Agent::attach(&federation, "east").await.keep_running();
    let _west = Agent::attach(&federation, "west").await.keep_running();
    wait_for_clusters(&federation, 2).await;
    WorkloadServiceClient::new(federation.operator().await).deploy(deploy(WEB)).await.unwrap();
    let ready = values_when(metrics, |values| values["godwit_replicas_ready"] == 10).await;
    for (name, value) in [
        ("godwit_clusters{state=\"Ready\"}", 2),
        ("godwit_clusters{state=\"Lost\"}", 0),
        ("godwit_agents_connected", 2),
        ("godwit_workloads", 1),
        ("godwit_replicas_wanted", 10),
        ("godwit_replicas_placed", 10),
        ("godwit_replicas_pending", 0),
        ("godwit_possible_over_run_replicas", 0),
        ("godwit_drifted_placements", 0),
        ("godwit_removals_held", 0),
        ("godwit_orphans", 0),
        ("godwit_migrations{state=\"Running\"}", 0),
    ] {
        assert_eq!(ready[name], value, "{name}");
    }

    east.abort();
    let away = values_when(metrics, |values| values["godwit_agents_connected"] == 1).await;
    assert_eq!(away["godwit_clusters{state=\"Ready\"}"], 1);
    assert_eq!((away["godwit_replicas_ready"], away["godwit_replicas_placed"]), (5, 10));

    let lost = values_when(metrics, |values| values["godwit_loss_recovery_seconds_count"] == 1).await;
    assert_eq!((lost["godwit_clusters{state=\"Lost\"}"], lost["godwit_replicas_ready"]), (1, 10));
    assert_eq!((lost["godwit_loss_detection_seconds_count"], lost["godwit_loss_wave_seconds_count"]), (1, 1));
    assert!(lost["godwit_loss_detection_seconds_sum"] >= 5, "less than lost_after");
}

#[tokio::test]
async fn nothing_but_metrics_and_health_is_served() {
    let (mut federation, metrics) = measured(&[]);
    let page = ask(metrics, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let (head, body) = page.split_once("\r\n\r\n").unwrap();
    assert!(head.starts_with("HTTP/1.1 200 OK"), "{head}");
    let kind = "content-type: text/plain; version=0.0.4; charset=utf-8";
    assert!(head.to_lowercase().lines().any(|line| line == kind), "{head}");
    assert!(body.starts_with("# HELP godwit_"), "{body}");

    for (request, status) in [
        ("GET /metrics?x=1 HTTP/1.0\r\n\r\n", "200"),
        ("GET /livez HTTP/1.1\r\nHost: hub\r\n\r\n", "200"),
        ("GET /readyz HTTP/1.1\r\nHost: hub\r\n\r\n", "200"),
        ("GET / HTTP/1.1\r\nHost: hub\r\n\r\n", "404"),
        ("POST /metrics/ HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\nab", "404"),
        ("POST /metrics HTTP/1.1\r\nHost: hub\r\nContent-Length: 2\r\n\r\nab", "405"),
        ("DELETE /metrics HTTP/1.1\r\nHost: hub\r\n\r\n", "405"),
        ("\u{16}\u{3}\u{1} this is not HTTP\r\n\r\n", "400"),
    ] {
        let answer = ask(metrics, request).await;
        assert_eq!(answer.split(' ').nth(1), Some(status), "{request:?} got {answer:?}");
    }
    let answer =
        ask(metrics, &format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(1 << 16))).await;
    assert!(!answer.contains("godwit_"), "{answer}");
    values(metrics).await;

    // A silent connection does not hold the stop up.
    let _silent = TcpStream::connect(metrics).await.unwrap();
    assert!(federation.stop_hub().await.success());
    assert!(TcpStream::connect(metrics).await.is_err(), "the port is still open");
}

#[test]
fn without_an_address_there_are_none_and_a_wrong_one_is_named() {
    let mut federation = Federation::stopped(&[]);
    let run = |listen: &str| {
        let setting = format!("metrics.listen={listen}");
        let output = federation.command().args(["--set", &setting]).output().unwrap();
        (output.status.code(), String::from_utf8(output.stderr).unwrap())
    };
    let (status, said) = run("localhost:9464");
    assert_eq!(status, Some(2));
    assert!(said.contains("metrics.listen = \"localhost:9464\" (from --set): it must be"), "{said}");
    let taken = std::net::TcpListener::bind("127.0.0.1:0").unwrap();
    let address = taken.local_addr().unwrap().to_string();
    let (status, said) = run(&address);
    assert_eq!(status, Some(1));
    assert!(said.contains(&format!("metrics.listen = {address:?} cannot be bound")), "{said}");
    assert!(!federation.data().exists(), "it is bound before anything is opened");

    federation.start_hub_logged(&[]);
    assert!(!federation.log().contains("serving metrics"));
}

/// A hub that serves metrics, and where.
fn measured(clusters: &[&str]) -> (Federation, SocketAddr) {
    let mut federation = Federation::stopped(clusters);
    federation.start_hub_logged(&[
        ("METRICS__LISTEN", "127.0.0.1:0"),
        ("FEDERATION__HEARTBEAT", "1s"),
        ("FEDERATION__LOST_AFTER", "5s"),
    ]);
    let log = federation.log();
    let line = log.lines().find(|line| line.contains("serving metrics")).expect("the address is logged");
    let address = line.split("address=").nth(1).and_then(|rest| rest.split(' ').next());
    let address = address.and_then(|address| address.parse().ok()).expect("an address");
    (federation, address)
}

/// Every series and its value, in whole numbers.
async fn values(metrics: SocketAddr) -> BTreeMap<String, u64> {
    let page = ask(metrics, "GET /metrics HTTP/1.1\r\nHost: hub\r\n\r\n").await;
    let (_, body) = page.split_once("\r\n\r\n").expect("a body");
    let series = body.lines().filter(|line| !line.starts_with('#'));
    let value = |line: &str| {
        let (name, value) = line.rsplit_once(' ').expect("a name and a value");
        let value: f64 = value.parse().expect("a number");
        (name.to_owned(), value as u64)
    };
    series.map(value).collect()
}

/// Scrapes until the values are as wanted.
async fn values_when(
    metrics: SocketAddr,
    wanted: impl Fn(&BTreeMap<String, u64>) -> bool,
) -> BTreeMap<String, u64> {
    let waiting = async {
        loop {
            let values = values(metrics).await;
            if wanted(&values) {
                return values;
            }
            tokio::time::sleep(Duration::from_millis(20)).await;
        }
    };
    tokio::time::timeout(PATIENCE, waiting).await.expect("the values come in time")
}

/// Sends bytes and takes what comes back until the hub closes, which it does after one answer.
async fn ask(metrics: SocketAddr, request: &str) -> String {
    let asking = async {
        let mut stream = TcpStream::connect(metrics).await.expect("a connection");
        // The hub may refuse the first of it before it has the last.
        let _ = stream.write_all(request.as_bytes()).await;
        let mut answer = Vec::new();
        let _ = stream.read_to_end(&mut answer).await;
        String::from_utf8(answer).expect("text")
    };
    tokio::time::timeout(PATIENCE, asking).await.expect("an answer in time")
}
