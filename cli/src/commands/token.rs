//! `godwit token`.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use godwit_proto::v1;

use super::emptying::time;
use super::role::{Reach, RoleName};
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Paint;
use crate::output::table::{Cell, Table};
use crate::output::text;

/// Make, list or delete tokens, with which the agents of new clusters enrol themselves, and operators log in.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Token {
    Create(Create),
    /// List the tokens that were made, and what became of them
    List,
    /// Delete a token before its time; a certificate that it was used for stays
    Delete {
        /// As `godwit token list` shows it
        id: String,
    },
}

/// Make a token with which the agent of one cluster enrols itself, or an operator logs in, once.
///
/// The token is printed on standard output, and shown nowhere again. Whoever holds it may enrol a cluster, or log in as an
/// operator, under that name: hand it over as you would a password.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit token create --cluster east > east.token
  godwit-agent --hub hub.example.com:8443 --identity-directory /var/lib/godwit-agent --join-token-file east.token
  godwit token create --operator bob --role deployer --namespace shop > bob.token
  godwit login hub.example.com --token-file bob.token")]
pub(crate) struct Create {
    /// The name under which the cluster joins
    #[arg(long, value_name = "NAME", required_unless_present = "operator", conflicts_with = "operator")]
    cluster: Option<String>,
    /// The name under which the operator logs in
    #[arg(long, value_name = "NAME")]
    operator: Option<String>,
    /// How long it may be used, from 1s to 168h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = time)]
    ttl: Option<Duration>,
    /// The cluster is a member already, and its agent needs a certificate anew; or the operator is revoked, and is let in anew
    #[arg(long)]
    again: bool,
    /// Whoever uses it waits until `godwit approve cluster`, as always where enrolment.approval is operator
    #[arg(long, conflicts_with = "operator")]
    approval: bool,
    /// What the operator may do from now on [default: what is bound, or `access.unbound` of the hub]
    #[arg(long, value_enum, conflicts_with = "cluster")]
    role: Option<RoleName>,
    #[command(flatten)]
    reach: Reach,
}

impl Token {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        match self {
            Self::Create(create) => create.run(&client).await,
            Self::List => list(&client).await,
            Self::Delete { id } => {
                answer(client.access().delete_token(v1::DeleteTokenRequest { id: id.clone() })).await?;
                Ok(writeln!(io::stdout(), "token/{} deleted", text::plain(&id))?)
            }
        }
    }
}

impl Create {
    async fn run(self, client: &Client) -> Result<(), Error> {
        let Self { cluster, operator, ttl, again, approval, role, reach } = self;
        if role.is_none() && reach.is_given() {
            return Err(Error::Usage(
                "namespaces, policies and a priority are those of a role: give --role".to_owned(),
            ));
        }
        let role = role.map(|role| reach.of(role));
        let ttl = ttl.map(prost_types::Duration::try_from).transpose();
        let ttl = ttl.map_err(|_| Error::Usage("--ttl is too long: it may be up to 168h".to_owned()))?;
        let (cluster, operator) = (cluster.unwrap_or_default(), operator.unwrap_or_default());
        let request = v1::CreateTokenRequest { cluster, ttl, again, approval, operator, role };
        let created = answer(client.access().create_token(request)).await?;
        writeln!(io::stdout(), "{}", text::plain(&created.token))?;
        let left = age::until(created.expires.as_ref(), SystemTime::now()).unwrap_or_default();
        // Beside the token, for people: a file that it is redirected to holds nothing else.
        eprintln!("token {} is good once, for {}", text::plain(&created.id), age::short(left));
        Ok(())
    }
}

async fn list(client: &Client) -> Result<(), Error> {
    let tokens = answer(client.access().list_tokens(v1::ListTokensRequest {})).await?.items;
    let now = SystemTime::now();
    let row = |token: &v1::Token| -> Vec<Cell> {
        let left = age::until(token.expires.as_ref(), now).unwrap_or_default();
        let state = match &token.used {
            Some(used) => format!("used {} ago from {}", age::since(Some(used), now), token.used_from),
            None if left.is_zero() => "expired".to_owned(),
            None => format!("good for {}", age::short(left)),
        };
        let created = age::since(token.created.as_ref(), now);
        let whose = match token.operator.as_str() {
            "" => format!("cluster/{}", token.cluster),
            operator => format!("operator/{operator}"),
        };
        [&token.id, &whose, &state, &token.created_by, &created].map(|text| Cell::from(&**text)).to_vec()
    };
    let rows: Vec<Vec<Cell>> = tokens.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(writeln!(io::stdout(), "no token was made of late")?);
    }
    let mut table = Table::new(vec!["ID", "FOR", "STATE", "BY", "AGE"]);
    Ok(table.print(&rows, Paint::Never, &mut io::stdout().lock())?)
}
