//! Watches: the changes of a selection, as a stream that ends when it must.

use std::collections::VecDeque;
use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::{Value, json};
use tokio::sync::Notify;
use tokio::sync::watch::Receiver;
use tokio::time::Instant;

use super::content::View;
use super::selectors::Selection;
use super::{Api, Body};
use crate::error::ApiError;
use crate::store::{Change, Store};

/// How often a client that asked for bookmarks gets one while nothing else happens.
const BOOKMARK_PERIOD: Duration = Duration::from_secs(10);
/// How many events go into one piece of the body.
const EVENTS_PER_CHUNK: usize = 64;

/// What a client watches.
#[derive(Debug)]
pub(super) struct Watch {
    pub(super) view: View,
    pub(super) namespace: Option<String>,
    pub(super) selection: Selection,
    pub(super) initial: Initial,
    /// The version up to which the client knows everything.
    pub(super) cursor: u64,
    pub(super) bookmarks: bool,
    pub(super) timeout: Duration,
    pub(super) notify: Arc<Notify>,
}

/// The objects that a watch begins with.
#[derive(Debug)]
pub(super) struct Initial {
    pub(super) objects: Vec<Arc<Value>>,
    /// Whether their end is marked.
    pub(super) marked: bool,
}

struct Running {
    watch: Watch,
    store: Arc<Store>,
    cut: Receiver<u64>,
    deadline: Instant,
    next_mark: Instant,
    queue: VecDeque<Bytes>,
    ended: bool,
}

impl Watch {
    pub(super) fn body(self, api: &Api) -> Body {
        let mut cut = api.cut.subscribe();
        cut.mark_unchanged();
        let mut running = Running {
            deadline: Instant::now() + self.timeout,
            next_mark: Instant::now() + BOOKMARK_PERIOD,
            store: api.store.clone(),
            cut,
            queue: VecDeque::new(),
            ended: false,
            watch: self,
        };
        running.begin();
        let chunks = stream::unfold(running, |mut running| async move {
            let chunk = running.next().await?;
            Some((Ok::<_, Infallible>(Frame::data(chunk)), running))
        });
        StreamBody::new(chunks).boxed_unsync()
    }
}

impl Running {
    fn begin(&mut self) {
        let initial = std::mem::take(&mut self.watch.initial.objects);
        let events = initial.iter().map(|object| ("ADDED", self.watch.view.one(object)));
        self.queue = chunks(events);
        if self.watch.initial.marked {
            self.push("BOOKMARK", self.watch.view.bookmark(self.watch.cursor, true));
        }
    }

    async fn next(&mut self) -> Option<Bytes> {
        loop {
            if let Some(chunk) = self.queue.pop_front() {
                return Some(chunk);
            }
            if self.ended {
                return None;
            }
            self.read();
            if self.queue.is_empty() {
                self.wait().await;
            }
        }
    }

    /// Reads what happened since the cursor.
    fn read(&mut self) {
        let resource = &self.watch.view.kind.resource;
        match self.store.changes_after(self.watch.cursor, |changed| *changed == **resource) {
            Ok((changes, version)) => {
                self.watch.cursor = version;
                let events = changes.iter().filter_map(|change| self.event(change));
                self.queue = chunks(events);
            }
            Err(gone) => {
                let error = ApiError::gone(self.watch.cursor, gone.oldest);
                self.push("ERROR", error.status());
                self.ended = true;
            }
        }
    }

    async fn wait(&mut self) {
        let wake = if self.watch.bookmarks { self.next_mark.min(self.deadline) } else { self.deadline };
        tokio::select! {
            () = self.watch.notify.notified() => {}
            () = tokio::time::sleep_until(wake) => {
                if self.watch.bookmarks {
                    self.push("BOOKMARK", self.watch.view.bookmark(self.watch.cursor, false));
                }
                let now = Instant::now();
                self.next_mark = now + BOOKMARK_PERIOD;
                self.ended = now >= self.deadline;
            }
            _ = self.cut.changed() => self.ended = true,
        }
    }

    /// What a change means for the selection: an object may enter it, change within it, or leave it.
    fn event(&self, change: &Change) -> Option<(&'static str, Value)> {
        let watch = &self.watch;
        if watch.namespace.as_ref().is_some_and(|namespace| **namespace != *change.key.namespace) {
            return None;
        }
        let before = change.before.as_ref().is_some_and(|before| watch.selection.matches(before));
        let after = !change.removed && watch.selection.matches(&change.after);
        let kind = match (before, after) {
            (false, false) => return None,
            (false, true) => "ADDED",
            (true, true) => "MODIFIED",
            (true, false) => "DELETED",
        };
        Some((kind, watch.view.one(&change.after)))
    }

    fn push(&mut self, kind: &str, object: Value) {
        self.queue.push_back(encode(kind, object).into());
    }
}

fn encode(kind: &str, object: Value) -> Vec<u8> {
    let mut line = serde_json::to_vec(&json!({"type": kind, "object": object})).unwrap_or_default();
    line.push(b'\n');
    line
}

fn chunks<'a>(events: impl Iterator<Item = (&'a str, Value)>) -> VecDeque<Bytes> {
    let mut queue = VecDeque::new();
    let (mut chunk, mut count) = (Vec::new(), 0);
    for (kind, object) in events {
        chunk.extend(encode(kind, object));
        count += 1;
        if count == EVENTS_PER_CHUNK {
            queue.push_back(std::mem::take(&mut chunk).into());
            count = 0;
        }
    }
    if !chunk.is_empty() {
        queue.push_back(chunk.into());
    }
    queue
}
