//! What an agent wants done.

use std::fmt;
use std::sync::Arc;
use std::time::Duration;

use godwit_common::link::{Charter, Difference, Hello, LeaderTerm, RefusalCode, Summons, Up};
use godwit_common::{Fence, Need, ObjectKey, Uid};

use crate::member::{FenceRecord, Kind, Stamp};

/// A connection to a hub; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct SessionId(pub u64);

/// A call under way; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct OpId(pub u64);

/// A watch; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct WatchId(pub u64);

/// A question of a supervisor; never reused.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord, Default)]
pub struct AskId(pub u64);

/// An output of [`crate::Agent::step`], to be done in order. None of them blocks the next.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Effect {
    /// Connect, and say hello as the first message. There is one session at a time.
    Dial {
        /// The session's name.
        session: SessionId,
        /// `host:port`.
        address: Arc<str>,
        /// The first message.
        hello: Hello,
    },
    /// Send on the open session.
    Send {
        /// Which session.
        session: SessionId,
        /// What.
        message: Up,
    },
    /// Close the session, after what was sent before.
    Hangup {
        /// Which session.
        session: SessionId,
    },
    /// Call the member's API server.
    Call {
        /// Answered by [`crate::Event::Done`].
        op: OpId,
        /// What.
        call: Call,
    },
    /// Begin to watch.
    Watch {
        /// Named in every [`crate::Event::Watched`].
        watch: WatchId,
        /// What.
        scope: Scope,
    },
    /// End a watch.
    Unwatch {
        /// Which.
        watch: WatchId,
    },
    /// Answer supervisors (S9).
    Admit {
        /// Which question.
        ask: AskId,
        /// How long processes may run, counted on the clock of whoever *asked*, from then on: then they begin to end. None:
        /// this agent has nothing to say. What runs may do so in any case for as long as was last said.
        lasts: Option<Duration>,
        /// Those of the lives that are to run here; no process of another may start.
        uids: Vec<Uid>,
    },
    /// Tell the operator.
    Log(Log),
    /// All is said and given back: end the process.
    Exit,
}

/// What a watch shows.
#[derive(Debug, Clone, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// All nodes.
    Nodes,
    /// All pods of all namespaces.
    Pods,
    /// The objects of a kind that carry the label [`crate::labels::MANAGED`], with their count.
    Workloads(Kind),
    /// The objects of a kind that carry the label [`crate::labels::MODE`] with the value [`crate::labels::SCALE_ONLY`], with
    /// their count.
    Scaled(Kind),
    /// The objects of a kind that carry the label [`crate::labels::MANAGED`], by their metadata alone.
    Objects(Kind),
    /// The one ConfigMap [`crate::labels::SUMMONS`] (S24).
    Summons,
}

/// A call of the member's API server. Reads go to the source, never to a cache. The shell bounds each in time.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Call {
    /// Answered by [`crate::Reply::Identity`].
    ReadIdentity,
    /// Answered by [`crate::Reply::Lease`].
    ReadLease,
    /// Answered by [`crate::Reply::Lease`] with what was written.
    WriteLease(LeaseWrite),
    /// Answered by [`crate::Reply::Fence`].
    ReadFence,
    /// Answered by [`crate::Reply::Fence`] with what was written.
    WriteFence {
        /// What to write.
        record: FenceRecord,
        /// The `resourceVersion` that it must have; `None`: it must not exist.
        version: Option<Arc<str>>,
    },
    /// Answered by [`crate::Reply::Summons`].
    ReadSummons,
    /// Answered by [`crate::Reply::Summons`] with what was written.
    WriteSummons {
        /// What to write.
        summons: Summons,
        /// The `resourceVersion` that it must have; `None`: it must not exist.
        version: Option<Arc<str>>,
    },
    /// Answered by [`crate::Reply::Object`].
    Read {
        /// Which object.
        key: ObjectKey,
        /// Also count the pods that belong to it.
        pods: bool,
    },
    /// Server-side apply as [`crate::labels::FIELD_MANAGER`]. Answered by [`crate::Reply::Applied`].
    Apply(Apply),
    /// Delete. Answered by [`crate::Reply::Deleted`].
    Delete {
        /// Which object.
        key: ObjectKey,
        /// The own UID that it must have (S28).
        uid: Arc<str>,
        /// The `resourceVersion` that it must have.
        version: Arc<str>,
        /// It stays until what it owns is gone. A custom resource alone says which pods are its own: without it nobody could
        /// tell when they are gone.
        foreground: bool,
    },
    /// Make the namespace, labelled [`crate::labels::MANAGED_NAMESPACE`], unless it exists.
    /// Answered by [`crate::Reply::NamespaceReady`].
    CreateNamespace {
        /// Its name.
        name: Arc<str>,
    },
    /// Look whether the API server serves the kind, or has the object. Answered by [`crate::Reply::Need`]; that it may
    /// not be looked at is an answer too.
    CheckNeed {
        /// What to look for.
        need: Need,
    },
}

