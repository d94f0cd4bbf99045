//! `FederationService.Backup`: the store's rows, read beside the driver, as fast as they are taken.

use std::sync::Arc;

use godwit_proto::v1::BackupResponse;
use tokio::runtime::Handle;
use tokio::sync::mpsc;
use tokio::task::spawn_blocking;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::Admin;
use super::watch::{STALL_MAX, Watched};
use crate::driver::wall_time;
use crate::store::BackupError;

/// Chunks on their way to whoever takes them.
const OUTGOING_MAX: usize = 4;

impl Admin {
    pub(super) fn back_up(&self) -> Result<Response<Watched<BackupResponse>>, Status> {
        let slot = Arc::clone(&self.backups).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted("a backup is being taken already: try again when it is done")
        })?;
        let source = self.driver.source().clone();
        let (outgoing, stream) = mpsc::channel(OUTGOING_MAX);
        let runtime = Handle::current();
        spawn_blocking(move || {
            let send = |message| {
                // Whoever takes nothing keeps the store from reusing what was changed since.
                let sent = runtime.block_on(outgoing.send_timeout(message, STALL_MAX));
                sent.map_err(|_| BackupError::Abandoned)
            };
            let written = source.write(wall_time(), |chunk| send(Ok(BackupResponse { chunk })));
            if let Err(error) = written {
                tracing::warn!(error = &error as &dyn std::error::Error, "a backup was not completed");
                // Whoever has left does not hear it.
                let _ = send(Err(refused(&error)));
            }
            drop(slot);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

fn refused(error: &BackupError) -> Status {
    match error {
        BackupError::Closed | BackupError::Abandoned => Status::unavailable(error.to_string()),
        BackupError::Store(_)
        | BackupError::Taken(_)
        | BackupError::Read(_)
        | BackupError::Damaged(_)
        | BackupError::Key(_)
        | BackupError::Format { .. } => Status::internal(error.to_string()),
    }
}
