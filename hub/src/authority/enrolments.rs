//! `EnrolmentService`: certificates for agents and operators.

use std::fmt;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use godwit_certs::{AdminName, Identity, JoinToken, KeyRequest, Leaf, SECRET_BYTES};
use godwit_common::{ClusterName, Uid};
use godwit_hub_core::{
    AccessOrder, Answer, Command, Enrolment, LogIn, PodEnrolment, Refused, RefusedKind, TokenHash,
};
use godwit_issuer::Proven;
use godwit_proto::v1;
use godwit_proto::v1::enrolment_service_server::EnrolmentService;
use godwit_rt::serve::{Peer, address_of};
use serde_json::json;
use tonic::{Request, Response, Status};

use super::gate::is_formers;
use super::own::{half_way, left_until};
use super::pods::{prove, read_issuer};
use super::standing::Granted;
use super::{Own, invalid};
use crate::audit;
use crate::config::{Settings, Span};
use crate::driver::Handle;
use crate::guard::Caller;

/// The service. It looks at each caller itself: at the door for strangers nobody else does.
#[derive(Clone)]
pub(crate) struct Enrolments {
    driver: Handle,
    own: Arc<Own>,
    renew_expired: Duration,
    /// Whom tokens of service accounts have to be meant for.
    audience: Arc<str>,
}

impl Enrolments {
    pub(crate) fn new(driver: Handle, own: Arc<Own>, settings: &Settings) -> Self {
        let renew_expired = settings.enrolment.renew_expired.0;
        Self { driver, own, renew_expired, audience: settings.enrolment.audience.as_str().into() }
    }
}

#[tonic::async_trait]
impl EnrolmentService for Enrolments {
    async fn enrol(&self, request: Request<v1::EnrolRequest>) -> Result<Response<v1::EnrolResponse>, Status> {
        let (from, caller) = (place(address_of(&request)), Caller::of(&request));
        let request = request.into_inner();
        let shown = Shown::read(&request)?;
        match request.secret.is_empty() {
            true => self.enrol_pod(shown, &request, &from, &caller).await,
            false => self.enrol_cluster(shown, &request, &from, &caller).await,
        }
    }

    async fn log_in(
        &self,
        request: Request<v1::LogInRequest>,
    ) -> Result<Response<v1::LogInResponse>, Status> {
        let (from, caller) = (place(address_of(&request)), Caller::of(&request));
        let v1::LogInRequest { name, secret, signing_request } = request.into_inner();
        let name: AdminName = name.parse().map_err(|error| invalid("name", error))?;
        let hash = token_hash(&secret)?;
        let key = fingerprint(&signing_request)?;
        let log_in = LogIn { hash, name: name.as_str().into(), key, from: from.as_str().into() };
        let order = AccessOrder::LogIn(log_in);
        let what = audit::what(&Command::Access(order.clone()));
        caller.note(|noted| noted.what = what);
        self.known(hash, &name, &from)?;
        self.order(order).await.inspect_err(|refused| {
            tracing::warn!(%name, from, problem = refused.message(), "a login is refused");
        })?;
        let granted = self.issue(Identity::Admin { name: name.clone() }, signing_request).await?;
        let serial = granted.issued.leaf().serial;
        tracing::info!(%name, from, %serial, "an operator has logged in");
        Ok(Response::new(v1::LogInResponse { certificate: Some(on_the_wire(granted)) }))
    }

    async fn renew(&self, request: Request<v1::RenewRequest>) -> Result<Response<v1::RenewResponse>, Status> {
        let Ok(peer) = Peer::of(&request).cloned() else {
            return Err(Status::unauthenticated(
                "a certificate is renewed for whoever shows it: this connection has none; enrol with a join token",
            ));
        };
        self.may_renew(&peer)?;
        let identity = peer.leaf.identity.clone();
        let granted = self.issue(identity.clone(), request.into_inner().signing_request).await?;
        let leaf = granted.issued.leaf();
        let (serial, before) = (leaf.serial.clone(), &peer.leaf.serial);
        tracing::info!(%identity, %serial, %before, address = %peer.address, "a certificate is renewed");
        peer.renew(granted.issued.certificate());
        Ok(Response::new(v1::RenewResponse { certificate: Some(on_the_wire(granted)) }))
    }

