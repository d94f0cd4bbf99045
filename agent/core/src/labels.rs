//! The names that Godwit writes into member clusters.

/// The field manager of every apply (S26).
pub const FIELD_MANAGER: &str = "godwit";
/// Label on every managed object, with the value [`TRUE`]; the watches select by it.
pub const MANAGED: &str = "godwit.dev/managed";
/// Label: the UID of the life that an object belongs to (S28).
pub const UID: &str = "godwit.dev/uid";
/// Annotation: the revision of the manifest that was applied.
pub const REVISION: &str = "godwit.dev/revision";
/// Annotation: how much higher a StatefulSet's ordinals begin than its manifest says, where they do (S32).
pub const ORDINALS: &str = "godwit.dev/ordinals";
/// Annotation: the bounds that stand in place of the manifest's, as `MIN/MAX`, where there are any (S29).
pub const BOUNDS: &str = "godwit.dev/bounds";
/// Annotation: what is different about the object here from the manifest that is kept, as JSON, where anything is.
pub const OVERRIDES: &str = "godwit.dev/overrides";
/// Label on the pods of a CronJob's Jobs: its name, since a pod names its Job alone (S33).
pub const CRON_JOB: &str = "godwit.dev/cron-job";
/// Annotation: the federation whose target was applied.
pub const FEDERATION: &str = "godwit.dev/federation";
/// Annotation: the epoch of the target that was applied (S10).
pub const EPOCH: &str = "godwit.dev/epoch";
/// Annotation: the generation of the target that was applied (S10).
pub const GENERATION: &str = "godwit.dev/generation";
/// Annotation: the reign that applied it, as `LEASE_UID/TRANSITIONS` (S24).
pub const TERM: &str = "godwit.dev/term";
/// Annotation: the manifest that was applied, as JSON; not on objects whose manifest is larger than
/// [`MANIFEST_KEPT_MAX`] (S10).
pub const MANIFEST: &str = "godwit.dev/manifest";
/// Kubernetes lets the annotations of an object have 256 KiB together, and those in the manifest are written twice.
pub const MANIFEST_KEPT_MAX: usize = 96 * 1024;
/// Annotation of workloads: what a hub has to know of them that has lost its store, as JSON (S10).
pub const CHARTER: &str = "godwit.dev/charter";
/// Label by which whoever makes a workload leaves its count to Godwit, and no more (S33).
pub const MODE: &str = "godwit.dev/mode";
/// Its value.
pub const SCALE_ONLY: &str = "scale-only";
/// Annotation that a person sets to [`TRUE`] on an existing object to hand it over to Godwit.
pub const ADOPT: &str = "godwit.dev/adopt";
/// Label on namespaces that were made because a managed object needed them; they are never deleted.
pub const MANAGED_NAMESPACE: &str = "godwit.dev/managed-namespace";
/// The value of flags.
pub const TRUE: &str = "true";
/// The name of the Lease that the agents elect their leader by (S24).
pub const LEASE: &str = "godwit-agent-leader";
/// Annotation of that Lease: where the agent that leads is asked what may run on a node, as `HOST:PORT` (S9).
pub const ASKED_AT: &str = "godwit.dev/asked-at";
/// The name of the ConfigMap that keeps the fence (S10).
pub const FENCE: &str = "godwit-fence";
/// The name of the ConfigMap that names the agents which stand by and are called (S24).
pub const SUMMONS: &str = "godwit-summons";
