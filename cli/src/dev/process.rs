//! The child processes: this very program under hidden names. A child ends when its standard input closes, so none
//! outlives `godwit dev`, however that ends.

use std::ffi::OsString;
use std::fs::{self, File};
use std::io::{self, Read, Seek, SeekFrom};
use std::path::{Path, PathBuf};
use std::process::{ExitStatus, Stdio};
use std::time::Duration;

use tokio::process::{ChildStdin, Command};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio_util::sync::CancellationToken;

/// How long a child may take to stop in order.
const STOP_WITHIN: Duration = Duration::from_secs(15);
/// What of a log is shown of a child that died.
const TAIL_LINES: usize = 15;
const TAIL_BYTES: u64 = 16 * 1024;

/// A running child.
#[derive(Debug)]
pub(super) struct Process {
    pid: u32,
    /// Closing it asks the child to stop.
    input: Option<ChildStdin>,
    kill: CancellationToken,
    /// Cancelled before an end that was asked for.
    expected: CancellationToken,
    task: JoinHandle<()>,
}

/// A child that ended although nobody asked it to.
#[derive(Debug)]
pub(super) struct Death {
    /// Which.
    pub(super) name: String,
    /// How.
    pub(super) how: String,
    /// What it said.
    pub(super) log: PathBuf,
}

impl Process {
    /// Starts `godwit ARGS...` with its output in `log`. Its unexpected end is told to `deaths`.
    pub(super) fn start(
        name: &str,
        args: Vec<OsString>,
        log: &Path,
        deaths: mpsc::Sender<Death>,
    ) -> io::Result<Self> {
        let output = File::create(log)?;
        // This very program, even if its file was replaced since by a new build.
        let mut command = Command::new("/proc/self/exe");
        command
            .arg0("godwit")
            .args(args)
            .stdin(Stdio::piped())
            .stdout(output.try_clone()?)
            .stderr(output)
            // Ctrl-C is for `godwit dev`, which stops its children in order.
            .process_group(0)
            .kill_on_drop(true);
        let mut child = command.spawn()?;
        let input = child.stdin.take();
        let pid = child.id().unwrap_or_default();
        let (kill, expected) = (CancellationToken::new(), CancellationToken::new());
        let (killed, asked) = (kill.clone(), expected.clone());
        let (name, log) = (name.to_owned(), log.to_owned());
        let task = tokio::spawn(async move {
            let status = tokio::select! {
                status = child.wait() => status,
                () = killed.cancelled() => match child.start_kill() {
                    Ok(()) => child.wait().await,
                    Err(error) => Err(error),
                },
            };
            if !asked.is_cancelled() {
                // Nobody listens any more only when everything ends.
                let _ = deaths.send(Death { name, how: ending(status), log }).await;
            }
        });
        Ok(Self { pid, input, kill, expected, task })
    }

    /// Its number.
    pub(super) fn pid(&self) -> u32 {
        self.pid
    }

    /// Whether it still runs.
    pub(super) fn is_running(&self) -> bool {
        !self.task.is_finished()
    }

    /// Ends it at once, by SIGKILL.
    pub(super) async fn kill(self) {
        self.expected.cancel();
        self.kill.cancel();
        // The task ends with the child, and has no other way to fail.
        let _ = self.task.await;
    }

    /// Asks it to stop, and kills it if it does not.
    pub(super) async fn stop(mut self) {
        self.expected.cancel();
        drop(self.input.take());
        if tokio::time::timeout(STOP_WITHIN, &mut self.task).await.is_err() {
            self.kill().await;
        }
    }
}

/// The last lines of a log.
pub(super) fn tail(log: &Path) -> Vec<String> {
    let read = || -> io::Result<String> {
        let mut file = File::open(log)?;
        let length = fs::metadata(log)?.len();
        file.seek(SeekFrom::Start(length.saturating_sub(TAIL_BYTES)))?;
        let mut bytes = Vec::new();
        file.take(TAIL_BYTES).read_to_end(&mut bytes)?;
        Ok(String::from_utf8_lossy(&bytes).into_owned())
    };
    let text = read().unwrap_or_default();
    let lines: Vec<&str> = text.lines().collect();
    lines.iter().skip(lines.len().saturating_sub(TAIL_LINES)).map(|line| (*line).to_owned()).collect()
}

fn ending(status: io::Result<ExitStatus>) -> String {
    match status {
        Ok(status) => status.to_string(),
        Err(error) => format!("unknown: {error}"),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_tail_of_a_log_is_short() {
        let folder = tempfile::tempdir().unwrap();
        let log = folder.path().join("x.log");
        let text: String = (0..10_000).map(|line| format!("line {line}\n")).collect();
        fs::write(&log, text).unwrap();
        let tail = tail(&log);
        assert_eq!(tail.len(), TAIL_LINES);
        assert_eq!(tail.last().map(String::as_str), Some("line 9999"));
        assert!(super::tail(&folder.path().join("none")).is_empty());
    }
}
