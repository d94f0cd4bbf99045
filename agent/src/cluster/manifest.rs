//! The body of a server-side apply: the manifest, with what Godwit adds to it.

use godwit_agent_core::{Apply, Stamp, labels};
use godwit_common::link::Charter;
use godwit_common::{ObjectKey, WorkloadKind};
use godwit_manifest::overrides::render;
use godwit_manifest::supervisor::{self, Supervisor};
use godwit_manifest::told::{self, Told, table};
use serde_json::{Map, Value, json};

use super::scale::ScalePaths;
use super::{charter, secrets};

/// Fields of the metadata that belong to the API server.
pub(super) const SERVERS_FIELDS: [&str; 7] = [
    "uid",
    "resourceVersion",
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "selfLink",
];

/// What to send; an error says what is wrong with the manifest. Where the count of a custom resource goes, its `scale` says.
pub(crate) fn to_apply(
    apply: Apply,
    scale: Option<&ScalePaths>,
    supervisor: Option<&Supervisor>,
) -> Result<Value, String> {
    let Apply { key, manifest, overrides, replicas, supervised, stamp, charter, version, .. } = apply;
    let whole: Value =
        serde_json::from_str(&manifest).map_err(|error| format!("the manifest is not JSON: {error}"))?;
    let mut body = render(&key, whole, &overrides)?;
    let Some(object) = body.as_object_mut() else {
        return Err("the manifest is not a JSON object".to_owned());
    };
    object.remove("status");
    object.insert("apiVersion".to_owned(), json!(&*key.api_version));
    object.insert("kind".to_owned(), json!(&*key.kind));
    let metadata = table(object, "metadata")?;
    SERVERS_FIELDS.iter().for_each(|field| {
        metadata.shift_remove(*field);
    });
    metadata.insert("name".to_owned(), json!(&*key.name));
    if key.namespace.is_empty() {
        metadata.shift_remove("namespace");
    } else {
        metadata.insert("namespace".to_owned(), json!(&*key.namespace));
    }
    if let Some(version) = version {
        metadata.insert("resourceVersion".to_owned(), json!(&*version));
    }
    let ours = table(metadata, "labels")?;
    ours.insert(labels::MANAGED.to_owned(), json!(labels::TRUE));
    ours.insert(labels::UID.to_owned(), json!(stamp.uid.to_string()));
    let kept = (manifest.len() <= labels::MANIFEST_KEPT_MAX).then(|| secrets::kept(&key, &manifest));
    let notes = table(metadata, "annotations")?;
    note(notes, &stamp, charter.as_deref(), kept.as_deref());
    if !overrides.is_empty() {
        notes.insert(labels::OVERRIDES.to_owned(), json!(&*overrides));
    }
    if replicas.is_some() && &*key.kind == WorkloadKind::CronJob.name() {
        mark_cron_job(object, &key)?;
    }
    let told = Told { replicas, ordinals: stamp.ordinals, bounds: stamp.bounds };
    let count: Option<Vec<&str>> = scale.map(|scale| scale.steps().collect());
    told::put(&mut body, &key, told, count.as_deref())?;
    if supervised {
        let kind = WorkloadKind::of_name(&key.kind)
            .ok_or_else(|| format!("it is not known where {} has its pods", key.kind))?;
        let supervisor = supervisor.ok_or("this agent puts no supervisors into pods")?;
        supervisor::supervise(kind, &mut body, &stamp.uid.to_string(), supervisor)?;
    }
    Ok(body)
}

/// Writes down whose word the object is.
fn note(notes: &mut Map<String, Value>, stamp: &Stamp, charter: Option<&Charter>, manifest: Option<&str>) {
    let term = format!("{}/{}", stamp.term.lease, stamp.term.transitions);
    let mut note = |name: &str, value: String| {
        notes.insert(name.to_owned(), Value::String(value));
    };
    for (name, value) in [
        (labels::REVISION, stamp.revision.to_string()),
        (labels::FEDERATION, stamp.fence.federation.to_string()),
        (labels::EPOCH, stamp.fence.epoch.to_string()),
        (labels::GENERATION, stamp.fence.generation.to_string()),
        (labels::TERM, term),
    ] {
        note(name, value);
    }
    if let Some(charter) = charter {
        note(labels::CHARTER, charter::write(charter));
    }
    if let Some(manifest) = manifest {
        note(labels::MANIFEST, manifest.to_owned());
    }
    if stamp.ordinals > 0 {
        note(labels::ORDINALS, stamp.ordinals.to_string());
    }
    if !stamp.bounds.is_none() {
        let text = [stamp.bounds.min, stamp.bounds.max].map(|bound| bound.map(|bound| bound.to_string()));
        note(labels::BOUNDS, text.map(Option::unwrap_or_default).join("/"));
    }
}