    async fn report_issuer(
        &self,
        request: Request<v1::ReportIssuerRequest>,
    ) -> Result<Response<v1::ReportIssuerResponse>, Status> {
        let (peer, caller) = (Peer::of(&request)?.clone(), Caller::of(&request));
        let cluster = cluster_of(&peer.leaf)?;
        if peer.ends() <= SystemTime::now() {
            return Err(Status::permission_denied(
                "this certificate has ended, and speaks for nobody any more: say it with one that lasts",
            ));
        }
        self.check_its_own(&cluster, &peer)?;
        let v1::ReportIssuerRequest { issuer, service_account_token, cluster_uid } = request.into_inner();
        let uid: Uid = cluster_uid.parse().map_err(|error| invalid("cluster_uid", error))?;
        let issuer = issuer.ok_or_else(|| invalid("issuer", "it is missing"))?;
        let (issuer, Proven { pod, .. }) = read_issuer(&issuer, &service_account_token, &self.audience)?;
        // What is said again at the beginning of each session takes no turn of the machine, and no line.
        let pinned =
            self.driver.view().federation.issuers.get(&cluster).is_some_and(|it| it.says(uid, &issuer));
        if pinned {
            caller.note(|noted| noted.rehearsal = true);
            return Ok(Response::new(v1::ReportIssuerResponse {}));
        }
        let order = AccessOrder::PinIssuer { cluster: cluster.clone(), uid, issuer };
        let what = audit::what(&Command::Access(order.clone()));
        caller.note(|noted| noted.what = what);
        self.order(order).await.inspect_err(|refused| {
            let problem = refused.message();
            tracing::warn!(%cluster, pod, problem, "what an agent says of its cluster's issuer is refused");
        })?;
        Ok(Response::new(v1::ReportIssuerResponse {}))
    }
}

impl Enrolments {
    /// The first agent of a cluster, with a join token.
    async fn enrol_cluster(
        &self,
        shown: Shown,
        request: &v1::EnrolRequest,
        from: &str,
        caller: &Caller,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let Shown { cluster, uid, key } = shown;
        let hash = token_hash(&request.secret)?;
        let what = json!({"cluster": cluster.as_str(), "uid": uid.to_string(), "token": &*hash.id()});
        caller.note(|noted| noted.what = what);
        self.known(hash, &cluster, from)?;
        let token = &request.service_account_token;
        let issuer = request.issuer.as_ref().map(|said| read_issuer(said, token, &self.audience)).transpose();
        let issuer = issuer.inspect_err(|refused| {
            tracing::warn!(%cluster, %uid, from, problem = refused.message(), "an enrolment is refused");
        })?;
        let issuer = issuer.map(|(issuer, _)| Box::new(issuer));
        let enrolment = Enrolment { hash, cluster: cluster.clone(), uid, key, from: from.into(), issuer };
        let answer = self.order(AccessOrder::Enrol(enrolment)).await.inspect_err(|refused| {
            tracing::warn!(%cluster, %uid, from, problem = refused.message(), "an enrolment is refused");
        })?;
        if let Answer::Waiting { again } = answer {
            // That it asks again is nothing new.
            caller.note(|noted| noted.rehearsal = again);
            return Ok(Response::new(v1::EnrolResponse { certificate: None, waiting: Some(waiting()) }));
        }
        let granted =
            self.issue(Identity::Agent { cluster: cluster.clone() }, request.signing_request.clone()).await?;
        let serial = granted.issued.leaf().serial;
        tracing::info!(%cluster, %uid, from, %serial, "an agent has enrolled its cluster");
        Ok(Response::new(v1::EnrolResponse { certificate: Some(on_the_wire(granted)), waiting: None }))
    }

