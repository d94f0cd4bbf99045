//! Clusters that have used a join token, and wait for an operator's word (S23).

use std::time::Duration;

use godwit_common::{ClusterName, Uid};

use super::access::{later, token_called};
use super::issuers::revoked_message;
use super::refused;
use crate::contract::{
    Admits, Answer, Approval, Refused, RefusedKind, Severity, ShownIssuer, TokenHash, TokenRecord, TokenUse,
    Verdict,
};
use crate::hub::Hub;

/// So long at least an agent has to come for what was approved, however late that was.
const COLLECTED_WITHIN: Duration = Duration::from_secs(3600);

impl Hub {
    /// The agent that used the token asks again, with the same key.
    pub(super) fn enrol_judged(
        &mut self,
        cluster: &ClusterName,
        uid: Uid,
        hash: TokenHash,
        approval: &Approval,
        issuer: Option<ShownIssuer>,
    ) -> Result<Answer, Refused> {
        let over = approval.until <= self.now.wall;
        match &approval.verdict {
            Some(Verdict { approved: false, by, at: _ }) => {
                let message = format!("{by} has denied that this cluster joins as {cluster}: ask them why");
                Err(refused(RefusedKind::PermissionDenied, message))
            }
            None if !over => Ok(Answer::Waiting { again: true }),
            Some(Verdict { approved: true, .. }) if !over => {
                if self.is_revoked(cluster) {
                    return Err(refused(RefusedKind::FailedPrecondition, revoked_message(cluster)));
                }
                self.check_still(cluster, uid)?;
                if issuer.is_some() {
                    self.check_room_for_an_issuer(cluster)?;
                }
                self.count_arrival(cluster, &token_called(hash))?;
                self.pin_enrolled(cluster, uid, issuer);
                Ok(Answer::Done)
            }
            Some(Verdict { approved: true, .. }) | None => {
                let message = format!(
                    "no operator has let this cluster join as {cluster} in time (enrolment.approval_within), or its agent came \
                     for the answer too late: make a new token with `godwit token create --cluster {cluster}`"
                );
                Err(refused(RefusedKind::FailedPrecondition, message))
            }
        }
    }

    /// An operator decides.
    pub(super) fn judge(
        &mut self,
        cluster: &ClusterName,
        token: Option<&str>,
        approve: bool,
    ) -> Result<Answer, Refused> {
        let now = self.now.wall;
        let meant = |record: &&TokenRecord| {
            matches!(&record.admits, Admits::Cluster(name) if name == cluster)
                && token.is_none_or(|id| *record.hash.id() == *id)
        };
        let waiting = self.tokens.values().filter(meant);
        let waiting: Vec<&TokenRecord> = waiting.filter(|record| record.waiting(now).is_some()).collect();
        let record = match waiting[..] {
            [one] => one.clone(),
            [] => {
                let message = format!(
                    "nobody waits to join as {cluster}{}: `godwit get enrolments` shows who does",
                    token.map(|id| format!(" with the token {id}")).unwrap_or_default()
                );
                return Err(refused(RefusedKind::NotFound, message));
            }
            [..] => {
                let ids: Vec<String> = waiting.iter().map(|record| record.hash.id().to_string()).collect();
                let message = format!(
                    "{} wait to join as {cluster}: say which one by --token, of {}; `godwit get enrolments` shows their UIDs",
                    ids.len(),
                    ids.join(", ")
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
        };
        let Some((used, approval)) =
            record.waiting(now).map(|(used, approval)| (used.clone(), approval.clone()))
        else {
            return Err(refused(RefusedKind::NotFound, "it does not wait any more"));
        };
        let uid = used.uid;
        if approve {
            // Much may have happened since it came.
            self.check_name(cluster, uid)?;
        }
        let verdict = Some(Verdict { approved: approve, by: self.operator.clone(), at: now });
        let until = match approve {
            true => approval.until.max(later(now, COLLECTED_WITHIN)),
            false => approval.until,
        };
        let used = TokenUse { approval: Some(Approval { verdict, until }), ..used };
        let record = TokenRecord { used: Some(used.clone()), ..record };
        let (severity, reason, message) = match approve {
            true => (Severity::Normal, "EnrolmentApproved", format!("the cluster with UID {uid} may join")),
            false => {
                (Severity::Warning, "EnrolmentDenied", format!("the cluster with UID {uid} may not join"))
            }
        };
        self.note_command(severity, "S23", reason, cluster.as_str(), message);
        if approve {
            self.let_in(&record, &used);
            // Whoever pins under this name after this has come later.
            self.unpin_others(cluster, uid);
        }
        self.put_token(record);
        Ok(Answer::Done)
    }

    /// A cluster waits from now on.
    pub(super) fn note_waiting(&mut self, token: &TokenRecord, used: &TokenUse) {
        let (Admits::Cluster(cluster), TokenUse { uid, from, .. }) = (&token.admits, used) else { return };
        let message = format!(
            "the cluster with UID {uid}, from {from}, asks to join with the token {}: `godwit approve cluster {cluster}`, or \
             `godwit deny cluster {cluster}`",
            token.hash.id()
        );
        self.note(Severity::Warning, "S23", "EnrolmentWaits", cluster.as_str(), message);
    }
}
