//! Which node takes a pod.

use std::collections::BTreeMap;
use std::fmt;
use std::sync::Arc;

use serde_json::Value;

use super::request::Amounts;
use crate::api::selectors::expression_matches;
use crate::object::{self, fields, items, text};

/// What the scheduler knows of a node.
#[derive(Debug, Clone, PartialEq)]
pub(crate) struct Node {
    /// Its name.
    pub(crate) name: Arc<str>,
    labels: Value,
    taints: Vec<Value>,
    unschedulable: bool,
    allocatable: Amounts,
    /// What the pods on it take.
    pub(crate) used: Amounts,
}

/// How many nodes refused a pod, by reason.
#[derive(Debug, Default)]
pub(crate) struct Refusals {
    nodes: usize,
    reasons: BTreeMap<String, usize>,
}

impl Node {
    /// Reads a node on which nothing runs.
    pub(crate) fn read(node: &Value) -> Self {
        Self {
            name: object::name(node).into(),
            labels: node["metadata"]["labels"].clone(),
            taints: items(&node["spec"]["taints"]).to_vec(),
            unschedulable: node["spec"]["unschedulable"] == Value::Bool(true),
            allocatable: Amounts::read(&node["status"]["allocatable"]),
            used: Amounts::default(),
        }
    }

    /// Why the node does not take the pod; nothing when it does.
    pub(crate) fn refusals(&self, pod: &Value, request: &Amounts) -> Vec<String> {
        if !self.accepts(&pod["spec"]) {
            return vec!["node(s) didn't match Pod's node affinity/selector".to_owned()];
        }
        let unschedulable =
            serde_json::json!({"key": "node.kubernetes.io/unschedulable", "effect": "NoSchedule"});
        if self.unschedulable && !tolerates(pod, &unschedulable) {
            return vec!["node(s) were unschedulable".to_owned()];
        }
        let forbidding = self.taints.iter().find(|taint| {
            matches!(text(&taint["effect"]), "NoSchedule" | "NoExecute") && !tolerates(pod, taint)
        });
        if let Some(taint) = forbidding {
            return vec![format!(
                "node(s) had untolerated taint {{{}: {}}}",
                text(&taint["key"]),
                text(&taint["value"])
            )];
        }
        request
            .0
            .iter()
            .filter(|(resource, asked)| {
                **asked > 0
                    && self.used.get(resource).saturating_add(**asked) > self.allocatable.get(resource)
            })
            .map(|(resource, _)| match resource.as_str() {
                "pods" => "Too many pods".to_owned(),
                resource => format!("Insufficient {resource}"),
            })
            .collect()
    }

    fn accepts(&self, spec: &Value) -> bool {
        let selected = fields(&spec["nodeSelector"]).all(|(label, value)| self.labels[label] == *value);
        let required = &spec["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"];
        selected
            && (required.is_null()
                || items(&required["nodeSelectorTerms"]).iter().any(|term| self.matches(term)))
    }

    fn matches(&self, term: &Value) -> bool {
        let (labels, named) = (items(&term["matchExpressions"]), items(&term["matchFields"]));
        let own = serde_json::json!({"metadata.name": &*self.name});
        // A term that says nothing matches nothing.
        !(labels.is_empty() && named.is_empty())
            && labels.iter().all(|expression| expression_matches(expression, &self.labels))
            && named.iter().all(|expression| expression_matches(expression, &own))
    }

    /// How full the node is with `request` on top, in millionths: of the scarcer of CPU, memory and pods.
    fn load(&self, request: &Amounts) -> i128 {
        ["cpu", "memory", "pods"]
            .iter()
            .map(|resource| {
                let used = self.used.get(resource).saturating_add(request.get(resource));
                used.saturating_mul(1_000_000) / self.allocatable.get(resource).max(1)
            })
            .max()
            .unwrap_or(0)
    }
}

