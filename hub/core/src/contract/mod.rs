//! What goes in and what comes out: the closed enums of the machine, and the values that they carry.

mod access;
mod application;
mod cluster;
mod command;
mod effect;
mod event;
mod kinds;
mod migration;
mod parts;
mod record;
mod role;
mod rollout;
mod view;

pub use access::{
    AccessOrder, Admits, Approval, AuthorityStep, Enrolment, Former, Issuer, IssuerRecord, LogIn,
    PodEnrolment, Revocation, RevocationRecord, ShownIssuer, TokenHash, TokenRecord, TokenUse, Verdict,
};
pub use application::{
    Application, Deploy, Found, FoundObject, FoundWorkload, Import, ObjectSpec, PolicyChoice, WorkloadSpec,
};
pub use cluster::{ClusterRecord, ClusterTaint, Drain, DrainState, Purpose, RetiredRecord};
pub use command::{
    Action, Answer, Balanced, Command, Deployed, DeployedWorkload, DrainOrder, DrainTerms, MigrationOrder,
    Refused, RefusedKind,
};
pub use effect::{Effect, SessionId, Ticket};
pub use event::Event;
pub use migration::{
    Held, Loss, Migration, MigrationCause, MigrationId, MigrationState, Move, StateRevision,
};
pub use parts::{ClusterParts, Part, PartsView};
pub use record::{
    Cause, Ended, FederationRecord, Freeze, FreezeCause, JournalEntry, Key, ObjectRecord, ObjectRow, Policy,
    QuotaRecord, Record, Recovery, Request, Seat, Severity, WorkloadRecord, Yield,
};
pub use role::{Permit, Reach, Role, RoleBinding, RoleError, RoleSource, Roles, is_system};
pub use rollout::{
    HistoryView, Revision, RevisionState, RevisionView, Rollout, RolloutOrder, RolloutState, RolloutView,
};
pub use view::{
    ArrivalView, Changes, ClusterState, ClusterView, DrainView, FederationView, FlappingView, GateView,
    MigrationView, OrphanView, PlacementView, PlanChange, PlanRowView, PlanView, PolicyView, QuotaView,
    Subject, Survival, WhatIf, WhatIfView, WithdrawalId, WithdrawalView, WorkloadView,
};
