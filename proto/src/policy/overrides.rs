//! What is different in some clusters. Values of patches are JSON on either side.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::policy::limits::{PATCH_MAX, VALUES_MAX};
use godwit_common::policy::overrides::{Change, Image, ObjectSelector, Operation, Override, Verb};
use prost_types::value::Kind;
use serde_json::Value;

use super::check::{list, set, text, texts_to_wire};
use super::selector;
use crate::field::{FieldError, bounded_len};
use crate::v1;

/// The message.
pub fn to_wire(one: &Override) -> v1::Override {
    let Override { selector, objects, change } = one;
    let Change { containers, image, env, labels, annotations, storage_class, patch } = change;
    v1::Override {
        cluster_selector: Some(selector).filter(|one| !one.is_empty()).map(selector::to_wire),
        objects: Some(objects).filter(|one| **one != ObjectSelector::default()).map(objects_to_wire),
        containers: texts_to_wire(containers),
        image: Some(image).filter(|one| **one != Image::default()).map(image_to_wire),
        env: entries_to_wire(env),
        labels: entries_to_wire(labels),
        annotations: entries_to_wire(annotations),
        storage_class: said(storage_class),
        json_patch: patch.iter().map(operation_to_wire).collect(),
    }
}

/// What it says, as far as the form of the message leaves it open.
pub fn from_wire(wire: &v1::Override) -> Result<Override, FieldError> {
    let clusters = wire.cluster_selector.as_ref().map(selector::from_wire).transpose();
    let objects = wire.objects.as_ref().map(objects_from_wire).transpose();
    let image = wire.image.as_ref().map(|image| Image {
        registry: some(&image.registry),
        prefix: some(&image.prefix),
        tag: some(&image.tag),
    });
    Ok(Override {
        selector: clusters.map_err(|error| error.within("cluster_selector"))?.unwrap_or_default(),
        objects: objects.map_err(|error| error.within("objects"))?.unwrap_or_default(),
        change: Change {
            containers: set("containers", &wire.containers, VALUES_MAX, text)?,
            image: image.unwrap_or_default(),
            env: entries_from_wire("env", &wire.env)?,
            labels: entries_from_wire("labels", &wire.labels)?,
            annotations: entries_from_wire("annotations", &wire.annotations)?,
            storage_class: some(&wire.storage_class),
            patch: list("json_patch", &wire.json_patch, PATCH_MAX, operation_from_wire)?,
        },
    })
}

fn objects_to_wire(objects: &ObjectSelector) -> v1::ObjectSelector {
    let ObjectSelector { kinds, namespaces, names } = objects;
    v1::ObjectSelector {
        kinds: texts_to_wire(kinds),
        namespaces: texts_to_wire(namespaces),
        names: texts_to_wire(names),
    }
}

fn objects_from_wire(wire: &v1::ObjectSelector) -> Result<ObjectSelector, FieldError> {
    Ok(ObjectSelector {
        kinds: set("kinds", &wire.kinds, VALUES_MAX, text)?,
        namespaces: set("namespaces", &wire.namespaces, VALUES_MAX, text)?,
        names: set("names", &wire.names, VALUES_MAX, text)?,
    })
}

fn image_to_wire(image: &Image) -> v1::ImageOverride {
    let Image { registry, prefix, tag } = image;
    v1::ImageOverride { registry: said(registry), prefix: said(prefix), tag: said(tag) }
}

fn operation_to_wire(operation: &Operation) -> v1::PatchOperation {
    let Operation { verb, path, from, value } = operation;
    // What is no JSON is in no policy: whoever reads one has parsed it.
    let value = value.as_ref().map(|text| serde_json::from_str(text).unwrap_or_default());
    v1::PatchOperation {
        op: verb.name().to_owned(),
        path: path.to_string(),
        from: said(from),
        value: value.map(value_to_wire),
    }
}

fn operation_from_wire(wire: &v1::PatchOperation) -> Result<Operation, FieldError> {
    let verb = Verb::ALL.into_iter().find(|verb| verb.name() == wire.op).ok_or_else(|| {
        let names = Verb::ALL.map(Verb::name).join(", ");
        FieldError::new("op", format!("{:?} is not known: write one of {names}", wire.op))
    })?;
    let value = wire.value.as_ref().map(|value| Some(value_from_wire(value)?.to_string()));
    let value =
        value.map(|value| value.ok_or_else(|| FieldError::new("value", "it is no JSON; write a value")));
    Ok(Operation {
        verb,
        path: wire.path.as_str().into(),
        from: some(&wire.from),
        value: value.transpose()?.map(Into::into),
    })
}

fn value_to_wire(value: Value) -> prost_types::Value {
    let kind = match value {
        Value::Null => Kind::NullValue(0),
        Value::Bool(value) => Kind::BoolValue(value),
        Value::Number(number) => Kind::NumberValue(number.as_f64().unwrap_or_default()),
        Value::String(text) => Kind::StringValue(text),
        Value::Array(items) => {
            Kind::ListValue(prost_types::ListValue { values: items.into_iter().map(value_to_wire).collect() })
        }
        Value::Object(fields) => Kind::StructValue(prost_types::Struct {
            fields: fields.into_iter().map(|(name, value)| (name, value_to_wire(value))).collect(),
        }),
    };
    prost_types::Value { kind: Some(kind) }
}

/// The value, the fields in order; none if it has none, or a number that is none in JSON.
fn value_from_wire(wire: &prost_types::Value) -> Option<Value> {
    Some(match wire.kind.as_ref()? {
        Kind::NullValue(_) => Value::Null,
        Kind::BoolValue(value) => Value::Bool(*value),
        Kind::NumberValue(number) => {
            whole(*number).or_else(|| serde_json::Number::from_f64(*number).map(Value::Number))?
        }
        Kind::StringValue(text) => Value::String(text.clone()),
        Kind::ListValue(list) => list.values.iter().map(value_from_wire).collect::<Option<_>>()?,
        Kind::StructValue(fields) => {
            let fields = fields.fields.iter();
            let fields = fields.map(|(name, value)| Some((name.clone(), value_from_wire(value)?)));
            let mut object = fields.collect::<Option<Value>>()?;
            object.sort_all_objects();
            object
        }
    })
}

/// A number without a fraction, as JSON of people has it.
fn whole(number: f64) -> Option<Value> {
    const EXACT: f64 = 9_007_199_254_740_992.0;
    let is_whole = number.fract() == 0.0 && number.abs() <= EXACT;
    // The text of a whole number of this size is all of it.
    is_whole.then(|| format!("{number:.0}").parse::<i64>().ok()).flatten().map(Value::from)
}

fn entries_to_wire(entries: &BTreeMap<Arc<str>, Arc<str>>) -> BTreeMap<String, String> {
    entries.iter().map(|(key, value)| (key.to_string(), value.to_string())).collect()
}

fn entries_from_wire(
    field: &str,
    wire: &BTreeMap<String, String>,
) -> Result<BTreeMap<Arc<str>, Arc<str>>, FieldError> {
    bounded_len(field, wire.len(), VALUES_MAX)?;
    Ok(wire.iter().map(|(key, value)| (key.as_str().into(), value.as_str().into())).collect())
}

fn some(text: &str) -> Option<Arc<str>> {
    (!text.is_empty()).then(|| text.into())
}

fn said(text: &Option<Arc<str>>) -> String {
    text.as_deref().unwrap_or_default().to_owned()
}
