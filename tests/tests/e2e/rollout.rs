//! A new revision goes over the clusters one after the other, and stops where it fails (S31).

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, AtomicUsize, Ordering};
use std::time::Duration;

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::Deployment as Deployed;

use crate::harness::{Builder, Deployment, Federation, policy, wait_for};

const CLUSTERS: [&str; 3] = ["alpha", "bravo", "charlie"];
/// Between two looks at all clusters; what is under way lasts a second and more.
const PAUSE: Duration = Duration::from_millis(20);

async fn federation(on_failure: &str) -> Federation {
    let federation = Builder::new(&CLUSTERS).settings(&[("federation.min_ready", "1s")]).start().await;
    let mut even = policy("even", &CLUSTERS.map(|name| (name, 1)));
    let rollout = v1::RolloutPolicy { on_failure: on_failure.to_owned(), ..v1::RolloutPolicy::default() };
    even.spec.as_mut().unwrap().rollout = Some(rollout);
    federation.admin.apply_policy(even).await.unwrap();
    federation.deploy(&web("main:1")).await;
    federation.settles("web", &CLUSTERS.map(|name| (name, 3))).await;
    federation
}

fn web(image: &str) -> Deployment<'_> {
    Deployment::new("web", 9).policy("even").image(image)
}

/// What cannot run: its clusters say so soon.
fn bad() -> Deployment<'static> {
    Deployment { deadline: 3, ..web("badimage:1") }
}

/// Waits until the rollout of `web` is in `state`.
async fn rollout_is(federation: &Federation, state: &str) -> v1::Rollout {
    wait_for(&format!("the rollout to be {state}"), async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rollout = workload.rollout.unwrap();
        if rollout.state == state { Ok(rollout) } else { Err(format!("{rollout:?}")) }
    })
    .await
}

/// The image of `web` in a cluster, and whether all of its pods are of it and ready, as its own API server says.
fn looks(deployed: &Deployed) -> (String, bool) {
    let spec = &deployed.spec;
    let image = spec.template.spec.as_ref().unwrap().containers[0].image.clone().unwrap();
    let status = deployed.status.clone().unwrap_or_default();
    let counts = [status.updated_replicas, status.replicas, status.available_replicas];
    let observed = status.observed_generation == deployed.metadata.generation;
    (image, observed && counts == [spec.replicas; 3])
}

async fn images(federation: &Federation) -> Vec<String> {
    let mut images = Vec::new();
    for cluster in federation.clusters() {
        let deployed = cluster.deployment("web").await.unwrap();
        images.push(looks(&deployed).0.rsplit('/').next().unwrap().to_owned());
    }
    images
}

#[tokio::test]
async fn one_cluster_at_a_time_gets_the_new_revision() {
    let federation = federation("stop").await;
    let clusters: Vec<kube::Api<Deployed>> = federation.clusters().map(|cluster| cluster.api()).collect();
    let (most, over) = (Arc::new(AtomicUsize::new(0)), Arc::new(AtomicBool::new(false)));
    let (highest, ended) = (Arc::clone(&most), Arc::clone(&over));
    let watch = tokio::spawn(async move {
        while !ended.load(Ordering::Relaxed) {
            let mut under_way = 0;
            // The last one first: whoever is on the way when it is looked at later was not done before.
            for cluster in clusters.iter().rev() {
                let (image, done) = looks(&cluster.get("web").await.unwrap());
                under_way += usize::from(image.ends_with("main:2") && !done);
            }
            highest.fetch_max(under_way, Ordering::Relaxed);
            // The clusters need their turns, too.
            tokio::time::sleep(PAUSE).await;
        }
    });
    let deployed = federation.deploy(&web("main:2")).await;
    assert_eq!((deployed.action.as_str(), deployed.revision), ("configured", 2));
    assert_eq!(deployed.rollout, CLUSTERS);
    let rollout = rollout_is(&federation, "Completed").await;
    over.store(true, Ordering::Relaxed);
    watch.await.unwrap();
    assert_eq!((rollout.clusters, rollout.clusters_updated), (3, 3));
    assert_eq!(images(&federation).await, ["main:2"; 3]);
    assert_eq!(most.load(Ordering::Relaxed), 1, "one, and no other meanwhile");
    let again = federation.deploy(&web("main:2")).await;
    assert_eq!((again.action.as_str(), again.revision), ("unchanged", 2));
}

#[tokio::test]
async fn a_bad_image_stops_after_the_first_cluster_and_undo_mends_it() {
    let mut federation = federation("stop").await;
    federation.deploy(&bad()).await;
    let failed = rollout_is(&federation, "Failed").await;
    let says = "revision 2 failed in cluster alpha: ";
    assert!(failed.message.starts_with(says), "{failed:?}");
    // The kubelet says one or the other, as it tries and waits.
    let said = ["ErrImagePull", "ImagePullBackOff"].iter().any(|why| failed.message.contains(why));
    assert!(said, "{failed:?}");
    federation.event("RolloutFailed", "Deployment default/web").await;
    federation.kill_hub().await;
    federation.restart_hub().await;
    rollout_is(&federation, "Failed").await;
    assert_eq!(images(&federation).await, ["badimage:1", "main:1", "main:1"]);
    let undone = wait_for("the hub to take a command", async || {
        federation.admin.undo("web").await.map_err(|error| error.to_string())
    })
    .await;
    assert_eq!((undone.revision, undone.clusters), (3, vec!["alpha".to_owned()]));
    rollout_is(&federation, "Completed").await;
    federation.settles("web", &CLUSTERS.map(|name| (name, 3))).await;
    assert_eq!(images(&federation).await, ["main:1"; 3]);
    let revisions = federation.admin.revisions("web").await.unwrap();
    let known: Vec<(u64, &str)> = revisions.iter().map(|one| (one.number, &*one.state)).collect();
    assert_eq!(known, [(2, "Failed"), (3, "Proven")]);
}

#[tokio::test]
async fn a_bad_image_is_rolled_back_where_the_policy_says_so() {
    let federation = federation("rollback").await;
    federation.deploy(&bad()).await;
    wait_for("the rollback", async || {
        let workload = federation.admin.workload("web").await.map_err(|error| error.to_string())?;
        let rollout = workload.rollout.unwrap();
        let back = (rollout.state.as_str(), rollout.instead_of) == ("Completed", Some(2));
        if back { Ok(()) } else { Err(format!("{rollout:?}")) }
    })
    .await;
    assert_eq!(images(&federation).await, ["main:1"; 3]);
}
