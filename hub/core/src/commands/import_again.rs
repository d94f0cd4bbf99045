//! Importing again (S34): of what is Godwit's already nothing changes, but for what was changed between the look at it and its
//! agent's first write. Its agent has left that as it is, and hears here what is to come of it.

use godwit_common::link::Original;
use godwit_common::{ClusterName, Uid, WorkloadId};

use super::import::found_of;
use super::refused;
use crate::contract::{Action, Import, Refused, RefusedKind, Severity, WorkloadSpec};
use crate::hub::Hub;

/// A workload that is imported again.
#[derive(Debug)]
pub(super) struct Again {
    uid: Uid,
    /// What is right everywhere, if it is not what Godwit has.
    newest: Option<WorkloadSpec>,
    /// Where it was changed before it was taken over.
    changed: Vec<Changed>,
}

#[derive(Debug)]
struct Changed {
    cluster: ClusterName,
    original: Original,
    /// It is the newest there already.
    is_newest: bool,
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
                Some(original) if original == found.original => {}
                Some(original) if original.uid == found.original.uid => changed.push(Changed {
                    cluster: name.clone(),
                    original: found.original,
                    is_newest: found.spec.manifest == spec.manifest,
                }),
                Some(_) | None => return Err(another(&spec.id, name)),
            }
        }
        if changed.is_empty() {
            return Ok(Again { uid, newest: None, changed });
        }
        let Some(from) = &import.from else { return Err(unsaid(&spec.id, &changed)) };
        let known = self.workloads.get(&uid).map(|workload| &workload.record);
        let own = changed.iter().any(|changed| changed.cluster == *from);
        let newest = known.filter(|record| own && record.spec.manifest != spec.manifest);
        if let Some(record) = newest {
            self.check_untouched(&spec.id, &record.policy)?;
        }
        let newest = newest.map(|record| WorkloadSpec {
            replicas: record.spec.replicas,
            policy: record.spec.policy.clone(),
            ..spec.clone()
        });
        Ok(Again { uid, newest, changed })
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
        let Again { uid, newest, changed } = again;
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
        let revision = self.workloads.get(&uid).map_or(0, |workload| workload.record.revision);
        for Changed { cluster, original, is_newest } in changed {
            self.tell(uid, &cluster, |state, _| state.seat.adopts = Some(original));
            if is_newest {
                self.set_revision(uid, &cluster, revision, false);
            }
        }
        (uid, Action::Configured)
    }
}

fn another(id: &WorkloadId, name: &ClusterName) -> Refused {
    let message = format!(
        "{id} is Godwit's already, and the object of that name in cluster {name} is not: see `godwit describe workload`; \
         annotate the object with godwit.dev/adopt: \"true\" to let it be taken over as it was deployed"
    );
    refused(RefusedKind::AlreadyExists, message)
}

fn unsaid(id: &WorkloadId, changed: &[Changed]) -> Refused {
    let names: Vec<&str> = changed.iter().map(|changed| changed.cluster.as_str()).collect();
    let message = format!(
        "{id} was changed in {} between its import and its being taken over: --from {} makes that its next revision everywhere, \
         and --from another cluster sets it back",
        names.join(", "),
        names.first().copied().unwrap_or_default()
    );
    refused(RefusedKind::FailedPrecondition, message)
}
