//! What runs: controllers, scheduler, kubelets, failing nodes, injected faults.

mod common;

use common::{deployment, eventually, quick, start, workload};
use futures_util::{AsyncBufReadExt, StreamExt};
use k8s_openapi::api::core::v1::{Node, PersistentVolumeClaim, Pod};
use kube::api::{Api, DeleteParams, DynamicObject, EvictParams, ListParams, LogParams, Patch, PatchParams};
use serde_json::{Value, json};

fn json_of(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).expect("JSON")
}

fn image(pod: &Pod) -> Value {
    json_of(pod)["spec"]["containers"][0]["image"].clone()
}

#[tokio::test(flavor = "multi_thread")]
async fn a_deployment_rolls_out_scales_and_rolls_back() {
    let cluster = start(quick()).await;
    let api = cluster.deployments();
    cluster.create(&api, deployment("web", 10, "nginx:1")).await;
    cluster.wait_for_pods("app=web", 10).await;
    let done = |image: &'static str, replicas: i64| {
        let (api, cluster) = (&api, &cluster);
        eventually(image, move || async move {
            let found = api.get("web").await.expect("a deployment");
            let status = &found.data["status"];
            let all = ["replicas", "updatedReplicas", "readyReplicas", "availableReplicas"];
            let observed = status["observedGeneration"] == json!(found.metadata.generation);
            let complete = observed && all.iter().all(|field| status[*field] == replicas);
            let pods = cluster.ready_pods("app=web").await;
            let right = pods.len() as i64 == replicas && pods.iter().all(|pod| self::image(pod) == image);
            (complete && right && status.get("unavailableReplicas").is_none()).then_some(())
        })
    };
    done("nginx:1", 10).await;
    let to = |image: &str| {
        Patch::Strategic(
            json!({"spec": {"template": {"spec": {"containers": [{"name": "main", "image": image}]}}}}),
        )
    };
    api.patch("web", &PatchParams::default(), &to("nginx:2")).await.expect("patched");
    done("nginx:2", 10).await;
    let scale = Patch::Merge(json!({"spec": {"replicas": 4}}));
    let scaled = api.patch_scale("web", &PatchParams::default(), &scale).await.expect("scaled");
    assert_eq!(scaled.spec.and_then(|spec| spec.replicas), Some(4));
    done("nginx:2", 4).await;
    api.patch("web", &PatchParams::default(), &to("nginx:1")).await.expect("patched");
    done("nginx:1", 4).await;
    let sets = cluster.api("apps", "v1", "ReplicaSet", "replicasets");
    let sets = sets.list(&ListParams::default().labels("app=web")).await.expect("a list");
    assert_eq!(sets.items.len(), 2, "the way back uses the old replica set");
}

