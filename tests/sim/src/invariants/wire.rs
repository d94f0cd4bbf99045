//! What a hub says: nothing before its records, nothing before the inventory (S11), only what fits what the agent
//! holds (S25), only what the records say, and never two contents under one authority (S10).

use std::collections::BTreeMap;

use godwit_common::link::{Down, Targets};
use godwit_common::{ClusterName, Digest, Epoch, Generation};
use godwit_hub_core::{Effect, Key, Record};

use super::Records;
use super::witness::Witness;

/// Write before you speak.
pub(super) fn check_order(effects: &[Effect]) {
    let written = |effect: &Effect| matches!(effect, Effect::Put(_) | Effect::Delete(_));
    let first_said = effects.iter().position(|effect| !written(effect));
    let last_written = effects.iter().rposition(written);
    assert!(
        first_said.is_none() || last_written.is_none() || first_said > last_written,
        "a step speaks before its records: {effects:?}"
    );
}

/// Everything that is said in a step.
pub(super) fn check(
    records: &Records,
    witness: &Witness,
    effects: &[Effect],
    said: &mut BTreeMap<(ClusterName, Epoch, Generation), Digest>,
) {
    for effect in effects {
        if let Effect::Delete(Key::Cluster(name)) = effect {
            // Another cluster may have its name from now on.
            said.retain(|(cluster, _, _), _| cluster != name);
        }
        let Effect::Send { session, message } = effect else {
            continue;
        };
        let Down::Targets(targets) = message else { continue };
        let Some(cluster) = witness.cluster_of(*session) else {
            panic!("targets are sent to {session:?}, which was not welcomed, or is over");
        };
        let lead = witness.told(cluster).and_then(|told| told.leader.as_ref());
        let Some(lead) = lead.filter(|lead| lead.session == *session) else {
            panic!("S24: targets are sent to an agent of {cluster} that does not lead");
        };
        assert!(lead.inventoried, "S11: targets are sent to {cluster} before its inventory");
        assert!(
            targets.base == Generation(0) || targets.base == lead.held,
            "S25: {cluster} holds {:?} and is sent changes after {:?}",
            lead.held,
            targets.base
        );
        check_rows(records, cluster, targets);
        let (epoch, generation) = (targets.fence.epoch, targets.fence.generation);
        let known = said.insert((cluster.clone(), epoch, generation), targets.digest);
        assert!(
            known.is_none_or(|known| known == targets.digest),
            "S10: {cluster} is sent two contents under epoch {epoch}, generation {generation}"
        );
    }
}

fn check_rows(records: &Records, cluster: &ClusterName, targets: &Targets) {
    if let Some(Record::Federation(federation)) = records.get(&Key::Federation) {
        assert!(
            targets.fence.epoch == federation.epoch && targets.fence.federation == federation.uid,
            "S10: targets under {:?} by a hub of epoch {}",
            targets.fence,
            federation.epoch
        );
    }
    if let Some(Record::Cluster(record)) = records.get(&Key::Cluster(cluster.clone())) {
        assert!(
            targets.fence.generation == record.generation,
            "S10: targets of {:?} for {cluster}, whose record says {}",
            targets.fence,
            record.generation
        );
    }
    for row in &targets.objects {
        let known = records.get(&Key::ObjectRow(row.uid, cluster.clone()));
        let adopts =
            matches!(known, Some(Record::ObjectRow { row: known, .. }) if known.adopts == row.adopts);
        assert!(
            adopts,
            "S34: {cluster} may take {} over as {:?}, the record says {known:?}",
            row.key, row.adopts
        );
    }
    for row in &targets.workloads {
        let seat = records.get(&Key::Seat(row.uid, cluster.clone()));
        let told = matches!(seat, Some(Record::Seat { seat, .. })
            if (seat.target, seat.revision, seat.adopts) == (row.replicas, row.revision, row.adopts));
        assert!(
            told,
            "{cluster} is told {} replicas of revision {} of {}, the record says {seat:?}",
            row.replicas, row.revision, row.workload
        );
        let revision = records.get(&Key::Revision(row.uid, row.revision));
        let kept = if let Some(Record::Revision(revision)) = revision { Some(revision) } else { None };
        assert!(
            row.manifest.is_none() || row.manifest.as_ref() == kept.map(|kept| &kept.spec.manifest),
            "{cluster} is told {:?} as revision {} of {}, the record says {kept:?}",
            row.manifest,
            row.revision,
            row.workload
        );
        assert!(
            row.manifest.is_some() || targets.base != Generation(0),
            "S25: a whole state lacks the manifest of {}",
            row.workload
        );
    }
    for ended in &targets.tombstones {
        assert!(records.contains_key(&Key::Ended(ended.uid)), "S27: a tombstone without a record: {ended:?}");
    }
}
