//! The scheduler: pods without a node get one that has room, the emptiest first; the others are unschedulable.

use std::sync::Arc;

use godwit_agent_core::PodPhase;
use godwit_common::Resources;

use super::Member;
use crate::clock::Cx;
use crate::happening::Happening;

impl Member {
    /// Looks at all pods without a node.
    pub(crate) fn schedule(&mut self, cx: &mut Cx<Happening>) {
        if self.dead {
            return;
        }
        let waiting: Vec<Arc<str>> = self
            .pods
            .values()
            .filter(|pod| pod.seen.node.is_none() && !pod.seen.terminating)
            .map(|pod| pod.seen.name.clone())
            .collect();
        for name in waiting {
            let Some(requests) = self.pods.get(&name).map(|pod| pod.seen.requests.clone()) else {
                continue;
            };
            let mut nodes = if self.refuses { Vec::new() } else { self.free() };
            nodes.retain(|(_, free)| free.fits(&requests) > 0);
            match nodes.into_iter().max_by_key(|(_, free)| free.cpu_millis) {
                Some((node, _)) => self.bind_pod(cx, &name, node),
                None => self.change_pod(cx, &name, |pod| pod.unschedulable = true),
            }
        }
    }

    /// The scheduler finds nodes again.
    pub(crate) fn mend_scheduler(&mut self, cx: &mut Cx<Happening>) {
        self.refuses = false;
        cx.after((1, 200), Happening::Schedule { cluster: self.index });
    }

    /// How many more pods of this size the nodes could take.
    pub fn room_for(&self, requests: &Resources) -> u64 {
        self.free().iter().map(|(_, free)| free.fits(requests)).sum()
    }

    /// What each node that takes pods has free.
    fn free(&self) -> Vec<(Arc<str>, Resources)> {
        let usable = self.nodes.values().filter(|node| node.ready && node.schedulable);
        let free_of = |node: &godwit_agent_core::NodeSeen| {
            let mut free = node.allocatable.clone();
            for pod in self.pods.values().map(|pod| &pod.seen) {
                if pod.node.as_ref() == Some(&node.name) && pod.phase != PodPhase::Ended {
                    free.subtract(&pod.requests, 1);
                }
            }
            (node.name.clone(), free)
        };
        usable.map(free_of).collect()
    }
}
