//! Replacing clusters: by another member, which takes the place of the old one in labels, taints and policies; or by
//! itself, rebuilt under the same name (S23).

use godwit_common::policy::ClusterSelector;
use godwit_common::{ClusterName, PolicyName, Uid};

use super::cluster::bounded;
use super::{no_cluster, refused};
use crate::contract::{
    Action, Answer, Changes, ClusterRecord, ClusterState, DrainTerms, Key, Policy, Purpose, Refused,
    RefusedKind, Severity, Subject,
};
use crate::hub::Hub;
use crate::shared::Shared;
use crate::state::Cluster;

impl Hub {
    /// Moves what a cluster holds to another one, which stands in for it from now on; then the cluster is retired.
    pub(super) fn replace(
        &mut self,
        old: &ClusterName,
        with: &ClusterName,
        terms: &DrainTerms,
    ) -> Result<Answer, Refused> {
        self.check_successor(old, with)?;
        let (record, carried) = (self.marked_like(old, with)?, self.carried(old, with)?);
        let to = Some(ClusterSelector::of_names([with.clone()]));
        // All that may be refused is refused before anything is done.
        self.check_drain(old, &DrainTerms { to: to.clone(), ..terms.clone() })?;
        let mut policies: Vec<PolicyName> = Vec::new();
        let remarked = self.clusters.get(with).is_some_and(|cluster| cluster.record != record);
        if remarked {
            let message = format!("it has what an operator said of {old}, which it replaces");
            self.put_cluster(record, "ClusterMarked", &message);
        }
        for policy in carried {
            policies.push(policy.name.clone());
            self.put_policy(policy)?;
        }
        let answer = self.start_drain(old, &DrainTerms { to, ..terms.clone() }, Purpose::Retire)?;
        let Answer::Applied { action, changes } = answer else { return Ok(answer) };
        let action = if remarked || !policies.is_empty() { Action::Configured } else { action };
        Ok(Answer::Replaced { action, changes, policies })
    }

