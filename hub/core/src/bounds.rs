//! Bounds of replicas that are totals: of a HorizontalPodAutoscaler, and of a PodDisruptionBudget that counts pods. Each
//! cluster gets its share of them, as it has its share of the replicas (S29). What a cluster was told goes with its row and
//! is durable; it follows the replicas within the step that moves them.

use std::collections::{BTreeMap, BTreeSet};

use godwit_common::bounds::{Bounded, Bounds, Totals};
use godwit_common::{ClusterName, Uid};

use crate::contract::WorkloadSpec;
use crate::hub::Hub;

impl Hub {
    /// Finds out which workloads an object bounds: of those that lean on it, those that it names, or whose pods it chooses.
    pub(crate) fn relate_bounds(&mut self, uid: Uid) {
        let Some(object) = self.objects.get(&uid) else { return };
        let totals = (self.config.reader.totals)(&object.record.key, &object.record.manifest);
        let bounds = |user: &&Uid| {
            let (Some(totals), Some(workload)) = (&totals, self.workloads.get(user)) else { return false };
            self.is_bounded(workload.spec_of(workload.record.revision), totals)
        };
        let after: BTreeSet<Uid> = object.users.iter().filter(bounds).copied().collect();
        if object.totals.is_none() && totals.is_none() {
            return;
        }
        let Some(object) = self.objects.get_mut(&uid) else { return };
        object.totals = totals;
        let before = std::mem::replace(&mut object.bounds, after.clone());
        for user in before.difference(&after) {
            if let Some(workload) = self.workloads.get_mut(user) {
                workload.bounded_by.remove(&uid);
            }
        }
        for user in &after {
            if let Some(workload) = self.workloads.get_mut(user) {
                workload.bounded_by.insert(uid);
            }
        }
        self.touched.bounds.insert(uid);
    }

    /// Whether totals bound the replicas of a workload.
    pub(crate) fn is_bounded(&self, spec: &WorkloadSpec, totals: &Totals) -> bool {
        match &totals.of {
            Bounded::Scaled(id) => spec.id == *id,
            Bounded::Pods(selector) => {
                let labels = (self.config.reader.pod_labels)(&spec.manifest);
                selector.matches(|key| labels.get(key).map(|value| &**value))
            }
        }
    }

    /// Tells clusters the bounds that follow from where replicas are now.
    pub(crate) fn settle_bounds(&mut self) {
        for uid in std::mem::take(&mut self.touched.bounds) {
            for (name, bounds) in self.bounds_of(uid) {
                let Some(object) = self.objects.get_mut(&uid) else { continue };
                let before = object.hash_in(&name);
                let Some(row) = object.rows.get_mut(&name).filter(|row| row.bounds != bounds) else {
                    continue;
                };
                row.bounds = bounds;
                self.object_row_changed(uid, &name, Some(before));
            }
        }
    }

    /// What each cluster with a row is to be told. Where every cluster runs the full number the manifest holds everywhere.
    fn bounds_of(&self, uid: Uid) -> Vec<(ClusterName, Bounds)> {
        let Some(object) = self.objects.get(&uid) else { return Vec::new() };
        let workloads: Vec<_> = object.bounds.iter().filter_map(|user| self.workloads.get(user)).collect();
        let whole = workloads.iter().any(|workload| self.is_duplicated(&workload.record));
        let totals = object.totals.as_ref().filter(|_| !workloads.is_empty() && !whole);
        let Some(totals) = totals else {
            return object.rows.keys().map(|name| (name.clone(), Bounds::default())).collect();
        };
        let running = |name: &ClusterName| -> u32 {
            let seats = workloads.iter().filter_map(|workload| workload.seats.get(name));
            seats.map(|seat| seat.occupied()).fold(0, u32::saturating_add)
        };
        let told = |name: &ClusterName| -> u32 {
            let seats = workloads.iter().filter_map(|workload| workload.seats.get(name));
            seats.map(|seat| seat.seat.target).fold(0, u32::saturating_add)
        };
        let weights: BTreeMap<&ClusterName, u32> =
            object.rows.keys().map(|name| (name, running(name))).collect();
        let mins = totals.bounds.min.map(|total| divide(total, &weights));
        let maxs = totals.bounds.max.map(|total| divide(total, &weights));
        let share = |shares: &Option<BTreeMap<&ClusterName, u32>>, name: &ClusterName| {
            shares.as_ref().map(|shares| shares.get(name).copied().unwrap_or(0))
        };
        let of_cluster = |name: &ClusterName| {
            let bounds = Bounds { min: share(&mins, name), max: share(&maxs, name) };
            match totals.of {
                Bounded::Scaled(_) => as_autoscaler(bounds, told(name)),
                Bounded::Pods(_) => bounds,
            }
        };
        object.rows.keys().map(|name| (name.clone(), of_cluster(name))).collect()
    }
}