    /// A later one, with the token of its service account.
    async fn enrol_pod(
        &self,
        shown: Shown,
        request: &v1::EnrolRequest,
        from: &str,
        caller: &Caller,
    ) -> Result<Response<v1::EnrolResponse>, Status> {
        let Shown { cluster, uid, key: _ } = shown;
        let token = &request.service_account_token;
        let what = |more: serde_json::Value| {
            let what = json!({"cluster": cluster.as_str(), "uid": uid.to_string(), "serviceAccount": more});
            caller.note(|noted| noted.what = what);
        };
        if token.is_empty() {
            return Err(invalid("secret", "it is empty, as is service_account_token: show one of the two"));
        }
        let proven = prove(&self.driver.view().federation, &cluster, token, &self.audience);
        let (pinned, Proven { subject, pod, node, key: _ }) = proven.map_err(|unproven| {
            let problem = unproven.problem();
            tracing::warn!(%cluster, %uid, from, problem, "the token of a service account is refused");
            what(json!({ "problem": problem }));
            unproven.status(&cluster)
        })?;
        what(json!({"subject": subject, "pod": pod, "node": node}));
        let enrolment = PodEnrolment {
            cluster: cluster.clone(),
            uid,
            issuer: pinned.issuer,
            pod: pod.as_str().into(),
            from: from.into(),
        };
        self.order(AccessOrder::EnrolPod(enrolment)).await.inspect_err(|refused| {
            tracing::warn!(%cluster, %uid, from, pod, problem = refused.message(), "an enrolment is refused");
        })?;
        let granted =
            self.issue(Identity::Agent { cluster: cluster.clone() }, request.signing_request.clone()).await?;
        let serial = granted.issued.leaf().serial;
        what(json!({"subject": subject, "pod": pod, "node": node, "serial": serial.as_str()}));
        tracing::info!(%cluster, pod, node, from, %serial, "an agent has come in by its service account");
        Ok(Response::new(v1::EnrolResponse { certificate: Some(on_the_wire(granted)), waiting: None }))
    }

    /// Whoever has no token takes no turn away from the machine.
    fn known(&self, hash: TokenHash, whose: &dyn fmt::Display, from: &str) -> Result<(), Status> {
        if self.driver.view().federation.tokens.iter().any(|token| token.hash == hash) {
            return Ok(());
        }
        tracing::warn!(%whose, from, "somebody shows a token that is not known here");
        Err(Status::unauthenticated(
            "this token is not known here: it was deleted, its cluster was revoked, it ended long ago, or is another hub's; \
             make a new one with `godwit token create`",
        ))
    }

    async fn order(&self, order: AccessOrder) -> Result<Answer, Status> {
        let answer = self.driver.command("".into(), Command::Access(order)).await;
        let answer = answer.map_err(|_| Status::unavailable("the hub is stopping: try again in a moment"))?;
        answer.map_err(status)
    }

    /// Whether a certificate may be renewed. What it was given over this very connection counts, whatever has become of the one
    /// that the connection began with. That it is not revoked, the door has seen.
    fn may_renew(&self, peer: &Peer) -> Result<(), Status> {
        let ends = peer.ends();
        let cluster = match &peer.leaf.identity {
            Identity::Agent { cluster } => cluster.clone(),
            Identity::Admin { name } if ends <= SystemTime::now() => {
                return Err(Status::failed_precondition(format!(
                    "this certificate has ended, and an operator's is renewed before that: log in again, with a token of \
                     `godwit token create --operator {name}`"
                )));
            }
            Identity::Admin { .. } => return Ok(()),
            identity @ Identity::Hub => {
                return Err(Status::permission_denied(format!(
                    "agents and operators renew their certificates here, and this one says {identity}"
                )));
            }
        };
        let ended_for = SystemTime::now().duration_since(ends).unwrap_or_default();
        if ended_for > self.renew_expired {
            return Err(Status::failed_precondition(format!(
                "this certificate ended {} ago, and is renewed within {} only (enrolment.renew_expired): enrol again, with \
                 a token of `godwit token create --cluster {cluster} --again`",
                Span(Duration::from_secs(ended_for.as_secs())),
                Span(self.renew_expired)
            )));
        }
        let view = self.driver.view();
        if ends <= SystemTime::now() && view.federation.issuers.contains_key(&cluster) {
            return Err(Status::failed_precondition(format!(
                "this certificate has ended, and cluster {cluster} has pinned an issuer of service accounts: its agents come in \
                 by theirs again (identity.service_account_token_file), or with a token of `godwit token create --cluster \
                 {cluster} --again`"
            )));
        }
        if !view.clusters.contains_key(&cluster) {
            return Err(Status::failed_precondition(format!(
                "cluster {cluster} is not a member: it has never attached, or was retired or deleted; enrol it with a token \
                 of `godwit token create --cluster {cluster}`"
            )));
        }
        self.check_its_own(&cluster, peer)
    }

