//! Who may use the admin services.

use std::sync::Arc;

use godwit_certs::Identity;
use godwit_rt::serve::Peer;
use tonic::{Request, Status};

/// Lets operators pass, by their certificates alone.
pub(super) fn operators_only(request: Request<()>) -> Result<Request<()>, Status> {
    match &Peer::of(&request)?.leaf.identity {
        Identity::Admin { .. } => Ok(request),
        identity @ (Identity::Agent { .. } | Identity::Hub) => Err(Status::permission_denied(format!(
            "the admin services are for operators, and this certificate says {identity}: use one of an operator, \
             spiffe://godwit/admin/NAME"
        ))),
    }
}

/// The operator's name, for the log and the journal of what operators do.
pub(super) fn operator<T>(request: &Request<T>) -> Arc<str> {
    match Peer::of(request).map(|peer| &peer.leaf.identity) {
        Ok(Identity::Admin { name }) => name.as_str().into(),
        // The guard lets nobody else come so far.
        Ok(Identity::Agent { .. } | Identity::Hub) | Err(_) => "".into(),
    }
}
