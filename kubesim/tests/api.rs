//! The API through kube's client over HTTPS: storage, patches, lists and watches.

mod common;

use std::pin::pin;

use common::{config_map, deployment, eventually, quick, start};
use futures_util::{StreamExt, TryStreamExt};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Node, Pod};
use kube::api::{
    Api, DeleteParams, DynamicObject, ListParams, Patch, PatchParams, PostParams, Preconditions, WatchEvent,
    WatchParams,
};
use kube::core::PartialObjectMeta;
use kube::runtime::watcher;
use serde_json::{Value, json};

fn reason(error: &kube::Error) -> (u16, String) {
    match error {
        kube::Error::Api(status) => (status.code, status.reason.clone()),
        other => panic!("no answer of the API: {other}"),
    }
}

fn json_of(object: &impl serde::Serialize) -> Value {
    serde_json::to_value(object).expect("JSON")
}

#[tokio::test(flavor = "multi_thread")]
async fn discovery_and_the_first_objects() {
    let cluster = start(common::quick()).await;
    let discovery = kube::Discovery::new(cluster.client.clone()).run().await.expect("discovery");
    for group in ["apps", "batch", "coordination.k8s.io", "policy"] {
        assert!(discovery.has_group(group), "{group}");
    }
    let nodes: Api<Node> = Api::all(cluster.client.clone());
    assert_eq!(nodes.list(&ListParams::default()).await.expect("nodes").items.len(), 3);
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let system = namespaces.get("kube-system").await.expect("kube-system");
    assert!(system.metadata.uid.is_some());
}

