//! What an application needs and does not bring along.

use godwit_common::Need;
use godwit_manifest::{Application, MAX_NEEDS, parse_application, parse_application_in};

/// A workload with more fields in its pod, and more documents.
fn text(pod: &str, more: &str) -> String {
    format!(
        "apiVersion: apps/v1
kind: Deployment
metadata: {{name: web, labels: {{tier: web}}}}
spec:
  selector: {{matchLabels: {{a: b}}}}
  template:
    metadata: {{labels: {{a: b}}}}
    spec:
      containers:
      - {{name: c, image: i}}
{pod}
{more}"
    )
}

fn needs(application: &Application, workload: usize) -> Vec<String> {
    let shown = |need: &Need| match need {
        Need::Kind { api_version, kind } => format!("{api_version} {kind}"),
        Need::Scalable { api_version, kind } => format!("{api_version} {kind}/scale"),
        Need::Object(key) | Need::Given(key) => format!("{} {key}", key.api_version),
    };
    application.workloads[workload].needs.iter().map(shown).collect()
}

fn of(pod: &str, more: &str) -> Vec<String> {
    let text = text(pod, more);
    let application = parse_application_in(&text, "shop").unwrap_or_else(|errors| panic!("{text}{errors}"));
    needs(&application, 0)
}

const NAMING: &str = "      - name: d
        image: i
        env:
        - {name: A, value: a}
        - {name: B, valueFrom: {secretKeyRef: {name: s-env, key: k}}}
        - {name: C, valueFrom: {configMapKeyRef: {name: c-env, key: k}}}
        - {name: D, valueFrom: {configMapKeyRef: {name: maybe, key: k, optional: true}}}
        - {name: E, valueFrom: {fieldRef: {fieldPath: metadata.name}}}
        envFrom: [{secretRef: {name: s-from}}, {configMapRef: {name: c-from}}, {secretRef: {name: maybe, optional: true}}]
      initContainers: [{name: e, image: i, envFrom: [{configMapRef: {name: c-init}}]}]
      imagePullSecrets: [{name: pull}]
      serviceAccountName: robot
      priorityClassName: urgent
      runtimeClassName: gvisor
      volumes:
      - {name: a, secret: {secretName: s-volume}}
      - {name: b, configMap: {name: c-volume}}
      - {name: c, projected: {sources: [{secret: {name: s-projected}}, {configMap: {name: c-projected}}, {secret: {name: maybe, optional: true}}]}}
      - {name: d, persistentVolumeClaim: {claimName: data}}
      - {name: e, emptyDir: {}}
      - {name: f, secret: {secretName: maybe, optional: true}}
      - {name: g, ephemeral: {volumeClaimTemplate: {spec: {storageClassName: scratch}}}}";

#[test]
fn what_a_pod_names_is_needed_unless_it_is_optional() {
    let expected = [
        "node.k8s.io/v1 RuntimeClass gvisor",
        "scheduling.k8s.io/v1 PriorityClass urgent",
        "storage.k8s.io/v1 StorageClass scratch",
        "v1 ConfigMap shop/c-env",
        "v1 ConfigMap shop/c-from",
        "v1 ConfigMap shop/c-init",
        "v1 ConfigMap shop/c-projected",
        "v1 ConfigMap shop/c-volume",
        "v1 PersistentVolumeClaim shop/data",
        "v1 Secret shop/pull",
        "v1 Secret shop/s-env",
        "v1 Secret shop/s-from",
        "v1 Secret shop/s-projected",
        "v1 Secret shop/s-volume",
        "v1 ServiceAccount shop/robot",
    ];
    assert_eq!(of(NAMING, ""), expected);
}

