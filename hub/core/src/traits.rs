//! What clusters are like, as far as placement is concerned: traits, taints, cordon, faults of their own.

use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::Capacity;
use godwit_common::policy::{ClusterSelector, Rule, Strategy, Tolerated};
use godwit_common::{ClusterName, Taint, TaintEffect, Traits, Uid};

use crate::contract::{ClusterTaint, Key, Policy, Severity, Subject};
use crate::hub::{Hub, Timer};
use crate::placement::Reason;
use crate::shared::Shared;
use crate::state::{Cluster, PolicyState};

impl Hub {
    /// What a policy gives a cluster; none when it does not choose it.
    pub(crate) fn rule_of(&self, policy: &Policy, name: &ClusterName) -> Option<Rule> {
        let traits = &self.clusters.get(name)?.record.traits;
        policy.placement.choose(name, traits).ok()
    }

    /// Whether a policy chooses a cluster.
    pub(crate) fn chooses(&self, policy: &Policy, name: &ClusterName) -> bool {
        self.rule_of(policy, name).is_some()
    }

    /// A cluster's nodes say that it is another than before: what policies choose it by has changed, too.
    pub(crate) fn retrait(&mut self, name: &ClusterName, change: impl FnOnce(&mut Traits)) {
        let Some(cluster) = self.clusters.get_mut(name) else { return };
        change(&mut cluster.record.traits);
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.traits_changed(name, None);
    }

    /// Policies may choose a cluster now that did not, or no longer do: their workloads are planned anew (S18), and have
    /// their seats there ahead of need (S33).
    pub(crate) fn traits_changed(&mut self, name: &ClusterName, entry: Option<u64>) {
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        if !self.clusters.get(name).is_some_and(|cluster| cluster.record.inventoried) {
            return;
        }
        self.differ_anew(name);
        let Some(cluster) = self.clusters.get(name) else { return };
        let users: Vec<Uid> = self.heeding_traits().collect();
        let seated = cluster.seats.clone();
        for uid in users {
            let policy = self.workloads.get(&uid).and_then(|one| self.policies.get(&one.record.policy));
            let chosen = policy.is_some_and(|policy| self.chooses(&policy.policy, name));
            if chosen {
                self.ensure_ahead(uid, name);
            } else {
                self.leave_unchosen(uid, name);
            }
            if chosen || seated.contains(&uid) {
                self.dirty.entry(uid).or_insert_with(|| Reason::Cluster(name.clone(), entry));
            }
        }
    }

    /// The workloads under policies to which it matters what clusters are like.
    pub(crate) fn heeding_traits(&self) -> impl Iterator<Item = Uid> {
        let heeds = |policy: &&Shared<PolicyState>| heeds_traits(&policy.policy);
        self.policies.values().filter(heeds).flat_map(|policy| policy.users.iter().copied())
    }

    /// A cluster's taints or its cordon have changed: what it holds may have to leave, and what waits may come.
    pub(crate) fn barriers_changed(&mut self, name: &ClusterName, entry: Option<u64>) {
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        let Some(cluster) = self.clusters.get(name) else { return };
        let evicts = cluster.record.taints.iter().any(|one| one.taint.effect == TaintEffect::NoExecute);
        let seats: Vec<Uid> = if evicts { cluster.seats.iter().copied().collect() } else { Vec::new() };
        for uid in seats {
            let seat = self.workloads.get(&uid).and_then(|workload| workload.seats.get(name));
            if seat.is_some_and(|seat| seat.seat.placed > 0) {
                self.dirty.entry(uid).or_insert_with(|| Reason::Cluster(name.clone(), entry));
            }
        }
        self.roomier.insert(name.clone());
        self.await_tolerations(name);
    }

