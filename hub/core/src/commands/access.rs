//! Who may come in: join tokens, and their use (S23).

use std::sync::Arc;
use std::time::Duration;

use godwit_common::{ClusterName, Uid, WallTime};

use super::refused;
use crate::contract::{
    AccessOrder, Admits, Answer, Approval, AuthorityStep, Enrolment, Key, LogIn, Permit, Refused,
    RefusedKind, Revocation, RevocationRecord, Severity, Subject, TokenHash, TokenRecord, TokenUse,
};
use crate::hub::Hub;
use crate::retire::retired_message;

/// The most tokens that are remembered; old ones make room.
const TOKENS_MAX: usize = 1_000;
/// For so long it is remembered after its end what became of a token.
const REMEMBERED: Duration = Duration::from_secs(7 * 24 * 3600);

impl Hub {
    pub(super) fn access(&mut self, order: AccessOrder) -> Result<Answer, Refused> {
        match order {
            AccessOrder::CreateToken { hash, admits, within, again, approval, permit } => {
                match &admits {
                    Admits::Cluster(cluster) => self.check_new(cluster, again)?,
                    Admits::Operator(name) => {
                        self.check_operator(name, again)?;
                        // All that may be refused, before anything is done.
                        permit.as_ref().map(|permit| self.check_binding(name, permit)).transpose()?;
                    }
                }
                self.create_token(hash, admits, (within, approval), permit)
            }
            AccessOrder::DeleteToken { id } => self.delete_token(&id),
            AccessOrder::Enrol(enrolment) => self.enrol(enrolment),
            AccessOrder::LogIn(log_in) => self.log_in(log_in),
            AccessOrder::NoteAuthority { step, pin } => Ok(self.note_authority(step, &pin)),
            AccessOrder::EnrolPod(enrolment) => self.enrol_pod(&enrolment),
            AccessOrder::Judge { cluster, token, approve } => self.judge(&cluster, token.as_deref(), approve),
            AccessOrder::PinIssuer { cluster, uid, issuer } => self.pin_reported(&cluster, uid, issuer),
            AccessOrder::Revoke(what) => self.revoke(what),
            AccessOrder::EndRevocation(what) => self.end_revocation(&what),
            AccessOrder::BindRole { name, permit } => self.bind_role(name, permit),
            AccessOrder::UnbindRole { name } => self.unbind_role(&name),
        }
    }

