//! What needs no hub: help, usage, previews, and the words for a hub that is not there.

use crate::stage::{godwit, godwit_with_input};

#[test]
fn usage_mistakes_end_with_two_and_help_with_zero() {
    let folder = tempfile::tempdir().unwrap();
    for args in [
        &["get", "pods"][..],
        &["get"],
        &["frobnicate"],
        &["scale", "workload", "web"],
        &["scale", "workload", "web", "--replicas", "-1"],
        &["scale", "workload", "web", "--replicas", "1000001"],
        &["scale", "cluster", "web", "--replicas", "1"],
        &["apply"],
        &["delete"],
        &["describe", "workload"],
        &["describe", "cluster/a", "b"],
        &["get", "workloads", "-n", "Not_A_Name"],
        &["diff"],
        &["cordon", "cluster"],
        &["cordon", "workload", "web"],
        &["cordon", "cluster/alpha", "bravo"],
        &["uncordon"],
        &["pause", "migration"],
        &["resume", "cluster", "alpha"],
        &["cancel", "migration/m-1", "m-2"],
        &["label", "cluster", "alpha"],
        &["label", "cluster", "alpha", "tier"],
        &["label", "cluster", "tier=prod"],
        &["taint", "cluster", "alpha", "team=data"],
        &["taint", "cluster", "alpha", "team=data:Never"],
        &["whatif"],
        &["whatif", "--lose", "Not_A_Name"],
        &["whatif", "--add", "echo"],
        &["whatif", "--add", "echo=alpha,echo=bravo"],
        &["completion", "tcsh"],
        &["dev", "--clusters", "0"],
        &["dev", "--clusters", "3", "--kubeconfig", "x"],
    ] {
        let said = godwit(folder.path(), args);
        assert_eq!(said.status, 2, "{args:?}: {said:?}");
        assert!(said.out.is_empty() && !said.err.is_empty(), "{args:?}: {said:?}");
    }
    for args in [&["--help"][..], &["get", "--help"], &["dev", "heal", "--help"], &["--version"]] {
        let said = godwit(folder.path(), args);
        assert_eq!((said.status, said.err.as_str()), (0, ""), "{args:?}");
        assert!(!said.out.is_empty());
    }
}

#[test]
fn help_is_short_enough_for_a_terminal() {
    let folder = tempfile::tempdir().unwrap();
    for command in [
        "apply",
        "diff",
        "get",
        "describe",
        "explain",
        "scale",
        "delete",
        "cordon",
        "uncordon",
        "pause",
        "resume",
        "cancel",
        "label",
        "taint",
        "whatif",
        "freeze",
        "confirm",
        "plan",
        "dev",
        "completion",
    ] {
        let help = godwit(folder.path(), [command, "--help"]).out;
        for line in help.lines() {
            assert!(line.chars().count() <= 100, "{command}: {line}");
        }
    }
}

#[test]
fn without_a_context_it_says_where_it_looked() {
    let folder = tempfile::tempdir().unwrap();
    let said = godwit(folder.path(), ["get", "clusters"]);
    assert_eq!(said.status, 1);
    assert!(
        said.err.contains(".godwit/dev/config.yaml") && said.err.contains("none/godwit/config.yaml"),
        "{said:?}"
    );
    assert!(said.err.contains("hint: start one with `godwit dev`"), "{said:?}");
    let said = godwit(folder.path(), ["--config", "nowhere.yaml", "get", "clusters"]);
    assert!(said.status == 1 && said.err.contains("nowhere.yaml: No such file"), "{said:?}");
    let said = godwit(folder.path(), ["dev", "kill-agent", "alpha"]);
    assert!(said.status == 1 && said.err.contains("there is no .godwit/dev"), "{said:?}");
}

