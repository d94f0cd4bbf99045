//! What one replica asks for, by Kubernetes' own rule (`PodRequests` in k8s.io/component-helpers/resource).
//!
//! The larger of two sums counts: all containers and sidecars running together, or the heaviest step of the
//! initialisation, when an init container runs beside the sidecars started before it. Requests for the pod as a whole
//! replace that, and the overhead of the runtime comes on top.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::{Resources, extended, extended_name};

use crate::field::{Field, Object};
use crate::hint;
use crate::quantity::{Quantity, QuantityError};

/// The resources of Kubernetes itself.
const STANDARD: &[&str] = &["cpu", "memory", "ephemeral-storage"];
/// More than any node has, of anything; with fewer than 1,000 containers no sum overflows.
const AMOUNT_MAX: u64 = 1 << 53;

/// Amounts by resource name: CPU in millicores, everything else in whole units.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub(crate) struct Amounts(BTreeMap<Arc<str>, u64>);

impl Amounts {
    fn add(&mut self, other: &Amounts) {
        for (name, amount) in &other.0 {
            let sum = self.0.entry(name.clone()).or_default();
            *sum = sum.saturating_add(*amount);
        }
    }

    fn raise_to(&mut self, other: &Amounts) {
        for (name, amount) in &other.0 {
            let most = self.0.entry(name.clone()).or_default();
            *most = (*most).max(*amount);
        }
    }

    /// As the rest of Godwit knows them, together with the one pod that they are for.
    fn into_resources(self) -> Resources {
        let mut resources = Resources { pods: 1, ..Resources::default() };
        for (name, amount) in self.0 {
            match &*name {
                "cpu" => resources.cpu_millis = amount,
                "memory" => resources.memory_bytes = amount,
                "ephemeral-storage" => resources.ephemeral_bytes = amount,
                _ if amount == 0 => {}
                _ => resources.extended.push((name, amount)),
            }
        }
        resources
    }
}

/// A container's part in the rule.
pub(crate) struct Container {
    pub(crate) requests: Amounts,
    /// Whether an init container keeps running (`restartPolicy: Always`).
    pub(crate) sidecar: bool,
}

/// What one pod asks for.
pub(crate) fn of_pod(spec: &Object<'_>, containers: &[Container], init: &[Container]) -> Resources {
    let mut total = aggregate(containers, init);
    if let Some(pod_level) = spec.get("resources").and_then(|field| field.object()) {
        let (requests, limits) = lists(&pod_level);
        for (name, limit) in &limits.0 {
            if is_pod_level(name) {
                total.0.entry(name.clone()).or_insert(*limit);
            }
        }
        let replacing = requests.0.into_iter().filter(|(name, _)| is_pod_level(name));
        total.0.extend(replacing);
    }
    if let Some(overhead) = spec.get("overhead").and_then(|field| field.object()) {
        total.add(&amounts(&overhead));
    }
    total.into_resources()
}

/// The requests of one container: what it leaves out, its limits say.
pub(crate) fn of_container(container: &Object<'_>) -> Amounts {
    let Some(resources) = container.get("resources").and_then(|field| field.object()) else {
        return Amounts::default();
    };
    let (mut requests, limits) = lists(&resources);
    for (name, limit) in limits.0 {
        requests.0.entry(name).or_insert(limit);
    }
    requests
}

fn aggregate(containers: &[Container], init: &[Container]) -> Amounts {
    let (mut running, mut starting, mut sidecars) =
        (Amounts::default(), Amounts::default(), Amounts::default());
    for container in containers {
        running.add(&container.requests);
    }
    for container in init {
        if container.sidecar {
            running.add(&container.requests);
            sidecars.add(&container.requests);
            starting.raise_to(&sidecars);
        } else {
            let mut step = sidecars.clone();
            step.add(&container.requests);
            starting.raise_to(&step);
        }
    }
    running.raise_to(&starting);
    running
}

/// The resources that may be set for a pod as a whole.
fn is_pod_level(name: &str) -> bool {
    name == "cpu" || name == "memory" || name.starts_with("hugepages-")
}

/// `requests` and `limits`; no request may exceed its limit.
fn lists(resources: &Object<'_>) -> (Amounts, Amounts) {
    let read = |key| {
        let list = resources.get(key).and_then(|field| field.object());
        list.map(|list| amounts(&list)).unwrap_or_default()
    };
    resources.only(&["requests", "limits", "claims"]);
    let (requests, limits) = (read("requests"), read("limits"));
    for (name, request) in &requests.0 {
        if limits.0.get(name).is_some_and(|limit| limit < request) {
            let problem = format!("the request for {name} is larger than its limit");
            resources.at.refuse(problem, "lower the request or raise the limit");
        }
    }
    (requests, limits)
}

fn amounts(list: &Object<'_>) -> Amounts {
    let mut amounts = Amounts::default();
    for (name, field) in list.fields() {
        if check_asked(name, &field)
            && let Some(amount) = amount(name, &field)
        {
            amounts.0.insert(name.into(), amount);
        }
    }
    amounts
}

/// Whether a pod may ask for a resource of this name; it is reported if not. Unlike a quota's, it may be one that
/// Kubernetes keeps for itself, as an API server takes it.
fn check_asked(name: &str, field: &Field<'_>) -> bool {
    extended::is_native(name) || check_name(name, field)
}

/// Whether there is a resource of this name, standard or extended; it is reported if not.
pub(crate) fn check_name(name: &str, field: &Field<'_>) -> bool {
    if STANDARD.contains(&name) {
        return true;
    }
    let Err(error) = extended_name(name) else { return true };
    if error.is_without_domain() {
        let remedy = hint::remedy(name, STANDARD);
        let remedy = format!("{remedy} (other resources have a domain, such as example.com/gpu)");
        field.refuse("there is no such resource", remedy);
    } else {
        field.refuse_as_said(&error.to_string());
    }
    false
}

/// The quantity that a field must be.
pub(crate) fn quantity(field: &Field<'_>) -> Option<Quantity> {
    let text = match field.node.as_text() {
        Some(text) => text.to_owned(),
        // YAML reads 0.5 and 2 as numbers, and Kubernetes takes them.
        None => field.node.describe(),
    };
    let refuse = |error: QuantityError| {
        let problem = format!("{} is not a quantity", field.node.describe());
        field.refuse(problem, error.to_string());
    };
    text.parse().map_err(refuse).ok()
}

/// How much of a resource a quantity is: CPU in millicores, everything else in whole units.
pub(crate) fn amount_of(name: &str, field: &Field<'_>) -> Option<u64> {
    let quantity = quantity(field)?;
    if name.contains('/') && !quantity.is_whole() {
        let problem = format!("{} is not valid here: a device is not divisible", field.node.describe());
        field.refuse(problem, "write a whole number");
        return None;
    }
    Some(if name == "cpu" { quantity.milli() } else { quantity.units() })
}

/// The same of one pod.
fn amount(name: &str, field: &Field<'_>) -> Option<u64> {
    let amount = amount_of(name, field)?;
    if amount > AMOUNT_MAX {
        let problem = format!("{} is more than any node has", field.node.describe());
        field.refuse(problem, "check the number and its unit");
        return None;
    }
    Some(amount)
}
