//! Applications: what is read out of manifests, and what clusters get.

#![expect(clippy::disallowed_methods, reason = "the examples are files; only the package itself reads none")]

use std::fs;
use std::path::{Path, PathBuf};

use godwit_common::{Resources, Taint, TaintEffect};
use godwit_manifest::{
    Application, Workload, parse_application, parse_application_in, parse_policies, parse_quotas, separate,
};

fn pod(spec: &str) -> Workload {
    let head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n";
    let text = format!("{head}  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n{spec}");
    parse_application(&text).unwrap_or_else(|errors| panic!("{errors}")).workloads.remove(0)
}

/// CPU in millicores and memory in MiB of one replica.
fn cpu_and_memory(spec: &str) -> (u64, u64) {
    let Resources { cpu_millis, memory_bytes, pods, .. } = pod(spec).pod.requests;
    assert_eq!(pods, 1);
    (cpu_millis, memory_bytes >> 20)
}

fn example(name: &str) -> String {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples").join(name);
    fs::read_to_string(&path).unwrap_or_else(|error| panic!("{}: {error}", path.display()))
}

fn application(name: &str) -> Application {
    parse_application(&example(name)).unwrap_or_else(|errors| panic!("{name}: {errors}"))
}

#[test]
fn the_larger_of_running_and_starting_counts() {
    // Two containers: the sum. The first example of "Resource Management for Pods and Containers".
    let two = "      containers:
      - {name: app, image: a, resources: {requests: {memory: 64Mi, cpu: 250m}, limits: {memory: 128Mi, cpu: 500m}}}
      - {name: log, image: a, resources: {requests: {memory: 64Mi, cpu: 250m}, limits: {memory: 128Mi, cpu: 500m}}}
";
    assert_eq!(cpu_and_memory(two), (500, 128));
    // An init container runs alone: the maximum, for each resource on its own.
    let init = format!(
        "{two}      initContainers: [{{name: i, image: a, resources: {{requests: {{cpu: 2, memory: 1Mi}}}}}}]\n"
    );
    assert_eq!(cpu_and_memory(&init), (2000, 128));
    // Limits stand in for requests that are missing, resource by resource.
    let limits = "      containers: [{name: a, image: a, resources: {requests: {cpu: 100m}, limits: {cpu: 1, memory: 32Mi}}}]\n";
    assert_eq!(cpu_and_memory(limits), (100, 32));
    assert_eq!(cpu_and_memory("      containers: [{name: a, image: a}]\n"), (0, 0));
}

#[test]
fn sidecars_run_beside_what_starts_after_them() {
    let init = |containers: &str| {
        format!(
            "      containers: [{{name: c, image: a, resources: {{requests: {{cpu: 1}}}}}}]\n      initContainers:\n{containers}"
        )
    };
    let step = "      - {name: step, image: a, resources: {requests: {cpu: 3}}}\n";
    let sidecar =
        "      - {name: side, image: a, restartPolicy: Always, resources: {requests: {cpu: 500m}}}\n";
    assert_eq!(cpu_and_memory(&init(sidecar)).0, 1500);
    assert_eq!(cpu_and_memory(&init(&format!("{step}{sidecar}"))).0, 3000);
    assert_eq!(cpu_and_memory(&init(&format!("{sidecar}{step}"))).0, 3500);
}

#[test]
fn the_pod_as_a_whole_and_its_overhead() {
    let container =
        "      containers: [{name: c, image: a, resources: {requests: {cpu: 1, memory: 64Mi}}}]\n";
    let whole =
        format!("{container}      resources: {{requests: {{cpu: 2}}, limits: {{cpu: 4, memory: 512Mi}}}}\n");
    // Set for the pod: that counts. Set for a container only: its request, and not the pod's limit.
    assert_eq!(cpu_and_memory(&whole), (2000, 64));
    let limits =
        "      containers: [{name: c, image: a}]\n      resources: {limits: {cpu: 4, memory: 512Mi}}\n";
    assert_eq!(cpu_and_memory(limits), (4000, 512));
    let overhead = format!("{whole}      overhead: {{cpu: 250m, memory: 120Mi}}\n");
    assert_eq!(cpu_and_memory(&overhead), (2250, 184));
}