/// An autoscaler has 1 as its least bound, starts nothing beyond what the cluster was told before it was told all of its
/// share (S7, S8), and stops nothing of what it was told (S20).
fn as_autoscaler(share: Bounds, told: u32) -> Bounds {
    let told = told.max(1);
    let max = share.max.map(|max| max.max(told));
    let min = share.min.map(|min| min.clamp(1, told));
    Bounds { min, max }
}

/// A total in shares by weight: whole numbers that make it up, the largest remainders rounded up, the first of equals
/// first. Where nothing has any weight there is nothing to divide.
fn divide<'a>(total: u32, weights: &BTreeMap<&'a ClusterName, u32>) -> BTreeMap<&'a ClusterName, u32> {
    let sum: u64 = weights.values().map(|weight| u64::from(*weight)).sum();
    let part = |weight: u32| u64::from(total) * u64::from(weight);
    let whole = |part: u64| u32::try_from(part.checked_div(sum).unwrap_or(0)).unwrap_or(total);
    let mut shares: BTreeMap<&ClusterName, u32> =
        weights.iter().map(|(name, weight)| (*name, whole(part(*weight)))).collect();
    let mut rest: Vec<(u64, &ClusterName)> = weights
        .iter()
        .map(|(name, weight)| (part(*weight).checked_rem(sum).unwrap_or(0), *name))
        .filter(|(remainder, _)| *remainder > 0)
        .collect();
    rest.sort_by_key(|(remainder, _)| std::cmp::Reverse(*remainder));
    let given: u32 = shares.values().sum();
    for (_, name) in rest.into_iter().take(total.saturating_sub(given) as usize) {
        *shares.entry(name).or_default() += 1;
    }
    shares
}

#[cfg(test)]
mod tests {
    use super::*;

    fn shares(total: u32, weights: &[u32]) -> Vec<u32> {
        let names: Vec<ClusterName> =
            (0..weights.len()).map(|number| format!("c{number}").parse().expect("a name")).collect();
        let weights = names.iter().zip(weights.iter().copied()).collect();
        divide(total, &weights).into_values().collect()
    }

    #[test]
    fn s29_shares_make_up_the_total_and_follow_the_weights() {
        assert_eq!(shares(30, &[4, 3, 3]), [12, 9, 9]);
        assert_eq!(shares(8, &[4, 3, 3]), [3, 3, 2]);
        assert_eq!(shares(2, &[4, 3, 3]), [1, 1, 0]);
        assert_eq!(shares(7, &[0, 1, 0]), [0, 7, 0]);
        assert_eq!(shares(7, &[0, 0]), [0, 0], "nothing runs anywhere");
        assert_eq!(shares(0, &[3, 1]), [0, 0]);
        assert_eq!(shares(u32::MAX, &[u32::MAX, u32::MAX]), [u32::MAX / 2 + 1, u32::MAX / 2]);
    }

    #[test]
    fn s29_an_autoscaler_is_within_what_the_cluster_was_told() {
        let bounds = |min, max| Bounds { min: Some(min), max: Some(max) };
        assert_eq!(as_autoscaler(bounds(4, 12), 5), bounds(4, 12));
        assert_eq!(as_autoscaler(bounds(4, 12), 2), bounds(2, 12), "it is on the way");
        assert_eq!(as_autoscaler(bounds(0, 0), 5), bounds(1, 5), "it leaves, and runs until others do");
        assert_eq!(as_autoscaler(bounds(0, 0), 0), bounds(1, 1));
        assert_eq!(as_autoscaler(Bounds { min: None, max: Some(3) }, 1).min, None);
    }
}
