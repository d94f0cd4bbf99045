//! What each kind of workload does in real clusters (S32, S33).

use godwit_proto::v1;
use k8s_openapi::api::apps::v1::{DaemonSet, StatefulSet};
use k8s_openapi::api::batch::v1::{CronJob, Job};
use k8s_openapi::api::core::v1::{PersistentVolumeClaim, Pod};
use kube::Api;
use kube::api::ListParams;

use crate::harness::{Builder, Cluster, Federation, policy, wait_for};

const CLUSTERS: [&str; 2] = ["alpha", "bravo"];

async fn federation() -> Federation {
    begun(Builder::new(&CLUSTERS)).await
}

async fn begun(builder: Builder) -> Federation {
    builder.settings(&[("federation.min_ready", "1s")]).start().await
}

async fn deploy(federation: &Federation, manifests: String) {
    let request = v1::DeployRequest { manifests, ..v1::DeployRequest::default() };
    federation.admin.deploy(request).await.unwrap();
}

/// A workload of a kind: `spec` is what its kind adds to the template, which is at `path`.
fn manifest(api_version: &str, kind: &str, name: &str, spec: &str) -> String {
    format!("apiVersion: {api_version}\nkind: {kind}\nmetadata: {{name: {name}}}\nspec:\n{spec}")
}

fn template(name: &str, more: &str) -> String {
    format!(
        "  template:\n    metadata: {{labels: {{app: {name}}}}}\n    spec:\n{more}      containers:\n        - {{name: \
         main, image: registry.example/main:1}}\n"
    )
}

fn job(name: &str) -> String {
    manifest("batch/v1", "Job", name, &template(name, "      restartPolicy: Never\n"))
}

fn stateful_set(name: &str, replicas: u32, policy: &str, claims: &str) -> String {
    let spec = format!(
        "  serviceName: {name}\n  replicas: {replicas}\n  podManagementPolicy: Parallel\n  selector: {{matchLabels: \
         {{app: {name}}}}}\n{claims}{}",
        template(name, "")
    );
    let manifest = manifest("apps/v1", "StatefulSet", name, &spec);
    match policy {
        "" => manifest,
        policy => manifest.replace(
            "metadata: {name",
            &format!("metadata: {{annotations: {{godwit.dev/policy: {policy}}}, name"),
        ),
    }
}

async fn view(federation: &Federation, name: &str) -> v1::Workload {
    let all = federation.admin.workloads().await.unwrap();
    all.into_iter().find(|workload| workload.name == name).unwrap()
}

/// The names of a workload's pods that have not ended.
async fn pods(cluster: &Cluster, name: &str) -> Vec<String> {
    let api: Api<Pod> = cluster.api();
    let listed = api.list(&ListParams::default().labels(&format!("app={name}"))).await.unwrap();
    let lives = |pod: &Pod| {
        let phase = pod.status.as_ref().and_then(|status| status.phase.clone()).unwrap_or_default();
        phase != "Succeeded" && phase != "Failed"
    };
    listed.items.into_iter().filter(lives).filter_map(|pod| pod.metadata.name).collect()
}

#[tokio::test]
async fn a_job_ends_once_and_a_loss_does_not_run_it_again() {
    let mut federation = begun(Builder::new(&CLUSTERS).hasty()).await;
    deploy(&federation, job("import")).await;
    federation.event("JobCompleted", "Job default/import").await;
    let ended = view(&federation, "import").await;
    assert_eq!((ended.finished.as_str(), ended.wanted, ended.pending), ("Complete", 0, 0));
    let mut complete = Vec::new();
    for name in CLUSTERS {
        let api: Api<Job> = federation.cluster(name).api();
        let status = wait_for(&format!("import to stand still in {name}"), async || {
            let job = api.get("import").await.map_err(|error| error.to_string())?;
            let suspended = job.spec.and_then(|spec| spec.suspend) == Some(true);
            if suspended { Ok(job.status.unwrap_or_default()) } else { Err("it may run".to_owned()) }
        })
        .await;
        if status.succeeded.unwrap_or(0) > 0 {
            complete.push(name);
        }
    }
    let [home] = complete[..] else { panic!("it ran in one cluster: {complete:?}") };
    federation.kill_hub().await;
    federation.cluster_mut(home).kill();
    federation.restart_hub().await;
    federation.cluster_is(home, "Lost").await;
    deploy(&federation, job("import")).await;
    let other = CLUSTERS.into_iter().find(|name| *name != home).unwrap();
    let api: Api<Job> = federation.cluster(other).api();
    let job = api.get("import").await.unwrap();
    assert_eq!(job.spec.unwrap().suspend, Some(true), "what has ended is not run again");
    assert_eq!(view(&federation, "import").await.finished, "Complete");
}

