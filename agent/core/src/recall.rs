//! What a hub asks for that has lost its store: all that this cluster holds of the federation, an object at a time (S10).
//!
//! Workloads are found by their watch. The objects that go ahead of them are not watched before a row names them: their
//! names stand in the workloads' charters. Manifests are read from the source, since nothing keeps them in memory.

use std::collections::{BTreeMap, BTreeSet, VecDeque};
use std::sync::Arc;

use godwit_common::link::{Recalled, RecalledObject, Up};
use godwit_common::{ObjectKey, Uid};

use crate::cx::{Cx, Purpose};
use crate::link::Link;
use crate::view::View;
use crate::{Call, CallError, ObjectSeen, Reply};

/// Reads under way at once, and answers that wait for the stream.
const AT_ONCE: usize = 8;
/// How often an object is asked for that cannot be read: the answer must end, and what it lacks is not lost.
const ATTEMPTS: u32 = 3;

#[derive(Debug, Default)]
pub(crate) struct Recall {
    /// The hub's question, as long as it is not answered; revisions of which it has the manifest.
    known: Option<BTreeSet<(Uid, u64)>>,
    /// Whose objects are meant.
    federation: Uid,
    todo: BTreeSet<ObjectKey>,
    named: BTreeSet<ObjectKey>,
    /// Being read, and how often that has failed.
    busy: BTreeMap<ObjectKey, u32>,
    failed: BTreeMap<ObjectKey, u32>,
    ready: VecDeque<RecalledObject>,
}

impl Recall {
    /// The hub asks; what it asked before is void.
    pub(crate) fn begin(&mut self, view: &View, federation: Uid, known: &Arc<[(Uid, u64)]>) {
        *self = Self { known: Some(known.iter().copied().collect()), federation, ..Self::default() };
        let ids: Vec<_> = view.workload_ids().cloned().collect();
        for seen in ids.iter().filter_map(|id| view.workload(id)) {
            self.named.insert(seen.key.clone());
            match self.is_known(seen) {
                true => self.take(seen, None),
                false => {
                    self.todo.insert(seen.key.clone());
                }
            }
        }
    }

    /// A session or a reign begins or ends: nobody waits for the rest.
    pub(crate) fn end(&mut self) {
        *self = Self::default();
    }

    /// Reads what is to be read, and says what is known, as far as there is room for it.
    pub(crate) fn pump(&mut self, cx: &mut Cx, link: &mut Link) {
        if self.known.is_none() {
            return;
        }
        while self.busy.len() + self.ready.len() < AT_ONCE {
            let Some(key) = self.todo.pop_first() else { break };
            let failed = self.failed.remove(&key).unwrap_or(0);
            self.busy.insert(key.clone(), failed);
            cx.call(Purpose::Recall(key.clone()), Call::Read { key, pods: false });
        }
        while link.has_room() {
            let Some(object) = self.ready.pop_front() else { break };
            link.send(cx, Up::Recalled(Recalled::Object(object)));
        }
        let done = self.todo.is_empty() && self.busy.is_empty() && self.ready.is_empty();
        if done && link.has_room() {
            link.send(cx, Up::Recalled(Recalled::End));
            self.end();
        }
    }

    /// An object was read, or could not be.
    pub(crate) fn done(&mut self, key: &ObjectKey, result: Result<Reply, CallError>) {
        let Some(failed) = self.busy.remove(key) else { return };
        match result {
            Ok(Reply::Object { object: Some(seen), manifest, .. }) => self.take(&seen, manifest),
            // It is gone since.
            Ok(_) => {}
            Err(_) if failed + 1 < ATTEMPTS => {
                self.failed.insert(key.clone(), failed + 1);
                self.todo.insert(key.clone());
            }
            // What the agent may not read, the hub is not told of: an operator sees what it lacks.
            Err(_) => {}
        }
    }

    fn take(&mut self, seen: &ObjectSeen, manifest: Option<Arc<str>>) {
        let Some(stamp) = seen.stamp.filter(|stamp| stamp.fence.federation == self.federation) else {
            return;
        };
        for (_, key) in seen.charter.iter().flat_map(|charter| &charter.objects) {
            if self.named.insert(key.clone()) {
                self.todo.insert(key.clone());
            }
        }
        let (key, charter) = (seen.key.clone(), seen.charter.clone());
        let manifest = manifest.filter(|_| !self.is_known(seen));
        self.ready.push_back(RecalledObject {
            key,
            uid: stamp.uid,
            revision: stamp.revision,
            ordinals: stamp.ordinals,
            manifest,
            charter,
        });
    }

    fn is_known(&self, seen: &ObjectSeen) -> bool {
        let known = self.known.as_ref().zip(seen.stamp);
        known.is_some_and(|(known, stamp)| known.contains(&(stamp.uid, stamp.revision)))
    }
}
