//! One session with a hub: a fresh connection, one stream on it, messages both ways. Inquiries and their answers go along on
//! the same stream, behind all that the machine says.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use godwit_agent_core::{Event, SessionId};
use godwit_common::link::{Hello, Up};
use godwit_proto::agent::{DownInbox, up_to_wire};
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::attach_request::Message as UpWire;
use godwit_proto::v1::attach_response::Message as DownWire;
use godwit_proto::v1::{AttachRequest, AttachResponse, InquiryAnswer, RenewCertificate};
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::{AGENT_MESSAGE_BYTES_MAX, DialTimeouts};
use godwit_rt::tls::ClientTls;
use tokio::sync::{mpsc, watch};
use tokio::time::Instant;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::cluster::{Cluster, chain};
use crate::inquiries::{Inquiries, PARTS_MAX};

/// Messages between the driver and the session; the machine keeps fewer than this under way.
const OUTGOING_MAX: usize = 16;
/// A hub that speaks of a longer time does not mean it.
const WITHIN_MAX: Duration = Duration::from_secs(3600);
/// How long a session that is hung up may take to deliver what was said before.
const PARTING_LIMIT: Duration = Duration::from_secs(2);
/// From one part of an answer to the next. With the size of a part it bounds what all answers of a session take of its stream:
/// 512 KiB in a second.
const ANSWER_PAUSE: Duration = Duration::from_millis(32);

/// What the session that stands has for others than the machine. Cheap to clone.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    standing: Mutex<Option<(SessionId, Connection)>>,
    /// Within what time the hub last wanted the certificate to be renewed.
    wanted: watch::Sender<Duration>,
}

