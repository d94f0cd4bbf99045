//! Creating, changing and removing objects: the rules that hold for every kind.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::Uid;
use serde_json::{Value, json};
use time::OffsetDateTime;

use super::state::State;
use super::{NAMESPACES, PODS, Store};
use crate::admission;
use crate::error::{ApiError, Cause};
use crate::kinds::Kind;
use crate::object::{self, Key, int, items, set, text, unset};

/// Which part of an object a write may change.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Part {
    /// Everything but the status, where the status is a subresource.
    Main,
    /// The status alone.
    Status,
    /// Everything: for the cluster's own controllers.
    All,
}

/// What happens to dependents.
#[derive(Debug, Clone, Copy, PartialEq, Eq, Default)]
pub(crate) enum Propagation {
    /// They are removed after their owner.
    #[default]
    Background,
    /// They are removed before their owner.
    Foreground,
    /// They stay and lose their owner.
    Orphan,
}

/// How to delete.
#[derive(Debug, Clone, Default)]
pub(crate) struct DeleteOptions {
    /// Seconds that a pod is given; its own when absent.
    pub(crate) grace_seconds: Option<i64>,
    /// What happens to dependents.
    pub(crate) propagation: Propagation,
    /// The UID that the object must have.
    pub(crate) uid: Option<String>,
    /// The resource version that the object must have.
    pub(crate) version: Option<String>,
    /// Only look whether it would work.
    pub(crate) dry_run: bool,
}

impl DeleteOptions {
    /// At once, without grace.
    pub(crate) fn now() -> Self {
        Self { grace_seconds: Some(0), ..Self::default() }
    }
}

/// What came of a deletion.
#[derive(Debug)]
pub(crate) enum Deleted {
    /// The object is gone.
    Removed(Arc<Value>),
    /// The object waits for its grace or its finalizers.
    Marked(Arc<Value>),
}

impl Store {
    /// Creates `object`, completed by defaults, UID and times.
    pub(crate) fn create(&self, kind: &Kind, object: Value, dry_run: bool) -> Result<Arc<Value>, ApiError> {
        self.create_as(kind, object, None, dry_run)
    }

    /// The same, under a UID that was chosen beforehand.
    pub(crate) fn create_as(
        &self,
        kind: &Kind,
        mut object: Value,
        uid: Option<Uid>,
        dry_run: bool,
    ) -> Result<Arc<Value>, ApiError> {
        let mut state = self.lock();
        for field in ["uid", "resourceVersion", "creationTimestamp", "generation", "selfLink"] {
            unset(&mut object, &["metadata", field]);
        }
        unset(&mut object, &["metadata", "deletionTimestamp"]);
        unset(&mut object, &["metadata", "deletionGracePeriodSeconds"]);
        generate_name(&mut state, &mut object);
        admission::prepare(kind, &mut object, None);
        let key = Key::of(&object);
        check_namespace(&state, kind, &key)?;
        admission::validate(kind, &object, None)?;
        if state.get(&kind.resource, &key).is_some() {
            return Err(ApiError::already_exists(kind, &key.name));
        }
        set(&mut object, &["metadata", "uid"], json!(uid.unwrap_or_else(|| state.rng.uid()).to_string()));
        set(&mut object, &["metadata", "creationTimestamp"], json!(object::now_text()));
        if kind.generation {
            set(&mut object, &["metadata", "generation"], json!(1));
        }
        if dry_run {
            return Ok(Arc::new(object));
        }
        Ok(state.put(&kind.resource, &key, object))
    }

    /// Changes the object to what `change` makes of it, in one step: nothing can come in between.
    /// `change` runs under the store's lock and must not call the store.
    pub(crate) fn modify(
        &self,
        kind: &Kind,
        key: &Key,
        part: Part,
        dry_run: bool,
        change: impl FnOnce(&Value) -> Result<Value, ApiError>,
    ) -> Result<Arc<Value>, ApiError> {
        let mut state = self.lock();
        let current =
            state.get(&kind.resource, key).cloned().ok_or_else(|| ApiError::not_found(kind, &key.name))?;
        let mut object = change(&current)?;
        check_preconditions(kind, &current, &object)?;
        keep_fixed(&current, &mut object);
        keep_other_part(kind, part, &current, &mut object);
        if part != Part::Status {
            admission::prepare(kind, &mut object, Some(&current));
            admission::validate(kind, &object, Some(&current))?;
            check_finalizers(kind, &current, &object)?;
        }
        if says_the_same(&current, &object) {
            return Ok(current);
        }
        if kind.generation && part != Part::Status && wanted_differs(&current, &object) {
            let generation = int(&current["metadata"]["generation"], 0) + 1;
            set(&mut object, &["metadata", "generation"], json!(generation));
        }
        if dry_run {
            return Ok(Arc::new(object));
        }
        let released = object::deleting(&object) && unfinished(kind, &object).is_none();
        let written = state.put(&kind.resource, key, object);
        if released {
            state.take(&kind.resource, key);
        }
        Ok(written)
    }

