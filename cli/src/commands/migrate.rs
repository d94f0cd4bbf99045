//! `godwit pause`, `godwit resume` and `godwit cancel`: migrations by an operator's word.

use clap::Args;
use godwit_proto::v1;

use super::action::{Answer, dry};
use super::moves::Moved;
use super::outcome::Outcome;
use crate::client::{Client, answer};
use crate::context::Places;
use crate::error::Error;
use crate::output::Format;
use crate::target::{Resource, Target, TargetParser};

/// Let nothing more of a migration start or stop, until `godwit resume`.
///
/// What has started goes on becoming ready, and what later causes move is not held.
#[derive(Debug, Args)]
#[command(after_help = "\
What a drain moves is paused with the drain: `godwit drain cluster NAME --pause`.

Examples:
  godwit pause migration m-12
  godwit pause migration/m-12 migration/m-13 --dry-run")]
pub(crate) struct Pause {
    #[command(flatten)]
    migrations: Migrations,
}

/// Let a migration go on that was paused.
#[derive(Debug, Args)]
#[command(after_help = "\
Examples:
  godwit resume migration m-12")]
pub(crate) struct Resume {
    #[command(flatten)]
    migrations: Migrations,
}

/// End a migration where it is: what has not started is given back to where it still runs.
///
/// What has started stays. Of a lost cluster the return is awaited from then on: what it gets back, and what it has left,
/// stays its plan. Below the migration stands what changes.
#[derive(Debug, Args)]
#[command(after_help = "\
What a drain moves is cancelled with the drain: `godwit drain cluster NAME --cancel`.

Examples:
  godwit cancel migration m-12 --dry-run
  godwit cancel migration m-12")]
pub(crate) struct Cancel {
    #[command(flatten)]
    migrations: Migrations,
}

// No comment here for help: clap would take it for the command's own.
#[derive(Debug, Args)]
struct Migrations {
    /// `migration`; with an id too, as in migration/m-12
    #[arg(value_parser = TargetParser(&[Resource::Migrations]))]
    resource: Target,
    /// The migrations' ids
    #[arg(value_name = "ID")]
    ids: Vec<String>,
    /// Say what would happen, and change nothing
    #[arg(long)]
    dry_run: bool,
    /// The form of the answer
    #[arg(short, long, value_enum, default_value_t, hide_default_value = true)]
    output: Format,
}

impl Pause {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.migrations.dry_run;
        let pause = async |client: &Client, id| {
            answer(client.migrations().pause_migration(v1::PauseMigrationRequest { id, dry_run })).await
        };
        self.migrations.each(places, "paused", pause).await
    }
}

impl Resume {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.migrations.dry_run;
        let resume = async |client: &Client, id| {
            answer(client.migrations().resume_migration(v1::ResumeMigrationRequest { id, dry_run })).await
        };
        self.migrations.each(places, "resumed", resume).await
    }
}

impl Cancel {
    pub(crate) async fn run(self, places: &Places) -> Result<(), Error> {
        let dry_run = self.migrations.dry_run;
        let cancel = async |client: &Client, id| {
            answer(client.migrations().cancel_migration(v1::CancelMigrationRequest { id, dry_run })).await
        };
        self.migrations.each(places, "cancelled", cancel).await
    }
}

impl Migrations {
    /// Does something with each of them, and tells what became of it.
    async fn each<A: Answer>(
        self,
        places: &Places,
        done: &str,
        call: impl AsyncFn(&Client, String) -> Result<A, Error>,
    ) -> Result<(), Error> {
        let ids = self.resource.migration_ids(&self.ids)?;
        let client = Client::connect(places).await?;
        let mut outcome = Outcome::new(self.output);
        for id in ids {
            let name = format!("migration/{id}");
            let answer = call(&client, id).await.map_err(|error| error.about(&*name));
            let Some(answer) = outcome.taken(answer) else { continue };
            let became = format!("{}{}", answer.action().or(done), dry(self.dry_run));
            let moved = Moved { plans: answer.changes().to_vec(), untold: answer.untold() };
            outcome.thing(&answer, &name, &became, &moved)?;
        }
        outcome.finish()
    }
}