/// The pods of a CronJob's Jobs say whose they are, since a pod names its Job alone.
fn mark_cron_job(object: &mut Map<String, Value>, key: &ObjectKey) -> Result<(), String> {
    let job = table(table(table(object, "spec")?, "jobTemplate")?, "spec")?;
    let of_pods = table(table(table(job, "template")?, "metadata")?, "labels")?;
    of_pods.insert(labels::CRON_JOB.to_owned(), json!(&*key.name));
    Ok(())
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use godwit_common::Uid;
    use godwit_common::bounds::Bounds;

    use super::*;

    /// Of this kind and name, and with nothing else that is not said.
    fn wanted(kind: &str, name: &str, manifest: &str) -> Apply {
        let api_version = if kind == "Deployment" { "apps/v1" } else { "v1" };
        Apply {
            key: ObjectKey::new(api_version, kind, "shop", name).unwrap(),
            manifest: manifest.into(),
            overrides: Arc::default(),
            replicas: None,
            supervised: false,
            scale_only: false,
            stamp: Stamp { uid: Uid(42), revision: 7, ..Stamp::default() },
            charter: None,
            version: None,
            force: false,
            dry_run: false,
            takes_over: false,
        }
    }

    fn apply(manifest: &str, replicas: Option<u32>, version: Option<&str>) -> Result<Value, String> {
        let version = version.map(Into::into);
        to_apply(Apply { replicas, version, ..wanted("Deployment", "web", manifest) }, None, None)
    }

    #[test]
    fn the_manifest_is_kept_and_ours_is_added() {
        let manifest = r#"{"metadata":{"name":"other","uid":"x","labels":{"app":"web"}},"spec":{"paused":true},"status":{}}"#;
        let body = apply(manifest, Some(3), Some("9")).unwrap();
        assert_eq!(body["metadata"]["name"], "web");
        assert_eq!(body["metadata"]["namespace"], "shop");
        assert_eq!(body["metadata"]["resourceVersion"], "9");
        assert_eq!(body["metadata"]["labels"]["app"], "web");
        assert_eq!(body["metadata"]["labels"][labels::UID], Uid(42).to_string());
        assert_eq!(body["metadata"]["annotations"][labels::REVISION], "7");
        assert_eq!(body["metadata"]["annotations"][labels::MANIFEST], manifest);
        assert_eq!(body["spec"], json!({"paused": true, "replicas": 3}));
        assert!(body.get("status").is_none() && body["metadata"].get("uid").is_none());
    }

    #[test]
    fn what_is_different_here_is_carried_out_and_the_manifest_is_kept_as_it_was_asked_for() {
        let manifest = r#"{"spec":{"template":{"spec":{"containers":[{"name":"web","image":"web:1"}]}}}}"#;
        let overrides = r#"[{"image":{"registry":"eu.io"},"labels":{"region":"eu"}}]"#;
        let of = |overrides: &str| {
            let wanted = wanted("Deployment", "web", manifest);
            to_apply(Apply { overrides: overrides.into(), replicas: Some(3), ..wanted }, None, None)
        };
        let body = of(overrides).unwrap();
        assert_eq!(body["spec"]["template"]["spec"]["containers"][0]["image"], "eu.io/web:1");
        assert_eq!(
            (&body["metadata"]["labels"]["region"], &body["spec"]["replicas"]),
            (&json!("eu"), &json!(3))
        );
        let notes = &body["metadata"]["annotations"];
        assert_eq!(
            (&notes[labels::MANIFEST], &notes[labels::OVERRIDES]),
            (&json!(manifest), &json!(overrides))
        );
        assert!(of("").unwrap()["metadata"]["annotations"].get(labels::OVERRIDES).is_none());
        let patch = r#"[{"jsonPatch":[{"op":"remove","path":"/spec/nothing"}]}]"#;
        assert!(of(patch).unwrap_err().contains("jsonPatch remove /spec/nothing"));
    }

    fn apply_kind(kind: &str, replicas: u32, ordinals: u32, spec: Value) -> Value {
        let manifest = json!({ "spec": spec }).to_string();
        let stamp = Stamp { ordinals, ..Stamp::default() };
        let apply = Apply { replicas: Some(replicas), stamp, ..wanted(kind, "one", &manifest) };
        to_apply(apply, None, None).unwrap()
    }

    #[test]
    fn each_kind_is_told_in_its_own_way_whether_it_runs() {
        assert_eq!(apply_kind("Job", 1, 0, json!({}))["spec"], json!({"suspend": false}));
        assert_eq!(apply_kind("Job", 0, 0, json!({}))["spec"], json!({"suspend": true}));
        assert_eq!(apply_kind("DaemonSet", 0, 0, json!({"a": 1}))["spec"], json!({"a": 1}));
        let cron_job = apply_kind("CronJob", 0, 0, json!({"schedule": "0 3 * * *"}));
        assert_eq!(cron_job["spec"]["suspend"], true);
        let of_pods = cron_job.pointer("/spec/jobTemplate/spec/template/metadata/labels").unwrap();
        assert_eq!(of_pods[labels::CRON_JOB], "one");
    }

    #[test]
    fn ordinals_begin_higher_than_the_manifest_says() {
        let divided = apply_kind("StatefulSet", 2, 20_000, json!({"ordinals": {"start": 5}}));
        assert_eq!(divided["spec"], json!({"replicas": 2, "ordinals": {"start": 20_005}}));
        assert_eq!(divided["metadata"]["annotations"][labels::ORDINALS], "20000");
        let whole = apply_kind("StatefulSet", 2, 0, json!({}));
        assert!(whole["spec"].get("ordinals").is_none());
    }

    #[test]
    fn s29_the_bounds_of_a_cluster_stand_in_place_of_the_manifests() {
        let bounds = Bounds { min: None, max: Some(3) };
        let applied = |kind: &str| {
            let manifest = json!({"spec": {"minReplicas": 2, "maxReplicas": 30, "maxUnavailable": 9}});
            let stamp = Stamp { bounds, ..Stamp::default() };
            let apply = Apply { stamp, ..wanted(kind, "web", &manifest.to_string()) };
            to_apply(apply, None, None).unwrap()
        };
        let scaler = applied("HorizontalPodAutoscaler");
        assert_eq!(scaler["spec"], json!({"minReplicas": 2, "maxReplicas": 3, "maxUnavailable": 9}));
        assert_eq!(scaler["metadata"]["annotations"][labels::BOUNDS], "/3");
        assert_eq!(applied("PodDisruptionBudget")["spec"]["maxUnavailable"], 3);
        assert_eq!(applied("ConfigMap")["spec"]["maxReplicas"], 30, "it has no such bound");
    }

    #[test]
    fn s9_pods_get_a_supervisor_where_it_is_asked_for_and_none_where_it_cannot_be() {
        let supervisor = Supervisor { image: "agent:1".to_owned(), directory: "/leases".to_owned() };
        let asked = |manifest: Value, supervisor: Option<&Supervisor>| {
            let base = wanted("Deployment", "web", &manifest.to_string());
            let apply = Apply { replicas: Some(2), supervised: true, ..base };
            to_apply(apply, None, supervisor)
        };
        let pods = |command: Value| json!({"spec": {"template": {"spec": {"containers": [{"name": "a", "command": command}]}}}});
        let manifest = pods(json!(["serve"]));
        let body = asked(manifest.clone(), Some(&supervisor)).unwrap();
        let pod = &body["spec"]["template"]["spec"];
        assert!(supervisor::is_supervised(pod), "{pod}");
        assert_eq!(pod["volumes"][1]["hostPath"]["path"], format!("/leases/{}", Uid(42)));
        assert_eq!(
            body["metadata"]["annotations"][labels::MANIFEST],
            manifest.to_string(),
            "as it was asked for"
        );
        assert!(asked(manifest, None).unwrap_err().contains("puts no supervisors into pods"));
        assert!(asked(pods(json!([])), Some(&supervisor)).unwrap_err().contains("containers[a].command"));
    }

    #[test]
    fn without_a_count_or_a_version_none_is_sent() {
        let body = apply("{}", None, None).unwrap();
        assert!(body.get("spec").is_none() && body["metadata"].get("resourceVersion").is_none());
    }

    #[test]
    fn a_manifest_that_annotations_cannot_hold_is_not_kept() {
        let manifest = format!(r#"{{"data":{{"big":"{}"}}}}"#, "x".repeat(labels::MANIFEST_KEPT_MAX));
        let body = apply(&manifest, None, None).unwrap();
        assert!(body["metadata"]["annotations"].get(labels::MANIFEST).is_none());
    }

    #[test]
    fn a_broken_manifest_is_named() {
        for (manifest, problem) in [
            ("{", "not JSON"),
            ("[]", "not a JSON object"),
            (r#"{"metadata":[]}"#, "metadata of the manifest"),
            (r#"{"metadata":{"labels":3}}"#, "labels of the manifest"),
            (r#"{"spec":"x"}"#, "spec of the manifest"),
        ] {
            let error = apply(manifest, Some(1), None).unwrap_err();
            assert!(error.contains(problem), "{error}");
        }
    }
}
