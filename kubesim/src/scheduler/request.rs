//! What a pod asks for, by Kubernetes' own rule.

use std::collections::BTreeMap;

use serde_json::Value;

use super::quantity;
use crate::object::{fields, items};

/// Amounts of resources, in thousandths of their units.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Amounts(pub(crate) BTreeMap<String, i128>);

impl Amounts {
    /// Reads a map of quantities; what is none counts as nothing.
    pub(crate) fn read(quantities: &Value) -> Self {
        let read = fields(quantities)
            .filter_map(|(resource, amount)| Some((resource.clone(), quantity::parse(amount)?)))
            .collect();
        Self(read)
    }

    /// The amount of `resource`.
    pub(crate) fn get(&self, resource: &str) -> i128 {
        self.0.get(resource).copied().unwrap_or(0)
    }

    /// Adds `other`.
    pub(crate) fn add(&mut self, other: &Self) {
        for (resource, amount) in &other.0 {
            let sum = self.0.entry(resource.clone()).or_insert(0);
            *sum = sum.saturating_add(*amount);
        }
    }

    /// Takes `other` away.
    pub(crate) fn subtract(&mut self, other: &Self) {
        for (resource, amount) in &other.0 {
            let left = self.0.entry(resource.clone()).or_insert(0);
            *left = left.saturating_sub(*amount);
        }
    }

    /// Takes the larger amount of each resource.
    fn raise(&mut self, other: &Self) {
        for (resource, amount) in &other.0 {
            let largest = self.0.entry(resource.clone()).or_insert(0);
            *largest = (*largest).max(*amount);
        }
    }
}

/// What a pod with this spec takes from its node: its containers and sidecars together, or the largest of what its
/// init containers need on their turn beside the sidecars started before them; and its overhead, and one pod.
pub(crate) fn pod_request(spec: &Value) -> Amounts {
    let mut running = Amounts::default();
    for container in items(&spec["containers"]) {
        running.add(&request(container));
    }
    let (mut sidecars, mut starting) = (Amounts::default(), Amounts::default());
    for container in items(&spec["initContainers"]) {
        let mut turn = request(container);
        turn.add(&sidecars);
        if container["restartPolicy"] == "Always" {
            sidecars = turn.clone();
        }
        starting.raise(&turn);
    }
    running.add(&sidecars);
    running.raise(&starting);
    running.add(&Amounts::read(&spec["overhead"]));
    running.0.insert("pods".to_owned(), 1000);
    running
}

/// What a container asks for; where it only names a limit, that is its request.
fn request(container: &Value) -> Amounts {
    let mut amounts = Amounts::read(&container["resources"]["limits"]);
    amounts.0.extend(Amounts::read(&container["resources"]["requests"]).0);
    amounts
}

#[cfg(test)]
mod tests {
    use super::*;
    use serde_json::json;

    fn container(cpu: &str, always: bool) -> Value {
        let mut container = json!({"resources": {"requests": {"cpu": cpu}}});
        if always {
            container["restartPolicy"] = json!("Always");
        }
        container
    }

    #[test]
    fn init_containers_count_where_they_need_more() {
        let spec = json!({
            "containers": [container("100m", false), container("200m", false)],
            "initContainers": [container("50m", true), container("1", false), container("100m", true)],
            "overhead": {"cpu": "10m"},
        });
        // Running: 300 + 150 of sidecars; starting: 50 + 1000.
        assert_eq!(pod_request(&spec).get("cpu"), 1060);
        assert_eq!(pod_request(&spec).get("pods"), 1000);
    }

    #[test]
    fn a_limit_alone_is_a_request() {
        let spec = json!({"containers": [{"resources": {"limits": {"nvidia.com/gpu": 2}}}]});
        assert_eq!(pod_request(&spec).get("nvidia.com/gpu"), 2000);
    }
}
