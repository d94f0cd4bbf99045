//! What runs in the cluster and may be imported (S34): workloads whether Godwit manages them or not, and what goes along with
//! them. It is read when somebody asks, and what an import would do is tried by a dry run: nothing here writes.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_agent_core::{Apply, CallError, Kind, Stamp, labels};
use godwit_common::kind::GOES_ALONG;
use godwit_common::link::MANIFEST_MAX;
use godwit_common::name::check_namespace;
use godwit_common::{Need, ObjectKey, Uid, WorkloadKind};
use godwit_manifest::{as_manifest, parse_application_in};
use godwit_proto::v1;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::LabelSelector;
use kube::api::{DynamicObject, ListParams, Patch, PatchParams};
use kube::core::{Selector, SelectorExt};
use serde_json::{Map, Value, json};

use super::pods::{failed, within_limit};
use super::{Cluster, PAGE, Untold, error, manifest, secrets, sight};

/// The most workloads that are told, and the most objects of one kind that are looked through.
const WORKLOADS_MAX: usize = 1_000;
const LOOKED_THROUGH_MAX: usize = 10_000;
/// The longest word of the API server that is told.
const WORDS_MAX: usize = 2_000;

/// Of what goes along, how many kinds point at workloads; the others are named by them.
const POINTING: usize = 3;
/// Secrets that a cluster, or Helm, makes for itself.
const OWN_SECRETS: [&str; 2] = ["kubernetes.io/service-account-token", "helm.sh/release.v1"];
/// Annotations that a cluster writes, beside those that no manifest keeps.
const OWN_ANNOTATIONS: [&str; 1] = ["deprecated.daemonset.template.generation"];
/// The prefix of what Godwit writes.
const GODWIT: &str = "godwit.dev/";

impl Cluster {
    /// The workloads that are wanted, and after them what goes along with them.
    pub(crate) async fn objects_to_import(
        &self,
        wanted: &v1::ObjectsInquiry,
    ) -> Result<Vec<v1::InquiryObject>, Untold> {
        check_namespace(&wanted.namespace).map_err(|error| Untold::NoSuch(error.to_string()))?;
        within_limit(async {
            let workloads = self.workloads_to_import(wanted).await?;
            let along = self.along(&wanted.namespace, &workloads).await?;
            let told = workloads.values().map(|object| tell(object, true, true));
            let told = told.chain(along.values().map(|object| tell(object, false, wanted.dependents)));
            told.collect()
        })
        .await
    }

    async fn workloads_to_import(
        &self,
        wanted: &v1::ObjectsInquiry,
    ) -> Result<BTreeMap<ObjectKey, DynamicObject>, Untold> {
        let mut found = BTreeMap::new();
        if wanted.names.len() > WORKLOADS_MAX {
            return Err(Untold::NoSuch(format!("more than {WORKLOADS_MAX} workloads are named")));
        }
        for v1::NamedWorkload { kind, name } in &wanted.names {
            let known = WorkloadKind::of_name(kind).filter(|known| known.importable());
            let Some(known) = known else {
                return Err(Untold::NoSuch(format!("a {kind} cannot be imported")));
            };
            let key = ObjectKey::new(known.api_version(), kind, &wanted.namespace, name)
                .map_err(|error| Untold::NoSuch(error.to_string()))?;
            if let Some(object) = self.look_up(&key).await? {
                found.insert(key, object);
            }
        }
        if wanted.names.is_empty() {
            for kind in WorkloadKind::ALL.into_iter().filter(|kind| kind.importable()) {
                let kind = Kind::of_workload(kind);
                for object in self.list(&kind, &wanted.namespace, &wanted.selector).await? {
                    found.insert(sight::key(&kind, &object.metadata), object);
                }
            }
        }
        match found.len() {
            0..=WORKLOADS_MAX => Ok(found),
            many => Err(Untold::NoSuch(format!(
                "{many} workloads are chosen, and at most {WORKLOADS_MAX} are imported at once: choose fewer"
            ))),
        }
    }

    /// What the workloads name, and what points at them.
    async fn along(
        &self,
        namespace: &str,
        workloads: &BTreeMap<ObjectKey, DynamicObject>,
    ) -> Result<BTreeMap<ObjectKey, DynamicObject>, Untold> {
        let mut along = BTreeMap::new();
        for key in workloads.iter().flat_map(|(key, object)| named(key, object)).collect::<BTreeSet<_>>() {
            if let Some(object) = self.look_up(&key).await?.filter(|object| !is_clusters_own(object)) {
                along.insert(key, object);
            }
        }
        for (api_version, kind) in GOES_ALONG.into_iter().take(POINTING) {
            let kind = Kind { api_version: api_version.into(), kind: kind.into() };
            for object in self.list(&kind, namespace, "").await? {
                if workloads.iter().any(|(key, workload)| points_at(&kind, &object, key, workload)) {
                    along.insert(sight::key(&kind, &object.metadata), object);
                }
            }
        }
        Ok(along)
    }

