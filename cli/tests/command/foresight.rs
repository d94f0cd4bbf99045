//! What would move, and what does: `diff`, `whatif`, quotas, and what operators put on clusters.

use serde_json::json;

use crate::stage::Dev;

const SHOP: &str = "\
apiVersion: godwit.dev/v1
kind: Quota
metadata: {name: shop}
spec: {hard: {replicas: 60}}
---
apiVersion: godwit.dev/v1
kind: Policy
metadata: {name: even}
spec: {default: {weight: 1}, rebalance: always}
---
apiVersion: apps/v1
kind: Deployment
metadata: {name: web, namespace: shop, annotations: {godwit.dev/policy: even}}
spec:
  replicas: 12
  selector: {matchLabels: {app: web}}
  template:
    metadata: {labels: {app: web}}
    spec: {containers: [{name: web, image: web, resources: {requests: {cpu: 100m}}}]}
";

fn start() -> Dev {
    let dev = Dev::start(&[]);
    std::fs::write(dev.folder.path().join("shop.yaml"), SHOP).unwrap();
    dev
}

#[test]
fn what_files_would_change_is_told_before_and_nothing_after() {
    let dev = start();
    let created = "quota/shop created\npolicy/even created\n\
                   deployment/web created in shop: alpha 0 -> 4, bravo 0 -> 4, charlie 0 -> 4\n";
    let said = dev.godwit(&["diff", "-f", "shop.yaml"]);
    assert_eq!((said.status, said.out.as_str()), (1, created), "{said:?}");
    let dry = dev.works(&["apply", "-f", "shop.yaml", "--dry-run"]);
    assert!(dry.starts_with("quota/shop created (dry run)\npolicy/even created (dry run)\n"), "{dry}");
    assert_eq!(dev.json(&["get", "quotas", "-o", "json"]), json!({"items": []}));

    let applied = dev.works(&["apply", "-f", "shop.yaml"]);
    assert!(applied.starts_with("quota/shop created\npolicy/even created\n"), "{applied}");
    let said = dev.godwit(&["diff", "-f", "shop.yaml"]);
    assert_eq!((said.status, said.out.as_str(), said.err.as_str()), (0, "", ""));
    let said = dev.godwit(&["diff", "-f", "shop.yaml", "-o", "json"]);
    assert_eq!((said.status, said.out.trim()), (0, "{\n  \"items\": []\n}"));

    // A policy's dry run tells what moves, be it in the files or not.
    let policy = "apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {name: even}\n\
                  spec: {clusters: {bravo: {}, charlie: {}}, rebalance: always}\n";
    std::fs::write(dev.folder.path().join("even.yaml"), policy).unwrap();
    let said = dev.godwit(&["diff", "-f", "even.yaml"]);
    let moves =
        "policy/even configured\n  deployment/web in shop: alpha 4 -> 0, bravo 4 -> 6, charlie 4 -> 6\n";
    assert_eq!((said.status, said.out.as_str()), (1, moves), "{said:?}");
    let said = dev.godwit(&["diff", "-f", "even.yaml", "-o", "json"]);
    let document: serde_json::Value = serde_json::from_str(&said.out).unwrap();
    assert_eq!(document["items"][0]["changes"][0]["shares"][0]["after"], 0);
    assert_eq!(dev.works(&["apply", "-f", "even.yaml"]), moves);

    let refused = dev.godwit(&["diff", "-f", "shop.yaml", "--policy", "nope"]);
    assert!(refused.status == 2 && refused.err.contains("nope"), "{refused:?}");
}

