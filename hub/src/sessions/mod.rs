//! The agents' door: `AgentService.Attach`. A session is one task for one stream. It checks and converts what comes
//! in, waits while the driver is behind, and writes out what the machine has left in its [`Outbox`].

mod incoming;
mod outbox;
mod pace;
mod session;

use std::sync::Arc;
use std::time::Duration;

use godwit_certs::Identity;
use godwit_common::ClusterName;
use godwit_common::link::{Down, Refusal, RefusalCode};
use godwit_proto::agent::down_to_wire;
use godwit_proto::v1::agent_service_server::AgentService;
use godwit_proto::v1::{AttachRequest, AttachResponse};
use godwit_rt::serve::Peer;
use godwit_rt::shares::Shares;
use tokio::sync::{Semaphore, mpsc};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::CancellationToken;
use tonic::{Request, Response, Status, Streaming};

pub(crate) use outbox::Outbox;

use crate::authority::Holders;
use crate::config::Limits;
use crate::driver::Handle;
use crate::inquiries::Inquiries;
use incoming::Incoming;
use pace::ReadPace;
use session::Session;

/// Messages on their way from a session's task to its connection. What waits longer waits in the outbox, where newer
/// targets replace older ones.
const OUTGOING_MAX: usize = 1;

/// Sessions end seldom, and agents that are turned away cost a handshake each time.
const BUSY_RETRY: Duration = Duration::from_secs(30);

/// The service.
pub(crate) struct Agents {
    driver: Handle,
    slots: Arc<Semaphore>,
    shares: Shares<ClusterName>,
    pace: ReadPace,
    inquiries: Inquiries,
    holders: Holders,
    stop: CancellationToken,
}

impl Agents {
    /// At most `limits.sessions` at once, and no more of one cluster than its share; none after `stop`. Those that answer inquiries are
    /// found in `inquiries`, and all of them in `holders`.
    pub(crate) fn new(
        driver: Handle,
        limits: &Limits,
        inquiries: Inquiries,
        holders: Holders,
        stop: CancellationToken,
    ) -> Self {
        let sessions = limits.sessions as usize;
        let (slots, shares) = (Arc::new(Semaphore::new(sessions)), Shares::of(sessions));
        Self { driver, slots, shares, pace: ReadPace::of(limits), inquiries, holders, stop }
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
        let (outgoing, stream) = mpsc::channel(OUTGOING_MAX);
        let Ok(slot) = Arc::clone(&self.slots).try_acquire_owned() else {
            busy(&outgoing, "the hub has as many agents' sessions as it may: raise limits.sessions".into());
            return Ok(Response::new(ReceiverStream::new(stream)));
        };
        let Some(share) = self.shares.take(&cluster) else {
            busy(&outgoing, format!("cluster {cluster} has as many sessions as one cluster may").into());
            return Ok(Response::new(ReceiverStream::new(stream)));
        };
        let session = Session {
            driver: self.driver.clone(),
            cluster,
            peer,
            incoming: Incoming::new(request.into_inner()),
            pace: self.pace.clone(),
            outgoing,
            inquiries: self.inquiries.clone(),
            holders: self.holders.clone(),
            stop: self.stop.clone(),
        };
        tokio::spawn(async move {
            session.run().await;
            drop((slot, share));
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }
}

/// Turns an agent away that has done nothing wrong, and says when to come back: not all at one moment, since agents spread
/// what they are told.
fn busy(outgoing: &mpsc::Sender<Result<AttachResponse, Status>>, message: Arc<str>) {
    let refusal = Down::Refusal(Refusal { code: RefusalCode::Busy, message, retry_after: BUSY_RETRY });
    for part in down_to_wire(&refusal) {
        // There is room for what is one part.
        let _ = outgoing.try_send(Ok(part));
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
