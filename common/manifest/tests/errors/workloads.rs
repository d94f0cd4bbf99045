//! Mistakes in what a workload says of its replicas, its pods and its data.

use godwit_manifest::parse_application;

use crate::{WEB, check};

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
