//! The agents' door: `AgentService.Attach`. A session is one task for one stream. It checks and converts what comes
//! in, waits while the driver is behind, and writes out what the machine has left in its [`Outbox`].

mod incoming;
mod outbox;
mod session;

use std::sync::Arc;

use godwit_certs::Identity;
use godwit_common::ClusterName;
use godwit_proto::v1::agent_service_server::AgentService;
use godwit_proto::v1::{AttachRequest, AttachResponse};
use godwit_rt::serve::Peer;
use godwit_rt::shares::Shares;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use outbox::Outbox;

use crate::driver::Handle;
use crate::inquiries::Inquiries;
use incoming::Incoming;
use session::Session;

/// Messages on their way from a session's task to its connection. What waits longer waits in the outbox, where newer
/// targets replace older ones.
const OUTGOING_MAX: usize = 1;

/// The service.
pub(crate) struct Agents {
    driver: Handle,
    slots: Arc<Semaphore>,
    shares: Shares<ClusterName>,
    inquiries: Inquiries,
    stop: CancellationToken,
}

impl Agents {
    /// At most `sessions` at once, and no more of one cluster than its share; none after `stop`. Those that answer inquiries are
    /// found in `inquiries`.
    pub(crate) fn new(
        driver: Handle,
        sessions: usize,
        inquiries: Inquiries,
        stop: CancellationToken,
    ) -> Self {
        let (slots, shares) = (Arc::new(Semaphore::new(sessions)), Shares::of(sessions));
        Self { driver, slots, shares, inquiries, stop }
    }
}

#[tonic::async_trait]
impl AgentService for Agents {
    type AttachStream = ReceiverStream<Result<AttachResponse, Status>>;

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, Status> {
        let peer = Peer::of(&request)?.clone();
        let cluster = cluster_of(&peer)?;
        let slot = Arc::clone(&self.slots).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(
                "the hub has as many agents' sessions as it may: try again later, or raise limits.sessions",
            )
        })?;
        let share = self.shares.take(&cluster).ok_or_else(|| {
            Status::resource_exhausted(format!(
                "cluster {cluster} has as many sessions as one cluster may: try again later"
            ))
        })?;
        let (outgoing, stream) = mpsc::channel(OUTGOING_MAX);
        let session = Session {
            driver: self.driver.clone(),
            cluster,
            peer,
            incoming: Incoming::new(request.into_inner()),
            outgoing,
            inquiries: self.inquiries.clone(),
            stop: self.stop.clone(),
        };
        tokio::spawn(async move {
            session.run().await;
            drop((slot, share));
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// The certificate says for which cluster an agent speaks; nothing else does.
fn cluster_of(peer: &Peer) -> Result<ClusterName, Status> {
    match &peer.leaf.identity {
        Identity::Agent { cluster } => Ok(cluster.clone()),
        identity @ (Identity::Admin { .. } | Identity::Hub) => Err(Status::permission_denied(format!(
            "only a member cluster's agent may attach, and this certificate says {identity}: use the certificate of an \
             agent, spiffe://godwit/cluster/NAME/agent"
        ))),
    }
}
