//! The mutants: each breaks one rule at one place. The text has to occur there exactly once.

/// One rule broken on purpose.
pub(crate) struct Mutant {
    pub(crate) name: &'static str,
    /// The file, and the text in it that is replaced: an expression, or whole statements.
    pub(crate) file: &'static str,
    pub(crate) text: &'static str,
    pub(crate) replacement: &'static str,
    /// What the simulator has to say: one of these begins a sentence of its.
    pub(crate) caught_by: &'static [&'static str],
    /// What the runs are like in which it shows soon: options of the simulator.
    pub(crate) runs: &'static [&'static str],
}

/// Nobody speaks but one hub.
pub(crate) const ONE_HISTORY: &[&str] = &["--one-history", "--one-release", "--greenfield"];
/// Several hubs speak, with stores of their own.
pub(crate) const FORKS: &[&str] = &["--forks", "--one-release", "--greenfield"];
/// Each cluster has agents that lead one after the other.
pub(crate) const MANY_AGENTS: &[&str] = &["--one-history", "--one-release", "--greenfield", "--agents", "3"];
/// Both.
pub(crate) const MANY_VOICES: &[&str] = &["--forks", "--one-release", "--greenfield", "--agents", "3"];
/// Some agents know no overrides.
pub(crate) const OLD_AGENTS: &[&str] = &["--one-history", "--old-agents", "--greenfield"];
/// Something runs in the clusters before.
pub(crate) const BROWNFIELD: &[&str] = &["--one-history", "--one-release", "--brownfield"];

