//! What an agent does in a cluster, from outside.

use godwit_agent_core::labels;
use godwit_common::link::{
    Alarm, Down, Edit, Leadership, ObjectTarget, Refusal, RefusalCode, Targets, Tombstone, Tombstoned, Up,
    WorkloadTarget,
};
use godwit_common::{Generation, Need, NeedStatus, ObjectKey, Uid};
use k8s_openapi::api::apps::v1::Deployment;
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Pod, Secret};
use kube::Api;
use kube::api::{ListParams, Patch, PatchParams, PostParams};
use serde_json::json;

use crate::stage::{Stage, config_map, deployment, fence, web, whole};

fn accepted(epoch: u64, generation: u64) -> impl Fn(&Up) -> bool {
    move |up| matches!(up, Up::Accepted { fence: held, .. } if *held == fence(epoch, generation))
}

/// A stage on which three replicas of `web` are ready, and its agent.
async fn running() -> (Stage, crate::stage::Agent) {
    let stage = Stage::new().await;
    let agent = stage.agent("agent-1");
    stage.hub.until_inventory().await;
    stage.hub.send(whole(fence(1, 1), vec![config_map(9, "hello")], vec![deployment(1, 1, 3)])).await;
    stage.hub.until_status(&web(), |status| status.ready == 3).await;
    (stage, agent)
}

