//! `WorkloadService`, but for what a deployment is made of.

use std::ops::Bound;
use std::sync::Arc;

use godwit_common::{Uid, WorkloadId};
use godwit_hub_core::{Answer, Balanced, Command};
use godwit_proto::v1;
use godwit_proto::v1::rebalance_request::What;
use godwit_proto::v1::workload_service_server::WorkloadService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::Watched;
use super::{Admin, convert, deploy, fields, refusal};
use crate::driver::WorkloadKey;
use crate::guard::Caller;

#[tonic::async_trait]
impl WorkloadService for Admin {
    type WatchWorkloadsStream = Watched<v1::WatchWorkloadsResponse>;

    async fn deploy(
        &self,
        request: Request<v1::DeployRequest>,
    ) -> Result<Response<v1::DeployResponse>, Status> {
        let operator = Caller::of(&request);
        let dry_run = request.get_ref().dry_run;
        let deploy = deploy::read(request.into_inner(), self.lost_after).await?;
        tracing::info!(
            %operator,
            request_id = %deploy.request_id,
            workloads = deploy.application.workloads.len(),
            dry_run,
            "an operator deploys"
        );
        match self.carry_out_or_rehearse(operator, Command::Deploy(deploy), dry_run).await? {
            Answer::Deployed(deployed) => Ok(Response::new(convert::deployed(deployed, dry_run))),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn import(
        &self,
        request: Request<v1::ImportRequest>,
    ) -> Result<Response<v1::ImportResponse>, Status> {
        let operator = Caller::of(&request);
        self.import_all(operator, request.into_inner()).await.map(Response::new)
    }

    async fn scale_workload(
        &self,
        request: Request<v1::ScaleWorkloadRequest>,
    ) -> Result<Response<v1::ScaleWorkloadResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ScaleWorkloadRequest { namespace, kind, name, replicas, dry_run } = request.into_inner();
        let workload = fields::workload(&namespace, &kind, &name)?;
        let replicas = fields::replicas(replicas)?;
        tracing::info!(%operator, %workload, replicas, dry_run, "an operator scales a workload");
        let command = Command::Scale { workload, replicas };
        match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Deployed(deployed) => {
                let changes = convert::changes(&deployed.changes);
                let workload = deployed.workloads.into_iter().next().map(convert::deployed_workload);
                let changes_total = deployed.changes.total;
                let inputs = convert::decided_on(deployed.changes.inputs);
                Ok(Response::new(v1::ScaleWorkloadResponse { workload, changes, changes_total, inputs }))
            }
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn rebalance(
        &self,
        request: Request<v1::RebalanceRequest>,
    ) -> Result<Response<v1::RebalanceResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::RebalanceRequest { what, dry_run } = request.into_inner();
        let what = match what {
            Some(What::Workload(name)) => {
                Balanced::Workload(fields::workload(&name.namespace, &name.kind, &name.name)?)
            }
            Some(What::Policy(name)) => Balanced::Policy(fields::name("policy", &name)?),
            Some(What::All(true)) => Balanced::All,
            Some(What::All(false)) | None => {
                return Err(fields::invalid("what", "it is missing: give workload, policy, or all as true"));
            }
        };
        tracing::info!(%operator, ?what, dry_run, "an operator rebalances");
        match self.carry_out_or_rehearse(operator, Command::Rebalance(what), dry_run).await? {
            Answer::Applied { action, changes } => Ok(Response::new(v1::RebalanceResponse {
                action: convert::action(action).to_owned(),
                changes: convert::changes(&changes),
                changes_total: changes.total,
                inputs: convert::decided_on(changes.inputs),
            })),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn delete_workload(
        &self,
        request: Request<v1::DeleteWorkloadRequest>,
    ) -> Result<Response<v1::DeleteWorkloadResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::DeleteWorkloadRequest { namespace, kind, name } = request.get_ref();
        let workload = fields::workload(namespace, kind, name)?;
        tracing::info!(%operator, %workload, "an operator deletes a workload");
        match self.carry_out(operator, Command::DeleteWorkload { workload }).await? {
            Answer::WorkloadDeleted { pending_on } => {
                let deletion_pending_on = pending_on.iter().map(ToString::to_string).collect();
                Ok(Response::new(v1::DeleteWorkloadResponse { deletion_pending_on }))
            }
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn list_workloads(
        &self,
        request: Request<v1::ListWorkloadsRequest>,
    ) -> Result<Response<v1::ListWorkloadsResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let page = Page::new("workloads", request.page_size, &request.page_token)?;
        let wanted = wanted_namespace(&request.namespace)?;
        wanted.map_or(Ok(()), |namespace| caller.look_at(namespace))?;
        let from = match &page.after {
            Some(key) => Bound::Excluded(from_text(key).ok_or_else(Page::bad_token)?),
            None => wanted.map_or(Bound::Unbounded, |namespace| Bound::Included(first_of(namespace))),
        };
        let view = self.driver.view();
        let workloads = view.workloads.range::<_, WorkloadKey>((from, Bound::Unbounded));
        let workloads =
            workloads.take_while(|((id, _), _)| wanted.is_none_or(|wanted| *wanted == *id.namespace));
        let workloads = workloads.filter(|((id, _), _)| caller.sees(&id.namespace));
        let (items, next_page_token) =
            page.fill(workloads.map(|(key, workload)| (to_text(key), convert::workload(workload))));
        Ok(Response::new(v1::ListWorkloadsResponse { items, next_page_token }))
    }

    async fn get_workload(
        &self,
        request: Request<v1::GetWorkloadRequest>,
    ) -> Result<Response<v1::GetWorkloadResponse>, Status> {
        let v1::GetWorkloadRequest { namespace, kind, name } = request.get_ref();
        let id = fields::workload(namespace, kind, name)?;
        Caller::of(&request).look_at(&id.namespace)?;
        let view = self.driver.view();
        let workload = view.workload(&id).ok_or_else(|| not_deployed(&id))?;
        Ok(Response::new(v1::GetWorkloadResponse { workload: Some(convert::workload(workload)) }))
    }

    async fn get_rendered_workload(
        &self,
        request: Request<v1::GetRenderedWorkloadRequest>,
    ) -> Result<Response<v1::GetRenderedWorkloadResponse>, Status> {
        let caller = Caller::of(&request);
        Ok(Response::new(self.rendered(&caller, request.get_ref()).await?))
    }

    async fn watch_workloads(
        &self,
        request: Request<v1::WatchWorkloadsRequest>,
    ) -> Result<Response<Self::WatchWorkloadsStream>, Status> {
        let caller = Caller::of(&request);
        let v1::WatchWorkloadsRequest { namespace, name } = request.into_inner();
        wanted_namespace(&namespace)?.map_or(Ok(()), |namespace| caller.look_at(namespace))?;
        self.watch(
            caller.clone(),
            |view| &view.workloads,
            move |change| {
                let (workload, removed) = change.thing()?;
                let is = |wanted: &str, value: &str| wanted.is_empty() || wanted == value;
                let is_wanted = is(&namespace, &workload.id.namespace) && is(&name, &workload.id.name);
                let is_wanted = is_wanted && caller.sees(&workload.id.namespace);
                is_wanted.then(|| v1::WatchWorkloadsResponse {
                    workload: Some(match removed {
                        false => convert::workload(workload),
                        true => convert::removed_workload(workload),
                    }),
                    removed,
                })
            },
        )
    }
}

pub(super) fn not_deployed(id: &WorkloadId) -> Status {
    Status::not_found(format!("{id} is not deployed; ListWorkloads names what is"))
}

/// A filter that could never match is a mistake.
pub(super) fn wanted_namespace(text: &str) -> Result<Option<&str>, Status> {
    match text {
        "" => Ok(None),
        text => fields::namespace(text).map(Some),
    }
}

/// Before every workload of the namespace.
fn first_of(namespace: &str) -> WorkloadKey {
    let nothing: Arc<str> = "".into();
    (WorkloadId { namespace: namespace.into(), kind: nothing.clone(), name: nothing }, Uid(0))
}

pub(super) fn to_text((id, uid): &WorkloadKey) -> String {
    format!("{}/{}/{}/{uid}", id.namespace, id.kind, id.name)
}

pub(super) fn from_text(text: &str) -> Option<WorkloadKey> {
    let mut parts = text.split('/');
    let id = WorkloadId::new(parts.next()?, parts.next()?, parts.next()?).ok()?;
    let uid: Uid = parts.next()?.parse().ok()?;
    parts.next().is_none().then_some((id, uid))
}
