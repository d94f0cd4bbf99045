//! The decision about one row, given what the member shows of its object: leave it, write it, or say why not.

use std::sync::Arc;

use godwit_common::link::{Difference, LeaderTerm, Original};
use godwit_common::policy::overrides::mark;
use godwit_common::{Fence, Uid};

use crate::rows::{Row, is_kept};
use crate::{ObjectSeen, Stamp};

/// In whose name a row is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority {
    pub(crate) fence: Fence,
    pub(crate) term: LeaderTerm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it shall be, or somebody else has made it different, and it is left so (S29).
    Stays(Left),
    Write {
        version: Option<Arc<str>>,
        force: bool,
        replicas: Option<u32>,
    },
    /// What a write would leave is to be known before its fields are called changed.
    Try {
        version: Arc<str>,
        replicas: Option<u32>,
    },
    Blocked(Arc<str>),
    /// Somebody else has to make it, or to leave its count to us: that the watch will show.
    Awaits(Arc<str>),
}

/// What an object that is not managed is to a row.
enum Imports {
    AsItWas,
    Changed,
    Another,
}

const UNMANAGED: &str =
    "it exists and is not managed by Godwit; annotate it with godwit.dev/adopt: \"true\" or delete it";
const CHANGED: &str = "it was changed since it was imported: import it again, with --from, to keep that or to set it back, or \
                       put it as it was";

/// What is different from a row, and left so (S29).
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub(crate) struct Left {
    pub(crate) difference: Option<Difference>,
    /// The fields, and who has them now; may be empty.
    pub(crate) edited: Arc<str>,
}

/// What to do about a row whose object looks like this; `None` when a read has found nothing.
pub(crate) fn judge(uid: Uid, row: &Row, seen: Option<&ObjectSeen>, mine: Authority) -> Verdict {
    if row.scale_only {
        return judge_count(row, seen);
    }
    let replicas = row.replicas;
    let Some(seen) = seen else {
        return match row.leaves_changes() {
            true => Verdict::Stays(Left { difference: Some(Difference::Deleted), edited: Arc::default() }),
            false => Verdict::Write { version: None, force: false, replicas },
        };
    };
    let adopt = Verdict::Write { version: Some(seen.version.clone()), force: true, replicas };
    if seen.deleting {
        return Verdict::Blocked("it is being deleted; it will be applied again when it is gone".into());
    }
    let Some(stamp) = seen.stamp else {
        return match row.imports(seen) {
            Imports::AsItWas => {
                // What an autoscaler has set meanwhile goes on (S29).
                let count = if seen.autoscaled { seen.replicas } else { replicas };
                Verdict::Write { version: Some(seen.version.clone()), force: true, replicas: count }
            }
            Imports::Changed | Imports::Another if seen.adopt => adopt,
            Imports::Changed => Verdict::Blocked(CHANGED.into()),
            Imports::Another => Verdict::Blocked(UNMANAGED.into()),
        };
    };
    if stamp.fence.federation != mine.fence.federation {
        return if seen.adopt {
            adopt
        } else {
            let owner = stamp.fence.federation;
            Verdict::Blocked(
                format!("it belongs to the federation {owner}; annotate it with godwit.dev/adopt: \"true\" to take it over")
                    .into(),
            )
        };
    }
    if let Some(by) = overruled(uid, row, &stamp, mine) {
        return Verdict::Blocked(by);
    }
    let write = |replicas, force| Verdict::Write { version: Some(seen.version.clone()), force, replicas };
    let autoscaled = row.leaves_count(seen);
    let count = if autoscaled { seen.replicas } else { replicas };
    let told = (row.revision, row.ordinals, row.bounds, mark(&row.overrides));
    if stamp.uid != uid || (stamp.revision, stamp.ordinals, stamp.bounds, stamp.overrides) != told {
        return write(count, false);
    }
    let edited = row.is_edited(seen);
    if edited && !row.drift.tolerated {
        return write(count, true);
    }
    let difference = match () {
        () if row.is_counted(seen.replicas) => None,
        () if autoscaled => Some(Difference::Autoscaled),
        () if row.leaves_changes() => Some(Difference::Scaled),
        () => return write(replicas, edited),
    };
    // What was written before, and is overtaken, is not to come about any more.
    let overtaken = row.unanswered.is_some();
    if edited && row.unkept.is_none() && !overtaken {
        return Verdict::Try { version: seen.version.clone(), replicas: seen.replicas };
    }
    // What is noted on it changes, and its count does not; but a note is no reason to write over what is left.
    let renoted = row.charter.is_some() && seen.charter != row.charter;
    if overtaken || renoted && !edited {
        return write(if difference.is_some() { seen.replicas } else { replicas }, edited);
    }
    let edited = if edited { seen.altered.clone() } else { Arc::default() };
    Verdict::Stays(Left { difference, edited })
}

