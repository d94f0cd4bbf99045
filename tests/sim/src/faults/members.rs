//! Accidents in members.

use godwit_common::ObjectKey;

use super::LASTS;
use crate::clock::Cx;
use crate::happening::{Happening, Mend};
use crate::member::Object;
use crate::world::{World, cx};

impl World {
    pub(super) fn stop_api(&mut self, cluster: usize) {
        self.note(|| format!("the API server of cluster {cluster} is gone"));
        self.members[cluster].api = false;
        cx!(self).after(LASTS, Happening::Mend(Mend::Api(cluster)));
    }

    pub(super) fn pods_fail(&mut self, cluster: usize) {
        for pod in self.members[cluster].pod_names() {
            if self.rng.one_in(4) {
                self.members[cluster].set_ready(cx!(self), &pod, false);
                let back = Mend::Pod { cluster, pod };
                cx!(self).after(LASTS, Happening::Mend(back));
            }
        }
    }

    /// A node is not ready any more, or is gone at once.
    pub(super) fn fail_node(&mut self, cluster: usize) {
        let names: Vec<_> = self.members[cluster].nodes.keys().cloned().collect();
        if names.is_empty() || self.members[cluster].dead {
            return;
        }
        let (name, gone) = (names[self.pick(names.len())].clone(), self.rng.one_in(3));
        let what = if gone { "is gone" } else { "fails" };
        self.note(|| format!("{name} of cluster {cluster} {what}"));
        match gone {
            true => self.members[cluster].remove_node(cx!(self), &name),
            false => self.members[cluster].stop_node(cx!(self), &name),
        }
        cx!(self).after((1_000, 90_000), Happening::Mend(Mend::Nodes(cluster)));
    }

    /// A node does not run for a while; no clock on it stops.
    pub(super) fn suspend_node(&mut self, cluster: usize) {
        let names: Vec<_> = self.members[cluster].nodes.keys().cloned().collect();
        if names.is_empty() || self.members[cluster].dead {
            return;
        }
        let name = names[self.pick(names.len())].clone();
        self.note(|| format!("{name} of cluster {cluster} is suspended"));
        self.members[cluster].suspend_node(cx!(self), &name);
        cx!(self).after((1_000, 60_000), Happening::Mend(Mend::Nodes(cluster)));
    }

    pub(super) fn stop_scheduler(&mut self, cluster: usize) {
        self.note(|| format!("the scheduler of cluster {cluster} finds no nodes"));
        self.members[cluster].refuses = true;
        cx!(self).after((1_000, 120_000), Happening::Mend(Mend::Scheduler(cluster)));
    }

    pub(super) fn stop_registry(&mut self, cluster: usize) {
        self.note(|| format!("no image can be pulled in cluster {cluster}"));
        self.members[cluster].registry = false;
        cx!(self).after((1_000, 120_000), Happening::Mend(Mend::Registry(cluster)));
    }

    /// A person scales, edits or deletes something in a member.
    pub(super) fn hands(&mut self, cluster: usize) {
        let keys: Vec<ObjectKey> = self.members[cluster].objects.keys().cloned().collect();
        if keys.is_empty() {
            return;
        }
        let key = keys[self.pick(keys.len())].clone();
        if self.rng.one_in(3) {
            self.note(|| format!("a person deletes {key} in cluster {cluster}"));
            self.delete_by_hand(cluster, &key);
        } else if self.rng.one_in(3) {
            self.note(|| format!("a person edits {key} in cluster {cluster}"));
            self.members[cluster].edit_by_hand(cx!(self), &key);
        } else if matches!(&*key.kind, "Deployment" | "StatefulSet") {
            let replicas = u32::try_from(self.rng.below(8)).unwrap_or(0);
            self.note(|| format!("a person scales {key} in cluster {cluster} to {replicas}"));
            self.members[cluster].scale_by_hand(cx!(self), &key, replicas);
        }
    }

    /// A person deletes something; what nobody manages is now and then made anew at once, as it was.
    pub(crate) fn delete_by_hand(&mut self, cluster: usize, key: &ObjectKey) {
        let object = self.members[cluster].objects.get(key).cloned();
        self.members[cluster].disturb(key);
        self.members[cluster].remove(cx!(self), key);
        if let Some(object) = object.filter(Object::is_unmanaged)
            && self.rng.one_in(2)
        {
            let (manifest, replicas) = (object.manifest, object.seen.replicas);
            self.members[cluster].make_by_hand(cx!(self), key, manifest, replicas);
        }
    }
}
