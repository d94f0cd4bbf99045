//! One session with a hub: a fresh connection, one stream on it, messages both ways.

use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::Duration;

use godwit_agent_core::{Event, SessionId};
use godwit_common::link::{Hello, Up};
use godwit_proto::agent::{DownInbox, up_to_wire};
use godwit_proto::v1::agent_service_client::AgentServiceClient;
use godwit_proto::v1::{AttachRequest, AttachResponse};
use godwit_rt::dial::{Connection, Endpoint, dial};
use godwit_rt::limits::{AGENT_MESSAGE_BYTES_MAX, DialTimeouts};
use godwit_rt::tls::ClientTls;
use tokio::sync::mpsc;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Code, Status, Streaming};

use crate::cluster::chain;

/// Messages between the driver and the session; the machine keeps fewer than this under way.
const OUTGOING_MAX: usize = 16;
/// How long a session that is hung up may take to deliver what was said before.
const PARTING_LIMIT: Duration = Duration::from_secs(2);

/// The connection of the session that stands, for whoever has something else to say over it.
#[derive(Debug, Clone, Default)]
pub(crate) struct Live(Arc<Mutex<Option<(SessionId, Connection)>>>);

impl Live {
    /// The connection, if there is one. It ends with its last clone: nobody keeps it.
    pub(crate) fn connection(&self) -> Option<Connection> {
        self.lock().as_ref().map(|(_, connection)| connection.clone())
    }

    /// Lends a connection out as long as what is returned lives.
    fn lend(&self, id: SessionId, connection: Connection) -> Lent {
        *self.lock() = Some((id, connection));
        Lent { live: self.clone(), id }
    }

    fn lock(&self) -> MutexGuard<'_, Option<(SessionId, Connection)>> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        events: mpsc::Sender<Event>,
    ) -> Self {
        let (outgoing, waiting) = mpsc::channel(OUTGOING_MAX);
        let task = tokio::spawn(async move {
            let talk = Talk { id, waiting, live, events: events.clone() };
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
    events: mpsc::Sender<Event>,
}

impl Talk {
    async fn run(self, address: &str, hello: Hello, tls: &ClientTls) -> Result<(), Broken> {
        let Self { id, waiting, live, events } = self;
        let endpoint: Endpoint = format!("https://{address}").parse()?;
        let connection = dial(&endpoint, tls, DialTimeouts::default()).await?;
        let _lent = live.lend(id, connection.clone());
        let mut client = AgentServiceClient::new(connection)
            .max_decoding_message_size(AGENT_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(AGENT_MESSAGE_BYTES_MAX);
        // The call returns with the hub's first answer, and that follows our first message: it must be there before.
        let (wire, stream) = mpsc::channel(1);
        for hello in up_to_wire(&Up::Hello(hello)) {
            wire.send(hello).await.map_err(|_| Broken::Ending)?;
        }
        let answers = client.attach(ReceiverStream::new(stream)).await?.into_inner();
        let writer = write(id, waiting, wire, &events);
        let reader = read(id, answers, &events);
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

/// Hands messages to the transport one by one, and says when each was taken.
async fn write(
    id: SessionId,
    mut waiting: mpsc::Receiver<Up>,
    wire: mpsc::Sender<AttachRequest>,
    events: &mpsc::Sender<Event>,
) {
    while let Some(message) = waiting.recv().await {
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

async fn read(
    id: SessionId,
    mut answers: Streaming<AttachResponse>,
    events: &mpsc::Sender<Event>,
) -> Result<(), Broken> {
    let mut inbox = DownInbox::default();
    while let Some(wire) = answers.message().await? {
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
