//! Reading what is different in some clusters.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::policy::limits::{OVERRIDES_MAX, PATCH_MAX, VALUES_MAX};
use godwit_common::policy::overrides::{Change, Image, ObjectSelector, Operation, Override, Verb};

use serde_json::Value;

use super::selector;
use crate::canonical_json;
use crate::field::{Field, Object};
use crate::labels;

/// The field `overrides`; malformed rules are reported.
pub(super) fn read(spec: &Object<'_>) -> Vec<Override> {
    let items = spec.get("overrides").map(|field| field.items_up_to(OVERRIDES_MAX)).unwrap_or_default();
    items.iter().filter_map(rule).collect()
}

fn rule(field: &Field<'_>) -> Option<Override> {
    let object = field.object()?;
    object.only(&[
        "annotations",
        "clusterSelector",
        "containers",
        "env",
        "image",
        "jsonPatch",
        "labels",
        "objects",
        "storageClass",
    ]);
    let clusters = object.get("clusterSelector").and_then(|field| selector::read(&field));
    let patch = object.get("jsonPatch").map(|field| field.items_up_to(PATCH_MAX)).unwrap_or_default();
    Some(Override {
        selector: clusters.unwrap_or_default(),
        objects: objects(&object),
        change: Change {
            containers: names(&object, "containers"),
            image: image(&object),
            env: texts(&object, "env"),
            labels: texts(&object, "labels"),
            annotations: texts(&object, "annotations"),
            storage_class: text(&object, "storageClass"),
            patch: patch.iter().filter_map(operation).collect(),
        },
    })
}

fn objects(rule: &Object<'_>) -> ObjectSelector {
    let Some(object) = rule.mapping("objects") else { return ObjectSelector::default() };
    object.only(&["kinds", "names", "namespaces"]);
    ObjectSelector {
        kinds: names(&object, "kinds"),
        namespaces: names(&object, "namespaces"),
        names: names(&object, "names"),
    }
}

fn image(rule: &Object<'_>) -> Image {
    let Some(object) = rule.mapping("image") else { return Image::default() };
    object.only(&["prefix", "registry", "tag"]);
    let image = Image {
        registry: text(&object, "registry"),
        prefix: text(&object, "prefix"),
        tag: text(&object, "tag"),
    };
    if image == Image::default() && !object.at.has_mistakes() {
        object.at.refuse("it changes nothing", "write registry, prefix or tag, or remove it");
    }
    image
}

fn operation(field: &Field<'_>) -> Option<Operation> {
    let object = field.object()?;
    object.only(&["from", "op", "path", "value"]);
    let choices = Verb::ALL.map(|verb| (verb.name(), verb));
    let verb =
        object.require("op", "say what to do, such as op: replace").and_then(|field| field.choice(&choices));
    let path = object.require("path", "say where, such as path: /spec/template/spec/priorityClassName");
    let path = path.and_then(|field| field.text());
    // Null is a value here.
    let value = object.any("value").map(|node| node.to_value());
    if value.as_ref().is_some_and(|value| !is_exact(value)) {
        object.get("value")?.refuse("it has a number that is too large to be exact", "write it as a text");
    }
    let value = value.map(|value| canonical_json(plain(value)).into());
    Some(Operation { verb: verb?, path: path?.into(), from: text(&object, "from"), value })
}

/// Whether the wire can carry it: there, as in JavaScript, a number is a double.
fn is_exact(value: &Value) -> bool {
    const MOST: u64 = 1 << 53;
    match value {
        Value::Number(number) => match (number.as_u64(), number.as_i64()) {
            (Some(number), _) => number <= MOST,
            (None, Some(number)) => number.unsigned_abs() <= MOST,
            (None, None) => true,
        },
        Value::Array(items) => items.iter().all(is_exact),
        Value::Object(fields) => fields.values().all(is_exact),
        Value::Null | Value::Bool(_) | Value::String(_) => true,
    }
}

/// The same with each number as the wire has it: one without a fraction is a whole number, however it was written.
fn plain(value: Value) -> Value {
    match value {
        Value::Number(number) => {
            let double = number.as_f64().unwrap_or_default();
            let whole = (double.fract() == 0.0).then(|| format!("{double:.0}").parse::<i64>().ok()).flatten();
            let whole = whole.filter(|whole| is_exact(&Value::from(*whole))).map(Value::from);
            whole.unwrap_or(Value::Number(number))
        }
        Value::Array(items) => items.into_iter().map(plain).collect(),
        Value::Object(fields) => fields.into_iter().map(|(name, value)| (name, plain(value))).collect(),
        Value::Null | Value::Bool(_) | Value::String(_) => value,
    }
}

/// Texts that stand in a list, each once; a list of none would mean "any" where its author meant "none".
fn names(object: &Object<'_>, key: &str) -> BTreeSet<Arc<str>> {
    let mut names = BTreeSet::new();
    let items = object.get(key).map(|field| labels::filled(&field, VALUES_MAX)).unwrap_or_default();
    for item in items {
        let Some(text) = item.text() else { continue };
        if !names.insert(text.into()) {
            item.refuse(format!("{text} is listed twice"), "remove one of the two");
        }
    }
    names
}

fn texts(object: &Object<'_>, key: &str) -> BTreeMap<Arc<str>, Arc<str>> {
    let fields = object.mapping(key).map(|mapping| mapping.fields_up_to(VALUES_MAX)).unwrap_or_default();
    fields.iter().filter_map(|(name, field)| Some(((*name).into(), field.text()?.into()))).collect()
}

fn text(object: &Object<'_>, key: &str) -> Option<Arc<str>> {
    object.get(key)?.text().map(Into::into)
}
