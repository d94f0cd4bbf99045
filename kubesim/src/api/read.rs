//! Getting, listing, and the beginning of watching.

use std::sync::Arc;
use std::time::Duration;

use serde_json::{Value, json};

use super::handler::Reply;
use super::resource::Target;
use super::selectors::{FieldSelector, LabelSelector, Selection};
use super::watch::{Initial, Watch};
use crate::error::ApiError;
use crate::object::{self, Key};
use crate::store::Page;

/// How long a watch lasts when the client does not say: as the real server, between half an hour and an hour.
const WATCH_SECONDS: u64 = 1800;
/// The longest watch.
const MAX_WATCH_SECONDS: u64 = 24 * 3600;

pub(super) fn get(target: &Target, name: &str) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let object = target
        .api
        .store
        .get(&target.kind.resource, &target.key(name))
        .ok_or_else(|| ApiError::not_found(&target.kind, name))?;
    Ok(Reply::ok(view.one(&object)))
}

pub(super) fn list(target: &Target) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let selection = selection(target)?;
    let query = &target.call.query;
    let store = &target.api.store;
    let asked = query.number("resourceVersion")?.unwrap_or(0);
    let current = store.version();
    if asked > current {
        return Err(ApiError::too_large_version(asked, current));
    }
    let (first, after) = position(query.get("continue"))?.unzip();
    let page = store.list(&target.kind.resource, target.namespace.as_deref(), after.as_ref());
    let version = first.unwrap_or(page.version);
    if store.changes_after(version, |_| false).is_err() {
        let message = "The provided continue parameter is too old to display a consistent list result. \
                       You must start a new list without the continue parameter.";
        return Err(ApiError::new(410, "Expired", message));
    }
    let limit = query.number("limit")?.and_then(|limit| usize::try_from(limit).ok()).unwrap_or(0);
    let mut selected = page.objects;
    selected.retain(|object| selection.matches(object));
    let mut metadata = json!({"resourceVersion": version.to_string()});
    if limit > 0 && selected.len() > limit {
        let remaining = selected.len() - limit;
        selected.truncate(limit);
        if let Some(last) = selected.last() {
            let token = format!("{version}/{}/{}", object::namespace(last), object::name(last));
            object::set(&mut metadata, &["continue"], json!(token));
        }
        if selection == Selection::default() {
            object::set(&mut metadata, &["remainingItemCount"], json!(remaining));
        }
    }
    Ok(Reply::ok(view.list(metadata, &selected)))
}

pub(super) fn watch(target: &Target, name: Option<&str>) -> Result<Reply, ApiError> {
    let view = target.view()?;
    let selection = match name {
        Some(name) => Selection::of_name(name),
        None => selection(target)?,
    };
    let query = &target.call.query;
    let store = &target.api.store;
    let bookmarks = query.flag("allowWatchBookmarks");
    let marked = query.flag("sendInitialEvents");
    if marked && (!bookmarks || query.get("resourceVersionMatch") != "NotOlderThan") {
        let message = "sendInitialEvents: Forbidden: allowWatchBookmarks and resourceVersionMatch=NotOlderThan are required with it";
        return Err(ApiError::new(422, "Invalid", message));
    }
    let asked = query.number("resourceVersion")?.unwrap_or(0);
    let explicit = !query.get("sendInitialEvents").is_empty();
    let with_initial = marked || (asked == 0 && !explicit);
    // Subscribed before anything is read, so that no change is missed in between.
    let notify = store.subscribe(Some(&target.kind.resource));
    let Page { version, objects } = if with_initial {
        store.list(&target.kind.resource, target.namespace.as_deref(), None)
    } else {
        Page { version: store.version(), objects: Vec::new() }
    };
    if asked > version {
        return Err(ApiError::too_large_version(asked, version));
    }
    let objects: Vec<Arc<Value>> = objects.into_iter().filter(|object| selection.matches(object)).collect();
    let seconds = query.number("timeoutSeconds")?.unwrap_or(WATCH_SECONDS + store.random(WATCH_SECONDS));
    Ok(Reply::Watch(Box::new(Watch {
        view,
        namespace: target.namespace.clone(),
        selection,
        initial: Initial { objects, marked },
        cursor: if with_initial || asked == 0 { version } else { asked },
        bookmarks,
        timeout: Duration::from_secs(seconds.clamp(1, MAX_WATCH_SECONDS)),
        notify,
    })))
}

pub(super) fn selection(target: &Target) -> Result<Selection, ApiError> {
    let query = &target.call.query;
    let labels = LabelSelector::parse(query.get("labelSelector")).map_err(ApiError::bad_request)?;
    let fields = FieldSelector::parse(query.get("fieldSelector"), &target.kind.resource)
        .map_err(ApiError::bad_request)?;
    Ok(Selection { labels, fields })
}

/// Where a list continues: the version of its first page, and the last key of the page before.
fn position(token: &str) -> Result<Option<(u64, Key)>, ApiError> {
    if token.is_empty() {
        return Ok(None);
    }
    let mut parts = token.splitn(3, '/');
    let version = parts.next().and_then(|version| version.parse().ok());
    match (version, parts.next(), parts.next()) {
        (Some(version), Some(namespace), Some(name)) => Ok(Some((version, Key::new(namespace, name)))),
        _ => Err(ApiError::bad_request("continue key is not valid")),
    }
}