/// The least loaded of the nodes that take the pod.
pub(crate) fn choose<'a>(
    nodes: impl Iterator<Item = &'a Node>,
    pod: &Value,
    request: &Amounts,
) -> Result<&'a Node, Refusals> {
    let mut refusals = Refusals::default();
    let mut best: Option<(i128, &Node)> = None;
    for node in nodes {
        let reasons = node.refusals(pod, request);
        refusals.nodes += 1;
        if reasons.is_empty() {
            let load = node.load(request);
            if best.is_none_or(|(least, _)| load < least) {
                best = Some((load, node));
            }
        }
        for reason in reasons {
            *refusals.reasons.entry(reason).or_insert(0) += 1;
        }
    }
    best.map(|(_, node)| node).ok_or(refusals)
}

/// Whether the pod tolerates `taint`.
pub(crate) fn tolerates(pod: &Value, taint: &Value) -> bool {
    toleration(pod, taint).is_some()
}

/// The toleration by which the pod tolerates `taint`.
pub(crate) fn toleration<'a>(pod: &'a Value, taint: &Value) -> Option<&'a Value> {
    items(&pod["spec"]["tolerations"]).iter().find(|toleration| {
        let (key, effect) = (text(&toleration["key"]), text(&toleration["effect"]));
        let exists = toleration["operator"] == "Exists";
        (effect.is_empty() || effect == text(&taint["effect"]))
            && (key == text(&taint["key"]) || (key.is_empty() && exists))
            && (exists || text(&toleration["value"]) == text(&taint["value"]))
    })
}

impl fmt::Display for Refusals {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let listed: Vec<String> =
            self.reasons.iter().map(|(reason, count)| format!("{count} {reason}")).collect();
        if listed.is_empty() {
            return write!(f, "no nodes available to schedule pods");
        }
        write!(f, "0/{} nodes are available: {}.", self.nodes, listed.join(", "))
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::scheduler::pod_request;
    use serde_json::json;

    fn node(name: &str, cpu: &str) -> Node {
        Node::read(&json!({
            "metadata": {"name": name, "labels": {"zone": name}},
            "spec": {},
            "status": {"allocatable": {"cpu": cpu, "memory": "1Gi", "pods": "10"}},
        }))
    }

    fn pod(cpu: &str) -> Value {
        json!({"spec": {"containers": [{"resources": {"requests": {"cpu": cpu}}}]}})
    }

    fn chosen(nodes: &[Node], pod: &Value) -> Result<String, String> {
        choose(nodes.iter(), pod, &pod_request(&pod["spec"]))
            .map(|node| node.name.to_string())
            .map_err(|refusals| refusals.to_string())
    }

    #[test]
    fn the_least_loaded_node_that_has_room_is_chosen() {
        let nodes = [node("a", "1"), node("b", "4")];
        assert_eq!(chosen(&nodes, &pod("500m")), Ok("b".into()));
        assert_eq!(chosen(&nodes, &pod("5")), Err("0/2 nodes are available: 2 Insufficient cpu.".into()));
        assert!(chosen(&[], &pod("1")).is_err());
    }

    #[test]
    fn selectors_affinity_and_taints_refuse() {
        let mut tainted = node("a", "4");
        tainted.taints = vec![json!({"key": "gpu", "value": "yes", "effect": "NoSchedule"})];
        let nodes = [tainted, node("b", "1")];
        assert_eq!(chosen(&nodes, &pod("1")), Ok("b".into()));
        let mut tolerant = pod("1");
        tolerant["spec"]["tolerations"] = json!([{"key": "gpu", "operator": "Equal", "value": "yes"}]);
        assert_eq!(chosen(&nodes, &tolerant), Ok("a".into()));
        let mut picky = tolerant.clone();
        picky["spec"]["nodeSelector"] = json!({"zone": "b"});
        assert_eq!(chosen(&nodes, &picky), Ok("b".into()));
        let mut affine = tolerant;
        affine["spec"]["affinity"]["nodeAffinity"]["requiredDuringSchedulingIgnoredDuringExecution"]["nodeSelectorTerms"] =
            json!([{"matchFields": [{"key": "metadata.name", "operator": "In", "values": ["b"]}]}]);
        assert_eq!(chosen(&nodes, &affine), Ok("b".into()));
    }
}