    /// Deletes the object, or marks it when it must wait.
    pub(crate) fn delete(
        &self,
        kind: &Kind,
        key: &Key,
        options: &DeleteOptions,
    ) -> Result<Deleted, ApiError> {
        let mut state = self.lock();
        let current =
            state.get(&kind.resource, key).cloned().ok_or_else(|| ApiError::not_found(kind, &key.name))?;
        check_delete(kind, &current, options)?;
        let mut object = Value::clone(&current);
        let finalizer = match options.propagation {
            Propagation::Background => None,
            Propagation::Foreground => Some("foregroundDeletion"),
            Propagation::Orphan => Some("orphan"),
        };
        if let Some(finalizer) = finalizer
            && !object::deleting(&current)
            && state.owned_by(object::uid(&current)).next().is_some()
        {
            add_finalizer(&mut object, finalizer);
        }
        let grace = grace(kind, &object, options.grace_seconds);
        mark_deleted(kind, &mut object, grace);
        if options.dry_run {
            return Ok(Deleted::Marked(Arc::new(object)));
        }
        if unfinished(kind, &object).is_some() {
            if *current == object {
                return Ok(Deleted::Marked(current));
            }
            return Ok(Deleted::Marked(state.put(&kind.resource, key, object)));
        }
        let last = state.take(&kind.resource, key);
        Ok(Deleted::Removed(last.unwrap_or(current)))
    }

    /// Takes an object away whatever it waits for: for a kind that is served no longer.
    pub(crate) fn purge(&self, kind: &Kind, key: &Key) {
        self.lock().take(&kind.resource, key);
    }
}

/// Letters and digits that spell no words, as Kubernetes draws them.
const NAME_ALPHABET: &[u8] = b"bcdfghjklmnpqrstvwxz2456789";
/// As Kubernetes: the generated part is five letters, and the whole stays a label.
const GENERATED_LENGTH: usize = 5;
const BASE_LENGTH: usize = 63 - GENERATED_LENGTH;

fn generate_name(state: &mut State, object: &mut Value) {
    let base = object::meta(object, "generateName");
    if !object::name(object).is_empty() || base.is_empty() {
        return;
    }
    let mut name: String = base.chars().take(BASE_LENGTH).collect();
    for _ in 0..GENERATED_LENGTH {
        let drawn = usize::try_from(state.rng.below(NAME_ALPHABET.len() as u64)).unwrap_or(0);
        name.push(char::from(NAME_ALPHABET[drawn]));
    }
    set(object, &["metadata", "name"], json!(name));
}

fn check_namespace(state: &State, kind: &Kind, key: &Key) -> Result<(), ApiError> {
    if !kind.namespaced {
        return Ok(());
    }
    let Some(namespace) = state.get(NAMESPACES, &Key::new("", &key.namespace)) else {
        let message = format!("namespaces {:?} not found", key.namespace);
        return Err(ApiError::new(404, "NotFound", message));
    };
    if object::deleting(namespace) {
        let why = format!(
            "unable to create new content in namespace {} because it is being terminated",
            key.namespace
        );
        return Err(ApiError::forbidden(kind, &key.name, &why));
    }
    Ok(())
}

const MODIFIED: &str =
    "the object has been modified; please apply your changes to the latest version and try again";

fn check_preconditions(kind: &Kind, current: &Value, object: &Value) -> Result<(), ApiError> {
    let name = object::name(current);
    let version = object::meta(object, "resourceVersion");
    if !version.is_empty() && version != object::meta(current, "resourceVersion") {
        return Err(ApiError::conflict(kind, name, MODIFIED));
    }
    check_uid(kind, current, object::uid(object))
}

fn check_uid(kind: &Kind, current: &Value, wanted: &str) -> Result<(), ApiError> {
    let found = object::uid(current);
    if wanted.is_empty() || wanted == found {
        return Ok(());
    }
    let why = format!("Precondition failed: UID in precondition: {wanted}, UID in object meta: {found}");
    Err(ApiError::conflict(kind, object::name(current), &why))
}

fn check_delete(kind: &Kind, current: &Value, options: &DeleteOptions) -> Result<(), ApiError> {
    check_uid(kind, current, options.uid.as_deref().unwrap_or_default())?;
    let found = object::meta(current, "resourceVersion");
    match options.version.as_deref() {
        Some(wanted) if wanted != found => {
            let why = format!(
                "Precondition failed: ResourceVersion in precondition: {wanted}, ResourceVersion in object meta: {found}"
            );
            Err(ApiError::conflict(kind, object::name(current), &why))
        }
        Some(_) | None => Ok(()),
    }
}

fn check_finalizers(kind: &Kind, current: &Value, object: &Value) -> Result<(), ApiError> {
    if !object::deleting(current) {
        return Ok(());
    }
    let before = items(&current["metadata"]["finalizers"]);
    let added = items(&object["metadata"]["finalizers"]).iter().find(|finalizer| !before.contains(finalizer));
    let Some(added) = added else {
        return Ok(());
    };
    let cause = Cause {
        field: "metadata.finalizers".into(),
        reason: "FieldValueForbidden",
        message: format!(
            "Forbidden: no new finalizers can be added if the object is being deleted, found new finalizers {added}"
        ),
    };
    Err(ApiError::invalid(kind, object::name(current), &[cause]))
}

