//! Only the agent is lost: its cluster runs on unseen. On return nothing is lost and nothing is deleted (S8, S11, S12,
//! S20, S27).

use std::collections::BTreeSet;
use std::time::Duration;

use godwit_proto::v1;
use k8s_openapi::api::core::v1::Pod;
use kube::api::{Api, ListParams, Patch, PatchParams};
use serde_json::json;
use tokio::task::JoinHandle;

use crate::harness::{Deployment, Federation, Witness, policy, ready, wait_for, wanted};

#[tokio::test]
async fn surplus_goes_only_while_the_rest_suffices() {
    let mut federation = Federation::hasty(&["alpha", "bravo", "charlie"]).await;
    let weighted = policy("weighted", &[("alpha", 1), ("bravo", 2), ("charlie", 2)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    federation.deploy(&Deployment::new("web", 100).policy("weighted")).await;
    federation.settles("web", &[("alpha", 20), ("bravo", 40), ("charlie", 40)]).await;
    let witness = Witness::start(federation.clusters(), "web").await;

    federation.cluster_mut("alpha").kill_agent(0);
    let away = federation.settles("web", &[("bravo", 50), ("charlie", 50)]).await;
    assert_eq!((away.pending, away.possible_over_run), (0, 20), "both copies may run, and the hub says so");
    let unseen = federation.cluster("alpha").deployment("web").await.unwrap();
    assert_eq!(
        (wanted(&unseen), ready(&unseen)),
        (20, 20),
        "nothing stops in a cluster that cannot be reached"
    );
    let gone = away.placements.iter().find(|placement| placement.cluster == "alpha").unwrap();
    assert!(!gone.live, "{gone:?}");

    federation.cluster_mut("alpha").start_agent(0);
    federation.cluster_is("alpha", "Ready").await;
    let back = wait_for("alpha's surplus to be gone", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let alpha = workload.placements.iter().find(|placement| placement.cluster == "alpha").unwrap();
        let stopped = alpha.live && alpha.sent == 0 && alpha.observed == 0;
        if stopped { Ok(workload.clone()) } else { Err(format!("{workload:?}")) }
    })
    .await;
    assert_eq!((back.ready, back.pending, back.possible_over_run), (100, 0, 0));
    federation.settles("web", &[("bravo", 50), ("charlie", 50)]).await;

    let returning = federation.event("ClusterReturning", "alpha").await;
    let returned = federation.event("ClusterReturned", "alpha").await;
    assert_eq!((returning.rule.as_str(), returned.rule.as_str()), ("S11", "S12"));
    assert!(returning.sequence < returned.sequence, "inventory first");

    assert!(witness.least().ready >= 100, "{}", witness.least());
    for cluster in federation.clusters() {
        let seen = witness.in_cluster(cluster.name());
        assert!(!seen.deleted, "{}: {seen:?}", cluster.name());
    }
    // The Deployment stays, with no replicas.
    let alpha = witness.until("alpha", 0).await;
    assert!(alpha.replicas.is_sorted_by(|before, after| before > after), "{:?}", alpha.replicas);
}

/// The cluster is back before its replacements are ready: until they are, its own copies are needed.
#[tokio::test]
async fn an_early_return_stops_nothing_that_is_needed() {
    let mut federation = Federation::hasty(&["alpha", "bravo", "charlie"]).await;
    federation.admin.deploy(gated("web", 30)).await.unwrap();
    let open = Doors::open(&federation);
    federation.settles("web", &[("alpha", 10), ("bravo", 10), ("charlie", 10)]).await;
    drop(open);
    let witness = Witness::start(federation.clusters(), "web").await;

    federation.cluster_mut("alpha").kill_agent(0);
    federation.event("ClusterLost", "alpha").await;
    wait_for("the replacements to be there", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let others = workload.placements.iter().filter(|row| row.cluster != "alpha");
        let there = others.map(|row| row.observed).sum::<u32>() == 30;
        if there { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;
    federation.cluster_mut("alpha").start_agent(0);
    federation.event("ClusterReturned", "alpha").await;
    wait_for("alpha's to count, and no replacement yet", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let ready: Vec<u32> = workload.placements.iter().map(|row| row.ready).collect();
        if ready == [10; 3] { Ok(()) } else { Err(format!("{workload:?}")) }
    })
    .await;

    let open = Doors::open(&federation);
    let settled = wait_for("web to settle", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rows = || workload.placements.iter();
        let settled = workload.ready == 30 && rows().all(|row| row.live && row.observed == row.target);
        if settled { Ok(workload) } else { Err(format!("{workload:?}")) }
    })
    .await;
    drop(open);
    assert_eq!((settled.pending, settled.possible_over_run), (0, 0));
    assert!(witness.least().ready >= 30, "{}", witness.least());
    for cluster in federation.clusters() {
        assert!(!witness.in_cluster(cluster.name()).deleted, "{}", cluster.name());
    }
}

/// What a pod of [`gated`] waits for before it is ready.
const GATE: &str = "example.com/open";

/// A Deployment whose pods are ready on the test's word alone.
fn gated(name: &str, replicas: u32) -> v1::DeployRequest {
    let gate = format!("    spec:\n      readinessGates: [{{conditionType: {GATE}}}]\n");
    let manifests = Deployment::new(name, replicas).yaml().replacen("    spec:\n", &gate, 1);
    v1::DeployRequest { manifests, ..v1::DeployRequest::default() }
}

/// As long as it is held, every pod may be ready.
struct Doors(Vec<JoinHandle<()>>);

impl Doors {
    fn open(federation: &Federation) -> Self {
        Self(federation.clusters().map(|cluster| tokio::spawn(opens(cluster.api()))).collect())
    }
}

impl Drop for Doors {
    fn drop(&mut self) {
        self.0.iter().for_each(JoinHandle::abort);
    }
}

async fn opens(pods: Api<Pod>) {
    let mut done = BTreeSet::new();
    loop {
        for pod in pods.list(&ListParams::default()).await.unwrap().items {
            let (name, uid) = (pod.metadata.name.unwrap(), pod.metadata.uid.unwrap());
            let open = json!({ "status": { "conditions": [{ "type": GATE, "status": "True" }] } });
            // It may be gone by now.
            if !done.contains(&uid)
                && pods.patch_status(&name, &PatchParams::default(), &Patch::Strategic(open)).await.is_ok()
            {
                done.insert(uid);
            }
        }
        tokio::time::sleep(Duration::from_millis(50)).await;
    }
}
