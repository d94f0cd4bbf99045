//! `godwit role`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::{Args, Subcommand, ValueEnum};
use godwit_proto::v1;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Paint;
use crate::output::table::{Cell, Table};
use crate::output::text;

/// Say what operators may do, by the names in their certificates.
///
/// A viewer looks. A deployer deploys, scales, rolls out and deletes workloads in its namespaces. An operator runs the
/// federation: clusters, migrations, policies, quotas. An admin says who belongs to it, and who may do what. What is bound
/// counts from the next call on, and needs no new certificate.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  godwit role bind bob --role deployer --namespace shop --policy even --max-priority 10
  godwit role bind carol --role operator
  godwit role list
  godwit role unbind bob")]
pub(crate) enum Role {
    Bind(Bind),
    /// Say nothing any more of what somebody may do
    Unbind {
        /// The name in the certificate
        name: String,
    },
    /// List who may do what
    List,
}

/// Say what somebody may do, in the place of what was said before
#[derive(Debug, Args)]
pub(crate) struct Bind {
    /// The name in the certificate, which need not have been issued yet
    name: String,
    /// What they may do
    #[arg(long, value_enum)]
    role: RoleName,
    #[command(flatten)]
    reach: Reach,
}

/// How far a role reaches.
#[derive(Debug, Args)]
pub(crate) struct Reach {
    /// A namespace that a deployer deploys to, or the only ones that a viewer sees; may be repeated
    #[arg(long = "namespace", short, value_name = "NAMESPACE", value_delimiter = ',')]
    namespaces: Vec<String>,
    /// A policy that a deployer may use; may be repeated [default: every one up to the priority]
    #[arg(long = "policy", value_name = "POLICY", value_delimiter = ',')]
    policies: Vec<String>,
    /// The highest priority of a policy that a deployer may use, from -1000 to 1000 [default: 0]
    #[arg(long, value_name = "PRIORITY", allow_negative_numbers = true)]
    max_priority: Option<i32>,
}

/// As the hub knows them.
#[derive(Debug, Clone, Copy, ValueEnum)]
pub(crate) enum RoleName {
    Viewer,
    Deployer,
    Operator,
    Admin,
}

impl RoleName {
    fn as_str(self) -> &'static str {
        match self {
            Self::Viewer => "viewer",
            Self::Deployer => "deployer",
            Self::Operator => "operator",
            Self::Admin => "admin",
        }
    }
}

impl Role {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        match self {
            Self::Bind(bind) => bind.run(&client).await,
            Self::Unbind { name } => unbind(&client, name).await,
            Self::List => list(&client).await,
        }
    }
}

impl Bind {
    async fn run(self, client: &Client) -> Result<(), Error> {
        let Self { name, role, reach } = self;
        let request = v1::BindRoleRequest { name: name.clone(), ..reach.of(role) };
        let action = answer(client.access().bind_role(request)).await?.action;
        Ok(writeln!(io::stdout(), "role/{} {}", text::plain(&name), text::plain(&action))?)
    }
}

impl Reach {
    /// A role that reaches so far, without a name.
    pub(crate) fn of(self, role: RoleName) -> v1::BindRoleRequest {
        let Self { namespaces, policies, max_priority } = self;
        v1::BindRoleRequest {
            name: String::new(),
            role: role.as_str().to_owned(),
            namespaces,
            policies,
            max_priority: max_priority.unwrap_or_default(),
        }
    }

    /// Whether anything is said of it.
    pub(crate) fn is_given(&self) -> bool {
        !self.namespaces.is_empty() || !self.policies.is_empty() || self.max_priority.is_some()
    }
}

async fn unbind(client: &Client, name: String) -> Result<(), Error> {
    let left = answer(client.access().unbind_role(v1::UnbindRoleRequest { name: name.clone() })).await?.role;
    let left = if left.is_empty() { "may do nothing" } else { &left };
    Ok(writeln!(io::stdout(), "role/{} unbound: now {}", text::plain(&name), text::plain(left))?)
}

async fn list(client: &Client) -> Result<(), Error> {
    let v1::ListRolesResponse { items, unbound, admins } =
        answer(client.access().list_roles(v1::ListRolesRequest {})).await?;
    let now = SystemTime::now();
    let configured = admins
        .iter()
        .map(|name| [&**name, "admin", "", "", "", "configuration", ""].map(Cell::from).to_vec());
    let bound = items.iter().map(|one| {
        let priority = if one.role == "deployer" { one.max_priority.to_string() } else { String::new() };
        let (namespaces, policies) = (one.namespaces.join(","), one.policies.join(","));
        let age = age::since(one.at.as_ref(), now);
        [&*one.name, &*one.role, &*namespaces, &*policies, &*priority, &*one.by, &*age]
            .map(Cell::from)
            .to_vec()
    });
    let rows: Vec<Vec<Cell>> = configured.chain(bound).collect();
    let mut table = Table::new(vec!["NAME", "ROLE", "NAMESPACES", "POLICIES", "MAX PRIORITY", "BY", "AGE"]);
    if !rows.is_empty() {
        table.print(&rows, Paint::Never, &mut io::stdout().lock())?;
    }
    let others = match unbound.as_str() {
        "" => "everybody else has no role (access.unbound)".to_owned(),
        role => format!("everybody else is {role} (access.unbound)"),
    };
    Ok(writeln!(io::stdout(), "{}", text::plain(&others))?)
}
