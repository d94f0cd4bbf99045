//! By whose word later agents of a cluster come in: who signs for its pods is pinned when the cluster enrols, and by its agents
//! from then on (S23).

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ClusterName, Time, Uid};

use super::refused;
use crate::contract::{
    Answer, Issuer, IssuerRecord, Key, PodEnrolment, Refused, RefusedKind, Severity, ShownIssuer, Subject,
};
use crate::hub::Hub;
use crate::shared::Shared;

/// The most that are pinned: far more than clusters that one hub has.
const ISSUERS_MAX: usize = 10_000;

/// So many agents of a cluster that came in are noted within such a time.
const NOTED_MAX: u32 = 20;
const NOTED_WITHIN: Duration = Duration::from_secs(60);
/// As often its agents may say within that time that somebody else signs: keys are rotated once in months.
const CHANGES_MAX: u32 = 10;
/// As often one pod, or one token's holder, gets a certificate within that time: whatever keeps restarting comes less often.
const COMES_MAX: u32 = 10;

/// Agents of a cluster that came in of late, and what they changed.
#[derive(Debug, Clone)]
pub(crate) struct Arrivals {
    since: Time,
    noted: u32,
    changed: u32,
    /// How often each pod, or whoever has a join token and its key.
    came: Shared<BTreeMap<Arc<str>, u32>>,
}

impl IssuerRecord {
    /// Whether somebody who shows this says nothing new.
    pub fn says(&self, uid: Uid, shown: &ShownIssuer) -> bool {
        self.uid == uid && self.issuer == shown.issuer && self.proven.contains(&shown.signer)
    }
}