    /// A cluster's taints, and for how many seconds each has been there.
    pub(crate) fn aged_taints<'c>(&self, cluster: &'c Cluster) -> impl Iterator<Item = (&'c Taint, u32)> {
        let now = self.now.wall.0;
        let age = move |taint: &ClusterTaint| {
            u32::try_from(now.saturating_sub(taint.added.0) / 1000).unwrap_or(u32::MAX)
        };
        cluster.record.taints.iter().map(move |taint| (&taint.taint, age(taint)))
    }

    /// Wakes up when the next toleration of a cluster's taints runs out.
    pub(crate) fn await_tolerations(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name) else { return };
        let policies = || self.policies.values().map(|policy| &policy.policy.placement.tolerations);
        let mut next: Option<u32> = None;
        for (taint, age) in self.aged_taints(cluster) {
            if taint.effect != TaintEffect::NoExecute {
                continue;
            }
            for toleration in policies().flatten().filter(|one| one.taints.tolerates(taint)) {
                let seconds = toleration.seconds.map_or(Tolerated::Forever, Tolerated::Seconds);
                if let Tolerated::Seconds(seconds) = seconds
                    && seconds > age
                {
                    next = Some(next.map_or(seconds - age, |known| known.min(seconds - age)));
                }
            }
        }
        if let Some(seconds) = next {
            let at = self.now.time + Duration::from_secs(seconds.into());
            self.wake_at(at, Timer::Taint(name.clone()));
        }
    }

    /// A toleration may have run out: what is no longer tolerated goes elsewhere.
    pub(crate) fn toleration_ends(&mut self, name: &ClusterName) {
        self.barriers_changed(name, None);
    }

    /// Whether a cluster's own faults keep it from getting anything new (S3).
    pub(crate) fn degraded(&self, cluster: &Cluster) -> bool {
        let percent = self.config.degraded_percent;
        let nodes = cluster.capacity.as_ref().is_some_and(|capacity| is_degraded(capacity, percent));
        nodes || cluster.unreachable().is_some()
    }

    /// The same in words.
    pub(crate) fn degraded_because(&self, cluster: &Cluster) -> Option<Arc<str>> {
        if let Some(reason) = cluster.unreachable() {
            return Some(format!("its agents cannot reach the API server: {reason}").into());
        }
        let capacity = cluster.capacity.as_ref().filter(|_| self.degraded(cluster))?;
        let away = capacity.nodes.saturating_sub(capacity.nodes_ready);
        Some(format!("{away} of {} nodes are not ready", capacity.nodes).into())
    }

    /// Says so when a cluster's own faults begin to keep it from growing, or no longer do (S3). Of a cluster without a
    /// stream nothing is known.
    pub(crate) fn note_degradation(&mut self, name: &ClusterName) {
        let Some(cluster) = self.clusters.get(name).filter(|cluster| cluster.live()) else { return };
        let (said, why) = (cluster.said_degraded, self.degraded_because(cluster));
        if said == why.is_some() {
            return;
        }
        if let Some(cluster) = self.clusters.get_mut(name) {
            cluster.said_degraded = why.is_some();
        }
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        match why {
            Some(why) => {
                let message = format!("{why}: it gets nothing new; nothing moves");
                self.note(Severity::Warning, "S3", "ClusterDegraded", name.as_str(), message);
            }
            None => {
                self.note(Severity::Normal, "S3", "ClusterRecovered", name.as_str(), "it is well again");
                self.roomier.insert(name.clone());
            }
        }
    }
}

/// Whether more than so many percent of the nodes are not ready.
fn is_degraded(capacity: &Capacity, percent: u32) -> bool {
    let away = u64::from(capacity.nodes.saturating_sub(capacity.nodes_ready));
    away * 100 > u64::from(capacity.nodes) * u64::from(percent)
}

/// Whether what a cluster is like decides anything under a policy.
fn heeds_traits(policy: &Policy) -> bool {
    let placement = &policy.placement;
    let tiers = placement.strategy.tiers().map_or(&[][..], |tiers| tiers.selectors());
    let selectors = placement.rules.iter().map(|(selector, _)| selector);
    let mut selectors = selectors.chain(&placement.fallback).chain(tiers).chain([&placement.selector]);
    let named_only = |selector: &ClusterSelector| {
        selector.labels.is_empty()
            && selector.regions.is_empty()
            && selector.zones.is_empty()
            && selector.providers.is_empty()
    };
    let spreads = matches!(&placement.strategy, Strategy::Spread(constraints) if !constraints.is_empty());
    spreads || selectors.any(|selector| !named_only(selector))
}
