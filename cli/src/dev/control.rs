//! How other terminals talk to a running `godwit dev`: one line of JSON each way, over a socket that only its owner
//! may open.

use std::fs::Permissions;
use std::io;
use std::os::unix::fs::PermissionsExt;

use serde::{Deserialize, Serialize};
use tokio::io::{AsyncBufReadExt, AsyncReadExt, AsyncWriteExt, BufReader};
use tokio::net::{UnixListener, UnixStream};
use tokio::sync::{mpsc, oneshot};
use tokio::time::{Duration, timeout};

use super::layout::Layout;
use crate::error::Error;

/// The longest line of a request; of an answer, which lists all clusters.
const REQUEST_BYTES_MAX: u64 = 4 * 1024;
const ANSWER_BYTES_MAX: u64 = 1024 * 1024;
/// How long a terminal may take to say its line.
const REQUEST_WITHIN: Duration = Duration::from_secs(5);
/// Requests that wait for the one before.
const QUEUE_MAX: usize = 8;

/// What another terminal asks for.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(tag = "command", rename_all = "kebab-case", deny_unknown_fields)]
pub(super) enum Request {
    /// Kill a cluster's agent.
    KillAgent {
        /// The cluster.
        name: String,
    },
    /// Kill a cluster and its agent.
    KillCluster {
        /// The cluster.
        name: String,
    },
    /// Cut the wire between a cluster's agent and the hub.
    CutLink {
        /// The cluster.
        name: String,
    },
    /// Undo it.
    Heal {
        /// The cluster, or the hub.
        name: String,
    },
    /// Say what runs.
    Status {},
}

/// What it is told.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "kebab-case")]
pub(super) enum Answer {
    /// What was done.
    Done(String),
    /// What runs.
    Status(Vec<Part>),
    /// Why nothing was done.
    Refused(String),
}

/// The hub, or one cluster.
#[derive(Debug, Clone, PartialEq, Eq, Serialize, Deserialize)]
pub(super) struct Part {
    /// Its name.
    pub(super) name: String,
    /// Its own process: the hub, or the API server of a simulated cluster.
    pub(super) process: String,
    /// A cluster's agent.
    pub(super) agent: String,
    /// A cluster's wire to the hub.
    pub(super) link: String,
}

/// A request, and the way back.
pub(super) type Asked = (Request, oneshot::Sender<Answer>);

/// Listens; requests arrive one by one.
pub(super) fn listen(layout: &Layout) -> io::Result<mpsc::Receiver<Asked>> {
    let (folder, path) = layout.control()?;
    match std::fs::remove_file(&path) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(&path)?;
    std::fs::set_permissions(&path, Permissions::from_mode(0o600))?;
    drop(folder);
    let (sender, requests) = mpsc::channel(QUEUE_MAX);
    tokio::spawn(async move {
        while !sender.is_closed() {
            let Ok((stream, _)) = listener.accept().await else {
                // No descriptors are left, say: another try at once would only spin.
                tokio::time::sleep(Duration::from_millis(250)).await;
                continue;
            };
            // One at a time: accidents are made one after the other.
            let _ = serve(stream, &sender).await;
        }
    });
    Ok(requests)
}

/// Asks a running `godwit dev`.
pub(super) async fn ask(layout: &Layout, request: &Request) -> Result<Answer, Error> {
    let failed = |error: io::Error| {
        Error::failed(format!("no `godwit dev` answers in {}: {error}", layout.folder().display()))
            .with_hint("start it in another terminal, or name its folder with --dir")
    };
    let (_folder, path) = layout.control().map_err(failed)?;
    let mut stream = UnixStream::connect(path).await.map_err(failed)?;
    let line = serde_json::to_string(request).map_err(Error::failed)?;
    stream.write_all(format!("{line}\n").as_bytes()).await.map_err(failed)?;
    let line = read_line(stream, ANSWER_BYTES_MAX).await.map_err(failed)?;
    serde_json::from_str(&line)
        .map_err(|error| Error::failed(format!("`godwit dev` gave no sensible answer: {error}")))
}

async fn serve(mut stream: UnixStream, requests: &mpsc::Sender<Asked>) -> io::Result<()> {
    let line = timeout(REQUEST_WITHIN, read_line(&mut stream, REQUEST_BYTES_MAX)).await??;
    let answer = match serde_json::from_str(&line) {
        Err(error) => Answer::Refused(format!("the request is not understood: {error}")),
        Ok(request) => {
            let (sender, answer) = oneshot::channel();
            let stopping = || Answer::Refused("`godwit dev` is stopping".to_owned());
            match requests.send((request, sender)).await {
                Ok(()) => answer.await.unwrap_or_else(|_| stopping()),
                Err(_) => stopping(),
            }
        }
    };
    let line = serde_json::to_string(&answer).map_err(io::Error::other)?;
    stream.write_all(format!("{line}\n").as_bytes()).await
}

async fn read_line(stream: impl tokio::io::AsyncRead + Unpin, bytes_max: u64) -> io::Result<String> {
    let mut line = String::new();
    BufReader::new(stream.take(bytes_max)).read_line(&mut line).await?;
    Ok(line)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn requests_are_answered_through_a_private_socket() {
        let folder = tempfile::tempdir().unwrap();
        // Longer than any socket's name may be.
        let layout = Layout::create(Some(&folder.path().join("a".repeat(120)))).unwrap();
        let mut requests = listen(&layout).unwrap();
        let mode = std::fs::metadata(layout.folder().join("control.sock")).unwrap().permissions().mode();
        assert_eq!(mode & 0o777, 0o600);
        let request = Request::KillAgent { name: "alpha".into() };
        let serve = async {
            let (request, answer) = requests.recv().await.unwrap();
            answer.send(Answer::Done(format!("{request:?}"))).unwrap();
        };
        let (answer, ()) = tokio::join!(ask(&layout, &request), serve);
        assert_eq!(answer.unwrap(), Answer::Done("KillAgent { name: \"alpha\" }".into()));
    }

    #[tokio::test]
    async fn nonsense_is_refused_and_silence_is_said() {
        let folder = tempfile::tempdir().unwrap();
        let layout = Layout::create(Some(folder.path())).unwrap();
        let Err(Error::Failed { message, .. }) = ask(&layout, &Request::Status {}).await else {
            panic!("nobody listens");
        };
        assert!(message.contains("no `godwit dev` answers"), "{message}");
        let _requests = listen(&layout).unwrap();
        let (_folder, path) = layout.control().unwrap();
        let mut stream = UnixStream::connect(path).await.unwrap();
        stream.write_all(b"{\"command\": \"explode\"}\n").await.unwrap();
        let answer = read_line(stream, ANSWER_BYTES_MAX).await.unwrap();
        assert!(answer.contains("not understood"), "{answer}");
    }
}
