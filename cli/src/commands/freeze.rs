//! `godwit freeze`.

use std::io::{self, Write};
use std::time::SystemTime;

use clap::Subcommand;
use godwit_proto::v1::{ConfirmFreezeRequest, ReleaseFreezeRequest};

use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::text;
use crate::resources::federation;

/// Show, confirm or release a freeze of failover.
///
/// Failover freezes when too many clusters vanish at once: then the hub's own network is the likely cause.
#[derive(Debug, Subcommand)]
#[command(disable_help_subcommand = true)]
pub(crate) enum Freeze {
    /// Show whether failover is frozen, and why
    Status,
    /// The clusters are really lost: let the moves go on
    Confirm,
    /// The clusters are not lost: end the freeze, and wait for each of them anew
    Release,
}

impl Freeze {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let client = Client::connect(places).await?;
        let said = match self {
            Self::Status => match federation::find(&client).await?.freeze {
                None => "failover is not frozen".to_owned(),
                Some(freeze) => format!("frozen: {}", federation::freeze_text(&freeze, SystemTime::now())),
            },
            Self::Confirm => {
                answer(client.federation().confirm_freeze(ConfirmFreezeRequest {})).await?;
                "freeze confirmed: the moves go on".to_owned()
            }
            Self::Release => {
                answer(client.federation().release_freeze(ReleaseFreezeRequest {})).await?;
                "freeze released: loss decisions start afresh".to_owned()
            }
        };
        Ok(writeln!(io::stdout(), "{}", text::plain(&said))?)
    }
}