impl Live {
    /// The connection, if there is one. It ends with its last clone: nobody keeps it.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.lock().as_ref().map(|(_, connection)| connection.clone())
    }

    /// Which session that is.
    pub(crate) fn session(&self) -> Option<SessionId> {
        self.lock().as_ref().map(|(id, _)| *id)
    }

    /// Follows what the hub says of the certificate.
    pub(crate) fn renewals_wanted(&self) -> watch::Receiver<Duration> {
        self.0.wanted.subscribe()
    }

    /// Whether anybody here renews it.
    fn is_followed(&self) -> bool {
        self.0.wanted.receiver_count() > 0
    }

    /// The hub wants the certificate to be renewed.
    fn want(&self, wish: &RenewCertificate) {
        let within = wish.within.and_then(|within| Duration::try_from(within).ok());
        self.0.wanted.send_replace(within.unwrap_or_default().min(WITHIN_MAX));
    }

    /// Lends a connection out as long as what is returned lives.
    fn lend(&self, id: SessionId, connection: Connection) -> Lent {
        *self.lock() = Some((id, connection));
        Lent { live: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(SessionId, Connection)>> {
        self.0.standing.lock().unwrap_or_else(PoisonError::into_inner)
    }
}

struct Lent {
    live: Live,
    id: SessionId,
}

impl Drop for Lent {
    fn drop(&mut self) {
        // The next session may have begun before this one was over.
        self.live.lock().take_if(|(id, _)| *id == self.id);
    }
}

/// The driver's end of a session. Dropping it hangs up.
pub(crate) struct Session {
    id: SessionId,
    outgoing: mpsc::Sender<Up>,
    task: Option<tokio::task::JoinHandle<()>>,
}

impl Session {
    pub(crate) fn start(
        id: SessionId,
        address: Arc<str>,
        hello: Hello,
        tls: Arc<ClientTls>,
        live: Live,
        cluster: Cluster,
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING_MAX);
        let task = tokio::spawn(async move {
            let talk = Talk { id, waiting, live, cluster, events: events.clone() };
            let reason = match talk.run(&address, hello, &tls).await {
                Ok(()) => "the hub ended the stream".into(),
                Err(error) => error.to_string().into(),
            };
            // Nobody listens any more when the process is ending.
            let _ = events.send(Event::Closed { session: id, reason }).await;
        });
        Self { id, outgoing, task: Some(task) }
    }

    pub(crate) fn id(&self) -> SessionId {
        self.id
    }

    /// Queues a message. One that finds no room, or no session, is dropped: the session is ending.
    pub(crate) fn send(&self, message: Up) {
        if let Err(error) = self.outgoing.try_send(message) {
            tracing::debug!(%error, "a message finds no session");
        }
    }

    /// Delivers what was said, within a bound, and closes the connection.
    pub(crate) async fn part(mut self) {
        let Some(mut task) = self.task.take() else { return };
        drop(self);
        if tokio::time::timeout(PARTING_LIMIT, &mut task).await.is_err() {
            task.abort();
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        if let Some(task) = self.task.take() {
            task.abort();
        }
    }
}

/// Why a session ended, in one line.
#[derive(Debug, thiserror::Error)]
enum Broken {
    #[error("{0}")]
    Address(#[from] godwit_rt::dial::EndpointError),
    #[error("{0}")]
    Dial(#[from] godwit_rt::dial::DialError),
    #[error("{}", words(.0))]
    Status(#[from] Status),
    #[error("the hub broke the protocol: {0}")]
    Protocol(#[from] godwit_proto::agent::WireError),
    #[error("this agent is ending")]
    Ending,
}

struct Talk {
    id: SessionId,
    waiting: mpsc::Receiver<Up>,
    live: Live,
    cluster: Cluster,
    events: mpsc::Sender<Event>,
}

impl Talk {
    async fn run(self, address: &str, hello: Hello, tls: &ClientTls) -> Result<(), Broken> {
        let Self { id, waiting, live, cluster, events } = self;
        let endpoint: Endpoint = format!("https://{address}").parse()?;
        let connection = dial(&endpoint, tls, DialTimeouts::default()).await?;
        let _lent = live.lend(id, connection.clone());
        let mut client = AgentServiceClient::new(connection)
            .max_decoding_message_size(AGENT_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(AGENT_MESSAGE_BYTES_MAX);
        // The call returns with the hub's first answer, and that follows our first message: it must be there before.
        let (wire, stream) = mpsc::channel(1);
        for mut hello in up_to_wire(&Up::Hello(hello)) {
            if let Some(UpWire::Hello(hello)) = &mut hello.message {
                hello.answers_inquiries = true;
                hello.renews_certificate = live.is_followed();
            }
            wire.send(hello).await.map_err(|_| Broken::Ending)?;
        }
        let answers = client.attach(ReceiverStream::new(stream)).await?.into_inner();
        let (teller, told) = mpsc::channel(PARTS_MAX);
        let writer = write(id, waiting, told, wire, &events);
        let reader = read(id, answers, Inquiries::new(cluster, teller), (&live, &events));
        tokio::pin!(writer, reader);
        tokio::select! {
            result = &mut reader => result,
            () = &mut writer => {
                // Our side is closed; what the hub still says is drained until it closes its own.
                reader.await
            }
        }
    }
}

/// Hands messages to the transport one by one, and says when each of the machine's was taken. What answers inquiries goes
/// when the machine has nothing to say, and at a pace that leaves the stream free for it.
async fn write(
    id: SessionId,
    mut waiting: mpsc::Receiver<Up>,
    mut told: mpsc::Receiver<InquiryAnswer>,
    wire: mpsc::Sender<AttachRequest>,
    events: &mpsc::Sender<Event>,
) {
    let mut next_answer = Instant::now();
    loop {
        let message = tokio::select! {
            biased;
            message = waiting.recv() => message,
            answer = paced(&mut told, next_answer) => {
                let answer = AttachRequest { message: Some(UpWire::InquiryAnswer(answer)) };
                if wire.send(answer).await.is_err() {
                    return;
                }
                next_answer = Instant::now() + ANSWER_PAUSE;
                continue;
            }
        };
        let Some(message) = message else {
            return;
        };
        // A large report is several messages; nothing comes between them.
        for part in up_to_wire(&message) {
            if wire.send(part).await.is_err() {
                return;
            }
        }
        // The one place is free again when the transport has taken the message.
        if wire.reserve().await.is_err() || events.send(Event::Sent { session: id }).await.is_err() {
            return;
        }
    }
}

/// The next part of an answer, not before its time. It never ends: without inquiries there is nothing to say.
async fn paced(told: &mut mpsc::Receiver<InquiryAnswer>, not_before: Instant) -> InquiryAnswer {
    tokio::time::sleep_until(not_before).await;
    match told.recv().await {
        Some(answer) => answer,
        None => std::future::pending().await,
    }
}

async fn read(
    id: SessionId,
    mut answers: Streaming<AttachResponse>,
    mut inquiries: Inquiries,
    (live, events): (&Live, &mpsc::Sender<Event>),
) -> Result<(), Broken> {
    let mut inbox = DownInbox::default();
    while let Some(wire) = answers.message().await? {
        match wire.message {
            Some(DownWire::Inquiry(inquiry)) => {
                inquiries.take(inquiry);
                continue;
            }
            Some(DownWire::RenewCertificate(wish)) => {
                live.want(&wish);
                continue;
            }
            Some(_) | None => {}
        }
        if let Some(message) = inbox.take(wire)? {
            let event = Event::Received { session: id, message };
            events.send(event).await.map_err(|_| Broken::Ending)?;
        }
    }
    Ok(())
}

/// A status in words: its code says what its message often does not.
fn words(status: &Status) -> String {
    let message = match status.message() {
        "" => chain(status),
        message => message.to_owned(),
    };
    match status.code() {
        Code::Unavailable => message,
        code => format!("{message} ({code:?})"),
    }
}
