//! The driver: sole owner of the machine. It feeds it events, one at a time, and does its effects.

use std::collections::BTreeMap;
use std::net::SocketAddr;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::Duration;

use anyhow::Context;
use godwit_agent_core::{Agent, AskId, Config, Effect, Event, Log, WatchId};
use godwit_common::Time;
use godwit_common::rng::Rng;
use godwit_proto::agent::lease::Admitted;
use godwit_rt::health::{self, Pulse};
use godwit_rt::limits::PlainLimits;
use godwit_rt::plain;
use godwit_rt::tls::ClientTls;
use tokio::net::TcpListener;
use tokio::sync::{mpsc, oneshot};
use tokio::task::{AbortHandle, JoinHandle};
use tokio_util::sync::CancellationToken;

use crate::clock;
use crate::cluster::Cluster;
use crate::config::Settings;
use crate::gate::{Gate, Question};
use crate::identity;
use crate::session::{Live, Session};

/// Events that wait for the machine; whoever brings more waits.
const EVENTS_MAX: usize = 1024;
/// Events taken at once, so that a long listing does not hold up the clock.
const BATCH_MAX: usize = 256;
/// How long one event may keep the driver busy before the agent counts as dead: none takes more than a few seconds.
const TURN_MAX: Duration = Duration::from_secs(30);

/// Runs until `stop` is cancelled and all is given back.
pub(crate) async fn run(settings: Settings, stop: CancellationToken) -> anyhow::Result<()> {
    identity::check(&settings.identity)?;
    let gate = match settings.gate.clone() {
        Some(gate) => Some(Gate::open(gate).await?),
        None => None,
    };
    let cluster = Cluster::open(&settings, gate.as_ref()).await?;
    let health = Health::default();
    if let Some(address) = settings.health {
        serve_health(address, &health, &stop).await?;
    }
    let live = Live::default();
    let Some((tls, files)) = identity::open(&settings.identity, &cluster, &live, &stop).await? else {
        return Ok(());
    };
    let questions = gate.map(|gate| gate.start(files, cluster.clone(), &stop)).transpose()?;
    let mut rng = Rng::new(seed()?);
    let (sender, events) = mpsc::channel(EVENTS_MAX);
    let driver = Driver {
        agent: Agent::new(machine_config(&settings), Rng::new(rng.next_u64())),
        started: clock::read(),
        rng,
        cluster,
        tls,
        live,
        sender,
        session: None,
        parting: None,
        watches: BTreeMap::new(),
        health,
        questions,
        last_ask: AskId(0),
        asking: None,
        exiting: false,
    };
    let hubs = settings.hubs.join(", ");
    tracing::info!(instance = %settings.instance, hubs, "agent started");
    driver.run(events, stop).await;
    tracing::info!("agent stopped");
    Ok(())
}

/// What is told to those who ask whether the agent is well.
#[derive(Default)]
struct Health {
    pulse: Pulse,
    /// A hub has this agent, or will call it.
    attached: Arc<AtomicBool>,
}

/// Over plain HTTP, for a kubelet.
async fn serve_health(address: SocketAddr, health: &Health, stop: &CancellationToken) -> anyhow::Result<()> {
    let listener = TcpListener::bind(address).await.with_context(|| {
        format!("health.listen = {address} cannot be bound: choose a free port, or stop what holds it")
    })?;
    let bound = listener.local_addr().context("the bound address of health.listen is unknown")?;
    let attached = Arc::clone(&health.attached);
    let ready = move || match attached.load(Ordering::Relaxed) {
        true => Ok(()),
        false => Err("no hub has welcomed this agent or told it to stand by; its log says why".to_owned()),
    };
    let pages = health::pages(health.pulse.clone(), TURN_MAX, ready);
    tokio::spawn(plain::serve(listener, pages, PlainLimits::default(), stop.clone()));
    tracing::info!(address = %bound, "serving health");
    Ok(())
}

struct Driver {
    agent: Agent,
    started: Duration,
    rng: Rng,
    cluster: Cluster,
    tls: Arc<ClientTls>,
    /// The connection of the session that stands.
    live: Live,
    sender: mpsc::Sender<Event>,
    session: Option<Session>,
    /// The session that was hung up last, while it delivers what was said.
    parting: Option<JoinHandle<()>>,
    watches: BTreeMap<WatchId, AbortHandle>,
    health: Health,
    /// What other agents of the cluster ask, if they may (S9).
    questions: Option<mpsc::Receiver<Question>>,
    last_ask: AskId,
    /// The question that the machine is answering.
    asking: Option<(AskId, oneshot::Sender<Admitted>)>,
    exiting: bool,
}

impl Driver {
    async fn run(mut self, mut events: mpsc::Receiver<Event>, stop: CancellationToken) {
        let mut batch = Vec::with_capacity(BATCH_MAX);
        let mut stopping = false;
        self.step(Event::Tick).await;
        while !self.exiting {
            let deadline = self.agent.deadline();
            tokio::select! {
                () = stop.cancelled(), if !stopping => {
                    stopping = true;
                    self.step(Event::Stop).await;
                }
                () = self.sleep_until(deadline) => self.step(Event::Tick).await,
                question = asked(&mut self.questions) => self.answer(question).await,
                _ = events.recv_many(&mut batch, BATCH_MAX) => {
                    for event in batch.drain(..) {
                        self.step(event).await;
                    }
                }
            }
        }
        self.watches.values().for_each(AbortHandle::abort);
    }