impl Hub {
    /// Takes an agent in whose pod a cluster's issuer has signed for. Nothing is written for it but that it came: whatever it is
    /// issued speaks for the cluster, as what its neighbours have does.
    pub(super) fn enrol_pod(&mut self, enrolment: &PodEnrolment) -> Result<Answer, Refused> {
        let PodEnrolment { cluster, uid, issuer, pod, from } = enrolment;
        // It was there a moment ago, when the token was looked at.
        let pinned = self.issuers.get(cluster).filter(|pinned| pinned.issuer == *issuer);
        let Some(pinned) = pinned else {
            let message = format!(
                "what cluster {cluster} has pinned of its service-account issuer has changed in this moment: try again"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        };
        if self.is_revoked(cluster) {
            return Err(refused(RefusedKind::FailedPrecondition, revoked_message(cluster)));
        }
        let known = pinned.uid;
        self.check_name(cluster, *uid)?;
        if known != *uid {
            let message = format!(
                "cluster {cluster} was enrolled with the UID {known}, and this one has {uid}: another cluster signs with the \
                 same keys; if it was built anew, enrol it with `godwit token create --cluster {cluster} --again`"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        self.count_arrival(cluster, pod)?;
        if let Some(noted) = self.note_arrival(cluster) {
            let rest =
                if noted == NOTED_MAX { "; others of this minute stand in the audit log alone" } else { "" };
            let message = format!("its pod {pod} came in by its service account, from {from}{rest}");
            self.note(Severity::Normal, "S23", "AgentEnrolled", cluster.as_str(), message);
        }
        Ok(Answer::Done)
    }

    /// How many of this minute are noted with this one; none if it is one too many. A thousand nodes, or a pod that comes again
    /// and again, do not push everything else out of the journal.
    fn note_arrival(&mut self, cluster: &ClusterName) -> Option<u32> {
        let arrivals = self.arrivals_of(cluster);
        (arrivals.noted < NOTED_MAX).then(|| {
            arrivals.noted += 1;
            arrivals.noted
        })
    }

    /// Counts who is given a certificate: each writes a line of the audit log, and one that does not cease to come would push
    /// out all others.
    pub(super) fn count_arrival(&mut self, cluster: &ClusterName, who: &Arc<str>) -> Result<(), Refused> {
        let came = &mut self.arrivals_of(cluster).came;
        if came.get(who).is_some_and(|times| *times >= COMES_MAX) {
            let message = format!(
                "{who} of cluster {cluster} was given {COMES_MAX} certificates within a minute: keep one of them, and come \
                 again in the next minute"
            );
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        *came.entry(Arc::clone(who)).or_default() += 1;
        Ok(())
    }

    /// What has come of this cluster within the last minute.
    fn arrivals_of(&mut self, cluster: &ClusterName) -> &mut Arrivals {
        let now = self.now.time;
        let fresh = || Arrivals { since: now, noted: 0, changed: 0, came: Shared::default() };
        let arrivals = self.arrivals.entry(cluster.clone()).or_insert_with(fresh);
        if now.since(arrivals.since) >= NOTED_WITHIN {
            *arrivals = fresh();
        }
        arrivals
    }

    /// Pins what an agent says that has the cluster's certificate.
    pub(super) fn pin_reported(
        &mut self,
        cluster: &ClusterName,
        uid: Uid,
        shown: ShownIssuer,
    ) -> Result<Answer, Refused> {
        let Some(known) = self.clusters.get(cluster).map(|known| known.record.uid) else {
            let message = format!(
                "cluster {cluster} is not a member: its agents attach first, and say this afterwards"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        };
        if known != uid {
            let message = format!(
                "cluster {cluster} has the UID {known}, and this agent's has {uid}: it speaks for another cluster, which had the \
                 name before or has taken it"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        if self.is_revoked(cluster) {
            return Err(refused(RefusedKind::FailedPrecondition, revoked_message(cluster)));
        }
        if self.is_pinned(cluster, uid, &shown) {
            return Ok(Answer::Done);
        }
        self.check_room_for_an_issuer(cluster)?;
        if let Some(owner) = self.owner_of_a_key(cluster, &shown.issuer) {
            return Err(refused(RefusedKind::AlreadyExists, shared_message(owner)));
        }
        // Whoever has one agent's key does not fill the journal and the audit log with keys of their own.
        if self.arrivals_of(cluster).changed >= CHANGES_MAX {
            let message = format!(
                "what cluster {cluster} says of its service-account issuer has changed {CHANGES_MAX} times within a minute: \
                 try again in the next one"
            );
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        self.pin_issuer(cluster, uid, shown);
        Ok(Answer::Done)
    }

    /// Pins what a cluster says when it enrols. If that cannot be, it is enrolled all the same: its later agents come in otherwise.
    pub(super) fn pin_enrolled(&mut self, cluster: &ClusterName, uid: Uid, shown: Option<ShownIssuer>) {
        let Some(shown) = shown else { return self.unpin_others(cluster, uid) };
        let Some(owner) = self.owner_of_a_key(cluster, &shown.issuer).cloned() else {
            return self.pin_issuer(cluster, uid, shown);
        };
        self.unpin_others(cluster, uid);
        if self.note_arrival(cluster).is_some() {
            let message =
                format!("nothing is pinned of its service-account issuer: {}", shared_message(&owner));
            self.note(Severity::Warning, "S23", "IssuerNotPinned", cluster.as_str(), message);
        }
    }

    /// The other cluster that one of the keys is known to be of: two clusters that sign with one key are one to whoever looks
    /// at the signature. That somebody names a key, which everybody can read, takes it from nobody.
    fn owner_of_a_key(&self, cluster: &ClusterName, issuer: &Issuer) -> Option<&ClusterName> {
        let owns =
            |pinned: &&IssuerRecord| pinned.cluster != *cluster && !pinned.proven.is_disjoint(&issuer.keys);
        self.issuers.values().find(owns).map(|pinned| &pinned.cluster)
    }

    pub(super) fn check_room_for_an_issuer(&self, cluster: &ClusterName) -> Result<(), Refused> {
        if self.issuers.len() >= ISSUERS_MAX && !self.issuers.contains_key(cluster) {
            let message = format!(
                "{ISSUERS_MAX} clusters have pinned an issuer, and there may be no more: delete clusters that are gone, and \
                 revoke those that have enrolled and never came"
            );
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        Ok(())
    }

    /// Whether that is what is pinned already.
    fn is_pinned(&self, cluster: &ClusterName, uid: Uid, shown: &ShownIssuer) -> bool {
        self.issuers.get(cluster).is_some_and(|known| known.says(uid, shown))
    }

    /// Pins an issuer that was checked; what was pinned before does not count any more.
    fn pin_issuer(&mut self, cluster: &ClusterName, uid: Uid, shown: ShownIssuer) {
        if self.is_pinned(cluster, uid, &shown) {
            return;
        }
        let ShownIssuer { issuer, signer } = shown;
        let known = self.issuers.get(cluster);
        let reason = if known.is_some() { "IssuerChanged" } else { "IssuerPinned" };
        let of_this = known.filter(|known| known.uid == uid);
        let mut proven = of_this.map(|known| &known.proven & &issuer.keys).unwrap_or_default();
        let is_new = proven.insert(Arc::clone(&signer));
        let is_other = of_this.is_none_or(|known| known.issuer != issuer);
        let changed = &mut self.arrivals_of(cluster).changed;
        *changed = changed.saturating_add(1);
        if is_other && *changed <= CHANGES_MAX {
            let Issuer { url, subject, keys } = &issuer;
            let message = format!(
                "agents that show a token of {subject}, signed by one of {} keys of {url}, are its own",
                keys.len()
            );
            self.note(Severity::Normal, "S23", reason, cluster.as_str(), message);
        }
        let record = IssuerRecord { cluster: cluster.clone(), uid, issuer, proven, at: self.now.wall };
        Arc::make_mut(&mut self.issuers).insert(cluster.clone(), record);
        self.issuer_changed(cluster);
        if is_new {
            self.take_key_from_others(cluster, &signer);
        }
    }

    /// A key was shown to be of one cluster: others have named it, and never shown it.
    fn take_key_from_others(&mut self, owner: &ClusterName, key: &Arc<str>) {
        let named = |pinned: &&IssuerRecord| pinned.cluster != *owner && pinned.issuer.keys.contains(key);
        let others: Vec<ClusterName> =
            self.issuers.values().filter(named).map(|pinned| pinned.cluster.clone()).collect();
        for other in others {
            let Some(pinned) = Arc::make_mut(&mut self.issuers).get_mut(&other) else { continue };
            pinned.issuer.keys.remove(key);
            let left = pinned.issuer.keys.len();
            let message = format!(
                "it has pinned a key that has signed for a pod of {owner}, which it is taken for: {left} keys of its own are left"
            );
            self.note(Severity::Warning, "S23", "IssuerChanged", other.as_str(), message);
            self.issuer_changed(&other);
            if left == 0 {
                self.unpin_issuer(&other);
            }
        }
    }

    /// Nobody comes in by the word of that cluster's issuer any more.
    pub(crate) fn unpin_issuer(&mut self, cluster: &ClusterName) {
        self.arrivals.remove(cluster);
        if self.issuers.contains_key(cluster) {
            Arc::make_mut(&mut self.issuers).remove(cluster);
            self.issuer_changed(cluster);
        }
    }

    /// What another cluster of that name has pinned is not this one's word.
    pub(super) fn unpin_others(&mut self, cluster: &ClusterName, uid: Uid) {
        if self.issuers.get(cluster).is_some_and(|pinned| pinned.uid != uid) {
            self.unpin_issuer(cluster);
        }
    }

    fn issuer_changed(&mut self, cluster: &ClusterName) {
        self.touched.keys.insert(Key::Issuer(cluster.clone()));
        self.touched.subjects.insert(Subject::Federation);
    }
}

fn shared_message(owner: &ClusterName) -> String {
    format!(
        "cluster {owner} has pinned one of these keys: two clusters whose API servers sign with the same key cannot be told apart \
         by it; give each a key of its own, or let the agents come in otherwise (without identity.service_account_token_file)"
    )
}

pub(super) fn revoked_message(cluster: &ClusterName) -> String {
    format!(
        "cluster {cluster} is revoked: nobody comes in by its service accounts until it is enrolled with `godwit token create \
         --cluster {cluster} --again`, or `godwit revoke cluster {cluster} --undo` ends that"
    )
}
