//! Who is kept out: whoever is revoked, and of a name that another cluster had before what that one was issued (S23).

use godwit_common::{ClusterName, Uid, WallTime};

use super::refused;
use crate::contract::{
    Action, Admits, Answer, Changes, Former, Key, Refused, RefusedKind, Revocation, RevocationRecord,
    Severity, Subject, TokenHash, TokenRecord,
};
use crate::hub::{Hub, Timer};

/// The most revocations.
const REVOCATIONS_MAX: usize = 10_000;
/// The most names of which only is remembered that another cluster had them.
const FORMERS_MAX: usize = 1_000;

impl Hub {
    pub(super) fn revoke(&mut self, what: Revocation) -> Result<Answer, Refused> {
        let known = self.revocations.get(&what);
        let former = known.and_then(|known| known.former);
        let action = match known {
            Some(known) if known.readmitted.is_none() => Action::Unchanged,
            Some(known) if !known.is_about_names() => Action::Configured,
            Some(_) | None => Action::Created,
        };
        let changes = Changes::default();
        if action == Action::Unchanged {
            // Those that were made since it was revoked: whoever says it again means it.
            let ended = self.drop_tokens_with(&what);
            if ended == 0 {
                return Ok(Answer::Applied { action, changes });
            }
            let message = format!("{ended} tokens that were made for it since then are worth nothing");
            self.note_command(Severity::Warning, "S23", reason_of(&what), what.name(), message);
            return Ok(Answer::Applied { action: Action::Configured, changes });
        }
        let kept_out = self.revocations.values().filter(|record| !record.is_about_names());
        if action == Action::Created && kept_out.count() >= REVOCATIONS_MAX {
            let message = format!(
                "{REVOCATIONS_MAX} revocations are kept, and no more: end those with --undo whose certificates have ended"
            );
            return Err(refused(RefusedKind::ResourceExhausted, message));
        }
        let (reason, message) = match &what {
            Revocation::Cluster(_) => {
                ("ClusterRevoked", "its agents are kept out, and what it ran is replaced as after a loss")
            }
            Revocation::Admin(_) => {
                ("AdminRevoked", "the operator is kept out, and the operator's tokens are gone")
            }
            Revocation::Serial(_) => ("CertificateRevoked", "whoever shows this certificate is kept out"),
        };
        self.note_command(Severity::Warning, "S23", reason, what.name(), message);
        if let Revocation::Cluster(name) = &what {
            // In this very step, once the command is carried out.
            self.wake_at(self.now.time, Timer::Revoked(name.clone()));
            // What it has pinned counts for nothing until that is undone, and goes when it is let in by a token. Of one that
            // never came there is nothing to undo.
            if !self.clusters.contains_key(name) {
                self.unpin_issuer(name);
            }
        }
        self.drop_tokens_with(&what);
        let by = self.operator.clone();
        self.put_revocation(RevocationRecord { what, by, at: self.now.wall, readmitted: None, former });
        Ok(Answer::Applied { action, changes })
    }

    /// The tokens of whoever is revoked go, used or not.
    fn drop_tokens_with(&mut self, what: &Revocation) -> usize {
        match what {
            Revocation::Cluster(name) => self.drop_tokens_of(&Admits::Cluster(name.clone())),
            Revocation::Admin(name) => self.drop_tokens_of(&Admits::Operator(name.clone())),
            Revocation::Serial(_) => 0,
        }
    }

    pub(super) fn end_revocation(&mut self, what: &Revocation) -> Result<Answer, Refused> {
        let (kind, name) = (what.kind(), what.name());
        let known = self.revocations.get(what).filter(|known| !known.is_about_names()).cloned();
        let Some(known) = known else {
            let message = format!("{kind} {name} is not revoked; `godwit revoke list` shows who is");
            return Err(refused(RefusedKind::NotFound, message));
        };
        if known.former.is_some() {
            self.put_revocation(RevocationRecord { readmitted: Some(WallTime(0)), ..known });
        } else {
            self.drop_revocation(what);
        }
        let message = "certificates that have not ended are good again";
        self.note_command(Severity::Warning, "S23", "RevocationEnded", name, message);
        Ok(Answer::Applied { action: Action::Configured, changes: Changes::default() })
    }

    /// A cluster has lost its name: what it was issued is not the next one's.
    pub(crate) fn note_former(&mut self, name: &ClusterName, uid: Uid) {
        let by_it = |token: &&TokenRecord| {
            token.admits == Admits::Cluster(name.clone())
                && token.used.as_ref().is_some_and(|used| used.uid == uid)
        };
        let used: Vec<TokenHash> = self.tokens.values().filter(by_it).map(|token| token.hash).collect();
        used.iter().for_each(|hash| self.drop_token(*hash));
        let what = Revocation::Cluster(name.clone());
        let former = Some(Former { uid, at: self.now.wall });
        let record = match self.revocations.get(&what) {
            Some(known) => RevocationRecord { former, ..known.clone() },
            None => {
                self.make_room_for_a_former();
                let readmitted = Some(WallTime(0));
                RevocationRecord { what, by: self.operator.clone(), at: self.now.wall, readmitted, former }
            }
        };
        self.put_revocation(record);
    }

    fn make_room_for_a_former(&mut self) {
        let formers = self.revocations.values().filter(|record| record.is_about_names());
        if formers.clone().count() >= FORMERS_MAX
            && let Some(oldest) = formers.min_by_key(|record| record.at).map(|record| record.what.clone())
        {
            self.drop_revocation(&oldest);
        }
    }

    fn drop_revocation(&mut self, what: &Revocation) {
        self.revocations.remove(what);
        self.touched.keys.insert(Key::Revocation(what.clone()));
        self.touched.subjects.insert(Subject::Federation);
    }

    pub(super) fn put_revocation(&mut self, record: RevocationRecord) {
        self.touched.keys.insert(Key::Revocation(record.what.clone()));
        self.touched.subjects.insert(Subject::Federation);
        self.revocations.insert(record.what.clone(), record);
    }
}

fn reason_of(what: &Revocation) -> &'static str {
    match what {
        Revocation::Cluster(_) => "ClusterRevoked",
        Revocation::Admin(_) => "AdminRevoked",
        Revocation::Serial(_) => "CertificateRevoked",
    }
}
