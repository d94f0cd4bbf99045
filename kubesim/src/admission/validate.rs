//! The few rules that make a manifest wrong. What is not checked here is taken as it is.

use serde_json::Value;

use crate::error::{ApiError, Cause};
use crate::kinds::Kind;
use crate::object::{self, fields, items, text};

const MAX_NAME: usize = 253;
const MAX_LABEL: usize = 63;

/// Refuses `object` if it breaks a rule; `old` is what it replaces.
pub(crate) fn validate(kind: &Kind, object: &Value, old: Option<&Value>) -> Result<(), ApiError> {
    let mut causes = Vec::new();
    metadata(kind, object, &mut causes);
    match &*kind.resource {
        "deployments.apps" | "replicasets.apps" | "statefulsets.apps" => {
            replicas(object, &mut causes);
            workload(object, old, &mut causes);
        }
        "daemonsets.apps" => workload(object, old, &mut causes),
        "jobs.batch" => pod_spec(&object["spec"]["template"]["spec"], "spec.template.spec", &mut causes),
        "pods" => {
            pod_spec(&object["spec"], "spec", &mut causes);
            if let Some(old) = old {
                fixed_pod_spec(object, old, &mut causes);
            }
        }
        "services" => service(object, &mut causes),
        "customresourcedefinitions.apiextensions.k8s.io" => definition(object, &mut causes),
        _ => {}
    }
    if causes.is_empty() { Ok(()) } else { Err(ApiError::invalid(kind, object::name(object), &causes)) }
}

/// Whether `text` is a label in the sense of DNS.
pub(crate) fn is_dns_label(text: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !text.is_empty()
        && text.len() <= MAX_LABEL
        && text.chars().all(inner)
        && !text.starts_with('-')
        && !text.ends_with('-')
}

fn metadata(kind: &Kind, object: &Value, causes: &mut Vec<Cause>) {
    let name = object::name(object);
    if name.is_empty() {
        causes.push(Cause::required("metadata.name", "name or generateName is required"));
        return;
    }
    let valid = match (&*kind.group, &*kind.resource) {
        ("rbac.authorization.k8s.io", _) => !name.contains('/') && !name.contains('%'),
        (_, "namespaces" | "services") => is_dns_label(name),
        _ => name.len() <= MAX_NAME && name.split('.').all(is_dns_part),
    };
    if !valid {
        let message = "a lowercase RFC 1123 subdomain must consist of lower case alphanumeric characters, '-' or '.', \
                       and must start and end with an alphanumeric character";
        causes.push(Cause::invalid("metadata.name", &object["metadata"]["name"], message));
    }
    for (key, value) in fields(&object["metadata"]["labels"]) {
        if !value.as_str().is_some_and(is_label_value) {
            let message = "a valid label must be an empty string or consist of alphanumeric characters, '-', '_' or '.', \
                           and must start and end with an alphanumeric character";
            causes.push(Cause::invalid(&format!("metadata.labels[{key}]"), value, message));
        }
    }
}

fn is_dns_part(part: &str) -> bool {
    let inner = |c: char| c.is_ascii_lowercase() || c.is_ascii_digit() || c == '-';
    !part.is_empty() && part.chars().all(inner) && !part.starts_with('-') && !part.ends_with('-')
}

fn is_label_value(value: &str) -> bool {
    let inner = |c: char| c.is_ascii_alphanumeric() || matches!(c, '-' | '_' | '.');
    let edge = |c: Option<char>| c.is_none_or(|c| c.is_ascii_alphanumeric());
    value.len() <= MAX_LABEL
        && value.chars().all(inner)
        && edge(value.chars().next())
        && edge(value.chars().next_back())
}

fn replicas(object: &Value, causes: &mut Vec<Cause>) {
    let count = &object["spec"]["replicas"];
    let valid = count.as_i64().is_some_and(|count| (0..=i64::from(i32::MAX)).contains(&count));
    if !valid {
        let message = "must be greater than or equal to 0";
        causes.push(Cause::invalid("spec.replicas", count, message));
    }
}

