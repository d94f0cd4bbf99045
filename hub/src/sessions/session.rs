//! One agent's stream, from its hello to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::Duration;

use godwit_common::ClusterName;
use godwit_common::link::{Down, Hello, Refusal, RefusalCode, Up};
use godwit_hub_core::SessionId;
use godwit_proto::agent::down_to_wire;
use godwit_proto::v1::AttachResponse;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Outbox;
use super::incoming::{End, Incoming};
use crate::driver::Handle;

/// An agent has its hello ready before it dials.
const HELLO_WAIT: Duration = Duration::from_secs(10);
/// An agent that reads nothing for so long has lost its use for what it is sent; it gets all of it in a new session.
const STALL_MAX: Duration = Duration::from_secs(30);
/// An agent that breaks the protocol will do so again: it need not hurry back.
const REFUSED_RETRY: Duration = Duration::from_secs(60);
/// A refusal's text has at most 1,024 bytes, and a character at most four.
const PROBLEM_SHOWN: usize = 200;

pub(super) struct Session {
    pub(super) driver: Handle,
    pub(super) cluster: ClusterName,
    pub(super) address: SocketAddr,
    pub(super) incoming: Incoming,
    pub(super) outgoing: mpsc::Sender<Result<AttachResponse, Status>>,
    pub(super) stop: CancellationToken,
}

impl Session {
    /// Runs until either side ends it.
    pub(super) async fn run(self) {
        let Self { driver, cluster, address, mut incoming, outgoing, stop } = self;
        let outbox = Outbox::default();
        let hello = tokio::select! {
            hello = hello(&mut incoming) => hello,
            () = stop.cancelled() => Err(End::Stopping),
        };
        let hello = match hello {
            Ok(hello) => hello,
            Err(end) => return turn_away(end, &cluster, address, &outbox, &outgoing).await,
        };
        let instance = hello.instance.clone();
        let Ok(session) = driver.opened(cluster.clone(), hello, outbox.clone()).await else {
            return turn_away(End::Stopping, &cluster, address, &outbox, &outgoing).await;
        };
        tracing::debug!(session = session.0, %cluster, %instance, %address, "an agent has attached");
        let mut writing = pin!(write(&cluster, &outbox, &outgoing));
        let machine_knows = tokio::select! {
            () = &mut writing => false,
            end = read(&mut incoming, session, &driver) => {
                // Before the last words leave, which may take a while.
                let _ = driver.closed(session).await;
                say(end, &cluster, address, &outbox);
                writing.await;
                true
            }
            () = driver.ended() => {
                // Its goodbye is in the outbox by now, unless this session came too late to be told.
                outbox.close();
                writing.await;
                true
            }
        };
        if !machine_knows {
            let _ = driver.closed(session).await;
        }
        tracing::debug!(session = session.0, %cluster, %instance, "a session has ended");
    }
}

/// Ends a session that has not begun.
async fn turn_away(
    end: End,
    cluster: &ClusterName,
    address: SocketAddr,
    outbox: &Outbox,
    outgoing: &mpsc::Sender<Result<AttachResponse, Status>>,
) {
    if let End::Stopping = end {
        // The agent is gone, or hears it.
        let _ = outgoing.try_send(Err(Status::unavailable("the hub is stopping: try again in a moment")));
        return;
    }
    say(end, cluster, address, outbox);
    write(cluster, outbox, outgoing).await;
}

/// The last words of the hub, if there are any.
fn say(end: End, cluster: &ClusterName, address: SocketAddr, outbox: &Outbox) {
    match end {
        End::Over | End::Stopping => {}
        End::Broken(problem) => {
            tracing::warn!(%cluster, %address, problem, "an agent broke the protocol: its session ends");
            let shown: String = problem.chars().take(PROBLEM_SHOWN).collect();
            let message = format!("{shown}; this is a fault of the agent or of something in between").into();
            outbox.push(Down::Refusal(Refusal {
                code: RefusalCode::Protocol,
                message,
                retry_after: REFUSED_RETRY,
            }));
        }
    }
    outbox.close();
}

async fn hello(incoming: &mut Incoming) -> Result<Hello, End> {
    match timeout(HELLO_WAIT, incoming.next()).await.map(|next| next.map(|(message, _)| message)) {
        Err(_) => Err(End::Broken(format!("no hello came within {} s", HELLO_WAIT.as_secs()))),
        Ok(Err(end)) => Err(end),
        Ok(Ok(Up::Hello(hello))) => Ok(hello),
        Ok(Ok(
            Up::Heartbeat
            | Up::Renewal { .. }
            | Up::Leadership(_)
            | Up::Report(_)
            | Up::Accepted { .. }
            | Up::SyncWanted
            | Up::Alarm(_)
            | Up::ApiServer { .. }
            | Up::Recalled(_)
            | Up::Goodbye,
        )) => Err(End::Broken("the first message of a session must be a hello".to_owned())),
    }
}

async fn read(incoming: &mut Incoming, session: SessionId, driver: &Handle) -> End {
    loop {
        let (message, bytes) = match incoming.next().await {
            Ok(next) => next,
            Err(end) => return end,
        };
        if driver.message(session, message, bytes).await.is_err() {
            return End::Stopping;
        }
    }
}

/// Carries messages out until the outbox is closed and empty, the peer is gone, or it does not read.
async fn write(
    cluster: &ClusterName,
    outbox: &Outbox,
    outgoing: &mpsc::Sender<Result<AttachResponse, Status>>,
) {
    loop {
        let message = tokio::select! {
            message = outbox.next() => message,
            () = outgoing.closed() => return,
        };
        let Some(message) = message else {
            return;
        };
        // A large state is several messages; nothing comes between them.
        for part in down_to_wire(&message) {
            match timeout(STALL_MAX, outgoing.send(Ok(part))).await {
                Ok(Ok(())) => {}
                Ok(Err(_)) => return,
                Err(_) => {
                    tracing::warn!(%cluster, "an agent has not read for {} s: its session ends", STALL_MAX.as_secs());
                    return;
                }
            }
        }
    }
}
