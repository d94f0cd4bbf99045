//! Every mistake is named with its place, its value and its remedy.

use godwit_common::link::MANIFEST_MAX;
use godwit_manifest::{MAX_DOCUMENTS, MAX_ERRORS, MAX_OBJECTS, MAX_TEXT_BYTES, parse_application};

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

/// The messages about the Deployment above after one replacement in it, without their common beginning.
fn spoiled(from: &str, to: &str) -> String {
    assert!(WEB.contains(from), "{from}");
    let message = errors(&WEB.replacen(from, to, 1));
    message.replace("document 1 (line ", "(").replace("column ", "")
}

fn errors(text: &str) -> String {
    parse_application(text).expect_err(text).to_string()
}

fn check(cases: &[(&str, &str, &str)]) {
    for (from, to, message) in cases {
        assert_eq!(&spoiled(from, to), message, "{from:?} -> {to:?}");
    }
}

#[test]
fn counts_and_fields_of_a_workload() {
    check(&[
        (
            "replicas: 3",
            "replicas: -1",
            "(6, 13): Deployment web: spec.replicas: -1 is not valid here; write a whole number from 0 to 1000000",
        ),
        (
            "replicas: 3",
            "replicas: \"3\"",
            "(6, 13): Deployment web: spec.replicas: \"3\" is not valid here; write a whole number from 0 to 1000000",
        ),
        (
            "replicas: 3",
            "replicas: 1.5",
            "(6, 13): Deployment web: spec.replicas: 1.5 is not valid here; write a whole number from 0 to 1000000",
        ),
        (
            "replicas: 3",
            "replicas: 99999999999999999999",
            "(6, 13): Deployment web: spec.replicas: 1e+20 is not valid here; write a whole number from 0 to 1000000",
        ),
        (
            "replicas: 3",
            "replica: 3",
            "(6, 12): Deployment web: spec.replica: this field is unknown; did you mean \"replicas\"?",
        ),
        (
            "replicas: 3",
            "size: 3",
            "(6, 9): Deployment web: spec.size: this field is unknown; known are minReadySeconds, paused, progressDeadlineSeconds, replicas, revisionHistoryLimit, selector, strategy, template",
        ),
        (
            "spec:\n  replicas",
            "specs: {}\nspec:\n  replicas",
            "(5, 8): Deployment web: specs: this field is unknown; did you mean \"spec\"?",
        ),
        (
            "replicas: 3",
            "replicas: 3\n  minReadySeconds: 1d",
            "(7, 20): Deployment web: spec.minReadySeconds: \"1d\" is not valid here; write a whole number from 0 to 86400",
        ),
        (
            "spec:\n  replicas: 3",
            "spec: 3\nx:",
            "(7, 3): Deployment web: x: this field is unknown; known are apiVersion, kind, metadata, spec, status\n(5, 7): Deployment web: spec: 3 is not valid here; write a mapping",
        ),
    ]);
}

#[test]
fn resources() {
    check(&[
        (
            "cpu: 100m",
            "cpu: lots",
            "(20, 20): Deployment web: spec.template.spec.containers[0].resources.requests.cpu: \"lots\" is not a quantity; a quantity is a number and a unit, such as 500m or 1.5Gi",
        ),
        (
            "cpu: 100m",
            "cpu: 100mb",
            "(20, 20): Deployment web: spec.template.spec.containers[0].resources.requests.cpu: \"100mb\" is not a quantity; its unit must be one of m, k, M, G, T, P, E, Ki, Mi, Gi, Ti, Pi, Ei",
        ),
        (
            "cpu: 100m",
            "cpu: -1",
            "(20, 20): Deployment web: spec.template.spec.containers[0].resources.requests.cpu: -1 is not a quantity; it must not be negative",
        ),
        (
            "cpu: 100m",
            "cpu: 1e30",
            "(20, 20): Deployment web: spec.template.spec.containers[0].resources.requests.cpu: 1e+30 is more than any node has; check the number and its unit",
        ),
        (
            "cpu: 100m",
            "cpus: 1",
            "(20, 21): Deployment web: spec.template.spec.containers[0].resources.requests.cpus: there is no such resource; did you mean \"cpu\"? (other resources have a domain, such as example.com/gpu)",
        ),
        (
            "cpu: 100m",
            "example.com/gpu: 0.5",
            "(20, 32): Deployment web: spec.template.spec.containers[0].resources.requests[example.com/gpu]: 0.5 is not valid here: a device is not divisible; write a whole number",
        ),
        (
            "cpu: 100m",
            "requests.example.com/gpu: 1",
            "(20, 41): Deployment web: spec.template.spec.containers[0].resources.requests[requests.example.com/gpu]: \"requests.example.com/gpu\" is not the name of an extended resource: requests. is no part of it; leave that out",
        ),
        (
            "cpu: 100m",
            "kubernetes.io/a b: 1",
            "(20, 34): Deployment web: spec.template.spec.containers[0].resources.requests[kubernetes.io/a b]: \"kubernetes.io/a b\" is not the name of an extended resource: kubernetes.io is kept for Kubernetes' own; write the name that a device plugin gives",
        ),
        (
            "cpu: 100m",
            "cpu: [1]",
            "(20, 20): Deployment web: spec.template.spec.containers[0].resources.requests.cpu: a list is not a quantity; a quantity is a number and a unit, such as 500m or 1.5Gi",
        ),
        (
            "cpu: 100m",
            "cpu: 2\n            limits:\n              cpu: 1",
            "(19, 13): Deployment web: spec.template.spec.containers[0].resources: the request for cpu is larger than its limit; lower the request or raise the limit",
        ),
        (
            "requests:",
            "request:",
            "(20, 15): Deployment web: spec.template.spec.containers[0].resources.request: this field is unknown; did you mean \"requests\"?",
        ),
    ]);
}

