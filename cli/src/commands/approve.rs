//! `godwit approve` and `godwit deny`.

use std::io::{self, Write};

use clap::{Args, Subcommand};
use godwit_proto::v1::{ApproveEnrolmentRequest, DenyEnrolmentRequest};

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::text;

/// Let a cluster join that has used a join token and waits, as `godwit get enrolments` shows it.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Approve {
    /// Let a cluster join
    Cluster(Waiting),
}

/// Refuse for good what waits to join.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Deny {
    /// Refuse a cluster; another token may be made for it later
    Cluster(Waiting),
}

/// Who it is about.
#[derive(Debug, Args)]
pub(crate) struct Waiting {
    /// The name that the cluster asks for
    name: String,
    /// The id of its token, if several wait under that name
    #[arg(long, value_name = "ID", default_value = "", hide_default_value = true)]
    token: String,
}

impl Approve {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Self::Cluster(Waiting { name, token }) = self;
        let client = Client::connect(places).await?;
        let request = ApproveEnrolmentRequest { cluster: name.clone(), token };
        answer(client.access().approve_enrolment(request)).await?;
        Ok(writeln!(io::stdout(), "cluster/{} approved", text::plain(&name))?)
    }
}

impl Deny {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Self::Cluster(Waiting { name, token }) = self;
        let client = Client::connect(places).await?;
        let request = DenyEnrolmentRequest { cluster: name.clone(), token };
        answer(client.access().deny_enrolment(request)).await?;
        Ok(writeln!(io::stdout(), "cluster/{} denied", text::plain(&name))?)
    }
}
