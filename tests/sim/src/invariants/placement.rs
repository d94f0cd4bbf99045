//! I1, S14: placed + pending = wanted, for every workload, in the records and in what is shown.

use std::collections::BTreeSet;

use godwit_common::Uid;
use godwit_hub_core::{Effect, Hub, Key, Record, Subject};

use super::{Records, seats_of};

/// After a step, for what it wrote, in the records and in what is shown. Returns the workloads of which anything else is
/// shown than before.
pub(super) fn check(records: &Records, core: &mut Hub, effects: &[Effect]) -> Vec<Uid> {
    let touched = effects.iter().filter_map(|effect| match effect {
        Effect::Put(record) => uid_of(&record.key()),
        Effect::Delete(key) => uid_of(key),
        Effect::Send { .. } | Effect::Close { .. } | Effect::Answer { .. } => None,
    });
    let touched: BTreeSet<Uid> = touched.collect();
    touched.iter().for_each(|uid| adds_up(records, *uid));
    check_views(core, &touched)
}

/// After a commit, for what it wrote.
pub(super) fn check_stored(records: &Records, written: &[Key]) {
    let written: BTreeSet<Uid> = written.iter().filter_map(uid_of).collect();
    written.into_iter().for_each(|uid| adds_up(records, uid));
}

/// What else is shown of a workload than what was written of it, has no part in these sums.
fn check_views(core: &mut Hub, touched: &BTreeSet<Uid>) -> Vec<Uid> {
    let mut changed = Vec::new();
    for subject in core.changes() {
        let Subject::Workload(uid) = subject else { continue };
        changed.push(uid);
        if !touched.contains(&uid) {
            continue;
        }
        let Some(view) = core.workload(uid) else { continue };
        let placed: u32 = view.placements.iter().map(|row| row.target).sum();
        assert!(
            placed + view.pending == view.wanted,
            "I1: {} is shown with {placed} placed and {} pending of {}",
            view.id,
            view.pending,
            view.wanted
        );
        assert!(
            view.pending == 0 || !view.pending_reasons.is_empty(),
            "S14: {} of {} are pending without a reason",
            view.pending,
            view.id
        );
    }
    changed
}

fn adds_up(records: &Records, uid: Uid) {
    let Some(Record::Workload(workload)) = records.get(&Key::Workload(uid)) else {
        return;
    };
    let placed: u32 = seats_of(records, uid).map(|(_, seat)| seat.placed).sum();
    let (pending, wanted) = (workload.pending, workload.wanted);
    assert!(
        placed + pending == wanted,
        "I1: {} has {placed} placed and {pending} pending of {wanted}",
        workload.spec.id
    );
}

fn uid_of(key: &Key) -> Option<Uid> {
    match key {
        Key::Workload(uid) | Key::Seat(uid, _) | Key::Revision(uid, _) => Some(*uid),
        Key::Federation | Key::Policy(_) | Key::Object(_) | Key::ObjectRow(..) | Key::Ended(_) => None,
        Key::Cluster(_) | Key::Migration(_) | Key::Journal(_) | Key::Request(_) => None,
        Key::Quota(_) | Key::Retired(_) => None,
        Key::Token(_) | Key::Revocation(_) | Key::RoleBinding(_) | Key::Issuer(_) => None,
    }
}
