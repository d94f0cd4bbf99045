//! A node: its room, its taints, and whether it takes pods.

use godwit_agent_core::NodeSeen;
use godwit_common::{Taint, TaintEffect};
use k8s_openapi::api::core::v1::{self, Node};

use super::text;
use crate::cluster::requests;

pub(crate) fn node(node: Node) -> NodeSeen {
    let (spec, status) = (node.spec.unwrap_or_default(), node.status.unwrap_or_default());
    let conditions = status.conditions.unwrap_or_default();
    let ready = conditions.iter().any(|condition| condition.type_ == "Ready" && condition.status == "True");
    let taint = |taint: v1::Taint| {
        // An effect of the future is taken for the usual one: nothing is placed there.
        let effect = TaintEffect::of_name(&taint.effect).unwrap_or(TaintEffect::NoSchedule);
        Taint { key: taint.key.into(), value: taint.value.unwrap_or_default().into(), effect }
    };
    let labels = node.metadata.labels.unwrap_or_default();
    NodeSeen {
        name: text(&node.metadata.name),
        labels: labels.into_iter().map(|(key, value)| (key.into(), value.into())).collect(),
        taints: spec.taints.unwrap_or_default().into_iter().map(taint).collect(),
        allocatable: status.allocatable.as_ref().map(requests::of_node).unwrap_or_default(),
        ready,
        schedulable: !spec.unschedulable.unwrap_or(false),
    }
}

#[cfg(test)]
mod tests {
    use serde_json::json;

    use super::*;

    #[test]
    fn a_node_shows_its_room_and_its_taints() {
        let node: Node = serde_json::from_value(json!({
            "metadata": {"name": "n1", "labels": {"zone": "a"}},
            "spec": {"unschedulable": true, "taints": [{"key": "gpu", "effect": "NoExecute"}]},
            "status": {"allocatable": {"cpu": "4", "memory": "8Gi", "pods": "110"},
                "conditions": [{"type": "Ready", "status": "True"}]}}))
        .unwrap();
        let node = super::node(node);
        assert!(node.ready && !node.schedulable);
        assert_eq!((node.allocatable.cpu_millis, node.allocatable.pods), (4000, 110));
        assert_eq!(node.taints[0].effect, TaintEffect::NoExecute);
    }
}
