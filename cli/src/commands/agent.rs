//! `godwit agent`: what has to do with the agents in member clusters.

mod credentials;
mod manifest;
mod source;

use clap::Subcommand;

use crate::context::Places;
use crate::error::Error;

/// Prepare the agents of a member cluster.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Agent {
    Manifest(Box<manifest::Manifest>),
}

impl Agent {
    pub(crate) fn run(self, places: &Places) -> Result<(), Error> {
        match self {
            Self::Manifest(manifest) => manifest.run(places),
        }
    }
}
