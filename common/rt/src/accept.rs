//! The accept loop of everything that is served, and what it does when it cannot take a connection.

use std::future::Future;
use std::io;
use std::net::{IpAddr, Ipv6Addr, SocketAddr};
use std::sync::Arc;
use std::time::Instant;

use tokio::net::{TcpListener, TcpStream};
use tokio::sync::{OwnedSemaphorePermit, Semaphore};
use tokio::task::JoinSet;
use tokio::time::sleep;
use tokio_util::sync::CancellationToken;

use crate::limits::{ACCEPT_PAUSE, REFUSAL_LOG_INTERVAL};
use crate::rates::Rates;
use crate::shares::{Share, Shares};

/// A connection's place among those that there may be at once; free again when it is dropped.
pub(crate) struct Place {
    pub(crate) slot: OwnedSemaphorePermit,
    /// Its part of what one address may have. Whoever shows a certificate gives it back, and takes one as that.
    pub(crate) share: Share<IpAddr>,
}

/// Accepts connections until it is stopped.
pub(crate) struct Acceptor {
    pub(crate) listener: TcpListener,
    /// At once; beyond, new ones are closed.
    pub(crate) connections_max: usize,
    /// From one address; beyond, new ones are closed.
    pub(crate) rates: Option<Rates<IpAddr>>,
    pub(crate) stop: CancellationToken,
}

impl Acceptor {
    /// Runs each connection in a task of its own, which keeps its place until it ends. Returns those that still run when
    /// the listener has been closed.
    pub(crate) async fn run<F>(
        self,
        mut connection: impl FnMut(TcpStream, SocketAddr, Place) -> F,
    ) -> JoinSet<()>
    where
        F: Future<Output = ()> + Send + 'static,
    {
        let Self { listener, connections_max, rates, stop } = self;
        let slots = Arc::new(Semaphore::new(connections_max));
        let shares = Shares::of(connections_max);
        let mut connections = JoinSet::new();
        let [mut full, mut fast, mut greedy] = [const { Warning(None) }; 3];
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
            // Before anything is done for it, and before it takes anybody's place.
            let origin = origin(address);
            if rates.as_ref().is_some_and(|rates| rates.take(&origin, 1).is_err()) {
                fast.say(|| tracing::warn!(%address, "connections come too fast from one address: new ones are closed"));
                continue;
            }
            let Some(share) = shares.take(&origin) else {
                greedy.say(|| tracing::warn!(%address, "one address has its whole share of the connections: new ones are closed"));
                continue;
            };
            let Ok(slot) = Arc::clone(&slots).try_acquire_owned() else {
                full.say(|| {
                    tracing::warn!(connections_max, "the connection limit is reached: new ones are closed")
                });
                continue;
            };
            connections.spawn(connection(stream, address, Place { slot, share }));
        }
    }
}

/// Who a peer is as long as it has shown nothing: its address, or, of IPv6, the network of which a host has all addresses.
pub fn origin(address: SocketAddr) -> IpAddr {
    match address.ip().to_canonical() {
        address @ IpAddr::V4(_) => address,
        IpAddr::V6(address) => {
            let [a, b, c, d, ..] = address.segments();
            Ipv6Addr::new(a, b, c, d, 0, 0, 0, 0).into()
        }
    }
}

/// Something that is said at most once in a while: whoever dials can cause it.
struct Warning(Option<Instant>);

impl Warning {
    fn say(&mut self, say: impl FnOnce()) {
        if self.0.is_none_or(|said| said.elapsed() >= REFUSAL_LOG_INTERVAL) {
            self.0 = Some(Instant::now());
            say();
        }
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

    #[test]
    fn a_host_has_one_address_and_of_ipv6_one_network() {
        let origin = |text: &str| super::origin(text.parse().unwrap()).to_string();
        assert_eq!(origin("192.0.2.7:1"), "192.0.2.7");
        assert_eq!(origin("[::ffff:192.0.2.7]:1"), "192.0.2.7");
        assert_eq!(origin("[2001:db8:1:2:3:4:5:6]:1"), origin("[2001:db8:1:2::9]:2"));
        assert_ne!(origin("[2001:db8:1:2::9]:1"), origin("[2001:db8:1:3::9]:1"));
    }

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
