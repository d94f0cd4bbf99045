//! What of a Secret may stand where nobody asks for its contents: in annotations, which `kubectl describe` prints and more
//! may read than the Secret itself, and in what the API server says of it, which goes to the hub, into events and into logs.

use std::borrow::Cow;
use std::sync::Arc;

use godwit_agent_core::{CallError, Kind};
use godwit_common::ObjectKey;
use k8s_openapi::ByteString;
use serde_json::{Map, Value};

/// Where a Secret has its values. What is written under the second stands under the first afterwards, encoded.
const VALUES: [&str; 2] = ["data", "stringData"];
/// What stands in place of a value.
const HIDDEN: &str = "(hidden)";
/// A value so short may be a part of any word: it is hidden where it stands alone.
const SHORT: usize = 4;

/// Whether objects of a kind hold what is secret.
pub(super) fn is_secret(kind: &Kind) -> bool {
    &*kind.kind == "Secret" && &*kind.api_version == "v1"
}

/// A manifest as it is kept on its object: that of a Secret without its values, which stand in the object itself.
pub(super) fn kept<'a>(key: &ObjectKey, manifest: &'a str) -> Cow<'a, str> {
    if !is_secret(&Kind::of(key)) {
        return manifest.into();
    }
    let Ok(mut object) = serde_json::from_str::<Value>(manifest) else { return manifest.into() };
    for field in VALUES {
        let values = object.get_mut(field).and_then(Value::as_object_mut);
        values.into_iter().flat_map(Map::values_mut).for_each(|value| *value = Value::String(String::new()));
    }
    object.to_string().into()
}

/// The manifest that was kept on an object, with the values that stand in it now; those that somebody has taken away are
/// gone from it, too.
pub(super) fn restored(kind: &Kind, kept: Arc<str>, live: &Value) -> Option<Arc<str>> {
    if !is_secret(kind) {
        return Some(kept);
    }
    let mut object: Value = serde_json::from_str(&kept).ok()?;
    let live = live.get("data").and_then(Value::as_object);
    let find = |name: &str| live.and_then(|live| live.get(name));
    for (field, read) in VALUES.into_iter().zip([encoded as fn(&Value) -> Option<String>, decoded]) {
        let Some(values) = object.get_mut(field).and_then(Value::as_object_mut) else { continue };
        let filled = std::mem::take(values).into_iter();
        *values = filled
            .filter_map(|(name, _)| {
                let value = read(find(&name)?)?;
                Some((name, Value::String(value)))
            })
            .collect::<Map<_, _>>();
    }
    Some(object.to_string().into())
}

/// A failure to apply a Secret, without what it quotes of it.
pub(super) fn scrubbed(error: CallError, body: &Value) -> CallError {
    let hide = |text: Arc<str>| -> Arc<str> { hidden(&text, body).into() };
    match error {
        CallError::Unavailable(message) => CallError::Unavailable(hide(message)),
        CallError::Refused(message) => CallError::Refused(hide(message)),
        CallError::FieldConflict { fields, message } => {
            CallError::FieldConflict { fields, message: hide(message) }
        }
        CallError::Outdated => CallError::Outdated,
        CallError::NamespaceMissing => CallError::NamespaceMissing,
    }
}

fn hidden(text: &str, body: &Value) -> String {
    let fields = VALUES.iter().filter_map(|field| body.get(*field)?.as_object());
    let values = fields.flat_map(|values| values.values());
    let mut values: Vec<String> = values.flat_map(forms).filter(|value| !value.is_empty()).collect();
    // A value may hold another one.
    values.sort_by_key(|value| std::cmp::Reverse(value.len()));
    values.iter().fold(text.to_owned(), |text, value| without(&text, value))
}

/// How a value may be quoted: as it is written, and what it stands for.
fn forms(value: &Value) -> Vec<String> {
    match value {
        Value::String(text) => vec![text.clone(), decoded(value).unwrap_or_default()],
        Value::Null => Vec::new(),
        other => vec![other.to_string()],
    }
}

