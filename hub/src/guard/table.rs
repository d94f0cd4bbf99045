//! Who may call what: every method of every service that the hub serves, and nothing else.

use std::fmt;

use godwit_hub_core::Role;

/// Who may call a method at least.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub(crate) enum Least {
    /// Whoever reaches the port: the service itself looks at what it is shown.
    Anybody,
    /// Whoever has a certificate of this federation.
    Member,
    /// Members' agents.
    Agent,
    /// Operators, without a role, too.
    Operators,
    /// Operators of this role. What they are shown is bounded as they are.
    Role(Role),
    /// The same, but none that is bound to namespaces: it shows all of them at once.
    Everywhere(Role),
}

impl fmt::Display for Least {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Least::Anybody => f.write_str("anybody"),
            Least::Member => f.write_str("every certificate"),
            Least::Agent => f.write_str("agents"),
            Least::Operators => f.write_str("every operator"),
            Least::Role(role) => role.fmt(f),
            Least::Everywhere(role) => write!(f, "{role}, of all namespaces"),
        }
    }
}

use Least::{Agent, Anybody, Everywhere, Member, Operators, Role as Of};
use Role::{Admin, Deployer, Operator, Viewer};

/// By service and method, as the path of a request says them.
pub(crate) const TABLE: &[(&str, &[(&str, Least)])] = &[
    ("godwit.v1.AgentService", &[("Attach", Agent)]),
    // A token decides, or the certificate that is to be renewed.
    (
        "godwit.v1.EnrolmentService",
        &[("Enrol", Anybody), ("LogIn", Anybody), ("Renew", Anybody), ("ReportIssuer", Agent)],
    ),
    (
        "godwit.v1.AccessService",
        &[
            ("CreateToken", Of(Admin)),
            ("ListTokens", Of(Operator)),
            ("DeleteToken", Of(Admin)),
            ("ListEnrolments", Of(Operator)),
            ("ApproveEnrolment", Of(Admin)),
            ("DenyEnrolment", Of(Admin)),
            ("Revoke", Of(Admin)),
            ("ListRevocations", Of(Operator)),
            ("WhoAmI", Operators),
            ("BindRole", Of(Admin)),
            ("UnbindRole", Of(Admin)),
            ("ListRoles", Of(Operator)),
        ],
    ),
    (
        "godwit.v1.AuthorityService",
        &[
            ("GetAuthority", Of(Admin)),
            ("PrepareAuthority", Of(Admin)),
            ("AbandonAuthority", Of(Admin)),
            ("SwitchAuthority", Of(Admin)),
            ("FinishAuthority", Of(Admin)),
        ],
    ),
    (
        "godwit.v1.ClusterService",
        &[
            ("ListClusters", Of(Viewer)),
            ("ListOrphans", Of(Viewer)),
            ("GetCluster", Of(Viewer)),
            ("WatchClusters", Of(Viewer)),
            ("ConfirmRemoval", Of(Operator)),
            ("DeleteCluster", Of(Admin)),
            ("CordonCluster", Of(Operator)),
            ("DrainCluster", Of(Operator)),
            ("ConfirmDead", Of(Operator)),
            ("MaintainCluster", Of(Operator)),
            ("RetireCluster", Of(Admin)),
            ("ReplaceCluster", Of(Admin)),
            ("UncordonCluster", Of(Operator)),
            ("LabelCluster", Of(Operator)),
            ("TaintCluster", Of(Operator)),
        ],
    ),
    ("godwit.v1.EventService", &[("ListEvents", Of(Viewer)), ("WatchEvents", Of(Viewer))]),
    (
        "godwit.v1.FederationService",
        &[
            ("GetFederation", Of(Viewer)),
            ("ConfirmFreeze", Of(Operator)),
            ("ReleaseFreeze", Of(Operator)),
            // It holds everything, Secrets among it.
            ("Backup", Of(Admin)),
        ],
    ),
    (
        "godwit.v1.MigrationService",
        &[
            ("ListMigrations", Of(Viewer)),
            ("GetMigration", Of(Viewer)),
            ("WatchMigrations", Of(Viewer)),
            ("PauseMigration", Of(Operator)),
            ("ResumeMigration", Of(Operator)),
            ("CancelMigration", Of(Operator)),
        ],
    ),
    (
        "godwit.v1.PlacementService",
        &[("WatchPlacements", Of(Viewer)), ("AcknowledgePlacements", Of(Deployer))],
    ),
    ("godwit.v1.PlanService", &[("GetPlan", Of(Viewer)), ("WhatIf", Everywhere(Viewer))]),
    ("godwit.v1.PodService", &[("ListPods", Of(Viewer)), ("StreamLog", Of(Viewer))]),
    (
        "godwit.v1.PolicyService",
        &[
            ("ApplyPolicy", Of(Operator)),
            ("ListPolicies", Of(Viewer)),
            ("GetPolicy", Of(Viewer)),
            ("WatchPolicies", Of(Viewer)),
            ("DeletePolicy", Of(Operator)),
        ],
    ),
    (
        "godwit.v1.QuotaService",
        &[
            ("ApplyQuota", Of(Operator)),
            ("ListQuotas", Of(Viewer)),
            ("GetQuota", Of(Viewer)),
            ("WatchQuotas", Of(Viewer)),
            ("DeleteQuota", Of(Operator)),
        ],
    ),
    (
        "godwit.v1.RolloutService",
        &[
            ("PauseRollout", Of(Deployer)),
            ("ResumeRollout", Of(Deployer)),
            ("UndoRollout", Of(Deployer)),
            ("ListRevisions", Of(Viewer)),
        ],
    ),
    (
        "godwit.v1.WorkloadService",
        &[
            ("Deploy", Of(Deployer)),
            ("Import", Of(Deployer)),
            ("ScaleWorkload", Of(Deployer)),
            ("Rebalance", Of(Deployer)),
            ("DeleteWorkload", Of(Deployer)),
            ("ListWorkloads", Of(Viewer)),
            ("GetWorkload", Of(Viewer)),
            ("GetRenderedWorkload", Of(Viewer)),
            ("WatchWorkloads", Of(Viewer)),
        ],
    ),
    ("grpc.health.v1.Health", &[("Check", Member), ("Watch", Member)]),
    ("grpc.reflection.v1.ServerReflection", &[("ServerReflectionInfo", Member)]),
    ("grpc.reflection.v1alpha.ServerReflection", &[("ServerReflectionInfo", Member)]),
];