#[test]
fn devices_and_huge_pages_are_extended_resources() {
    let spec = "      containers: [{name: c, image: a, resources: {limits: {example.com/gpu: 2, hugepages-2Mi: 4Mi, ephemeral-storage: 1Gi, example.com/none: 0}}}]\n";
    let requests = pod(spec).pod.requests;
    assert_eq!(requests.ephemeral_bytes, 1 << 30);
    let extended: Vec<(&str, u64)> =
        requests.extended.iter().map(|(name, amount)| (&**name, *amount)).collect();
    assert_eq!(extended, [("example.com/gpu", 2), ("hugepages-2Mi", 4 << 20)]);
    // Kubernetes' own names are not extended resources, but an API server takes them in a pod, and nodes offer some.
    let own =
        "      containers: [{name: c, image: a, resources: {requests: {kubernetes.io/batch-cpu: 500}}}]\n";
    assert_eq!(pod(own).pod.requests.extended, [("kubernetes.io/batch-cpu".into(), 500)]);
}

#[test]
fn node_selectors_and_tolerations_are_read() {
    let spec = "      containers: [{name: c, image: a}]
      nodeSelector: {disk: ssd}
      tolerations: [{key: spot, operator: Exists}, {key: team, value: shop, effect: NoSchedule}, {operator: Exists, effect: NoExecute}]
";
    let pod = pod(spec).pod;
    assert_eq!(pod.node_selector.len(), 1);
    let tolerates = |key: &str, value: &str, effect| {
        let taint = Taint { key: key.into(), value: value.into(), effect };
        pod.tolerations.iter().any(|toleration| toleration.tolerates(&taint))
    };
    assert!(tolerates("spot", "x", TaintEffect::NoSchedule));
    assert!(tolerates("team", "shop", TaintEffect::NoSchedule));
    assert!(!tolerates("team", "other", TaintEffect::NoSchedule));
    assert!(!tolerates("team", "shop", TaintEffect::PreferNoSchedule));
    assert!(tolerates("anything", "", TaintEffect::NoExecute));
}

#[test]
fn one_meaning_has_one_manifest() {
    let yaml = "
apiVersion: v1
kind: List
items:
- apiVersion: apps/v1
  kind: DeploymentList
  items:
  - metadata: {name: web, uid: x, annotations: {godwit.dev/policy: even}}
    spec:
      replicas: 7
      selector: &labels {matchLabels: {a: b}}
      template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: a, args: [0644, yes, 1.0]}]}}
    status: {replicas: 3}