/// A write of the Lease.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct LeaseWrite {
    /// The new holder; empty gives it back.
    pub holder: Arc<str>,
    /// The new `leaseTransitions`.
    pub transitions: u64,
    /// The new `leaseDurationSeconds`.
    pub duration: Duration,
    /// Whether the holder is new: `acquireTime` is set to now. `renewTime` always is.
    pub acquired: bool,
    /// The `resourceVersion` that it must have; `None`: it must not exist.
    pub version: Option<Arc<str>>,
}

/// An object to write.
#[derive(Clone, PartialEq, Eq)]
pub struct Apply {
    /// Which.
    pub key: ObjectKey,
    /// The manifest as JSON.
    pub manifest: Arc<str>,
    /// What is different here: to be carried out on the manifest ([`godwit_common::policy::overrides::changes_in`]).
    pub overrides: Arc<str>,
    /// `spec.replicas`, for a workload.
    pub replicas: Option<u32>,
    /// Its pods are to have a supervisor (S9); only where [`crate::Config::supervises`] says that they can.
    pub supervised: bool,
    /// Written as labels and annotations.
    pub stamp: Stamp,
    /// Kept on a workload for a hub that has lost its store (S10).
    pub charter: Option<Arc<Charter>>,
    /// The `resourceVersion` that it must have; `None` when a read found nothing.
    ///
    /// A server-side apply cannot demand that the object does not exist. If somebody creates it between the read and the
    /// apply, and a field that both set differs, that is a [`crate::CallError::FieldConflict`], and it is read again: such
    /// an apply is never forced. If none differs it becomes ours. That is accepted: a create by POST would exclude it, but
    /// leaves all fields with an `Update` of our field manager, and then no later apply removes a field that a new
    /// revision drops.
    pub version: Option<Arc<str>>,
    /// Take fields that others own.
    pub force: bool,
    /// Write nothing: the answer is what the write would have left.
    pub dry_run: bool,
    /// Write the count alone, through the subresource `scale` (S33): the manifest is somebody else's to apply.
    pub scale_only: bool,
    /// It was somebody else's until now: what people's tools have written of it is Godwit's alone from now on, so that a field
    /// that a new revision drops goes (S34).
    pub takes_over: bool,
}

impl fmt::Debug for Apply {
    /// The manifest stays out of logs: it may hold a Secret.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self {
            key,
            manifest,
            overrides,
            replicas,
            supervised,
            stamp,
            charter: _,
            version,
            force,
            dry_run,
            scale_only,
            takes_over,
        } = self;
        f.debug_struct("Apply")
            .field("key", key)
            .field("manifest_bytes", &manifest.len())
            .field("overrides_bytes", &overrides.len())
            .field("replicas", replicas)
            .field("supervised", supervised)
            .field("stamp", stamp)
            .field("version", version)
            .field("force", force)
            .field("dry_run", dry_run)
            .field("scale_only", scale_only)
            .field("takes_over", takes_over)
            .finish()
    }
}

