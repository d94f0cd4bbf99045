//! Every mistake is named with its place, its value and its remedy.

use godwit_manifest::{parse_application, parse_policies};

/// A valid Deployment, for tests to spoil.
const WEB: &str = "\
apiVersion: apps/v1
kind: Deployment
metadata:
  name: web
spec:
  replicas: 3
  selector:
    matchLabels:
      app: web
  template:
    metadata:
      labels:
        app: web
    spec:
      containers:
        - name: nginx
          image: nginx
          resources:
            requests:
              cpu: 100m
";

const POLICY: &str = "\
apiVersion: godwit.dev/v1
kind: Policy
metadata:
  name: even
spec:
  strategy: weighted
";

/// The messages about the Deployment above after one replacement in it.
fn spoiled(from: &str, to: &str) -> String {
    assert!(WEB.contains(from), "{from}");
    errors(&WEB.replacen(from, to, 1))
}

fn errors(text: &str) -> String {
    parse_application(text).expect_err(text).to_string()
}

fn policy_errors(more: &str) -> String {
    let text = format!("{POLICY}{more}");
    parse_policies(&text).expect_err(&text).to_string()
}

#[test]
fn print() {
    for (from, to) in [
        ("replicas: 3", "replicas: -1"),
        ("replicas: 3", "replicas: \"3\""),
        ("replicas: 3", "replicas: 1.5"),
        ("replicas: 3", "replicas: 99999999999999999999"),
        ("replicas: 3", "replica: 3"),
        ("replicas: 3", "foo: 3"),
        ("spec:\n  replicas", "specs: {}\nspec:\n  replicas"),
        ("cpu: 100m", "cpu: lots"),
        ("cpu: 100m", "cpu: 100mb"),
        ("cpu: 100m", "cpu: -1"),
        ("cpu: 100m", "cpu: 1e30"),
        ("cpu: 100m", "cpus: 1"),
        ("cpu: 100m", "example.com/gpu: 0.5"),
        ("cpu: 100m", "cpu: 2\n            limits:\n              cpu: 1"),
        ("  selector:\n    matchLabels:\n      app: web\n", ""),
        ("matchLabels:\n      app: web", "matchLabels: {}"),
        ("matchLabels:\n      app: web", "matchLabels:\n      app: api"),
        (
            "matchLabels:\n      app: web",
            "matchExpressions: [{key: app, operator: In, values: [api]}]",
        ),
        (
            "containers:\n        - name: nginx\n          image: nginx",
            "containers: []\n      x:\n        - name: a",
        ),
        ("containers:", "container:"),
        ("image: nginx", "imagePullPolicy: Always"),
        ("name: web", "name: Web_1"),
        ("name: web", "generateName: web-"),
        ("name: web", "name: web\n  namespace: Shop"),
        ("name: web", "name: web\n  labels:\n    version: 1.10"),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/police: even",
        ),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/policy: Even!",
        ),
        ("name: web", "name: web\n  labels:\n    godwit.dev/uid: x"),
        ("name: web", "name: web\n  ownerReferences: [{uid: x}]"),
        ("apps/v1", "extensions/v1beta1"),
        ("apps/v1", "v1"),
        ("apps/v1", "apps/v1/x"),
        ("apiVersion: apps/v1\n", ""),
        ("kind: Deployment", "kind: deployment"),
        ("kind: Deployment", "kind: Deploymnet"),
        ("kind: Deployment", "kind: DaemonSet"),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: batch/v1\nkind: Job",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: autoscaling/v2\nkind: HorizontalPodAutoscaler",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: godwit.dev/v1\nkind: Policy",
        ),
        (
            "    spec:\n      containers",
            "    spec:\n      restartPolicy: Never\n      tolerations: [{operator: Equal}, {key: a, operator: Exist}, 3]\n      containers",
        ),
        (
            "labels:\n        app: web",
            "annotations:\n        godwit.dev/policy: even\n      labels:\n        app: web",
        ),
    ] {
        println!("--- {to:?}\n{}", spoiled(from, to));
    }
    for text in [
        "",
        "# nothing\n---\n",
        "a: [1",
        "{\"a\": 1} {",
        "{\"a\": 1, \"a\": 2}",
        "hello",
        "- a\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  port: 80\n",
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n",
        &format!("{WEB}---\n{WEB}"),
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  namespace: y\n",
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: x}\n- 3\n",
        "\u{1}",
        "a: &a [*a]",
        &"a: {".repeat(100),
        "a: 1\na: 2\n",
        "a: &x y\nb: *z",
    ] {
        println!("--- {text:?}\n{}", errors(text));
    }
    for text in [
        "  clusters: {alpha: {wieght: 1}}",
        "  clusters: {alpha: {weight: -1}}",
        "  clusters: {Alpha: {weight: 1}}",
        "  clusters: {alpha: {min: 5, max: 3}}",
        "  lostAfter: 10",
        "  lostAfter: 2h",
        "  lost_after: 10s",
        "  mode: atMost",
        "  mode: at_most",
        "  maxSurge: 0",
        "  maxSurge: 200%",
        "  maxSurge: x",
        "  default: {weight: 0}",
        "  rebalance: sometimes",
        "  onReturn: keepOriginal",
        "  priority: 1e9",
        "  strategi: x",
        "---\napiVersion: v1\nkind: ConfigMap\nmetadata: {name: x}",
        "---\napiVersion: godwit.dev/v2\nkind: Policy\nmetadata: {name: x}",
        "---\napiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {name: even}\nspec: {}",
    ] {
        println!("--- {text:?}\n{}", policy_errors(text));
    }
}
