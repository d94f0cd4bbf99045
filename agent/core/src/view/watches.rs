//! Which watches there are, and what can be said while one of them has not shown everything.

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::WorkloadKind;

use super::View;
use crate::cx::Cx;
use crate::rows::Sight;
use crate::{Effect, Kind, Scope, WatchId};

#[derive(Debug)]
pub(super) struct Watch {
    pub(super) scope: Scope,
    /// Which listing of this watch this is: what an older one named and this one does not is gone.
    pub(super) list: u64,
    pub(super) state: State,
}

#[derive(Debug)]
pub(super) enum State {
    Starting,
    Synced,
    Failed { reason: Arc<str>, lasting: bool },
}

impl View {
    /// Watches what every leader needs.
    pub(crate) fn start(&mut self, cx: &mut Cx) {
        self.watch(cx, Scope::Nodes);
        self.watch(cx, Scope::Pods);
        // Even when no row names them, so that orphans are seen.
        for kind in WorkloadKind::ALL {
            self.watch(cx, Scope::Workloads(Kind::of_workload(kind)));
        }
    }

    /// Watches the objects of a kind; as workloads, with their number of replicas.
    pub(crate) fn ensure(&mut self, cx: &mut Cx, kind: Kind, sight: Sight) {
        let objects = Scope::Objects(kind.clone());
        let workloads = match sight {
            Sight::Object | Sight::Workload => Scope::Workloads(kind),
            Sight::Scaled => return self.watch(cx, Scope::Scaled(kind)),
        };
        if self.scopes.contains_key(&workloads) {
            return;
        }
        if sight == Sight::Object {
            self.watch(cx, objects);
            return;
        }
        if let Some(watch) = self.scopes.remove(&objects) {
            self.watches.remove(&watch);
            cx.effects.push(Effect::Unwatch { watch });
        }
        self.watch(cx, workloads);
    }

    /// Watches the objects of these kinds as workloads, and of those their counts, and calls nothing complete before they have
    /// been seen.
    pub(crate) fn require(&mut self, cx: &mut Cx, kinds: BTreeSet<Kind>, scaled: BTreeSet<Kind>) {
        for kind in &kinds {
            self.ensure(cx, kind.clone(), Sight::Workload);
        }
        for kind in &scaled {
            self.ensure(cx, kind.clone(), Sight::Scaled);
        }
        let kinds = kinds.into_iter().map(Scope::Workloads);
        self.required = kinds.chain(scaled.into_iter().map(Scope::Scaled)).collect();
    }

    /// Ends all watches and forgets what they showed.
    pub(crate) fn stop(&mut self, cx: &mut Cx) {
        let ends = self.watches.keys().map(|watch| Effect::Unwatch { watch: *watch });
        cx.effects.extend(ends);
        *self = Self { last: self.last, ..Self::default() };
    }

    /// True when nodes, pods and the usual workloads have been seen completely: what is reported then is a cut.
    pub(crate) fn is_synced(&self) -> bool {
        let synced = |scope: &Scope| matches!(self.state(scope), Some(State::Synced));
        // Of a kind that is not served any more there are no objects, and for one that may not be seen nobody waits.
        let none = |scope: &Scope| matches!(self.state(scope), Some(State::Failed { lasting: true, .. }));
        let usual =
            WorkloadKind::ALL.into_iter().all(|kind| synced(&Scope::Workloads(Kind::of_workload(kind))));
        let custom = self.required.iter().all(|scope| synced(scope) || none(scope));
        usual && custom && synced(&Scope::Nodes) && synced(&Scope::Pods)
    }

    /// `None` as long as the kind's objects are not known; an error if they cannot be watched.
    pub(crate) fn readiness(&self, kind: &Kind, sight: Sight) -> Option<Result<(), Arc<str>>> {
        let state = match sight {
            Sight::Scaled => self.state(&Scope::Scaled(kind.clone())),
            Sight::Workload | Sight::Object => {
                let workloads = self.state(&Scope::Workloads(kind.clone()));
                workloads.or_else(|| self.state(&Scope::Objects(kind.clone())))
            }
        };
        match state? {
            State::Starting => None,
            State::Synced => Some(Ok(())),
            State::Failed { reason, .. } => Some(Err(reason.clone())),
        }
    }

    /// A name for a watch that no other has.
    pub(crate) fn name_watch(&mut self) -> WatchId {
        self.last += 1;
        WatchId(self.last)
    }

    /// How far the watch of a scope is, if there is one.
    fn state(&self, scope: &Scope) -> Option<&State> {
        self.watches.get(self.scopes.get(scope)?).map(|watch| &watch.state)
    }

    fn watch(&mut self, cx: &mut Cx, scope: Scope) {
        if self.scopes.contains_key(&scope) {
            return;
        }
        let watch = self.name_watch();
        self.scopes.insert(scope.clone(), watch);
        let state = State::Starting;
        self.watches.insert(watch, Watch { scope: scope.clone(), list: 0, state });
        cx.effects.push(Effect::Watch { watch, scope });
    }
}