fn without(text: &str, value: &str) -> String {
    if value.len() >= SHORT {
        return text.replace(value, HIDDEN);
    }
    let is_word = |c: Option<char>| c.is_some_and(char::is_alphanumeric);
    let mut out = String::new();
    let mut rest = text;
    while let Some(at) = rest.find(value) {
        let (before, after) = (&rest[..at], &rest[at + value.len()..]);
        let within = is_word(before.chars().next_back()) || is_word(after.chars().next());
        out.push_str(before);
        out.push_str(if within { value } else { HIDDEN });
        rest = after;
    }
    out + rest
}

fn encoded(value: &Value) -> Option<String> {
    value.as_str().map(str::to_owned)
}

/// The text that a value of `data` stands for.
fn decoded(value: &Value) -> Option<String> {
    let ByteString(bytes) = serde_json::from_value(value.clone()).ok()?;
    String::from_utf8(bytes).ok()
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    fn key(kind: &str) -> ObjectKey {
        ObjectKey::new("v1", kind, "shop", "login").unwrap()
    }

    const MANIFEST: &str = r#"{"apiVersion":"v1","kind":"Secret","metadata":{"name":"login"},"stringData":{"user":"ann","password":"hunter2"},"data":{"token":"c2VzYW1l","key":"AAECAw=="}}"#;

    #[test]
    fn what_is_kept_of_a_secret_has_no_values_and_they_come_back_from_the_object() {
        let without_values = kept(&key("Secret"), MANIFEST);
        for value in ["ann", "hunter2", "c2VzYW1l", "AAECAw"] {
            assert!(!without_values.contains(value), "{without_values}");
        }
        assert!(without_values.contains("password") && without_values.contains("token"));
        let live = json!({"data": {"user": "YW5u", "password": "aHVudGVyMg==", "token": "c2VzYW1l", "key": "AAECAw=="}});
        let kind = Kind::of(&key("Secret"));
        let again = restored(&kind, without_values.as_ref().into(), &live).unwrap();
        assert_eq!(&*again, MANIFEST, "it is the same revision");
        // What somebody has taken away is not made up.
        let less =
            restored(&kind, without_values.as_ref().into(), &json!({"data": {"user": "YW5u"}})).unwrap();
        let less: Value = serde_json::from_str(&less).unwrap();
        assert_eq!((&less["stringData"], &less["data"]), (&json!({"user": "ann"}), &json!({})));
    }

    #[test]
    fn other_kinds_are_kept_as_they_are() {
        let manifest = r#"{"kind":"ConfigMap","data":{"a":"b"}}"#;
        assert_eq!(kept(&key("ConfigMap"), manifest), manifest);
        let kind = Kind::of(&key("ConfigMap"));
        assert_eq!(&*restored(&kind, manifest.into(), &json!({})).unwrap(), manifest);
    }

    #[test]
    fn what_the_server_quotes_of_a_secret_is_hidden() {
        let body: Value = serde_json::from_str(MANIFEST).unwrap();
        let refused = |text: &str| match scrubbed(CallError::Refused(text.into()), &body) {
            CallError::Refused(text) => text.to_string(),
            other => panic!("{other:?}"),
        };
        assert_eq!(
            refused("webhook denied: \"hunter2\" is weak, as is sesame"),
            "webhook denied: \"(hidden)\" is weak, as is (hidden)"
        );
        assert_eq!(refused("value c2VzYW1l of planned user ann"), "value (hidden) of planned user (hidden)");
        let numbers = json!({"stringData": {"pin": 1234}});
        let CallError::Refused(text) =
            scrubbed(CallError::Refused("got &value.valueUnstructured{Value:1234}".into()), &numbers)
        else {
            panic!("refused");
        };
        assert_eq!(&*text, "got &value.valueUnstructured{Value:(hidden)}");
    }
}