    async fn look_up(&self, key: &ObjectKey) -> Result<Option<DynamicObject>, Untold> {
        let api = self.api(key).await.map_err(unreachable_kind)?;
        match api.get(&key.name).await {
            Ok(object) => Ok(Some(object)),
            Err(error) if error::is_object_missing(&error) => Ok(None),
            Err(error) => match error::sort(error) {
                CallError::NamespaceMissing => Ok(None),
                error => Err(unreachable_kind(error)),
            },
        }
    }

    async fn list(&self, kind: &Kind, namespace: &str, selector: &str) -> Result<Vec<DynamicObject>, Untold> {
        let key = ObjectKey {
            api_version: kind.api_version.clone(),
            kind: kind.kind.clone(),
            namespace: namespace.into(),
            name: "".into(),
        };
        let api = self.api(&key).await.map_err(unreachable_kind)?;
        let mut params = ListParams::default().limit(PAGE).labels(selector);
        let mut found = Vec::new();
        loop {
            let page = api.list(&params).await.map_err(failed)?;
            found.extend(page.items);
            if found.len() > LOOKED_THROUGH_MAX {
                return Err(Untold::Failed(format!(
                    "namespace {namespace} has more than {LOOKED_THROUGH_MAX} objects of the kind {}",
                    kind.kind
                )));
            }
            match page.metadata.continue_.filter(|token| !token.is_empty()) {
                Some(token) => params = params.continue_token(&token),
                None => return Ok(found),
            }
        }
    }

    /// What the API server makes of the first write to an object that is taken over.
    pub(crate) async fn try_adoption(
        &self,
        wanted: v1::AdoptionInquiry,
    ) -> Result<v1::InquiryAdoption, Untold> {
        let v1::AdoptionInquiry { api_version, kind, namespace, name, uid, manifest, replicas, force } =
            wanted;
        let key = ObjectKey::new(&api_version, &kind, &namespace, &name)
            .map_err(|error| Untold::NoSuch(error.to_string()))?;
        within_limit(async {
            let live = self.look_up(&key).await?;
            let live = live.filter(|live| sight::uid(&live.metadata).is_some_and(|live| bytes(live) == uid));
            let Some(live) = live else {
                let refused = format!("{key} is not the object any more that it was: import again");
                return Ok(v1::InquiryAdoption { refused, ..Default::default() });
            };
            self.dry_run(&key, manifest, replicas, force, &live).await
        })
        .await
    }

    async fn dry_run(
        &self,
        key: &ObjectKey,
        text: String,
        replicas: Option<u32>,
        force: bool,
        live: &DynamicObject,
    ) -> Result<v1::InquiryAdoption, Untold> {
        let apply = Apply {
            key: key.clone(),
            manifest: text.into(),
            overrides: Arc::default(),
            replicas,
            supervised: false,
            scale_only: false,
            stamp: Stamp::default(),
            charter: None,
            version: None,
            force,
            dry_run: true,
            takes_over: false,
        };
        let body = manifest::to_apply(apply, None, None).map_err(Untold::Failed)?;
        let writer = match self.writer(key) {
            Ok(writer) => writer,
            Err(error) => return not_adopted(error),
        };
        let api = self.api_as(&writer.client, key).await.map_err(unreachable_kind)?;
        let params = PatchParams { force, dry_run: true, ..PatchParams::apply(labels::FIELD_MANAGER) };
        let tried = match api.patch(&key.name, &params, &Patch::Apply(&body)).await {
            Ok(tried) => tried,
            Err(error) => {
                let error = writer.explained(error).await;
                let is_secret = secrets::is_secret(&Kind::of(key));
                return not_adopted(if is_secret { secrets::scrubbed(error, &body) } else { error });
            }
        };
        let template = |object: &DynamicObject| object.data.pointer("/spec/template").cloned();
        let restarts = WorkloadKind::of_name(&key.kind).is_some() && template(&tried) != template(live);
        Ok(v1::InquiryAdoption { restarts, ..Default::default() })
    }
}