#[tokio::test(flavor = "multi_thread")]
async fn a_rollout_that_cannot_become_ready_keeps_what_works_and_is_given_up_for_good() {
    let cluster = start(quick()).await;
    let api = cluster.deployments();
    cluster.create(&api, deployment("web", 4, "nginx")).await;
    cluster.wait_for_pods("app=web", 4).await;
    let container = json!({"name": "main", "image": "registry.io/badimage:1"});
    let template = json!({"spec": {"containers": [container]}});
    let to = Patch::Strategic(json!({"spec": {"template": template, "progressDeadlineSeconds": 1}}));
    api.patch("web", &PatchParams::default(), &to).await.expect("patched");
    let shows = async |why: &'static str| {
        eventually(why, || async {
            let pods = cluster.pods().list(&ListParams::default()).await.expect("a list");
            let state = |pod: &Pod| json_of(pod)["status"]["containerStatuses"][0]["state"].clone();
            pods.items.iter().any(|pod| state(pod)["waiting"]["reason"] == why).then_some(())
        })
        .await;
    };
    let progress = |web: &DynamicObject| {
        let mut conditions = web.data["status"]["conditions"].as_array().into_iter().flatten();
        conditions.find(|one| one["type"] == "Progressing").cloned().unwrap_or_default()
    };
    shows("ImagePullBackOff").await;
    let given_up = eventually("the end of its patience", || async {
        let web = api.get("web").await.expect("a deployment");
        (progress(&web)["reason"] == "ProgressDeadlineExceeded").then_some(web)
    })
    .await;
    // A quarter of four may be missing.
    assert_eq!(given_up.data["status"]["availableReplicas"], 3);
    assert_eq!(cluster.ready_pods("app=web").await.len(), 3);
    // It tries again and again, which is no progress.
    for why in ["ErrImagePull", "ImagePullBackOff", "ErrImagePull"] {
        shows(why).await;
        assert_eq!(progress(&api.get("web").await.expect("a deployment")), progress(&given_up));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn images_decide_how_containers_behave() {
    let cluster = start(quick()).await;
    let api = cluster.deployments();
    cluster.create(&api, deployment("crash", 1, "crashloop")).await;
    cluster.create(&api, deployment("never", 1, "x/never-ready:2")).await;
    eventually("a crash loop", || async {
        let pods = cluster.pods().list(&ListParams::default().labels("app=crash")).await.expect("a list");
        let status = json_of(pods.items.first()?)["status"]["containerStatuses"][0].clone();
        let restarts = status["restartCount"].as_i64().unwrap_or(0);
        (restarts > 0 && status["state"]["waiting"]["reason"] == "CrashLoopBackOff").then_some(())
    })
    .await;
    let pods = cluster.pods().list(&ListParams::default().labels("app=never")).await.expect("a list");
    assert_eq!(json_of(&pods.items[0])["status"]["phase"], "Running");
    assert!(!common::is_ready(&pods.items[0]));
}

#[tokio::test(flavor = "multi_thread")]
async fn pods_without_room_wait_until_there_is_some() {
    let cluster = start(kubesim::Config { node_cpu: "1".into(), ..quick() }).await;
    let api = cluster.deployments();
    // Three nodes with ten tenths each.
    cluster.create(&api, deployment("big", 35, "nginx")).await;
    eventually("five pods wait", || async {
        let pods = cluster.pods().list(&ListParams::default()).await.expect("a list");
        let waiting = pods.items.iter().map(json_of).filter(|pod| {
            let conditions = pod["status"]["conditions"].as_array().cloned().unwrap_or_default();
            conditions.iter().any(|one| {
                one["type"] == "PodScheduled"
                    && one["reason"] == "Unschedulable"
                    && one["message"] == "0/3 nodes are available: 3 Insufficient cpu."
            })
        });
        (waiting.count() == 5 && cluster.ready_pods("app=big").await.len() == 30).then_some(())
    })
    .await;
    let less = Patch::Merge(json!({"spec": {"replicas": 20}}));
    api.patch("big", &PatchParams::default(), &less).await.expect("patched");
    cluster.wait_for_pods("app=big", 20).await;
    cluster.create(&api, deployment("more", 10, "nginx")).await;
    cluster.wait_for_pods("app=more", 10).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_failed_node_loses_its_pods_and_comes_back() {
    let cluster = start(quick()).await;
    cluster.create(&cluster.deployments(), deployment("web", 6, "nginx")).await;
    cluster.wait_for_pods("app=web", 6).await;
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    let fail =
        |value: Value| Patch::Merge(json!({"metadata": {"annotations": {"kubesim.godwit.dev/fail": value}}}));
    let (name, params) = ("kubesim-node-1", PatchParams::default());
    nodes.patch(name, &params, &fail(json!("true"))).await.expect("patched");
    let on_node = ListParams::default().fields("spec.nodeName=kubesim-node-1");
    eventually("others take over", || async {
        let stuck = cluster.pods().list(&on_node).await.expect("a list");
        let told = stuck.items.iter().all(|pod| pod.metadata.deletion_timestamp.is_some());
        let ready = cluster.ready_pods("app=web").await;
        (stuck.items.len() == 2 && told && ready.len() == 6).then_some(())
    })
    .await;
    let node = json_of(&nodes.get(name).await.expect("a node"));
    let ready = node["status"]["conditions"]
        .as_array()
        .expect("conditions")
        .iter()
        .find(|one| one["type"] == "Ready");
    assert_eq!(ready.expect("a condition")["status"], "Unknown");
    nodes.patch(name, &params, &fail(Value::Null)).await.expect("patched");
    // Only a kubelet that is back can say that the old pods ended.
    eventually("the old pods end", || async {
        cluster.pods().list(&on_node).await.expect("a list").items.is_empty().then_some(())
    })
    .await;
    cluster.wait_for_pods("app=web", 6).await;
    nodes.delete("kubesim-node-2", &DeleteParams::default()).await.expect("deleted");
    cluster.wait_for_pods("app=web", 6).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stateful_set_keeps_its_names_order_and_claims() {
    let cluster = start(quick()).await;
    let api = cluster.api("apps", "v1", "StatefulSet", "statefulsets");
    let mut store = workload("StatefulSet", "db", 3, "db:1");
    store["spec"]["serviceName"] = json!("db");
    store["spec"]["volumeClaimTemplates"] = json!([{
        "metadata": {"name": "data"},
        "spec": {"accessModes": ["ReadWriteOnce"], "resources": {"requests": {"storage": "1Gi"}}},
    }]);
    cluster.create(&api, store).await;
    let pods = cluster.wait_for_pods("app=db", 3).await;
    let mut created: Vec<(String, String)> = pods
        .iter()
        .map(|pod| {
            (
                pod.metadata.name.clone().expect("a name"),
                pod.metadata.resource_version.clone().expect("a version"),
            )
        })
        .collect();
    created.sort();
    assert_eq!(created.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), ["db-0", "db-1", "db-2"]);
    let claims: Api<PersistentVolumeClaim> = Api::default_namespaced(cluster.client.clone());
    let claim = claims.get("data-db-2").await.expect("a claim");
    assert_eq!(claim.status.and_then(|status| status.phase).as_deref(), Some("Bound"));
    let update = json!({"spec": {"replicas": 2, "template": {"spec": {"containers": [{"name": "main", "image": "db:2"}]}}}});
    api.patch("db", &PatchParams::default(), &Patch::Strategic(update)).await.expect("patched");
    eventually("updated and smaller", || async {
        let pods = cluster.ready_pods("app=db").await;
        let status = api.get("db").await.expect("a set").data["status"].clone();
        let settled = status["updatedReplicas"] == 2 && status["currentRevision"] == status["updateRevision"];
        (pods.len() == 2 && settled && pods.iter().all(|pod| image(pod) == "db:2")).then_some(())
    })
    .await;
    assert!(claims.get("data-db-2").await.is_ok(), "claims outlive their pods");
}

#[tokio::test(flavor = "multi_thread")]
async fn daemons_run_on_every_node_and_jobs_end() {
    let cluster = start(quick()).await;
    let daemons = cluster.api("apps", "v1", "DaemonSet", "daemonsets");
    let mut daemon = workload("DaemonSet", "agent", 0, "agent:1");
    daemon["spec"].as_object_mut().expect("a spec").remove("replicas");
    cluster.create(&daemons, daemon).await;
    let pods = cluster.wait_for_pods("app=agent", 3).await;
    let mut on: Vec<Value> = pods.iter().map(|pod| json_of(pod)["spec"]["nodeName"].clone()).collect();
    on.sort_by_key(ToString::to_string);
    on.dedup();
    assert_eq!(on.len(), 3);
    let jobs = cluster.api("batch", "v1", "Job", "jobs");
    let job = json!({"apiVersion": "batch/v1", "kind": "Job", "metadata": {"name": "count"}, "spec": {
        "completions": 3, "parallelism": 2,
        "template": {"spec": {"restartPolicy": "Never", "containers": [{"name": "main", "image": "busybox"}]}},
    }});
    cluster.create(&jobs, job).await;
    eventually("the job is complete", || async {
        let status = jobs.get("count").await.expect("a job").data["status"].clone();
        (status["succeeded"] == 3 && status["completionTime"].is_string()).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn budgets_hold_evictions_back() {
    let cluster = start(quick()).await;
    cluster.create(&cluster.deployments(), deployment("web", 2, "nginx")).await;
    let pods = cluster.wait_for_pods("app=web", 2).await;
    let budgets = cluster.api("policy", "v1", "PodDisruptionBudget", "poddisruptionbudgets");
    let budget = json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "web"},
        "spec": {"minAvailable": 2, "selector": {"matchLabels": {"app": "web"}}}});
    cluster.create(&budgets, budget).await;
    eventually("the budget is counted", || async {
        (budgets.get("web").await.expect("a budget").data["status"]["currentHealthy"] == 2).then_some(())
    })
    .await;
    let name = pods[0].metadata.name.clone().expect("a name");
    let refused =
        cluster.pods().evict(&name, &EvictParams::default()).await.expect_err("no disruption is allowed");
    assert!(matches!(&refused, kube::Error::Api(status) if status.code == 429), "{refused}");
    budgets.delete("web", &DeleteParams::default()).await.expect("deleted");
    cluster.pods().evict(&name, &EvictParams::default()).await.expect("evicted");
    eventually("another pod", || async {
        cluster.pods().get_opt(&name).await.expect("an answer").is_none().then_some(())
    })
    .await;
    cluster.wait_for_pods("app=web", 2).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn services_know_their_ready_pods() {
    let cluster = start(quick()).await;
    let services = cluster.api("", "v1", "Service", "services");
    let service = json!({"apiVersion": "v1", "kind": "Service", "metadata": {"name": "web"},
        "spec": {"selector": {"app": "web"}, "ports": [{"port": 80}]}});
    cluster.create(&services, service).await;
    cluster.create(&cluster.deployments(), deployment("web", 3, "nginx")).await;
    let endpoints = cluster.api("", "v1", "Endpoints", "endpoints");
    eventually("three addresses", || async {
        let found = endpoints.get_opt("web").await.expect("an answer")?;
        let addresses = found.data["subsets"][0]["addresses"].as_array().map_or(0, Vec::len);
        (addresses == 3).then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn readiness_gates_hold_a_pod_back_until_somebody_opens_them() {
    let cluster = start(quick()).await;
    let mut web = deployment("web", 2, "nginx");
    web["spec"]["template"]["spec"]["readinessGates"] = json!([{"conditionType": "example.com/open"}]);
    cluster.create(&cluster.deployments(), web).await;
    let conditions = |pod: &Pod| {
        let conditions = pod.status.iter().flat_map(|status| status.conditions.iter().flatten());
        let all = conditions.map(|one| (one.type_.clone(), (one.status.clone(), one.reason.clone())));
        all.collect::<std::collections::BTreeMap<_, _>>()
    };
    let held = eventually("both to wait for their gates alone", || async {
        let pods = cluster.pods().list(&ListParams::default().labels("app=web")).await.expect("a list").items;
        let waits = |pod: &Pod| {
            let conditions = conditions(pod);
            let is = |name: &str, status: &str| conditions.get(name).is_some_and(|one| one.0 == status);
            is("ContainersReady", "True") && is("Ready", "False")
        };
        (pods.len() == 2 && pods.iter().all(waits)).then_some(pods)
    })
    .await;
    assert_eq!(conditions(&held[0])["Ready"].1.as_deref(), Some("ReadinessGatesNotReady"));
    let name = held[0].metadata.name.clone().expect("a name");
    let open = json!({"status": {"conditions": [{"type": "example.com/open", "status": "True"}]}});
    cluster
        .pods()
        .patch_status(&name, &PatchParams::default(), &Patch::Strategic(open))
        .await
        .expect("patched");
    let ready = eventually("one to be ready", || async { cluster.ready_pods("app=web").await.pop() }).await;
    assert_eq!(ready.metadata.name.as_ref(), Some(&name));
}

#[tokio::test(flavor = "multi_thread")]
async fn faults_strike_where_they_are_told_to() {
    let cluster = start(quick()).await;
    let post = |path: &str, body: Value| {
        let request =
            http::Request::post(path.to_owned()).body(body.to_string().into_bytes()).expect("a request");
        cluster.client.request::<Value>(request)
    };
    let set = post("/kubesim/faults", json!({"errors": 1.0, "paths": "/apis/apps"})).await.expect("set");
    assert_eq!(set["errors"], 1.0);
    let failed = cluster.deployments().list(&ListParams::default()).await.expect_err("it fails");
    assert!(matches!(&failed, kube::Error::Api(status) if status.code == 500), "{failed}");
    cluster.pods().list(&ListParams::default()).await.expect("pods are spared");
    let wrong = post("/kubesim/faults", json!({"errors": 2})).await.expect_err("more than all");
    assert!(wrong.to_string().contains("errors"), "{wrong}");
    let clear = http::Request::delete("/kubesim/faults").body(Vec::new()).expect("a request");
    cluster.client.request::<Value>(clear).await.expect("cleared");
    cluster.deployments().list(&ListParams::default()).await.expect("it works");
}

#[tokio::test(flavor = "multi_thread")]
async fn thousands_of_pods_are_no_matter() {
    let cluster =
        start(kubesim::Config { nodes: 20, node_pods: 200, node_cpu: "64".into(), ..quick() }).await;
    cluster.create(&cluster.deployments(), deployment("many", 2000, "nginx")).await;
    eventually("two thousand ready pods", || async {
        let found = cluster.deployments().get("many").await.expect("a deployment");
        (found.data["status"]["readyReplicas"] == 2000).then_some(())
    })
    .await;
    let nodes = cluster.ready_pods("app=many").await;
    let first = nodes.iter().filter(|pod| json_of(pod)["spec"]["nodeName"] == "kubesim-node-1").count();
    assert_eq!(first, 100, "the load is even");
}

#[tokio::test(flavor = "multi_thread")]
async fn containers_write_as_time_goes_by() {
    let cluster = start(quick()).await;
    let deployments = cluster.deployments();
    cluster.create(&deployments, deployment("web", 1, "web:1")).await;
    cluster.create(&deployments, deployment("loud", 1, "x/chatty:1")).await;
    cluster.create(&deployments, deployment("bad", 1, "badimage:1")).await;
    let [web] = &cluster.wait_for_pods("app=web", 1).await[..] else { panic!("one pod") };
    let [loud] = &cluster.wait_for_pods("app=loud", 1).await[..] else { panic!("one pod") };
    let name = |pod: &Pod| pod.metadata.name.clone().expect("a name");
    let pods = cluster.pods();
    let log = pods.logs(&name(web), &LogParams::default()).await.expect("a log");
    assert!(log.starts_with(&format!("main of {} has started\n", name(web))), "{log}");
    let tail = LogParams { tail_lines: Some(2), ..LogParams::default() };
    let lines = eventually("much is written", || async {
        let log = pods.logs(&name(loud), &tail).await.expect("a log");
        (log.len() > 2_000).then_some(log)
    })
    .await;
    assert_eq!(lines.lines().count(), 2);

    let follow = LogParams { follow: true, ..tail };
    let mut followed = pods.log_stream(&name(web), &follow).await.expect("a log").lines();
    let none = Patch::Merge(json!({"spec": {"replicas": 0}}));
    deployments.patch_scale("web", &PatchParams::default(), &none).await.expect("scaled");
    while let Some(line) = followed.next().await {
        line.expect("whole lines until the pod has ended");
    }
    let unknown = LogParams { container: Some("nope".into()), ..LogParams::default() };
    assert!(pods.logs(&name(loud), &unknown).await.is_err());
    let waiting = eventually("a pod without a container", || async {
        let all = pods.list(&ListParams::default().labels("app=bad")).await.expect("pods");
        all.items.first().map(name)
    })
    .await;
    let refused = pods.logs(&waiting, &LogParams::default()).await.expect_err("it has not started");
    assert!(refused.to_string().contains("is waiting to start"), "{refused}");
}
