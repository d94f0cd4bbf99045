//! Fields that somebody changes by hand in a member (S29): of workloads, and of the objects that they lean on. Under
//! `enforce` the agent sets them right. Otherwise it leaves them and says so; that is told of, and counted, and ends when
//! the hub itself changes what the cluster is told.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use godwit_common::link::Edit;
use godwit_common::{ClusterName, Uid};

use crate::contract::{Severity, Subject};
use crate::hub::Hub;
use crate::state::{Cluster, Workload};

impl Hub {
    /// A report came: what was changed in a cluster is told of, once. An inventory names all there is.
    pub(crate) fn heed_edits(&mut self, name: &ClusterName, complete: bool, edits: Vec<Edit>) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        if edits.is_empty() && (!complete || cluster.edits.is_empty()) {
            return;
        }
        let before = cluster.edits.clone();
        if complete {
            cluster.edits.clear();
        }
        for Edit { uid, fields } in edits {
            match fields.is_empty() || !cluster.has_row(uid) {
                true => cluster.edits.remove(&uid),
                false => cluster.edits.insert(uid, fields),
            };
        }
        let after = cluster.edits.clone();
        let uids: BTreeSet<Uid> = before.keys().chain(after.keys()).copied().collect();
        for uid in uids.into_iter().filter(|uid| before.get(uid) != after.get(uid)) {
            self.tell_edit(uid, name, after.get(&uid));
        }
    }

    fn tell_edit(&mut self, uid: Uid, name: &ClusterName, fields: Option<&Arc<str>>) {
        let (subject, users) = if let Some(workload) = self.workloads.get(&uid) {
            (workload.id().to_string(), BTreeSet::from([uid]))
        } else if let Some(object) = self.objects.get(&uid) {
            (object.record.key.to_string(), object.users.clone())
        } else {
            return;
        };
        self.touched.subjects.extend(users.into_iter().map(Subject::Workload));
        match fields {
            Some(fields) => {
                let message = format!("in cluster {name} somebody changed {fields}; it stays so");
                self.note(Severity::Warning, "S29", "DriftFound", subject, message);
            }
            None => {
                let message = format!("in cluster {name} its fields are as they were told again");
                self.note(Severity::Normal, "S29", "DriftEnded", subject, message);
            }
        }
    }

    /// What was changed by hand in a cluster of a workload and of what it leans on; empty if nothing was.
    pub(crate) fn edited(&self, workload: &Workload, cluster: &Cluster) -> Arc<str> {
        if cluster.edits.is_empty() {
            return Arc::default();
        }
        let own = cluster.edits.get(&workload.record.uid).map(|fields| fields.to_string());
        let record = &workload.record;
        let of_object = |uid: &Uid| {
            let (object, fields) = (self.objects.get(uid)?, cluster.edits.get(uid)?);
            Some(format!("{}: {fields}", object.record.key))
        };
        let of_objects = record.objects.union(&record.leaving).filter_map(of_object);
        own.into_iter().chain(of_objects).collect::<Vec<_>>().join("; ").into()
    }

    /// Whether what somebody changes of an object by hand is left: if every workload that leans on it has a policy that says
    /// so. Clusters are told when that changes.
    pub(crate) fn settle_tolerance(&mut self, uid: Uid) {
        let tolerates = self.object_tolerates(uid);
        let Some(object) = self.objects.get_mut(&uid).filter(|object| object.tolerates != tolerates) else {
            return;
        };
        object.tolerates = tolerates;
        let rows: Vec<(ClusterName, u64)> =
            object.rows.keys().map(|name| (name.clone(), object.hash_in(name))).collect();
        for (name, hash) in rows {
            self.object_row_changed(uid, &name, Some(hash));
        }
    }

    /// See [`Hub::settle_tolerance`]; of all objects, as they are after a start.
    pub(crate) fn recall_tolerance(&mut self) {
        let known: BTreeMap<Uid, bool> =
            self.objects.keys().map(|uid| (*uid, self.object_tolerates(*uid))).collect();
        for (uid, tolerates) in known {
            if let Some(object) = self.objects.get_mut(&uid) {
                object.tolerates = tolerates;
            }
        }
    }

    fn object_tolerates(&self, uid: Uid) -> bool {
        let Some(object) = self.objects.get(&uid) else { return false };
        let lets = |user: &Uid| {
            let workload = self.workloads.get(user);
            workload.is_some_and(|workload| self.drift_of(&workload.record).is_tolerated())
        };
        !object.users.is_empty() && object.users.iter().all(lets)
    }
}

impl Cluster {
    fn has_row(&self, uid: Uid) -> bool {
        self.seats.contains(&uid) || self.objects.contains(&uid)
    }
}
