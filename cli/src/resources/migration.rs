//! Migrations.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1::{GetMigrationRequest, ListMigrationsRequest, Migration, Move, WatchMigrationsRequest};

use super::{Change, Changes, Column, Fetched, Filter, Shown, changes, column};
use crate::client::{Client, all_pages, answer, present};
use crate::error::Error;
use crate::output::age;
use crate::output::colour::Colour;
use crate::output::sheet::Sheet;
use crate::output::table::Cell;
use crate::target::kind_and_name;

impl Shown for Migration {
    const COLUMNS: &'static [Column] = &[
        column("ID"),
        column("CAUSE"),
        column("CLUSTER"),
        column("STATE"),
        column("READY"),
        column("MOVES"),
        column("TOOK").ages(),
        column("AGE").ages(),
        column("MESSAGE").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        let running = self.completed.is_none();
        vec![
            Cell::from(&*self.id),
            Cell::from(&*self.cause),
            Cell::from(&*self.cluster),
            Cell::from(&*self.state).coloured(running.then_some(Colour::Yellow)),
            format!("{}/{}", self.replicas_ready, self.replicas).into(),
            self.moves.len().to_string().into(),
            age::between(self.started.as_ref(), self.completed.as_ref(), now).into(),
            age::since(self.started.as_ref(), now).into(),
            Cell::from(&*self.message),
        ]
    }

    fn reference(&self) -> String {
        format!("migration/{}", self.id)
    }

    async fn fetch(client: &Client, filter: &Filter) -> Result<Fetched<Self>, Error> {
        if let Some(name) = &filter.name {
            return find(client, name).await.map(Fetched::One);
        }
        let all = all_pages(async |page_token| {
            let request = ListMigrationsRequest { page_token, ..ListMigrationsRequest::default() };
            let page = answer(client.migrations().list_migrations(request)).await?;
            Ok((page.items, page.next_page_token))
        })
        .await?;
        Ok(Fetched::Many(all))
    }

    async fn watch(client: &Client, filter: &Filter) -> Result<Changes<Self>, Error> {
        let id = filter.name.clone();
        let stream = answer(client.migrations().watch_migrations(WatchMigrationsRequest {})).await?;
        Ok(changes(stream, move |answer| {
            let wanted = |migration: &Migration| id.as_ref().is_none_or(|id| *id == migration.id);
            let item = answer.migration.filter(wanted)?;
            Some(Change { item, removed: false })
        }))
    }
}

/// The migration of that id.
pub(crate) async fn find(client: &Client, id: &str) -> Result<Migration, Error> {
    let request = GetMigrationRequest { id: id.to_owned() };
    let found = answer(client.migrations().get_migration(request)).await;
    let found = found.map_err(|error| match error.is_not_found() {
        true => error.with_hint("`godwit get migrations` lists those that the hub remembers"),
        false => error,
    })?;
    present(found.migration, "migration")
}

/// Everything about it.
pub(crate) fn describe(migration: &Migration, now: SystemTime, sheet: &mut Sheet<'_>) -> io::Result<()> {
    sheet.line("ID", &migration.id)?;
    sheet.line("Cause", &migration.cause)?;
    sheet.line("Cluster", &migration.cluster)?;
    sheet.line("State", &migration.state)?;
    sheet.line("Started", age::moment(migration.started.as_ref()))?;
    sheet.line("Completed", age::moment(migration.completed.as_ref()))?;
    sheet.line("Took", age::between(migration.started.as_ref(), migration.completed.as_ref(), now))?;
    let replicas =
        format!("{} to move, {} ready in their new place", migration.replicas, migration.replicas_ready);
    sheet.line("Replicas", replicas)?;
    sheet.line("Message", &migration.message)?;
    let rows: Vec<Vec<Cell>> = migration.moves.iter().map(move_row).collect();
    sheet.table("Moves", vec!["NAMESPACE", "WORKLOAD", "FROM", "TO", "REPLICAS"], &rows, "none")
}

fn move_row(one: &Move) -> Vec<Cell> {
    let place = |cluster: &str| match cluster {
        "" => Cell::from("(pending)"),
        cluster => Cell::from(cluster),
    };
    vec![
        Cell::from(&*one.namespace),
        kind_and_name(&one.kind, &one.name).into(),
        place(&one.from),
        place(&one.to),
        one.replicas.to_string().into(),
    ]
}
