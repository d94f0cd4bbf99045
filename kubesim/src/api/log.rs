//! What containers write. Nothing runs, so a log is made from the time: a first line at the container's start, then a line at
//! every interval since.

use std::convert::Infallible;
use std::sync::Arc;
use std::time::Duration;

use bytes::Bytes;
use futures_util::stream;
use http::Method;
use http_body_util::{BodyExt, StreamBody};
use hyper::body::Frame;
use serde_json::Value;
use time::OffsetDateTime;

use super::Body;
use super::handler::Reply;
use super::resource::{Target, not_allowed};
use crate::error::ApiError;
use crate::object::{self, Key, items, text};
use crate::store::{PODS, Store};

/// An image whose last part begins so writes without a pause.
const CHATTY: &str = "chatty";
/// How often others write.
const INTERVAL: Duration = Duration::from_secs(1);
const CHATTY_INTERVAL: Duration = Duration::from_millis(1);
/// What a chatty line is filled up with.
const CHATTY_FILL: usize = 1000;
/// The lines that a node keeps of a container.
const LINES_KEPT: u64 = 10_000;
/// The lines of one piece of the body.
const LINES_PER_CHUNK: u64 = 64;

/// The log of one container, from a line on.
#[derive(Debug)]
pub(super) struct Log {
    store: Arc<Store>,
    key: Key,
    uid: String,
    container: String,
    started: OffsetDateTime,
    chatty: bool,
    next: u64,
    /// The line before which it ends; none while it is followed.
    end: Option<u64>,
}

pub(super) fn serve(target: &Target, name: &str) -> Result<Reply, ApiError> {
    if target.call.method != Method::GET {
        return Err(not_allowed());
    }
    let query = &target.call.query;
    if query.flag("previous") || query.flag("timestamps") {
        return Err(ApiError::bad_request("previous and timestamps are not simulated"));
    }
    let key = target.key(name);
    let store = &target.api.store;
    let pod = store.get(PODS, &key).ok_or_else(|| ApiError::not_found(&target.kind, name))?;
    let container = container(&pod, query.get("container"))?;
    let Some((started, ended)) = times(&pod, &container) else {
        let message =
            format!("container {container:?} in pod {name:?} is waiting to start: ContainerCreating");
        return Err(ApiError::bad_request(message));
    };
    let mut log = Log {
        store: store.clone(),
        key,
        uid: object::uid(&pod).to_owned(),
        chatty: is_chatty(&pod, &container),
        container,
        started,
        next: 0,
        end: None,
    };
    let written = log.written(ended.unwrap_or_else(OffsetDateTime::now_utc));
    let tail = query.number("tailLines")?.unwrap_or(LINES_KEPT).min(LINES_KEPT);
    log.next = written.saturating_sub(tail);
    log.end = (ended.is_some() || !query.flag("follow")).then_some(written);
    Ok(Reply::Log(Box::new(log)))
}

impl Log {
    pub(super) fn body(self) -> Body {
        let chunks = stream::unfold(self, |mut log| async move {
            let chunk = log.chunk().await?;
            Some((Ok::<_, Infallible>(Frame::data(chunk)), log))
        });
        StreamBody::new(chunks).boxed_unsync()
    }

    async fn chunk(&mut self) -> Option<Bytes> {
        loop {
            let until = match self.end {
                Some(end) => end,
                None => self.written(OffsetDateTime::now_utc()),
            };
            let until = until.min(self.next + LINES_PER_CHUNK);
            if self.next < until {
                let lines = (self.next..until).map(|number| self.line(number));
                let chunk: String = lines.collect();
                self.next = until;
                return Some(chunk.into());
            }
            if self.end.is_some() || !self.runs() {
                return None;
            }
            tokio::time::sleep(self.interval().min(INTERVAL / 4)).await;
        }
    }

    /// How many lines there are by `moment`.
    fn written(&self, moment: OffsetDateTime) -> u64 {
        let millis = u64::try_from((moment - self.started).whole_milliseconds()).unwrap_or(0);
        1 + millis / u64::try_from(self.interval().as_millis()).unwrap_or(u64::MAX)
    }

    fn interval(&self) -> Duration {
        if self.chatty { CHATTY_INTERVAL } else { INTERVAL }
    }

    fn line(&self, number: u64) -> String {
        let (pod, container) = (&self.key.name, &self.container);
        match (number, self.chatty) {
            (0, _) => format!("{container} of {pod} has started\n"),
            (_, false) => format!("{container} of {pod} wrote line {number}\n"),
            (_, true) => format!("{number} {}\n", "x".repeat(CHATTY_FILL)),
        }
    }

    /// Whether the container that writes it still runs.
    fn runs(&self) -> bool {
        let pod = self.store.get(PODS, &self.key).filter(|pod| object::uid(pod) == self.uid);
        pod.is_some_and(|pod| matches!(times(&pod, &self.container), Some((_, None))))
    }
}

/// The container that is meant, or the only one.
fn container(pod: &Value, asked: &str) -> Result<String, ApiError> {
    let names: Vec<&str> =
        items(&pod["spec"]["containers"]).iter().map(|container| text(&container["name"])).collect();
    let name = object::name(pod);
    match (asked, names.as_slice()) {
        ("", [only]) => Ok((*only).to_owned()),
        ("", _) => Err(ApiError::bad_request(format!(
            "a container name must be specified for pod {name}, choose one of: [{}]",
            names.join(" ")
        ))),
        (asked, names) if names.contains(&asked) => Ok(asked.to_owned()),
        (asked, _) => Err(ApiError::bad_request(format!("container {asked} is not valid for pod {name}"))),
    }
}

/// When the container started, and when it ended if it has. Between two attempts it is the last one's.
fn times(pod: &Value, container: &str) -> Option<(OffsetDateTime, Option<OffsetDateTime>)> {
    let statuses = items(&pod["status"]["containerStatuses"]);
    let status = statuses.iter().find(|status| text(&status["name"]) == container)?;
    let time = |value: &Value| object::parse_time(text(value));
    if let Some(started) = time(&status["state"]["running"]["startedAt"]) {
        return Some((started, None));
    }
    let ended = [&status["state"]["terminated"], &status["lastState"]["terminated"]];
    ended.into_iter().find_map(|ended| Some((time(&ended["startedAt"])?, time(&ended["finishedAt"]))))
}

fn is_chatty(pod: &Value, container: &str) -> bool {
    let containers = items(&pod["spec"]["containers"]);
    let image = containers.iter().find(|one| text(&one["name"]) == container).map(|one| text(&one["image"]));
    let last = image.unwrap_or_default().rsplit('/').next().unwrap_or_default();
    last.starts_with(CHATTY)
}
