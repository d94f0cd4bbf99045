//! `QuotaService`.

use std::ops::Bound;
use std::sync::Arc;

use godwit_hub_core::{Answer, Command};
use godwit_proto::v1;
use godwit_proto::v1::quota_service_server::QuotaService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::Watched;
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

#[tonic::async_trait]
impl QuotaService for Admin {
    type WatchQuotasStream = Watched<v1::WatchQuotasResponse>;

    async fn apply_quota(
        &self,
        request: Request<v1::ApplyQuotaRequest>,
    ) -> Result<Response<v1::ApplyQuotaResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ApplyQuotaRequest { quota, dry_run } = request.into_inner();
        let quota =
            quota.ok_or_else(|| fields::invalid("quota", "it is missing: give a namespace and a spec"))?;
        let namespace = named("quota.namespace", &quota.namespace)?;
        let record = convert::quota_from_wire("quota.spec", namespace.clone(), quota.spec)?;
        tracing::info!(%operator, %namespace, dry_run, "an operator applies a quota");
        let command = Command::ApplyQuota(record);
        let (action, changes) = match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Applied { action, changes } => (action, changes),
            other => return Err(refusal::mismatched(&other)),
        };
        Ok(Response::new(v1::ApplyQuotaResponse {
            quota: self.driver.view().quotas.get(&namespace).map(|quota| convert::quota(quota)),
            action: convert::action(action).to_owned(),
            changes: convert::changes(&changes),
            changes_total: changes.total,
            inputs: convert::decided_on(changes.inputs),
        }))
    }

    async fn list_quotas(
        &self,
        request: Request<v1::ListQuotasRequest>,
    ) -> Result<Response<v1::ListQuotasResponse>, Status> {
        let caller = Caller::of(&request);
        let request = request.into_inner();
        let page = Page::new("quotas", request.page_size, &request.page_token)?;
        let after = page.after.as_deref().map(|after| named("page_token", after)).transpose();
        let from = after.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let quotas = view.quotas.range::<_, Arc<str>>((from, Bound::Unbounded));
        let quotas = quotas.filter(|(namespace, _)| caller.sees(namespace));
        let (items, next_page_token) =
            page.fill(quotas.map(|(namespace, quota)| (namespace.to_string(), convert::quota(quota))));
        Ok(Response::new(v1::ListQuotasResponse { items, next_page_token }))
    }

    async fn get_quota(
        &self,
        request: Request<v1::GetQuotaRequest>,
    ) -> Result<Response<v1::GetQuotaResponse>, Status> {
        let namespace = named("namespace", &request.get_ref().namespace)?;
        Caller::of(&request).look_at(&namespace)?;
        let view = self.driver.view();
        let quota = view.quotas.get(&namespace).ok_or_else(|| {
            Status::not_found(format!(
                "namespace {namespace} has no quota; ListQuotas names those that have one"
            ))
        })?;
        Ok(Response::new(v1::GetQuotaResponse { quota: Some(convert::quota(quota)) }))
    }

    async fn watch_quotas(
        &self,
        request: Request<v1::WatchQuotasRequest>,
    ) -> Result<Response<Self::WatchQuotasStream>, Status> {
        let wanted = match request.get_ref().namespace.as_str() {
            "" => None,
            namespace => Some(named("namespace", namespace)?),
        };
        let caller = Caller::of(&request);
        wanted.as_ref().map_or(Ok(()), |namespace| caller.look_at(namespace))?;
        self.watch(
            caller.clone(),
            |view| &view.quotas,
            move |change| {
                let (quota, removed) = change.thing()?;
                let namespace = &quota.record.namespace;
                let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted == namespace);
                let is_wanted = is_wanted && caller.sees(namespace);
                is_wanted.then(|| v1::WatchQuotasResponse {
                    quota: Some(match removed {
                        false => convert::quota(quota),
                        true => v1::Quota { namespace: namespace.to_string(), ..v1::Quota::default() },
                    }),
                    removed,
                })
            },
        )
    }

    async fn delete_quota(
        &self,
        request: Request<v1::DeleteQuotaRequest>,
    ) -> Result<Response<v1::DeleteQuotaResponse>, Status> {
        let operator = Caller::of(&request);
        let namespace = named("namespace", &request.get_ref().namespace)?;
        tracing::info!(%operator, %namespace, "an operator deletes a quota");
        match self.carry_out(operator, Command::DeleteQuota { namespace }).await? {
            Answer::Done => Ok(Response::new(v1::DeleteQuotaResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

/// A quota's namespace is its name, which nothing stands for.
fn named(field: &str, text: &str) -> Result<Arc<str>, Status> {
    if text.is_empty() {
        return Err(fields::invalid(field, "it is empty: write the namespace"));
    }
    let id = godwit_common::WorkloadId::new(text, "Deployment", "name");
    id.map(|id| id.namespace).map_err(|error| fields::invalid(field, error))
}
