//! What every accept loop needs when it cannot take a connection.

use std::io;
use std::time::Instant;

use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::limits::{ACCEPT_PAUSE, REFUSAL_LOG_INTERVAL};

/// Says that connections are refused, and at most once in a while: whoever dials can cause it.
pub(crate) fn warn_full(warned: &mut Option<Instant>, limit: usize) {
    if warned.is_none_or(|warned| warned.elapsed() >= REFUSAL_LOG_INTERVAL) {
        *warned = Some(Instant::now());
        tracing::warn!(limit, "the connection limit is reached: new ones are closed");
    }
}

/// A connection that died in the backlog is its peer's matter. Any other error, such as no free descriptors, stays
/// until something else ends: asking again at once would only spin.
pub(crate) async fn pause_after(error: &io::Error, stop: &CancellationToken) {
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