#[test]
fn selectors() {
    check(&[
        (
            "  selector:\n    matchLabels:\n      app: web\n",
            "",
            "(6, 3): Deployment web: spec.selector: it is missing; write matchLabels with the template's labels",
        ),
        (
            "matchLabels:\n      app: web",
            "matchLabels: {}",
            "(8, 5): Deployment web: spec.selector: it chooses nothing; write matchLabels with the template's labels",
        ),
        (
            "matchLabels:\n      app: web",
            "matchLabels:\n      app: api",
            "(9, 7): Deployment web: spec.selector.matchLabels: the template's labels have no app: api; give the template the labels that the selector asks for",
        ),
        (
            "matchLabels:\n      app: web",
            "matchExpressions: [{key: app, operator: In, values: [api]}]",
            "(8, 24): Deployment web: spec.selector.matchExpressions[0]: the template's labels do not match this; give the template the labels that the selector asks for",
        ),
        (
            "matchLabels:\n      app: web",
            "app: web",
            "(8, 10): Deployment web: spec.selector.app: this field is unknown; known are matchLabels, matchExpressions\n(8, 5): Deployment web: spec.selector: it chooses nothing; write matchLabels with the template's labels",
        ),
    ]);
}

#[test]
fn pods() {
    check(&[
        (
            "containers:\n        - name",
            "containers:\n          name",
            "(16, 11): Deployment web: spec.template.spec.containers: a mapping is not valid here; write a list",
        ),
        (
            "containers:\n        - name: nginx\n          image: nginx",
            "containers: []\n      x:\n        - name: a",
            "(15, 19): Deployment web: spec.template.spec.containers: the list is empty; a pod has at least one container",
        ),
        (
            "containers:",
            "container:",
            "(15, 7): Deployment web: spec.template.spec.containers: it is missing; a pod has at least one container (there is \"container\": is that it?)",
        ),
        (
            "image: nginx",
            "imagePullPolicy: Always",
            "(16, 11): Deployment web: spec.template.spec.containers[0].image: it is missing; name the image to run",
        ),
        (
            "- name: nginx",
            "- name: nginx\n          image: x\n        - name: nginx",
            "(18, 17): Deployment web: spec.template.spec.containers[1].name: there are two containers named \"nginx\"; rename one of them",
        ),
        (
            "    spec:\n      containers",
            "    spec:\n      restartPolicy: Never\n      tolerations: [{operator: Equal}, {key: a, operator: Exist}, 3]\n      containers",
            "(15, 22): Deployment web: spec.template.spec.restartPolicy: \"Never\" is not known; write Always\n(16, 21): Deployment web: spec.template.spec.tolerations[0]: it names no key; name the taint's key, or write operator: Exists for every taint\n(16, 59): Deployment web: spec.template.spec.tolerations[1].operator: \"Exist\" is not known; did you mean \"Exists\"?\n(16, 67): Deployment web: spec.template.spec.tolerations[2]: 3 is not valid here; write a mapping",
        ),
        (
            "labels:\n        app: web",
            "annotations:\n        godwit.dev/policy: even\n      labels:\n        app: web",
            "(13, 28): Deployment web: spec.template.metadata.annotations[godwit.dev/policy]: a policy belongs to the workload, and not to its pods; move it to metadata.annotations of the workload",
        ),
    ]);
}

