//! Watches: what changes is shown late, in order; a watch that loses its place lists everything anew.

use std::collections::VecDeque;

use godwit_agent_core::{Change, Kind, Scope};
use godwit_common::ObjectKey;

use super::Member;
use crate::clock::Cx;
use crate::happening::{Happening, WatchKey};

/// How late a change is shown.
const DELAY: (u64, u64) = (1, 120);

#[derive(Debug)]
pub(super) struct Watch {
    scope: Scope,
    shown: VecDeque<(u64, Change)>,
    last: u64,
}

impl Member {
    /// An agent begins to watch.
    pub(crate) fn watch(&mut self, cx: &mut Cx<Happening>, key: WatchKey, scope: Scope) {
        let watch = Watch { scope, shown: VecDeque::new(), last: 0 };
        self.watches.insert(key, watch);
        if self.api && !self.dead {
            self.relist(cx, key);
        }
    }

    /// An agent watches no more.
    pub(crate) fn unwatch(&mut self, key: WatchKey) {
        self.watches.remove(&key);
    }

    /// A life of an agent is over, and its watches with it.
    pub fn forget_agent(&mut self, agent: usize) {
        self.watches.retain(|key, _| key.agent != agent);
    }

    pub(super) fn forget_watches(&mut self) {
        self.watches.clear();
    }

    /// All watches have lost their place: what was on its way is lost, and everything is listed.
    pub(crate) fn relist_all(&mut self, cx: &mut Cx<Happening>) {
        let keys: Vec<WatchKey> = self.watches.keys().copied().collect();
        for key in keys {
            self.relist(cx, key);
        }
    }

    /// What a watch has to show by now.
    pub(crate) fn shown(&mut self, now: u64, key: WatchKey) -> Vec<Change> {
        let mut changes = Vec::new();
        if let Some(watch) = self.watches.get_mut(&key).filter(|_| self.api && !self.dead) {
            while watch.shown.front().is_some_and(|(due, _)| *due <= now) {
                changes.extend(watch.shown.pop_front().map(|(_, change)| change));
            }
        }
        changes
    }

    pub(super) fn show(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, change: Change) {
        let kind = Kind::of(key);
        self.tell(cx, change, |scope| match scope {
            Scope::Workloads(shown) | Scope::Objects(shown) => *shown == kind,
            // All that is here is Godwit's own.
            Scope::Scaled(_) => false,
            Scope::Nodes | Scope::Pods | Scope::Summons => false,
        });
    }

    pub(super) fn show_nodes(&mut self, cx: &mut Cx<Happening>, change: Change) {
        self.tell(cx, change, |scope| *scope == Scope::Nodes);
    }

    pub(super) fn show_summons(&mut self, cx: &mut Cx<Happening>, change: Change) {
        self.tell(cx, change, |scope| *scope == Scope::Summons);
    }

    pub(super) fn show_pods(&mut self, cx: &mut Cx<Happening>, change: Change) {
        self.tell(cx, change, |scope| *scope == Scope::Pods);
    }

    fn tell(&mut self, cx: &mut Cx<Happening>, change: Change, to: impl Fn(&Scope) -> bool) {
        let cluster = self.index;
        for (key, watch) in self.watches.iter_mut().filter(|(_, watch)| to(&watch.scope)) {
            watch.push(cx, cluster, *key, change.clone());
        }
    }

    fn relist(&mut self, cx: &mut Cx<Happening>, key: WatchKey) {
        let Some(scope) = self.watches.get(&key).map(|watch| watch.scope.clone()) else {
            return;
        };
        let mut changes = vec![Change::Restarted];
        match scope {
            Scope::Summons => {
                changes.extend(self.summons.iter().map(|seen| Change::Summoned(seen.summons.clone())));
            }
            Scope::Nodes => changes.extend(self.nodes.values().cloned().map(Change::Node)),
            Scope::Pods => changes.extend(self.pods.values().map(|pod| Change::Pod(pod.shown(cx.now)))),
            Scope::Scaled(_) => {}
            Scope::Workloads(kind) | Scope::Objects(kind) => {
                let managed = self
                    .objects
                    .values()
                    .filter(|object| Kind::of(&object.seen.key) == kind && object.seen.stamp.is_some());
                changes.extend(managed.map(|object| Change::Object(object.seen.clone())));
            }
        }
        changes.push(Change::Synced);
        let cluster = self.index;
        if let Some(watch) = self.watches.get_mut(&key) {
            watch.shown.clear();
            for change in changes {
                watch.push(cx, cluster, key, change);
            }
        }
    }
}

impl Watch {
    fn push(&mut self, cx: &mut Cx<Happening>, cluster: usize, key: WatchKey, change: Change) {
        let due = cx.now + DELAY.0 + cx.rng.below(DELAY.1);
        self.last = self.last.max(due);
        self.shown.push_back((self.last, change));
        cx.queue.push(self.last, Happening::WatchShows { cluster, watch: key });
    }
}
