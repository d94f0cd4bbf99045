//! What is different in some clusters: what no rule may say of any object. Whether a rule can be carried out on an object,
//! only the object tells.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use super::{Check, selectors};
use crate::policy::limits::{OVERRIDES_BYTES_MAX, PATCH_MAX};
use crate::policy::mistake::Step;
use crate::policy::overrides::{Change, Image, ObjectSelector, Operation, Override, Verb};
use crate::{label, name};

/// What an API server writes into an object's metadata, and what names it.
const OF_METADATA: [&str; 9] = [
    "creationTimestamp",
    "deletionTimestamp",
    "generation",
    "managedFields",
    "name",
    "namespace",
    "resourceVersion",
    "selfLink",
    "uid",
];
/// Names that Godwit keeps for itself.
const RESERVED: &str = "godwit.dev/";
const SECRET: &str = "Secret";

/// All rules, seen from their list.
pub(super) fn overrides(check: &mut Check, overrides: &[Override]) {
    let mut bytes = 0;
    for (index, one) in overrides.iter().enumerate() {
        let before = bytes;
        bytes += one.change.to_json().len();
        check.within(Step::Item(index), |check| {
            rule(check, one);
            if before <= OVERRIDES_BYTES_MAX && bytes > OVERRIDES_BYTES_MAX {
                let problem =
                    format!("with it, the rules have more than {OVERRIDES_BYTES_MAX} bytes of JSON");
                check.refuse(
                    problem,
                    "change less: what is different in most of its fields is another workload",
                );
            }
        });
    }
}

fn rule(check: &mut Check, one: &Override) {
    let Override { selector, objects, change } = one;
    check.field("clusterSelector", |check| selectors::clusters(check, selector));
    check.field("objects", |check| chosen(check, objects));
    if change.is_empty() {
        let remedy = "write image, env, labels, annotations, storageClass or jsonPatch";
        check.refuse("it changes nothing", remedy);
    }
    let Change { containers, image, env, labels, annotations, storage_class, patch } = change;
    check.field("containers", |check| {
        each(check, containers, |text| {
            let good = name::is_rfc_1123(text) && text.len() <= 63;
            good.then_some(()).ok_or_else(|| format!("{text:?} is no name of a container"))
        });
        if !containers.is_empty() && *image == Image::default() && env.is_empty() {
            check.refuse(
                "it says which containers, and nothing of them changes",
                "write image or env, or remove it",
            );
        }
    });
    check.field("image", |check| of_image(check, image));
    check.field("env", |check| entries(check, env, |key, _| variable(key)));
    check.field("labels", |check| {
        entries(check, labels, |key, value| {
            let form = label::check_key(key).and_then(|()| label::check_value(value));
            form.map_err(|error| error.to_string()).and_then(|()| unreserved(key))
        });
    });
    check.field("annotations", |check| {
        entries(check, annotations, |key, _| {
            label::check_key(key).map_err(|error| error.to_string()).and_then(|()| unreserved(key))
        });
    });
    if let Some(Err(error)) = storage_class.as_deref().map(name::check_object_name) {
        check.field("storageClass", |check| check.refuse(error.to_string(), "write the name of a class"));
    }
    check.field("jsonPatch", |check| of_patch(check, patch, objects));
}

fn chosen(check: &mut Check, objects: &ObjectSelector) {
    let ObjectSelector { kinds, namespaces, names } = objects;
    let form = |text: &str, check: fn(&str) -> Result<(), name::NameError>| {
        check(text).map_err(|error| error.to_string())
    };
    check.field("kinds", |check| each(check, kinds, |text| form(text, name::check_kind)));
    check.field("namespaces", |check| each(check, namespaces, |text| form(text, name::check_namespace)));
    check.field("names", |check| each(check, names, |text| form(text, name::check_object_name)));
}

fn of_image(check: &mut Check, image: &Image) {
    let Image { registry, prefix, tag } = image;
    let part = |text: &str, more: &[u8]| {
        let inner = |b: &u8| b.is_ascii_lowercase() || b.is_ascii_digit() || more.contains(b);
        let ends = |b: Option<&u8>| b.is_some_and(|b| b.is_ascii_alphanumeric());
        let bytes = text.as_bytes();
        bytes.len() <= 255 && bytes.iter().all(inner) && ends(bytes.first()) && ends(bytes.last())
    };
    let tag_is_one = |text: &str| {
        let letter = |b: u8| b.is_ascii_alphanumeric() || b == b'_';
        let first = text.bytes().next().is_some_and(letter);
        first && text.len() <= 128 && text.bytes().all(|b| letter(b) || b == b'.' || b == b'-')
    };
    let fields: [(_, _, bool, _); 3] = [
        (
            "registry",
            registry,
            registry.as_deref().is_none_or(|text| part(text, b".:-")),
            "registry.example.com:5000",
        ),
        (
            "prefix",
            prefix,
            prefix.as_deref().is_none_or(|text| part(text, b"._-/") && !text.contains("//")),
            "mirror/eu",
        ),
        ("tag", tag, tag.as_deref().is_none_or(tag_is_one), "1.27"),
    ];
    for (name, value, good, example) in fields {
        if let Some(value) = value.as_deref().filter(|_| !good) {
            let problem = format!("{value:?} is no {name} of an image");
            check.field(name, |check| check.refuse(problem, format!("write one such as {example}")));
        }
    }
}