#[tokio::test(flavor = "multi_thread")]
async fn without_the_token_nothing_is_told() {
    let cluster = start(quick()).await;
    let mut wrong: Value = serde_json::from_str(&cluster.kubeconfig).expect("JSON");
    for user in [json!({"token": "wrong"}), json!({})] {
        wrong["users"][0]["user"] = user;
        let client = common::client(&wrong.to_string()).await;
        let pods: Api<Pod> = Api::default_namespaced(client);
        let error = pods.list(&ListParams::default()).await.expect_err("no entry");
        assert_eq!(reason(&error), (401, "Unauthorized".to_owned()));
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn optimistic_concurrency_and_preconditions() {
    let cluster = start(quick()).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    let object: ConfigMap =
        serde_json::from_value(config_map("a", json!({}), json!({"k": "1"}))).expect("an object");
    let first = maps.create(&PostParams::default(), &object).await.expect("created");
    let twice = maps.create(&PostParams::default(), &object).await.expect_err("taken");
    assert_eq!(reason(&twice), (409, "AlreadyExists".to_owned()));
    let mut second = first.clone();
    second.data = Some([("k".to_owned(), "2".to_owned())].into());
    let second = maps.replace("a", &PostParams::default(), &second).await.expect("replaced");
    assert_ne!(first.metadata.resource_version, second.metadata.resource_version);
    let stale = maps.replace("a", &PostParams::default(), &first).await.expect_err("stale");
    assert_eq!(reason(&stale), (409, "Conflict".to_owned()));
    let other = Preconditions { uid: Some("other".into()), resource_version: None };
    let params = DeleteParams { preconditions: Some(other), ..DeleteParams::default() };
    let refused = maps.delete("a", &params).await.expect_err("another uid");
    assert_eq!(reason(&refused), (409, "Conflict".to_owned()));
    let dry = DeleteParams { dry_run: true, ..DeleteParams::default() };
    maps.delete("a", &dry).await.expect("would work");
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    let gone = maps.get("a").await.expect_err("gone");
    assert_eq!(reason(&gone), (404, "NotFound".to_owned()));
}

#[tokio::test(flavor = "multi_thread")]
async fn mistakes_are_refused_with_their_field() {
    let cluster = start(quick()).await;
    let deployments = cluster.deployments();
    let mut negative = deployment("web", 1, "nginx");
    negative["spec"]["replicas"] = json!(-1);
    let mut unselected = deployment("web", 1, "nginx");
    unselected["spec"]["selector"]["matchLabels"] = json!({"app": "other"});
    let unnamed = deployment("No_Name", 1, "nginx");
    for (object, field) in [
        (negative, "spec.replicas"),
        (unselected, "spec.template.metadata.labels"),
        (unnamed, "metadata.name"),
    ] {
        let object: DynamicObject = serde_json::from_value(object).expect("an object");
        let error = deployments.create(&PostParams::default(), &object).await.expect_err(field);
        assert_eq!(reason(&error), (422, "Invalid".to_owned()));
        assert!(error.to_string().contains(field), "{error}");
    }
    let lost: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "absent");
    let object = serde_json::from_value(config_map("a", json!({}), json!({}))).expect("an object");
    let error = lost.create(&PostParams::default(), &object).await.expect_err("no namespace");
    assert_eq!(reason(&error), (404, "NotFound".to_owned()));
    cluster.create(&deployments, deployment("web", 0, "nginx")).await;
    let patch = json!({"spec": {"selector": {"matchLabels": {"app": "x"}}, "template": {"metadata": {"labels": {"app": "x"}}}}});
    let error =
        deployments.patch("web", &PatchParams::default(), &Patch::Merge(patch)).await.expect_err("immutable");
    assert_eq!(reason(&error).0, 422);
}

#[tokio::test(flavor = "multi_thread")]
async fn lists_are_selected_and_paged() {
    let cluster = start(quick()).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    for number in 0..5 {
        let labels = json!({"set": "mine", "odd": (number % 2 == 1).to_string()});
        let object =
            serde_json::from_value(config_map(&format!("m-{number}"), labels, json!({}))).expect("an object");
        maps.create(&PostParams::default(), &object).await.expect("created");
    }
    let names = |list: &kube::core::ObjectList<ConfigMap>| -> Vec<String> {
        list.items.iter().filter_map(|map| map.metadata.name.clone()).collect()
    };
    let odd = maps.list(&ListParams::default().labels("set in (mine),odd!=false")).await.expect("a list");
    assert_eq!(names(&odd), ["m-1", "m-3"]);
    let one = maps.list(&ListParams::default().fields("metadata.name=m-2")).await.expect("a list");
    assert_eq!(names(&one), ["m-2"]);
    let mut params = ListParams::default().labels("set=mine").limit(2);
    let mut all = Vec::new();
    loop {
        let page = maps.list(&params).await.expect("a page");
        assert!(page.items.len() <= 2);
        all.extend(names(&page));
        match page.metadata.continue_.filter(|token| !token.is_empty()) {
            Some(token) => params = params.continue_token(&token),
            None => break,
        }
    }
    assert_eq!(all, ["m-0", "m-1", "m-2", "m-3", "m-4"]);
    let bad = maps.list(&ListParams::default().fields("data.k=1")).await.expect_err("not indexed");
    assert_eq!(reason(&bad).0, 400);
}

#[tokio::test(flavor = "multi_thread")]
async fn watches_follow_a_selection() {
    let cluster = start(quick()).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    let from = maps
        .list(&ListParams::default())
        .await
        .expect("a list")
        .metadata
        .resource_version
        .expect("a version");
    let params = WatchParams::default().labels("show=yes");
    let mut events = pin!(maps.watch(&params, &from).await.expect("a watch"));
    let object =
        serde_json::from_value(config_map("a", json!({"show": "yes"}), json!({}))).expect("an object");
    maps.create(&PostParams::default(), &object).await.expect("created");
    let label = |value: &str| Patch::Merge(json!({"metadata": {"labels": {"show": value}}}));
    for value in ["no", "yes"] {
        maps.patch("a", &PatchParams::default(), &label(value)).await.expect("patched");
    }
    maps.delete("a", &DeleteParams::default()).await.expect("deleted");
    let mut seen = Vec::new();
    while seen.len() < 4 {
        match events.try_next().await.expect("an event").expect("no end") {
            WatchEvent::Added(_) => seen.push("added"),
            WatchEvent::Modified(_) => seen.push("modified"),
            WatchEvent::Deleted(_) => seen.push("deleted"),
            WatchEvent::Bookmark(_) => {}
            WatchEvent::Error(error) => panic!("{error:?}"),
        }
    }
    assert_eq!(seen, ["added", "deleted", "added", "deleted"]);
}

#[tokio::test(flavor = "multi_thread")]
async fn what_history_forgot_is_gone() {
    let cluster = start(kubesim::Config { watch_history: 4, ..quick() }).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    for number in 0..10 {
        let object = serde_json::from_value(config_map(&format!("m-{number}"), json!({}), json!({})))
            .expect("an object");
        maps.create(&PostParams::default(), &object).await.expect("created");
    }
    let mut events = pin!(maps.watch(&WatchParams::default(), "2").await.expect("a watch"));
    match events.try_next().await.expect("an event") {
        Some(WatchEvent::Error(status)) => assert_eq!(status.code, 410),
        other => panic!("{other:?}"),
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn metadata_watchers_see_everything_once() {
    let cluster = start(quick()).await;
    cluster.create(&cluster.deployments(), deployment("web", 3, "nginx")).await;
    cluster.wait_for_pods("app=web", 3).await;
    for config in [
        watcher::Config::default().labels("app=web"),
        watcher::Config::default().labels("app=web").streaming_lists(),
    ] {
        let pods: Api<PartialObjectMeta<Pod>> = Api::default_namespaced(cluster.client.clone());
        let mut events = pin!(watcher::watcher(pods, config));
        let mut names = Vec::new();
        loop {
            match events.next().await.expect("no end").expect("an event") {
                watcher::Event::InitApply(pod) => names.push(pod.metadata.name),
                watcher::Event::InitDone => break,
                _ => {}
            }
        }
        assert_eq!(names.len(), 3);
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn server_side_apply_knows_its_managers() {
    let cluster = start(quick()).await;
    let api = cluster.deployments();
    let first = cluster.apply(&api, "one", &deployment("web", 2, "nginx:1")).await.expect("applied");
    let again = cluster.apply(&api, "one", &deployment("web", 2, "nginx:1")).await.expect("applied");
    assert_eq!(json_of(&first)["metadata"]["managedFields"][0]["manager"], "one");
    assert_eq!(first.metadata.generation, again.metadata.generation);
    let conflict =
        cluster.apply(&api, "two", &deployment("web", 5, "nginx:1")).await.expect_err("one holds it");
    assert_eq!(reason(&conflict), (409, "Conflict".to_owned()));
    assert!(conflict.to_string().contains(".spec.replicas"), "{conflict}");
    let params = PatchParams::apply("two").force();
    let forced =
        api.patch("web", &params, &Patch::Apply(deployment("web", 5, "nginx:1"))).await.expect("forced");
    assert_eq!(forced.data["spec"]["replicas"], 5);
    let mut labelled = deployment("web", 5, "nginx:1");
    labelled["metadata"]["labels"] = json!({"x": "1"});
    let labelled = cluster.apply(&api, "two", &labelled).await.expect("applied");
    assert_eq!(json_of(&labelled)["metadata"]["labels"], json!({"x": "1"}));
    let bare = cluster.apply(&api, "two", &deployment("web", 5, "nginx:1")).await.expect("applied");
    assert_eq!(json_of(&bare)["metadata"].get("labels"), None);
    let mut stale = deployment("web", 6, "nginx:1");
    stale["metadata"]["resourceVersion"] = json!("1");
    let stale = cluster.apply(&api, "two", &stale).await.expect_err("stale");
    assert_eq!(reason(&stale), (409, "Conflict".to_owned()));
    let dry = PatchParams { dry_run: true, ..PatchParams::apply("two").force() };
    let shown = api.patch("web", &dry, &Patch::Apply(deployment("web", 9, "nginx:1"))).await.expect("shown");
    assert_eq!(shown.data["spec"]["replicas"], 9);
    assert_eq!(api.get("web").await.expect("kept").data["spec"]["replicas"], 5);
}

#[tokio::test(flavor = "multi_thread")]
async fn owners_take_their_dependents_along_or_leave_them() {
    let cluster = start(quick()).await;
    let api = cluster.deployments();
    let sets = cluster.api("apps", "v1", "ReplicaSet", "replicasets");
    for (name, params, left) in [
        ("back", DeleteParams::background(), 0),
        ("fore", DeleteParams::foreground(), 0),
        ("orphan", DeleteParams::orphan(), 2),
    ] {
        cluster.create(&api, deployment(name, 2, "nginx")).await;
        let selector = format!("app={name}");
        cluster.wait_for_pods(&selector, 2).await;
        api.delete(name, &params).await.expect("deleted");
        eventually("the deployment is gone", || async {
            api.get_opt(name).await.expect("an answer").is_none().then_some(())
        })
        .await;
        cluster.wait_for_pods(&selector, left).await;
        let list = sets.list(&ListParams::default().labels(&selector)).await.expect("a list");
        assert_eq!(list.items.len(), left / 2, "{name}");
    }
}

#[tokio::test(flavor = "multi_thread")]
async fn namespaces_end_with_their_contents() {
    let cluster = start(quick()).await;
    let namespaces: Api<Namespace> = Api::all(cluster.client.clone());
    let object = serde_json::from_value(json!({"metadata": {"name": "team"}})).expect("an object");
    namespaces.create(&PostParams::default(), &object).await.expect("created");
    let maps: Api<ConfigMap> = Api::namespaced(cluster.client.clone(), "team");
    eventually("the authority's map", || async {
        maps.get_opt("kube-root-ca.crt").await.expect("an answer")
    })
    .await;
    let held = json!({"metadata": {"name": "held", "finalizers": ["example.com/hold"]}});
    let held = serde_json::from_value(held).expect("an object");
    maps.create(&PostParams::default(), &held).await.expect("created");
    namespaces.delete("team", &DeleteParams::default()).await.expect("deleted");
    let late = serde_json::from_value(config_map("late", json!({}), json!({}))).expect("an object");
    let refused = maps.create(&PostParams::default(), &late).await.expect_err("it ends");
    assert_eq!(reason(&refused).0, 403);
    eventually("the held map is marked", || async {
        let held = maps.get("held").await.expect("held");
        held.metadata.deletion_timestamp
    })
    .await;
    let release = Patch::Merge(json!({"metadata": {"finalizers": null}}));
    maps.patch("held", &PatchParams::default(), &release).await.expect("released");
    eventually("the namespace is gone", || async {
        namespaces.get_opt("team").await.expect("an answer").is_none().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn custom_kinds_are_served_while_defined() {
    let cluster = start(quick()).await;
    let gvk = kube::core::GroupVersionKind::gvk("apiextensions.k8s.io", "v1", "CustomResourceDefinition");
    let definitions: Api<DynamicObject> =
        Api::all_with(cluster.client.clone(), &kube::discovery::ApiResource::from_gvk(&gvk));
    let definition = json!({
        "apiVersion": "apiextensions.k8s.io/v1",
        "kind": "CustomResourceDefinition",
        "metadata": {"name": "boats.example.com"},
        "spec": {
            "group": "example.com",
            "scope": "Namespaced",
            "names": {"plural": "boats", "singular": "boat", "kind": "Boat"},
            "versions": [{"name": "v1", "served": true, "storage": true, "subresources": {"status": {}}, "schema": {"openAPIV3Schema": {"type": "object", "x-kubernetes-preserve-unknown-fields": true}}}],
        },
    });
    cluster.create(&definitions, definition).await;
    eventually("established", || async {
        let found = json_of(&definitions.get("boats.example.com").await.expect("a definition"));
        let conditions = found["status"]["conditions"].as_array().cloned().unwrap_or_default();
        conditions.iter().any(|one| one["type"] == "Established" && one["status"] == "True").then_some(())
    })
    .await;
    let boats = cluster.api("example.com", "v1", "Boat", "boats");
    let boat = json!({"apiVersion": "example.com/v1", "kind": "Boat", "metadata": {"name": "a"}, "spec": {"sails": 2}, "status": {"x": 1}});
    let made = cluster.apply(&boats, "one", &boat).await.expect("applied");
    assert_eq!((&made.data["spec"]["sails"], made.data.get("status")), (&json!(2), None));
    let status = Patch::Merge(json!({"status": {"afloat": true}, "spec": {"sails": 9}}));
    let told = boats.patch_status("a", &PatchParams::default(), &status).await.expect("patched");
    assert_eq!((&told.data["spec"]["sails"], &told.data["status"]["afloat"]), (&json!(2), &json!(true)));
    definitions.delete("boats.example.com", &DeleteParams::default()).await.expect("deleted");
    eventually("no longer served", || async {
        boats.list(&ListParams::default()).await.is_err().then_some(())
    })
    .await;
}

#[tokio::test(flavor = "multi_thread")]
async fn whoever_is_impersonated_may_do_what_his_roles_say() {
    let cluster = start(quick()).await;
    let mut config: Value = serde_json::from_str(&cluster.kubeconfig).expect("JSON");
    config["users"][0]["user"]["as"] = "system:serviceaccount:default:deployer".into();
    let deployer = common::client(&config.to_string()).await;
    let maps: Api<ConfigMap> = Api::default_namespaced(deployer.clone());
    let object: ConfigMap =
        serde_json::from_value(config_map("a", json!({}), json!({}))).expect("a config map");
    let denied = maps.create(&PostParams::default(), &object).await.expect_err("no role");
    let words = "User \"system:serviceaccount:default:deployer\" cannot create resource \"configmaps\" in API group \"\" in the namespace \"default\"";
    assert!(denied.to_string().contains(words) && reason(&denied).0 == 403, "{denied}");
    let put = async |kind: &str, plural: &str, mut object: Value| {
        (object["apiVersion"], object["kind"]) = ("rbac.authorization.k8s.io/v1".into(), kind.into());
        let resource = kube::api::ApiResource::from_gvk_with_plural(
            &kube::core::GroupVersionKind::gvk("rbac.authorization.k8s.io", "v1", kind),
            plural,
        );
        let api: Api<DynamicObject> = Api::default_namespaced_with(cluster.client.clone(), &resource);
        let object = serde_json::from_value(object).expect("an object");
        api.create(&PostParams::default(), &object).await.expect("it is stored");
    };
    let rules = json!([{"apiGroups": [""], "resources": ["configmaps"], "verbs": ["patch", "get"]}]);
    put("Role", "roles", json!({"metadata": {"name": "deployer"}, "rules": rules})).await;
    let role = json!({"apiGroup": "rbac.authorization.k8s.io", "kind": "Role", "name": "deployer"});
    let subjects = json!([{"kind": "ServiceAccount", "name": "deployer", "namespace": "default"}]);
    let binding = json!({"metadata": {"name": "deployer"}, "roleRef": role, "subjects": subjects});
    put("RoleBinding", "rolebindings", binding).await;
    let apply = async |name: &str| {
        let body = json!({"apiVersion": "v1", "kind": "ConfigMap", "metadata": {"name": name}});
        maps.patch(name, &PatchParams::apply("deployer"), &Patch::Apply(&body)).await
    };
    let denied = apply("a").await.expect_err("an apply of what is not there makes it");
    assert!(denied.to_string().contains("cannot create resource"), "{denied}");
    let own: Api<ConfigMap> = Api::default_namespaced(cluster.client.clone());
    own.create(&PostParams::default(), &object).await.expect("who has the token may");
    apply("a").await.expect("it may change what is there");
    let elsewhere: Api<ConfigMap> = Api::namespaced(deployer, "kube-system");
    assert_eq!(reason(&elsewhere.get("a").await.expect_err("a role of one namespace")).0, 403);
}
