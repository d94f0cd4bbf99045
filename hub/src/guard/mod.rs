//! The one place where it is decided who may call what. It stands before everything that is served, at both ports, knows
//! each method by name ([`table`]), and lets nothing pass that it does not know. Who calls, the certificate says; what an
//! operator may do, the machine's table of roles says, as of this moment. Within what a role may call, how far it reaches is
//! decided where the thing is known: for commands in the machine, for questions by [`Caller`].

mod caller;
mod table;

use std::convert::Infallible;
use std::sync::Arc;

use godwit_certs::Identity;
use godwit_hub_core::{Permit, Role};
use godwit_rt::serve::Peer;
use http::{Request, Response};
use tonic::Status;
use tonic::body::Body;
use tonic::codegen::{Body as HttpBody, BoxFuture, Context, Poll, Service, StdError};
use tonic::service::Routes;

pub(crate) use caller::Caller;

use crate::driver::Handle;
use table::Least;

/// The guard, and what it stands before.
#[derive(Clone)]
pub(crate) struct Guard {
    routes: Routes,
    driver: Handle,
}

impl Guard {
    pub(crate) fn new(routes: Routes, driver: Handle) -> Self {
        Self { routes, driver }
    }

    /// Lets a call pass, as an operator's or as somebody else's, or says why not.
    fn admit(&self, path: &str, peer: Option<&Peer>) -> Result<Option<Caller>, Status> {
        let Some(least) = table::least(path) else {
            return Err(Status::unimplemented(format!(
                "{}: there is no such method here: it may be one of a later version's",
                path.chars().take(PATH_SHOWN).collect::<String>()
            )));
        };
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
        Ok(Some(Caller { name, permit: permit.map(Arc::new) }))
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
        let peer = request.extensions().get::<Peer>().cloned();
        match self.admit(request.uri().path(), peer.as_ref()) {
            Ok(caller) => {
                if let Some(caller) = caller {
                    request.extensions_mut().insert(caller);
                }
                Box::pin(self.routes.call(request))
            }
            Err(status) => {
                let (who, path) = (peer.map(|peer| peer.leaf.identity.to_string()), request.uri().path());
                tracing::info!(who, path, problem = status.message(), "a call is refused");
                Box::pin(std::future::ready(Ok(status.into_http())))
            }
        }
    }
}

/// Refusals quote what they refuse, but never a kilobyte of it.
const PATH_SHOWN: usize = 100;

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
