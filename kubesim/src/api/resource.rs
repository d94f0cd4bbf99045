//! From a path below a version to the operation on a resource.

use std::sync::Arc;

use http::Method;

use super::Api;
use super::call::Call;
use super::content::{Shape, View};
use super::handler::Reply;
use super::{patching, rbac, read, subresource, write};
use crate::error::ApiError;
use crate::kinds::Kind;
use crate::object::Key;

/// What a request is about.
pub(super) struct Target<'a> {
    pub(super) api: &'a Api,
    pub(super) call: &'a Call,
    pub(super) kind: Arc<Kind>,
    pub(super) version: String,
    /// The namespace in the path; `None` for cluster-scoped kinds, and for all namespaces at once.
    pub(super) namespace: Option<String>,
}

impl Target<'_> {
    /// The key of `name` in the namespace of the path.
    pub(super) fn key(&self, name: &str) -> Key {
        Key::new(self.namespace.as_deref().unwrap_or_default(), name)
    }

    /// How the client wants to see objects.
    pub(super) fn view(&self) -> Result<View, ApiError> {
        let include = self.call.query.get("includeObject");
        Ok(View {
            kind: self.kind.clone(),
            version: self.version.clone(),
            shape: Shape::negotiate(&self.call.accept, include)?,
        })
    }

    /// The `apiVersion` in which the client speaks.
    pub(super) fn api_version(&self) -> String {
        self.kind.api_version_as(&self.version)
    }
}

pub(super) fn serve(
    api: &Api,
    call: &Call,
    group: &str,
    version: &str,
    path: &[&str],
) -> Result<Reply, ApiError> {
    if let Some(reply) = subresource::review(call, group, path)? {
        return Ok(reply);
    }
    let (namespace, plural, rest) = split(path).ok_or_else(ApiError::no_such_path)?;
    let kind = api.registry.find(group, version, plural).ok_or_else(ApiError::no_such_path)?;
    if namespace.is_some() && !kind.namespaced {
        return Err(ApiError::no_such_path());
    }
    let target =
        Target { api, call, kind, version: version.to_owned(), namespace: namespace.map(str::to_owned) };
    rbac::authorise(&target, rest)?;
    match rest {
        [] => collection(&target),
        [name] => {
            named(&target)?;
            single(&target, name)
        }
        [name, sub] => {
            named(&target)?;
            subresource::serve(&target, name, sub)
        }
        _ => Err(ApiError::no_such_path()),
    }
}

/// The namespace, the plural, and what follows.
fn split<'a>(path: &'a [&'a str]) -> Option<(Option<&'a str>, &'a str, &'a [&'a str])> {
    match path {
        ["namespaces", _, "status" | "finalize"] => Some((None, "namespaces", path.get(1..)?)),
        ["namespaces", namespace, plural, rest @ ..] => Some((Some(namespace), plural, rest)),
        [plural, rest @ ..] => Some((None, plural, rest)),
        [] => None,
    }
}

/// A single object of a namespaced kind is found in a namespace only.
fn named(target: &Target) -> Result<(), ApiError> {
    if target.kind.namespaced && target.namespace.is_none() {
        return Err(ApiError::no_such_path());
    }
    Ok(())
}

fn collection(target: &Target) -> Result<Reply, ApiError> {
    match target.call.method {
        Method::GET if target.call.query.flag("watch") => read::watch(target, None),
        Method::GET => read::list(target),
        Method::POST => {
            named(target)?;
            write::create(target)
        }
        Method::DELETE => write::delete_collection(target),
        _ => Err(not_allowed()),
    }
}

fn single(target: &Target, name: &str) -> Result<Reply, ApiError> {
    match target.call.method {
        Method::GET if target.call.query.flag("watch") => read::watch(target, Some(name)),
        Method::GET => read::get(target, name),
        Method::PUT => write::replace(target, name),
        Method::PATCH => patching::patch(target, name),
        Method::DELETE => write::delete(target, name),
        _ => Err(not_allowed()),
    }
}

pub(super) fn not_allowed() -> ApiError {
    let message = "the server does not allow this method on the requested resource";
    ApiError::new(405, "MethodNotAllowed", message)
}