fn workload(object: &Value, old: Option<&Value>, causes: &mut Vec<Cause>) {
    let (selector, template) = (&object["spec"]["selector"], &object["spec"]["template"]);
    match crate::api::selectors::LabelSelector::of_spec(selector) {
        Err(message) => causes.push(Cause::invalid("spec.selector", selector, &message)),
        Ok(parsed) if parsed.is_empty() => {
            causes.push(Cause::required("spec.selector", "a selector is required"));
        }
        Ok(parsed) => {
            let labels = &template["metadata"]["labels"];
            if !parsed.matches(labels) {
                let message = "`selector` does not match template `labels`";
                causes.push(Cause::invalid("spec.template.metadata.labels", labels, message));
            }
        }
    }
    if let Some(old) = old
        && old["spec"]["selector"] != *selector
    {
        causes.push(Cause::invalid("spec.selector", selector, "field is immutable"));
    }
    pod_spec(&template["spec"], "spec.template.spec", causes);
}

fn pod_spec(spec: &Value, path: &str, causes: &mut Vec<Cause>) {
    let containers = items(&spec["containers"]);
    if containers.is_empty() {
        causes.push(Cause::required(&format!("{path}.containers"), "a pod needs a container"));
    }
    for (index, container) in containers.iter().enumerate() {
        let at = format!("{path}.containers[{index}]");
        if text(&container["name"]).is_empty() {
            causes.push(Cause::required(&format!("{at}.name"), "a container needs a name"));
        } else if !is_dns_label(text(&container["name"])) {
            causes.push(Cause::invalid(&format!("{at}.name"), &container["name"], "must be a DNS label"));
        }
        if text(&container["image"]).is_empty() {
            causes.push(Cause::required(&format!("{at}.image"), "a container needs an image"));
        }
    }
    for (index, container) in containers.iter().chain(items(&spec["initContainers"])).enumerate() {
        for class in ["requests", "limits"] {
            for (resource, amount) in fields(&container["resources"][class]) {
                if crate::scheduler::quantity::parse(amount).is_none() {
                    let at = format!("{path}.containers[{index}].resources.{class}[{resource}]");
                    causes.push(Cause::invalid(&at, amount, "must be a quantity such as 100m or 1Gi"));
                }
            }
        }
    }
}

fn fixed_pod_spec(object: &Value, old: &Value, causes: &mut Vec<Cause>) {
    let bound = text(&old["spec"]["nodeName"]);
    if !bound.is_empty() && object["spec"]["nodeName"] != old["spec"]["nodeName"] {
        causes.push(Cause::invalid("spec.nodeName", &object["spec"]["nodeName"], "field is immutable"));
    }
    let names = |pod: &Value| -> Vec<String> {
        items(&pod["spec"]["containers"])
            .iter()
            .map(|container| text(&container["name"]).to_owned())
            .collect()
    };
    if names(object) != names(old) {
        let message = "pod updates may not add or remove containers";
        causes.push(Cause::invalid("spec.containers", &object["spec"]["containers"], message));
    }
}

fn service(object: &Value, causes: &mut Vec<Cause>) {
    for (index, port) in items(&object["spec"]["ports"]).iter().enumerate() {
        let valid = port["port"].as_i64().is_some_and(|port| (1..=65535).contains(&port));
        if !valid {
            let at = format!("spec.ports[{index}].port");
            causes.push(Cause::invalid(&at, &port["port"], "must be between 1 and 65535, inclusive"));
        }
    }
}

fn definition(object: &Value, causes: &mut Vec<Cause>) {
    let spec = &object["spec"];
    let names = &spec["names"];
    for (at, value) in
        [("group", &spec["group"]), ("names.plural", &names["plural"]), ("names.kind", &names["kind"])]
    {
        if text(value).is_empty() {
            causes.push(Cause::required(&format!("spec.{at}"), "it names the resource"));
        }
    }
    if items(&spec["versions"]).is_empty() {
        causes.push(Cause::required("spec.versions", "at least one version must be served"));
    }
    let expected = format!("{}.{}", text(&names["plural"]), text(&spec["group"]));
    if object::name(object) != expected {
        let message = format!("must be spec.names.plural+\".\"+spec.group, here {expected}");
        causes.push(Cause::invalid("metadata.name", &object["metadata"]["name"], &message));
    }
}
