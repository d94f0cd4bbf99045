//! `EnrolmentService`: certificates for agents.

use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::{Identity, Issued, JoinToken, KeyRequest, Leaf, SECRET_BYTES};
use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{AccessOrder, Command, Enrolment, Refused, RefusedKind, TokenHash};
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_server::EnrolmentService;
use godwit_rt::serve::{Peer, address_of};
use tonic::{Request, Response, Status};

use super::Own;
use super::own::{half_way, left_until};
use crate::config::Span;
use crate::driver::Handle;
use crate::guard::Caller;

/// The service. It looks at each caller itself: at the door for strangers nobody else does.
#[derive(Clone)]
pub(crate) struct Enrolments {
    driver: Handle,
    own: Arc<Own>,
    renew_expired: Duration,
}

impl Enrolments {
    pub(crate) fn new(driver: Handle, own: Arc<Own>, renew_expired: Duration) -> Self {
        Self { driver, own, renew_expired }
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolments {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let (from, caller) = (address_of(&request), Caller::of(&request));
        let shown = Shown::read(&request.into_inner())?;
        let Shown { cluster, hash, uid, key, signing_request } = shown;
        let what = serde_json::json!({
            "cluster": cluster.as_str(), "uid": uid.to_string(), "token": &*hash.id()
        });
        caller.note(|noted| noted.what = what);
        // Whoever has no token takes no turn away from the machine.
        let view = self.driver.view();
        if view.federation.tokens.iter().all(|token| token.hash != hash) {
            tracing::warn!(%cluster, from = %place(from), "somebody shows a join token that is not known here");
            return Err(Status::unauthenticated(
                "this join token is not known here: it was deleted, ended long ago, or is another hub's; make a new one \
                 with `godwit token create`",
            ));
        }
        let enrolment = Enrolment { hash, cluster: cluster.clone(), uid, key, from: place(from).into() };
        let command = Command::Access(AccessOrder::Enrol(enrolment));
        let answer = self.driver.command("".into(), command).await;
        let answer = answer.map_err(|_| Status::unavailable("the hub is stopping: try again in a moment"))?;
        if let Err(refused) = answer {
            let problem = &refused.message;
            tracing::warn!(%cluster, %uid, from = %place(from), problem, "an enrolment is refused");
            return Err(status(refused));
        }
        let issued = self.issue(cluster.clone(), &signing_request)?;
        let serial = issued.leaf().serial;
        tracing::info!(%cluster, %uid, from = %place(from), %serial, "an agent has enrolled its cluster");
        Ok(Response::new(v1::EnrolResponse { certificate: Some(self.answer(issued)) }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let Ok(peer) = Peer::of(&request).cloned() else {
            return Err(Status::unauthenticated(
                "a certificate is renewed for whoever shows it: this connection has none; enrol with a join token",
            ));
        };
        let cluster = self.may_renew(&peer.leaf)?;
        let issued = self.issue(cluster.clone(), &request.get_ref().signing_request)?;
        let leaf = issued.leaf();
        let (serial, before) = (leaf.serial.clone(), &peer.leaf.serial);
        tracing::info!(%cluster, %serial, %before, address = %peer.address, "an agent's certificate is renewed");
        peer.renew(leaf);
        Ok(Response::new(v1::RenewResponse { certificate: Some(self.answer(issued)) }))
    }
}

impl Enrolments {
    /// The cluster whose agent shows a certificate, if that may be renewed. That it is not revoked, the door has seen.
    fn may_renew(&self, leaf: &Leaf) -> Result<ClusterName, Status> {
        let cluster = match &leaf.identity {
            Identity::Agent { cluster } => cluster.clone(),
            identity @ (Identity::Admin { .. } | Identity::Hub) => {
                return Err(Status::permission_denied(format!(
                    "only agents renew their certificates here, and this one says {identity}: operators get theirs with \
                     `godwit-hub --issue-admin`"
                )));
            }
        };
        let ended_for = SystemTime::now().duration_since(leaf.not_after).unwrap_or_default();
        if ended_for > self.renew_expired {
            return Err(Status::failed_precondition(format!(
                "this certificate ended {} ago, and is renewed within {} only (enrolment.renew_expired): enrol again, with \
                 a token of `godwit token create --cluster {cluster} --again`",
                Span(Duration::from_secs(ended_for.as_secs())),
                Span(self.renew_expired)
            )));
        }
        if !self.driver.view().clusters.contains_key(&cluster) {
            return Err(Status::failed_precondition(format!(
                "cluster {cluster} is not a member: it has never attached, or was retired or deleted; enrol it with a token \
                 of `godwit token create --cluster {cluster}`"
            )));
        }
        Ok(cluster)
    }

    fn issue(&self, cluster: ClusterName, signing_request: &str) -> Result<Issued, Status> {
        let issued = self.own.issue_agent(cluster, signing_request);
        issued.map_err(|error| match error {
            error @ godwit_certs::Error::Request { .. } => invalid("signing_request", error),
            other => {
                Status::internal(format!("the authority cannot sign: {other}; the hub's log may say more"))
            }
        })
    }

    fn answer(&self, issued: Issued) -> v1::Certificate {
        let lasts = left_until(issued.leaf().not_after);
        v1::Certificate {
            chain: issued.certificate_pem,
            authorities: self.own.certificate_pem().to_owned(),
            lasts: prost_types::Duration::try_from(lasts).ok(),
            renew_after: prost_types::Duration::try_from(half_way(lasts)).ok(),
        }
    }
}

/// What an agent shows, checked.
struct Shown {
    cluster: ClusterName,
    hash: TokenHash,
    uid: Uid,
    key: [u8; 32],
    signing_request: String,
}

impl Shown {
    fn read(request: &v1::EnrolRequest) -> Result<Self, Status> {
        let v1::EnrolRequest { cluster, secret, cluster_uid, signing_request } = request;
        let secret: &[u8; SECRET_BYTES] = secret[..].try_into().map_err(|_| {
            invalid("secret", format!("a token's secret has {SECRET_BYTES} bytes, not {}", secret.len()))
        })?;
        Ok(Self {
            cluster: cluster.parse().map_err(|error| invalid("cluster", error))?,
            hash: TokenHash(JoinToken::hash(secret)),
            uid: cluster_uid.parse().map_err(|error| invalid("cluster_uid", error))?,
            key: KeyRequest::fingerprint(signing_request)
                .map_err(|error| invalid("signing_request", error))?,
            signing_request: signing_request.clone(),
        })
    }
}

fn invalid(field: &str, problem: impl std::fmt::Display) -> Status {
    Status::invalid_argument(format!("{field}: {problem}"))
}

fn place(from: Option<SocketAddr>) -> String {
    from.map_or_else(|| "an unknown address".to_owned(), |from| from.to_string())
}

/// What the machine refuses, in the words of who comes in.
fn status(refused: Refused) -> Status {
    let Refused { kind, message } = refused;
    match kind {
        RefusedKind::NotFound => Status::unauthenticated(message),
        RefusedKind::InvalidArgument | RefusedKind::PermissionDenied => Status::permission_denied(message),
        RefusedKind::AlreadyExists => Status::already_exists(message),
        RefusedKind::FailedPrecondition => Status::failed_precondition(message),
        RefusedKind::ResourceExhausted => Status::resource_exhausted(message),
    }
}
