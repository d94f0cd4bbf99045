//! Importing again (S34): of what is Godwit's already nothing changes, but for what was changed between the look at it and its
//! agent's first write. Its agent has left that as it is, and hears here what is to come of it.

use std::sync::Arc;

use godwit_common::link::Original;
use godwit_common::{ClusterName, Uid, WorkloadId};

use super::import::{found_of, some};
use super::refused;
use crate::contract::{Action, Import, Refused, RefusedKind, Severity, WorkloadSpec};
use crate::hub::Hub;

/// A workload that is imported again.
#[derive(Debug)]
pub(super) struct Again {
    uid: Uid,
    id: WorkloadId,
    /// What is right everywhere, if it is not what Godwit has.
    newest: Option<WorkloadSpec>,
    /// Where it was changed before it was taken over.
    changed: Vec<Changed>,
    /// The operator says which is right of clusters that have it.
    said: bool,
}

#[derive(Debug)]
struct Changed {
    cluster: ClusterName,
    original: Original,
    manifest: Arc<str>,
}

impl Hub {
    /// What comes of a workload that is known, of which `spec` is what the import takes for right.
    pub(super) fn check_again(
        &self,
        uid: Uid,
        spec: &WorkloadSpec,
        import: &Import,
    ) -> Result<Again, Refused> {
        let mut changed = Vec::new();
        for (name, found) in found_of(&spec.id, import).filter(|(_, found)| found.life != Some(uid)) {
            let seat = self.workloads.get(&uid).and_then(|workload| workload.seats.get(name));
            match seat.and_then(|seat| seat.seat.adopts) {
                Some(original) if original.is_changed(&found.original) => changed.push(Changed {
                    cluster: name.clone(),
                    original: found.original,
                    manifest: Arc::clone(&found.spec.manifest),
                }),
                Some(original) if original.uid == found.original.uid => {}
                Some(_) | None => return Err(another(&spec.id, name)),
            }
        }
        let has_it = |from: &ClusterName| found_of(&spec.id, import).any(|(name, _)| name == from);
        let said = import.from.as_ref().filter(|from| has_it(from));
        let own = said.is_some_and(|from| changed.iter().any(|changed| changed.cluster == *from));
        let known = self.workloads.get(&uid).map(|workload| &workload.record);
        let newest = known.filter(|record| own && record.spec.manifest != spec.manifest);
        let newest = newest.map(|record| WorkloadSpec {
            replicas: record.spec.replicas,
            policy: record.spec.policy.clone(),
            ..spec.clone()
        });
        if let (Some(newest), Some(record)) = (&newest, known) {
            self.check_untouched(&spec.id, &record.policy)?;
            if let Some(policy) = self.policies.get(&record.policy) {
                Self::check_mode(newest, &policy.policy)?;
            }
        }
        Ok(Again { uid, id: spec.id.clone(), newest, changed, said: said.is_some() })
    }

    /// Of all that was changed it has to be said which is right.
    pub(super) fn check_said(again: &[Again]) -> Result<(), Refused> {
        let unsaid: Vec<&Again> =
            again.iter().filter(|again| !again.changed.is_empty() && !again.said).collect();
        let Some(first) = unsaid.first().and_then(|again| again.changed.first()) else { return Ok(()) };
        let changed: Vec<String> = unsaid.iter().map(|again| again.where_changed()).collect();
        let message = format!(
            "{} between the import and being taken over: --from {} makes that its next revision everywhere, and --from \
             another cluster that has it sets it back",
            some(&changed),
            first.cluster
        );
        Err(refused(RefusedKind::FailedPrecondition, message))
    }

    /// Agents hear which objects they may write as they are by now.
    pub(super) fn take_all_again(&mut self, again: Vec<Again>, import: &Import) -> Vec<(Uid, Action)> {
        if again.is_empty() {
            return Vec::new();
        }
        for (name, found) in &import.found {
            self.adopt_objects(name, found);
        }
        let taken = again.into_iter().map(|again| self.take_again(again, import)).collect();
        self.make_plans();
        taken
    }

    fn take_again(&mut self, again: Again, import: &Import) -> (Uid, Action) {
        let Again { uid, newest, changed, .. } = again;
        let Some(record) = self.workloads.get(&uid).map(|workload| workload.record.clone()) else {
            return (uid, Action::Unchanged);
        };
        if changed.is_empty() {
            return (uid, Action::Unchanged);
        }
        let from = import.from.as_ref().map_or("", ClusterName::as_str);
        let message = match newest {
            Some(_) => format!("again, as it was changed in {from}: that is a revision of its own"),
            None => format!("again, as it is in {from}: what was changed elsewhere is set back"),
        };
        let entry =
            self.note_command(Severity::Normal, "S34", "Imported", record.spec.id.to_string(), message);
        if let Some(spec) = newest {
            self.take_workload(spec, record.policy, record.leader, &record.objects, entry);
        }
        for Changed { cluster, original, manifest } in changed {
            self.tell(uid, &cluster, |state, _| state.seat.adopts = Some(original));
            let newest = self.workloads.get(&uid).map(|workload| &workload.record);
            // It is the newest there already.
            if let Some(record) = newest.filter(|record| record.spec.manifest == manifest) {
                self.set_revision(uid, &cluster, record.revision, false);
            }
        }
        (uid, Action::Configured)
    }
}

impl Again {
    fn where_changed(&self) -> String {
        let names: Vec<&str> = self.changed.iter().map(|changed| changed.cluster.as_str()).collect();
        format!("{} was changed in {}", self.id, names.join(", "))
    }
}

fn another(id: &WorkloadId, name: &ClusterName) -> Refused {
    let message = format!(
        "{id} is Godwit's already, and the object of that name in cluster {name} is not: see `godwit describe workload`; \
         annotate the object with godwit.dev/adopt: \"true\" to let it be taken over as it was deployed"
    );
    refused(RefusedKind::AlreadyExists, message)
}
