//! `PolicyService`.

use std::ops::Bound;

use godwit_common::PolicyName;
use godwit_hub_core::{Answer, Command};
use godwit_proto::v1;
use godwit_proto::v1::policy_service_server::PolicyService;
use tonic::{Request, Response, Status};

use super::page::Page;
use super::watch::Watched;
use super::{Admin, convert, fields, refusal};
use crate::guard::Caller;

#[tonic::async_trait]
impl PolicyService for Admin {
    type WatchPoliciesStream = Watched<v1::WatchPoliciesResponse>;

    async fn apply_policy(
        &self,
        request: Request<v1::ApplyPolicyRequest>,
    ) -> Result<Response<v1::ApplyPolicyResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ApplyPolicyRequest { policy, dry_run } = request.into_inner();
        let policy =
            policy.ok_or_else(|| fields::invalid("policy", "it is missing: give a name and a spec"))?;
        let name: PolicyName = fields::name("policy.name", &policy.name)?;
        let policy = convert::policy_from_wire("policy", name.clone(), policy.spec, self.lost_after)?;
        tracing::info!(%operator, policy = %name, dry_run, "an operator applies a policy");
        let command = Command::ApplyPolicy(policy.clone());
        let (action, changes) = match self.carry_out_or_rehearse(operator, command, dry_run).await? {
            Answer::Applied { action, changes } => (action, changes),
            other => return Err(refusal::mismatched(&other)),
        };
        let users = self.driver.view().policies.get(&name).map_or(0, |known| known.workloads);
        Ok(Response::new(v1::ApplyPolicyResponse {
            policy: Some(convert::policy(&policy, users)),
            action: convert::action(action).to_owned(),
            changes: convert::changes(&changes),
            changes_total: changes.total,
            inputs: convert::decided_on(changes.inputs),
        }))
    }

    async fn list_policies(
        &self,
        request: Request<v1::ListPoliciesRequest>,
    ) -> Result<Response<v1::ListPoliciesResponse>, Status> {
        let request = request.into_inner();
        let page = Page::new("policies", request.page_size, &request.page_token)?;
        let after = page.after.as_deref().map(str::parse::<PolicyName>).transpose();
        let from = after.map_err(|_| Page::bad_token())?.map_or(Bound::Unbounded, Bound::Excluded);
        let view = self.driver.view();
        let policies = view.policies.range((from, Bound::Unbounded));
        let (items, next_page_token) = page.fill(
            policies.map(|(name, known)| (name.to_string(), convert::policy(&known.policy, known.workloads))),
        );
        Ok(Response::new(v1::ListPoliciesResponse { items, next_page_token }))
    }

    async fn get_policy(
        &self,
        request: Request<v1::GetPolicyRequest>,
    ) -> Result<Response<v1::GetPolicyResponse>, Status> {
        let name: PolicyName = fields::name("name", &request.get_ref().name)?;
        let view = self.driver.view();
        let known = view.policies.get(&name).ok_or_else(|| {
            Status::not_found(format!("policy {name} does not exist; ListPolicies names those that do"))
        })?;
        Ok(Response::new(v1::GetPolicyResponse {
            policy: Some(convert::policy(&known.policy, known.workloads)),
        }))
    }

    async fn watch_policies(
        &self,
        request: Request<v1::WatchPoliciesRequest>,
    ) -> Result<Response<Self::WatchPoliciesStream>, Status> {
        let wanted: Option<PolicyName> = match request.get_ref().name.as_str() {
            "" => None,
            name => Some(fields::name("name", name)?),
        };
        self.watch(
            Caller::of(&request),
            |view| &view.policies,
            move |change| {
                let (known, removed) = change.thing()?;
                let name = &known.policy.name;
                let is_wanted = wanted.as_ref().is_none_or(|wanted| wanted == name);
                is_wanted.then(|| v1::WatchPoliciesResponse {
                    policy: Some(match removed {
                        false => convert::policy(&known.policy, known.workloads),
                        true => v1::Policy { name: name.to_string(), ..v1::Policy::default() },
                    }),
                    removed,
                })
            },
        )
    }

    async fn delete_policy(
        &self,
        request: Request<v1::DeletePolicyRequest>,
    ) -> Result<Response<v1::DeletePolicyResponse>, Status> {
        let operator = Caller::of(&request);
        let name: PolicyName = fields::name("name", &request.get_ref().name)?;
        tracing::info!(%operator, policy = %name, "an operator deletes a policy");
        match self.carry_out(operator, Command::DeletePolicy { name }).await? {
            Answer::Done => Ok(Response::new(v1::DeletePolicyResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }
}
