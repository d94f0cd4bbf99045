//! Answering the agents of the same cluster.

use std::sync::Arc;

use godwit_certs::Identity;
use godwit_proto::agent::lease::{LIVES_MAX, admitted_to_wire, ask_from_wire};
use godwit_proto::agents::v1::lease_service_server::{LeaseService, LeaseServiceServer};
use godwit_proto::agents::v1::{AskRequest, AskResponse};
use godwit_rt::limits::ServerLimits;
use godwit_rt::serve::{self, Peer};
use godwit_rt::tls::{Door, ServerTls};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio_util::sync::CancellationToken;
use tonic::service::RoutesBuilder;
use tonic::{Request, Response, Status};

use super::Question;

/// All agents of a cluster are one peer, who gets a quarter: enough for the largest cluster that Kubernetes supports.
const CONNECTIONS_MAX: usize = 4 * 6_000;
const HANDSHAKES_MAX: usize = 32;
/// A life takes 18 bytes.
const MESSAGE_BYTES_MAX: usize = 32 * LIVES_MAX;

pub(super) async fn serve(
    listener: TcpListener,
    tls: Arc<ServerTls>,
    door: Door,
    identity: Identity,
    questions: mpsc::Sender<Question>,
    stop: CancellationToken,
) {
    let mut routes = RoutesBuilder::default();
    let service = LeaseServiceServer::new(Service { identity, questions });
    routes.add_service(service.max_decoding_message_size(MESSAGE_BYTES_MAX));
    let limits = ServerLimits {
        connections_max: CONNECTIONS_MAX,
        handshakes_max: HANDSHAKES_MAX,
        ..ServerLimits::default()
    };
    serve::serve(listener, tls, door, routes.routes(), limits, stop).await;
}

struct Service {
    identity: Identity,
    questions: mpsc::Sender<Question>,
}

#[tonic::async_trait]
impl LeaseService for Service {
    async fn ask(&self, request: Request<AskRequest>) -> Result<Response<AskResponse>, Status> {
        let peer = &Peer::of(&request)?.leaf.identity;
        if *peer != self.identity {
            return Err(Status::permission_denied(format!("{peer} is not an agent of this cluster")));
        }
        let lives =
            ask_from_wire(request.get_ref()).map_err(|error| Status::invalid_argument(error.to_string()))?;
        let (answer, answered) = oneshot::channel();
        let ends = || Status::unavailable("this agent ends");
        self.questions.send(Question { lives, answer }).await.map_err(|_| ends())?;
        let admitted = answered.await.map_err(|_| ends())?;
        Ok(Response::new(admitted_to_wire(&admitted)))
    }
}