/// Who may call the method of this path, such as `/godwit.v1.EventService/ListEvents`; none if there is no such method.
pub(crate) fn least(path: &str) -> Option<Least> {
    let (service, method) = path.strip_prefix('/')?.split_once('/')?;
    let (_, methods) = TABLE.iter().find(|(name, _)| *name == service)?;
    methods.iter().find(|(name, _)| *name == method).map(|(_, least)| *least)
}

/// Methods that only show something, by how they are called: everything else is in the audit log, as is everything that is
/// refused. Logs of pods and backups are looked at, too, but are not shown to everybody.
const LOOKS: [&str; 9] =
    ["Attach", "Renew", "List", "Get", "Watch", "WhatIf", "WhoAmI", "Check", "ServerReflectionInfo"];

/// Whether a call goes into the audit log when it is answered well.
pub(crate) fn is_audited(path: &str) -> bool {
    let method = path.rsplit('/').next().unwrap_or(path);
    !LOOKS.iter().any(|look| method.starts_with(look))
}

#[cfg(test)]
mod tests {
    use std::collections::BTreeSet;

    use prost::Message;
    use prost_types::FileDescriptorSet;

    use super::*;

    /// The paths of all methods that a set of descriptors has.
    fn paths(descriptors: &[u8]) -> Vec<String> {
        let set = FileDescriptorSet::decode(descriptors).expect("descriptors");
        let mut paths = Vec::new();
        for file in &set.file {
            for service in &file.service {
                let methods = service.method.iter().map(|method| method.name());
                paths.extend(methods.map(|one| format!("/{}.{}/{one}", file.package(), service.name())));
            }
        }
        paths
    }

    /// A method that is added to the protocol is refused until somebody has said whose it is.
    #[test]
    fn every_method_is_in_the_table_once_and_nothing_else_is() {
        let served = [
            godwit_proto::DESCRIPTORS,
            tonic_health::pb::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1::FILE_DESCRIPTOR_SET,
            tonic_reflection::pb::v1alpha::FILE_DESCRIPTOR_SET,
        ];
        let served: BTreeSet<String> = served.iter().flat_map(|set| paths(set)).collect();
        let known: Vec<String> = TABLE
            .iter()
            .flat_map(|(service, methods)| methods.iter().map(move |(name, _)| format!("/{service}/{name}")))
            .collect();
        let once: BTreeSet<String> = known.iter().cloned().collect();
        assert_eq!(once.len(), known.len(), "a method is there twice");
        assert_eq!(once, served);
        assert!(served.iter().all(|path| least(path).is_some()));
    }

    #[test]
    fn what_is_no_method_is_nobodys() {
        for path in [
            "",
            "/",
            "/godwit.v1.EventService",
            "/godwit.v1.EventService/",
            "godwit.v1.EventService/ListEvents",
        ] {
            assert_eq!(least(path), None, "{path}");
        }
        assert_eq!(least("/godwit.v1.EventService/ListEvents/more"), None);
    }

    /// What changes something is in the audit log, whatever it will be called.
    #[test]
    fn only_what_shows_something_is_not_audited() {
        let not: Vec<&str> = TABLE
            .iter()
            .flat_map(|(_, methods)| methods.iter())
            .filter(|(method, _)| !is_audited(method))
            .map(|(method, _)| *method)
            .collect();
        for audited in
            ["Deploy", "StreamLog", "Backup", "Enrol", "BindRole", "AcknowledgePlacements", "Rebalance"]
        {
            assert!(is_audited(audited) && !not.contains(&audited), "{audited}");
        }
        assert!(not.iter().all(|method| LOOKS.iter().any(|look| method.starts_with(look))), "{not:?}");
        assert!(
            is_audited("/godwit.v1.Later/Added"),
            "what is new is audited until somebody says that it is not"
        );
    }

    /// The least that somebody can be is to look.
    #[test]
    fn what_changes_something_is_for_no_viewer() {
        let reads = ["List", "Get", "Watch", "Stream", "WhatIf", "WhoAmI", "Check", "ServerReflectionInfo"];
        for (service, methods) in TABLE {
            for (method, least) in *methods {
                let looks = reads.iter().any(|read| method.starts_with(read));
                let of_viewers =
                    matches!(least, Least::Role(Viewer) | Least::Everywhere(Viewer) | Least::Operators);
                assert!(looks || !of_viewers, "{service}/{method} is for {least}");
            }
        }
    }
}
