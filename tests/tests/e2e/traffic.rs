//! A router follows WatchPlacements and sends calls where it says, through a drain under the traffic gate `ack` (S20).
//!
//! Whether a call succeeds is decided by the members' own pods: a router that keeps N replicas of a cluster in its table
//! has a call fail when fewer than N are ready there at that moment.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use godwit_proto::v1;
use godwit_proto::v1::placement_service_client::PlacementServiceClient;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams};
use tokio::sync::{Mutex, RwLock};
use tokio::task::JoinHandle;

use crate::harness::{Admin, Builder, Deployment, Federation, is_ready, policy, wait_for};

const NAMES: [&str; 3] = ["alpha", "bravo", "charlie"];
const WANTED: u32 = 12;
/// A router takes its time to act on what it hears.
const SLOW: Duration = Duration::from_millis(400);

async fn federation(gate: &str) -> Federation {
    let federation = Builder::new(&NAMES).settings(&[("federation.min_ready", "1s")]).start().await;
    let mut gated = policy("gated", &NAMES.map(|name| (name, 1)));
    gated.spec.as_mut().unwrap().traffic_gate = Some(v1::TrafficGate { mode: gate.to_owned(), delay: None });
    federation.admin.apply_policy(gated).await.unwrap();
    federation.deploy(&Deployment::new("web", WANTED).policy("gated")).await;
    federation.settles("web", &NAMES.map(|name| (name, WANTED / 3))).await;
    federation
}

/// How many replicas of each cluster traffic is sent to. Whoever calls holds it for reading as long as the call lasts, so
/// that who changes it knows that nobody goes by the old one any more.
type Table = Arc<RwLock<BTreeMap<String, u32>>>;

/// Follows the hub, and says so when it has routed traffic away.
struct Router {
    table: Table,
    /// Whoever holds it keeps the router from changing the table.
    turn: Arc<Mutex<()>>,
    /// How often it said so, and how often the hub wanted to hear it.
    acknowledged: Arc<AtomicU64>,
    task: JoinHandle<()>,
}

impl Router {
    async fn begin(federation: &Federation) -> Self {
        let (table, turn) = (Table::default(), Arc::default());
        let acknowledged = Arc::new(AtomicU64::new(0));
        let admin = federation.client(&federation.certificates.admin);
        let following = follow(admin, Arc::clone(&table), Arc::clone(&turn), Arc::clone(&acknowledged));
        let task = tokio::spawn(following);
        let router = Self { table, turn, acknowledged, task };
        wait_for("the router to know where web is", async || {
            let table = router.table.read().await;
            let all = table.values().sum::<u32>() == WANTED;
            if all { Ok(()) } else { Err(format!("{table:?}")) }
        })
        .await;
        router
    }

    fn acknowledged(&self) -> u64 {
        assert!(!self.task.is_finished(), "the router has ended");
        self.acknowledged.load(Ordering::Relaxed)
    }
}

impl Drop for Router {
    fn drop(&mut self) {
        self.task.abort();
    }
}

