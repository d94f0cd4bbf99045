//! What is different in some clusters has the same verdict as a manifest and as a message, in the same words.

use godwit_manifest::parse_policies;
use godwit_proto::json::{from_json, to_json};
use godwit_proto::policy::{from_wire, to_wire};
use godwit_proto::v1;
use serde_json::{Value, json};

type Spec = godwit_common::policy::Policy;

fn by_manifest(rules: &Value) -> Result<Spec, String> {
    let spec = json!({"overrides": rules});
    let document =
        json!({"apiVersion": "godwit.dev/v1", "kind": "Policy", "metadata": {"name": "p"}, "spec": spec});
    let policies = parse_policies(&document.to_string());
    let mistakes = policies.map(|mut policies| policies.remove(0).placement).map_err(|errors| {
        let one = |error: &godwit_manifest::ManifestError| {
            format!("{}: {}; {}", error.field, error.problem, error.remedy)
        };
        errors.errors().iter().map(one).collect::<Vec<_>>().join("\n")
    });
    mistakes.map_err(|text| text.replace("spec.", ""))
}

fn by_message(rules: &Value) -> Result<Spec, String> {
    let message: v1::PolicySpec =
        from_json(&json!({"overrides": rules})).map_err(|error| format!("{error:?}"))?;
    from_wire("", &message).map(|terms| terms.placement).map_err(|error| error.to_string())
}

#[test]
fn what_one_takes_the_other_takes_and_it_comes_back_as_it_was() {
    let rules = json!([
        {"clusterSelector": {"regions": ["eu"]}, "image": {"registry": "eu.example.com:5000", "prefix": "a/b", "tag": "v1"}},
        {"objects": {"kinds": ["Deployment"], "names": ["web"], "namespaces": ["shop"]}, "containers": ["web"],
         "env": {"MODE": "a b", "_x.y-z": ""}, "labels": {"tier": "eu"}, "annotations": {"example.com/note": "any text"}},
        {"storageClass": "fast", "objects": {"kinds": ["StatefulSet"]}, "jsonPatch": [
            {"op": "add", "path": "/spec/a", "value": [1.0, -0.0, 1e3, 1e300, 0.1, 9_007_199_254_740_992_u64]}]},
        {"objects": {"kinds": ["Service", "Secret"]}, "jsonPatch": [
            {"op": "add", "path": "/spec/a~1b/~0", "value": {"b": [1, -2.5, "x", true, null], "a": {}}},
            {"op": "replace", "path": "/spec/n", "value": null},
            {"op": "test", "path": "/metadata/name", "value": "web"},
            {"op": "move", "from": "/spec/a", "path": "/spec/b"},
            {"op": "copy", "from": "/metadata/name", "path": "/spec/b"},
            {"op": "remove", "path": "/metadata/labels/tier"}]},
    ]);
    let (written, sent) = (by_manifest(&rules).unwrap(), by_message(&rules).unwrap());
    assert_eq!(written, sent);
    let wire = to_wire(&sent, None);
    assert_eq!(from_wire("", &wire).map(|terms| terms.placement), Ok(sent));
    let text = |index: usize| sent_text(&wire, index);
    assert_eq!(text(2), "[1,0,1000,1e+300,0.1,9007199254740992]");
    let value = &to_json(&wire).unwrap()["overrides"][3]["jsonPatch"][0]["value"];
    assert_eq!(value["b"][1], -2.5, "any JSON, as it is: {value}");
}

/// The first value of the first patch of a rule, as everybody keeps it.
fn sent_text(wire: &v1::PolicySpec, index: usize) -> String {
    let placement = from_wire("", wire).expect("a good policy").placement;
    placement.overrides[index].change.patch[0].value.as_deref().expect("a value").to_owned()
}

