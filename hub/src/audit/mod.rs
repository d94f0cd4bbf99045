//! The audit log: who wanted what, from where, and what became of it, as lines of JSON in a file beside the store. A line is
//! on the disk before the answer to the call leaves. What somebody only looks at is not in it, but logs and backups are, and
//! so is whatever was refused. Contents of manifests never are.

mod file;
mod limit;
mod state;
mod what;

use std::borrow::Cow;
use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};
use std::{io, thread};

use godwit_rt::serve::origin;
use serde::Serialize;
use serde_json::Value;
use tokio::sync::{mpsc, oneshot};
use tonic::Status;

pub(crate) use state::{Subject, states};
pub(crate) use what::{subjects, what};

use crate::config::Settings;
use file::Files;
use limit::Limit;

/// Lines that wait for the disk.
const QUEUE_MAX: usize = 1_024;
/// Lines that share one wait for it.
const BATCH_MAX: usize = 256;
/// A part of a line that would be longer is replaced by its size: a policy may name ten thousand clusters.
const PART_BYTES_MAX: usize = 16 * 1024;
/// What is said of a refusal may quote what it refuses.
const MESSAGE_CHARS_MAX: usize = 500;
/// While the file cannot be written, so many bytes wait for better times.
const PENDING_BYTES_MAX: usize = 4 * 1024 * 1024;
/// Refusals of one caller that are written in one window: nobody pushes out what others did by being refused.
const REFUSALS_MAX: u32 = 60;
const REFUSALS_WINDOW: Duration = Duration::from_secs(60);

/// One line.
#[derive(Debug, Clone, Default, Serialize)]
pub(crate) struct Entry {
    pub(crate) time: String,
    /// The operator's name, or what else the certificate says; empty of those who show none.
    pub(crate) who: String,
    /// What they may do; empty if they have no role.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) role: String,
    /// The certificate's serial number.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) serial: String,
    /// Where the connection comes from.
    pub(crate) from: String,
    /// The service and the method.
    pub(crate) call: String,
    /// `OK`, or the code of the refusal.
    pub(crate) outcome: String,
    /// Why it was refused.
    #[serde(skip_serializing_if = "String::is_empty")]
    pub(crate) message: String,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) what: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) before: Value,
    #[serde(skip_serializing_if = "Value::is_null")]
    pub(crate) after: Value,
    /// Refusals of the same caller that were not written since the last line.
    #[serde(skip_serializing_if = "is_zero")]
    pub(crate) skipped: u32,
}

fn is_zero(number: &u32) -> bool {
    *number == 0
}

/// The way to the log. Cheap to clone.
#[derive(Clone)]
pub(crate) struct Audit {
    lines: mpsc::Sender<Line>,
    failing: Arc<AtomicBool>,
    refusals: Arc<Limit>,
}

impl Entry {
    /// Whose refusals it counts among: those of one stranger push nobody else's out.
    fn caller(&self) -> Cow<'_, str> {
        match self.from.parse() {
            Ok(address) if self.who.is_empty() => origin(address).to_string().into(),
            Ok(_) | Err(_) => Cow::Borrowed(&self.who),
        }
    }
}

/// A line on its way, and who waits for it to be on the disk. An empty one asks whether the disk takes lines again.
struct Line {
    text: Vec<u8>,
    written: oneshot::Sender<bool>,
}

impl Audit {
    /// Opens the log of a hub.
    pub(crate) fn open(settings: &Settings) -> io::Result<Self> {
        let bytes = u64::from(settings.audit.file_bytes);
        let files = Files::open(&settings.data_dir, bytes, settings.audit.files)?;
        let (lines, queue) = mpsc::channel(QUEUE_MAX);
        let failing = Arc::new(AtomicBool::new(false));
        let writer = Writer { files, queue, pending: Vec::new(), failing: Arc::clone(&failing) };
        thread::Builder::new().name("audit".to_owned()).spawn(|| writer.run())?;
        let refusals = Arc::new(Limit::new(REFUSALS_MAX, REFUSALS_WINDOW));
        Ok(Self { lines, failing, refusals })
    }

    /// Refuses to begin what could not be written down.
    pub(crate) async fn check(&self) -> Result<(), Status> {
        if !self.failing.load(Ordering::Relaxed) || self.write(Vec::new()).await {
            return Ok(());
        }
        Err(Status::unavailable(
            "the audit log cannot be written, and nothing is done that is not written down: see the hub's log, and make room \
             in its data_dir",
        ))
    }

    /// Writes an entry. When this returns it is on the disk, or the hub's log says why not.
    pub(crate) async fn record(&self, mut entry: Entry) {
        let is_refusal = entry.outcome != OK;
        match self.refusals.take(&entry.caller(), is_refusal) {
            Some(skipped) => entry.skipped = skipped,
            None => return,
        }
        if entry.message.chars().count() > MESSAGE_CHARS_MAX {
            entry.message = entry.message.chars().take(MESSAGE_CHARS_MAX).chain(['…']).collect();
        }
        [&mut entry.what, &mut entry.before, &mut entry.after].into_iter().for_each(bound);
        match serde_json::to_vec(&entry) {
            Ok(mut text) => {
                text.push(b'\n');
                self.write(text).await;
            }
            Err(error) => tracing::error!(%error, ?entry, "an entry of the audit log has no JSON form"),
        }
    }