fn not_adopted(error: CallError) -> Result<v1::InquiryAdoption, Untold> {
    let words = |words: &str| words.chars().take(WORDS_MAX).collect::<String>();
    match error {
        CallError::FieldConflict { message, .. } => {
            Ok(v1::InquiryAdoption { conflict: words(&message), ..Default::default() })
        }
        CallError::Refused(message) => {
            Ok(v1::InquiryAdoption { refused: words(&message), ..Default::default() })
        }
        CallError::Unavailable(message) => Err(Untold::Failed(message.to_string())),
        CallError::Outdated => Err(Untold::Failed("it changed meanwhile: import again".to_owned())),
        CallError::NamespaceMissing => Err(Untold::Failed("its namespace is gone".to_owned())),
    }
}

/// An object as it is told, cleaned of what its cluster writes.
fn tell(object: &DynamicObject, workload: bool, whole: bool) -> Result<v1::InquiryObject, Untold> {
    let types = object.types.clone().unwrap_or_default();
    let text = |text: &Option<String>| text.clone().unwrap_or_default();
    let (namespace, name) = (text(&object.metadata.namespace), text(&object.metadata.name));
    let what = format!("{} {namespace}/{name}", types.kind);
    let uid = sight::uid(&object.metadata)
        .ok_or_else(|| Untold::Failed(format!("the UID of {what} is not a UUID")))?;
    let manifest = if whole { cleaned(object).to_string() } else { String::new() };
    if manifest.len() > MANIFEST_MAX {
        return Err(Untold::NoSuch(format!("{what} has more than {MANIFEST_MAX} bytes")));
    }
    let ours = object.metadata.labels.as_ref();
    let life = ours.and_then(|ours| {
        let managed = ours.get(labels::MANAGED).is_some_and(|value| value == labels::TRUE);
        managed.then(|| ours.get(labels::UID).and_then(|uid| uid.parse::<Uid>().ok()).unwrap_or_default())
    });
    let owners = object.metadata.owner_references.iter().flatten();
    let owner = owners.into_iter().max_by_key(|owner| owner.controller == Some(true));
    Ok(v1::InquiryObject {
        api_version: types.api_version,
        kind: types.kind,
        namespace,
        name,
        uid: bytes(uid),
        manifest,
        workload,
        owner: owner.map(|owner| format!("{} {}", owner.kind, owner.name)).unwrap_or_default(),
        life: life.map(bytes).unwrap_or_default(),
        // Whoever is told nothing of an object compares nothing of it.
        content: if whole && life.is_none() { content(object) } else { 0 },
    })
}

/// What stands for all that an object says but its count: never zero. Of a Secret that says no more than that it was changed.
pub(super) fn content(object: &DynamicObject) -> u64 {
    let kind = object.types.as_ref().map_or("", |types| &*types.kind);
    let namespace = object.metadata.namespace.as_deref().unwrap_or_default();
    let manifest = as_manifest(cleaned(object), kind, namespace);
    godwit_common::stable_hash([manifest.as_bytes()]).max(1)
}

/// The manifest, without what belongs to the cluster alone: another one would refuse it, or get it wrong.
fn cleaned(object: &DynamicObject) -> Value {
    let mut body = serde_json::to_value(object).unwrap_or_default();
    let kind = object.types.as_ref().map_or("", |types| &*types.kind).to_owned();
    let Some(fields) = body.as_object_mut() else { return body };
    fields.remove("status");
    if let Some(metadata) = fields.get_mut("metadata").and_then(Value::as_object_mut) {
        manifest::SERVERS_FIELDS.iter().chain(&["finalizers"]).for_each(|field| {
            metadata.remove(*field);
        });
        for table in ["labels", "annotations"] {
            let Some(texts) = metadata.get_mut(table).and_then(Value::as_object_mut) else { continue };
            let mode = (table == "labels").then_some(labels::MODE);
            texts.retain(|key, _| {
                Some(key.as_str()) == mode
                    || !key.starts_with(GODWIT) && !OWN_ANNOTATIONS.contains(&key.as_str())
            });
        }
    }
    match kind.as_str() {
        "Service" => clean_service(fields),
        "ServiceAccount" => {
            fields.remove("secrets");
        }
        _ => {}
    }
    body
}

/// Addresses and ports that the cluster gave out are no other's.
fn clean_service(fields: &mut Map<String, Value>) {
    let Some(spec) = fields.get_mut("spec").and_then(Value::as_object_mut) else { return };
    if spec.get("clusterIP").and_then(Value::as_str) != Some("None") {
        ["clusterIP", "clusterIPs", "ipFamilies"].iter().for_each(|field| {
            spec.remove(*field);
        });
    }
    spec.remove("healthCheckNodePort");
    let ports = spec.get_mut("ports").and_then(Value::as_array_mut);
    for port in ports.into_iter().flatten().filter_map(Value::as_object_mut) {
        port.remove("nodePort");
    }
}

