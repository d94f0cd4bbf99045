//! What others have changed of what was applied (S29), as the API server's own books have it: whoever changes or takes a
//! field owns it from then on, and who owned it before owns it no more. So a field that the manifest sets, and that is not
//! in our entry of the managed fields, was changed. That needs no second copy of the object, and no opinion of how the
//! server writes a value down.

use std::sync::Arc;

use godwit_agent_core::{Kind, labels};
use godwit_common::{ObjectKey, WorkloadKind};
use godwit_manifest::overrides::render;
use k8s_openapi::apimachinery::pkg::apis::meta::v1::{ManagedFieldsEntry, ObjectMeta};
use serde_json::Value;

use super::manifest::SERVERS_FIELDS;
use super::scale::ScalePaths;

/// Fields that are named to people; of more there is only the number.
const NAMED_MAX: usize = 3;
/// Those that have them now, for each field.
const MANAGERS_MAX: usize = 2;
/// A key of a map may be long.
const FIELD_MAX: usize = 200;
/// How often a workload runs: that is compared as a number, and may be an autoscaler's.
const COUNTS: [[&str; 2]; 2] = [["spec", "replicas"], ["spec", "suspend"]];

/// The fields that are not ours any more, and whose they are now; empty if there are none. An object on which the manifest
/// is not kept says nothing ([`labels::MANIFEST_KEPT_MAX`]).
pub(super) fn altered(kind: &Kind, metadata: &ObjectMeta, scale: Option<&ScalePaths>) -> Arc<str> {
    let Some(manifest) = applied(kind, metadata) else { return Arc::default() };
    let books = metadata.managed_fields.iter().flatten();
    let is_ours = |entry: &ManagedFieldsEntry| {
        entry.manager.as_deref() == Some(labels::FIELD_MANAGER) && entry.subresource.is_none()
    };
    let (ours, others): (Vec<&ManagedFieldsEntry>, Vec<_>) = books.partition(|entry| is_ours(entry));
    let ours: Vec<&Value> = ours.into_iter().filter_map(|entry| Some(&entry.fields_v1.as_ref()?.0)).collect();
    let mut lost = Lost { counted: WorkloadKind::of_name(&kind.kind).is_some(), scale, ..Lost::default() };
    lost.search(&manifest, &ours);
    lost.tell(&others)
}

/// What was applied, as far as it comes from the hub: the manifest that is kept, with what is different here.
fn applied(kind: &Kind, metadata: &ObjectMeta) -> Option<Value> {
    let notes = metadata.annotations.as_ref()?;
    let manifest = serde_json::from_str(notes.get(labels::MANIFEST)?).ok()?;
    let Some(overrides) = notes.get(labels::OVERRIDES) else { return Some(manifest) };
    let key = ObjectKey {
        api_version: kind.api_version.clone(),
        kind: kind.kind.clone(),
        namespace: metadata.namespace.as_deref().unwrap_or_default().into(),
        name: metadata.name.as_deref().unwrap_or_default().into(),
    };
    render(&key, manifest, overrides).ok()
}

/// One step into an object.
#[derive(Debug, Clone, Copy)]
enum Step<'a> {
    Field(&'a str),
    Item(usize, &'a Value),
}

/// The fields of a manifest that are not in our entry.
#[derive(Debug, Default)]
struct Lost<'a> {
    /// The manifest is that of a workload.
    counted: bool,
    /// It is that of a custom resource, whose count is there.
    scale: Option<&'a ScalePaths>,
    here: Vec<Step<'a>>,
    found: Vec<Vec<Step<'a>>>,
}

impl<'a> Lost<'a> {
    fn search(&mut self, value: &'a Value, ours: &[&Value]) {
        if self.is_not_compared() {
            return;
        }
        if ours.iter().any(|fields| is_whole(fields)) {
            return;
        }
        let parts = parts(value);
        // With its only field a map is gone from the books, too.
        if ours.is_empty() && parts.len() != 1 {
            self.found.push(self.here.clone());
            return;
        }
        for (step, value) in parts {
            let below: Vec<&Value> = ours.iter().flat_map(|fields| step.below(fields)).collect();
            self.here.push(step);
            self.search(value, &below);
            self.here.pop();
        }
    }

