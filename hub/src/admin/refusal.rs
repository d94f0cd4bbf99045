//! Refusals as statuses.

use std::sync::Arc;

use godwit_hub_core::{Answer, Command, Refused, RefusedKind};
use tonic::Status;

use super::Admin;
use crate::audit;
use crate::driver::Gone;
use crate::guard::Caller;

impl Admin {
    /// Carries out an operator's command.
    pub(super) async fn carry_out(&self, operator: Caller, command: Command) -> Result<Answer, Status> {
        let subjects = audit::subjects(&command);
        operator.note(|noted| {
            noted.what = audit::what(&command);
            noted.before = audit::states(&self.driver.view(), &subjects);
        });
        let answer = self.driver.command(Arc::clone(&operator.name), command).await.map_err(stopping)?;
        if answer.is_ok() {
            // The view is ahead of the answer.
            operator.note(|noted| noted.after = audit::states(&self.driver.view(), &subjects));
        }
        answer.map(|answer| operator.narrowed(answer)).map_err(refused)
    }

    /// The same, or says what it would come to.
    pub(super) async fn carry_out_or_rehearse(
        &self,
        operator: Caller,
        command: Command,
        dry_run: bool,
    ) -> Result<Answer, Status> {
        if !dry_run {
            return self.carry_out(operator, command).await;
        }
        operator.note(|noted| (noted.what, noted.rehearsal) = (audit::what(&command), true));
        let answer = self.driver.rehearse(Arc::clone(&operator.name), command).await.map_err(stopping)?;
        answer.map(|answer| operator.narrowed(answer)).map_err(refused)
    }
}

/// The driver has ended.
pub(super) fn stopping(_: Gone) -> Status {
    Status::unavailable("the hub is stopping: try again in a moment")
}

/// An answer that does not belong to the command.
pub(super) fn mismatched(answer: &Answer) -> Status {
    Status::internal(format!(
        "the machine answered another command: {answer:?}; this is a fault of godwit-hub"
    ))
}

/// A command, or a question, that the machine does not take.
pub(super) fn refused(refused: Refused) -> Status {
    let Refused { kind, message } = refused;
    match kind {
        RefusedKind::InvalidArgument => Status::invalid_argument(message),
        RefusedKind::NotFound => Status::not_found(message),
        RefusedKind::AlreadyExists => Status::already_exists(message),
        RefusedKind::FailedPrecondition => Status::failed_precondition(message),
        RefusedKind::ResourceExhausted => Status::resource_exhausted(message),
        RefusedKind::PermissionDenied => Status::permission_denied(message),
    }
}
