//! By whose word later agents of a cluster come in: who signs for its pods is pinned when the cluster enrols, and by its agents
//! from then on (S23).

use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ClusterName, Time, Uid};

use super::refused;
use crate::contract::{
    Answer, Issuer, IssuerRecord, Key, PodEnrolment, Refused, RefusedKind, Severity, Subject,
};
use crate::hub::Hub;

/// The most that are pinned: far more than clusters that one hub has.
const ISSUERS_MAX: usize = 10_000;

/// So many agents of a cluster that came in are noted within such a time.
const NOTED_MAX: u32 = 20;
const NOTED_WITHIN: Duration = Duration::from_secs(60);

/// Agents of a cluster that came in of late.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Arrivals {
    since: Time,
    noted: u32,
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
        let now = self.now.time;
        let arrivals = self.arrivals.entry(cluster.clone()).or_insert(Arrivals { since: now, noted: 0 });
        if now.since(arrivals.since) >= NOTED_WITHIN {
            *arrivals = Arrivals { since: now, noted: 0 };
        }
        (arrivals.noted < NOTED_MAX).then(|| {
            arrivals.noted += 1;
            arrivals.noted
        })
    }

    /// Pins what an agent says that has the cluster's certificate.
    pub(super) fn pin_reported(&mut self, cluster: &ClusterName, issuer: Issuer) -> Result<Answer, Refused> {
        let Some(uid) = self.clusters.get(cluster).map(|known| known.record.uid) else {
            let message = format!(
                "cluster {cluster} is not a member: its agents attach first, and say this afterwards"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        };
        if self.is_revoked(cluster) {
            return Err(refused(RefusedKind::FailedPrecondition, revoked_message(cluster)));
        }
        self.check_issuer(cluster, &issuer)?;
        self.pin_issuer(cluster, uid, issuer);
        Ok(Answer::Done)
    }

    /// Whether an issuer may be pinned: two clusters that sign with one key are one to whoever looks at the signature.
    pub(super) fn check_issuer(&self, cluster: &ClusterName, issuer: &Issuer) -> Result<(), Refused> {
        let shares = |pinned: &&IssuerRecord| {
            pinned.cluster != *cluster && !pinned.issuer.keys.is_disjoint(&issuer.keys)
        };
        if let Some(twin) = self.issuers.values().find(shares) {
            let message = format!(
                "cluster {} has pinned one of these keys: two clusters whose API servers sign with the same key cannot be told \
                 apart by it; give each a key of its own, or let the agents come in otherwise (without \
                 identity.service_account_token_file)",
                twin.cluster
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        if self.issuers.len() >= ISSUERS_MAX && !self.issuers.contains_key(cluster) {
            let message = format!(
                "{ISSUERS_MAX} clusters have pinned an issuer, and there may be no more: delete clusters that are gone, and \
                 revoke those that have enrolled and never came"
            );
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        Ok(())
    }

    /// Pins an issuer that was checked; what was pinned before does not count any more.
    pub(super) fn pin_issuer(&mut self, cluster: &ClusterName, uid: Uid, issuer: Issuer) {
        let known = self.issuers.get(cluster);
        if known.is_some_and(|known| known.uid == uid && known.issuer == issuer) {
            return;
        }
        let reason = if known.is_some() { "IssuerChanged" } else { "IssuerPinned" };
        let Issuer { url, subject, keys } = &issuer;
        let message = format!(
            "agents that show a token of {subject}, signed by one of {} keys of {url}, are its own",
            keys.len()
        );
        self.note(Severity::Normal, "S23", reason, cluster.as_str(), message);
        let record = IssuerRecord { cluster: cluster.clone(), uid, issuer, at: self.now.wall };
        Arc::make_mut(&mut self.issuers).insert(cluster.clone(), record);
        self.issuer_changed(cluster);
    }

    /// Nobody comes in by the word of that cluster's issuer any more.
    pub(crate) fn unpin_issuer(&mut self, cluster: &ClusterName) {
        if self.issuers.contains_key(cluster) {
            Arc::make_mut(&mut self.issuers).remove(cluster);
            self.arrivals.remove(cluster);
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

pub(super) fn revoked_message(cluster: &ClusterName) -> String {
    format!(
        "cluster {cluster} is revoked: nobody comes in by its service accounts until it is enrolled with `godwit token create \
         --cluster {cluster} --again`, or `godwit revoke cluster {cluster} --undo` ends that"
    )
}
