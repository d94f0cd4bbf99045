//! What a pod asks for, by Kubernetes' own rule (`PodRequests` in k8s.io/component-helpers/resource): the larger of all
//! containers and sidecars together, and the heaviest step of the initialisation; a request for the whole pod replaces
//! that; the overhead of the runtime comes on top. The API server has filled in requests from limits already.

use std::collections::BTreeMap;
use std::sync::Arc;

use godwit_common::Resources;
use godwit_manifest::Quantity;
use k8s_openapi::api::core::v1::{Container, PodSpec};
use k8s_openapi::apimachinery::pkg::api::resource;

type Amounts = BTreeMap<String, u64>;
type Quantities = BTreeMap<String, resource::Quantity>;

/// The requests of one pod; one pod among them.
pub(crate) fn of_pod(spec: &PodSpec) -> Resources {
    let mut running = Amounts::new();
    for container in &spec.containers {
        add(&mut running, &of_container(container));
    }
    let (mut heaviest, mut sidecars) = (Amounts::new(), Amounts::new());
    for container in spec.init_containers.iter().flatten() {
        let requests = of_container(container);
        if container.restart_policy.as_deref() == Some("Always") {
            add(&mut sidecars, &requests);
            raise(&mut heaviest, &sidecars);
        } else {
            let mut step = sidecars.clone();
            add(&mut step, &requests);
            raise(&mut heaviest, &step);
        }
    }
    add(&mut running, &sidecars);
    raise(&mut running, &heaviest);
    if let Some(whole) = spec.resources.as_ref().and_then(|resources| resources.requests.as_ref()) {
        running.extend(amounts(whole));
    }
    if let Some(overhead) = &spec.overhead {
        add(&mut running, &amounts(overhead));
    }
    let pods = 1;
    Resources { pods, ..resources(running) }
}

/// What a node offers.
pub(crate) fn of_node(allocatable: &Quantities) -> Resources {
    resources(amounts(allocatable))
}

fn of_container(container: &Container) -> Amounts {
    let resources = container.resources.as_ref();
    let requests = resources.and_then(|resources| resources.requests.as_ref());
    let limits = resources.and_then(|resources| resources.limits.as_ref());
    let mut asked = limits.map(amounts).unwrap_or_default();
    asked.extend(requests.map(amounts).unwrap_or_default());
    asked
}

/// CPU in thousandths, everything else in whole units. What cannot be read counts as nothing: the API server has
/// checked it.
fn amounts(quantities: &Quantities) -> Amounts {
    let amount = |name: &str, quantity: &resource::Quantity| {
        let quantity: Quantity = quantity.0.parse().ok()?;
        Some(if name == "cpu" { quantity.milli() } else { quantity.units() })
    };
    let known =
        quantities.iter().filter_map(|(name, quantity)| Some((name.clone(), amount(name, quantity)?)));
    known.collect()
}

fn resources(amounts: Amounts) -> Resources {
    let mut resources = Resources::default();
    for (name, amount) in amounts {
        match name.as_str() {
            "cpu" => resources.cpu_millis = amount,
            "memory" => resources.memory_bytes = amount,
            "ephemeral-storage" => resources.ephemeral_bytes = amount,
            "pods" => resources.pods = amount,
            _ if amount == 0 => {}
            // In order, because the map is.
            _ => resources.extended.push((Arc::from(name), amount)),
        }
    }
    resources
}

fn add(sum: &mut Amounts, more: &Amounts) {
    for (name, amount) in more {
        let sum = sum.entry(name.clone()).or_default();
        *sum = sum.saturating_add(*amount);
    }
}

fn raise(most: &mut Amounts, other: &Amounts) {
    for (name, amount) in other {
        let most = most.entry(name.clone()).or_default();
        *most = (*most).max(*amount);
    }
}

#[cfg(test)]
mod tests {
    use serde_json::{Value, json};

    use super::*;

    fn of(spec: Value) -> Resources {
        of_pod(&serde_json::from_value(spec).unwrap())
    }

    fn container(cpu: &str) -> Value {
        json!({"name": "c", "resources": {"requests": {"cpu": cpu}}})
    }

    #[test]
    fn containers_run_together_and_initialisation_step_by_step() {
        let cpu = |spec| of(spec).cpu_millis;
        assert_eq!(cpu(json!({"containers": [container("100m"), container("0.2")]})), 300);
        let init =
            json!({"containers": [container("100m")], "initContainers": [container("1"), container("300m")]});
        assert_eq!(cpu(init), 1000);
        let mut sidecar = container("500m");
        sidecar["restartPolicy"] = "Always".into();
        let with_sidecar =
            json!({"containers": [container("100m")], "initContainers": [sidecar, container("300m")]});
        assert_eq!(cpu(with_sidecar), 800);
        let overhead = json!({"containers": [container("100m")], "overhead": {"cpu": "50m"}});
        assert_eq!(cpu(overhead), 150);
        let whole = json!({"containers": [container("100m")], "resources": {"requests": {"cpu": "2"}}});
        assert_eq!(cpu(whole), 2000);
    }

    #[test]
    fn limits_stand_in_for_requests_and_units_are_understood() {
        let resources = of(json!({"containers": [{"name": "c", "resources": {
            "limits": {"memory": "1Gi", "nvidia.com/gpu": "2", "cpu": "1"},
            "requests": {"cpu": "250m", "ephemeral-storage": "1M"},
        }}]}));
        let expected = Resources {
            cpu_millis: 250,
            memory_bytes: 1 << 30,
            ephemeral_bytes: 1_000_000,
            pods: 1,
            extended: vec![("nvidia.com/gpu".into(), 2)],
        };
        assert_eq!(resources, expected);
        assert_eq!(of(json!({"containers": []})).pods, 1);
    }
}
