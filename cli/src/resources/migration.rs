//! Migrations.

use std::io;
use std::time::SystemTime;

use godwit_proto::v1::{
    Arrival, GetMigrationRequest, ListMigrationsRequest, Migration, Milestone, Move, WatchMigrationsRequest,
};

use super::{Change, Changes, Column, Fetched, Filter, Progress, Shown, changes, column};
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
        column("WORKLOADS"),
        column("ETA").ages(),
        column("TOOK").ages(),
        column("AGE").ages(),
        column("MOVES").wide(),
        column("HALTED").wide(),
        column("MESSAGE").wide(),
    ];
    const NAMED_BY: usize = 1;

    fn cells(&self, now: SystemTime) -> Vec<Cell> {
        vec![
            Cell::from(&*self.id),
            Cell::from(&*self.cause),
            Cell::from(&*self.cluster),
            Cell::from(&*self.state).coloured(colour(&self.state)),
            format!("{}/{}", self.replicas_ready, self.replicas).into(),
            format!("{}/{}", self.workloads_ready, self.workloads).into(),
            eta(self, now).into(),
            age::between(self.started.as_ref(), self.completed.as_ref(), now).into(),
            age::since(self.started.as_ref(), now).into(),
            self.moves.len().to_string().into(),
            Cell::from(&*self.halted),
            Cell::from(&*self.message),
        ]
    }

    fn reference(&self) -> String {
        format!("migration/{}", self.id)
    }

    fn progress(&self, now: SystemTime) -> Option<Progress> {
        let what = match &*self.cluster {
            "" => format!("{} {}", self.id, self.cause),
            cluster => format!("{} {} {cluster}", self.id, self.cause),
        };
        let state = match (&*self.state, eta(self, now)) {
            ("Running", eta) if eta == age::NONE => "running".to_owned(),
            ("Running", eta) => format!("ETA {eta}"),
            (state, _) => state.to_lowercase(),
        };
        let rest = format!(
            "{}/{} ready, {}/{} workloads, {}, {state}",
            self.replicas_ready,
            self.replicas,
            self.workloads_ready,
            self.workloads,
            age::between(self.started.as_ref(), self.completed.as_ref(), now)
        );
        let open = self.completed.is_none();
        open.then_some(Progress { what, done: self.replicas_ready, of: self.replicas, rest })
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
    sheet.line("Decided on", &migration.inputs)?;
    sheet.coloured("State", &migration.state, colour(&migration.state))?;
    if !migration.halted.is_empty() {
        sheet.coloured("Halted", &migration.halted, Some(Colour::Yellow))?;
    }
    sheet.line("Started", age::moment(migration.started.as_ref()))?;
    sheet.line("Completed", age::moment(migration.completed.as_ref()))?;
    sheet.line("Took", age::between(migration.started.as_ref(), migration.completed.as_ref(), now))?;
    let replicas =
        format!("{} to move, {} ready in their new place", migration.replicas, migration.replicas_ready);
    sheet.line("Replicas", replicas)?;
    let workloads =
        format!("{} to move, {} ready in their new places", migration.workloads, migration.workloads_ready);
    sheet.line("Workloads", workloads)?;
    if migration.completed.is_none() {
        let eta = match eta(migration, now) {
            eta if eta == age::NONE => eta,
            eta => format!("{} ({eta})", age::moment(migration.estimated_end.as_ref())),
        };
        sheet.line("Estimated end", eta)?;
    }
    sheet.line("Message", &migration.message)?;
    describe_timeline("Timeline", migration, sheet)?;
    let rows: Vec<Vec<Cell>> = migration.waiting.iter().map(arrival_row).collect();
    if migration.completed.is_none() {
        let headers = vec!["NAMESPACE", "WORKLOAD", "CLUSTER", "MISSING", "REASON"];
        sheet.table("Waits for", headers, &rows, "nothing")?;
    }
    let rows: Vec<Vec<Cell>> = migration.moves.iter().map(move_row).collect();
    sheet.table("Moves", vec!["NAMESPACE", "WORKLOAD", "FROM", "TO", "REPLICAS"], &rows, "none")
}

/// What happened when, each with the time that had gone by since the first.
pub(crate) fn describe_timeline(
    heading: &str,
    migration: &Migration,
    sheet: &mut Sheet<'_>,
) -> io::Result<()> {
    let first = migration.timeline.first().and_then(|one| one.time.as_ref());
    let row = |one: &Milestone| {
        let time = one.time.as_ref();
        let (what, moment) = (Cell::from(&*one.what), age::precise_moment(time));
        vec![what, moment.into(), age::seconds_between(first, time).into()]
    };
    let rows: Vec<Vec<Cell>> = migration.timeline.iter().map(row).collect();
    sheet.table(heading, vec!["WHAT", "TIME", "ELAPSED"], &rows, "nothing is known")
}

/// The newest migration for the loss of a cluster.
pub(crate) async fn last_loss(client: &Client, cluster: &str) -> Result<Option<Migration>, Error> {
    let (cluster, cause) = (cluster.to_owned(), "ClusterLost".to_owned());
    let request = ListMigrationsRequest { page_size: 1, cluster, cause, ..ListMigrationsRequest::default() };
    let page = answer(client.migrations().list_migrations(request)).await?;
    Ok(page.items.into_iter().next())
}

/// How long it takes yet, as far as that can be told.
fn eta(migration: &Migration, now: SystemTime) -> String {
    match age::until(migration.estimated_end.as_ref(), now) {
        // It goes slower than it did.
        Some(left) if left.is_zero() => "late".to_owned(),
        Some(left) => age::short(left),
        None => age::NONE.to_owned(),
    }
}

fn colour(state: &str) -> Option<Colour> {
    match state {
        "Running" | "Paused" => Some(Colour::Yellow),
        _ => None,
    }
}

fn arrival_row(one: &Arrival) -> Vec<Cell> {
    vec![
        Cell::from(&*one.namespace),
        kind_and_name(&one.kind, &one.name).into(),
        Cell::from(&*one.cluster),
        one.missing.to_string().into(),
        Cell::from(&*one.reason),
    ]
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
