//! `MigrationService`.

use std::ops::Bound;

use godwit_hub_core::{MigrationId, MigrationState};
use godwit_proto::v1;
use godwit_proto::v1::migration_service_server::MigrationService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::{Change, Watched};
use super::{Admin, convert, fields};

#[tonic::async_trait]
impl MigrationService for Admin {
    type WatchMigrationsStream = Watched<v1::WatchMigrationsResponse>;

    async fn list_migrations(
        &self,
        request: Request<v1::ListMigrationsRequest>,
    ) -> Result<Response<v1::ListMigrationsResponse>, Status> {
        let request = request.into_inner();
        let page = Page::new("migrations", request.page_size, &request.page_token)?;
        let before = page.after.as_deref().map(fields::migration).transpose();
        let to = before.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let newest_first = view.migrations.range::<_, MigrationId>((Bound::Unbounded, to)).rev();
        let (items, next_page_token) =
            page.fill(newest_first.map(|(id, migration)| (id.to_string(), convert::migration(migration))));
        Ok(Response::new(v1::ListMigrationsResponse { items, next_page_token }))
    }

    async fn get_migration(
        &self,
        request: Request<v1::GetMigrationRequest>,
    ) -> Result<Response<v1::GetMigrationResponse>, Status> {
        let id = fields::migration(&request.get_ref().id)?;
        let view = self.driver.view();
        let migration = view.migrations.get(&id).ok_or_else(|| {
            Status::not_found(format!(
                "migration {id} is not known, or no longer; ListMigrations names those that are"
            ))
        })?;
        Ok(Response::new(v1::GetMigrationResponse { migration: Some(convert::migration(migration)) }))
    }

    async fn watch_migrations(
        &self,
        _: Request<v1::WatchMigrationsRequest>,
    ) -> Result<Response<Self::WatchMigrationsStream>, Status> {
        self.watch(
            |view| &view.migrations,
            |change| {
                let migration = match change {
                    Change::Initial(migration) => match migration.migration.state {
                        MigrationState::Running => migration,
                        MigrationState::Completed => return None,
                    },
                    Change::New(migration) | Change::Changed { now: migration, .. } => migration,
                    // Forgotten, which says nothing about its moves.
                    Change::Gone(_) | Change::Complete => return None,
                };
                let migration = Some(convert::migration(migration));
                Some(v1::WatchMigrationsResponse { migration })
            },
        )
    }
}
