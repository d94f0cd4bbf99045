//! `godwit version`.

use std::io::{self, Write};

use clap::Args;

use crate::client::Client;
use crate::context::Places;
use crate::error::Error;
use crate::output::text;
use crate::resources::federation;

/// Show the versions of this command and of the hub.
#[derive(Debug, Args)]
pub(crate) struct Version {
    /// Only this command's
    #[arg(long)]
    client: bool,
}

impl Version {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        writeln!(io::stdout(), "godwit {}", env!("CARGO_PKG_VERSION"))?;
        if self.client {
            return Ok(());
        }
        let client = Client::connect(places).await?;
        let hub = federation::find(&client).await?;
        let endpoint = &client.context().endpoint;
        Ok(writeln!(io::stdout(), "hub {} at {endpoint}", text::plain(&hub.version))?)
    }
}
