//! `godwit revoke`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::{Args, Subcommand};
use godwit_proto::v1;
use godwit_proto::v1::revoke_request::What;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Paint;
use crate::output::table::{Cell, Table};
use crate::output::text;

/// Keep out whoever shows certificates of a cluster or an operator, or one certificate.
///
/// It counts at once: connections are cut, and handshakes refused. What a revoked cluster ran is replaced as after a loss,
/// without asking it: what still runs there is stopped by nobody. A join token that is used later lets the cluster in again.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
#[command(after_help = "\
Examples:
  godwit revoke cluster east
  godwit revoke admin alice
  godwit revoke serial 4a0bd2…
  godwit revoke admin alice --undo")]
pub(crate) enum Revoke {
    /// All certificates of a cluster's agents
    Cluster(Name),
    /// All certificates of an operator
    Admin(Name),
    /// One certificate, by its serial number, as `openssl x509 -serial` and the hub's log show it
    Serial(Name),
    /// List who is kept out
    List,
}

/// Who it is about.
#[derive(Debug, Args)]
pub(crate) struct Name {
    /// The name in the certificates, or the number
    name: String,
    /// End the revocation: certificates that have not ended are good again
    #[arg(long)]
    undo: bool,
}

impl Revoke {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let (kind, what, Name { name, undo }): (_, fn(String) -> What, _) = match self {
            Self::Cluster(name) => ("cluster", What::Cluster, name),
            Self::Admin(name) => ("admin", What::Admin, name),
            Self::Serial(name) => ("serial", What::Serial, name),
            Self::List => return list(&client).await,
        };
        let request = v1::RevokeRequest { what: Some(what(name.clone())), undo };
        let action = answer(client.access().revoke(request)).await?.action;
        let said = match (action.as_str(), undo) {
            ("unchanged", _) => "is revoked already",
            (_, true) => "is no longer revoked",
            (_, false) => "revoked",
        };
        Ok(writeln!(io::stdout(), "{kind}/{} {said}", text::plain(&name))?)
    }
}

async fn list(client: &Client) -> Result<(), Error> {
    let items = answer(client.access().list_revocations(v1::ListRevocationsRequest {})).await?.items;
    let now = SystemTime::now();
    let row = |one: &v1::Revocation| -> Vec<Cell> {
        let state = match &one.readmitted {
            Some(since) => {
                format!("let in again {} ago: older certificates stay out", age::since(Some(since), now))
            }
            None => "kept out".to_owned(),
        };
        let age = age::since(one.at.as_ref(), now);
        [&one.kind, &one.name, &state, &one.by, &age].map(|text| Cell::from(&**text)).to_vec()
    };
    let rows: Vec<Vec<Cell>> = items.iter().map(row).collect();
    if rows.is_empty() {
        return Ok(writeln!(io::stdout(), "nobody is revoked")?);
    }
    let mut table = Table::new(vec!["KIND", "NAME", "STATE", "BY", "AGE"]);
    Ok(table.print(&rows, Paint::Never, &mut io::stdout().lock())?)
}
