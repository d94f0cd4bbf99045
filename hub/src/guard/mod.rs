//! The one place where it is decided who may call what. It stands before everything that is served, at both ports, knows
//! each method by name ([`table`]), and lets nothing pass that it does not know. Who calls, the certificate says; what an
//! operator may do, the machine's table of roles says, as of this moment. Within what a role may call, how far it reaches is
//! decided where the thing is known: for commands in the machine, for questions by [`Caller`].

mod caller;
mod table;

use std::convert::Infallible;
use std::net::{IpAddr, SocketAddr};
use std::sync::Arc;
use std::time::Duration;

use godwit_certs::Identity;
use godwit_hub_core::{Permit, Role};
use godwit_rt::rates::Rates;
use godwit_rt::serve::{Peer, address_in, origin};
use http::{Request, Response};
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, BoxFuture, Context, Poll, Service, StdError};
use tonic::service::Routes;
use tonic::{Code, Status};

pub(crate) use caller::{Caller, Noted};

use crate::audit::{self, Audit, Entry};
use crate::driver::Handle;
use table::Least;

/// The guard, and what it stands before.
#[derive(Clone)]
pub(crate) struct Guard {
    routes: Routes,
    driver: Handle,
    audit: Audit,
    pace: CallPace,
}

/// How often calls may come.
#[derive(Clone)]
pub(crate) enum CallPace {
    /// Of each identity, at the port where everybody has one.
    Identity(Option<Rates<Identity>>),
    /// Of each address, at the port for strangers: a certificate that has ended does there, and whoever has found one takes
    /// nothing from those whose name is in it.
    Address(Option<Rates<IpAddr>>),
}

impl CallPace {
    fn keep(&self, peer: Option<&Peer>, address: Option<SocketAddr>) -> Result<(), Status> {
        match self {
            Self::Identity(Some(rates)) => peer.map_or(Ok(()), |peer| {
                let identity = &peer.leaf.identity;
                rates.take(identity, 1).map_err(|wait| too_often(&identity.to_string(), wait))
            }),
            Self::Address(Some(rates)) => address.map_or(Ok(()), |address| {
                let origin = origin(address);
                rates.take(&origin, 1).map_err(|wait| too_often(&origin.to_string(), wait))
            }),
            Self::Identity(None) | Self::Address(None) => Ok(()),
        }
    }
}

impl Guard {
    pub(crate) fn new(routes: Routes, driver: Handle, audit: Audit, pace: CallPace) -> Self {
        Self { routes, driver, audit, pace }
    }

    /// Lets a call pass, as an operator's or as somebody else's, or says why not.
    fn admit(&self, path: &str, peer: Option<&Peer>) -> Result<Option<Caller>, Status> {
        let Some(least) = table::least(path) else {
            return Err(Status::unimplemented(format!(
                "{}: there is no such method here: it may be one of a later version's",
                path.chars().take(PATH_SHOWN).collect::<String>()
            )));
        };
        if peer.is_some_and(Peer::is_disowned) {
            return Err(Status::unauthenticated(
                "the authority of this connection's certificate was replaced, and the connection ends: connect again with a \
                 certificate of the one that signs now",
            ));
        }
        if least == Least::Anybody {
            return Ok(None);
        }
        let Some(peer) = peer else {
            return Err(Status::unauthenticated("the connection has no verified peer: show a certificate"));
        };
        let identity = &peer.leaf.identity;
        let role = match least {
            Least::Anybody | Least::Member => return Ok(None),
            Least::Agent => return agents_only(identity),
            Least::Operators => None,
            Least::Role(role) | Least::Everywhere(role) => Some(role),
        };
        let name = operators_only(identity)?;
        let (permit, _) = self.driver.view().federation.roles.of(&name);
        if let Some(needed) = role {
            check_role(&name, permit.as_ref(), path, needed, matches!(least, Least::Everywhere(_)))?;
        }
        Ok(Some(Caller { name, permit: permit.map(Arc::new), noted: Arc::default() }))
    }
}

impl<B> Service<Request<B>> for Guard
where
    B: HttpBody<Data = bytes::Bytes> + Send + 'static,
    B::Error: Into<StdError>,
{
    type Response = Response<Body>;
    type Error = Infallible;
    type Future = BoxFuture<Response<Body>, Infallible>;

    fn poll_ready(&mut self, context: &mut Context<'_>) -> Poll<Result<(), Infallible>> {
        Service::<Request<B>>::poll_ready(&mut self.routes, context)
    }

    fn call(&mut self, mut request: Request<B>) -> Self::Future {
        let path = request.uri().path().to_owned();
        let peer = request.extensions().get::<Peer>().cloned();
        let address = address_in(request.extensions());
        // Whatever is called, and before anything is done for it.
        if let Err(status) = self.pace.keep(peer.as_ref(), address) {
            return Box::pin(std::future::ready(Ok(status.into_http())));
        }
        let admitted = self.admit(&path, peer.as_ref());
        let caller = match &admitted {
            Ok(caller) => caller.clone().unwrap_or_else(Caller::nobody),
            Err(_) => Caller::nobody(),
        };
        let entry = self.entry(&path, peer.as_ref(), address);
        let audit = self.audit.clone();
        if let Err(status) = admitted {
            tracing::info!(who = entry.who, path, problem = status.message(), "a call is refused");
            return Box::pin(refuse(audit, entry, status));
        }
        request.extensions_mut().insert(caller.clone());
        let answer = self.routes.call(request);
        if !table::is_audited(&path) {
            return Box::pin(async move {
                let response = answer.await?;
                // Of other refusals nobody is kept from anything: a name that is not there, a page that is none.
                let denied = refusal(&response).filter(|status| status.code() == Code::PermissionDenied);
                if let Some(status) = denied {
                    audit.record(refused(entry, &status)).await;
                }
                Ok(response)
            });
        }
        // Whoever hangs up is written down all the same: what they wanted may have been done.
        let carried = tokio::spawn(carry(audit, entry, caller, answer));
        Box::pin(async move {
            let lost = |_| Status::internal("the call panicked; this is a fault of godwit-hub").into_http();
            Ok(carried.await.unwrap_or_else(lost))
        })
    }
}