- {apiVersion: example.com/v1, kind: Widget, metadata: {name: w}, spec: {<<: {a: 1, b: 1}, b: 2}}
- {apiVersion: rbac.authorization.k8s.io/v1, kind: ClusterRole, metadata: {name: \"a:B\"}}
";
    let json = r#"
{"kind":"Deployment","apiVersion":"apps/v1","metadata":{"name":"web","namespace":"default"},"spec":{
 "template":{"spec":{"containers":[{"image":"a","name":"c","args":[420,true,1]}]},"metadata":{"labels":{"a":"b"}}},
 "selector":{"matchLabels":{"a":"b"}},"replicas":2}}
"#;
    let from_yaml = parse_application(yaml).unwrap();
    let from_json = parse_application(json).unwrap();
    let (yaml, json) = (&from_yaml.workloads[0], &from_json.workloads[0]);
    assert_eq!(yaml.manifest, json.manifest);
    assert!(!yaml.manifest.contains("replicas") && !yaml.manifest.contains("policy"), "{}", yaml.manifest);
    assert_eq!((yaml.replicas, json.replicas), (7, 2));
    assert_eq!(yaml.policy.as_ref().map(|policy| policy.as_str()), Some("even"));
    let keys: Vec<String> = from_yaml.dependents.iter().map(|dependent| dependent.key.to_string()).collect();
    assert_eq!(keys, ["Widget default/w", "ClusterRole a:B"]);
    assert!(from_yaml.dependents[0].manifest.ends_with(r#""spec":{"a":1,"b":2}}"#));
}

#[test]
fn policies_and_applications_are_told_apart_without_moving_a_line() {
    let text = "# both\napiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {name: ü}\n---\napiVersion: v1\nkind: Pod\n";
    let separated = separate(text).unwrap();
    let (policies, application) = (separated.policies.unwrap(), separated.application.unwrap());
    let in_policies = parse_policies(&policies).unwrap_err();
    let in_application = parse_application(&application).unwrap_err();
    assert_eq!(in_policies.errors()[0].position.unwrap().line, 4);
    assert_eq!(in_application.errors()[0].position.unwrap().line, 6);
    assert_eq!(policies.lines().count(), text.lines().count());

    let json = r#"{"apiVersion": "v1"} {"apiVersion": "godwit.dev/v1"} {"apiVersion": "v2"}"#;
    let separated = separate(json).unwrap();
    let policies = separated.policies.unwrap();
    assert_eq!(policies.trim(), r#"{"apiVersion": "godwit.dev/v1"}"#);
    assert_eq!(separated.application.unwrap().replace(' ', ""), r#"{"apiVersion":"v1"}{"apiVersion":"v2"}"#);
    assert_eq!(separate("---\n").unwrap().application, None);
}

#[test]
fn quotas_are_a_part_of_their_own() {
    let quota =
        "apiVersion: godwit.dev/v1\nkind: Quota\nmetadata: {name: shop}\nspec: {hard: {replicas: x}}\n";
    let text = format!("apiVersion: godwit.dev/v1\nkind: Policy\nmetadata: {{name: p}}\n---\n{quota}");
    let separated = separate(&text).unwrap();
    assert!(separated.application.is_none());
    assert!(!separated.policies.unwrap().contains("Quota"));
    let errors = parse_quotas(&separated.quotas.unwrap()).unwrap_err();
    assert_eq!(errors.errors()[0].position.unwrap().line, 8);
    let mixed = separate("{apiVersion: godwit.dev/v1, kind: Qouta}").unwrap();
    assert!(mixed.quotas.is_none() && mixed.policies.is_some());
}

#[test]
fn required_node_affinity_is_read_and_the_rest_passes_through() {
    let affinity = |required: &str| {
        format!(
            "      containers: [{{name: c, image: a}}]
      affinity:
        podAntiAffinity: {{anything: [1]}}
        nodeAffinity:
          preferredDuringSchedulingIgnoredDuringExecution: [{{weight: 1, preference: {{}}}}]
          requiredDuringSchedulingIgnoredDuringExecution: {required}
"
        )
    };
    let terms = "{nodeSelectorTerms: [{matchExpressions: [{key: disk, operator: In, values: [ssd]}, {key: cores, operator: Gt, values: [\"8\"]}]}, {matchFields: [{key: metadata.name, operator: NotIn, values: [n1]}]}, {}]}";
    let workload = pod(&affinity(terms));
    let shown: Vec<String> = workload
        .pod
        .node_affinity
        .iter()
        .map(|term| term.expressions.iter().map(ToString::to_string).collect::<Vec<_>>().join(" and "))
        .collect();
    assert_eq!(shown, ["disk in (ssd) and cores > 8", "metadata.name not in (n1)", ""]);
    assert!(workload.manifest.contains("podAntiAffinity"));
    assert!(pod("      containers: [{name: c, image: a}]\n").pod.node_affinity.is_empty());
    let head = "apiVersion: apps/v1\nkind: Deployment\nmetadata: {name: web}\nspec:\n  selector: {matchLabels: {a: b}}\n";
    for (required, message) in [
        (
            "{nodeSelectorTerms: []}",
            "nodeSelectorTerms: the list is empty; list what is meant, or remove the field",
        ),
        ("{}", "nodeSelectorTerms: it is missing; list what a node must be like"),
        (
            "{nodeSelectorTerms: [{matchLabels: {a: b}}]}",
            "nodeSelectorTerms[0].matchLabels: this field is unknown; known are matchExpressions, matchFields",
        ),
        (
            "{nodeSelectorTerms: [{matchExpressions: [{key: a, operator: In}]}]}",
            "matchExpressions[0]: In and NotIn need at least one value; list them",
        ),
        (
            "{nodeSelectorTerms: [{matchFields: [{key: spec.x, operator: In, values: [a]}]}]}",
            "matchFields[0].key: \"spec.x\" is not known; write metadata.name",
        ),
        (
            "{nodeSelectorTerms: [{matchFields: [{key: metadata.name, operator: In, values: [a, b]}]}]}",
            "matchFields[0].values: there are 2 names; write the name of one node",
        ),
    ] {
        let text = format!(
            "{head}  template:\n    metadata: {{labels: {{a: b}}}}\n    spec:\n{}",
            affinity(required)
        );
        let errors = parse_application(&text).unwrap_err().to_string();
        assert!(errors.ends_with(message), "{errors}");
    }
}

#[test]
fn the_examples_mean_what_their_descriptions_say() {
    let web = application("web.yaml");
    assert_eq!((web.workloads.len(), web.dependents.len()), (1, 4));
    assert_eq!((web.workloads[0].replicas, web.workloads[0].min_ready_seconds), (20, 5));

    let orders = application("api-and-batch.yaml");
    let [api, worker] = orders.workloads.as_slice() else {
        panic!("two workloads, but {}", orders.workloads.len());
    };
    assert_eq!((api.pod.requests.cpu_millis, api.pod.requests.memory_bytes), (2250, 4 << 30));
    assert_eq!((worker.pod.requests.cpu_millis, worker.pod.tolerations.len()), (500, 1));
    assert_eq!(&*api.id.namespace, "default");

    let store = application("store.yaml").workloads.remove(0);
    assert!(store.has_volume_claims && store.policy.is_none());
    assert_eq!(&*store.id.kind, "StatefulSet");
}

#[test]
fn every_example_is_valid_and_every_policy_that_one_names_is_among_them() {
    let folder = Path::new(env!("CARGO_MANIFEST_DIR")).join("../../examples");
    let files = |folder: PathBuf| -> Vec<String> {
        let entries = fs::read_dir(folder).unwrap();
        let paths = entries.map(|entry| entry.unwrap().path());
        let yaml = paths.filter(|path| path.extension().is_some_and(|extension| extension == "yaml"));
        yaml.map(|path| fs::read_to_string(path).unwrap()).collect()
    };
    let policies: Vec<String> = files(folder.join("policies"))
        .iter()
        .flat_map(|text| parse_policies(text).unwrap())
        .map(|policy| policy.name.to_string())
        .collect();
    let quotas = files(folder.join("quotas"));
    assert!(quotas.iter().map(|text| parse_quotas(text).unwrap().len()).sum::<usize>() >= 1);
    let applications: Vec<Application> =
        files(folder).iter().map(|text| parse_application(text).unwrap()).collect();
    assert!(policies.len() >= 2 && applications.len() >= 3);
    for workload in applications.iter().flat_map(|application| &application.workloads) {
        let known = workload.policy.as_ref().is_none_or(|policy| policies.contains(&policy.to_string()));
        assert!(known, "{} names {:?}", workload.id, workload.policy);
    }
}

#[test]
fn a_given_namespace_is_for_objects_that_name_none() {
    let text = "\
{apiVersion: v1, kind: ConfigMap, metadata: {name: a}}
---
{apiVersion: v1, kind: ConfigMap, metadata: {name: b, namespace: other}}
---
{apiVersion: v1, kind: Namespace, metadata: {name: shop}}
---
{apiVersion: apps/v1, kind: Deployment, metadata: {name: web}, spec: {selector: {matchLabels: {a: b}},
 template: {metadata: {labels: {a: b}}, spec: {containers: [{name: c, image: i}]}}}}
";
    let application = parse_application_in(text, "shop").unwrap();
    let keys: Vec<String> =
        application.dependents.iter().map(|dependent| dependent.key.to_string()).collect();
    assert_eq!(keys, ["ConfigMap shop/a", "ConfigMap other/b", "Namespace shop"]);
    assert_eq!(&*application.workloads[0].id.namespace, "shop");
    assert!(application.workloads[0].manifest.contains(r#""namespace":"shop""#));
    assert!(parse_application_in(text, "Not valid").is_err());
}