/// One watch after the other: the hub may restart in between.
async fn follow(admin: Admin, table: Table, turn: Arc<Mutex<()>>, acknowledged: Arc<AtomicU64>) {
    loop {
        if let Ok(connection) = admin.dial().await {
            let mut client = PlacementServiceClient::new(connection);
            let request = v1::WatchPlacementsRequest { name: "web".to_owned(), ..Default::default() };
            if let Ok(watch) = client.watch_placements(request).await {
                let mut watch = watch.into_inner();
                while let Ok(Some(change)) = watch.message().await {
                    let Some(workload) = change.workload else { continue };
                    assert!(!change.removed, "web is not deleted");
                    tokio::time::sleep(SLOW).await;
                    drop(turn.lock().await);
                    route(&mut client, &table, &workload, &acknowledged).await;
                }
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}

async fn route(
    client: &mut PlacementServiceClient<godwit_rt::dial::Connection>,
    table: &Table,
    workload: &v1::WorkloadPlacements,
    acknowledged: &AtomicU64,
) {
    let mut routes = table.write().await;
    for cluster in &workload.clusters {
        // What the hub does not hear of right now is where it was.
        if cluster.live || cluster.lost {
            routes.insert(cluster.cluster.clone(), cluster.serving_replicas);
        }
    }
    let listed = |name: &String| workload.clusters.iter().any(|cluster| cluster.cluster == *name);
    routes.retain(|name, _| listed(name));
    // From here on nobody goes by the old table.
    drop(routes);
    for cluster in &workload.clusters {
        let Some(withdrawal) = &cluster.withdrawal else { continue };
        let request = v1::AcknowledgePlacementsRequest {
            name: workload.name.clone(),
            cluster: cluster.cluster.clone(),
            revision: withdrawal.revision.clone(),
            ..Default::default()
        };
        // It may be over by now, or the hub may be away: then the hub asks again.
        if client.acknowledge_placements(request).await.is_ok() {
            acknowledged.fetch_add(1, Ordering::Relaxed);
        }
    }
}

/// Whoever calls web, all the time, in every cluster that the router names.
struct Callers {
    calls: Arc<AtomicU64>,
    failed: Arc<AtomicU64>,
    tasks: Vec<JoinHandle<()>>,
}

impl Callers {
    fn begin(federation: &Federation, router: &Router) -> Self {
        let (calls, failed) = (Arc::new(AtomicU64::new(0)), Arc::new(AtomicU64::new(0)));
        let call = |cluster: &crate::harness::Cluster| {
            let (name, pods) = (cluster.name().to_owned(), cluster.api::<Pod>());
            let (table, calls, failed) = (Arc::clone(&router.table), Arc::clone(&calls), Arc::clone(&failed));
            tokio::spawn(async move {
                loop {
                    let routes = table.read().await;
                    let sent_to = routes.get(&name).copied().unwrap_or(0);
                    if sent_to > 0 {
                        calls.fetch_add(1, Ordering::Relaxed);
                        let there = ready_now(&pods).await;
                        if there < sent_to {
                            eprintln!(
                                "a call to {name} fails: {sent_to} are in the table, {there} are ready"
                            );
                            failed.fetch_add(1, Ordering::Relaxed);
                        }
                    }
                    drop(routes);
                    // A writer of the table waits no longer than one call.
                    tokio::task::yield_now().await;
                    if sent_to == 0 {
                        tokio::time::sleep(Duration::from_millis(10)).await;
                    }
                }
            })
        };
        let tasks = federation.clusters().map(call).collect();
        Self { calls, failed, tasks }
    }

    /// How many calls were made, and how many of them failed.
    fn count(&self) -> (u64, u64) {
        assert!(self.tasks.iter().all(|task| !task.is_finished()), "a caller has ended");
        (self.calls.load(Ordering::Relaxed), self.failed.load(Ordering::Relaxed))
    }
}

impl Drop for Callers {
    fn drop(&mut self) {
        self.tasks.iter().for_each(JoinHandle::abort);
    }
}

/// By the cluster's own API server.
async fn ready_now(pods: &Api<Pod>) -> u32 {
    let labelled = ListParams::default().labels("app=web");
    let found = pods.list(&labelled).await.unwrap().items;
    u32::try_from(found.iter().filter(|pod| is_ready(pod)).count()).unwrap()
}

async fn drain(federation: &Federation, name: &str) {
    let request = v1::DrainClusterRequest { name: name.to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(request).await.unwrap();
}

#[tokio::test]
async fn no_call_fails_through_a_drain_that_waits_for_the_router() {
    let mut federation = federation("ack").await;
    let router = Router::begin(&federation).await;
    let callers = Callers::begin(&federation, &router);
    drain(&federation, "alpha").await;
    wait_for("the first acknowledgement", async || match router.acknowledged() {
        0 => Err("none yet".to_owned()),
        some => Ok(some),
    })
    .await;
    // A hub that starts anew announces anew; the router keeps what it has until it hears better.
    federation.kill_hub().await;
    federation.restart_hub().await;
    federation.cluster_is("alpha", "Drained").await;
    federation.settles("web", &[("bravo", 6), ("charlie", 6)]).await;
    wait_for("the router to send nobody to alpha, and as many as are wanted elsewhere", async || {
        let table = router.table.read().await;
        let told: Vec<u32> = NAMES.iter().map(|name| table.get(*name).copied().unwrap_or(0)).collect();
        if told == [0, 6, 6] { Ok(()) } else { Err(format!("{table:?}")) }
    })
    .await;
    wait_for("calls enough to show something", async || match callers.count() {
        (calls, 0) if calls > 100 => Ok(()),
        (calls, 0) => Err(format!("{calls}")),
        (calls, failed) => panic!("{failed} of {calls} calls failed"),
    })
    .await;
}

/// The same router and the same calls: it is the gate that keeps them from failing.
#[tokio::test]
async fn without_a_gate_calls_fail_that_a_slow_router_still_sends() {
    let federation = federation("none").await;
    let router = Router::begin(&federation).await;
    let callers = Callers::begin(&federation, &router);
    let held = router.turn.lock().await;
    drain(&federation, "alpha").await;
    wait_for("a call to fail", async || match callers.count() {
        (calls, 0) => Err(format!("none of {calls} did")),
        some => Ok(some),
    })
    .await;
    drop(held);
    federation.cluster_is("alpha", "Drained").await;
    assert_eq!(router.acknowledged(), 0, "nobody was asked");
}

#[tokio::test]
async fn an_operator_can_speak_for_the_router() {
    let federation = federation("ack").await;
    drain(&federation, "alpha").await;
    let waiting = "waits for traffic to be routed away: `godwit ack default/deployment/web --cluster alpha`";
    let waits = async || {
        let cluster = federation.admin.cluster("alpha").await.map_err(|error| error.to_string())?;
        let waits = cluster
            .drain
            .as_ref()
            .is_some_and(|drain| drain.waiting.iter().any(|one| one.reason.ends_with(waiting)));
        if waits || cluster.state == "Drained" {
            Ok(cluster.state)
        } else {
            Err(format!("{:?}", cluster.drain))
        }
    };
    wait_for("the drain to wait for the router", waits).await;
    while wait_for("the next step, or the end", waits).await != "Drained" {
        let said = federation.godwit(&["ack", "web", "--cluster", "alpha"]).await;
        let (out, err) = (String::from_utf8_lossy(&said.stdout), String::from_utf8_lossy(&said.stderr));
        match said.status.code() {
            Some(0) => assert!(out.contains(" in cluster alpha ("), "{out}"),
            // It has stopped meanwhile.
            other => {
                assert!(other == Some(1) && err.contains("waits for traffic to be routed away"), "{said:?}")
            }
        }
    }
    federation.settles("web", &[("bravo", 6), ("charlie", 6)]).await;
}