    /// Nothing is done for the agents of a cluster that has lost its name.
    fn check_its_own(&self, cluster: &ClusterName, peer: &Peer) -> Result<(), Status> {
        if is_formers(&self.driver.view(), cluster, peer.issued()) {
            return Err(Status::failed_precondition(format!(
                "this certificate was made for a cluster that was called {cluster} before it was built anew, retired or \
                 deleted, and another one has the name now: enrol with a token of `godwit token create --cluster {cluster} \
                 --again`"
            )));
        }
        Ok(())
    }

    async fn issue(&self, identity: Identity, signing_request: String) -> Result<Granted, Status> {
        let granted = self.own.issue(identity, signing_request).await;
        granted.map_err(|error| match error.downcast_ref() {
            Some(request @ godwit_certs::Error::Request { .. }) => invalid("signing_request", request),
            Some(_) | None => {
                tracing::error!("a certificate cannot be signed: {error:#}");
                Status::internal(format!("the authority cannot sign: {error:#}; the hub's log may say more"))
            }
        })
    }
}

fn on_the_wire(granted: Granted) -> v1::Certificate {
    let Granted { issued, chain, authorities } = granted;
    let lasts = left_until(issued.leaf().not_after);
    v1::Certificate {
        chain,
        authorities,
        lasts: prost_types::Duration::try_from(lasts).ok(),
        renew_after: prost_types::Duration::try_from(half_way(lasts)).ok(),
    }
}

/// When an agent asks again whether an operator has decided.
const ASK_AGAIN: Duration = Duration::from_secs(5);

fn waiting() -> v1::Waiting {
    v1::Waiting { ask_again: prost_types::Duration::try_from(ASK_AGAIN).ok() }
}

/// What an agent says of itself, checked.
struct Shown {
    cluster: ClusterName,
    uid: Uid,
    key: [u8; 32],
}

impl Shown {
    fn read(request: &v1::EnrolRequest) -> Result<Self, Status> {
        let v1::EnrolRequest { cluster, cluster_uid, signing_request, .. } = request;
        Ok(Self {
            cluster: cluster.parse().map_err(|error| invalid("cluster", error))?,
            uid: cluster_uid.parse().map_err(|error| invalid("cluster_uid", error))?,
            key: fingerprint(signing_request)?,
        })
    }
}

fn fingerprint(signing_request: &str) -> Result<[u8; 32], Status> {
    KeyRequest::fingerprint(signing_request).map_err(|error| invalid("signing_request", error))
}

fn token_hash(secret: &[u8]) -> Result<TokenHash, Status> {
    let secret: &[u8; SECRET_BYTES] = secret.try_into().map_err(|_| {
        invalid("secret", format!("a token's secret has {SECRET_BYTES} bytes, not {}", secret.len()))
    })?;
    Ok(TokenHash(JoinToken::hash(secret)))
}

/// The cluster whose agent shows a certificate.
fn cluster_of(leaf: &Leaf) -> Result<ClusterName, Status> {
    match &leaf.identity {
        Identity::Agent { cluster } => Ok(cluster.clone()),
        identity @ (Identity::Admin { .. } | Identity::Hub) => Err(Status::permission_denied(format!(
            "only agents say who signs for their pods, and this certificate says {identity}"
        ))),
    }
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
