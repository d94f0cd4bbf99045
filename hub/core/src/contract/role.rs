//! What operators may do: a table of names, roles and bounds. Who somebody is, the certificate says; what they may do stands
//! here, so that it can be changed without a new certificate.

use std::collections::{BTreeMap, BTreeSet};
use std::fmt;
use std::str::FromStr;
use std::sync::Arc;

use godwit_common::{PolicyName, WallTime};

/// What somebody may do. Each may do what the ones before it may.
#[derive(Debug, Clone, Copy, PartialEq, Eq, PartialOrd, Ord)]
pub enum Role {
    /// Look, and change nothing.
    Viewer,
    /// Deploy, scale, roll out and delete workloads in its namespaces.
    Deployer,
    /// Run the federation: clusters, migrations, policies, quotas, and every workload.
    Operator,
    /// Say who belongs to the federation, and who may do what.
    Admin,
}

impl Role {
    /// All of them, the least first.
    pub const ALL: [Role; 4] = [Role::Viewer, Role::Deployer, Role::Operator, Role::Admin];

    /// As people write it.
    pub fn name(self) -> &'static str {
        match self {
            Role::Viewer => "viewer",
            Role::Deployer => "deployer",
            Role::Operator => "operator",
            Role::Admin => "admin",
        }
    }
}

impl fmt::Display for Role {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.pad(self.name())
    }
}

/// A text that names no role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub struct RoleError;

impl fmt::Display for RoleError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str("it is not a role: write viewer, deployer, operator or admin")
    }
}

impl std::error::Error for RoleError {}

impl FromStr for Role {
    type Err = RoleError;

    fn from_str(text: &str) -> Result<Self, RoleError> {
        Role::ALL.into_iter().find(|role| role.name() == text).ok_or(RoleError)
    }
}

/// How far a role reaches, of those that do not reach everywhere.
#[derive(Debug, Clone, PartialEq, Eq, Default)]
pub struct Reach {
    /// Only these namespaces; empty: all of them. A deployer has some.
    pub namespaces: BTreeSet<Arc<str>>,
    /// Only these policies; empty: every one up to the priority.
    pub policies: BTreeSet<PolicyName>,
    /// No policy of a higher priority (S16).
    pub max_priority: i32,
}

/// What somebody may do, and where.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct Permit {
    /// What.
    pub role: Role,
    /// Where; of operators and admins: everywhere.
    pub reach: Reach,
}

impl Permit {
    /// A role that reaches everywhere.
    pub fn of(role: Role) -> Self {
        Self { role, reach: Reach::default() }
    }

    /// Whether what is in a namespace may be looked at.
    pub fn sees(&self, namespace: &str) -> bool {
        self.reach.namespaces.is_empty() || self.reach.namespaces.contains(namespace)
    }

    /// Whether it reaches into some namespaces only.
    pub fn is_bounded(&self) -> bool {
        !self.reach.namespaces.is_empty()
    }
}

impl fmt::Display for Permit {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let Self { role, reach: Reach { namespaces, policies, max_priority } } = self;
        write!(f, "{role}")?;
        if !namespaces.is_empty() {
            let names: Vec<&str> = namespaces.iter().map(|name| &**name).collect();
            write!(f, " in {}", names.join(", "))?;
        }
        if *role == Role::Deployer {
            let names: Vec<&str> = policies.iter().map(PolicyName::as_str).collect();
            let under = if names.is_empty() { "any policy".to_owned() } else { names.join(", ") };
            write!(f, ", under {under} up to priority {max_priority}")?;
        }
        Ok(())
    }
}

/// Somebody's role.
#[derive(Debug, Clone, PartialEq, Eq)]
pub struct RoleBinding {
    /// Whose, as the certificate says it.
    pub name: Arc<str>,
    /// Which.
    pub permit: Permit,
    /// By whose word.
    pub by: Arc<str>,
    /// Since when.
    pub at: WallTime,
}

/// Why somebody has a role.
#[derive(Debug, Clone, Copy, PartialEq, Eq)]
pub enum RoleSource {
    /// The configuration names them as an admin, whatever is bound.
    Configured,
    /// It was bound.
    Bound,
    /// Nothing is said of them: the configuration says what that means.
    Unbound,
}

/// Who may do what.
#[derive(Debug, Clone, Default, PartialEq, Eq)]
pub struct Roles {
    /// What somebody without a binding may do; none: nothing.
    pub unbound: Option<Role>,
    /// Admins by the configuration: with their certificates one gets in again, whatever was bound.
    pub admins: BTreeSet<Arc<str>>,
    /// Durable.
    pub bindings: BTreeMap<Arc<str>, RoleBinding>,
}

impl Roles {
    /// What somebody may do, and why; without a permit, nothing.
    pub fn of(&self, name: &str) -> (Option<Permit>, RoleSource) {
        if self.admins.contains(name) {
            return (Some(Permit::of(Role::Admin)), RoleSource::Configured);
        }
        match self.bindings.get(name) {
            Some(binding) => (Some(binding.permit.clone()), RoleSource::Bound),
            None => (self.unbound.map(Permit::of), RoleSource::Unbound),
        }
    }
}

/// Whether a namespace is Kubernetes' own, or that of Godwit's agents: whoever deploys there is in charge of the member.
pub fn is_system(namespace: &str) -> bool {
    namespace.starts_with("kube-") || namespace == "godwit-system"
}
