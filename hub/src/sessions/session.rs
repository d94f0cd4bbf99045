//! One agent's stream, from its hello to its end.

use std::net::SocketAddr;
use std::pin::pin;
use std::time::{Duration, SystemTime};

use godwit_common::ClusterName;
use godwit_common::link::{Down, Hello, Refusal, RefusalCode, Up};
use godwit_hub_core::SessionId;
use godwit_proto::agent::down_to_wire;
use godwit_proto::v1::attach_response::Message;
use godwit_proto::v1::{AttachResponse, Inquiry, RenewCertificate};
use godwit_rt::serve::Peer;
use prost::Message as _;
use tokio::sync::mpsc;
use tokio::time::timeout;
use tokio_util::sync::CancellationToken;
use tonic::Status;

use super::Outbox;
use super::incoming::{End, Incoming, Received};
use super::pace::ReadPace;
use crate::authority::{Attached, Holders};
use crate::driver::Handle;
use crate::inquiries::{Desk, Inquiries, Line};

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
    pub(super) peer: Peer,
    pub(super) incoming: Incoming,
    pub(super) pace: ReadPace,
    pub(super) outgoing: mpsc::Sender<Result<AttachResponse, Status>>,
    pub(super) inquiries: Inquiries,
    pub(super) holders: Holders,
    pub(super) stop: CancellationToken,
}

impl Session {
    /// Runs until either side ends it.
    pub(super) async fn run(self) {
        let Self { driver, cluster, peer, mut incoming, pace, outgoing, inquiries, holders, stop } = self;
        let address = peer.address;
        let has_ended = || peer.ends() <= SystemTime::now();
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
        let desk = incoming.answers_inquiries().then(|| inquiries.desk(&cluster, session));
        let line = desk.as_ref().map(Desk::line);
        let attached = holders.enter(cluster.clone(), peer.clone());
        let renews = incoming.renews_certificate();
        let asides = Asides { desk, attached: Some(attached), renews };
        let mut writing = pin!(write(&cluster, &outbox, asides, &outgoing));
        let machine_knows = tokio::select! {
            () = &mut writing => false,
            end = read(&mut incoming, session, line.as_ref(), &driver, (&pace, &cluster)) => {
                // Before the last words leave, which may take a while.
                let _ = driver.closed(session, has_ended()).await;
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
            let _ = driver.closed(session, has_ended()).await;
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
    write(cluster, outbox, Asides::default(), outgoing).await;
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
    let no_hello = || Err(End::Broken("the first message of a session must be a hello".to_owned()));
    let message = match timeout(HELLO_WAIT, incoming.next()).await {
        Err(_) => return Err(End::Broken(format!("no hello came within {} s", HELLO_WAIT.as_secs()))),
        Ok(Err(end)) => return Err(end),
        Ok(Ok(Received::Answer(_))) => return no_hello(),
        Ok(Ok(Received::Up(message, _))) => message,
    };
    match *message {
        Up::Hello(hello) => Ok(hello),
        Up::Heartbeat
        | Up::Renewal { .. }
        | Up::Leadership(_)
        | Up::Report(_)
        | Up::Accepted { .. }
        | Up::SyncWanted
        | Up::Alarm(_)
        | Up::ApiServer { .. }
        | Up::Recalled(_)
        | Up::Goodbye => no_hello(),
    }
}

async fn read(
    incoming: &mut Incoming,
    session: SessionId,
    line: Option<&Line>,
    driver: &Handle,
    (pace, cluster): (&ReadPace, &ClusterName),
) -> End {
    loop {
        let (message, bytes) = match incoming.next().await {
            Ok(Received::Up(message, bytes)) => (message, bytes),
            Ok(Received::Answer(answer)) => {
                pace.keep(cluster, answer.encoded_len()).await;
                // It never waits: a reader that is slow loses his answer, and the stream goes on.
                if let Some(line) = line {
                    line.deliver(answer);
                }
                continue;
            }
            Err(end) => return end,
        };
        pace.keep(cluster, bytes).await;
        if driver.message(session, message, bytes).await.is_err() {
            return End::Stopping;
        }
    }
}

/// What is said to an agent besides what the machine says.
#[derive(Default)]
struct Asides {
    /// To one that answers inquiries.
    desk: Option<Desk>,
    attached: Option<Attached>,
    /// It renews its certificate when it is told to.
    renews: bool,
}

/// Carries messages out until the outbox is closed and empty, the peer is gone, or it does not read. Everything else goes when
/// the machine has nothing to say; inquiries, to agents that it has welcomed.
async fn write(
    cluster: &ClusterName,
    outbox: &Outbox,
    Asides { mut desk, mut attached, renews }: Asides,
    outgoing: &mpsc::Sender<Result<AttachResponse, Status>>,
) {
    loop {
        let parts = tokio::select! {
            biased;
            () = outgoing.closed() => return,
            message = outbox.next() => match message {
                // A large state is several messages; nothing comes between them.
                Some(message) => {
                    if let (Down::Welcome(_), Some(desk)) = (&message, &mut desk) {
                        desk.open();
                    }
                    down_to_wire(&message)
                }
                None => return,
            },
            inquiry = asked(&mut desk) => {
                vec![AttachResponse { message: Some(Message::Inquiry(inquiry)) }]
            }
            within = outdated(&mut attached), if renews => {
                let within = prost_types::Duration::try_from(within).ok();
                vec![AttachResponse { message: Some(Message::RenewCertificate(RenewCertificate { within })) }]
            }
        };
        for part in parts {
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

/// The next inquiry; none ever where nothing may be asked.
async fn asked(desk: &mut Option<Desk>) -> Inquiry {
    match desk {
        Some(desk) => desk.asked().await,
        None => std::future::pending().await,
    }
}

/// When the agent is to renew its certificate, within what is returned; never where it would not.
async fn outdated(attached: &mut Option<Attached>) -> Duration {
    match attached {
        Some(attached) => attached.outdated().await,
        None => std::future::pending().await,
    }
}