#[test]
fn a_quota_is_shown_with_its_use_and_deleted() {
    let dev = start();
    dev.works(&["apply", "-f", "shop.yaml", "--replicas", "60"]);
    let table = dev.works(&["get", "quotas"]);
    let words: Vec<&str> = table.lines().nth(1).unwrap().split_whitespace().collect();
    assert_eq!(words, ["shop", "60/60", "6/-", "0/-"]);
    assert_eq!(dev.works(&["get", "quota", "shop", "-o", "name"]), "quota/shop\n");
    assert!(dev.works(&["describe", "quota", "shop"]).contains("replicas            60     60"));
    // What waits for a wider quota is told before and after.
    dev.works(&["scale", "workload", "shop/web", "--replicas", "63"]);
    let wider = SHOP.replace("replicas: 60", "replicas: 63");
    std::fs::write(dev.folder.path().join("wider.yaml"), &wider[..wider.find("---").unwrap()]).unwrap();
    let moves = "quota/shop configured\n  deployment/web in shop: alpha 20 -> 21, bravo 20 -> 21, charlie 20 -> 21, \
                 no longer 3 pending\n";
    let said = dev.godwit(&["diff", "-f", "wider.yaml"]);
    assert_eq!((said.status, said.out.as_str()), (1, moves), "{said:?}");
    assert_eq!(dev.works(&["apply", "-f", "wider.yaml"]), moves);

    let missing = dev.godwit(&["describe", "quota", "other"]);
    assert!(missing.status == 1 && missing.err.contains("godwit get quotas"), "{missing:?}");
    assert_eq!(dev.works(&["delete", "quota", "shop"]), "quota/shop deleted\n");
    assert_eq!(dev.json(&["get", "quotas", "-o", "json"]), json!({"items": []}));
}

#[test]
fn what_operators_put_on_clusters_is_told_with_what_moves() {
    let dev = start();
    dev.works(&["apply", "-f", "shop.yaml"]);
    assert_eq!(
        dev.works(&["cordon", "cluster", "alpha", "bravo"]),
        "cluster/alpha cordoned\ncluster/bravo cordoned\n"
    );
    assert_eq!(dev.works(&["cordon", "cluster/alpha"]), "cluster/alpha unchanged\n");
    assert!(dev.works(&["get", "clusters"]).contains("Ready,cordoned"));
    let said = dev.godwit(&["uncordon", "cluster", "nope", "alpha", "bravo"]);
    assert!(said.status == 1 && said.err.starts_with("error: cluster/nope: not found"), "{said:?}");
    assert_eq!(said.out, "cluster/alpha uncordoned\ncluster/bravo uncordoned\n");

    let labeled = dev.works(&["label", "cluster", "alpha", "tier=prod", "--dry-run"]);
    assert_eq!(labeled, "cluster/alpha labeled (dry run)\n");
    assert_eq!(dev.works(&["label", "cluster", "alpha", "tier=prod"]), "cluster/alpha labeled\n");
    assert_eq!(dev.works(&["label", "cluster", "alpha", "tier=prod"]), "cluster/alpha unchanged\n");
    assert_eq!(dev.json(&["get", "cluster", "alpha", "-o", "json"])["labels"], json!({"tier": "prod"}));

    let moves = "  deployment/web in shop: alpha 4 -> 0, bravo 4 -> 6, charlie 4 -> 6\n";
    let dry = dev.works(&["taint", "cluster", "alpha", "gone=soon:NoExecute", "--dry-run"]);
    assert_eq!(dry, format!("cluster/alpha tainted (dry run)\n{moves}"));
    let answer = dev.json(&["taint", "cluster", "alpha", "gone=soon:NoExecute", "-o", "json"]);
    assert_eq!(answer["changes"][0]["shares"][0]["after"], 0);
    assert!(dev.works(&["describe", "cluster", "alpha"]).contains("gone=soon:NoExecute"));
    let untainted = dev.works(&["taint", "cluster", "alpha", "gone-"]);
    assert!(untainted.starts_with("cluster/alpha untainted\n"), "{untainted}");
}

#[test]
fn a_loss_is_supposed_without_happening() {
    let dev = start();
    dev.works(&["apply", "-f", "shop.yaml"]);
    let said = dev.works(&["whatif", "--lose", "alpha"]);
    assert!(
        said.contains("shop/deployment/web   even     alpha 4 -> 0, bravo 4 -> 6, charlie 4 -> 6   0\n"),
        "{said}"
    );
    assert!(said.ends_with("1 workload changes, 4 replicas move; pending 0\n"), "{said}");
    let answer = dev.json(&["whatif", "--lose", "alpha,bravo", "--add", "echo=charlie", "-o", "json"]);
    assert_eq!(answer["workloads"], "1");
    let clusters = dev.json(&["get", "clusters", "-o", "json"]);
    assert_eq!(clusters["items"].as_array().unwrap().len(), 3);
    assert!(dev.works(&["explain", "workload", "shop/web"]).contains("alpha     yes        4"));
}
