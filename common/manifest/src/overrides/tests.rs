//! Tables of changes and what comes of them, and properties.

use proptest::prelude::*;
use serde_json::json;

use super::*;

fn key(kind: &str) -> ObjectKey {
    ObjectKey::new("v1", kind, "shop", "web").unwrap()
}

fn web() -> Value {
    json!({
        "apiVersion": "apps/v1", "kind": "Deployment",
        "metadata": {"name": "web", "namespace": "shop", "labels": {"team": "a"}},
        "spec": {"selector": {"matchLabels": {"app": "web"}}, "template": {
            "metadata": {"labels": {"app": "web"}},
            "spec": {
                "initContainers": [{"name": "init", "image": "tool:3"}],
                "containers": [
                    {"name": "web", "image": "web:1", "env": [{"name": "MODE", "value": "x"}, {"name": "TOKEN", "valueFrom": {}}]},
                    {"name": "log", "image": "quay.io/log"}]}}}})
}

/// What is at a place of the Deployment, with these changes.
fn at(changes: Value, path: &str) -> Value {
    let object = render(&key("Deployment"), web(), &changes.to_string()).unwrap();
    object.pointer(path).cloned().unwrap_or_default()
}

const POD: &str = "/spec/template/spec";

#[test]
fn images_and_variables_are_those_of_all_containers_or_of_those_that_are_named() {
    let eu = json!([{"image": {"registry": "eu.io"}}]);
    let image = |changes: &Value, path: &str| at(changes.clone(), &format!("{POD}/{path}/image"));
    let images = ["initContainers/0", "containers/0", "containers/1"].map(|path| image(&eu, path));
    assert_eq!(images, ["eu.io/tool:3", "eu.io/web:1", "eu.io/log"].map(|image| json!(image)));
    let named = json!([{"containers": ["log"], "image": {"tag": "7"}, "env": {"A": "b"}}]);
    assert_eq!(image(&named, "containers/0"), "web:1");
    assert_eq!(image(&named, "containers/1"), "quay.io/log:7");
    assert_eq!(at(named, &format!("{POD}/containers/1/env")), json!([{"name": "A", "value": "b"}]));
    let env = json!([{"env": {"TOKEN": "t", "NEW": "n"}}]);
    assert_eq!(
        at(env, &format!("{POD}/containers/0/env")),
        json!([{"name": "MODE", "value": "x"}, {"name": "TOKEN", "value": "t"}, {"name": "NEW", "value": "n"}])
    );
}

#[test]
fn labels_and_annotations_are_those_of_the_object_and_of_its_pods() {
    let both = json!([{"labels": {"region": "eu"}, "annotations": {"note": "n"}}]);
    assert_eq!(at(both.clone(), "/metadata/labels"), json!({"team": "a", "region": "eu"}));
    assert_eq!(at(both.clone(), "/spec/template/metadata/labels"), json!({"app": "web", "region": "eu"}));
    assert_eq!(at(both.clone(), "/spec/template/metadata/annotations"), json!({"note": "n"}));
    let service = json!({"metadata": {"name": "web"}, "spec": {"selector": {"app": "web"}}});
    let rendered = render(&key("Service"), service, &both.to_string()).unwrap();
    assert_eq!(rendered["spec"], json!({"selector": {"app": "web"}}), "it makes no pods");
}

#[test]
fn a_storage_class_is_that_of_every_claim() {
    let changes = json!([{"storageClass": "fast"}]).to_string();
    let claim = json!({"kind": "PersistentVolumeClaim", "spec": {"storageClassName": "slow"}});
    let rendered = render(&key("PersistentVolumeClaim"), claim, &changes).unwrap();
    assert_eq!(rendered["spec"]["storageClassName"], "fast");
    let set = json!({"spec": {"volumeClaimTemplates": [{"metadata": {"name": "data"}, "spec": {}}]}});
    let rendered = render(&key("StatefulSet"), set, &changes).unwrap();
    assert_eq!(rendered["spec"]["volumeClaimTemplates"][0]["spec"]["storageClassName"], "fast");
    let config = json!({"spec": {"storageClassName": "slow"}});
    assert_eq!(render(&key("ConfigMap"), config.clone(), &changes).unwrap(), config);
}