#[test]
fn what_every_cluster_has_is_no_need() {
    let pod = "      serviceAccountName: default\n      priorityClassName: system-cluster-critical\n";
    assert_eq!(of(pod, ""), Vec::<String>::new());
    let more = "---
{apiVersion: rbac.authorization.k8s.io/v1, kind: Role, metadata: {name: r}}
---
{apiVersion: discovery.k8s.io/v1, kind: EndpointSlice, metadata: {name: e}}
---
{apiVersion: networking.k8s.io/v1, kind: NetworkPolicy, metadata: {name: net}}
---
{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {name: p}, spec: {storageClassName: \"\"}}
";
    assert_eq!(of("", more), Vec::<String>::new());
}

#[test]
fn what_the_application_brings_is_no_need_wherever_it_stands() {
    let more = "---
{apiVersion: v1, kind: Secret, metadata: {name: pull}}
---
{apiVersion: v1, kind: Secret, metadata: {name: s-env, namespace: other}}
---
{apiVersion: scheduling.k8s.io/v1, kind: PriorityClass, metadata: {name: urgent}, value: 1}
";
    let left = of(NAMING, more);
    assert!(!left.iter().any(|need| need.contains("pull") || need.contains("urgent")), "{left:?}");
    assert!(left.contains(&"v1 Secret shop/s-env".to_owned()), "another namespace is another object");
}

#[test]
fn custom_kinds_are_needed_unless_their_definition_comes_along() {
    let more = "---
{apiVersion: example.com/v1, kind: Widget, metadata: {name: w}}
---
{apiVersion: example.com/v1, kind: Gadget, metadata: {name: g}}
---
{apiVersion: gateway.networking.k8s.io/v1, kind: HTTPRoute, metadata: {name: r}}
---
{apiVersion: apiextensions.k8s.io/v1, kind: CustomResourceDefinition, metadata: {name: widgets.example.com},
 spec: {group: example.com, names: {kind: Widget, plural: widgets}}}
";
    assert_eq!(of("", more), ["example.com/v1 Gadget", "gateway.networking.k8s.io/v1 HTTPRoute"]);
}

#[test]
fn every_workload_has_the_needs_of_all_dependents_and_its_own() {
    let second = text("      serviceAccountName: robot", "").replace("name: web", "name: api");
    let more = format!(
        "---
{{apiVersion: networking.k8s.io/v1, kind: Ingress, metadata: {{name: i}}, spec: {{ingressClassName: nginx}}}}
---
{{apiVersion: v1, kind: PersistentVolumeClaim, metadata: {{name: p}}, spec: {{storageClassName: fast}}}}
---
{second}"
    );
    let application = parse_application(&text("", &more)).unwrap();
    let shared = ["networking.k8s.io/v1 IngressClass nginx", "storage.k8s.io/v1 StorageClass fast"];
    assert_eq!(needs(&application, 0), shared);
    assert_eq!(needs(&application, 1), [shared[0], shared[1], "v1 ServiceAccount default/robot"]);
    let labels = &application.workloads[1].labels;
    assert_eq!(labels.iter().map(|(key, value)| (&**key, &**value)).collect::<Vec<_>>(), [("tier", "web")]);
}

#[test]
fn claim_templates_name_a_class_of_storage() {
    let text = text("", "").replace("Deployment", "StatefulSet").replace(
        "  selector:",
        "  volumeClaimTemplates: [{metadata: {name: d}, spec: {storageClassName: fast}}, {metadata: {name: e}}]\n  selector:",
    );
    let application = parse_application(&text).unwrap();
    assert_eq!(needs(&application, 0), ["storage.k8s.io/v1 StorageClass fast"]);
    assert!(application.workloads[0].has_volume_claims);
}

#[test]
fn too_many_needs_and_wrong_names_are_refused_with_a_remedy() {
    let secrets = |count: usize| {
        let names: Vec<String> = (0..count).map(|index| format!("{{name: s{index}}}")).collect();
        format!("      imagePullSecrets: [{}]", names.join(", "))
    };
    assert_eq!(of(&secrets(MAX_NEEDS), "").len(), MAX_NEEDS);
    let errors = |pod: &str| parse_application(&text(pod, "")).unwrap_err().to_string();
    assert_eq!(
        errors(&secrets(MAX_NEEDS + 1)),
        "document 1 (line 1, column 1): Deployment web: it needs 65 kinds and objects that the application does not bring, Secret default/s0 among them; bring some of them along, so that at most 64 are left"
    );
    let pod = "      serviceAccountName: a/b\n      priorityClassName: 7\n      volumes: 3";
    assert_eq!(
        errors(pod).replace("document 1 (line ", "(").replace("column ", ""),
        "(11, 27): Deployment web: spec.template.spec.serviceAccountName: name \"a/b\" is not valid: it must be 1 to 253 characters without '/', '%' or white space; write the name of a ServiceAccount\n\
         (12, 26): Deployment web: spec.template.spec.priorityClassName: 7 is not a text; put it in quotes: \"7\"\n\
         (13, 16): Deployment web: spec.template.spec.volumes: 3 is not valid here; write a list"
    );
}
