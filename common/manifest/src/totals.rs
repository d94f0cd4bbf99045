//! Numbers that are totals over all clusters: the bounds of an autoscaler, and how many pods a budget keeps (S29).

use std::sync::Arc;

use godwit_common::bounds::{Bounded, Bounds, Totals};
use godwit_common::selector::{LabelSelector, Labels, Requirement, Test};
use godwit_common::{ObjectKey, WorkloadId, WorkloadKind};
use serde_json::Value;

use crate::field::{Field, Object};
use crate::told::{self, Told};
use crate::{MAX_REPLICAS, canonical_json};

const AUTOSCALER: &str = "HorizontalPodAutoscaler";
const TARGETS: &str = "name a Deployment or a StatefulSet of this application";

/// What of an object's manifest, as it is kept, is a total; none if nothing is.
pub fn read_totals(key: &ObjectKey, manifest: &str) -> Option<Totals> {
    let [min, max] = Bounds::fields(&key.kind)?;
    let object: Value = serde_json::from_str(manifest).ok()?;
    let spec = object.get("spec")?;
    let number = |field: &str| u32::try_from(spec.get(field)?.as_u64()?).ok();
    let bounds = Bounds { min: number(min), max: number(max) };
    let of = match &*key.kind {
        AUTOSCALER => {
            let text = |field: &str| spec.pointer(field).and_then(Value::as_str);
            let (kind, name) = (text("/scaleTargetRef/kind")?, text("/scaleTargetRef/name")?);
            Bounded::Scaled(WorkloadId::new(&key.namespace, kind, name).ok()?)
        }
        _ => Bounded::Pods(selector(spec.get("selector")?)?),
    };
    Some(Totals { bounds, of }).filter(|totals| !totals.bounds.is_none())
}

/// The manifest with other totals in place of its own. One that cannot be read stays as it is.
pub fn with_totals(key: &ObjectKey, manifest: &Arc<str>, bounds: Bounds) -> Arc<str> {
    let Ok(mut object) = serde_json::from_str::<Value>(manifest) else { return Arc::clone(manifest) };
    match told::put(&mut object, key, Told { bounds, ..Told::default() }, None) {
        Ok(()) => canonical_json(object).into(),
        Err(_) => Arc::clone(manifest),
    }
}

/// The labels of a workload's pods, by its manifest as it is kept.
pub fn read_pod_labels(manifest: &str) -> Labels {
    let object: Value = serde_json::from_str(manifest).unwrap_or_default();
    labels(object.pointer("/spec/template/metadata/labels"))
}

fn labels(labels: Option<&Value>) -> Labels {
    let labels = labels.and_then(Value::as_object).into_iter().flatten();
    labels.filter_map(|(key, value)| Some((key.as_str().into(), value.as_str()?.into()))).collect()
}

/// A selector that cannot be read chooses nothing here; an API server would refuse it.
fn selector(selector: &Value) -> Option<LabelSelector> {
    let expressions = selector.get("matchExpressions").and_then(Value::as_array).into_iter().flatten();
    let expression = |one: &Value| {
        let values = one.get("values").and_then(Value::as_array).into_iter().flatten();
        let values: Vec<_> = values.filter_map(|value| value.as_str().map(Into::into)).collect();
        let test = Test::new(one.get("operator")?.as_str()?, &values).ok()?;
        Some(Requirement { key: one.get("key")?.as_str()?.into(), test })
    };
    let expressions: Option<Vec<Requirement>> = expressions.map(expression).collect();
    Some(LabelSelector { labels: labels(selector.get("matchLabels")), expressions: expressions? })
}