#[test]
fn metadata() {
    check(&[
        (
            "name: web",
            "name: Web_1",
            "(4, 9): Deployment Web_1: metadata.name: name \"Web_1\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; choose another name",
        ),
        (
            "name: web",
            "name: 7",
            "(4, 9): Deployment: metadata.name: 7 is not a text; put it in quotes: \"7\"",
        ),
        (
            "name: web",
            "generateName: web-",
            "(4, 17): Deployment: metadata.generateName: a generated name differs in each cluster and each time; write metadata.name instead",
        ),
        (
            "name: web",
            "name: web\n  namespace: Shop",
            "(5, 14): Deployment web: metadata.namespace: namespace \"Shop\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; choose another namespace",
        ),
        (
            "name: web",
            "name: web\n  labels:\n    version: 1.10",
            "(6, 14): Deployment web: metadata.labels.version: 1.1 is not a text; put it in quotes: \"1.1\"",
        ),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/police: even",
            "(6, 24): Deployment web: metadata.annotations[godwit.dev/police]: godwit.dev/police is not for manifests: the prefix is Godwit's own; did you mean \"godwit.dev/policy\"?",
        ),
        (
            "name: web",
            "name: web\n  annotations:\n    godwit.dev/policy: Even!",
            "(6, 24): Deployment web: metadata.annotations[godwit.dev/policy]: policy name \"Even!\" is not valid: it must be lower-case letters, digits and '-', beginning and ending with a letter or digit; write the name of a policy",
        ),
        (
            "name: web",
            "name: web\n  labels:\n    godwit.dev/uid: x",
            "(6, 21): Deployment web: metadata.labels[godwit.dev/uid]: godwit.dev/uid is not for manifests: the prefix is Godwit's own; remove it",
        ),
        (
            "name: web",
            "name: web\n  ownerReferences: [{uid: x}]",
            "(5, 20): Deployment web: metadata.ownerReferences: an owner lives in one cluster; in the others the object would be collected as garbage; remove the field",
        ),
    ]);
}

#[test]
fn kinds_that_cannot_be_handled() {
    check(&[
        (
            "apps/v1",
            "extensions/v1beta1",
            "(1, 1): Deployment web: a Deployment cannot be handled: Kubernetes serves it as apps/v1 only; write apiVersion: apps/v1",
        ),
        (
            "apps/v1",
            "v1",
            "(1, 1): Deployment web: a Deployment cannot be handled: Kubernetes serves it as apps/v1 only; write apiVersion: apps/v1",
        ),
        (
            "apps/v1",
            "apps/v1/x",
            "(1, 13): Deployment web: apiVersion: apiVersion \"apps/v1/x\" is not valid: it must be VERSION or GROUP/VERSION, such as v1 or apps/v1; correct it",
        ),
        (
            "apiVersion: apps/v1\n",
            "",
            "(1, 1): Deployment web: apiVersion: it is missing; write one, such as apiVersion: apps/v1",
        ),
        (
            "kind: Deployment",
            "kind: deployment",
            "(2, 7): deployment web: kind: kind \"deployment\" is not valid: it must be a capital letter followed by letters and digits, such as Deployment; correct it",
        ),
        (
            "kind: Deployment",
            "kind: Deploymnet",
            "(1, 1): Deploymnet web: Kubernetes has no Deploymnet in apps/v1; did you mean \"Deployment\"? (a custom kind has a group with a dot)",
        ),
        (
            "kind: Deployment",
            "kind: Job",
            "(1, 1): Job web: a Job cannot be handled: Kubernetes serves it as batch/v1 only; write apiVersion: batch/v1",
        ),
        (
            "kind: Deployment",
            "kind: ReplicaSet",
            "(1, 1): ReplicaSet web: a ReplicaSet cannot be handled: it cannot roll from one revision to the next; write it as a Deployment",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: v1\nkind: Pod",
            "(1, 1): Pod web: a Pod cannot be handled: nothing starts it again elsewhere when its node or cluster is lost; write it as a Deployment",
        ),
        (
            "apiVersion: apps/v1\nkind: Deployment",
            "apiVersion: godwit.dev/v1\nkind: Policy",
            "(1, 1): Policy web: a Policy cannot be handled: it is for the hub itself and no part of an application; apply it on its own, before the application",
        ),
    ]);
}