    /// What is not applied, or not applied as it stands in the manifest.
    fn is_not_compared(&self) -> bool {
        let names: Vec<&str> = self.here.iter().map(|step| step.name()).collect();
        if self.scale.is_some_and(|scale| scale.is_count(&names)) {
            return true;
        }
        match *names.as_slice() {
            ["apiVersion" | "kind" | "status"] | ["metadata", "name" | "namespace"] => true,
            ["metadata", name] => SERVERS_FIELDS.contains(&name),
            [outer, inner] => self.counted && COUNTS.contains(&[outer, inner]),
            _ => false,
        }
    }

    /// The first of them, and who has each now.
    fn tell(&self, others: &[&ManagedFieldsEntry]) -> Arc<str> {
        let one = |path: &Vec<Step>| {
            let text: String = path.iter().map(|step| step.text()).collect();
            let text: String = text.chars().take(FIELD_MAX).collect();
            let has = others.iter().filter(|entry| has(entry, path));
            let mut managers: Vec<&str> = has.filter_map(|entry| entry.manager.as_deref()).collect();
            managers.sort_unstable();
            managers.dedup();
            managers.truncate(MANAGERS_MAX);
            match managers.as_slice() {
                [] => format!("{text} (taken away)"),
                managers => format!("{text} (by {})", managers.join(" and ")),
            }
        };
        let mut named: Vec<String> = self.found.iter().take(NAMED_MAX).map(one).collect();
        if let Some(more) = self.found.len().checked_sub(NAMED_MAX).filter(|more| *more > 0) {
            named.push(format!("{more} more"));
        }
        named.join(", ").into()
    }
}

impl Step<'_> {
    /// What managed fields say below this step.
    fn below<'b>(&self, fields: &'b Value) -> Vec<&'b Value> {
        let all = fields.as_object().into_iter().flatten();
        match self {
            Self::Field(name) => {
                all.filter(|(key, _)| key.strip_prefix("f:") == Some(name)).map(|(_, value)| value).collect()
            }
            Self::Item(index, item) => {
                all.filter(|(key, _)| is_item(key, *index, item)).map(|(_, value)| value).collect()
            }
        }
    }

    fn name(&self) -> &str {
        match self {
            Self::Field(name) => name,
            Self::Item(..) => "",
        }
    }

    /// As the API server writes it in its own messages.
    fn text(&self) -> String {
        match self {
            Self::Field(name) => format!(".{name}"),
            Self::Item(index, item) => match item.get("name") {
                Some(name) => format!("[name={name}]"),
                None => format!("[{index}]"),
            },
        }
    }
}

/// What a value is made of; nothing if it is not made of parts.
fn parts(value: &Value) -> Vec<(Step<'_>, &Value)> {
    let fields = value.as_object().into_iter().flatten().filter(|(_, value)| !value.is_null());
    let fields = fields.map(|(name, value)| (Step::Field(name), value));
    let items = value.as_array().into_iter().flatten().enumerate();
    fields.chain(items.map(|(index, item)| (Step::Item(index, item), item))).collect()
}

/// What stands in the books without anything below it is owned as a whole.
fn is_whole(fields: &Value) -> bool {
    fields.as_object().is_some_and(serde_json::Map::is_empty)
}

/// Whether an entry has a field, or something below it, or all that is around it.
fn has(entry: &ManagedFieldsEntry, path: &[Step]) -> bool {
    let Some(fields) = &entry.fields_v1 else { return false };
    let mut here = vec![&fields.0];
    for step in path {
        if here.iter().any(|fields| is_whole(fields)) {
            return true;
        }
        here = here.into_iter().flat_map(|fields| step.below(fields)).collect();
    }
    !here.is_empty()
}

