//! The driver: the only owner of the federation's machine and of the store, on a thread of its own, because a commit
//! waits for the disk. Everyone else holds a [`Handle`]: events go in through one bounded queue, and what may be read
//! is an immutable [`View`].
//!
//! A turn takes what is queued, steps the machine for each, commits all of it at once, shows the new view, and only
//! then lets messages and answers go: write before you speak.

mod clock;
mod handle;
mod shortages;
mod shown;
mod times;
mod totals;
mod turn;
mod view;
mod wait;

use std::sync::Arc;
use std::thread;

use godwit_common::link::{Hello, Up};
use godwit_common::{ClusterName, WorkloadId};
use godwit_hub_core::{
    Answer, Command, Config, Effect, HistoryView, Hub, PartsView, PlanView, Record, Refused, RestoreError,
    SessionId, WhatIf, WhatIfView,
};
use tokio::sync::{OwnedSemaphorePermit, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use crate::sessions::Outbox;
use crate::store::{self, Place, Restored, Store, StoreError};

pub(crate) use clock::wall_time;
pub(crate) use handle::{Gone, Handle};
#[cfg(test)]
pub(crate) use shortages::Shortages;
pub(crate) use shown::Shown;
pub(crate) use times::Histogram;
#[cfg(test)]
pub(crate) use times::Times;
pub(crate) use view::{View, WorkloadKey};

use clock::Clock;
use turn::Driver;
use view::Projector;

/// Inputs that wait for the driver. A turn takes a millisecond or so, so this is far more than one has to wait for;
/// beyond it, sessions stop reading from their streams, and the agents' own buffers take over.
const QUEUE_MAX: usize = 1_024;

/// Threads that find out what would be: it may take long in a large federation, and nobody else waits for it.
const ASKERS: usize = 1;

/// Something for the machine.
pub(crate) enum Input {
    /// An agent has said hello; what the machine says to it goes into the outbox.
    Opened { session: SessionId, cluster: ClusterName, hello: Box<Hello>, outbox: Outbox },
    /// An agent has said more. Its room is free again when the turn has taken it.
    Message { session: SessionId, message: Box<Up>, room: OwnedSemaphorePermit },
    /// An agent's stream is over, maybe because its certificate has ended.
    Closed { session: SessionId, expired: bool },
    /// An operator wants something.
    Command { by: Arc<str>, command: Box<Command>, reply: oneshot::Sender<Result<Answer, Refused>> },
    /// An operator asks why, or what if.
    Question(Question),
    /// Say goodbye to every agent, and end.
    Stop,
}

/// What changes nothing, but needs the machine itself: the view does not hold it.
pub(crate) enum Question {
    /// Why a workload is where it is.
    Plan { workload: WorkloadId, reply: oneshot::Sender<Option<PlanView>> },
    /// The revisions of a workload.
    History { workload: WorkloadId, reply: oneshot::Sender<Option<HistoryView>> },
    /// What a workload consists of in clusters.
    Parts { what: Box<WhichParts>, reply: oneshot::Sender<Option<PartsView>> },
    /// What a command would come to.
    Rehearse { by: Arc<str>, command: Box<Command>, reply: oneshot::Sender<Result<Answer, Refused>> },
    /// Where everything would go.
    WhatIf { what: Box<WhatIf>, reply: oneshot::Sender<Result<WhatIfView, Refused>> },
}

/// Of which workload, and where.
pub(crate) struct WhichParts {
    pub(crate) workload: WorkloadId,
    pub(crate) only: Vec<ClusterName>,
    pub(crate) after: Option<ClusterName>,
    pub(crate) most: usize,
}

/// Why there is no driver, or no longer.
#[derive(Debug, thiserror::Error)]
pub(crate) enum DriverError {
    /// The store cannot be read or written.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// Its records do not fit together.
    #[error("the store's records do not fit together")]
    Restore(#[from] RestoreError),
    /// The system gives no thread or runtime.
    #[error("the driver's thread cannot be started")]
    Thread(#[from] std::io::Error),
    /// The thread ended without a word: a fault in the machine.
    #[error("the driver has panicked; this is a fault of godwit-hub, and nothing unsaved has left it")]
    Panicked,
}

/// Builds the machine from the store and starts the driver. Returns when all of that is done, and the machine's first
/// epoch is durable.
pub(crate) async fn start(config: Config, place: Place, seed: u64) -> Result<(Handle, Running), DriverError> {
    let (loaded, is_loaded) = oneshot::channel();
    let (ended, has_ended) = oneshot::channel();
    let body = move || {
        let result = run(config, &place, seed, loaded);
        // Nobody waits any more only when the process is ending anyway.
        let _ = ended.send(result);
    };
    thread::Builder::new().name("driver".to_owned()).spawn(body)?;
    let mut running = Running { has_ended };
    tokio::select! {
        biased;
        Ok(handle) = is_loaded => Ok((handle, running)),
        result = running.ended() => Err(result.err().unwrap_or(DriverError::Panicked)),
    }
}

/// The driver's thread.
pub(crate) struct Running {
    has_ended: oneshot::Receiver<Result<(), DriverError>>,
}

impl Running {
    /// Waits for the thread's end: `Ok` after [`Handle::stop`], else what went wrong.
    pub(crate) async fn ended(&mut self) -> Result<(), DriverError> {
        (&mut self.has_ended).await.unwrap_or(Err(DriverError::Panicked))
    }
}

fn run(
    config: Config,
    Place { folder, keys }: &Place,
    seed: u64,
    loaded: oneshot::Sender<Handle>,
) -> Result<(), DriverError> {
    let runtime = tokio::runtime::Builder::new_current_thread()
        .enable_time()
        .max_blocking_threads(ASKERS)
        .thread_name("questions")
        .build()?;
    let store = Store::open(folder, keys)?;
    let source = store.source();
    let (driver, inputs, views) = begin(config, store, seed)?;
    tracing::info!(store = %folder.display(), "the store is loaded");
    let stopping = CancellationToken::new();
    // The starter may have given up: the queue is then closed, and the loop below ends at once.
    let _ = loaded.send(Handle::new(inputs, views, source, driver.pulse(), stopping.clone()));
    let _guard = stopping.drop_guard();
    let ended = runtime.block_on(driver.turn_until_stopped());
    // Whoever still asks what would be is not waited for.
    runtime.shutdown_background();
    ended
}

type Begun = (Driver, mpsc::Sender<Input>, watch::Receiver<Arc<View>>);

/// Builds the machine from the store, and makes its first decisions durable: the epoch in which it leads (S10).
fn begin(config: Config, store: Store, seed: u64) -> Result<Begun, DriverError> {
    let records = store.load()?;
    let clock = Clock::new();
    let mut projector = Projector::default();
    for record in &records {
        if let Record::Journal(entry) = record {
            projector.journal_put(Arc::new(entry.clone()));
        }
    }
    let mut effects: Vec<Effect> = Vec::new();
    let hub = Hub::restore(config, seed, records, clock.now(), &mut effects)?;
    let (inputs, queue) = mpsc::channel(QUEUE_MAX);
    let (view, views) = watch::channel(Arc::new(View::empty(hub.federation())));
    let mut driver = Driver::new(hub, store, clock, queue, projector, view);
    driver.settle(effects)?;
    Ok((driver, inputs, views))
}

/// Makes a store of a backup. It starts frozen whenever it starts, until an operator accepts what the members say of it
/// (S10).
pub(crate) fn restore(
    config: Config,
    Place { folder, keys }: &Place,
    seed: u64,
    backup: impl std::io::Read,
) -> anyhow::Result<Restored> {
    let (store, restored) = store::restore(folder, keys, backup)?;
    let config = Config { recover: true, ..config };
    begin(config, store, seed)?;
    Ok(restored)
}

#[cfg(test)]
mod tests;
