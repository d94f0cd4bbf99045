//! What happens to an agent.

use std::sync::Arc;

use godwit_common::link::{Down, Summons};
use godwit_common::{ObjectKey, Uid};

use crate::effect::{AskId, OpId, SessionId, WatchId};
use crate::member::{FenceSeen, Identity, LeaseSeen, NeedSeen, NodeSeen, ObjectSeen, PodSeen, SummonsSeen};

/// An input of [`crate::Agent::step`].
#[derive(Debug, Clone)]
pub enum Event {
    /// The deadline has come; also the first event after the start.
    Tick,
    /// The hub said something.
    Received {
        /// On which session.
        session: SessionId,
        /// What.
        message: Down,
    },
    /// The transport has taken one message of [`crate::Effect::Send`]: exactly one of these for each, in order, as
    /// long as the session lives. The hello of [`crate::Effect::Dial`] is not counted.
    Sent {
        /// On which session.
        session: SessionId,
    },
    /// The session has ended, or never came to be. Also follows a [`crate::Effect::Hangup`], where it is ignored.
    Closed {
        /// Which session.
        session: SessionId,
        /// Why, for people.
        reason: Arc<str>,
    },
    /// A call has ended: exactly one of these for each [`crate::Effect::Call`], in any order, within a bounded time.
    Done {
        /// Which call.
        op: OpId,
        /// How it ended.
        result: Result<Reply, CallError>,
    },
    /// A watch has news.
    Watched {
        /// Which watch.
        watch: WatchId,
        /// What.
        change: Change,
    },
    /// Supervisors of pods ask whether their processes may start, or run on (S9): an agent of their node does it for them.
    Asked {
        /// Which question: answered by [`crate::Effect::Admit`].
        ask: AskId,
        /// The lives of the workloads that the pods belong to.
        uids: Vec<Uid>,
    },
    /// The process shall end (SIGTERM).
    Stop,
}

/// The answer of the member's API server; which one belongs to which [`crate::Call`] is said there.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Reply {
    /// Who the cluster is.
    Identity(Identity),
    /// The Lease as it is now; `None` when there is none.
    Lease(Option<LeaseSeen>),
    /// The fence as it is now; `None` when there is none.
    Fence(Option<FenceSeen>),
    /// Who is called, as it stands now; `None` when nobody ever was.
    Summons(Option<SummonsSeen>),
    /// The object as it is now, and how many pods of the workload there are.
    Object {
        /// `None` when there is none.
        object: Option<ObjectSeen>,
        /// Zero unless they were asked for.
        pods: u32,
        /// Its manifest as it was applied, if that is kept on it ([`crate::labels::MANIFEST`]).
        manifest: Option<Arc<str>>,
    },
    /// The object as the apply left it.
    Applied(ObjectSeen),
    /// The deletion was accepted, or the object was gone already.
    Deleted,
    /// The namespace exists.
    NamespaceReady,
    /// Whether the cluster has what is needed.
    Need(NeedSeen),
}

/// Why a call failed.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum CallError {
    /// The precondition does not hold any more, or what was to be made exists already: nothing was written.
    Outdated,
    /// Other field managers own fields that the manifest sets: nothing was written.
    FieldConflict {
        /// The fields, such as `.spec.replicas`.
        fields: Vec<Arc<str>>,
        /// For people: who owns what.
        message: Arc<str>,
    },
    /// The object's namespace does not exist: nothing was written.
    NamespaceMissing,
    /// The API server refused it and would again: invalid, forbidden, a kind that it does not know.
    Refused(Arc<str>),
    /// No answer, or a transient one. Whether a write took place is unknown.
    Unavailable(Arc<str>),
}

/// News of a watch. Every watch begins with `Restarted`, then all that exists, then `Synced`; from there on changes.
/// A watch that lost its place begins anew in the same manner.
#[derive(Debug, Clone, PartialEq, Eq)]
pub enum Change {
    /// A complete listing begins: what it does not name until `Synced` does not exist.
    Restarted,
    /// The listing is complete.
    Synced,
    /// A node as it is now.
    Node(NodeSeen),
    /// A node is gone, by name.
    NodeGone(Arc<str>),
    /// A pod as it is now.
    Pod(PodSeen),
    /// A pod is gone.
    PodGone {
        /// Its namespace.
        namespace: Arc<str>,
        /// Its name.
        name: Arc<str>,
    },
    /// A managed object as it is now.
    Object(ObjectSeen),
    /// A managed object is gone, or carries our label no more.
    ObjectGone(ObjectKey),
    /// Agents are called (S24).
    Summoned(Summons),
    /// The watch cannot be had at present; the shell keeps trying.
    Failed {
        /// Why not.
        reason: Arc<str>,
        /// The API server has said so: an unknown kind, no permission. That will not pass by itself.
        lasting: bool,
    },
}