pub(crate) const MUTANTS: &[Mutant] = &[
    // Write before you speak.
    Mutant {
        name: "it-speaks-before-it-writes",
        file: "hub/core/src/hub.rs",
        text: "self.send_targets(&mut spoken);",
        replacement: "self.send_targets(&mut spoken); effects.append(&mut spoken);",
        caught_by: &["a step speaks before its records"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "what-it-tells-a-cluster-is-not-written",
        file: "hub/core/src/rows.rs",
        text: "self.touched.keys.insert(Key::Seat(uid, name.clone()));",
        replacement: "",
        caught_by: &["I1:", "is told"],
        runs: ONE_HISTORY,
    },
    // S1, S5, S6: losses.
    Mutant {
        name: "a-cluster-is-lost-at-once",
        file: "hub/core/src/liveness.rs",
        text: "due > now",
        replacement: "false",
        caught_by: &["S1:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "a-restarted-hub-does-not-wait",
        file: "hub/core/src/liveness.rs",
        text: "(health.heard + self.config.startup_grace).max(health.heard + window)",
        replacement: "health.heard + window",
        caught_by: &["S1:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "the-loss-of-all-clusters-is-normal",
        file: "hub/core/src/mass_loss.rs",
        text: "share.counted > 0 && share.vanished == share.counted",
        replacement: "false",
        caught_by: &["S6:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "a-silent-cluster-gets-more",
        file: "hub/core/src/batch.rs",
        text: "ClusterState::Suspect | ClusterState::Lost => Some(Barrier::Suspect),",
        replacement: "ClusterState::Suspect | ClusterState::Lost => None,",
        caught_by: &["S14:"],
        runs: ONE_HISTORY,
    },
    // S10: who may speak.
    Mutant {
        name: "a-hub-starts-under-its-old-epoch",
        file: "hub/core/src/restore.rs",
        text: "self.federation.epoch = self.federation.epoch.next();",
        replacement: "self.federation.epoch = self.federation.epoch.max(Epoch(1));",
        caught_by: &["S10:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "the-hub-believes-an-old-leader",
        file: "hub/core/src/sessions.rs",
        text: "cluster.term.is_some_and(older)",
        replacement: "false",
        // What the old one does not list may be taken for gone, or waited for without end.
        caught_by: &["S24:", "S11:", "S25:", "S27:", "I5:"],
        runs: MANY_AGENTS,
    },
    Mutant {
        name: "an-agent-takes-what-is-older-than-its-fence",
        file: "agent/core/src/fence.rs",
        text: "authority(sent) < authority(held)",
        replacement: "false",
        // What an older hub wanted may come about first, such as ordinals that others have by now.
        caught_by: &["I7:", "S32:", "S27:"],
        runs: MANY_VOICES,
    },
    // S9: what ends by itself.
    Mutant {
        name: "a-hub-that-does-not-lead-renews-leases",
        file: "hub/core/src/grants.rs",
        text: "!(self.said_goodbye || self.stopped_speaking())",
        replacement: "true",
        caught_by: &["S9:"],
        runs: FORKS,
    },
    Mutant {
        name: "a-hub-that-starts-knows-of-no-lease",
        file: "hub/core/src/restore.rs",
        text: "self.take_over_leases();",
        replacement: "self.federation.longest_lease = self.config.gate_lease;",
        caught_by: &["S9:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "nothing-takes-time-to-end",
        file: "hub/core/src/grants.rs",
        text: "cluster.supervised.iter().filter_map(held).max().unwrap_or_default()",
        replacement: "cluster.supervised.iter().filter_map(held).max().unwrap_or_default() * 0",
        caught_by: &["S9:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "all-clocks-are-alike",
        file: "hub/core/src/grants.rs",
        text: "lease + lease * self.config.gate_drift_percent / 100",
        replacement: "lease",
        caught_by: &["S9:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "every-pod-has-a-supervisor",
        file: "hub/core/src/grants.rs",
        text: "able && told && seen",
        replacement: "true",
        caught_by: &["S9:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "a-lease-counts-from-when-it-is-heard-of",
        file: "agent/core/src/grants.rs",
        text: "self.until.max(sent + lease)",
        replacement: "self.until.max(now + lease)",
        caught_by: &["S9:", "I3:"],
        runs: MANY_AGENTS,
    },
    Mutant {
        name: "a-lease-is-renewed-before-it-is-known-what-was-given-up",
        file: "hub/core/src/grants.rs",
        text: "self.grants_from.is_some_and(|least| leader.accepted >= least)",
        replacement: "self.grants_from.is_some_and(|least| leader.accepted >= least.min(leader.accepted))",
        caught_by: &["S9:", "I3:"],
        runs: ONE_HISTORY,
    },
    // S11, S25: what targets build on.
    Mutant {
        name: "targets-go-out-before-the-inventory",
        file: "hub/core/src/outgoing.rs",
        text: "cluster.leader.as_ref().filter(|leader| leader.inventoried)?",
        replacement: "cluster.leader.as_ref()?",
        caught_by: &["S11:"],
        runs: ONE_HISTORY,
    },
    // S15: room.
    Mutant {
        name: "room-is-counted-twice",
        file: "hub/core/src/batch.rs",
        text: "room.take(workload.shape(), *replicas)",
        replacement: "*replicas",
        caught_by: &["I8:"],
        runs: ONE_HISTORY,
    },
    // S20: the shrink rule.
    Mutant {
        name: "it-shrinks-without-waiting",
        file: "hub/core/src/mover.rs",
        text: "elsewhere.saturating_add(ready).saturating_sub(self.needed(workload, forced))",
        replacement: "ready.saturating_add(elsewhere.min(0))",
        caught_by: &["I4:", "S20:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "what-cannot-be-seen-is-shrunk",
        file: "hub/core/src/mover.rs",
        text: "self.reporting(name) && self.may_move(seat)",
        replacement: "self.may_move(seat)",
        caught_by: &["S20:", "I4:"],
        runs: ONE_HISTORY,
    },
    // S27, S28: removal.
    Mutant {
        name: "what-a-snapshot-lacks-is-deleted",
        file: "agent/core/src/rows/merge.rs",
        text: "self.retain_listed(targets, &mut changed);",
        replacement: "
            let listed: BTreeSet<Uid> = (targets.objects.iter().map(|row| row.uid))
                .chain(targets.workloads.iter().map(|row| row.uid))
                .chain(targets.tombstones.iter().map(|ended| ended.uid))
                .collect();
            let absent = self.rows.iter().filter(|(uid, _)| !listed.contains(uid)).map(|(uid, row)| {
                let what = match row.workload() {
                    Some(workload) => {
                        Tombstoned::Workload { workload, api_version: row.key.api_version.clone() }
                    }
                    None => Tombstoned::Object(row.key.clone()),
                };
                Tombstone { uid: *uid, what }
            });
            let absent: Vec<Tombstone> = absent.collect();
            self.retain_listed(targets, &mut changed);
            absent.iter().for_each(|ended| self.bury(ended, &mut changed));",
        caught_by: &["I2:"],
        runs: FORKS,
    },
    Mutant {
        name: "the-first-report-ends-a-tombstone",
        file: "hub/core/src/ends.rs",
        text: "self.wake_at(until, Timer::Tombstone(uid, name.clone()));",
        replacement: "
            let held_by = self.ended.get(&uid).map(|ended| ended.held_by.clone()).unwrap_or_default();
            held_by.keys().for_each(|name| self.forget_end(uid, name));",
        caught_by: &["I5:", "I2:", "S28:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "a-new-life-takes-the-place-of-an-old-one",
        file: "agent/core/src/judge.rs",
        text: "stamp.uid != uid && !is_kept(&row.key)",
        replacement: "false",
        caught_by: &["S28:"],
        runs: FORKS,
    },
    // What has to come about in the end.
    Mutant {
        name: "a-write-that-failed-is-not-tried-again",
        file: "agent/core/src/writer.rs",
        text: "self.waits.set(uid, cx.now + retry_wait(cx, row.attempts.failed));",
        replacement: "",
        caught_by: &["I5:"],
        runs: ONE_HISTORY,
    },
    Mutant {
        name: "drift-is-not-set-right",
        file: "agent/core/src/rows/row.rs",
        text: "everywhere || seen == self.replicas",
        replacement: "true",
        caught_by: &["I5:"],
        runs: ONE_HISTORY,
    },
    // S34: imports.
    Mutant {
        name: "the-sum-is-forgotten",
        file: "hub/core/src/commands/import.rs",
        text: "counts.fold(0, u32::saturating_add)",
        replacement: "counts.fold(0, u32::max)",
        caught_by: &["S34:"],
        runs: BROWNFIELD,
    },
    Mutant {
        name: "what-was-found-is-not-told",
        file: "hub/core/src/commands/import.rs",
        text: "self.set_target(uid, name, found.spec.replicas);",
        replacement: "",
        caught_by: &["S34:"],
        runs: BROWNFIELD,
    },
    Mutant {
        name: "what-was-changed-since-is-written-over",
        file: "agent/core/src/judge.rs",
        text: "content == 0 || content == seen.content",
        replacement: "true",
        caught_by: &["S34:"],
        runs: BROWNFIELD,
    },
    Mutant {
        name: "what-nobody-manages-is-taken-over",
        file: "agent/core/src/judge.rs",
        text: "Imports::Another => Verdict::Blocked(UNMANAGED.into()),",
        replacement: "Imports::Another => adopt,",
        caught_by: &["S34:"],
        runs: BROWNFIELD,
    },
    // S33: what agents do not know of.
    Mutant {
        name: "agents-are-told-what-they-do-not-know-of",
        file: "hub/core/src/contract/cluster.rs",
        text: "false => Arc::default(),",
        replacement: "false => changes_in(rules, &self.name, &self.traits),",
        caught_by: &["S33:"],
        runs: OLD_AGENTS,
    },
    Mutant {
        name: "who-is-on-the-way-is-told-rules-that-nobody-knows",
        file: "hub/core/src/rollouts.rs",
        text: "cluster.is_some_and(|cluster| self.owes(workload, &workload.record.spec, &cluster.record))",
        replacement: "false",
        caught_by: &["S33:"],
        runs: OLD_AGENTS,
    },
    // S23: whose word lets agents in.
    Mutant {
        name: "two-clusters-pin-one-key",
        file: "hub/core/src/commands/issuers.rs",
        text: "!pinned.proven.is_disjoint(&issuer.keys)",
        replacement: "false",
        caught_by: &["S23:"],
        runs: ONE_HISTORY,
    },
];
