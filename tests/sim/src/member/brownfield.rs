//! What is in a cluster and is nobody's but its people's: they make it, change it, make it anew, and hand it over (S34).

use std::sync::Arc;

use godwit_agent_core::{ObjectSeen, Progress};
use godwit_common::link::Original;
use godwit_common::{ObjectKey, Uid, WorkloadId, WorkloadKind, stable_hash};

use super::{Member, Object, Pod, id_of};
use crate::clock::Cx;
use crate::happening::Happening;

/// What an agent has put its marks on, and was nobody's before.
#[derive(Debug, Clone)]
pub struct Taken {
    /// Which object.
    pub original: Original,
    /// A person had handed it over.
    pub handed_over: bool,
    /// What it said before, and of a workload its count.
    pub before: Said,
    /// What it says now.
    pub after: Said,
}

/// What an object says, and of a workload its count.
pub type Said = (Arc<str>, Option<u32>);

impl Object {
    /// Whether nobody but people has made it.
    pub fn is_unmanaged(&self) -> bool {
        self.seen.stamp.is_none()
    }

    /// What an import calls it by.
    pub fn original(&self) -> Option<Original> {
        Some(Original { uid: self.seen.uid.parse().ok()?, content: self.seen.content })
    }
}

impl Member {
    /// A person makes an object, or makes it anew.
    pub(crate) fn make_by_hand(
        &mut self,
        cx: &mut Cx<Happening>,
        key: &ObjectKey,
        manifest: Arc<str>,
        replicas: Option<u32>,
    ) {
        self.namespaces.insert(key.namespace.clone());
        // Of what it runs nobody has counted the room.
        self.crowded |= replicas.is_some();
        let seen = ObjectSeen {
            key: key.clone(),
            uid: cx.rng.uid().to_string().into(),
            version: self.next_version().to_string().into(),
            stamp: None,
            charter: None,
            content: content(&manifest),
            adopt: false,
            scaled: false,
            replicas,
            selector: None,
            autoscaled: false,
            altered: Arc::default(),
            deleting: false,
            progress: Progress::default(),
        };
        self.put(cx, seen, (manifest, false), false);
    }

    /// A person changes what an object says that nobody manages.
    pub(crate) fn rewrite_by_hand(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey, manifest: Arc<str>) {
        let Some(object) = self.objects.get(key).filter(|object| object.is_unmanaged()).cloned() else {
            return;
        };
        self.disturb(key);
        // Its pods are made anew, and some more than usual for a while.
        self.crowded = true;
        let version = self.next_version().to_string().into();
        let seen = ObjectSeen { version, content: content(&manifest), ..object.seen };
        self.put(cx, seen, (manifest, false), object.scaled_by_hand);
    }

    /// The same, to anything else.
    pub(super) fn alter_by_hand(&mut self, cx: &mut Cx<Happening>, key: &ObjectKey) {
        let Some(object) = self.objects.get(key) else { return };
        let manifest = altered(&object.manifest, 20 + self.version % 7);
        self.rewrite_by_hand(cx, key, manifest);
    }

    /// A person annotates an object: whoever was told to have it may take it, as it is.
    pub(crate) fn hand_over(&mut self, key: &ObjectKey) {
        let version = self.next_version().to_string().into();
        if let Some(object) = self.objects.get_mut(key).filter(|object| object.is_unmanaged()) {
            object.seen.adopt = true;
            object.seen.version = version;
        }
        self.disturb(key);
    }

    /// What a write of an agent takes over, if it does.
    pub(super) fn taken(old: Option<&Object>, after: Said) -> Option<Taken> {
        let old = old.filter(|old| old.is_unmanaged())?;
        let before = (old.manifest.clone(), old.seen.replicas);
        Some(Taken { original: old.original()?, handed_over: old.seen.adopt, before, after })
    }

    /// The pods of an object are those of a life from now on.
    pub(super) fn pods_join(&mut self, made_by: &Arc<str>, life: Uid) {
        for pod in self.pods.values_mut().filter(|pod| pod.made_by == *made_by) {
            pod.life = Some(life);
        }
    }

    /// Something happens to a workload here that nobody outside has asked for.
    pub(crate) fn disturb(&mut self, key: &ObjectKey) {
        if WorkloadKind::of_name(&key.kind).is_some() {
            self.disturbed.insert(id_of(key));
        }
    }

    /// The same to whoever has pods among these.
    pub(super) fn disturb_pods(&mut self, names: &[Arc<str>]) {
        let owners = names.iter().filter_map(|name| self.pods.get(name)?.seen.owner.clone());
        self.disturbed.extend(owners.collect::<Vec<_>>());
    }

    /// The pods of a workload but for those of an object that nobody manages.
    pub fn managed_pods_of(&self, id: &WorkloadId) -> Vec<&Pod> {
        let unmanaged = self.workload(id).filter(|object| object.is_unmanaged());
        let others = |pod: &&Pod| unmanaged.is_some_and(|object| object.seen.uid == pod.made_by);
        self.pods_of(id).filter(|pod| !others(pod)).collect()
    }
}

/// What stands for all that an object says but its count.
fn content(manifest: &str) -> u64 {
    stable_hash([manifest.as_bytes()]).max(1)
}

/// The same manifest with another number at its end: its revision, or how far an autoscaler may go.
fn altered(manifest: &str, number: u64) -> Arc<str> {
    let body = manifest.trim_end_matches('}').trim_end_matches(|c: char| c.is_ascii_digit());
    format!("{body}{number}}}").into()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_altered_is_read_as_before() {
        assert_eq!(&*altered("{\"cpu\":100,\"revision\":0}", 21), "{\"cpu\":100,\"revision\":21}");
        assert_eq!(
            &*altered("{\"of\":\"Deployment\",\"min\":2,\"max\":9}", 21),
            "{\"of\":\"Deployment\",\"min\":2,\"max\":21}"
        );
    }
}