impl Guard {
    /// What is known of a call before it is carried out.
    fn entry(&self, path: &str, peer: Option<&Peer>, address: Option<SocketAddr>) -> Entry {
        let who = peer.map(|peer| match &peer.leaf.identity {
            Identity::Admin { name } => name.to_string(),
            identity @ (Identity::Agent { .. } | Identity::Hub) => identity.to_string(),
        });
        let who = who.unwrap_or_default();
        let (permit, _) = self.driver.view().federation.roles.of(&who);
        let is_operator = peer.is_some_and(|peer| matches!(peer.leaf.identity, Identity::Admin { .. }));
        Entry {
            role: permit.filter(|_| is_operator).map(|permit| permit.role.to_string()).unwrap_or_default(),
            serial: peer.map(|peer| peer.leaf.serial.to_string()).unwrap_or_default(),
            from: address.map(|address| address.to_string()).unwrap_or_default(),
            call: path.trim_start_matches('/').chars().take(PATH_SHOWN).collect(),
            who,
            ..Entry::default()
        }
    }
}

/// Writes a refusal down before it is answered.
async fn refuse(audit: Audit, entry: Entry, status: Status) -> Result<Response<Body>, Infallible> {
    audit.record(refused(entry, &status)).await;
    Ok(status.into_http())
}

/// Carries a call out that is written down, before it is answered.
async fn carry(
    audit: Audit,
    entry: Entry,
    caller: Caller,
    answer: impl Future<Output = Result<Response<Body>, Infallible>>,
) -> Response<Body> {
    if let Err(status) = audit.check().await {
        return status.into_http();
    }
    let Ok(response) = answer.await;
    let Noted { what, before, after, rehearsal } = caller.noted();
    let entry = Entry { what, before, after, ..entry };
    match refusal(&response) {
        Some(status) => audit.record(refused(entry, &status)).await,
        None if rehearsal => {}
        None => audit.record(Entry { outcome: audit::OK.to_owned(), time: audit::now(), ..entry }).await,
    }
    response
}

/// The status of an answer that has nothing else.
fn refusal(response: &Response<Body>) -> Option<Status> {
    response.extensions().get::<Status>().filter(|status| status.code() != Code::Ok).cloned()
}

fn refused(entry: Entry, status: &Status) -> Entry {
    let (outcome, message) = (format!("{:?}", status.code()), status.message().to_owned());
    Entry { outcome, message, time: audit::now(), ..entry }
}

/// Refusals quote what they refuse, but never a kilobyte of it.
const PATH_SHOWN: usize = 100;
const PUSHBACK: &str = "grpc-retry-pushback-ms";

/// With the wait as gRPC's own retries read it (gRFC A6).
fn too_often(who: &str, wait: Duration) -> Status {
    let wait = wait.max(Duration::from_millis(1)).as_millis();
    let mut status = Status::resource_exhausted(format!(
        "{who} calls more often than limits.calls_per_second allows: try again in {wait} ms"
    ));
    if let Ok(wait) = wait.to_string().parse() {
        status.metadata_mut().insert(PUSHBACK, wait);
    }
    status
}

fn agents_only(identity: &Identity) -> Result<Option<Caller>, Status> {
    match identity {
        Identity::Agent { .. } => Ok(None),
        Identity::Admin { .. } | Identity::Hub => Err(Status::permission_denied(format!(
            "only a member cluster's agent may attach, and this certificate says {identity}: use the certificate of an \
             agent, spiffe://godwit/cluster/NAME/agent"
        ))),
    }
}

fn operators_only(identity: &Identity) -> Result<Arc<str>, Status> {
    match identity {
        Identity::Admin { name } => Ok(name.as_str().into()),
        Identity::Agent { .. } | Identity::Hub => Err(Status::permission_denied(format!(
            "the admin services are for operators, and this certificate says {identity}: use one of an operator, \
             spiffe://godwit/admin/NAME"
        ))),
    }
}

fn check_role(
    name: &str,
    permit: Option<&Permit>,
    path: &str,
    needed: Role,
    everywhere: bool,
) -> Result<(), Status> {
    let method = path.rsplit('/').next().unwrap_or(path);
    let (standing, remedy) = match permit {
        None => ("has no role".to_owned(), format!("{method} takes the role {needed}")),
        Some(permit) if permit.role < needed => {
            (format!("is {permit}"), format!("{method} takes the role {needed}"))
        }
        Some(permit) if everywhere && permit.is_bounded() => (
            format!("is {permit}"),
            format!("{method} shows all namespaces, which takes a role that is bound to none"),
        ),
        Some(_) => return Ok(()),
    };
    Err(Status::permission_denied(format!(
        "{name} {standing}, and {remedy}: an admin gives it with `godwit role bind {name} --role {needed}`; `godwit whoami` \
         shows what you may do"
    )))
}