#[test]
fn a_patch_is_carried_out_after_all_else_and_in_its_order() {
    let path = format!("{POD}/containers/0/image");
    let changes = json!([
        {"image": {"tag": "2"}, "jsonPatch": [
            {"op": "test", "path": path, "value": "web:2"},
            {"op": "add", "path": format!("{POD}/priorityClassName"), "value": "low"}]},
        {"jsonPatch": [{"op": "replace", "path": format!("{POD}/priorityClassName"), "value": "high"}]},
    ]);
    assert_eq!(at(changes, &format!("{POD}/priorityClassName")), "high");
}

#[test]
fn what_cannot_be_carried_out_is_named_and_nothing_comes_of_it() {
    let patch = |op: Value| json!([{"jsonPatch": [op]}]);
    let image = json!({"op": "remove", "path": format!("{POD}/containers/0/image")});
    for (changes, problem) in [
        (patch(json!({"op": "remove", "path": "/spec/nothing"})), "jsonPatch remove /spec/nothing: "),
        (patch(json!({"op": "test", "path": "/kind", "value": "Job"})), "jsonPatch test /kind: "),
        (patch(json!({"op": "add", "path": "/spec/a/b", "value": 1})), "jsonPatch add /spec/a/b: "),
        (
            json!([{"jsonPatch": [image]}, {"image": {"tag": "2"}}]),
            "the override 2 of 2 cannot be carried out: container web has no image",
        ),
        (patch(json!({"op": "add", "path": "/metadata/labels/n", "value": 1})), "not all texts"),
        (json!([{"colour": "red"}]), "cannot be read by this build"),
        (json!({}), "cannot be read by this build"),
    ] {
        let error = render(&key("Deployment"), web(), &changes.to_string()).unwrap_err();
        assert!(error.contains(problem), "{error}");
    }
}

#[test]
fn who_an_object_is_and_what_the_hub_decides_by_is_the_same_everywhere() {
    let replace = |path: &str, value: Value| json!({"op": "add", "path": path, "value": value});
    for (path, value) in [
        ("/kind", json!("Job")),
        ("/metadata/name", json!("other")),
        ("/metadata/uid", json!("1")),
        ("/metadata/labels/godwit.dev~1uid", json!("1")),
        ("/spec/replicas", json!(9)),
        ("/spec/selector/matchLabels/app", json!("other")),
        ("/metadata/ownerReferences", json!([{"kind": "Rollout", "name": "web", "uid": "1"}])),
        ("/spec/strategy", json!({"type": "RollingUpdate"})),
        ("/spec/paused", json!(true)),
        ("/spec/minReadySeconds", json!(900)),
        ("/spec/progressDeadlineSeconds", json!(1)),
        ("/spec/template/spec/terminationGracePeriodSeconds", json!(900)),
        ("/spec/template/spec/volumes", json!([{"name": "a", "persistentVolumeClaim": {"claimName": "a"}}])),
    ] {
        let changes = json!([{"jsonPatch": [replace(path, value)]}]).to_string();
        let error = render(&key("Deployment"), web(), &changes).unwrap_err();
        assert!(error.contains("the same in every cluster"), "{path}: {error}");
    }
    for (path, value) in [
        ("/spec/updateStrategy", json!({"type": "OnDelete"})),
        ("/spec/persistentVolumeClaimRetentionPolicy", json!({"whenScaled": "Delete"})),
        ("/spec/ordinals", json!({"start": 5})),
    ] {
        let set =
            json!({"kind": "StatefulSet", "metadata": {"name": "web"}, "spec": {"template": {"spec": {}}}});
        let changes = json!([{"jsonPatch": [replace(path, value)]}]).to_string();
        let error = render(&key("StatefulSet"), set, &changes).unwrap_err();
        assert!(error.contains(path), "{path}: {error}");
    }
    let budget = json!({"spec": {"maxUnavailable": 1, "selector": {"matchLabels": {"app": "web"}}}});
    let changes =
        json!([{"jsonPatch": [replace("/spec/selector/matchLabels/app", json!("api"))]}]).to_string();
    let error = render(&key("PodDisruptionBudget"), budget, &changes).unwrap_err();
    assert!(error.contains("/spec/selector"), "{error}");
    let scaler = json!({"spec": {"maxReplicas": 3, "scaleTargetRef": {"name": "web"}}});
    let changes = json!([{"jsonPatch": [replace("/spec/maxReplicas", json!(9))]}]).to_string();
    let error = render(&key("HorizontalPodAutoscaler"), scaler, &changes).unwrap_err();
    assert!(error.contains("/spec/maxReplicas"), "{error}");
}

