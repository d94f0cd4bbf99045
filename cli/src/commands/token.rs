//! `godwit token`.

use std::io::{self, Write};
use std::time::{Duration, SystemTime};

use clap::{Args, Subcommand};
use godwit_proto::v1;

use super::emptying::time;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Paint;
use crate::output::table::{Cell, Table};
use crate::output::text;

/// Make, list or delete join tokens, with which the agents of new clusters enrol themselves.
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

/// Make a token with which the agent of one cluster enrols itself, once.
///
/// The token is printed on standard output, and shown nowhere again. Whoever holds it may enrol a cluster under that name:
/// hand it over as you would a password.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit token create --cluster east > east.token
  godwit-agent --hub hub.example.com:8443 --identity-directory /var/lib/godwit-agent --join-token-file east.token")]
pub(crate) struct Create {
    /// The name under which the cluster joins
    #[arg(long, value_name = "NAME")]
    cluster: String,
    /// How long it may be used, from 1s to 168h [default: 15m]
    #[arg(long, value_name = "DURATION", value_parser = time)]
    ttl: Option<Duration>,
    /// The cluster is a member already, and its agent needs a certificate anew
    #[arg(long)]
    again: bool,
    /// Whoever uses it waits until `godwit approve cluster`, as always where enrolment.approval is operator
    #[arg(long)]
    approval: bool,
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
        let Self { cluster, ttl, again, approval } = self;
        let ttl = ttl.map(prost_types::Duration::try_from).transpose();
        let ttl = ttl.map_err(|_| Error::Usage("--ttl is too long: it may be up to 168h".to_owned()))?;
        let request = v1::CreateTokenRequest { cluster, ttl, again, approval };
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
        [&token.id, &token.cluster, &state, &token.created_by, &created]
            .map(|text| Cell::from(&**text))
            .to_vec()
    };
    let rows: Vec<Vec<Cell>> = tokens.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(writeln!(io::stdout(), "no token was made of late")?);
    }
    let mut table = Table::new(vec!["ID", "CLUSTER", "STATE", "BY", "AGE"]);
    Ok(table.print(&rows, Paint::Never, &mut io::stdout().lock())?)
}