/// A line for the agent's operator. Said when something changes, not each time that it is found unchanged.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Log {
    /// A hub welcomed this agent.
    Connected(Arc<str>),
    /// The connection failed or was lost, or could not be made.
    Disconnected(Arc<str>),
    /// The hub has enough agents of this cluster.
    StandingBy(Duration),
    /// The hub refused this agent: its operator must act.
    Refused {
        /// For programs.
        code: RefusalCode,
        /// What is wrong, and the remedy.
        message: Arc<str>,
    },
    /// This agent leads.
    Leading(LeaderTerm),
    /// This agent leads no more, and why.
    Following(&'static str),
    /// Targets were accepted.
    Accepted(Fence),
    /// The watch shows all that the accepted targets ask for, except for what has a problem.
    Applied(Fence),
    /// Targets were not accepted, and why.
    Rejected(&'static str),
    /// A row cannot be applied, or an ended life not removed, and why.
    Problem {
        /// Which object.
        key: ObjectKey,
        /// Why.
        problem: Arc<str>,
    },
    /// Somebody else has made an object different from its row, and it is left so (S29).
    Left {
        /// Which object.
        key: ObjectKey,
        /// How.
        difference: Difference,
    },
    /// Somebody else has changed fields of an object, and they are left so (S29).
    Edited {
        /// Which object.
        key: ObjectKey,
        /// The fields, and who has them now.
        fields: Arc<str>,
    },
    /// Somebody else had fields that the manifest sets: they are ours now (S26).
    Overruled {
        /// Which object.
        key: ObjectKey,
        /// The API server's words: who had what.
        message: Arc<str>,
    },
    /// A call of the API server that the agent itself needs failed, and why.
    Trouble {
        /// What it was for.
        what: &'static str,
        /// Why it failed.
        reason: Arc<str>,
    },
    /// What a workload needs may not be looked at, so that it counts as there. Said once for each kind.
    Unreadable {
        /// The first of its kind.
        need: Need,
        /// Why not.
        reason: Arc<str>,
    },
}

impl fmt::Display for Log {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Connected(address) => write!(f, "connected to hub {address}"),
            Self::Disconnected(reason) => write!(f, "no connection to a hub: {reason}"),
            Self::StandingBy(wait) => {
                write!(f, "standing by: the hub has enough agents; next try in {wait:?}")
            }
            Self::Refused { code, message } => write!(f, "the hub refused this agent ({code:?}): {message}"),
            Self::Leading(term) => write!(f, "leading, term {} of lease {}", term.transitions, term.lease),
            Self::Following(why) => write!(f, "no longer leading: {why}"),
            Self::Accepted(fence) => {
                write!(f, "accepted epoch {} generation {}", fence.epoch, fence.generation)
            }
            Self::Applied(fence) => {
                write!(f, "applied epoch {} generation {}", fence.epoch, fence.generation)
            }
            Self::Rejected(why) => write!(f, "targets not accepted: {why}"),
            Self::Problem { key, problem } => write!(f, "{key}: {problem}"),
            Self::Left { key, difference } => {
                let how = match difference {
                    Difference::Scaled => "was scaled by hand",
                    Difference::Autoscaled => "was scaled by an autoscaler",
                    Difference::Deleted => "was deleted by hand",
                };
                write!(f, "{key} {how}; it stays so")
            }
            Self::Edited { key, fields } => write!(f, "{key} was changed by hand: {fields}; it stays so"),
            Self::Overruled { key, message } => write!(f, "{key}: overruled: {message}"),
            Self::Trouble { what, reason } => write!(f, "{what} failed: {reason}"),
            Self::Unreadable { need, reason } => write!(
                f,
                "a workload needs {need}, which counts as there, as this agent may not look: {reason}; let it get \
                 objects of this kind"
            ),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_manifest_is_in_no_log_line() {
        let call = Call::Apply(Apply {
            key: ObjectKey::new("v1", "Secret", "shop", "login").expect("a valid key"),
            manifest: r#"{"stringData":{"password":"hunter2"}}"#.into(),
            overrides: Arc::default(),
            replicas: None,
            supervised: false,
            scale_only: false,
            takes_over: false,
            stamp: Stamp::default(),
            charter: None,
            version: None,
            force: false,
            dry_run: false,
        });
        let line = format!("{call:?}");
        assert!(line.contains("login") && !line.contains("hunter2"), "{line}");
    }
}