#[test]
fn what_grows_without_end_is_stopped() {
    let grow = json!({"op": "copy", "from": "/spec/template", "path": "/spec/template/spec/x"});
    let changes = json!([{"jsonPatch": vec![grow; 64]}]).to_string();
    let error = render(&key("Deployment"), web(), &changes).unwrap_err();
    assert!(error.contains("levels"), "{error}");
}

#[test]
fn what_is_checked_is_what_could_be_deployed() {
    let manifest = web().to_string();
    let deployment = ObjectKey::new("apps/v1", "Deployment", "shop", "web").unwrap();
    let of = |changes: Value| check(&deployment, &manifest, &changes.to_string());
    assert_eq!(of(json!([{"image": {"registry": "eu.io"}}])), Ok(()));
    let selected = of(json!([{"labels": {"app": "other"}}])).unwrap_err();
    assert!(selected.contains("it is no Deployment any more"), "{selected}");
    let unknown = json!({"op": "add", "path": "/spec/colour", "value": "red"});
    assert!(of(json!([{"jsonPatch": [unknown]}])).unwrap_err().contains("spec.colour"));
}

proptest! {
    /// What is changed by its name and not by its place: rendering twice is rendering once, and who it is stays.
    #[test]
    fn rendering_twice_is_rendering_once(
        registry in proptest::option::of("[a-z]{1,4}\\.io"),
        prefix in proptest::option::of("[a-z]{1,3}"),
        tag in proptest::option::of("[a-z0-9]{1,3}"),
        names in proptest::sample::subsequence(vec!["web", "log", "init"], 0..3),
        texts in proptest::collection::btree_map("[a-z]{1,2}", "[a-z]{0,2}", 0..3),
    ) {
        let mut image = serde_json::Map::new();
        for (name, value) in [("registry", registry), ("prefix", prefix), ("tag", tag)] {
            image.extend(value.map(|value| (name.to_owned(), json!(value))));
        }
        let changes = json!([{"containers": names, "image": image, "env": texts, "annotations": texts}]);
        let changes = changes.to_string();
        let key = key("Deployment");
        let once = render(&key, web(), &changes).unwrap();
        prop_assert_eq!(&render(&key, once.clone(), &changes).unwrap(), &once);
        prop_assert_eq!(identity::of(&key, &once), identity::of(&key, &web()));
        prop_assert_eq!(render(&key, web(), "").unwrap(), web(), "nothing changes nothing");
    }

    /// Any patch either fails or leaves who the object is.
    #[test]
    fn no_patch_changes_who_an_object_is(
        operations in proptest::collection::vec(
            (0..6_usize, 0..PATHS.len(), 0..PATHS.len(), 0..3_u8), 1..6),
    ) {
        let operations: Vec<Value> = operations.into_iter().map(|(verb, path, from, value)| {
            let verb = ["add", "remove", "replace", "move", "copy", "test"][verb];
            let mut operation = json!({"op": verb, "path": PATHS[path]});
            match verb {
                "move" | "copy" => operation["from"] = json!(PATHS[from]),
                "remove" => {}
                _ => operation["value"] = [json!("x"), json!({"a": [1]}), Value::Null][usize::from(value)].clone(),
            }
            operation
        }).collect();
        let key = key("Deployment");
        if let Ok(object) = render(&key, web(), &json!([{"jsonPatch": operations}]).to_string()) {
            prop_assert_eq!(identity::of(&key, &object), identity::of(&key, &web()));
        }
    }
}

const PATHS: [&str; 16] = [
    "",
    "/kind",
    "/metadata",
    "/metadata/name",
    "/metadata/labels",
    "/metadata/labels/team",
    "/metadata/annotations",
    "/spec",
    "/spec/replicas",
    "/spec/selector",
    "/spec/template",
    "/spec/template/metadata",
    "/spec/template/spec/containers/0",
    "/spec/template/spec/containers/-",
    "/spec/template/spec/containers/0/env/1",
    "/status",
];
