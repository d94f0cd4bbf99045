//! The accept loop of everything that is served, and what it does when it cannot take a connection.

use std::future::Future;
use std::io;
use std::net::SocketAddr;
use std::sync::Arc;
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::limits::{ACCEPT_PAUSE, REFUSAL_LOG_INTERVAL};

/// A connection's place among those that there may be at once; free again when it is dropped.
pub(crate) type Slot = OwnedSemaphorePermit;

/// Accepts connections until it is stopped.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    /// At once; beyond, new ones are closed.
    pub(crate) connections_max: usize,
    pub(crate) stop: CancellationToken,
}

impl Acceptor {
    /// Runs each connection in a task of its own, which keeps its slot until it ends. Returns those that still run when
    /// the listener has been closed.
    pub(crate) async fn run<F>(
        self,
        mut connection: impl FnMut(TcpStream, SocketAddr, Slot) -> F,
    ) -> JoinSet<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, connections_max, stop } = self;
        let slots = Arc::new(Semaphore::new(connections_max));
        let mut connections = JoinSet::new();
        let mut warned = None;
        loop {
            let accepted = tokio::select! {
                () = stop.cancelled() => return connections,
                accepted = listener.accept() => accepted,
            };
            // Tasks that have ended would otherwise keep their memory until the stop.
            while connections.try_join_next().is_some() {}
            let (stream, address) = match accepted {
                Ok(accepted) => accepted,
                Err(error) => {
                    pause_after(&error, &stop).await;
                    continue;
                }
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                warn_full(&mut warned, connections_max);
                continue;
            };
            connections.spawn(connection(stream, address, slot));
        }
    }
}

/// Says that connections are refused, and at most once in a while: whoever dials can cause it.
fn warn_full(warned: &mut Option<Instant>, limit: usize) {
    if warned.is_none_or(|warned| warned.elapsed() >= REFUSAL_LOG_INTERVAL) {
        *warned = Some(Instant::now());
        tracing::warn!(limit, "the connection limit is reached: new ones are closed");
    }
}

/// A connection that died in the backlog is its peer's matter. Any other error, such as no free descriptors, stays
/// until something else ends: asking again at once would only spin.
async fn pause_after(error: &io::Error, stop: &CancellationToken) {
    if is_of_one_peer(error) {
        return;
    }
    tracing::warn!(%error, "cannot accept connections; trying again shortly");
    tokio::select! {
        () = stop.cancelled() => {}
        () = sleep(ACCEPT_PAUSE) => {}
    }
}

fn is_of_one_peer(error: &io::Error) -> bool {
    matches!(
        error.kind(),
        io::ErrorKind::ConnectionAborted | io::ErrorKind::ConnectionReset | io::ErrorKind::ConnectionRefused
    )
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn running_out_of_descriptors_pauses_and_a_dead_peer_does_not() {
        const EMFILE: i32 = 24;
        const ECONNABORTED: i32 = 103;
        let stop = CancellationToken::new();
        assert!(!pauses(ECONNABORTED, &stop).await);
        assert!(pauses(EMFILE, &stop).await);
        stop.cancel();
        assert!(!pauses(EMFILE, &stop).await);
    }

    /// Whether the accept loop would wait, rather than go on at once.
    async fn pauses(code: i32, stop: &CancellationToken) -> bool {
        let error = io::Error::from_raw_os_error(code);
        tokio::select! {
            biased;
            () = pause_after(&error, stop) => false,
            () = std::future::ready(()) => true,
        }
    }
}