/// Checks the bounds of an autoscaler, and gives the workload that it scales; none for any other object, or after a mistake.
pub(crate) fn check(object: &Object<'_>, key: &ObjectKey) -> Option<WorkloadId> {
    if &*key.kind != AUTOSCALER {
        return None;
    }
    let spec = object.require("spec", "describe the autoscaler there")?.object()?;
    let at_least_one = |field: &Field<'_>| {
        let count = field.count(MAX_REPLICAS)?;
        if count == 0 {
            field.refuse("an autoscaler does not end its own work", "write 1 or more");
        }
        Some(count).filter(|count| *count > 0)
    };
    let max = spec.require("maxReplicas", "write the most replicas over all clusters together");
    let max = max.and_then(|field| Some((at_least_one(&field)?, field)));
    let min = spec.get("minReplicas").and_then(|field| at_least_one(&field)).unwrap_or(1);
    if let Some((max, field)) = max.filter(|(max, _)| *max < min) {
        field.refuse(format!("{max} is below minReplicas, which is {min}"), "write at least as many");
    }
    let target = spec.require("scaleTargetRef", TARGETS)?.object()?;
    let (kind, name) = (target.require("kind", TARGETS)?, target.require("name", TARGETS)?);
    // A custom resource that is no workload is none of the application's.
    if !WorkloadKind::of_name(kind.text()?).is_none_or(WorkloadKind::counted) {
        kind.refuse("it has no replicas that could be divided", TARGETS);
        return None;
    }
    let id = WorkloadId::new(&key.namespace, kind.text()?, name.text()?);
    id.map_err(|error| name.refuse(error.to_string(), TARGETS)).ok()
}

#[cfg(test)]
mod tests {
    use super::*;

    fn totals(kind: &str, spec: &str) -> Option<Totals> {
        let key = ObjectKey::new("v1", kind, "shop", "web").expect("a valid key");
        read_totals(&key, &format!("{{\"spec\":{spec}}}"))
    }

    #[test]
    fn s29_the_bounds_of_an_autoscaler_are_totals_of_its_workload() {
        let spec = r#"{"scaleTargetRef":{"kind":"Deployment","name":"web"},"maxReplicas":30}"#;
        let id = WorkloadId::new("shop", "Deployment", "web").expect("a valid identity");
        let found = totals("HorizontalPodAutoscaler", spec).expect("totals");
        assert_eq!((found.bounds, found.of), (Bounds { min: None, max: Some(30) }, Bounded::Scaled(id)));
        assert_eq!(totals("ConfigMap", spec), None);
    }

    #[test]
    fn s29_whole_numbers_of_a_budget_are_totals_and_percentages_are_not() {
        let spec = |field: &str| format!(r#"{{"selector":{{"matchLabels":{{"app":"web"}}}},{field}}}"#);
        let found = totals("PodDisruptionBudget", &spec(r#""minAvailable":8"#)).expect("totals");
        let Bounded::Pods(selector) = found.of else { panic!("{found:?}") };
        assert!(selector.matches(|label| (label == "app").then_some("web")) && !selector.matches(|_| None));
        assert_eq!(found.bounds, Bounds { min: Some(8), max: None });
        assert_eq!(totals("PodDisruptionBudget", &spec(r#""maxUnavailable":"25%""#)), None);
        let odd = r#"{"selector":{"matchExpressions":[{"key":"app","operator":"Like"}]},"maxUnavailable":1}"#;
        assert_eq!(totals("PodDisruptionBudget", odd), None);
    }

    #[test]
    fn s34_other_totals_stand_in_the_place_of_the_first_and_the_rest_stays() {
        let key = |kind: &str| ObjectKey::new("v1", kind, "shop", "web").expect("a valid key");
        let autoscaler = r#"{"spec":{"maxReplicas":10,"minReplicas":2,"scaleTargetRef":{"name":"web"}}}"#;
        let bounds = Bounds { min: Some(6), max: Some(30) };
        assert_eq!(
            &*with_totals(&key("HorizontalPodAutoscaler"), &autoscaler.into(), bounds),
            r#"{"spec":{"maxReplicas":30,"minReplicas":6,"scaleTargetRef":{"name":"web"}}}"#
        );
        let budget: Arc<str> = r#"{"spec":{"maxUnavailable":"25%"}}"#.into();
        assert_eq!(with_totals(&key("PodDisruptionBudget"), &budget, Bounds::default()), budget);
        assert_eq!(&*with_totals(&key("PodDisruptionBudget"), &"[".into(), bounds), "[");
    }

    #[test]
    fn the_labels_of_pods_are_those_of_the_template() {
        let manifest =
            r#"{"metadata":{"labels":{"a":"b"}},"spec":{"template":{"metadata":{"labels":{"app":"web"}}}}}"#;
        assert_eq!(read_pod_labels(manifest), [("app".into(), "web".into())].into());
        assert!(read_pod_labels("{").is_empty());
    }
}