/// What of its namespace a workload names, and would lack elsewhere.
fn named(key: &ObjectKey, object: &DynamicObject) -> Vec<ObjectKey> {
    let parsed = parse_application_in(&cleaned(object).to_string(), &key.namespace);
    let needs = parsed.into_iter().flat_map(|parsed| parsed.workloads).flat_map(|workload| workload.needs);
    let objects = needs.filter_map(|need| match need {
        Need::Object(key) => Some(key),
        Need::Kind { .. } | Need::Scalable { .. } | Need::Given(_) => None,
    });
    let goes_along =
        |need: &ObjectKey| GOES_ALONG.iter().skip(POINTING).any(|(_, kind)| *kind == &*need.kind);
    objects.filter(|need| need.namespace == key.namespace && goes_along(need)).collect()
}

fn is_clusters_own(object: &DynamicObject) -> bool {
    let kind = object.data.get("type").and_then(Value::as_str).unwrap_or_default();
    OWN_SECRETS.contains(&kind) || object.metadata.name.as_deref() == Some("kube-root-ca.crt")
}

/// Whether an object is about a workload, or about its pods.
fn points_at(kind: &Kind, object: &DynamicObject, key: &ObjectKey, workload: &DynamicObject) -> bool {
    let spec = |path: &str| object.data.pointer(path);
    let labels = workload.data.pointer("/spec/template/metadata/labels").cloned();
    let of_pods: BTreeMap<String, String> =
        labels.and_then(|labels| serde_json::from_value(labels).ok()).unwrap_or_default();
    let chosen = |selector: LabelSelector| {
        Selector::try_from(selector)
            .is_ok_and(|selector| !selector.selects_all() && selector.matches(&of_pods))
    };
    match &*kind.kind {
        "HorizontalPodAutoscaler" => {
            let target = |field: &str| spec("/spec/scaleTargetRef")?.get(field)?.as_str();
            target("kind") == Some(&*key.kind) && target("name") == Some(&*key.name)
        }
        "Service" => {
            let labels = spec("/spec/selector").map(|labels| json!({"matchLabels": labels}));
            labels.and_then(|labels| serde_json::from_value(labels).ok()).is_some_and(chosen)
        }
        _ => {
            let selector = spec("/spec/selector").cloned();
            selector.and_then(|selector| serde_json::from_value(selector).ok()).is_some_and(chosen)
        }
    }
}

fn unreachable_kind(error: CallError) -> Untold {
    match error {
        CallError::Refused(words) | CallError::Unavailable(words) => Untold::Failed(words.to_string()),
        CallError::Outdated | CallError::NamespaceMissing | CallError::FieldConflict { .. } => {
            Untold::Failed("the API server gave an answer that fits no question".to_owned())
        }
    }
}

fn bytes(uid: Uid) -> Vec<u8> {
    uid.0.to_be_bytes().to_vec()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn content_of(change: impl FnOnce(&mut Value)) -> u64 {
        let mut object = json!({
            "apiVersion": "apps/v1", "kind": "Deployment",
            "metadata": {
                "name": "web", "namespace": "shop", "uid": "1", "resourceVersion": "7", "generation": 2,
                "labels": {"app": "web"}, "annotations": {"deployment.kubernetes.io/revision": "1"},
            },
            "spec": {"replicas": 3, "template": {"spec": {"containers": [{"image": "web:1", "name": "web"}]}}},
            "status": {"replicas": 3},
        });
        change(&mut object);
        content(&serde_json::from_value(object).expect("an object"))
    }

    #[test]
    fn s34_what_clusters_write_and_the_count_are_no_change_of_what_was_imported() {
        let before = content_of(|_| {});
        assert_ne!(before, 0);
        let scaled = content_of(|object| {
            (object["spec"]["replicas"], object["status"]["replicas"]) = (5.into(), 4.into());
            (object["metadata"]["generation"], object["metadata"]["resourceVersion"]) =
                (3.into(), "9".into());
            object["metadata"]["annotations"]["deployment.kubernetes.io/revision"] = "2".into();
            object["metadata"]["annotations"][labels::ADOPT] = "true".into();
        });
        assert_eq!(scaled, before);
        let container = "/spec/template/spec/containers/0";
        let ordered = content_of(|object| {
            *object.pointer_mut(container).expect("a container") = json!({"name": "web", "image": "web:1"});
        });
        assert_eq!(ordered, before, "the order of fields means nothing");
        let image = content_of(|object| object.pointer_mut(container).expect("it")["image"] = "web:2".into());
        let label = content_of(|object| object["metadata"]["labels"]["team"] = "shop".into());
        assert!(image != before && label != before && image != label);
    }
}