    async fn write(&self, text: Vec<u8>) -> bool {
        let (written, answer) = oneshot::channel();
        let line = Line { text, written };
        self.lines.send(line).await.is_ok() && answer.await.unwrap_or(false)
    }
}

/// The outcome of what was done.
pub(crate) const OK: &str = "OK";

/// Now, as lines have it: RFC 3339, to the millisecond.
pub(crate) fn now() -> String {
    let mut now = prost_types::Timestamp::from(SystemTime::now());
    now.nanos -= now.nanos % 1_000_000;
    now.to_string()
}

fn bound(part: &mut Value) {
    let bytes = serde_json::to_vec(part).map_or(0, |text| text.len());
    if bytes > PART_BYTES_MAX {
        *part = serde_json::json!({ "tooLong": bytes });
    }
}

/// The thread that waits for the disk.
struct Writer {
    files: Files,
    queue: mpsc::Receiver<Line>,
    /// What could not be written yet.
    pending: Vec<u8>,
    failing: Arc<AtomicBool>,
}

impl Writer {
    fn run(mut self) {
        let mut batch = Vec::new();
        while self.queue.blocking_recv_many(&mut batch, BATCH_MAX) > 0 {
            for line in &batch {
                if self.pending.len() + line.text.len() <= PENDING_BYTES_MAX {
                    self.pending.extend_from_slice(&line.text);
                }
            }
            let written = self.flush();
            for line in batch.drain(..) {
                // Whoever waited may have left.
                let _ = line.written.send(written);
            }
        }
    }

    fn flush(&mut self) -> bool {
        match self.files.append(&self.pending) {
            Ok(()) => {
                self.pending.clear();
                if self.failing.swap(false, Ordering::Relaxed) {
                    tracing::info!("the audit log is written again");
                }
                true
            }
            Err(error) => {
                if !self.failing.swap(true, Ordering::Relaxed) {
                    tracing::error!(%error, "the audit log cannot be written: nothing is changed until it can");
                }
                false
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn entry(who: &str, outcome: &str) -> Entry {
        let (who, outcome) = (who.to_owned(), outcome.to_owned());
        Entry { time: now(), who, outcome, call: "godwit.v1.X/Y".to_owned(), ..Entry::default() }
    }

    fn lines(folder: &std::path::Path) -> Vec<Value> {
        let text = std::fs::read_to_string(folder.join("audit.jsonl")).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    fn audit(folder: &std::path::Path) -> Audit {
        let mut settings = Settings { data_dir: folder.to_owned(), ..Settings::default() };
        settings.audit.file_bytes = 1 << 20;
        Audit::open(&settings).unwrap()
    }

    #[tokio::test]
    async fn an_entry_is_a_line_on_the_disk_when_it_is_answered() {
        let folder = tempfile::tempdir().unwrap();
        let audit = audit(folder.path());
        let what = serde_json::json!({"long": "x".repeat(PART_BYTES_MAX)});
        audit.record(Entry { what, message: "y".repeat(2_000), ..entry("ann", OK) }).await;
        let lines = lines(folder.path());
        assert_eq!(lines.len(), 1);
        assert_eq!((&lines[0]["who"], &lines[0]["outcome"]), (&"ann".into(), &OK.into()));
        assert!(lines[0]["what"]["tooLong"].is_number() && lines[0].get("before").is_none(), "{lines:?}");
        assert!(lines[0]["message"].as_str().unwrap().chars().count() <= MESSAGE_CHARS_MAX + 1);
        assert!(lines[0]["time"].as_str().unwrap().ends_with('Z'), "{lines:?}");
    }

    #[tokio::test]
    async fn who_is_refused_all_the_time_does_not_fill_it() {
        let folder = tempfile::tempdir().unwrap();
        let audit = audit(folder.path());
        for _ in 0..REFUSALS_MAX * 3 {
            audit.record(entry("eve", "PERMISSION_DENIED")).await;
        }
        audit.record(entry("ann", "PERMISSION_DENIED")).await;
        audit.record(entry("eve", OK)).await;
        let lines = lines(folder.path());
        assert_eq!(
            lines.len(),
            REFUSALS_MAX as usize + 2,
            "what is done is always there, and others are not affected"
        );
        assert_eq!(lines[lines.len() - 1]["skipped"], REFUSALS_MAX * 2);
    }

    #[tokio::test]
    async fn what_cannot_be_written_down_is_not_begun_and_what_was_done_is_written_later() {
        let folder = tempfile::tempdir().unwrap();
        let audit = audit(folder.path());
        assert!(audit.check().await.is_ok());
        let path = folder.path().join("audit.jsonl");
        // The next file cannot be opened: something else has its name.
        std::fs::remove_file(&path).unwrap();
        std::fs::create_dir(&path).unwrap();
        audit.record(entry("ann", OK)).await;
        let refused = audit.check().await.unwrap_err();
        assert!(refused.message().contains("data_dir"), "{refused}");
        std::fs::remove_dir(&path).unwrap();
        assert!(audit.check().await.is_ok(), "it is tried again with each call");
        assert_eq!(lines(folder.path()).len(), 1);
    }
}
