//! `godwit confirm`.

use std::io::{self, Write};

use clap::Subcommand;
use godwit_proto::v1::ConfirmRemovalRequest;

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;

/// Let go on what waits for an operator.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Confirm {
    /// Let removals go on that the guard holds back for a cluster
    Removal {
        /// The cluster's name
        cluster: String,
    },
}

impl Confirm {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let Self::Removal { cluster } = self;
        let client = Client::connect(places).await?;
        let request = ConfirmRemovalRequest { name: cluster.clone() };
        let released = answer(client.clusters().confirm_removal(request)).await?.released;
        Ok(match released {
            0 => writeln!(io::stdout(), "cluster/{cluster}: no removals are held back"),
            1 => writeln!(io::stdout(), "cluster/{cluster}: 1 removal goes on"),
            _ => writeln!(io::stdout(), "cluster/{cluster}: {released} removals go on"),
        }?)
    }
}