fn of_patch(check: &mut Check, patch: &[Operation], objects: &ObjectSelector) {
    if patch.is_empty() {
        return;
    }
    if objects.kinds.is_empty() {
        let problem = "it does not say of which kinds of objects: what one kind has there, another has not";
        check.refuse(problem, "name them in objects.kinds");
    }
    if patch.len() > PATCH_MAX {
        check.refuse(format!("{} operations are too many", patch.len()), format!("give at most {PATCH_MAX}"));
    }
    for (index, one) in patch.iter().enumerate() {
        check.within(Step::Item(index), |check| operation(check, one, objects));
    }
}

fn operation(check: &mut Check, operation: &Operation, objects: &ObjectSelector) {
    let Operation { verb, path, from, value } = operation;
    let name = verb.name();
    for (field, given, takes) in
        [("from", from.is_some(), verb.takes_from()), ("value", value.is_some(), verb.takes_value())]
    {
        match (given, takes) {
            (false, true) => check.refuse(format!("{field} is missing, and {name} needs it"), "write it"),
            (true, false) => check.field(field, |check| {
                check.refuse(format!("{name} takes none"), "remove it");
            }),
            (true, true) | (false, false) => {}
        }
    }
    let of_secret = objects.kinds.contains(SECRET);
    let writes = |verb: Verb| verb != Verb::Test;
    check.field("path", |check| pointer(check, path, writes(*verb), of_secret));
    if let Some("") = from.as_deref() {
        check.field("from", |check| check.refuse("it is empty", "write what is meant of the object"));
    } else if let Some(from) = from {
        check.field("from", |check| pointer(check, from, *verb == Verb::Move, of_secret));
    }
}

/// A pointer into an object; `writes` if something changes there.
fn pointer(check: &mut Check, path: &str, writes: bool, of_secret: bool) {
    let Some(steps) = steps(path) else {
        let problem = format!("{path:?} is no JSON pointer");
        return check
            .refuse(problem, "write one such as /spec/template/spec/priorityClassName, a / in a name as ~1");
    };
    let steps: Vec<&str> = steps.iter().map(String::as_str).collect();
    if of_secret && matches!(steps.as_slice(), [] | ["data" | "stringData", ..]) {
        let problem = format!("{path} is what a Secret hides, and a policy does not");
        return check.refuse(problem, "give each cluster its own Secret, and name that one");
    }
    if let Some((problem, remedy)) = forbidden(&steps).filter(|_| writes) {
        check.refuse(format!("{path} {problem}"), remedy);
    }
}

/// Why nobody may change what is there.
fn forbidden(steps: &[&str]) -> Option<(&'static str, &'static str)> {
    const BELOW: &str = "name the fields below it that change";
    const LEAVE: &str = "leave it out";
    if steps.iter().any(|step| step.starts_with(RESERVED)) {
        return Some(("is Godwit's own", LEAVE));
    }
    match steps {
        [] | ["metadata"] | ["spec"] => Some(("holds what makes the object what it is", BELOW)),
        ["apiVersion" | "kind", ..] => Some(("says which object it is", LEAVE)),
        ["metadata", field, ..] if OF_METADATA.contains(field) => Some(("says which object it is", LEAVE)),
        ["status", ..] => Some(("is the cluster's own", LEAVE)),
        ["spec", "replicas", ..] => {
            Some(("is each cluster's share of the total", "use weights, minimums and maximums of the policy"))
        }
        _ => None,
    }
}

/// The names and numbers of a pointer; none if it is none.
fn steps(path: &str) -> Option<Vec<String>> {
    if path.is_empty() {
        return Some(Vec::new());
    }
    let unescape = |step: &str| {
        let rest = step.replace("~0", "").replace("~1", "");
        (!rest.contains('~')).then(|| step.replace("~1", "/").replace("~0", "~"))
    };
    path.strip_prefix('/')?.split('/').map(unescape).collect()
}

fn variable(name: &str) -> Result<(), String> {
    let letter = |b: u8| b.is_ascii_alphanumeric() || matches!(b, b'_' | b'-' | b'.');
    let first = name.bytes().next().is_some_and(|b| letter(b) && !b.is_ascii_digit());
    let good = first && name.len() <= 253 && name.bytes().all(letter);
    good.then_some(()).ok_or_else(|| format!("{name:?} is no name of a variable"))
}

fn unreserved(key: &str) -> Result<(), String> {
    match key.starts_with(RESERVED) {
        true => Err(format!("{key} is Godwit's own")),
        false => Ok(()),
    }
}

fn each(check: &mut Check, texts: &BTreeSet<Arc<str>>, form: impl Fn(&str) -> Result<(), String>) {
    for text in texts {
        if let Err(problem) = form(text) {
            check.within(Step::Value(text.clone()), |check| check.refuse(problem, "correct it"));
        }
    }
}

fn entries(
    check: &mut Check,
    entries: &BTreeMap<Arc<str>, Arc<str>>,
    form: impl Fn(&str, &str) -> Result<(), String>,
) {
    for (key, value) in entries {
        if let Err(problem) = form(key, value) {
            check.within(Step::Entry(key.clone()), |check| check.refuse(problem, "choose another name"));
        }
    }
}
