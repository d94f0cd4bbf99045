//! What everyone but the driver holds of the driver.

use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};

use godwit_common::link::{Hello, Up};
use godwit_common::{ClusterName, WorkloadId};
use godwit_hub_core::{
    Answer, Command, HistoryView, PartsView, PlanView, Refused, SessionId, WhatIf, WhatIfView,
};
use godwit_rt::health::Pulse;
use tokio::sync::{Semaphore, mpsc, oneshot, watch};
use tokio_util::sync::CancellationToken;

use super::{Input, Question, View, WhichParts};
use crate::sessions::Outbox;
use crate::store::Source;

/// What agents' messages may hold together while they wait. A few dozen of the largest ones; of the usual ones, far more
/// than the queue takes.
const QUEUE_KIB_MAX: u32 = 256 * 1024;

/// The way to the machine. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Handle {
    inputs: mpsc::Sender<Input>,
    views: watch::Receiver<Arc<View>>,
    source: Source,
    sessions: Arc<AtomicU64>,
    /// Room for agents' messages that wait, in kibibytes.
    room: Arc<Semaphore>,
    pulse: Pulse,
    ended: CancellationToken,
}

/// The driver has ended: the hub is stopping.
#[derive(Debug, Clone, Copy)]
pub(crate) struct Gone;

impl Handle {
    pub(super) fn new(
        inputs: mpsc::Sender<Input>,
        views: watch::Receiver<Arc<View>>,
        source: Source,
        pulse: Pulse,
        ended: CancellationToken,
    ) -> Self {
        Self {
            inputs,
            views,
            source,
            sessions: Arc::new(AtomicU64::new(1)),
            room: Arc::new(Semaphore::new(QUEUE_KIB_MAX as usize)),
            pulse,
            ended,
        }
    }

    /// Whether the driver gets on.
    pub(crate) fn pulse(&self) -> Pulse {
        self.pulse.clone()
    }

    /// What may be read now.
    pub(crate) fn view(&self) -> Arc<View> {
        self.views.borrow().clone()
    }

    /// What may be read, now and later. A reader that is slow misses views, never the newest.
    pub(crate) fn views(&self) -> watch::Receiver<Arc<View>> {
        self.views.clone()
    }

    /// What is durable, for backups.
    pub(crate) fn source(&self) -> &Source {
        &self.source
    }

    /// Carries out a command of the operator of that name.
    pub(crate) async fn command(
        &self,
        by: Arc<str>,
        command: Command,
    ) -> Result<Result<Answer, Refused>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(command);
        self.send(Input::Command { by, command, reply }).await?;
        answer.await.map_err(|_| Gone)
    }

    /// The plan in force for a workload.
    pub(crate) async fn plan(&self, workload: WorkloadId) -> Result<Option<PlanView>, Gone> {
        let (reply, plan) = oneshot::channel();
        self.send(Input::Question(Question::Plan { workload, reply })).await?;
        plan.await.map_err(|_| Gone)
    }

    /// The revisions of a workload.
    pub(crate) async fn history(&self, workload: WorkloadId) -> Result<Option<HistoryView>, Gone> {
        let (reply, history) = oneshot::channel();
        self.send(Input::Question(Question::History { workload, reply })).await?;
        history.await.map_err(|_| Gone)
    }

    /// What a workload consists of in these clusters, or in all; at most so many, after one of that name.
    pub(crate) async fn parts(
        &self,
        workload: WorkloadId,
        only: Vec<ClusterName>,
        after: Option<ClusterName>,
        most: usize,
    ) -> Result<Option<PartsView>, Gone> {
        let (reply, parts) = oneshot::channel();
        let what = Box::new(WhichParts { workload, only, after, most });
        self.send(Input::Question(Question::Parts { what, reply })).await?;
        parts.await.map_err(|_| Gone)
    }

    /// What a command of the operator of that name would come to.
    pub(crate) async fn rehearse(
        &self,
        by: Arc<str>,
        command: Command,
    ) -> Result<Result<Answer, Refused>, Gone> {
        let (reply, answer) = oneshot::channel();
        let command = Box::new(command);
        self.send(Input::Question(Question::Rehearse { by, command, reply })).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Where everything would go if this were so.
    pub(crate) async fn what_if(&self, what: WhatIf) -> Result<Result<WhatIfView, Refused>, Gone> {
        let (reply, answer) = oneshot::channel();
        let what = Box::new(what);
        self.send(Input::Question(Question::WhatIf { what, reply })).await?;
        answer.await.map_err(|_| Gone)
    }

    /// Opens a session under a number that was never used before.
    pub(crate) async fn opened(
        &self,
        cluster: ClusterName,
        hello: Hello,
        outbox: Outbox,
    ) -> Result<SessionId, Gone> {
        let session = SessionId(self.sessions.fetch_add(1, Ordering::Relaxed));
        let opened = Input::Opened { session, cluster, hello: Box::new(hello), outbox };
        self.send(opened).await?;
        Ok(session)
    }

    /// Waits while the driver is behind: that is what holds a fast agent back. `bytes` is the message's size.
    pub(crate) async fn message(
        &self,
        session: SessionId,
        message: Box<Up>,
        bytes: usize,
    ) -> Result<(), Gone> {
        let kib = u32::try_from(bytes / 1024).unwrap_or(u32::MAX).saturating_add(1).min(QUEUE_KIB_MAX);
        let room = Arc::clone(&self.room).acquire_many_owned(kib).await.map_err(|_| Gone)?;
        self.send(Input::Message { session, message, room }).await
    }

    pub(crate) async fn closed(&self, session: SessionId, expired: bool) -> Result<(), Gone> {
        self.send(Input::Closed { session, expired }).await
    }

    /// Lets the machine say goodbye, and the driver end.
    pub(crate) async fn stop(&self) {
        if self.send(Input::Stop).await.is_ok() {
            self.ended().await;
        }
    }

    /// Waits for the driver's end. Whatever it had to say has been said then.
    pub(crate) async fn ended(&self) {
        self.ended.cancelled().await;
    }

    async fn send(&self, input: Input) -> Result<(), Gone> {
        self.inputs.send(input).await.map_err(|_| Gone)
    }
}
