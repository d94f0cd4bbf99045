//! An operator accepts the view that was rebuilt: what runs is the plan, and the hub speaks again (S10).

use std::collections::BTreeSet;

use godwit_common::{ClusterName, PolicyName, Uid};

use crate::commands::refused;
use crate::contract::{
    AccessOrder, Admits, Cause, ClusterState, Command, Refused, RefusedKind, Rollout, RolloutState, Severity,
};
use crate::hub::Hub;
use crate::placement::Reason;
use crate::state::{Cluster, SeatState};

impl Hub {
    /// Why a command has to wait until the view is accepted: what it builds on is not known yet.
    pub(crate) fn check_doubt(&self, command: &Command) -> Result<(), Refused> {
        let waits = match command {
            Command::Deploy(_)
            | Command::Scale { .. }
            | Command::DeleteWorkload { .. }
            | Command::ConfirmRemoval { .. }
            | Command::ConfirmDead { .. }
            | Command::DeleteCluster { .. }
            | Command::Drain { .. }
            | Command::Migrate { .. }
            | Command::Maintain { .. }
            | Command::Retire { .. }
            | Command::Readmit { .. }
            | Command::Replace { .. }
            | Command::Rebuilt { .. }
            | Command::Rebalance(_)
            | Command::Acknowledge { .. }
            | Command::Rollout { .. }
            // Which names are taken is not known yet.
            | Command::Access(
                AccessOrder::CreateToken { admits: Admits::Cluster(_), .. }
                | AccessOrder::Enrol(_)
                | AccessOrder::Judge { .. },
            ) => true,
            Command::ApplyPolicy(_)
            | Command::DeletePolicy { .. }
            | Command::Cordon { .. }
            | Command::Label { .. }
            | Command::Taint { .. }
            | Command::ApplyQuota(_)
            | Command::DeleteQuota { .. }
            | Command::Access(
                AccessOrder::CreateToken { admits: Admits::Operator(_), .. }
                | AccessOrder::LogIn(_)
                | AccessOrder::NoteAuthority { .. }
                | AccessOrder::DeleteToken { .. }
                // Of clusters that are known, by what they have pinned.
                | AccessOrder::EnrolPod(_)
                | AccessOrder::PinIssuer { .. }
                | AccessOrder::Revoke(_)
                | AccessOrder::EndRevocation(_)
                | AccessOrder::BindRole { .. }
                | AccessOrder::UnbindRole { .. },
            )
            | Command::ConfirmFreeze
            | Command::ReleaseFreeze => false,
        };
        if waits && self.in_doubt() {
            let message = "the hub rebuilds its view from what the members hold, and may not know yet what this is \
                           about: look at `godwit describe federation`, then accept the view with \
                           `godwit freeze release`";
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        Ok(())
    }

    /// A policy was applied: what it says is known now.
    pub(crate) fn policy_known(&mut self, name: &PolicyName) {
        if let Some(recovery) = &mut self.federation.recovery
            && recovery.missing.remove(name)
        {
            self.touched.keys.insert(crate::contract::Key::Federation);
            self.touched.subjects.insert(crate::contract::Subject::Federation);
        }
    }

    /// Puts the view in force.
    pub(crate) fn accept_view(&mut self) -> Result<(), Refused> {
        self.check_view()?;
        let from_nothing = self.federation.recovery.take().is_some_and(|recovery| recovery.from_nothing);
        let message = format!(
            "the view of {} clusters and {} workloads is accepted",
            self.clusters.len(),
            self.workloads.len()
        );
        let entry = self.note_command(Severity::Warning, "S10", "ViewAccepted", "", message);
        for uid in self.workloads.keys().copied().collect::<Vec<_>>() {
            if self.has_ended(uid) {
                self.end_workload(uid, Cause::Command(entry));
                continue;
            }
            let is_news = self.accept_workload(uid, entry);
            if (is_news && !from_nothing) || self.is_placed_after_its_end(uid) {
                self.dirty.insert(uid, Reason::Command(entry));
            }
        }
        self.recalls = Default::default();
        self.roomier.extend(self.clusters.keys().cloned());
        Ok(())
    }

    fn check_view(&self) -> Result<(), Refused> {
        let not_yet = |message: String| Err(refused(RefusedKind::FailedPrecondition, message));
        // Where everybody who comes belongs to none, this is a new one.
        if self.is_nameless() && !self.recalls.strangers {
            let message = "no member was heard yet whose federation this hub could take over: wait for one";
            return not_yet(message.to_owned());
        }
        let missing = self.federation.recovery.iter().flat_map(|recovery| &recovery.missing);
        let missing: Vec<&str> = missing.map(PolicyName::as_str).take(20).collect();
        if !missing.is_empty() {
            let missing = missing.join(", ");
            return not_yet(format!(
                "workloads have policies of which nothing but the names is known: apply these first: {missing}"
            ));
        }
        // Who has not had the time to be heard since the hub started may know better (S5).
        let due = |cluster: &Cluster| cluster.health.heard + self.config.startup_grace;
        let awaited = self.clusters.iter().filter(|(_, cluster)| {
            cluster.health.state == ClusterState::Unknown && due(cluster) > self.now.time
        });
        let awaited: Vec<&str> = awaited.map(|(name, _)| name.as_str()).take(20).collect();
        if !awaited.is_empty() {
            return not_yet(format!(
                "these clusters were not heard yet, and have {} s from the hub's start to come back: {}",
                self.config.startup_grace.as_secs(),
                awaited.join(", ")
            ));
        }
        // Who is connected tells soon, and may have said no more than hello yet.
        let telling = self.clusters.iter().filter(|(_, cluster)| cluster.live());
        let telling = telling.filter(|(name, _)| !self.recalls.heard.contains(*name));
        let telling: Vec<&str> = telling.map(|(name, _)| name.as_str()).take(20).collect();
        if !telling.is_empty() {
            return not_yet(format!(
                "these clusters are about to tell what they hold: {}",
                telling.join(", ")
            ));
        }
        Ok(())
    }

    /// Whether a workload that the store knows was deleted since: every cluster that was to hold it has been told so once,
    /// and none has it any more.
    fn has_ended(&self, uid: Uid) -> bool {
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let gone = |(name, seat): (&ClusterName, &SeatState)| {
            let leader = self.clusters.get(name).and_then(|cluster| cluster.leader.as_ref());
            let knew =
                leader.is_some_and(|leader| leader.inventoried && leader.accepted >= seat.seat.generation);
            knew && seat.seen.as_ref().is_some_and(|seen| seen.revision == 0 && seen.pods == 0)
        };
        !workload.seats.is_empty() && workload.seats.iter().all(gone)
    }

    /// What runs of a workload is its plan, as far as its total goes. True if that is another plan than before.
    fn accept_workload(&mut self, uid: Uid, entry: u64) -> bool {
        self.ensure_seats(uid);
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let heard: BTreeSet<ClusterName> =
            workload.seats.keys().filter(|name| self.reporting(name)).cloned().collect();
        let news: BTreeSet<&ClusterName> = heard.iter().filter(|name| self.accept_seat(uid, name)).collect();
        if news.is_empty() && !self.recalls.changed.contains(&uid) {
            return false;
        }
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let (total, duplicated) = (workload.record.spec.replicas, self.is_duplicated(&workload.record));
        let away = workload.seats.keys().filter(|name| !heard.contains(*name));
        let order: Vec<ClusterName> = heard.iter().chain(away).cloned().collect();
        let (mut left, mut sum) = (total, 0_u32);
        for name in order {
            let seat = self.workloads.get(&uid).and_then(|workload| workload.seats.get(&name));
            let Some((target, before)) = seat.map(|seat| (seat.seat.target, seat.seat.placed)) else {
                continue;
            };
            let placed = target.min(if duplicated { total } else { left });
            left = left.saturating_sub(placed);
            sum = sum.saturating_add(placed);
            // What was found is there by the word of whoever accepts it, though the plan may be none, as before (S30).
            if placed != before || news.contains(&name) {
                self.set_placed(uid, &name, placed, Cause::Command(entry));
            }
        }
        let pending = if duplicated { 0 } else { left };
        let reason = "it was found in no cluster that told what it holds".into();
        let reasons = if pending > 0 { vec![reason] } else { Vec::new() };
        self.set_pending(uid, sum.saturating_add(pending), pending, reasons);
        self.roll_on(uid);
        self.moving.insert(uid);
        true
    }

    /// A cluster was told what it has; true if this hub did not know that.
    fn accept_seat(&mut self, uid: Uid, name: &ClusterName) -> bool {
        let Some(workload) = self.workloads.get(&uid) else { return false };
        let Some(seat) = workload.seats.get(name) else { return false };
        let Some(seen) = seat.seen.as_ref().filter(|seen| seen.revision > 0) else { return false };
        // What is everywhere has no number, and what has ended does not run again (S33).
        let numbered = !workload.record.spec.kind().everywhere() && workload.record.finished.is_none();
        let runs = if numbered { seen.replicas } else { 0 };
        let revision = seen.revision;
        let other = seat.seat.revision != revision && workload.revisions.contains_key(&revision);
        let more = seat.seat.target != runs;
        self.keep_ordinals(uid, name, runs);
        if other {
            self.set_revision(uid, name, revision, false);
        }
        if more {
            self.set_target(uid, name, runs);
        }
        other || more
    }

    /// What is divided keeps the ordinals that it has (S32).
    fn keep_ordinals(&mut self, uid: Uid, name: &ClusterName, runs: u32) {
        let Some(told) = self.recalls.ordinals.get(&(uid, name.clone())).copied() else { return };
        let Some(workload) = self.workloads.get(&uid) else { return };
        let Some(seat) = workload.seats.get(name) else { return };
        let known = seat.seat.ordinals;
        let divided = workload.record.spec.kind().ordered() && !self.stays_whole(&workload.record);
        let has_some = told > 0 || (divided && runs > 0);
        if known.unwrap_or(0) != told || (known.is_none() && has_some) {
            self.set_ordinals(uid, name, told);
        }
    }

    /// Clusters that were found with an older revision get the newest one in their turn (S31).
    fn roll_on(&mut self, uid: Uid) {
        let started = self.now.wall;
        let Some(workload) = self.workloads.get_mut(&uid) else { return };
        let newest = workload.record.revision;
        let behind = |seat: &&SeatState| seat.seat.revision != newest;
        let runs = workload.seats.values().filter(behind).any(|seat| seat.seat.target > 0);
        if workload.seats.values().any(|seat| behind(&seat)) && !workload.is_under_way() {
            let state = if runs { RolloutState::Running } else { RolloutState::Completed };
            let message = "".into();
            workload.record.rollout = Some(Rollout { started, state, message, held: true, instead_of: None });
        }
    }

    /// Workloads that were deleted since the store was written.
    pub(super) fn ended_workloads(&self) -> Vec<String> {
        let ended = self.workloads.iter().filter(|(uid, _)| self.has_ended(**uid));
        let ended = ended.map(|(_, workload)| {
            format!(
                "recovery: {}: no cluster has it any more; it ends once the view is accepted",
                workload.id()
            )
        });
        ended.take(super::FINDINGS_MAX).collect()
    }

    /// Workloads of which less was found than was asked for: the rest may run where nobody was heard.
    pub(super) fn short_workloads(&self) -> Vec<String> {
        let short = self.recalls.changed.iter().filter_map(|uid| {
            let workload = self.workloads.get(uid)?;
            let found = workload.seats.iter().filter(|(name, _)| self.reporting(name));
            let found = found.filter_map(|(_, seat)| seat.seen.as_ref()).map(|seen| seen.replicas);
            let (found, total) = (found.fold(0, u32::saturating_add), workload.record.spec.replicas);
            (found < total).then(|| {
                format!(
                    "recovery: {}: {found} of {total} were found; the rest runs in clusters that were not heard, or \
                     nowhere, and starts elsewhere once the view is accepted",
                    workload.id()
                )
            })
        });
        short.take(super::FINDINGS_MAX).collect()
    }
}
