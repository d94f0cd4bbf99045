//! What operators say of clusters: cordon, labels, taints (S18).

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::selector::Labels;
use godwit_common::{ClusterName, Taint, TaintEffect};

use super::{no_cluster, refused};
use crate::contract::{
    Action, Answer, Changes, ClusterRecord, ClusterTaint, Key, Refused, RefusedKind, Severity, Subject,
};
use crate::hub::Hub;

/// The most labels of a cluster, and the most taints.
const ENTRIES_MAX: usize = 64;

impl Hub {
    /// Lets a cluster get nothing new, or get something again.
    pub(super) fn cordon(&mut self, name: &ClusterName, cordoned: bool) -> Result<Answer, Refused> {
        let known = &self.clusters.get(name).ok_or_else(|| no_cluster(name))?.record;
        if known.drain.is_some() && !cordoned {
            self.cancel_drain(name)?;
        }
        let Some(known) = self.clusters.get(name).map(|cluster| &cluster.record) else {
            return Err(no_cluster(name));
        };
        let record = ClusterRecord { cordoned, ..known.clone() };
        let (reason, message) = match cordoned {
            true => ("ClusterCordoned", "it gets nothing new; what runs there stays"),
            false => ("ClusterUncordoned", "it gets its part of what is new again"),
        };
        self.change_cluster(record, reason, message)
    }

    /// Changes a cluster's labels.
    pub(super) fn label(
        &mut self,
        name: &ClusterName,
        set: Labels,
        remove: &BTreeSet<Arc<str>>,
    ) -> Result<Answer, Refused> {
        let mut record = self.clusters.get(name).ok_or_else(|| no_cluster(name))?.record.clone();
        record.traits.labels.retain(|key, _| !remove.contains(key));
        record.traits.labels.extend(set);
        let count = record.traits.labels.len();
        bounded(name, "labels", count)?;
        let labels = record.traits.labels.iter().map(|(key, value)| format!("{key}={value}"));
        let message = format!("labels are now: {}", listed(labels));
        self.change_cluster(record, "ClusterLabelled", &message)
    }

    /// Changes a cluster's taints.
    pub(super) fn taint(
        &mut self,
        name: &ClusterName,
        add: Vec<Taint>,
        remove: &[(Arc<str>, Option<TaintEffect>)],
    ) -> Result<Answer, Refused> {
        let mut record = self.clusters.get(name).ok_or_else(|| no_cluster(name))?.record.clone();
        let removed = |one: &ClusterTaint| {
            let fits = |(key, effect): &(Arc<str>, Option<TaintEffect>)| {
                *key == one.taint.key && effect.is_none_or(|effect| effect == one.taint.effect)
            };
            remove.iter().any(fits)
        };
        record.taints.retain(|one| !removed(one));
        for taint in add {
            // The same again goes on counting from when it was added first.
            if record.taints.iter().any(|one| one.taint == taint) {
                continue;
            }
            record.taints.retain(|one| (&one.taint.key, one.taint.effect) != (&taint.key, taint.effect));
            record.taints.push(ClusterTaint { taint, added: self.now.wall });
        }
        bounded(name, "taints", record.taints.len())?;
        record.taints.sort_by(|a, b| a.taint.cmp(&b.taint));
        let taints = record.taints.iter().map(|one| godwit_planner::taint_text(&one.taint));
        let message = format!("taints are now: {}", listed(taints));
        self.change_cluster(record, "ClusterTainted", &message)
    }

    /// Puts a changed record in force.
    fn change_cluster(
        &mut self,
        record: ClusterRecord,
        reason: &str,
        message: &str,
    ) -> Result<Answer, Refused> {
        let known = self.clusters.get(&record.name).ok_or_else(|| no_cluster(&record.name))?;
        if known.record == record {
            return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
        }
        self.put_cluster(record, reason, message);
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    /// The same, and what follows is planned later.
    pub(super) fn put_cluster(&mut self, record: ClusterRecord, reason: &str, message: &str) {
        let name = record.name.clone();
        let Some(cluster) = self.clusters.get_mut(&name) else { return };
        let relabelled = cluster.record.traits != record.traits;
        cluster.record = record;
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        let entry = self.note_command(Severity::Normal, "S18", reason, name.as_str(), message);
        if relabelled {
            self.traits_changed(&name, Some(entry));
        }
        self.barriers_changed(&name, Some(entry));
    }
}

pub(super) fn bounded(name: &ClusterName, what: &str, count: usize) -> Result<(), Refused> {
    if count <= ENTRIES_MAX {
        return Ok(());
    }
    let message = format!("cluster {name} would have {count} {what}: at most {ENTRIES_MAX}; remove some");
    Err(refused(RefusedKind::ResourceExhausted, message))
}

fn listed(entries: impl Iterator<Item = String>) -> String {
    let entries: Vec<String> = entries.collect();
    if entries.is_empty() { "none".to_owned() } else { entries.join(", ") }
}
