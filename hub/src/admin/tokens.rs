//! `AccessService`: join tokens, who is kept out, and, in `roles`, who may do what.

use std::time::Duration;

use godwit_certs::hex::Hex;
use godwit_certs::{AdminName, Serial};
use godwit_common::{ClusterName, WallTime};
use godwit_hub_core::{
    AccessOrder, Action, Admits, Answer, Command, Permit, Revocation, RevocationRecord, TokenRecord, TokenUse,
};
use godwit_proto::v1;
use godwit_proto::v1::access_service_server::AccessService;
use godwit_rt::serve::Peer;
use tonic::{Request, Response, Status};

use super::convert::timestamp;
use super::{Admin, convert, fields, refusal};
use crate::driver;
use crate::guard::Caller;

const TTL: Duration = Duration::from_secs(15 * 60);
const TTL_MIN: Duration = Duration::from_secs(1);
/// A token is a password that waits: nobody should have to remember where it lies.
const TTL_MAX: Duration = Duration::from_secs(7 * 24 * 3600);

#[tonic::async_trait]
impl AccessService for Admin {
    async fn create_token(
        &self,
        request: Request<v1::CreateTokenRequest>,
    ) -> Result<Response<v1::CreateTokenResponse>, Status> {
        let operator = Caller::of(&request);
        let request = request.into_inner();
        let (admits, permit) = whom(&request)?;
        let within = self::ttl(request.ttl)?;
        let own = self.own.as_ref().ok_or_else(|| {
            Status::failed_precondition(
                "this hub has no authority of its own, so nothing that anybody could enrol with: set authority.names in its \
                 configuration, or give each agent and operator a certificate where the hub's comes from",
            )
        })?;
        let (token, hash) = own
            .token(&admits)
            .await
            .map_err(|error| Status::internal(format!("no token can be made: {error}")))?;
        let (id, again) = (hash.id(), request.again);
        tracing::info!(%operator, %admits, %id, again, "an operator makes a token");
        // Whom an operator has named, an operator has let in.
        let approval = match &admits {
            Admits::Cluster(_) => own.approval(request.approval),
            Admits::Operator(_) => None,
        };
        let order = AccessOrder::CreateToken { hash, admits, within, again, approval, permit };
        match self.carry_out(operator, Command::Access(order)).await? {
            Answer::TokenCreated { expires } => Ok(Response::new(v1::CreateTokenResponse {
                token,
                expires: Some(timestamp(expires)),
                id: id.to_string(),
            })),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn list_tokens(
        &self,
        _: Request<v1::ListTokensRequest>,
    ) -> Result<Response<v1::ListTokensResponse>, Status> {
        let items = self.driver.view().federation.tokens.iter().map(token).collect();
        Ok(Response::new(v1::ListTokensResponse { items }))
    }

    async fn list_enrolments(
        &self,
        _: Request<v1::ListEnrolmentsRequest>,
    ) -> Result<Response<v1::ListEnrolmentsResponse>, Status> {
        let now = driver::wall_time();
        let view = self.driver.view();
        let items = view.federation.tokens.iter().filter_map(|token| enrolment(token, now)).collect();
        Ok(Response::new(v1::ListEnrolmentsResponse { items }))
    }

    async fn approve_enrolment(
        &self,
        request: Request<v1::ApproveEnrolmentRequest>,
    ) -> Result<Response<v1::ApproveEnrolmentResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::ApproveEnrolmentRequest { cluster, token } = request.into_inner();
        self.judge(operator, &cluster, &token, true).await?;
        Ok(Response::new(v1::ApproveEnrolmentResponse {}))
    }

    async fn deny_enrolment(
        &self,
        request: Request<v1::DenyEnrolmentRequest>,
    ) -> Result<Response<v1::DenyEnrolmentResponse>, Status> {
        let operator = Caller::of(&request);
        let v1::DenyEnrolmentRequest { cluster, token } = request.into_inner();
        self.judge(operator, &cluster, &token, false).await?;
        Ok(Response::new(v1::DenyEnrolmentResponse {}))
    }

    async fn delete_token(
        &self,
        request: Request<v1::DeleteTokenRequest>,
    ) -> Result<Response<v1::DeleteTokenResponse>, Status> {
        let operator = Caller::of(&request);
        let id = request.into_inner().id;
        if id.is_empty() {
            return Err(fields::invalid("id", "it is empty: write the one that ListTokens shows"));
        }
        tracing::info!(%operator, id, "an operator deletes a join token");
        match self.carry_out(operator, Command::Access(AccessOrder::DeleteToken { id: id.into() })).await? {
            Answer::Done => Ok(Response::new(v1::DeleteTokenResponse {})),
            other => Err(refusal::mismatched(&other)),
        }
    }

    async fn revoke(
        &self,
        request: Request<v1::RevokeRequest>,
    ) -> Result<Response<v1::RevokeResponse>, Status> {
        let operator = Caller::of(&request);
        let serial = Peer::of(&request)?.leaf.serial.clone();
        let v1::RevokeRequest { what, undo } = request.into_inner();
        let what = revocation_from_wire(what)?;
        let is_oneself = match &what {
            Revocation::Cluster(_) => false,
            Revocation::Admin(name) => *name == operator.name,
            Revocation::Serial(number) => **number == *serial.as_str(),
        };
        if !undo && is_oneself {
            return Err(Status::failed_precondition(
                "this would lock out whoever says it, before the answer: let another operator say it",
            ));
        }
        let (kind, name) = (what.kind(), what.name());
        tracing::info!(%operator, kind, name, undo, "an operator changes a revocation");
        let order = match undo {
            false => AccessOrder::Revoke(what),
            true => AccessOrder::EndRevocation(what),
        };
        let action = match (self.carry_out(operator, Command::Access(order)).await?, undo) {
            (Answer::Applied { .. }, true) => "deleted",
            (Answer::Applied { action: Action::Unchanged, .. }, false) => convert::action(Action::Unchanged),
            (Answer::Applied { .. }, false) => convert::action(Action::Created),
            (other, _) => return Err(refusal::mismatched(&other)),
        };
        Ok(Response::new(v1::RevokeResponse { action: action.to_owned() }))
    }

    async fn list_revocations(
        &self,
        _: Request<v1::ListRevocationsRequest>,
    ) -> Result<Response<v1::ListRevocationsResponse>, Status> {
        let view = self.driver.view();
        let kept_out = view.federation.revocations.iter().filter(|record| !record.is_about_names());
        let items = kept_out.map(revocation).collect();
        Ok(Response::new(v1::ListRevocationsResponse { items }))
    }

    async fn who_am_i(
        &self,
        request: Request<v1::WhoAmIRequest>,
    ) -> Result<Response<v1::WhoAmIResponse>, Status> {
        Admin::who_am_i(self, &request).map(Response::new)
    }

    async fn bind_role(
        &self,
        request: Request<v1::BindRoleRequest>,
    ) -> Result<Response<v1::BindRoleResponse>, Status> {
        Admin::bind_role(self, request).await.map(Response::new)
    }

    async fn unbind_role(
        &self,
        request: Request<v1::UnbindRoleRequest>,
    ) -> Result<Response<v1::UnbindRoleResponse>, Status> {
        Admin::unbind_role(self, request).await.map(Response::new)
    }

    async fn list_roles(
        &self,
        _: Request<v1::ListRolesRequest>,
    ) -> Result<Response<v1::ListRolesResponse>, Status> {
        Ok(Response::new(Admin::list_roles(self)))
    }
}

/// For whom a token is to be, and what an operator may do then.
fn whom(request: &v1::CreateTokenRequest) -> Result<(Admits, Option<Permit>), Status> {
    let v1::CreateTokenRequest { cluster, ttl: _, again: _, approval, operator, role } = request;
    match (cluster.as_str(), operator.as_str()) {
        ("", "") => Err(fields::invalid("cluster", "it is empty, as is operator: name one of the two")),
        (cluster, "") => match role {
            None => Ok((Admits::Cluster(fields::name("cluster", cluster)?), None)),
            Some(_) => {
                Err(fields::invalid("role", "a cluster has no role: leave it out, or name an operator"))
            }
        },
        ("", name) => {
            if *approval {
                return Err(fields::invalid(
                    "approval",
                    "it is for clusters: whoever makes an operator's token has decided",
                ));
            }
            let name: AdminName = name.parse().map_err(|error| fields::invalid("operator", error))?;
            let permit = role.as_ref().map(super::roles::permit).transpose()?;
            Ok((Admits::Operator(name.as_str().into()), permit))
        }
        (_, _) => Err(fields::invalid(
            "operator",
            "a token is for a cluster or for an operator: name one of the two",
        )),
    }
}

fn ttl(ttl: Option<prost_types::Duration>) -> Result<Duration, Status> {
    let Some(ttl) = ttl else { return Ok(TTL) };
    let within = Duration::try_from(ttl).ok().filter(|ttl| (TTL_MIN..=TTL_MAX).contains(ttl));
    within.ok_or_else(|| {
        fields::invalid(
            "ttl",
            format!("{} s is out of range: it must be from 1 second to 7 days", ttl.seconds),
        )
    })
}

impl Admin {
    async fn judge(&self, operator: Caller, cluster: &str, token: &str, approve: bool) -> Result<(), Status> {
        let cluster: ClusterName = fields::name("cluster", cluster)?;
        let token = Some(token).filter(|token| !token.is_empty()).map(Into::into);
        tracing::info!(%operator, %cluster, approve, "an operator decides about an enrolment");
        let order = AccessOrder::Judge { cluster, token, approve };
        match self.carry_out(operator, Command::Access(order)).await? {
            Answer::Done => Ok(()),
            other => Err(refusal::mismatched(&other)),
        }
    }
}

fn revocation_from_wire(what: Option<v1::revoke_request::What>) -> Result<Revocation, Status> {
    use v1::revoke_request::What;
    Ok(match what {
        None => {
            let problem = "it is missing: give the name of a cluster, or of an admin, or a serial number";
            return Err(fields::invalid("what", problem));
        }
        Some(What::Cluster(name)) => Revocation::Cluster(fields::name("cluster", &name)?),
        Some(What::Admin(name)) => {
            let name: AdminName = name.parse().map_err(|error| fields::invalid("admin", error))?;
            Revocation::Admin(name.as_str().into())
        }
        Some(What::Serial(number)) => {
            let number: Serial = number.parse().map_err(|error| fields::invalid("serial", error))?;
            Revocation::Serial(number.as_str().into())
        }
    })
}

/// Whoever waits for an operator's word.
fn enrolment(token: &TokenRecord, now: WallTime) -> Option<v1::Enrolment> {
    let (TokenUse { at, uid, key, from, approval: _ }, approval) = token.waiting(now)?;
    Some(v1::Enrolment {
        cluster: token.admits.name().to_owned(),
        cluster_uid: uid.to_string(),
        from: from.to_string(),
        key: Hex(key).to_string(),
        since: Some(timestamp(*at)),
        expires: Some(timestamp(approval.until)),
        token: token.hash.id().to_string(),
        token_created_by: token.by.to_string(),
    })
}

fn token(token: &TokenRecord) -> v1::Token {
    let TokenRecord { hash, admits, by, created, expires, approval: _, used } = token;
    let used = used.as_ref();
    let (cluster, operator) = match admits {
        Admits::Cluster(name) => (name.to_string(), String::new()),
        Admits::Operator(name) => (String::new(), name.to_string()),
    };
    v1::Token {
        id: hash.id().to_string(),
        cluster,
        operator,
        created_by: by.to_string(),
        created: Some(timestamp(*created)),
        expires: Some(timestamp(*expires)),
        used: used.map(|used| timestamp(used.at)),
        used_by_uid: used
            .map(|used| used.uid)
            .filter(|uid| uid.0 != 0)
            .map(|uid| uid.to_string())
            .unwrap_or_default(),
        used_from: used.map(|used| used.from.to_string()).unwrap_or_default(),
    }
}

fn revocation(record: &RevocationRecord) -> v1::Revocation {
    let RevocationRecord { what, by, at, readmitted, former: _ } = record;
    v1::Revocation {
        kind: what.kind().to_owned(),
        name: what.name().to_owned(),
        by: by.to_string(),
        at: Some(timestamp(*at)),
        readmitted: readmitted.map(timestamp),
    }
}