#[tokio::test(flavor = "multi_thread")]
async fn a_life_from_apply_over_scale_to_removal() {
    let (stage, _agent) = running().await;
    let hub = &stage.hub;
    hub.until_up("accepted", accepted(1, 1)).await;
    let status = hub.until_status(&web(), |status| status.bound == 3).await;
    assert_eq!((status.uid, status.revision, status.replicas, status.pods), (Uid(1), 1, 3, 3));
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), "shop");
    assert_eq!(maps.get("web").await.unwrap().data.unwrap()["text"], "hello");
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    let labels = namespaces.get("shop").await.unwrap().metadata.labels.unwrap();
    assert_eq!(labels["godwit.dev/managed-namespace"], "true");

    // The count alone, without the manifest.
    let mut one = deployment(1, 1, 1);
    let digest = godwit_common::link::rows_digest(&[config_map(9, "hello")], std::slice::from_ref(&one));
    one.manifest = None;
    hub.send(Targets {
        fence: fence(1, 2),
        base: Generation(1),
        digest,
        workloads: vec![one],
        ..Targets::default()
    })
    .await;
    hub.until_status(&web(), |status| status.ready == 1 && status.pods == 1).await;
    let reflects = |up: &Up| matches!(up, Up::Report(report) if report.reflects == Generation(2));
    hub.until_up("a report of generation 2", reflects).await;

    let workload = web();
    let tombstones = vec![Tombstone {
        uid: Uid(1),
        what: Tombstoned::Workload { workload, api_version: "apps/v1".into() },
    }];
    let rest = whole(fence(1, 3), vec![config_map(9, "hello")], vec![]);
    hub.send(Targets { tombstones, ..rest }).await;
    let removed = |up: &Up| matches!(up, Up::Report(report) if report.removed.contains(&Uid(1)));
    hub.until_up("removed", removed).await;
    assert!(stage.deployments().get_opt("web").await.unwrap().is_none());
    let pods: Api<Pod> = Api::namespaced(stage.client.clone(), "shop");
    assert!(pods.list(&ListParams::default()).await.unwrap().items.is_empty());
    assert!(maps.get_opt("web").await.unwrap().is_some(), "what has no tombstone stays");
    assert!(namespaces.get_opt("shop").await.unwrap().is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn a_killed_agent_comes_back_with_an_inventory_and_writes_nothing_anew() {
    let (stage, agent) = running().await;
    let before = stage.deployments().get("web").await.unwrap();
    agent.kill();
    stage.hub.clear();
    let _agent = stage.agent("agent-1");
    let (_, inventory) = stage.hub.until_inventory().await;
    let [status] = inventory.statuses.as_slice() else { panic!("{inventory:?}") };
    assert_eq!((status.uid, status.ready, status.exists), (Uid(1), 3, true));
    let hello = stage.hub.until_up("hello", |up| matches!(up, Up::Hello(_))).await;
    let Up::Hello(hello) = hello else { unreachable!() };
    assert_eq!((hello.federation, hello.highest_epoch.0), (Some(crate::hub::FEDERATION), 1));
    // A hub that was restarted meanwhile sends the same under a new epoch.
    stage.hub.send(whole(fence(2, 1), vec![config_map(9, "hello")], vec![deployment(1, 1, 3)])).await;
    stage.hub.until_up("accepted", accepted(2, 1)).await;
    let reflects = |up: &Up| matches!(up, Up::Report(report) if report.reflects == Generation(1));
    stage.hub.until_up("a report of it", reflects).await;
    let after = stage.deployments().get("web").await.unwrap();
    // Its status may have moved on; each write of the agent's would carry the new epoch.
    let epoch = |found: &Deployment| found.metadata.annotations.as_ref()?.get(labels::EPOCH).cloned();
    assert_eq!((epoch(&after), epoch(&before)), (Some("1".to_owned()), Some("1".to_owned())));
    assert_eq!(after.metadata.generation, before.metadata.generation);
}

#[tokio::test(flavor = "multi_thread")]
async fn a_stale_epoch_and_another_federation_are_refused() {
    let (stage, _agent) = running().await;
    let hub = &stage.hub;
    hub.send(whole(fence(5, 2), vec![], vec![deployment(1, 1, 2)])).await;
    hub.until_up("accepted", accepted(5, 2)).await;
    stage.until_replicas(2).await;
    hub.send(whole(fence(4, 9), vec![], vec![deployment(1, 1, 9)])).await;
    let stale = Alarm::Stale { held: fence(5, 2), sent: fence(4, 9) };
    hub.until_up("the alarm", |up| *up == Up::Alarm(stale.clone())).await;
    let mut foreign = whole(fence(9, 9), vec![], vec![deployment(1, 1, 9)]);
    foreign.fence.federation = Uid(0xbad);
    hub.send(foreign).await;
    hub.until_up("the alarm", |up| matches!(up, Up::Alarm(Alarm::Foreign { .. }))).await;
    hub.send(whole(fence(5, 2), vec![], vec![deployment(1, 1, 8)])).await;
    hub.until_up("the alarm", |up| matches!(up, Up::Alarm(Alarm::Contradiction { .. }))).await;
    let web = stage.deployments().get("web").await.unwrap();
    assert_eq!(web.spec.replicas, Some(2));
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_changes_by_hand_are_put_right() {
    let (stage, _agent) = running().await;
    let kubectl = PatchParams { field_manager: Some("kubectl".into()), ..PatchParams::default() };
    let scale = json!({"spec": {"replicas": 7}});
    stage.deployments().patch("web", &kubectl, &Patch::Merge(scale)).await.unwrap();
    stage.until_replicas(3).await;
    stage.deployments().delete("web", &Default::default()).await.unwrap();
    stage.until_replicas(3).await;
    stage.hub.until_status(&web(), |status| status.ready == 3).await;
    // Somebody else owns a field of ours now; and another one is taken away.
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "mine:1"}]}}}});
    let kept = stage.deployments().patch("web", &kubectl, &Patch::Strategic(image)).await.unwrap();
    stage.until_image("web:1").await;
    let label = json!({"metadata": {"labels": {"app": null}}});
    stage.deployments().patch("web", &kubectl, &Patch::Merge(label)).await.unwrap();
    let labelled = || async {
        let web = stage.deployments().get("web").await.unwrap();
        web.metadata.labels?.contains_key("app").then_some(web.metadata.uid)
    };
    assert_eq!(stage.until("its label", labelled).await, kept.metadata.uid, "the same object all along");
}

