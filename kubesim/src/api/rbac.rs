//! What somebody may do in whose name a request is made (`Impersonate-User`). Whoever has the token may do everything, and
//! impersonate everybody; who is impersonated may do what the roles bound to him say, and nothing else.

use http::Method;
use serde_json::Value;

use super::resource::Target;
use crate::error::ApiError;
use crate::object::Key;

/// The names of ServiceAccounts as users begin like this.
const ACCOUNTS: &str = "system:serviceaccount:";
const RBAC: &str = "rbac.authorization.k8s.io";

/// What is asked for.
struct Attributes<'a> {
    verb: &'static str,
    group: &'a str,
    /// With its subresource, as `deployments/scale`.
    resource: String,
    namespace: &'a str,
    name: &'a str,
}

/// Refuses what whoever is impersonated may not do; `rest` is the path below the resource.
pub(super) fn authorise(target: &Target<'_>, rest: &[&str]) -> Result<(), ApiError> {
    let Some(user) = &target.call.user else { return Ok(()) };
    let name = rest.first().copied().unwrap_or_default();
    let resource = match rest.get(1) {
        Some(sub) => format!("{}/{sub}", target.kind.plural),
        None => target.kind.plural.clone(),
    };
    let namespace = target.namespace.as_deref().unwrap_or_default();
    let asked =
        |verb| Attributes { verb, group: &target.kind.group, resource: resource.clone(), namespace, name };
    demand(target, user, &asked(verb_of(target, name)))?;
    let applied = target.call.method == Method::PATCH && target.call.content_type.contains("apply-patch");
    let exists = target.api.store.get(&target.kind.resource, &Key::new(namespace, name)).is_some();
    // An apply of what is not there makes it.
    if applied && !exists { demand(target, user, &asked("create")) } else { Ok(()) }
}

fn verb_of(target: &Target<'_>, name: &str) -> &'static str {
    match (&target.call.method, name) {
        (&Method::GET, _) if target.call.query.flag("watch") => "watch",
        (&Method::GET, "") => "list",
        (&Method::GET, _) => "get",
        (&Method::POST, _) => "create",
        (&Method::PUT, _) => "update",
        (&Method::PATCH, _) => "patch",
        (&Method::DELETE, "") => "deletecollection",
        _ => "delete",
    }
}

fn demand(target: &Target<'_>, user: &str, asked: &Attributes<'_>) -> Result<(), ApiError> {
    if is_allowed(target, user, asked) {
        return Ok(());
    }
    let Attributes { verb, group, resource, namespace, name } = asked;
    let scope = match *namespace {
        "" => "at the cluster scope".to_owned(),
        namespace => format!("in the namespace {namespace:?}"),
    };
    let why = format!("User {user:?} cannot {verb} resource {resource:?} in API group {group:?} {scope}");
    Err(ApiError::forbidden(&target.kind, name, &why))
}

fn is_allowed(target: &Target<'_>, user: &str, asked: &Attributes<'_>) -> bool {
    let store = &target.api.store;
    let bindings = |plural: &str, namespace: Option<&str>| {
        let all = store.all(&format!("{plural}.{RBAC}"), namespace);
        all.into_iter().filter(|binding| binds(binding, user)).collect::<Vec<_>>()
    };
    let allows = |binding: &Value, namespace: &str| {
        let role = |field: &str| binding["roleRef"][field].as_str().unwrap_or_default();
        let (plural, namespace) = match role("kind") {
            "ClusterRole" => ("clusterroles", ""),
            _ => ("roles", namespace),
        };
        let found = store.get(&format!("{plural}.{RBAC}"), &Key::new(namespace, role("name")));
        let rules = found.as_deref().and_then(|role| role["rules"].as_array().cloned());
        rules.into_iter().flatten().any(|rule| covers(&rule, asked))
    };
    let everywhere = bindings("clusterrolebindings", None);
    let here = match asked.namespace {
        "" => Vec::new(),
        namespace => bindings("rolebindings", Some(namespace)),
    };
    everywhere.iter().any(|binding| allows(binding, ""))
        || here.iter().any(|binding| allows(binding, asked.namespace))
}

/// Whether a binding is about a user: by his name, or by a group that he is in as a ServiceAccount.
fn binds(binding: &Value, user: &str) -> bool {
    let account = user.strip_prefix(ACCOUNTS).and_then(|account| account.split_once(':'));
    let subjects = binding["subjects"].as_array().into_iter().flatten();
    subjects.into_iter().any(|subject| {
        let field = |field: &str| subject[field].as_str().unwrap_or_default();
        match (field("kind"), account) {
            ("User", _) => field("name") == user,
            ("ServiceAccount", Some(account)) => (field("namespace"), field("name")) == account,
            ("Group", Some((namespace, _))) => {
                let group = field("name");
                matches!(group, "system:serviceaccounts" | "system:authenticated")
                    || group.strip_prefix("system:serviceaccounts:") == Some(namespace)
            }
            ("Group", None) => field("name") == "system:authenticated",
            _ => false,
        }
    })
}

fn covers(rule: &Value, asked: &Attributes<'_>) -> bool {
    let has = |field: &str, wanted: &str| {
        let all = rule[field].as_array().into_iter().flatten();
        all.into_iter().filter_map(Value::as_str).any(|one| one == "*" || one == wanted)
    };
    let names = rule["resourceNames"].as_array().filter(|names| !names.is_empty());
    let named = names.is_none_or(|names| names.iter().any(|name| name == asked.name));
    has("verbs", asked.verb) && has("apiGroups", asked.group) && has("resources", &asked.resource) && named
}
