//! The hub stops, by accident or on purpose: nothing moves, and nothing is forgotten (S1, S5, S10).

use std::collections::BTreeMap;

use godwit_proto::v1;
use tonic::Code;

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

const NAMES: [&str; 3] = ["alpha", "bravo", "charlie"];
const SHARES: [(&str, u32); 3] = [("alpha", 20), ("bravo", 40), ("charlie", 40)];

async fn run_a_hundred(federation: &Federation) {
    let weighted = policy("weighted", &[("alpha", 1), ("bravo", 2), ("charlie", 2)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    federation.deploy(&Deployment::new("web", 100).policy("weighted")).await;
    federation.settles("web", &SHARES).await;
}

/// What the members themselves have: (uid, generation, resourceVersion) of each Deployment, once its rollout is over and
/// its status changes no more by itself.
async fn objects(federation: &Federation) -> BTreeMap<String, [String; 3]> {
    let mut objects = BTreeMap::new();
    for cluster in federation.clusters() {
        let what = format!("the rollout in {} to be over", cluster.name());
        let row = wait_for(&what, async || {
            let deployment = cluster.deployment("web").await.ok_or("there is no Deployment")?;
            let conditions = deployment.status.iter().flat_map(|status| status.conditions.iter().flatten());
            let reasons: Vec<&str> = conditions.filter_map(|condition| condition.reason.as_deref()).collect();
            if !reasons.contains(&"NewReplicaSetAvailable") || !reasons.contains(&"MinimumReplicasAvailable")
            {
                return Err(format!("{reasons:?}"));
            }
            let metadata = deployment.metadata;
            let generation = metadata.generation.unwrap().to_string();
            Ok([metadata.uid.unwrap(), generation, metadata.resource_version.unwrap()])
        });
        objects.insert(cluster.name().to_owned(), row.await);
    }
    objects
}

/// Every cluster is Ready again, and has accepted what this hub sent it.
async fn all_are_back(federation: &Federation) {
    for name in NAMES {
        wait_for(&format!("{name} to hold its targets"), async || {
            let cluster = federation.admin.cluster(name).await.map_err(|error| error.to_string())?;
            let holds = cluster.state == "Ready" && cluster.accepted_generation == cluster.generation;
            if holds { Ok(()) } else { Err(format!("{cluster:?}")) }
        })
        .await;
    }
    federation.settles("web", &SHARES).await;
}

async fn assert_nothing_moved(federation: &Federation, before: &BTreeMap<String, [String; 3]>) {
    assert_eq!(&objects(federation).await, before, "no object in any cluster was touched");
    assert_eq!(federation.admin.migrations().await.unwrap(), []);
    let events = federation.admin.events().await.unwrap();
    let lost = events.iter().find(|event| ["ClusterLost", "FailoverFrozen"].contains(&event.reason.as_str()));
    assert_eq!(lost, None);
}

#[tokio::test]
async fn kill_and_restart_changes_no_target() {
    let mut federation = Federation::of(&NAMES).await;
    run_a_hundred(&federation).await;
    let (before, epoch) = (objects(&federation).await, federation.admin.federation().await.unwrap().epoch);

    federation.kill_hub().await;
    federation.restart_hub().await;
    all_are_back(&federation).await;
    let after = federation.admin.federation().await.unwrap();
    assert!(after.epoch > epoch, "epoch {epoch} became {}", after.epoch);
    assert_nothing_moved(&federation, &before).await;

    // It is in command: the next change arrives.
    federation.admin.scale("web", 105).await.unwrap();
    federation.settles("web", &[("alpha", 21), ("bravo", 42), ("charlie", 42)]).await;
}

#[tokio::test]
async fn a_graceful_stop_and_restart_moves_nothing() {
    let mut federation = Federation::of(&NAMES).await;
    run_a_hundred(&federation).await;
    let before = objects(&federation).await;

    let status = federation.stop_hub().await;
    assert!(status.success(), "{status}");
    for name in NAMES {
        // The hub's last word was on its way when it ended.
        wait_for(&format!("{name} to be told"), async || {
            let log = federation.cluster(name).agent(0).output();
            if log.contains("goodbye") { Ok(()) } else { Err(log) }
        })
        .await;
    }
    federation.restart_hub().await;
    all_are_back(&federation).await;
    assert_nothing_moved(&federation, &before).await;
}

/// S5: who does not come back is given the whole startup window, and is lost after it.
#[tokio::test]
async fn a_cluster_that_stays_away_is_lost_after_the_startup_window() {
    let builder = Builder::new(&NAMES).hasty();
    let mut federation = builder.start().await;
    run_a_hundred(&federation).await;

    federation.kill_hub().await;
    federation.cluster_mut("charlie").kill();
    federation.restart_hub().await;
    let unseen = federation.admin.cluster("charlie").await.unwrap();
    assert_eq!((unseen.state.as_str(), unseen.agents), ("Unknown", 0));
    let lost = federation.event("ClusterLost", "charlie").await;
    let started = federation.event("HubStarted", "").await;
    let waited = lost.time.unwrap().seconds - started.time.unwrap().seconds;
    assert!(waited >= 14, "lost {waited} s after the start, and the window is 15 s");
    federation.settles("web", &[("alpha", 33), ("bravo", 67)]).await;
}

#[tokio::test]
async fn the_same_request_gets_the_same_answer_across_a_restart() {
    let mut federation = Federation::of(&["alpha", "bravo"]).await;
    let request =
        v1::DeployRequest { request_id: "release-7".to_owned(), ..Deployment::new("web", 10).request() };
    let first = federation.admin.deploy(request.clone()).await.unwrap();
    assert_eq!(first.workloads[0].action, "created");
    federation.settles("web", &[("alpha", 5), ("bravo", 5)]).await;
    // The total has moved on meanwhile: sending the request again must not bring the old one back.
    federation.admin.scale("web", 20).await.unwrap();
    let remembered = without_plans(first);
    assert_eq!(federation.admin.deploy(request.clone()).await.unwrap(), remembered);

    federation.kill_hub().await;
    federation.restart_hub().await;
    assert_eq!(federation.admin.deploy(request.clone()).await.unwrap(), remembered);
    assert_eq!(federation.admin.workload("web").await.unwrap().replicas, 20);

    let other = v1::DeployRequest { replicas: Some(11), ..request };
    let refused = federation.admin.deploy(other).await.unwrap_err();
    assert_eq!(refused.code(), Code::AlreadyExists, "{refused:?}");
    assert!(refused.message().contains("release-7"), "{refused:?}");
}

/// An answer as the hub remembers it: what it said about plans is given once.
fn without_plans(mut answer: v1::DeployResponse) -> v1::DeployResponse {
    (answer.changes, answer.changes_total) = (Vec::new(), 0);
    answer.workloads.iter_mut().for_each(|workload| workload.report.clear());
    answer
}
