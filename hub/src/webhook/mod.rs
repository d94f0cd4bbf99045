//! Telling others: each event of the journal is posted to an operator's address, in the journal's order and at least
//! once. A position that is kept beside the store says how far that is, so that neither a restart nor a receiver that
//! is away loses any, as long as the journal still has it.

mod body;
mod position;
mod post;

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use anyhow::Context;
use godwit_hub_core::{JournalEntry, Severity};
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::config::Webhook as Settings;
use crate::driver::{Handle, View};
use position::{Position, Stored};
use post::Post;

pub(crate) use post::check_url;

/// Events in one request: a storm of them is not a storm of requests.
const BATCH_MAX: usize = 100;
/// The pause after a first failed attempt; it doubles with each one that follows.
const PAUSE: Duration = Duration::from_secs(1);
/// But not beyond this.
const PAUSE_MAX: Duration = Duration::from_secs(60);

/// Sends what the journal says.
pub(crate) struct Webhook {
    post: Post,
    /// Normal events are not sent.
    warnings_only: bool,
    stored: Stored,
    delivery: Arc<Delivery>,
}

/// What became of events, for the metrics.
#[derive(Debug, Default)]
pub(crate) struct Delivery {
    /// Events that were taken.
    pub(crate) delivered: AtomicU64,
    /// Attempts that were not.
    pub(crate) failed_attempts: AtomicU64,
    /// Events that the journal had forgotten before they could be sent.
    pub(crate) missed: AtomicU64,
}

/// What is sent next.
struct Batch {
    entries: Vec<Arc<JournalEntry>>,
    /// Where the position is when it was taken.
    until: u64,
}

impl Webhook {
    /// What the settings ask for; none if they name no address. Files that they name are read, so that a mistake in them
    /// shows at the start.
    pub(crate) fn open(
        settings: &Settings,
        data: &Path,
        delivery: Arc<Delivery>,
    ) -> anyhow::Result<Option<Self>> {
        if settings.url.is_empty() {
            return Ok(None);
        }
        let post = Post::open(settings).context("the settings under webhook do not work")?;
        let warnings_only = settings.severity == "Warning";
        Ok(Some(Self { post, warnings_only, stored: Stored::beside(data), delivery }))
    }

    /// Sends until `stop`.
    pub(crate) async fn run(self, driver: Handle, stop: CancellationToken) {
        let mut views = driver.views();
        let view = views.borrow_and_update().clone();
        let Some(mut position) = self.begin(&view).await else { return };
        drop(view);
        loop {
            let view = views.borrow_and_update().clone();
            let batch = self.next(&view, &mut position);
            drop(view);
            let going_on = match batch {
                Some(batch) => self.deliver(&batch, &mut position, &stop).await,
                None => tokio::select! {
                    () = stop.cancelled() => false,
                    changed = views.changed() => changed.is_ok(),
                },
            };
            if !going_on {
                return;
            }
        }
    }

    /// How far it was; for the first time, from now on. None if that cannot be known: then nothing is sent, rather than
    /// everything again.
    async fn begin(&self, view: &View) -> Option<Position> {
        let federation = view.federation.uid.to_string();
        let newest = view.journal.get_max().map_or(0, |(number, _)| *number);
        let known = match self.stored.read().await {
            Ok(known) => known,
            Err(error) => {
                tracing::error!(%error, "no events are sent: remove the file to begin with the next one");
                return None;
            }
        };
        match known {
            Some(known) if known.federation == federation && known.number <= newest => return Some(known),
            Some(known) => tracing::warn!(
                known.number,
                newest,
                "the store is another one than events were sent from: they are sent from now on"
            ),
            None => tracing::info!("events are sent from now on"),
        }
        let position = Position { federation, number: newest };
        // What happens before the first of them is taken must not be forgotten by a restart.
        self.keep(&position).await;
        Some(position)
    }

    /// The next events that are to be sent. What is not to be sent, and what is gone, is passed over.
    fn next(&self, view: &View, position: &mut Position) -> Option<Batch> {
        let (oldest, _) = view.journal.get_min()?;
        if let Some(missed) = oldest.checked_sub(position.number + 1).filter(|missed| *missed > 0) {
            tracing::warn!(missed, "events were forgotten before they could be sent");
            self.delivery.missed.fetch_add(missed, Ordering::Relaxed);
            position.number = oldest - 1;
        }
        let later = view.journal.range(position.number + 1..).map(|(_, entry)| entry);
        let wanted = later.filter(|entry| !self.warnings_only || entry.severity == Severity::Warning);
        let entries: Vec<_> = wanted.take(BATCH_MAX).cloned().collect();
        let until = entries.last()?.number;
        Some(Batch { entries, until })
    }

    /// Tries until it is taken. Says whether to go on: not when the hub stops.
    async fn deliver(&self, batch: &Batch, position: &mut Position, stop: &CancellationToken) -> bool {
        let body = body::batch(&position.federation, &batch.entries);
        let mut pause = PAUSE;
        loop {
            let posted = tokio::select! {
                () = stop.cancelled() => return false,
                posted = self.post.send(body.clone()) => posted,
            };
            let Err(error) = posted else { break };
            self.delivery.failed_attempts.fetch_add(1, Ordering::Relaxed);
            let (first, again) = (batch.entries.first().map(|entry| entry.number), pause.as_secs());
            tracing::warn!(
                first,
                until = batch.until,
                "events were not taken: {error:#}; again in {again} s"
            );
            tokio::select! {
                () = stop.cancelled() => return false,
                () = sleep(pause) => pause = (pause * 2).min(PAUSE_MAX),
            }
        }
        self.delivery.delivered.fetch_add(batch.entries.len() as u64, Ordering::Relaxed);
        position.number = batch.until;
        self.keep(position).await;
        true
    }

    /// If this fails, some may be sent again after a restart; they are told apart by their ids.
    async fn keep(&self, position: &Position) {
        if let Err(error) = self.stored.write(position).await {
            tracing::warn!(%error, "how far events were sent is not kept");
        }
    }
}