#[test]
fn what_one_refuses_the_other_refuses_with_the_field_the_value_and_the_remedy() {
    let patch = |operation: Value| json!([{"objects": {"kinds": ["Deployment"]}, "jsonPatch": [operation]}]);
    let add = |path: &str| patch(json!({"op": "add", "path": path, "value": 1}));
    let secret = |path: &str| json!([{"objects": {"kinds": ["Secret"]}, "jsonPatch": [{"op": "test", "path": path, "value": 1}]}]);
    let mut wrong = Vec::new();
    for (rules, says) in [
        (json!([{}]), "[0]: it changes nothing; write image, env,"),
        (json!([{"labels": {}}]), "[0]: it changes nothing"),
        (
            json!([{"containers": ["a"], "labels": {"a": "b"}}]),
            "[0].containers: it says which containers, and nothing",
        ),
        (json!([{"containers": ["A"], "env": {"a": "b"}}]), "[0].containers"),
        (
            json!([{"image": {"registry": "https://eu.io"}}]),
            "[0].image.registry: \"https://eu.io\" is no registry of an image; write one such as registry.example.com:5000",
        ),
        (json!([{"image": {"prefix": "/a"}}]), "[0].image.prefix: \"/a\" is no prefix"),
        (json!([{"image": {"tag": "a b"}}]), "[0].image.tag: \"a b\" is no tag"),
        (json!([{"env": {"a=b": "c"}}]), "[0].env[\"a=b\"]: \"a=b\" is no name of a variable"),
        (json!([{"labels": {"godwit.dev/uid": "1"}}]), "godwit.dev/uid is Godwit's own"),
        (json!([{"labels": {"a": "b c"}}]), "\"b c\" is not a value"),
        (json!([{"annotations": {"a b": ""}}]), "\"a b\" is not a key"),
        (json!([{"storageClass": "Fast"}]), "[0].storageClass: "),
        (
            json!([{"objects": {"kinds": ["deployment"]}, "env": {"a": "b"}}]),
            "kind \"deployment\" is not valid",
        ),
        (
            json!([{"jsonPatch": [{"op": "remove", "path": "/spec/a"}]}]),
            "it does not say of which kinds of objects",
        ),
        (patch(json!({"op": "add", "path": "/spec/a"})), "value is missing, and add needs it; write it"),
        (
            patch(json!({"op": "remove", "path": "/spec/a", "value": 1})),
            "value: remove takes none; remove it",
        ),
        (patch(json!({"op": "copy", "path": "/spec/a"})), "from is missing, and copy needs it"),
        (add("spec"), "path: \"spec\" is no JSON pointer; write one such as"),
        (add("/spec/~2"), "path: \"/spec/~2\" is no JSON pointer"),
        (add(""), "path:  holds what makes the object what it is"),
        (
            add("/spec"),
            "path: /spec holds what makes the object what it is; name the fields below it that change",
        ),
        (add("/kind"), "path: /kind says which object it is; leave it out"),
        (add("/metadata/namespace"), "path: /metadata/namespace says which object it is"),
        (add("/metadata/uid"), "path: /metadata/uid says which object it is"),
        (add("/metadata/annotations/godwit.dev~1manifest"), "is Godwit's own"),
        (add("/spec/replicas"), "path: /spec/replicas is each cluster's share of the total; use weights"),
        (add("/status/replicas"), "path: /status/replicas is the cluster's own"),
        (
            patch(json!({"op": "move", "from": "/metadata/name", "path": "/spec/a"})),
            "from: /metadata/name says",
        ),
        (secret("/data/password"), "path: /data/password is what a Secret hides, and a policy does not"),
    ] {
        for (form, refused) in [("manifest", by_manifest(&rules)), ("message", by_message(&rules))] {
            let refused = refused.expect_err(&rules.to_string());
            let refused = refused.replace("env.a=b", "env[\"a=b\"]").replace("env[a=b]", "env[\"a=b\"]");
            let refused = refused.replace("storage_class", "storageClass");
            if !refused.contains(says) {
                wrong.push(format!("{form}: {refused:?} lacks {says:?}"));
            }
        }
    }
    assert_eq!(wrong, Vec::<String>::new());
}

#[test]
fn how_much_rules_may_say_is_bounded() {
    let one = json!({"env": {"A": "b"}});
    let rules = |count: usize| Value::from(vec![one.clone(); count]);
    assert!(by_manifest(&rules(64)).is_ok() && by_message(&rules(64)).is_ok());
    for refused in [by_manifest(&rules(65)), by_message(&rules(65))] {
        assert_eq!(refused.unwrap_err(), "overrides: 65 are too many; give at most 64");
    }
    let long = json!([{"env": {"A": "x".repeat(9_000)}}, {"env": {"A": "x".repeat(9_000)}}]);
    for refused in [by_manifest(&long), by_message(&long)] {
        let refused = refused.unwrap_err();
        assert!(
            refused.starts_with("overrides[1]: with it, the rules have more than 16384 bytes"),
            "{refused}"
        );
    }
    let deep = (0..80).fold(json!(1), |value, _| json!([value]));
    let patch = json!([{"objects": {"kinds": ["A"]}, "jsonPatch": [{"op": "add", "path": "/spec/a", "value": deep}]}]);
    assert!(by_manifest(&patch).is_err());
    let exact = json!([{"objects": {"kinds": ["A"]}, "jsonPatch": [
        {"op": "add", "path": "/spec/a", "value": 9_007_199_254_740_993_u64}]}]);
    assert!(by_manifest(&exact).unwrap_err().contains("too large to be exact"));
}