    fn check_successor(&self, old: &ClusterName, with: &ClusterName) -> Result<(), Refused> {
        if old == with {
            let message =
                format!("with: cluster {old} cannot replace itself: if it was rebuilt, say its new UID");
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        self.clusters.get(old).ok_or_else(|| no_cluster(old))?;
        let new = self.clusters.get(with).ok_or_else(|| no_cluster(with))?;
        let problem = match new.health.state {
            ClusterState::Lost | ClusterState::Joining => {
                format!("it is {}: wait until it is Ready", new.health.state.as_str())
            }
            _ if new.record.cordoned => format!("it is cordoned: `godwit uncordon cluster {with}` first"),
            _ if new.record.maintenance.is_some() => {
                format!("it is in maintenance: `godwit maintenance end cluster {with}` first")
            }
            ClusterState::Unknown | ClusterState::Ready | ClusterState::Suspect | ClusterState::Returning => {
                return Ok(());
            }
        };
        let message = format!("cluster {with} cannot take over from {old}: {problem}");
        Err(refused(RefusedKind::FailedPrecondition, message))
    }

    /// The record of a cluster with what operators said of another one; what was said of itself wins.
    fn marked_like(&self, old: &ClusterName, with: &ClusterName) -> Result<ClusterRecord, Refused> {
        let model = &self.clusters.get(old).ok_or_else(|| no_cluster(old))?.record;
        let mut record = self.clusters.get(with).ok_or_else(|| no_cluster(with))?.record.clone();
        for (key, value) in &model.traits.labels {
            record.traits.labels.entry(key.clone()).or_insert_with(|| value.clone());
        }
        for one in &model.taints {
            let same = |known: &crate::contract::ClusterTaint| {
                (&known.taint.key, known.taint.effect) == (&one.taint.key, one.taint.effect)
            };
            if !record.taints.iter().any(same) {
                record.taints.push(one.clone());
            }
        }
        record.taints.sort_by(|a, b| a.taint.cmp(&b.taint));
        bounded(with, "labels", record.traits.labels.len())?;
        bounded(with, "taints", record.taints.len())?;
        Ok(record)
    }

    /// The policies that name a cluster, with another one in its place beside it.
    fn carried(&self, old: &ClusterName, with: &ClusterName) -> Result<Vec<Policy>, Refused> {
        let mut carried = Vec::new();
        for state in self.policies.values() {
            let Some(placement) = state.policy.placement.with_successor(old, with) else { continue };
            let policy = Policy { placement, ..state.policy.clone() };
            if let Some(mistake) = policy.placement.check().into_iter().next() {
                let message = format!(
                    "policy {} names {old}, and cannot name {with} in its place: {mistake}; change the policy first",
                    policy.name
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            carried.push(policy);
        }
        Ok(carried)
    }

    /// A cluster was built anew under its old name: what ran in the old one counts as gone, by the operator's word.
    pub(super) fn rebuilt(&mut self, name: &ClusterName, uid: Uid) -> Result<Answer, Refused> {
        let cluster = self.clusters.get(name).ok_or_else(|| no_cluster(name))?;
        if cluster.record.uid == uid {
            return Ok(Answer::Applied { action: Action::Unchanged, changes: Changes::default() });
        }
        self.check_identity(name, cluster, uid)?;
        self.check_accounted(name)?;
        let known = cluster.record.uid;
        let message = format!(
            "its UID is {uid}, and was {known}: it begins anew; what may still run in the old one is not stopped"
        );
        let entry = self.note_command(Severity::Warning, "S23", "ClusterReplaced", name.as_str(), message);
        self.end_cluster(name, entry);
        self.unpin_others(name, uid);
        self.note_former(name, known);
        let Some(cluster) = self.clusters.get(name) else { return Err(no_cluster(name)) };
        let joined = self.now.wall;
        let before = cluster.health.state;
        // What was said to the old one was said under its generation: the new one is told under later ones (S10).
        let generation = cluster.record.generation.next();
        let record = ClusterRecord {
            uid,
            joined,
            generation,
            inventoried: false,
            dead: None,
            // Its agents have yet to say what they know (S33).
            knows_overrides: false,
            ..cluster.record.clone()
        };
        let mut cluster = Cluster::new(record, ClusterState::Joining, self.now);
        cluster.leased_until = self.leased_from_now();
        cluster.health.reason = "it was built anew, and has not connected yet".into();
        self.clusters.insert(name.clone(), Shared::new(cluster));
        self.lost.remove(name);
        self.count_state(before, Some(ClusterState::Joining));
        self.touched.keys.insert(Key::Cluster(name.clone()));
        self.touched.subjects.insert(Subject::Cluster(name.clone()));
        self.fleet_changed();
        self.await_maintenance(name);
        self.make_plans();
        Ok(Answer::Applied { action: Action::Configured, changes: self.plan_changes() })
    }

    fn check_identity(&self, name: &ClusterName, cluster: &Cluster, uid: Uid) -> Result<(), Refused> {
        let known = cluster.record.uid;
        let twin = self.clusters.values().find(|other| other.record.uid == uid);
        let problem = if cluster.live() {
            format!(
                "it is connected, with the UID {known}: two clusters cannot have one name; stop its agents first"
            )
        } else if self.is_retiring(name) {
            format!(
                "it is being retired: `godwit drain cluster {name} --cancel` calls that off; or \
                 `godwit retire cluster {name} --force` forgets it once it is lost, and the new one joins as any other"
            )
        } else if let Some(twin) = twin {
            format!("the UID {uid} is that of {}, which is a member", twin.record.name)
        } else if let Some(retired) = self.retired.get(&uid) {
            let other = &retired.name;
            format!(
                "the UID {uid} is that of {other}, which was retired: `godwit retire cluster {other} --undo` first"
            )
        } else {
            return Ok(());
        };
        Err(refused(RefusedKind::FailedPrecondition, format!("cluster {name} cannot be replaced: {problem}")))
    }
}