/// What no write may change.
fn keep_fixed(current: &Value, object: &mut Value) {
    for field in ["apiVersion", "kind"] {
        set(object, &[field], current[field].clone());
    }
    for field in [
        "name",
        "generateName",
        "namespace",
        "uid",
        "creationTimestamp",
        "generation",
        "deletionTimestamp",
        "deletionGracePeriodSeconds",
        "resourceVersion",
    ] {
        match current["metadata"].get(field) {
            Some(value) => set(object, &["metadata", field], value.clone()),
            None => unset(object, &["metadata", field]),
        }
    }
}

fn keep_other_part(kind: &Kind, part: Part, current: &Value, object: &mut Value) {
    match part {
        Part::All => {}
        Part::Main if kind.status => match current.get("status") {
            Some(status) => set(object, &["status"], status.clone()),
            None => unset(object, &["status"]),
        },
        Part::Main => {}
        Part::Status => {
            let mut kept = current.clone();
            match object.get("status") {
                Some(status) => set(&mut kept, &["status"], status.clone()),
                None => unset(&mut kept, &["status"]),
            }
            if let Some(fields) = object["metadata"].get("managedFields") {
                set(&mut kept, &["metadata", "managedFields"], fields.clone());
            }
            *object = kept;
        }
    }
}

/// Whether a write would change nothing but the times at which managers wrote.
fn says_the_same(current: &Value, object: &Value) -> bool {
    if current == object {
        return true;
    }
    let timeless = |object: &Value| {
        let mut metadata = object["metadata"].clone();
        let entries = metadata.get_mut("managedFields").and_then(Value::as_array_mut);
        for entry in entries.into_iter().flatten() {
            unset(entry, &["time"]);
        }
        metadata
    };
    let rest = |object: &Value| object.as_object().map_or(0, serde_json::Map::len);
    rest(current) == rest(object)
        && object::fields(current).all(|(field, value)| field == "metadata" || object[field] == *value)
        && timeless(current) == timeless(object)
}

fn wanted_differs(current: &Value, object: &Value) -> bool {
    let wanted = |object: &Value| {
        let mut wanted = object.clone();
        unset(&mut wanted, &["metadata"]);
        unset(&mut wanted, &["status"]);
        wanted
    };
    wanted(current) != wanted(object)
}

/// Pods alone are given time: unless they run nowhere or have ended.
fn grace(kind: &Kind, object: &Value, asked: Option<i64>) -> i64 {
    let settled = matches!(text(&object["status"]["phase"]), "Succeeded" | "Failed");
    let unbound = text(&object["spec"]["nodeName"]).is_empty();
    if &*kind.resource != PODS || settled || unbound {
        return 0;
    }
    let own = int(&object["spec"]["terminationGracePeriodSeconds"], 30);
    let asked = asked.unwrap_or(own).max(0);
    match object["metadata"]["deletionGracePeriodSeconds"].as_i64() {
        Some(given) => given.min(asked),
        None => asked,
    }
}

fn mark_deleted(kind: &Kind, object: &mut Value, grace: i64) {
    let given = object["metadata"]["deletionGracePeriodSeconds"].as_i64();
    if given.is_none_or(|given| grace < given) {
        let seconds = Duration::from_secs(u64::try_from(grace).unwrap_or(0).min(MAX_GRACE_SECONDS));
        let when = object::time_text(OffsetDateTime::now_utc() + seconds);
        set(object, &["metadata", "deletionTimestamp"], json!(when));
        set(object, &["metadata", "deletionGracePeriodSeconds"], json!(grace));
    }
    if &*kind.resource == NAMESPACES {
        set(object, &["status", "phase"], json!("Terminating"));
    }
}

/// A year: what lies beyond would leave the calendar.
const MAX_GRACE_SECONDS: u64 = 365 * 24 * 3600;

/// What an object that is being deleted still waits for.
fn unfinished(kind: &Kind, object: &Value) -> Option<&'static str> {
    if !items(&object["metadata"]["finalizers"]).is_empty() {
        return Some("finalizers");
    }
    if &*kind.resource == NAMESPACES && !items(&object["spec"]["finalizers"]).is_empty() {
        return Some("contents");
    }
    let grace = int(&object["metadata"]["deletionGracePeriodSeconds"], 0);
    (grace > 0).then_some("grace")
}

fn add_finalizer(object: &mut Value, finalizer: &str) {
    let list = object::map_at(object, &["metadata"]).entry("finalizers").or_insert_with(|| json!([]));
    if let Some(list) = list.as_array_mut()
        && !list.iter().any(|item| item == finalizer)
    {
        list.push(json!(finalizer));
    }
}
