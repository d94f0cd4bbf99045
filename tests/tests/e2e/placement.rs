//! Who may: labels, taints and what a cluster lacks, from the operator's word to the pods (S3, S18, S20, S33).

use k8s_openapi::api::core::v1::Secret;
use kube::api::{Api, PostParams};

use crate::harness::{Builder, Deployment, Federation, policy, targets, wait_for};

use godwit_proto::v1;

/// Clusters whose label `tier` is `prod`.
fn prod() -> v1::Policy {
    let selector = v1::ClusterSelector {
        match_labels: [("tier".to_owned(), "prod".to_owned())].into(),
        ..v1::ClusterSelector::default()
    };
    let spec = v1::PolicySpec { cluster_selector: Some(selector), ..v1::PolicySpec::default() };
    v1::Policy { name: "prod".to_owned(), spec: Some(spec), workloads: 0 }
}

/// What decided the number of a cluster.
async fn reason(federation: &Federation, workload: &str, cluster: &str) -> (String, String) {
    let plan = federation.admin.plan(workload).await.unwrap();
    let row = plan.report.into_iter().find(|row| row.cluster == cluster).unwrap();
    (row.reason, row.remedy)
}

#[tokio::test]
async fn labels_and_taints_move_what_runs_surge_first_and_survive_the_hub() {
    let settings = [("federation.min_ready", "1s")];
    let mut federation = Builder::new(&["alpha", "bravo"]).settings(&settings).start().await;
    federation.admin.apply_policy(prod()).await.unwrap();
    let web = federation.deploy(&Deployment::new("web", 8).policy("prod")).await;
    assert_eq!((web.pending, web.placements.len()), (8, 0), "nobody is chosen yet");
    let labelled = federation.admin.label("alpha", ("tier", "prod")).await.unwrap();
    assert_eq!((labelled.action.as_str(), labelled.changes.len()), ("configured", 1));
    federation.settles("web", &[("alpha", 8)]).await;
    let (why, remedy) = reason(&federation, "web", "bravo").await;
    assert_eq!(why, "not eligible: not chosen by the policy's selector");
    assert!(remedy.contains("clusterSelector"), "{remedy}");

    federation.kill_hub().await;
    federation.restart_hub().await;
    federation.cluster_is("alpha", "Ready").await;
    federation.cluster_is("bravo", "Ready").await;
    federation.admin.label("bravo", ("tier", "prod")).await.unwrap();
    let tainted = federation.admin.taint("alpha", Some(("old", "NoExecute")), &[]).await.unwrap();
    assert_eq!(tainted.cluster.unwrap().taints.len(), 1);
    federation.settles("web", &[("bravo", 8)]).await;
    let (why, _) = reason(&federation, "web", "alpha").await;
    assert_eq!(why, "not eligible: taint old:NoExecute is not tolerated");
    federation.admin.taint("alpha", None, &["old"]).await.unwrap();
    federation.admin.scale("web", 12).await.unwrap();
    federation.settles("web", &[("alpha", 4), ("bravo", 8)]).await;
}

#[tokio::test]
async fn a_cluster_without_the_pull_secret_gets_nothing_until_it_is_there() {
    let federation = Federation::of(&["alpha", "bravo"]).await;
    federation.admin.apply_policy(policy("even", &[("alpha", 1), ("bravo", 1)])).await.unwrap();
    create_secret(&federation, "alpha").await;
    let web = Deployment::new("web", 4).policy("even");
    let needy =
        web.yaml().replace("    spec:\n", "    spec:\n      imagePullSecrets:\n        - name: registry\n");
    let request = v1::DeployRequest { manifests: needy, ..web.request() };
    federation.admin.deploy(request).await.unwrap();
    federation.settles("web", &[("alpha", 4)]).await;
    let lacks = wait_for("the agent to have looked", async || {
        let (why, remedy) = reason(&federation, "web", "bravo").await;
        if why.contains("lacks") { Ok((why, remedy)) } else { Err(why) }
    })
    .await;
    assert_eq!(lacks.0, "gets nothing new: it lacks Secret default/registry");
    assert_eq!(lacks.1, "create Secret default/registry in bravo");
    create_secret(&federation, "bravo").await;
    wait_for("the agent to have found it", async || {
        let (why, _) = reason(&federation, "web", "bravo").await;
        if why.contains("lacks") { Err(why) } else { Ok(()) }
    })
    .await;
    federation.admin.scale("web", 8).await.unwrap();
    federation.settles("web", &[("alpha", 4), ("bravo", 4)]).await;
}

#[tokio::test]
async fn what_if_foresees_what_a_loss_then_does() {
    let mut federation = Federation::hasty(&["alpha", "bravo", "charlie"]).await;
    let weighted = policy("weighted", &[("alpha", 2), ("bravo", 1), ("charlie", 1)]);
    federation.admin.apply_policy(weighted).await.unwrap();
    federation.deploy(&Deployment::new("web", 12).policy("weighted")).await;
    federation.settles("web", &[("alpha", 6), ("bravo", 3), ("charlie", 3)]).await;
    let lose = v1::WhatIfRequest { lose: vec!["alpha".to_owned()], ..v1::WhatIfRequest::default() };
    let answer = federation.admin.what_if(lose).await.unwrap();
    assert_eq!((answer.workloads, answer.moved, answer.pending_after), (1, 6, 0));
    let shares = answer.changes[0].shares.iter();
    let foreseen: Vec<(String, u32)> =
        shares.filter(|share| share.after > 0).map(|share| (share.cluster.clone(), share.after)).collect();
    federation.cluster_mut("alpha").kill();
    federation.cluster_is("alpha", "Lost").await;
    let after = federation.admin.workload("web").await.unwrap();
    let placed: Vec<(String, u32)> =
        targets(&after).into_iter().map(|(name, count)| (name.to_owned(), count)).collect();
    assert_eq!(placed, foreseen);
}

async fn create_secret(federation: &Federation, cluster: &str) {
    let api: Api<Secret> = federation.cluster(cluster).api();
    let secret = Secret {
        metadata: kube::api::ObjectMeta { name: Some("registry".to_owned()), ..Default::default() },
        ..Secret::default()
    };
    api.create(&PostParams::default(), &secret).await.unwrap();
}
