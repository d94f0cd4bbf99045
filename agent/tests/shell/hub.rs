//! A hub that says what a test tells it to, and remembers what it heard.

use std::net::SocketAddr;
use std::pin::Pin;
use std::sync::{Arc, Mutex};
use std::time::Duration;

use futures_util::Stream;
use godwit_common::link::{Down, Leadership, Report, Status, Targets, Up, Welcome};
use godwit_common::{Epoch, Uid, WorkloadId};
use godwit_proto::agent::{UpInbox, down_to_wire};
use godwit_proto::v1::agent_service_server::{AgentService, AgentServiceServer};
use godwit_proto::v1::{AttachRequest, AttachResponse};
use godwit_rt::Revocations;
use godwit_rt::limits::{AGENT_MESSAGE_BYTES_MAX, ServerLimits};
use godwit_rt::serve::serve;
use godwit_rt::tls::Door::Members;
use godwit_rt::tls::{ServerTls, TlsFiles};
use tokio::net::TcpListener;
use tokio::sync::{mpsc, watch};
use tokio_stream::wrappers::ReceiverStream;
use tokio_util::sync::{CancellationToken, DropGuard};
use tonic::{Request, Response, Streaming};

pub(crate) const FEDERATION: Uid = Uid(0xfed);
/// Nothing here takes so long; a test that waits longer has failed.
const PATIENCE: Duration = Duration::from_secs(120);

/// The scripted hub; it ends with its last clone.
#[derive(Clone)]
pub(crate) struct Hub {
    pub(crate) address: SocketAddr,
    heard: Arc<Heard>,
    _stop: Arc<DropGuard>,
}

/// To one agent.
type Way = mpsc::Sender<Result<AttachResponse, tonic::Status>>;

#[derive(Default)]
struct Heard {
    ups: Mutex<Vec<(String, Up)>>,
    changed: watch::Sender<()>,
    /// The ways to the agents, by instance; the newest session of each.
    downs: Mutex<Vec<(String, Way)>>,
}

struct Door(Arc<Heard>);

impl Hub {
    pub(crate) async fn start(files: TlsFiles) -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let heard = Arc::new(Heard::default());
        let door = AgentServiceServer::new(Door(heard.clone()))
            .max_decoding_message_size(AGENT_MESSAGE_BYTES_MAX)
            .max_encoding_message_size(AGENT_MESSAGE_BYTES_MAX);
        let routes = tonic::service::Routes::new(door).prepare();
        let stop = CancellationToken::new();
        let tls = ServerTls::server(files, Members(Revocations::none())).unwrap();
        tokio::spawn(serve(
            listener,
            tls,
            Members(Revocations::none()),
            routes,
            ServerLimits::default(),
            stop.clone(),
        ));
        Self { address, heard, _stop: Arc::new(stop.drop_guard()) }
    }

    /// Tells every agent.
    pub(crate) async fn say(&self, down: &Down) {
        let downs = self.heard.downs.lock().unwrap().clone();
        for (_, way) in downs {
            for wire in down_to_wire(down) {
                // One that has gone hears nothing.
                let _ = way.send(Ok(wire)).await;
            }
        }
    }

    pub(crate) async fn send(&self, targets: Targets) {
        self.say(&Down::Targets(Arc::new(targets))).await;
    }

    /// Forgets what was heard so far.
    pub(crate) fn clear(&self) {
        self.heard.ups.lock().unwrap().clear();
    }

    /// Waits until what was heard says so.
    pub(crate) async fn until<T>(&self, what: &str, found: impl Fn(&[(String, Up)]) -> Option<T>) -> T {
        let mut changed = self.heard.changed.subscribe();
        let wait = async {
            loop {
                let found = found(&self.heard.ups.lock().unwrap());
                if let Some(found) = found {
                    return found;
                }
                changed.changed().await.unwrap();
            }
        };
        match tokio::time::timeout(PATIENCE, wait).await {
            Ok(found) => found,
            Err(_) => {
                let heard = self.heard.ups.lock().unwrap().clone();
                panic!("never heard: {what}; but {heard:#?}")
            }
        }
    }

    /// Waits for a message.
    pub(crate) async fn until_up(&self, what: &str, wanted: impl Fn(&Up) -> bool) -> Up {
        self.until(what, |ups| ups.iter().map(|(_, up)| up).find(|up| wanted(up)).cloned()).await
    }

    /// Waits until some agent leads, and has sent its inventory; gives its name and the inventory.
    pub(crate) async fn until_inventory(&self) -> (String, Report) {
        let inventory = |ups: &[(String, Up)]| {
            let leads = |up: &Up| matches!(up, Up::Leadership(Leadership::Leading { .. }));
            let (leader, _) = ups.iter().rfind(|(_, up)| leads(up))?;
            ups.iter().rev().find_map(|(who, up)| match up {
                Up::Report(report) if report.complete && who == leader => Some((who.clone(), report.clone())),
                _ => None,
            })
        };
        self.until("an inventory", inventory).await
    }

    /// Waits until the newest status of a workload is as wanted.
    pub(crate) async fn until_status(&self, id: &WorkloadId, wanted: impl Fn(&Status) -> bool) -> Status {
        let newest = |ups: &[(String, Up)]| {
            let mut statuses = ups.iter().rev().filter_map(|(_, up)| match up {
                Up::Report(report) => report.statuses.iter().find(|status| status.workload == *id),
                _ => None,
            });
            statuses.next().filter(|status| wanted(status)).cloned()
        };
        self.until(&format!("a status of {id}"), newest).await
    }
}

#[tonic::async_trait]
impl AgentService for Door {
    type AttachStream = Pin<Box<dyn Stream<Item = Result<AttachResponse, tonic::Status>> + Send>>;

    async fn attach(
        &self,
        request: Request<Streaming<AttachRequest>>,
    ) -> Result<Response<Self::AttachStream>, tonic::Status> {
        let mut messages = request.into_inner();
        let first = messages.message().await?.ok_or_else(|| tonic::Status::invalid_argument("no hello"))?;
        let mut inbox = UpInbox::default();
        let first = inbox.take(first).map_err(|error| tonic::Status::invalid_argument(error.to_string()))?;
        let Some(Up::Hello(hello)) = first else {
            return Err(tonic::Status::invalid_argument("the first message is no hello"));
        };
        let who = hello.instance.to_string();
        let (way, stream) = mpsc::channel(64);
        let welcome = Down::Welcome(Welcome {
            version: 1,
            federation: FEDERATION,
            epoch: Epoch(1),
            heartbeat: Duration::from_millis(500),
        });
        for wire in down_to_wire(&welcome) {
            let _ = way.send(Ok(wire)).await;
        }
        let heard = self.0.clone();
        heard.note(&who, Up::Hello(hello));
        let mut downs = heard.downs.lock().unwrap();
        downs.retain(|(other, _)| *other != who);
        downs.push((who.clone(), way));
        drop(downs);
        tokio::spawn(async move {
            while let Ok(Some(wire)) = messages.message().await {
                let up = inbox.take(wire).expect("what the agent says keeps to the protocol's bounds");
                up.into_iter().for_each(|up| heard.note(&who, up));
            }
            // Closing our side too lets the agent's connection end.
            heard.downs.lock().unwrap().retain(|(other, _)| *other != who);
        });
        Ok(Response::new(Box::pin(ReceiverStream::new(stream))))
    }
}

impl Heard {
    fn note(&self, who: &str, up: Up) {
        self.ups.lock().unwrap().push((who.to_owned(), up));
        self.changed.send_replace(());
    }
}
