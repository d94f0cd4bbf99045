//! Every field is one that Kubernetes has, with a value of its type: each object is read into the type of its kind and
//! written again. What the type does not know is lost on the way; what it needs and did not get appears.

use k8s_openapi::api::apps::v1::{DaemonSet, Deployment, StatefulSet};
use k8s_openapi::api::core::v1::{ConfigMap, Namespace, Secret, Service, ServiceAccount};
use k8s_openapi::api::networking::v1::NetworkPolicy;
use k8s_openapi::api::policy::v1::PodDisruptionBudget;
use k8s_openapi::api::rbac::v1::{ClusterRole, ClusterRoleBinding, Role, RoleBinding};
use k8s_openapi::api::scheduling::v1::PriorityClass;
use serde_json::{Value, json};

use super::helm;
use super::manifests::{KUSTOMIZATIONS, key, kustomized};

/// What the API server would say of an object's form.
pub(super) fn check(object: &Value) -> Result<(), String> {
    let text = |field: &str| object[field].as_str().unwrap_or_default();
    let read = match (text("apiVersion"), text("kind")) {
        ("v1", "ConfigMap") => again::<ConfigMap>,
        ("v1", "Namespace") => again::<Namespace>,
        ("v1", "Secret") => again::<Secret>,
        ("v1", "Service") => again::<Service>,
        ("v1", "ServiceAccount") => again::<ServiceAccount>,
        ("apps/v1", "DaemonSet") => again::<DaemonSet>,
        ("apps/v1", "Deployment") => again::<Deployment>,
        ("apps/v1", "StatefulSet") => again::<StatefulSet>,
        ("networking.k8s.io/v1", "NetworkPolicy") => again::<NetworkPolicy>,
        ("policy/v1", "PodDisruptionBudget") => again::<PodDisruptionBudget>,
        ("rbac.authorization.k8s.io/v1", "ClusterRole") => again::<ClusterRole>,
        ("rbac.authorization.k8s.io/v1", "ClusterRoleBinding") => again::<ClusterRoleBinding>,
        ("rbac.authorization.k8s.io/v1", "Role") => again::<Role>,
        ("rbac.authorization.k8s.io/v1", "RoleBinding") => again::<RoleBinding>,
        ("scheduling.k8s.io/v1", "PriorityClass") => again::<PriorityClass>,
        (version, kind) => return Err(format!("no type is known for {version} {kind}")),
    };
    let again = read(object)?;
    match difference("", object, &again) {
        None => Ok(()),
        Some(place) => Err(format!("{place} is no field of it, or one that it needs is missing there")),
    }
}

fn again<K: serde::de::DeserializeOwned + serde::Serialize>(object: &Value) -> Result<Value, String> {
    let typed: K = serde_json::from_value(object.clone()).map_err(|error| error.to_string())?;
    serde_json::to_value(typed).map_err(|error| error.to_string())
}

/// Where the two differ first.
fn difference(place: &str, one: &Value, other: &Value) -> Option<String> {
    match (one, other) {
        (Value::Object(one), Value::Object(other)) => {
            let keys = one.keys().chain(other.keys().filter(|key| !one.contains_key(*key)));
            keys.into_iter().find_map(|key| match (one.get(key), other.get(key)) {
                (Some(one), Some(other)) => difference(&format!("{place}.{key}"), one, other),
                _ => Some(format!("{place}.{key}")),
            })
        }
        (Value::Array(one), Value::Array(other)) if one.len() == other.len() => {
            let mut pairs = one.iter().zip(other).enumerate();
            pairs.find_map(|(index, (one, other))| difference(&format!("{place}[{index}]"), one, other))
        }
        (one, other) => (one != other).then(|| place.to_owned()),
    }
}

#[test]
fn every_kustomization_has_the_form_of_its_kinds() {
    for path in KUSTOMIZATIONS {
        for object in kustomized(path) {
            assert_eq!(check(&object), Ok(()), "{path}: {}", key(&object));
        }
    }
}

#[tokio::test]
async fn every_chart_has_the_form_of_its_kinds() {
    for (chart, values) in helm::VARIANTS {
        let Some(objects) = helm::rendered(chart, values).await else {
            return;
        };
        for object in objects {
            assert_eq!(check(&object), Ok(()), "{chart} with {values}: {}", key(&object));
        }
    }
}

#[test]
fn what_is_no_field_and_what_is_missing_is_found() {
    let policy = |spec: Value| json!({"apiVersion": "policy/v1", "kind": "PodDisruptionBudget", "metadata": {"name": "x"}, "spec": spec});
    assert_eq!(check(&policy(json!({"maxUnavailable": "50%"}))), Ok(()));
    let misspelt = check(&policy(json!({"maxUnavailible": 1}))).unwrap_err();
    assert!(misspelt.starts_with(".spec.maxUnavailible"), "{misspelt}");
    assert!(check(&policy(json!({"maxUnavailable": [1]}))).is_err());
    let service =
        json!({"apiVersion": "v1", "kind": "Service", "metadata": {}, "spec": {"ports": [{"name": "x"}]}});
    assert_eq!(check(&service).unwrap_err().split(' ').next(), Some(".spec.ports[0].port"));
    assert!(check(&json!({"apiVersion": "v1", "kind": "Pods"})).is_err());
}
