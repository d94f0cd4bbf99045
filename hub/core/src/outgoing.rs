//! What leaves at the end of a step: records to the store, targets to the members (S11, S25).

use std::collections::BTreeSet;
use std::sync::Arc;

use godwit_common::link::{Down, ObjectTarget, Targets, Tombstone, WorkloadTarget};
use godwit_common::{Fence, Generation, Uid};

use crate::contract::{Effect, Key, Record, SessionId};
use crate::hub::Hub;
use crate::state::Cluster;

impl Hub {
    /// Sends each touched cluster what changed, where its leader is ready for it (S11, S25).
    pub(crate) fn send_targets(&mut self, effects: &mut Vec<Effect>) {
        let rows = std::mem::take(&mut self.touched.rows);
        let mut names = std::mem::take(&mut self.touched.send);
        names.extend(rows.keys().cloned());
        if self.stopped_speaking() {
            return;
        }
        for name in names {
            let Some((session, sent)) =
                self.clusters.get(&name).and_then(|cluster| self.outstanding(cluster))
            else {
                continue;
            };
            let Some(cluster) = self.clusters.get(&name) else {
                continue;
            };
            // The usual case: the agent has everything but what this step changed.
            let known =
                rows.get(&name).filter(|_| sent.is_some_and(|sent| sent.next() == cluster.record.generation));
            let targets = self.targets_since(cluster, sent, known);
            effects.push(Effect::Send { session, message: Down::Targets(Arc::new(targets)) });
            if let Some(leader) = self.clusters.get_mut(&name).and_then(|cluster| {
                let generation = cluster.record.generation;
                cluster.leader.as_mut().map(|leader| (leader, generation))
            }) {
                leader.0.sent = Some(leader.1);
                leader.0.fence_behind = false;
            }
        }
    }

    /// The session that waits for targets, and what it has.
    fn outstanding(&self, cluster: &Cluster) -> Option<(SessionId, Option<Generation>)> {
        let leader = cluster.leader.as_ref().filter(|leader| leader.inventoried)?;
        let behind = leader.fence_behind || leader.sent != Some(cluster.record.generation);
        behind.then_some((leader.session, leader.sent))
    }

    /// What changed in a cluster after a generation, or everything. `known` names the changed rows, if they are known.
    fn targets_since(
        &self,
        cluster: &Cluster,
        sent: Option<Generation>,
        known: Option<&BTreeSet<Uid>>,
    ) -> Targets {
        let base = sent.unwrap_or(Generation(0));
        let fence = Fence {
            federation: self.federation.uid,
            epoch: self.federation.epoch,
            generation: cluster.record.generation,
        };
        let mut targets = Targets { fence, base, digest: cluster.digest, ..Targets::default() };
        let every = || cluster.objects.iter().chain(cluster.seats.iter()).chain(&cluster.ended);
        match known {
            Some(rows) => rows.iter().for_each(|uid| self.push_row(&mut targets, cluster, *uid)),
            None => every().for_each(|uid| self.push_row(&mut targets, cluster, *uid)),
        }
        targets
    }

    fn push_row(&self, targets: &mut Targets, cluster: &Cluster, uid: Uid) {
        let name = &cluster.record.name;
        let base = targets.base;
        // What ended here may live on elsewhere.
        let ended = self.ended.get(&uid).and_then(|ended| Some((ended, ended.held_by.get(name)?)));
        if let Some((ended, generation)) = ended {
            if *generation > base {
                targets.tombstones.push(Tombstone { uid, what: ended.what.clone() });
            }
        } else if let Some(workload) = self.workloads.get(&uid) {
            let Some(state) = workload.seats.get(name) else { return };
            let seat = &state.seat;
            if seat.generation > base {
                let spec = workload.spec_of(seat.revision);
                let new = seat.manifest_generation > base;
                targets.workloads.push(WorkloadTarget {
                    uid,
                    workload: spec.id.clone(),
                    api_version: spec.api_version.clone(),
                    revision: seat.revision,
                    replicas: seat.target,
                    ordinals: seat.ordinals.unwrap_or(0),
                    overrides: state.overrides.clone(),
                    manifest: new.then(|| spec.manifest.clone()),
                    needs: if new { self.needs_of(workload, spec, name) } else { Vec::new() },
                    supervised: spec.supervised,
                    scale_only: spec.scale_only,
                    charter: workload.charter.clone().filter(|_| !spec.scale_only),
                    tolerates_drift: self.drift_of(&workload.record).is_tolerated(),
                    shown: seat.shown,
                    adopts: seat.adopts,
                });
            }
        } else if let Some(object) = self.objects.get(&uid) {
            let record = &object.record;
            if let Some(row) = object.rows.get(name).filter(|row| row.generation > base) {
                targets.objects.push(ObjectTarget {
                    uid,
                    key: record.key.clone(),
                    revision: record.revision,
                    manifest: Some(record.manifest.clone()),
                    tolerates_drift: object.tolerates,
                    bounds: row.bounds,
                    adopts: row.adopts,
                    overrides: object.overrides.get(name).cloned().unwrap_or_default(),
                });
            }
        }
    }

    /// The record under a key, as it is now; none if it is gone.
    pub(crate) fn record(&self, key: &Key) -> Option<Record> {
        Some(match key {
            Key::Federation => Record::Federation(self.federation.clone()),
            Key::Policy(name) => Record::Policy(self.policies.get(name)?.policy.clone()),
            Key::Workload(uid) => {
                let mut record = self.workloads.get(uid)?.record.clone();
                // It is in the record of its revision.
                record.spec.manifest = Arc::default();
                Record::Workload(record)
            }
            Key::Revision(uid, number) => {
                Record::Revision(self.workloads.get(uid)?.revisions.get(number)?.clone())
            }
            Key::Seat(uid, name) => Record::Seat {
                workload: *uid,
                cluster: name.clone(),
                seat: self.workloads.get(uid)?.seats.get(name)?.seat.clone(),
            },
            Key::Object(uid) => Record::Object(self.objects.get(uid)?.record.clone()),
            Key::ObjectRow(uid, name) => Record::ObjectRow {
                object: *uid,
                cluster: name.clone(),
                row: *self.objects.get(uid)?.rows.get(name)?,
            },
            Key::Ended(uid) => Record::Ended(self.ended.get(uid)?.clone()),
            Key::Cluster(name) => Record::Cluster(self.clusters.get(name)?.record.clone()),
            Key::Migration(id) => Record::Migration(self.migrations.get(id)?.migration.clone()),
            Key::Journal(number) => Record::Journal(self.journal.get(number)?.clone()),
            Key::Request(id) => Record::Request(self.requests.get(id)?.clone()),
            Key::Quota(namespace) => Record::Quota(self.quotas.get(namespace)?.record.clone()),
            Key::Retired(uid) => Record::Retired(self.retired.get(uid)?.clone()),
            Key::Token(hash) => Record::Token(self.tokens.get(hash)?.clone()),
            Key::Revocation(what) => Record::Revocation(self.revocations.get(what)?.clone()),
            Key::Issuer(name) => Record::Issuer(self.issuers.get(name)?.clone()),
            Key::RoleBinding(name) => Record::RoleBinding(self.roles.bindings.get(name)?.clone()),
        })
    }
}