#[test]
fn a_scenario_is_answered_without_a_hub() {
    let folder = tempfile::tempdir().unwrap();
    let scenario = "
replicas: 100
policy: {clusters: {alpha: {weight: 1}, bravo: {weight: 2}, charlie: {weight: 2, max: 30}}}
clusters: [{name: delta}, {name: charlie}, {name: bravo, room: 45}, {name: alpha}]
";
    let said = godwit_with_input(folder.path(), &["plan", "-f", "-", "-o", "json"], scenario);
    assert_eq!((said.status, said.err.as_str()), (0, ""));
    let answer: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    let placements = serde_json::json!([
        {"cluster": "alpha", "replicas": 25},
        {"cluster": "bravo", "replicas": 45},
        {"cluster": "charlie", "replicas": 30},
    ]);
    assert_eq!(answer["placements"], placements);
    assert_eq!(answer["pending"], 0);
    assert_eq!(answer["report"][3]["eligible"], false);
    assert_eq!(answer["report"][1]["reason"], "no room");
    assert_eq!(answer["report"][1]["remedy"], "more room");
    assert_eq!(answer["report"][0]["remedy"], serde_json::Value::Null);
    assert_eq!(answer.as_object().unwrap().len(), 3);

    let said = godwit_with_input(folder.path(), &["plan", "-f", "-"], &scenario.replace("{name: alpha}", ""));
    assert_eq!(said.status, 0);
    insta::assert_snapshot!(said.out, @r"
    CLUSTER   RUNNING   REPLICAS   CHANGE   REASON
    bravo     0         45         +45      no room
    charlie   0         30         +30      maximum reached
    delta     0         0          -        not eligible: not chosen by the policy
    25 pending: maximum reached; no room; not eligible: not chosen by the policy
    ");
    let said = godwit_with_input(folder.path(), &["plan", "-f", "-"], "replicas: -1");
    assert_eq!(said.status, 1);
    assert!(said.err.contains("standard input:1:11: replicas: -1 is not valid here"), "{said:?}");
}

#[test]
fn mistakes_in_manifests_point_into_the_file_and_need_no_hub() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::write(
        folder.path().join("web.yaml"),
        "apiVersion: apps/v1\nkind: Deployment\nmetadata:\n  nam: web\n",
    )
    .unwrap();
    let said = godwit(folder.path(), ["apply", "-f", "web.yaml"]);
    assert_eq!(said.status, 1);
    assert!(said.err.lines().next().is_some_and(|line| line.starts_with("error: web.yaml:")), "{said:?}");
    assert!(said.err.contains("hint: nothing was sent to the hub"), "{said:?}");
    let said = godwit_with_input(folder.path(), &["apply", "-f", "-"], "\u{0}");
    assert!(said.status == 1 && said.err.starts_with("error: standard input"), "{said:?}");
}

#[test]
fn malformed_labels_and_taints_are_named_with_the_right_form() {
    let folder = tempfile::tempdir().unwrap();
    for (args, says) in [
        (&["label", "cluster", "alpha", "tier"][..], "label argument \"tier\": it has neither an = nor a -"),
        (&["label", "cluster/alpha"], "required"),
        (&["taint", "cluster/alpha", "a=b:Never"], "taint argument \"a=b:Never\": \"Never\" is no effect"),
        (&["taint", "cluster", "a=b:NoExecute"], "cluster name \"a=b:NoExecute\" is not valid"),
        (
            &["cordon", "cluster", "Alpha"],
            "cluster name \"Alpha\" is not valid: it must be lower-case letters",
        ),
    ] {
        let said = godwit(folder.path(), args);
        assert!(said.status == 2 && said.err.contains(says), "{args:?}: {said:?}");
    }
}

#[test]
fn a_comparison_that_cannot_be_made_ends_with_two() {
    let folder = tempfile::tempdir().unwrap();
    let bad = godwit_with_input(folder.path(), &["diff", "-f", "-"], "kind: [");
    assert!(bad.status == 2 && bad.err.starts_with("error: standard input"), "{bad:?}");
    let absent = godwit(folder.path(), ["diff", "-f", "nowhere.yaml"]);
    assert!(absent.status == 2 && absent.err.contains("nowhere.yaml: No such file"), "{absent:?}");
    std::fs::write(
        folder.path().join("even.yaml"),
        "apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {name: even}\nspec: {}\n",
    )
    .unwrap();
    let said = godwit(folder.path(), ["diff", "-f", "even.yaml"]);
    assert!(said.status == 2 && said.err.contains("no context"), "{said:?}");
}

#[test]
fn completion_scripts_know_the_commands() {
    let folder = tempfile::tempdir().unwrap();
    for shell in ["bash", "zsh", "fish"] {
        let said = godwit(folder.path(), ["completion", shell]);
        assert_eq!(said.status, 0);
        for word in ["apply", "workloads", "quotas", "uncordon", "whatif", "kill-cluster"] {
            assert!(said.out.contains(word), "{shell}: {word}");
        }
        assert!(!said.out.contains("__hub"), "hidden names stay hidden");
    }
}

#[test]
fn the_parts_run_under_hidden_names() {
    let folder = tempfile::tempdir().unwrap();
    for (name, program) in [("__hub", "godwit-hub"), ("__agent", "godwit-agent"), ("__kubesim", "kubesim")] {
        let said = godwit(folder.path(), [name, "--version"]);
        assert!(said.status == 0 && said.out.starts_with(program), "{said:?}");
    }
    assert!(!godwit(folder.path(), ["--help"]).out.contains("__"));
}
