//! `RolloutService`.

use godwit_common::WorkloadId;
use godwit_hub_core::{Answer, Command, Deployed, RolloutOrder};
use godwit_proto::v1;
use godwit_proto::v1::rollout_service_server::RolloutService;
use tonic::{Request, Response, Status};

use super::{Admin, convert, fields, refusal, workloads};
use crate::guard::Caller;

#[tonic::async_trait]
impl RolloutService for Admin {
    async fn pause_rollout(
        &self,
        request: Request<v1::PauseRolloutRequest>,
    ) -> Result<Response<v1::PauseRolloutResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::PauseRolloutRequest { namespace, kind, name } = request.get_ref();
        let workload = fields::workload(namespace, kind, name)?;
        let deployed = self.order(operator, workload, RolloutOrder::Pause, false).await?;
        let (action, revision) = outcome(&deployed);
        Ok(Response::new(v1::PauseRolloutResponse { action, revision }))
    }

    async fn resume_rollout(
        &self,
        request: Request<v1::ResumeRolloutRequest>,
    ) -> Result<Response<v1::ResumeRolloutResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ResumeRolloutRequest { namespace, kind, name } = request.get_ref();
        let workload = fields::workload(namespace, kind, name)?;
        let deployed = self.order(operator, workload, RolloutOrder::Resume, false).await?;
        let (action, revision) = outcome(&deployed);
        Ok(Response::new(v1::ResumeRolloutResponse { action, revision }))
    }

    async fn undo_rollout(
        &self,
        request: Request<v1::UndoRolloutRequest>,
    ) -> Result<Response<v1::UndoRolloutResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::UndoRolloutRequest { namespace, kind, name, to_revision, dry_run } = request.get_ref();
        let workload = fields::workload(namespace, kind, name)?;
        let order = RolloutOrder::Undo { to: *to_revision };
        let deployed = self.order(operator, workload, order, *dry_run).await?;
        let (action, revision) = outcome(&deployed);
        let clusters = deployed.workloads.iter().flat_map(|workload| &workload.rollout);
        Ok(Response::new(v1::UndoRolloutResponse {
            action,
            revision,
            clusters: clusters.map(ToString::to_string).collect(),
            changes: convert::changes(&deployed.changes),
            changes_total: deployed.changes.total,
            inputs: convert::decided_on(deployed.changes.inputs),
        }))
    }

    async fn list_revisions(
        &self,
        request: Request<v1::ListRevisionsRequest>,
    ) -> Result<Response<v1::ListRevisionsResponse>, Status> {
        let v1::ListRevisionsRequest { namespace, kind, name, revision } = request.get_ref();
        let id = fields::workload(namespace, kind, name)?;
        Caller::of(&request).look_at(&id.namespace)?;
        let history = self.driver.history(id.clone()).await.map_err(refusal::stopping)?;
        let mut revisions = history.ok_or_else(|| workloads::not_deployed(&id))?.revisions;
        if let Some(wanted) = revision {
            revisions.retain(|one| one.revision.number == *wanted);
            if revisions.is_empty() {
                let message =
                    format!("revision {wanted} of {id} is not kept; without a revision, all that are come");
                return Err(Status::not_found(message));
            }
        }
        let items = revisions.iter().map(|one| convert::revision(one, revision.is_some())).collect();
        Ok(Response::new(v1::ListRevisionsResponse { items }))
    }
}

impl Admin {
    async fn order(
        &self,
        operator: Caller,
        workload: WorkloadId,
        order: RolloutOrder,
        dry_run: bool,
    ) -> Result<Deployed, Status> {
        tracing::info!(%operator, %workload, ?order, dry_run, "an operator wants something of a rollout");
        match self.carry_out_or_rehearse(operator, Command::Rollout { workload, order }, dry_run).await? {
            Answer::Deployed(deployed) => Ok(deployed),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

fn outcome(deployed: &Deployed) -> (String, u64) {
    let workload = deployed.workloads.first();
    workload.map(|one| (convert::action(one.action).to_owned(), one.revision)).unwrap_or_default()
}