    async fn step(&mut self, event: Event) {
        if self.exiting {
            return;
        }
        self.health.pulse.begin();
        let mut effects = Vec::new();
        let now = self.now();
        self.agent.step(now, event, &mut effects);
        for effect in effects {
            self.perform(effect).await;
        }
        self.health.attached.store(self.agent.is_attached(), Ordering::Relaxed);
        self.health.pulse.end();
    }

    /// The machine answers within the step.
    async fn answer(&mut self, question: Question) {
        let Question { lives, answer } = question;
        self.last_ask = AskId(self.last_ask.0 + 1);
        self.asking = Some((self.last_ask, answer));
        self.step(Event::Asked { ask: self.last_ask, uids: lives }).await;
    }

    async fn perform(&mut self, effect: Effect) {
        match effect {
            Effect::Dial { session, address, hello } => {
                tracing::debug!(%address, session = session.0, "dialling");
                let (tls, live, sender) = (self.tls.clone(), self.live.clone(), self.sender.clone());
                let cluster = self.cluster.clone();
                self.session = Some(Session::start(session, address, hello, tls, live, cluster, sender));
            }
            Effect::Send { session, message } => {
                if let Some(open) = self.session.as_ref().filter(|open| open.id() == session) {
                    open.send(message);
                }
            }
            Effect::Hangup { session } => {
                let open = self.session.take_if(|open| open.id() == session);
                if let Some(open) = open {
                    self.parting = Some(tokio::spawn(open.part()));
                }
            }
            Effect::Call { op, call } => {
                let (cluster, sender) = (self.cluster.clone(), self.sender.clone());
                tokio::spawn(async move {
                    tracing::debug!(op = op.0, ?call, "calling");
                    let result = cluster.perform(call).await;
                    // What is in a good answer is not for logs: it may be a Secret's manifest.
                    tracing::debug!(op = op.0, failure = ?result.as_ref().err(), "answered");
                    // The driver ends before its calls do when the process ends.
                    let _ = sender.send(Event::Done { op, result }).await;
                });
            }
            Effect::Watch { watch, scope } => {
                let rng = Rng::new(self.rng.next_u64());
                let task = self.cluster.clone().watch(watch, scope, self.sender.clone(), rng);
                self.watches.insert(watch, tokio::spawn(task).abort_handle());
            }
            Effect::Unwatch { watch } => {
                if let Some(task) = self.watches.remove(&watch) {
                    task.abort();
                }
            }
            Effect::Admit { ask, lasts, uids } => {
                if let Some((_, answer)) = self.asking.take_if(|(asking, _)| *asking == ask) {
                    // Who does not wait any more asks again.
                    let _ = answer.send(Admitted { lasts, lives: uids });
                }
            }
            Effect::Log(line) => log(&line),
            Effect::Exit => {
                self.exiting = true;
                // The goodbye must leave before the process does; the session bounds how long that takes.
                if let Some(parting) = self.parting.take()
                    && let Err(error) = parting.await
                {
                    tracing::debug!(%error, "the last session did not end well");
                }
            }
        }
    }

    fn now(&self) -> Time {
        Time(u64::try_from(clock::read().saturating_sub(self.started).as_millis()).unwrap_or(u64::MAX))
    }

    /// Sleeps until that moment of the machine's clock; for ever if there is none.
    fn sleep_until(&self, deadline: Option<Time>) -> impl Future<Output = ()> + use<> {
        let wait = deadline.map(|deadline| deadline.since(self.now()));
        async move {
            match wait {
                Some(wait) => tokio::time::sleep(wait).await,
                None => std::future::pending().await,
            }
        }
    }
}

/// The next question of another agent; never one where nobody may ask.
async fn asked(questions: &mut Option<mpsc::Receiver<Question>>) -> Question {
    let question = match questions {
        Some(questions) => questions.recv().await,
        None => None,
    };
    match question {
        Some(question) => question,
        None => std::future::pending().await,
    }
}

fn log(line: &Log) {
    match line {
        Log::Connected(_) | Log::StandingBy(_) | Log::Leading(_) | Log::Following(_) | Log::Applied(_) => {
            tracing::info!("{line}");
        }
        Log::Accepted(_) => tracing::debug!("{line}"),
        Log::Disconnected(_) | Log::Rejected(_) => tracing::warn!("{line}"),
        Log::Problem { .. } | Log::Left { .. } | Log::Edited { .. } | Log::Overruled { .. } => {
            tracing::warn!("{line}")
        }
        Log::Trouble { .. } | Log::Unreadable { .. } => tracing::warn!("{line}"),
        Log::Refused { .. } => tracing::error!("{line}"),
    }
}

fn machine_config(settings: &Settings) -> Config {
    let hubs = settings.hubs.iter().map(|hub| hub.as_str().into()).collect();
    let defaults = Config::new(hubs, &settings.instance, env!("CARGO_PKG_VERSION"));
    Config {
        lease_duration: settings.lease_duration,
        lease_renew: settings.lease_renew,
        resign_after: settings.resign_after,
        dial_cap: settings.dial_cap,
        report_interval: settings.report_interval,
        supervises: settings.gate.is_some(),
        ..defaults
    }
}

fn seed() -> anyhow::Result<u64> {
    getrandom::u64().map_err(|error| anyhow::anyhow!("the system gives no random numbers: {error}"))
}
