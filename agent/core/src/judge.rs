//! The decision about one row, given what the member shows of its object: leave it, write it, or say why not.

use std::sync::Arc;

use godwit_common::link::LeaderTerm;
use godwit_common::{Fence, Uid};

use crate::ObjectSeen;
use crate::rows::{Row, is_kept};

/// In whose name a row is applied.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Authority {
    pub(crate) fence: Fence,
    pub(crate) term: LeaderTerm,
}

#[derive(Debug, Clone, PartialEq, Eq)]
pub(crate) enum Verdict {
    /// It is as it shall be.
    Settled,
    Write {
        version: Option<Arc<str>>,
        force: bool,
    },
    Blocked(Arc<str>),
}

/// What to do about a row whose object looks like this; `None` when a read has found nothing.
pub(crate) fn judge(uid: Uid, row: &Row, seen: Option<&ObjectSeen>, mine: Authority) -> Verdict {
    let Some(seen) = seen else {
        return Verdict::Write { version: None, force: false };
    };
    let adopt = Verdict::Write { version: Some(seen.version.clone()), force: true };
    if seen.deleting {
        return Verdict::Blocked("it is being deleted; it will be applied again when it is gone".into());
    }
    let Some(stamp) = seen.stamp else {
        return if seen.adopt {
            adopt
        } else {
            Verdict::Blocked(
                "it exists and is not managed by Godwit; annotate it with godwit.dev/adopt: \"true\" or delete it"
                    .into(),
            )
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
    if (stamp.fence.epoch, stamp.fence.generation) > (mine.fence.epoch, mine.fence.generation) {
        return Verdict::Blocked("a newer epoch or generation has written it".into());
    }
    if stamp.term.lease == mine.term.lease && stamp.term.transitions > mine.term.transitions {
        return Verdict::Blocked("a newer leader of this cluster's agents has written it".into());
    }
    if stamp.uid != uid && !is_kept(&row.key) {
        return Verdict::Blocked(
            format!("its former life {} is still there; its deletion comes first", stamp.uid).into(),
        );
    }
    if stamp.uid == uid
        && (stamp.revision, stamp.ordinals) == (row.revision, row.ordinals)
        && (row.replicas.is_none() || seen.replicas == row.replicas)
        && (row.charter.is_none() || seen.charter == row.charter)
    {
        return Verdict::Settled;
    }
    Verdict::Write { version: Some(seen.version.clone()), force: false }
}

/// Whether `seen` is `written` or newer. Kubernetes' versions are numbers for all built-in kinds and grow; if one is
/// not a number only equality counts, and a new listing settles the rest.
pub(crate) fn is_at_least(seen: &str, written: &str) -> bool {
    match (seen.parse::<u64>(), written.parse::<u64>()) {
        (Ok(seen), Ok(written)) => seen >= written,
        (Ok(_), Err(_)) | (Err(_), Ok(_)) | (Err(_), Err(_)) => seen == written,
    }
}