#[tokio::test(flavor = "multi_thread")]
async fn s29_changes_by_hand_that_are_let_be_are_told_by_an_agent_that_starts_anew_as_well() {
    let (stage, agent) = running().await;
    let map = ObjectTarget { tolerates_drift: true, ..config_map(9, "hello") };
    let row = WorkloadTarget { tolerates_drift: true, shown: true, ..deployment(1, 1, 3) };
    let rows = whole(fence(1, 2), vec![map], vec![row]);
    stage.hub.send(rows.clone()).await;
    stage.hub.until_up("accepted", accepted(1, 2)).await;
    let by = PatchParams { field_manager: Some("kubectl-edit".into()), ..PatchParams::default() };
    let maps: Api<ConfigMap> = Api::namespaced(stage.client.clone(), "shop");
    maps.patch("web", &by, &Patch::Merge(json!({"data": {"text": "bye"}}))).await.unwrap();
    let told = |uid: u128, fields: &str| {
        let edit = Edit { uid: Uid(uid), fields: fields.into() };
        move |up: &Up| matches!(up, Up::Report(report) if report.edits.contains(&edit))
    };
    stage.hub.until_up("the edit", told(9, ".data.text (by kubectl-edit)")).await;
    agent.kill();
    stage.hub.clear();
    let image = json!({"spec": {"template": {"spec": {"containers": [{"name": "web", "image": "mine:1"}]}}}});
    stage.deployments().patch("web", &by, &Patch::Strategic(image)).await.unwrap();
    let _agent = stage.agent("agent-1");
    stage.hub.until_inventory().await;
    stage.hub.send(rows).await;
    let image = ".spec.template.spec.containers[name=\"web\"].image (by kubectl-edit)";
    stage.hub.until_up("both edits", told(1, image)).await;
    stage.hub.until_up("both edits", told(9, ".data.text (by kubectl-edit)")).await;
    assert_eq!(maps.get("web").await.unwrap().data.unwrap()["text"], "bye");
    // Another revision is written over it.
    stage.hub.send(whole(fence(1, 3), vec![config_map(9, "hello")], vec![deployment(1, 2, 3)])).await;
    stage.hub.until_up("no edits", told(1, "")).await;
    stage.until_image("web:2").await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_is_not_ours_is_not_touched_until_it_is_handed_over() {
    let stage = Stage::new().await;
    let _agent = stage.agent("agent-1");
    stage.hub.until_inventory().await;
    let shop: Namespace = serde_json::from_value(json!({"metadata": {"name": "shop"}})).unwrap();
    let namespaces: Api<Namespace> = Api::all(stage.client.clone());
    namespaces.create(&PostParams::default(), &shop).await.unwrap();
    let mut theirs: Deployment = serde_json::from_str(&deployment(1, 1, 0).manifest.unwrap()).unwrap();
    theirs.spec.replicas = Some(5);
    let theirs = stage.deployments().create(&PostParams::default(), &theirs).await.unwrap();
    stage.hub.send(whole(fence(1, 1), vec![], vec![deployment(1, 1, 2)])).await;
    let status = stage.hub.until_status(&web(), |status| !status.problem.is_empty()).await;
    assert!(status.problem.contains("godwit.dev/adopt"), "{}", status.problem);
    let untouched = stage.deployments().get("web").await.unwrap();
    assert_eq!(untouched.spec.replicas, theirs.spec.replicas);
    let adopt = json!({"metadata": {"annotations": {"godwit.dev/adopt": "true"}}});
    stage.deployments().patch("web", &PatchParams::default(), &Patch::Merge(adopt)).await.unwrap();
    stage.until_replicas(2).await;
    stage.hub.until_status(&web(), |status| status.ready == 2 && status.problem.is_empty()).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn an_end_on_purpose_says_goodbye_and_gives_the_lease_back() {
    let (stage, agent) = running().await;
    assert_eq!(stage.holder().await.as_deref(), Some("agent-1"));
    let status = agent.terminate().await;
    assert_eq!(status.code(), Some(0));
    stage.hub.until_up("goodbye", |up| *up == Up::Goodbye).await;
    assert_eq!(stage.holder().await.as_deref(), Some(""));
    let web = stage.deployments().get("web").await.unwrap();
    assert_eq!(web.spec.replicas, Some(3), "what runs goes on");
}

#[tokio::test(flavor = "multi_thread")]
async fn of_two_agents_one_leads_and_the_other_takes_over() {
    let stage = Stage::new().await;
    let first = stage.agent("agent-1");
    assert_eq!(stage.hub.until_inventory().await.0, "agent-1");
    let _second = stage.agent("agent-2");
    let hello = |up: &Up| matches!(up, Up::Hello(hello) if &*hello.instance == "agent-2");
    stage.hub.until_up("the second one", hello).await;
    stage.hub.send(whole(fence(1, 1), vec![], vec![deployment(1, 1, 2)])).await;
    stage.hub.until_status(&web(), |status| status.ready == 2).await;
    first.kill();
    stage.hub.clear();
    let (leader, inventory) = stage.hub.until_inventory().await;
    assert_eq!((leader.as_str(), inventory.statuses.len()), ("agent-2", 1));
    let term = |up: &Up| match up {
        Up::Leadership(Leadership::Leading { term, fence, .. }) => {
            Some((term.transitions.0, fence.generation.0))
        }
        _ => None,
    };
    let found = stage.hub.until("the term", |ups| ups.iter().find_map(|(_, up)| term(up))).await;
    assert_eq!(found, (2, 1));
}

#[tokio::test(flavor = "multi_thread")]
async fn a_broken_manifest_is_reported_and_the_rest_goes_on() {
    let stage = Stage::new().await;
    let _agent = stage.agent("agent-1");
    stage.hub.until_inventory().await;
    let mut unknown = config_map(9, "hello");
    unknown.key = godwit_common::ObjectKey::new("example.com/v1", "Gadget", "shop", "g").unwrap();
    stage.hub.send(whole(fence(1, 1), vec![unknown], vec![deployment(1, 1, 1)])).await;
    let status =
        stage.hub.until_status(&web(), |status| status.ready == 1 && !status.problem.is_empty()).await;
    assert!(status.problem.contains("Gadget"), "{}", status.problem);
}

#[tokio::test(flavor = "multi_thread")]
async fn room_is_reported_less_what_pods_take() {
    let (stage, _agent) = running().await;
    let free = |up: &Up| match up {
        Up::Report(report) => report.capacity.clone(),
        _ => None,
    };
    let (total, used) = (3 * 16_000, 3 * 500);
    stage
        .hub
        .until("the room", |ups| {
            let capacity = ups.iter().rev().find_map(|(_, up)| free(up))?;
            let classes = capacity.classes.iter();
            let said: u64 = classes.map(|class| class.free.cpu_millis * u64::from(class.nodes)).sum();
            (said == total - used && capacity.nodes == 3 && capacity.nodes_ready == 3).then_some(())
        })
        .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn what_a_workload_needs_is_looked_for_until_it_is_there() {
    let stage = Stage::new().await;
    let _agent = stage.agent("agent-1");
    stage.hub.until_inventory().await;
    let pull = Need::Object(ObjectKey::new("v1", "Secret", "shop", "pull").unwrap());
    let jobs = Need::Kind { api_version: "batch/v1".into(), kind: "Job".into() };
    let widgets = Need::Kind { api_version: "example.com/v1".into(), kind: "Widget".into() };
    let mut row = deployment(1, 1, 1);
    row.needs = vec![jobs.clone(), widgets.clone(), pull.clone()];
    stage.hub.send(whole(fence(1, 1), vec![], vec![row])).await;
    let newest = |ups: &[(String, Up)], need: &Need| {
        let mut statuses = ups.iter().rev().filter_map(|(_, up)| match up {
            Up::Report(report) => report.needs.iter().find(|status| status.need == *need).cloned(),
            _ => None,
        });
        statuses.next()
    };
    for (need, met) in [(jobs, true), (widgets, false), (pull.clone(), false)] {
        let wanted = Some(NeedStatus { need: need.clone(), met });
        stage.hub.until(&need.to_string(), |ups| (newest(ups, &need) == wanted).then_some(())).await;
    }
    let namespaced = || async { stage.deployments().get_opt("web").await.unwrap() };
    stage.until("its namespace", namespaced).await;
    let secrets: Api<Secret> = Api::namespaced(stage.client.clone(), "shop");
    let secret = serde_json::from_value(json!({"metadata": {"name": "pull"}})).unwrap();
    secrets.create(&PostParams::default(), &secret).await.unwrap();
    let there = Some(NeedStatus { need: pull.clone(), met: true });
    stage.hub.until("the secret", |ups| (newest(ups, &pull) == there).then_some(())).await;
}

#[tokio::test(flavor = "multi_thread")]
async fn a_refused_agent_waits() {
    let (stage, _agent) = running().await;
    stage.hub.clear();
    let refusal = Refusal {
        code: RefusalCode::Deleted,
        message: "cluster east was deleted".into(),
        retry_after: std::time::Duration::from_secs(60),
    };
    stage.hub.say(&Down::Refusal(refusal)).await;
    stage
        .until("the lease to be given back", || async { stage.holder().await.filter(String::is_empty) })
        .await;
    let said = stage
        .hub
        .until("all", |ups| Some(ups.iter().filter(|(_, up)| matches!(up, Up::Hello(_))).count()))
        .await;
    assert_eq!(said, 0);
}