#[tokio::test]
async fn a_cron_job_may_run_in_one_cluster_and_a_drain_moves_it() {
    let federation = federation().await;
    let job = "  schedule: \"0 3 1 1 *\"\n  jobTemplate:\n    spec:\n      template:\n        spec:\n          \
               restartPolicy: Never\n          containers: [{name: main, image: \"registry.example/main:1\"}]\n";
    deploy(&federation, manifest("batch/v1", "CronJob", "backup", job)).await;
    let free = async |federation: &Federation| {
        let mut free = Vec::new();
        for name in CLUSTERS {
            let api: Api<CronJob> = federation.cluster(name).api();
            let found = api.get_opt("backup").await.unwrap();
            let Some(found) = found else { return Err(format!("not in {name} yet")) };
            if found.spec.suspend != Some(true) {
                free.push(name);
            }
        }
        Ok(free)
    };
    let home = wait_for("backup to be free to run in one cluster", async || {
        let free = free(&federation).await?;
        if let [home] = free[..] { Ok(home) } else { Err(format!("{free:?}")) }
    })
    .await;
    let drain = v1::DrainClusterRequest { name: home.to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(drain).await.unwrap();
    federation.cluster_is(home, "Drained").await;
    // It is free elsewhere only after it was seen to stand still here: for a moment it is nowhere.
    wait_for("backup to be free to run in the other cluster", async || {
        let free = free(&federation).await?;
        assert!(!free.contains(&home), "it has left {home}, which is empty");
        if free.len() == 1 { Ok(()) } else { Err(format!("{free:?}")) }
    })
    .await;
}

#[tokio::test]
async fn a_daemon_set_runs_on_every_node_and_holds_no_drain_up() {
    let federation = federation().await;
    let spec = "  selector: {matchLabels: {app: logs}}\n".to_owned() + &template("logs", "");
    deploy(&federation, manifest("apps/v1", "DaemonSet", "logs", &spec)).await;
    for name in CLUSTERS {
        let cluster = federation.cluster(name);
        wait_for(&format!("three daemons in {name}"), async || match pods(cluster, "logs").await.len() {
            3 => Ok(()),
            other => Err(format!("{other}")),
        })
        .await;
    }
    let logs = view(&federation, "logs").await;
    assert_eq!((logs.wanted, logs.pending), (0, 0), "it is not counted");
    let drain = v1::DrainClusterRequest { name: "alpha".to_owned(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(drain).await.unwrap();
    federation.cluster_is("alpha", "Drained").await;
    assert_eq!(pods(federation.cluster("alpha"), "logs").await.len(), 3);
    let api: Api<DaemonSet> = federation.cluster("alpha").api();
    assert!(api.get("logs").await.is_ok());
}

#[tokio::test]
async fn a_stateful_set_is_divided_over_ranges_of_ordinals() {
    let federation = federation().await;
    let mut divided = policy("divided", &[("alpha", 1), ("bravo", 1)]);
    divided.spec.get_or_insert_default().divide = true;
    federation.admin.apply_policy(divided).await.unwrap();
    deploy(&federation, stateful_set("ring", 4, "divided", "")).await;
    for (name, expected) in CLUSTERS.into_iter().zip([["ring-0", "ring-1"], ["ring-10000", "ring-10001"]]) {
        let cluster = federation.cluster(name);
        wait_for(&format!("{expected:?} in {name}"), async || {
            let mut pods = pods(cluster, "ring").await;
            pods.sort();
            if pods == expected { Ok(()) } else { Err(format!("{pods:?}")) }
        })
        .await;
    }
}

#[tokio::test]
async fn a_stateful_set_with_claims_survives_a_loss_in_place_and_one_without_moves_by_a_drain() {
    let mut federation = begun(Builder::new(&CLUSTERS).hasty()).await;
    let claims = "  volumeClaimTemplates:\n    - metadata: {name: data}\n      spec: {accessModes: [ReadWriteOnce], \
                  resources: {requests: {storage: 1Gi}}}\n";
    deploy(&federation, stateful_set("store", 2, "", claims)).await;
    deploy(&federation, stateful_set("cache", 2, "", "")).await;
    let placed = |workload: &v1::Workload| {
        let homes = workload.placements.iter().filter(|row| row.ready > 0 && row.target == row.ready);
        homes.map(|row| row.cluster.clone()).collect::<Vec<_>>()
    };
    let runs = async |federation: &Federation, name: &'static str| {
        wait_for(&format!("{name} to run whole"), async || {
            let workload = view(federation, name).await;
            match (&placed(&workload)[..], workload.ready) {
                ([home], 2) => Ok(home.clone()),
                (homes, ready) => Err(format!("{ready} in {homes:?}")),
            }
        })
        .await
    };
    let (store, cache) = (runs(&federation, "store").await, runs(&federation, "cache").await);
    assert_eq!(view(&federation, "store").await.policy, "stateful");
    let drain = v1::DrainClusterRequest { name: cache.clone(), ..v1::DrainClusterRequest::default() };
    federation.admin.drain(drain).await.unwrap();
    wait_for("cache to move", async || {
        let home = placed(&view(&federation, "cache").await);
        if home.len() == 1 && home[0] != cache { Ok(()) } else { Err(format!("{home:?}")) }
    })
    .await;
    federation.admin.uncordon(&cache).await.unwrap();
    let claims: Api<PersistentVolumeClaim> = federation.cluster(&store).api();
    assert_eq!(claims.list(&ListParams::default()).await.unwrap().items.len(), 2);
    federation.cluster_mut(&store).kill_agent(0);
    federation.cluster_is(&store, "Lost").await;
    let lost = view(&federation, "store").await;
    assert_eq!(lost.pending, 2);
    assert!(lost.pending_reasons[0].contains("volumes: "), "{:?}", lost.pending_reasons);
    federation.cluster_mut(&store).start_agent(0);
    assert_eq!(runs(&federation, "store").await, store, "it is where its data is");
    let api: Api<StatefulSet> = federation.cluster(&store).api();
    assert_eq!(api.get("store").await.unwrap().spec.replicas, Some(2));
    assert_eq!(claims.list(&ListParams::default()).await.unwrap().items.len(), 2);
}