/// What keeps this row from being written over an object of the same federation, if anything does (S10, S28).
fn overruled(uid: Uid, row: &Row, stamp: &Stamp, mine: Authority) -> Option<Arc<str>> {
    if (stamp.fence.epoch, stamp.fence.generation) > (mine.fence.epoch, mine.fence.generation) {
        return Some("a newer epoch or generation has written it".into());
    }
    if stamp.term.lease == mine.term.lease && stamp.term.transitions > mine.term.transitions {
        return Some("a newer leader of this cluster's agents has written it".into());
    }
    let former = stamp.uid != uid && !is_kept(&row.key);
    former.then(|| format!("its former life {} is still there; its deletion comes first", stamp.uid).into())
}

/// The same of a row of which only the count is ours (S33). Nothing of it says whose word the count is: that nobody overtaken
/// writes it is up to the Lease, and to the version that each write needs.
fn judge_count(row: &Row, seen: Option<&ObjectSeen>) -> Verdict {
    let Some(seen) = seen.filter(|seen| !seen.deleting) else {
        return Verdict::Awaits("waits for GitOps to create it".into());
    };
    if seen.stamp.is_some() {
        return Verdict::Awaits(
            "it carries the label godwit.dev/managed, as what is Godwit's own; remove it to leave only the count to Godwit"
                .into(),
        );
    }
    if !seen.scaled {
        return Verdict::Awaits("it lacks the label godwit.dev/mode: scale-only; write it into Git".into());
    }
    let difference = match () {
        () if row.is_counted(seen.replicas) => None,
        () if row.leaves_count(seen) => Some(Difference::Autoscaled),
        () if row.leaves_changes() => Some(Difference::Scaled),
        () => None,
    };
    let stays = row.is_counted(seen.replicas) || difference.is_some();
    if stays && row.unanswered.is_none() {
        return Verdict::Stays(Left { difference, edited: Arc::default() });
    }
    let replicas = if difference.is_some() { seen.replicas } else { row.replicas };
    Verdict::Write { version: Some(seen.version.clone()), force: true, replicas }
}

impl Row {
    /// Whether this very object was looked at when its workload was imported (S34). One that was made anew since is
    /// somebody else's, and what was changed since says what nobody has compared. Its count is not part of that: it is the
    /// hub's from the import on, and what happens to it by hand or by an autoscaler S29 says.
    fn imports(&self, seen: &ObjectSeen) -> Imports {
        match self.adopts.filter(|original| seen.uid.parse().ok() == Some(original.uid)) {
            Some(Original { content, .. }) if content == 0 || content == seen.content => Imports::AsItWas,
            Some(_) => Imports::Changed,
            None => Imports::Another,
        }
    }

    /// Whether what differs from it was changed by hand, and is to stay so (S29). What it says for the first time is
    /// written, whatever is there.
    fn leaves_changes(&self) -> bool {
        self.replicas.is_some() && self.drift.tolerated && self.drift.shown
    }

    /// Whether somebody has changed its fields since they were applied, beyond what an apply of ours leaves changed.
    fn is_edited(&self, seen: &ObjectSeen) -> bool {
        !seen.altered.is_empty() && self.unkept.as_ref() != Some(&seen.altered)
    }

    /// Whether the count is an autoscaler's in the cluster (S29). It begins from each count that the hub wants anew, and
    /// zero ends its work.
    fn leaves_count(&self, seen: &ObjectSeen) -> bool {
        let runs = |count: Option<u32>| count.is_some_and(|count| count > 0);
        seen.autoscaled && !self.drift.recount && runs(self.replicas) && runs(seen.replicas)
    }
}

/// Whether `seen` is `written` or newer. Kubernetes' versions are numbers for all built-in kinds and grow; if one is
/// not a number only equality counts, and a new listing settles the rest.
pub(crate) fn is_at_least(seen: &str, written: &str) -> bool {
    match (seen.parse::<u64>(), written.parse::<u64>()) {
        (Ok(seen), Ok(written)) => seen >= written,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) | (Err(_), Err(_)) => seen == written,
    }
}
