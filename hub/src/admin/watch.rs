//! Watches: what there is, then what changes. A watcher is given the difference between the view it has seen and the
//! newest one, so a slow one misses what lay between and nothing queues up for it.

use std::sync::Arc;
use std::time::Duration;

use imbl::OrdMap;
use imbl::ordmap::DiffItem;
use tokio::sync::mpsc;
use tokio::sync::mpsc::error::SendTimeoutError;
use tokio_stream::wrappers::ReceiverStream;
use tonic::{Response, Status};

use super::Admin;
use crate::driver::View;
use crate::guard::Caller;

/// Messages on their way to one watcher's connection.
const OUTGOING_MAX: usize = 16;
/// A watcher that takes nothing for so long is given up.
pub(super) const STALL_MAX: Duration = Duration::from_secs(30);

/// The stream of a watch.
pub(super) type Watched<M> = ReceiverStream<Result<M, Status>>;

/// What became of a thing since the watcher last heard of it.
pub(super) enum Change<'a, V> {
    /// It was there when the watch began.
    Initial(&'a V),
    /// It is new.
    New(&'a V),
    /// It is other than it was.
    Changed {
        /// What the watcher was told before, if anything.
        was: &'a V,
        /// What it is.
        now: &'a V,
    },
    /// It is gone; this is what it was.
    Gone(&'a V),
    /// All that was there when the watch began has been told.
    Complete,
}

impl<'a, V> Change<'a, V> {
    /// The thing, and whether it is gone; none if this is about no thing.
    pub(super) fn thing(&self) -> Option<(&'a V, bool)> {
        match self {
            Change::Initial(value) | Change::New(value) | Change::Changed { now: value, .. } => {
                Some((value, false))
            }
            Change::Gone(value) => Some((value, true)),
            Change::Complete => None,
        }
    }
}

impl Admin {
    /// Watches one part of the view. `message` says what the watcher hears of a change, if anything. It ends when the watcher
    /// may do something else than before.
    pub(super) fn watch<K, V, M>(
        &self,
        watcher: Caller,
        part: fn(&View) -> &OrdMap<K, Arc<V>>,
        message: impl Fn(Change<'_, V>) -> Option<M> + Send + Sync + 'static,
    ) -> Result<Response<Watched<M>>, Status>
    where
        K: Ord + Clone + Send + Sync + 'static,
        V: PartialEq + Send + Sync + 'static,
        M: Send + 'static,
    {
        let slot = Arc::clone(&self.watches).try_acquire_owned().map_err(|_| {
            Status::resource_exhausted(
                "the hub serves as many watches as it may: end one, or raise limits.watches",
            )
        })?;
        let (outgoing, stream) = mpsc::channel(OUTGOING_MAX);
        let admin = self.clone();
        tokio::spawn(async move {
            admin.feed(watcher, part, message, outgoing).await;
            drop(slot);
        });
        Ok(Response::new(ReceiverStream::new(stream)))
    }

    async fn feed<K, V, M>(
        self,
        watcher: Caller,
        part: fn(&View) -> &OrdMap<K, Arc<V>>,
        message: impl Fn(Change<'_, V>) -> Option<M>,
        outgoing: mpsc::Sender<Result<M, Status>>,
    ) where
        K: Ord + Clone,
        V: PartialEq,
    {
        // Kept free for the last word, which must not wait behind what is not read.
        let Ok(last_word) = outgoing.clone().reserve_owned().await else {
            return;
        };
        let mut views = self.driver.views();
        let mut seen = OrdMap::new();
        let mut first = true;
        let status = loop {
            let view = views.borrow_and_update().clone();
            if !watcher.is_as_it_was(&view.federation.roles) {
                break role_changed(&watcher);
            }
            let now = part(&view);
            // One at a time: a watcher of everything must not cost a copy of everything.
            let complete = first.then_some(Change::Complete);
            let changes = seen.diff(now).map(|item| change_of(item, first)).chain(complete);
            for change in changes.filter_map(&message) {
                match outgoing.send_timeout(Ok(change), STALL_MAX).await {
                    Ok(()) => {}
                    Err(SendTimeoutError::Closed(_)) => return,
                    Err(SendTimeoutError::Timeout(_)) => {
                        last_word.send(Err(too_slow()));
                        return;
                    }
                }
            }
            (seen, first) = (now.clone(), false);
            tokio::select! {
                changed = views.changed() => if changed.is_err() {
                    break stopping();
                },
                () = self.stop.cancelled() => break stopping(),
                () = outgoing.closed() => return,
            }
        };
        last_word.send(Err(status));
    }
}

fn change_of<'a, K, V>(item: DiffItem<'a, 'a, K, Arc<V>>, first: bool) -> Change<'a, V> {
    match item {
        DiffItem::Add(_, value) if first => Change::Initial(value),
        DiffItem::Add(_, value) => Change::New(value),
        DiffItem::Update { old: (_, was), new: (_, now) } => Change::Changed { was, now },
        DiffItem::Remove(_, value) => Change::Gone(value),
    }
}

/// What it was shown so far was for another role.
pub(super) fn role_changed(watcher: &Caller) -> Status {
    Status::permission_denied(format!(
        "the role of {watcher} was changed, so what was begun under the one before is ended: begin again; `godwit whoami` \
         shows what you may do"
    ))
}

fn stopping() -> Status {
    Status::unavailable("the hub is stopping: watch again in a moment")
}

fn too_slow() -> Status {
    Status::resource_exhausted(format!(
        "the watch is ended, because nothing was read for {} s: watch again, which begins with what is there then",
        STALL_MAX.as_secs()
    ))
}