/// Texts, and what is wrong with them.
const WHOLE_TEXTS: &[(&str, &str)] = &[
    (
        "",
        "the text is empty; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob",
    ),
    (
        "# nothing\n---\n",
        "the text is empty; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob",
    ),
    (
        "a: [1",
        "document 1 (line 1, column 4): this is not well-formed YAML: unclosed bracket '['; correct the text there",
    ),
    (
        "{\"a\": 1} {",
        "document 1: apiVersion: it is missing; write one, such as apiVersion: apps/v1\ndocument 1: kind: it is missing; write one, such as kind: Deployment\ndocument 2 (line 1, column 10): this is not well-formed JSON: EOF while parsing an object; correct the text there",
    ),
    ("{\"a\": 1, \"a\": 2}", "document 1 (line 1, column 10): the key \"a\" appears twice; keep one of them"),
    ("hello", "document 1 (line 1, column 1): \"hello\" is not valid here; write a mapping"),
    ("- a\n", "document 1 (line 1, column 1): a list is not valid here; write a mapping"),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\ndata:\n  port: 80\n",
        "document 1 (line 6, column 9): ConfigMap x: data.port: 80 is not a text; put it in quotes: \"80\"",
    ),
    (
        "apiVersion: v1\nkind: ConfigMap\nmetadata:\n  name: x\n",
        "none of the objects is a workload; an application has at least one Deployment, StatefulSet, DaemonSet, Job or CronJob (a custom resource is one with the annotation godwit.dev/workload: \"true\")",
    ),
    (
        "apiVersion: v1\nkind: Namespace\nmetadata:\n  name: x\n  namespace: y\n",
        "document 1 (line 5, column 14): Namespace x: metadata.namespace: a Namespace belongs to no namespace; remove the field",
    ),
    (
        "apiVersion: v1\nkind: List\nitems:\n- apiVersion: v1\n  kind: Pod\n  metadata: {name: x}\n- 3\n",
        "document 1 (line 4, column 3): Pod x: items[0]: a Pod cannot be handled: nothing starts it again elsewhere when its node or cluster is lost; write it as a Deployment\ndocument 1 (line 7, column 3): items[1]: 3 is not valid here; write a mapping",
    ),
    (
        "\u{1}",
        "document 1 (line 1, column 1): this is not well-formed YAML: unexpected character: `\\u{1}'; correct the text there",
    ),
    (
        "a: &a [*a]",
        "document 1 (line 1, column 8): this alias stands inside of what it names; write the value out",
    ),
    ("a: 1\na: 2\n", "document 1 (line 2, column 1): the key \"a\" appears twice; keep one of them"),
    (
        "a: &x y\nb: *z",
        "document 1 (line 2, column 4): this is not well-formed YAML: while parsing node, found unknown anchor; correct the text there",
    ),
    (
        "<<: 3\n",
        "document 1 (line 1, column 5): only mappings can be merged; write an alias of a mapping after <<",
    ),
    (
        "? [a]\n: b\n",
        "document 1 (line 1, column 3): a key must be a text; correct the key, or put it in quotes",
    ),
    (
        "a: !secret b\n",
        "document 1 (line 1, column 12): the tag !secret means nothing to Kubernetes; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: !!int b\n",
        "document 1 (line 1, column 10): \"b\" is not what its tag tag:yaml.org,2002:int says; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: .inf\n",
        "document 1 (line 1, column 4): .inf is not a finite number; write it in quotes and without a tag if it is meant as a text",
    ),
    (
        "a: 1\n---\nb: [\n---\nc: 1\nc: 2\n",
        "document 1 (line 1, column 1): apiVersion: it is missing; write one, such as apiVersion: apps/v1\ndocument 1 (line 1, column 1): kind: it is missing; write one, such as kind: Deployment\ndocument 2 (line 3, column 4): this is not well-formed YAML: unclosed bracket '['; correct the text there\ndocument 3 (line 6, column 1): the key \"c\" appears twice; keep one of them",
    ),
];

#[test]
fn whole_texts() {
    for (text, message) in WHOLE_TEXTS {
        assert_eq!(&errors(text), message, "{text:?}");
    }
}

#[test]
fn two_objects_of_one_identity_are_refused() {
    let message = errors(&format!("{WEB}---\n{WEB}"));
    let place = "document 2 (line 22, column 1): Deployment web: ";
    let problem = "there is already a Deployment default/web, in document 1";
    assert_eq!(message, format!("{place}{problem}; remove one of the two, or rename it"));
}

#[test]
fn all_mistakes_are_reported_together_up_to_a_limit() {
    let both = WEB.replace("replicas: 3", "replicas: -1").replace("cpu: 100m", "cpu: lots");
    assert_eq!(parse_application(&both).unwrap_err().errors().len(), 2);
    let many = "apiVersion: v1\nkind: Pod\nmetadata: {name: a}\n---\n".repeat(MAX_ERRORS + 5);
    let many = parse_application(&many).unwrap_err();
    assert_eq!((many.errors().len(), many.more()), (MAX_ERRORS, 5));
    assert!(many.to_string().ends_with("\nand 5 more"));
}

