//! `MigrationService`.

use std::ops::Bound;

use godwit_hub_core::{Answer, Command, MigrationId, MigrationOrder, MigrationView};
use godwit_proto::v1;
use godwit_proto::v1::migration_service_server::MigrationService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::{Change, Watched};
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

#[tonic::async_trait]
impl MigrationService for Admin {
    type WatchMigrationsStream = Watched<v1::WatchMigrationsResponse>;

    async fn list_migrations(
        &self,
        request: Request<v1::ListMigrationsRequest>,
    ) -> Result<Response<v1::ListMigrationsResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let page = Page::new("migrations", request.page_size, &request.page_token)?;
        let before = page.after.as_deref().map(fields::migration).transpose();
        let to = before.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let wanted = |one: &MigrationView| {
            let (cause, cluster) = convert::cause_of(&one.migration);
            let of_cluster = || cluster.is_some_and(|cluster| cluster.as_str() == request.cluster);
            (request.cause.is_empty() || request.cause == cause)
                && (request.cluster.is_empty() || of_cluster())
        };
        let newest_first = view.migrations.range::<_, MigrationId>((Bound::Unbounded, to)).rev();
        let newest_first = newest_first.filter(|(_, migration)| wanted(migration));
        let shown = newest_first.filter_map(|(id, one)| Some((id.to_string(), shown(&caller, one)?)));
        let (items, next_page_token) = page.fill(shown);
        Ok(Response::new(v1::ListMigrationsResponse { items, next_page_token }))
    }

    async fn get_migration(
        &self,
        request: Request<v1::GetMigrationRequest>,
    ) -> Result<Response<v1::GetMigrationResponse>, Status> {
        let id = fields::migration(&request.get_ref().id)?;
        let view = self.driver.view();
        let migration = view.migrations.get(&id).and_then(|one| shown(&Caller::of(&request), one));
        let migration = migration.ok_or_else(|| {
            Status::not_found(format!(
                "migration {id} is not known, or no longer; ListMigrations names those that are"
            ))
        })?;
        Ok(Response::new(v1::GetMigrationResponse { migration: Some(migration) }))
    }

    async fn watch_migrations(
        &self,
        request: Request<v1::WatchMigrationsRequest>,
    ) -> Result<Response<Self::WatchMigrationsStream>, Status> {
        let caller = Caller::of(&request);
        self.watch(
            caller.clone(),
            |view| &view.migrations,
            move |change| {
                let migration = match change {
                    Change::Initial(migration) if migration.state.ended() => return None,
                    Change::Initial(migration)
                    | Change::New(migration)
                    | Change::Changed { now: migration, .. } => migration,
                    // Forgotten, which says nothing about its moves.
                    Change::Gone(_) | Change::Complete => return None,
                };
                let migration = Some(shown(&caller, migration)?);
                Some(v1::WatchMigrationsResponse { migration })
            },
        )
    }

    async fn pause_migration(
        &self,
        request: Request<v1::PauseMigrationRequest>,
    ) -> Result<Response<v1::PauseMigrationResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::PauseMigrationRequest { id, dry_run } = request.into_inner();
        let Ordered { migration, action, changes, changes_total, inputs } =
            self.migrate(operator, &id, MigrationOrder::Pause, dry_run).await?;
        Ok(Response::new(v1::PauseMigrationResponse { migration, action, changes, changes_total, inputs }))
    }

    async fn resume_migration(
        &self,
        request: Request<v1::ResumeMigrationRequest>,
    ) -> Result<Response<v1::ResumeMigrationResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ResumeMigrationRequest { id, dry_run } = request.into_inner();
        let Ordered { migration, action, changes, changes_total, inputs } =
            self.migrate(operator, &id, MigrationOrder::Resume, dry_run).await?;
        Ok(Response::new(v1::ResumeMigrationResponse { migration, action, changes, changes_total, inputs }))
    }

    async fn cancel_migration(
        &self,
        request: Request<v1::CancelMigrationRequest>,
    ) -> Result<Response<v1::CancelMigrationResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::CancelMigrationRequest { id, dry_run } = request.into_inner();
        let Ordered { migration, action, changes, changes_total, inputs } =
            self.migrate(operator, &id, MigrationOrder::Cancel, dry_run).await?;
        Ok(Response::new(v1::CancelMigrationResponse { migration, action, changes, changes_total, inputs }))
    }
}

/// What became of it.
struct Ordered {
    migration: Option<v1::Migration>,
    action: String,
    changes: Vec<v1::PlanChange>,
    changes_total: u64,
    inputs: String,
}

impl Admin {
    /// The view is ahead of the answer: it shows the migration as the command left it.
    async fn migrate(
        &self,
        operator: Caller,
        id: &str,
        order: MigrationOrder,
        dry_run: bool,
    ) -> Result<Ordered, Status> {
        let migration = fields::migration(id)?;
        tracing::info!(%operator, %migration, ?order, dry_run, "an operator pauses, resumes or cancels a migration");
        let command = Command::Migrate { migration, order };
        match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Applied { action, changes } => Ok(Ordered {
                migration: self.driver.view().migrations.get(&migration).map(|view| convert::migration(view)),
                action: convert::action(action).to_owned(),
                changes: convert::changes(&changes),
                changes_total: changes.total,
                inputs: convert::decided_on(changes.inputs),
            }),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

/// A migration, with those of its moves that are for whoever asks; none if it has no others.
fn shown(caller: &Caller, view: &MigrationView) -> Option<v1::Migration> {
    let mut migration = convert::migration(view);
    if !caller.sees_all() {
        migration.moves.retain(|one| caller.sees(&one.namespace));
        migration.waiting.retain(|one| caller.sees(&one.namespace));
        if migration.moves.is_empty() && migration.waiting.is_empty() {
            return None;
        }
    }
    Some(migration)
}