    fn check_new(&self, cluster: &ClusterName, again: bool) -> Result<(), Refused> {
        if !again && self.clusters.contains_key(cluster) {
            let message = format!(
                "cluster {cluster} is a member already: another cluster needs another name; if this one's agent has lost \
                 its certificate, say --again"
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        Ok(())
    }

    fn create_token(
        &mut self,
        hash: TokenHash,
        admits: Admits,
        (within, approval): (Duration, Option<Duration>),
        permit: Option<Permit>,
    ) -> Result<Answer, Refused> {
        self.make_room_for_a_token()?;
        if let (Admits::Operator(name), Some(permit)) = (&admits, permit) {
            self.bind_role(Arc::clone(name), permit)?;
        }
        let now = self.now.wall;
        let expires = later(now, within);
        let by = self.operator.clone();
        let record = TokenRecord { hash, admits, by, created: now, expires, approval, used: None };
        let message = format!("token {} may be used once, for {} s", hash.id(), within.as_secs());
        self.note_command(Severity::Normal, "S23", "TokenCreated", record.admits.name(), message);
        self.put_token(record);
        Ok(Answer::TokenCreated { expires })
    }

    fn delete_token(&mut self, id: &str) -> Result<Answer, Refused> {
        let found = self.tokens.values().find(|token| *token.hash.id() == *id);
        let Some(token) = found.cloned() else {
            let message = format!("there is no token {id:?}; `godwit token list` shows those that there are");
            return Err(refused(RefusedKind::NotFound, message));
        };
        self.drop_token(token.hash);
        let message = format!("token {id} cannot be used any more");
        self.note_command(Severity::Normal, "S23", "TokenDeleted", token.admits.name(), message);
        Ok(Answer::Done)
    }

    /// Takes a token, once; the same key gets the same answer again, since the first may have been lost.
    fn enrol(&mut self, enrolment: Enrolment) -> Result<Answer, Refused> {
        let Enrolment { hash, cluster, uid, key, from, issuer } = enrolment;
        let token = self.tokens.get(&hash).ok_or_else(|| {
            let message = "this join token is not known here: it was deleted, its cluster was revoked, it ended long ago, or \
                           is another hub's; make a new one with `godwit token create`";
            refused(RefusedKind::NotFound, message)
        })?;
        if token.admits != Admits::Cluster(cluster.clone()) {
            let message = format!(
                "this token is for {}, not for cluster {cluster}: make one with `godwit token create --cluster {cluster}`",
                token.admits
            );
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        let expired = token.expires <= self.now.wall;
        if let Some(used) = &token.used {
            if used.key != key || used.uid != uid {
                return Err(used_before(&cluster, used));
            }
            return match used.approval.clone() {
                Some(approval) => {
                    let issuer = issuer.map(|issuer| *issuer);
                    self.enrol_judged(&cluster, uid, hash, &approval, issuer)
                }
                None if expired => Err(used_before(&cluster, used)),
                None => {
                    self.check_still(&cluster, uid)?;
                    self.count_arrival(&cluster, &token_called(hash))?;
                    Ok(Answer::Done)
                }
            };
        }
        if expired {
            let message = format!(
                "this join token has expired: make a new one with `godwit token create --cluster {cluster}`, with a longer \
                 --ttl if need be"
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        let token = token.clone();
        self.check_name(&cluster, uid)?;
        if issuer.is_some() {
            self.check_room_for_an_issuer(&cluster)?;
        }
        let now = self.now.wall;
        let approval = token.approval.map(|within| Approval { until: later(now, within), verdict: None });
        let waits = approval.is_some();
        let used = TokenUse { at: now, uid, key, from, approval };
        let record = TokenRecord { used: Some(used.clone()), ..token };
        if waits {
            self.note_waiting(&record, &used);
            self.put_token(record);
            return Ok(Answer::Waiting { again: false });
        }
        self.let_in(&record, &used);
        self.put_token(record);
        self.pin_enrolled(&cluster, uid, issuer.map(|issuer| *issuer));
        Ok(Answer::Done)
    }

    /// A cluster has used a token, and may join.
    pub(super) fn let_in(&mut self, token: &TokenRecord, used: &TokenUse) {
        let (Admits::Cluster(cluster), TokenUse { uid, from, .. }) = (&token.admits, used) else { return };
        let what = Revocation::Cluster(cluster.clone());
        let keeps_out = |found: &&RevocationRecord| {
            found.readmitted.is_none() || found.former.is_some_and(|former| former.uid != *uid)
        };
        if let Some(revocation) = self.revocations.get(&what).filter(keeps_out) {
            let (readmitted, former) = (Some(self.now.wall), None);
            let record = RevocationRecord { readmitted, former, ..revocation.clone() };
            self.put_revocation(record);
            // Whoever had the key may have pinned an issuer of their own.
            self.unpin_issuer(cluster);
        }
        let id = token.hash.id();
        let message = format!("token {id} was used by the cluster with UID {uid}, from {from}");
        self.note(Severity::Normal, "S23", "ClusterEnrolled", cluster.as_str(), message);
    }

    /// Takes an operator's token, once, in the same way.
    fn log_in(&mut self, log_in: LogIn) -> Result<Answer, Refused> {
        let LogIn { hash, name, key, from } = log_in;
        let token = self.tokens.get(&hash).cloned().ok_or_else(|| {
            let message = "this token is not known here: it was deleted, ended long ago, or is another hub's; make a new one \
                           with `godwit token create`";
            refused(RefusedKind::NotFound, message)
        })?;
        if token.admits != Admits::Operator(Arc::clone(&name)) {
            let message = format!(
                "this token is for {}, not for operator {name}: make one with `godwit token create --operator {name}`",
                token.admits
            );
            return Err(refused(RefusedKind::InvalidArgument, message));
        }
        // Before the same answer again, too: who was revoked since is given nothing.
        let revocation = self.revocations.get(&Revocation::Admin(Arc::clone(&name))).cloned();
        if revocation.as_ref().is_some_and(|revocation| token.created < revocation.at) {
            return Err(operator_revoked(&name));
        }
        let expired = token.expires <= self.now.wall;
        match &token.used {
            Some(used) if used.key == key && !expired => return Ok(Answer::Done),
            Some(TokenUse { from, .. }) => {
                let message = format!(
                    "this token was used already, from {from}: each is good once. If that was not you, `godwit revoke admin \
                     {name}`; then make a new one with `godwit token create --operator {name} --again`"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            None if expired => {
                let message = format!(
                    "this token has expired: make a new one with `godwit token create --operator {name}`, with a longer --ttl \
                     if need be"
                );
                return Err(refused(RefusedKind::FailedPrecondition, message));
            }
            None => {}
        }
        let used = TokenUse { at: self.now.wall, uid: Uid(0), key, from: Arc::clone(&from), approval: None };
        self.put_token(TokenRecord { used: Some(used), ..token });
        if let Some(revocation) = revocation {
            self.put_revocation(RevocationRecord { readmitted: Some(self.now.wall), ..revocation });
        }
        let message = format!("token {} was used from {from}", hash.id());
        self.note(Severity::Normal, "S23", "OperatorLoggedIn", &name, message);
        Ok(Answer::Done)
    }

    /// Whether a token for an operator is made: for one who is revoked only if that is meant.
    fn check_operator(&self, name: &Arc<str>, again: bool) -> Result<(), Refused> {
        let revocation = self.revocations.get(&Revocation::Admin(Arc::clone(name)));
        match revocation {
            Some(revocation) if revocation.readmitted.is_none() && !again => Err(operator_revoked(name)),
            Some(_) | None => Ok(()),
        }
    }

    /// Whether a cluster that has used a token may still have the name: much may have happened since.
    pub(super) fn check_still(&self, name: &ClusterName, uid: Uid) -> Result<(), Refused> {
        self.check_name(name, uid)?;
        if let Some(other) = self.issuers.get(name).filter(|pinned| pinned.uid != uid) {
            let message = format!(
                "another cluster, with the UID {}, has been enrolled as {name} since this one, with {uid}, used its token: \
                 make a new one with `godwit token create --cluster {name} --again`, if it is to be this one after all",
                other.uid
            );
            return Err(refused(RefusedKind::FailedPrecondition, message));
        }
        Ok(())
    }

    /// Whether a cluster may have a name: what its agents would be refused for later is refused here, with the token unused.
    pub(super) fn check_name(&self, name: &ClusterName, uid: Uid) -> Result<(), Refused> {
        if let Some(retired) = self.retired.get(&uid) {
            return Err(refused(RefusedKind::FailedPrecondition, retired_message(&retired.name)));
        }
        if let Some(known) = self.clusters.get(name).filter(|known| known.record.uid != uid) {
            let message = format!(
                "the name {name} is taken by a cluster with the UID {}, this one has {uid}: if it was built anew, \
                 `godwit replace cluster {name} --uid {uid}` first; if it is another, make a token with another name",
                known.record.uid
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        let twin = self.clusters.values().find(|other| other.record.uid == uid && other.record.name != *name);
        if let Some(twin) = twin {
            let message = format!(
                "this cluster (UID {uid}) is a member already, as {}: one cluster has one name; make a token with \
                 `godwit token create --cluster {0} --again`",
                twin.record.name
            );
            return Err(refused(RefusedKind::AlreadyExists, message));
        }
        Ok(())
    }

    fn note_authority(&mut self, step: AuthorityStep, pin: &str) -> Answer {
        let (reason, message) = match step {
            AuthorityStep::Prepared => {
                ("AuthorityPrepared", "another authority is trusted, too; certificates come from")
            }
            AuthorityStep::Abandoned => {
                ("AuthorityAbandoned", "the authority that was prepared is trusted no more; there is only")
            }
            AuthorityStep::Switched => ("AuthoritySwitched", "certificates come from another authority:"),
            AuthorityStep::Finished => {
                ("AuthorityFinished", "the former authority is trusted no more; there is only")
            }
        };
        self.note_command(Severity::Warning, "S23", reason, "authority", format!("{message} {pin}"));
        Answer::Done
    }

    /// Tokens of a cluster or an operator are worth nothing any more, those that were used first of all: with its key they would be
    /// answered again.
    pub(super) fn drop_tokens_of(&mut self, admits: &Admits) -> usize {
        let its = self.tokens.values().filter(|token| token.admits == *admits);
        let its: Vec<TokenHash> = its.map(|token| token.hash).collect();
        its.iter().for_each(|hash| self.drop_token(*hash));
        its.len()
    }

    /// What ended long ago is forgotten; then, of what cannot be used any more, the oldest.
    fn make_room_for_a_token(&mut self) -> Result<(), Refused> {
        let now = self.now.wall;
        let old = |token: &&TokenRecord| later(token.ends(), REMEMBERED) <= now;
        let mut gone: Vec<TokenHash> = self.tokens.values().filter(old).map(|token| token.hash).collect();
        if self.tokens.len() - gone.len() >= TOKENS_MAX {
            let spent = |token: &&TokenRecord| !token.is_open(now);
            let oldest = self.tokens.values().filter(spent).min_by_key(|token| token.ends());
            let Some(oldest) = oldest else {
                let message = format!(
                    "{TOKENS_MAX} join tokens wait to be used, for an operator or for their agents, and there may be no more: delete \
                     some, or wait for their end"
                );
                return Err(refused(RefusedKind::ResourceExhausted, message));
            };
            gone.push(oldest.hash);
        }
        gone.into_iter().for_each(|hash| self.drop_token(hash));
        Ok(())
    }

    pub(super) fn put_token(&mut self, record: TokenRecord) {
        self.touched.keys.insert(Key::Token(record.hash));
        self.touched.subjects.insert(Subject::Federation);
        self.tokens.insert(record.hash, record);
    }

    pub(super) fn drop_token(&mut self, hash: TokenHash) {
        self.tokens.remove(&hash);
        self.touched.keys.insert(Key::Token(hash));
        self.touched.subjects.insert(Subject::Federation);
    }
}

fn operator_revoked(name: &str) -> Refused {
    let message = format!(
        "operator {name} is revoked: `godwit token create --operator {name} --again` makes a token that lets {name} in anew, \
         and what was issued before stays revoked; `godwit revoke admin {name} --undo` ends the revocation"
    );
    refused(RefusedKind::FailedPrecondition, message)
}

/// A token that is shown a second time, with another key, is in the hands of two: which of them came first nobody knows.
fn used_before(cluster: &ClusterName, used: &TokenUse) -> Refused {
    let TokenUse { at: _, uid, key: _, from, approval: _ } = used;
    let from: &Arc<str> = from;
    let message = format!(
        "this join token was used already, by the cluster with UID {uid} from {from}: each is good for one agent, once. If \
         that was not you, `godwit revoke cluster {cluster}`; then make a new one with `godwit token create --cluster \
         {cluster} --again`"
    );
    refused(RefusedKind::FailedPrecondition, message)
}

/// What whoever shows it is counted by.
pub(super) fn token_called(hash: TokenHash) -> Arc<str> {
    format!("the holder of token {}", hash.id()).into()
}

pub(super) fn later(time: WallTime, by: Duration) -> WallTime {
    WallTime(time.0.saturating_add(u64::try_from(by.as_millis()).unwrap_or(u64::MAX)))
}