#[test]
fn nothing_without_a_bound_is_read() {
    let deep = "a: {".repeat(100);
    assert!(errors(&deep).ends_with("it nests too deep; at most 64 levels are read"));
    let deep = format!("{{\"a\": {}1{}}}", "[".repeat(100), "]".repeat(100));
    assert!(errors(&deep).contains("it nests too deep"));
    let deep = "{\"a\":".repeat(100_000);
    assert!(parse_application(&deep).is_err());

    let long = " ".repeat(MAX_TEXT_BYTES + 1);
    assert!(errors(&long).contains("the text has 4194305 bytes"));
    let many = "---\na: 1\n".repeat(MAX_DOCUMENTS + 1);
    let all = parse_application(&many).unwrap_err();
    assert!(all.errors().iter().any(|error| error.problem.contains("more than 1000 documents")), "{all}");
    let item = "- apiVersion: v1\n  kind: Secret\n  metadata:\n    name: s";
    let items: String = (0..=MAX_OBJECTS).map(|index| format!("{item}{index}\n")).collect();
    let list = format!("apiVersion: v1\nkind: List\nitems:\n{items}");
    assert!(errors(&list).contains("items[1000]: the application has more than 1000 objects"));
}

#[test]
fn an_object_that_no_cluster_would_store_is_refused() {
    let data = "x".repeat(MANIFEST_MAX);
    let object =
        format!("---\napiVersion: v1\nkind: ConfigMap\nmetadata: {{name: large}}\ndata: {{k: {data}}}\n");
    let message = errors(&format!("{WEB}{object}"));
    assert!(message.contains("ConfigMap large"), "{message}");
    assert!(message.ends_with("at most 1572864 are stored; make it smaller, or divide it"), "{message}");
}

#[test]
fn the_contents_of_a_secret_are_not_repeated() {
    let secret = |content: &str| {
        errors(&format!("{WEB}---\napiVersion: v1\nkind: Secret\nmetadata: {{name: login}}\n{content}\n"))
    };
    for content in ["stringData: {pin: 471100815}", "data: {pin: [471100815]}", "data: {pin: {x: 471100815}}"]
    {
        let message = secret(content);
        assert!(
            message.contains("Secret login: ") && message.to_lowercase().contains("data.pin"),
            "{message}"
        );
        assert!(message.contains("it is not a text; put the value in quotes"), "{message}");
        assert!(!message.contains("471100815"), "{message}");
    }
}

#[test]
fn aliases_that_multiply_are_stopped() {
    let mut bomb = "a0: &a0 [lol, lol, lol, lol, lol, lol, lol, lol, lol]\n".to_owned();
    for level in 1..10 {
        let alias = format!("*a{}", level - 1);
        let row = [alias.as_str(); 9].join(", ");
        bomb.push_str(&format!("a{level}: &a{level} [{row}]\n"));
    }
    assert!(errors(&bomb).contains("its aliases expand to too many"), "{}", errors(&bomb));
    let text = "x".repeat(1 << 20);
    let wide = format!("a: &a {text}\nb: [{}]\n", "*a, ".repeat(900));
    assert!(errors(&wide).contains("its aliases expand to too many"));
    let many = format!("a: &a 1\nb: [{}]\n", "*a, ".repeat(1_001));
    assert!(errors(&many).contains("more than 1000 aliases"));
}

#[test]
fn s32_claims_that_would_go_with_a_move_are_refused() {
    let stateful = WEB.replacen("kind: Deployment", "kind: StatefulSet", 1);
    let with = |policy: &str| {
        let line = format!("spec:\n  persistentVolumeClaimRetentionPolicy: {policy}\n");
        parse_application(&stateful.replacen("spec:\n", &line, 1)).map(|_| ())
    };
    for field in ["whenScaled", "whenDeleted"] {
        let refused = with(&format!("{{{field}: Delete}}")).expect_err("it deletes").to_string();
        let says = "a move would delete the claims where it stops, and with them the data; write Retain, or remove it";
        let place = format!("StatefulSet web: spec.persistentVolumeClaimRetentionPolicy.{field}: {says}");
        assert!(refused.ends_with(&place), "{refused}");
    }
    assert!(with("{when: Never}").expect_err("no such field").to_string().contains("this field is unknown"));
    with("{whenScaled: Retain, whenDeleted: Retain}").expect("it keeps them");
}