/// Whether a key of managed fields means an item of a list: by the fields that tell items apart, of which the server knows
/// defaults, by its value, or by its place.
fn is_item(key: &str, index: usize, item: &Value) -> bool {
    let read = |text: &str| serde_json::from_str::<Value>(text).ok();
    match key.split_once(':') {
        Some(("k", keys)) => read(keys).is_some_and(|keys| {
            let same = |(name, value): (&String, &Value)| item.get(name).is_none_or(|own| own == value);
            keys.as_object().is_some_and(|keys| keys.iter().all(same))
        }),
        Some(("v", value)) => read(value).as_ref() == Some(item),
        Some(("i", place)) => place.parse() == Ok(index),
        Some(_) | None => false,
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    /// The metadata of an object with this manifest, and these entries of (manager, fields).
    fn metadata(manifest: &Value, entries: &[(&str, Value)]) -> ObjectMeta {
        let entries: Vec<Value> = entries
            .iter()
            .map(|(manager, fields)| json!({"manager": manager, "operation": "Apply", "fieldsV1": fields}))
            .collect();
        let notes = json!({labels::MANIFEST: manifest.to_string()});
        serde_json::from_value(json!({"annotations": notes, "managedFields": entries})).unwrap()
    }

    fn told(kind: &str, manifest: &Value, entries: &[(&str, Value)]) -> String {
        let kind = Kind { api_version: "apps/v1".into(), kind: kind.into() };
        altered(&kind, &metadata(manifest, entries), None).to_string()
    }

    fn manifest() -> Value {
        json!({
            "apiVersion": "apps/v1", "kind": "Deployment", "status": {},
            "metadata": {"name": "web", "namespace": "shop", "creationTimestamp": null, "labels": {"team": "a"}},
            "spec": {"replicas": 3, "selector": {"matchLabels": {"app": "web"}}, "template": {"spec": {
                "containers": [{"name": "web", "image": "web:1", "env": [{"name": "MODE", "value": "x"}],
                    "ports": [{"containerPort": 80}], "args": ["-v"]}],
                "volumes": [{"name": "tmp", "emptyDir": {}}], "dnsPolicy": null}}}})
    }

    /// What the API server notes for that.
    fn whole() -> Value {
        json!({
            "f:metadata": {"f:labels": {"f:team": {}}, "f:annotations": {"f:godwit.dev/revision": {}}},
            "f:spec": {"f:replicas": {}, "f:selector": {}, "f:template": {"f:spec": {
                "f:containers": {"k:{\"name\":\"web\"}": {".": {}, "f:name": {}, "f:image": {}, "f:args": {},
                    "f:env": {"k:{\"name\":\"MODE\"}": {".": {}, "f:name": {}, "f:value": {}}},
                    "f:ports": {"k:{\"containerPort\":80,\"protocol\":\"TCP\"}": {".": {}, "f:containerPort": {}}}}},
                "f:volumes": {"k:{\"name\":\"tmp\"}": {".": {}, "f:name": {}, "f:emptyDir": {}}}}}}})
    }

    fn without(path: &str) -> Value {
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut fields = whole();
        let parent = fields.pointer_mut(parent).and_then(Value::as_object_mut).unwrap();
        parent.shift_remove(&name.replace("~1", "/")).unwrap();
        fields
    }

    #[test]
    fn s29_what_is_ours_is_not_altered() {
        assert_eq!(told("Deployment", &manifest(), &[("godwit", whole())]), "");
        let more = json!({"f:metadata": {"f:labels": {"f:other": {}}}, "f:status": {}});
        assert_eq!(told("Deployment", &manifest(), &[("godwit", whole()), ("other", more)]), "");
    }

    #[test]
    fn s29_what_others_took_is_named_with_them() {
        let container = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}";
        let theirs = json!({"f:spec": {"f:template": {"f:spec": {"f:containers": {"k:{\"name\":\"web\"}": {
            "f:image": {}}}}}}});
        let fields = without(&format!("{container}/f:image"));
        let image = ".spec.template.spec.containers[name=\"web\"].image";
        let told_image =
            told("Deployment", &manifest(), &[("godwit", fields.clone()), ("kubectl-set", theirs)]);
        assert_eq!(told_image, format!("{image} (by kubectl-set)"));
        assert_eq!(told("Deployment", &manifest(), &[("godwit", fields)]), format!("{image} (taken away)"));
        let env = without(&format!("{container}/f:env"));
        assert_eq!(
            told("Deployment", &manifest(), &[("godwit", env)]),
            ".spec.template.spec.containers[name=\"web\"].env[name=\"MODE\"] (taken away)"
        );
        let label = without("/f:metadata/f:labels");
        assert_eq!(
            told("Deployment", &manifest(), &[("godwit", label)]),
            ".metadata.labels.team (taken away)"
        );
        let selector = json!({"f:spec": {"f:selector": {}}});
        let fields = without("/f:spec/f:selector");
        let text = told("Deployment", &manifest(), &[("godwit", fields), ("other", selector)]);
        assert_eq!(text, ".spec.selector.matchLabels.app (by other)", "it is owned as a whole");
    }

    #[test]
    fn s29_what_an_override_put_there_or_took_away_is_ours_as_well() {
        let container = "/f:spec/f:template/f:spec/f:containers/k:{\"name\":\"web\"}";
        let patch =
            json!([{"jsonPatch": [{"op": "remove", "path": "/spec/template/spec/containers/0/args"}]}]);
        let told = |fields: Value, overrides: &Value| {
            let mut metadata = metadata(&manifest(), &[("godwit", fields)]);
            let notes = metadata.annotations.get_or_insert_default();
            notes.insert(labels::OVERRIDES.to_owned(), overrides.to_string());
            let kind = Kind { api_version: "apps/v1".into(), kind: "Deployment".into() };
            altered(&kind, &metadata, None).to_string()
        };
        assert_eq!(told(without(&format!("{container}/f:args")), &patch), "");
        assert_eq!(told(whole(), &json!([{"image": {"tag": "2"}}])), "");
        let label = json!([{"labels": {"region": "eu"}}]);
        assert!(told(whole(), &label).contains(".metadata.labels.region (taken away)"));
    }

    #[test]
    fn s29_the_count_of_a_workload_is_not_among_its_fields() {
        let fields = without("/f:spec/f:replicas");
        assert_eq!(told("Deployment", &manifest(), &[("godwit", fields.clone())]), "");
        assert_eq!(told("Widget", &manifest(), &[("godwit", fields)]), ".spec.replicas (taken away)");
    }

    #[test]
    fn s29_many_fields_are_counted_and_none_are_known_without_the_manifest() {
        let data = |name: &str| (name.to_owned(), json!("1"));
        let keys = ["a", "b", "c", "d", "e"];
        let manifest = json!({"data": keys.map(data).into_iter().collect::<serde_json::Map<_, _>>()});
        let theirs = keys.map(|key| (format!("f:{key}"), json!({}))).into_iter();
        let theirs = json!({"f:data": theirs.collect::<serde_json::Map<_, _>>()});
        let ours = json!({"f:data": {"f:x": {}}});
        let text = told("ConfigMap", &manifest, &[("godwit", ours), ("kubectl-edit", theirs)]);
        assert_eq!(
            text,
            ".data.a (by kubectl-edit), .data.b (by kubectl-edit), .data.c (by kubectl-edit), 2 more"
        );
        let kind = Kind { api_version: "v1".into(), kind: "ConfigMap".into() };
        assert_eq!(&*altered(&kind, &ObjectMeta::default(), None), "");
    }

    #[test]
    fn items_of_lists_are_found_as_the_server_tells_them_apart() {
        let port = json!({"containerPort": 53});
        assert!(is_item(r#"k:{"containerPort":53,"protocol":"UDP"}"#, 0, &port));
        assert!(!is_item(r#"k:{"containerPort":54,"protocol":"UDP"}"#, 0, &port));
        assert!(is_item(r#"v:"finalizer""#, 3, &json!("finalizer")));
        assert!(is_item("i:3", 3, &port) && !is_item("i:2", 3, &port));
        assert!(!is_item("f:name", 0, &port) && !is_item(".", 0, &port));
    }
}
