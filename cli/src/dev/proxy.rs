//! The wire between one agent and the hub. When it is cut, nothing passes in either direction and nobody is told: a
//! network that drops every packet, as both sides see it.

use std::io;
use std::net::SocketAddr;

use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::watch;
use tokio::task::{JoinHandle, JoinSet};

/// Connections at once; an agent needs one, and one more while it changes over. More wait.
const CONNECTIONS_MAX: usize = 16;
/// Bytes that are on their way in one direction.
const BUFFER_BYTES: usize = 16 * 1024;

/// A running proxy; it ends when dropped.
#[derive(Debug)]
pub(super) struct Proxy {
    address: SocketAddr,
    cut: watch::Sender<bool>,
    task: JoinHandle<()>,
}

impl Proxy {
    /// Listens on loopback, and passes everything on to `to`.
    pub(super) async fn start(to: SocketAddr) -> io::Result<Self> {
        let listener = TcpListener::bind((std::net::Ipv4Addr::LOCALHOST, 0)).await?;
        let address = listener.local_addr()?;
        let (cut, state) = watch::channel(false);
        let task = tokio::spawn(serve(listener, to, state));
        Ok(Self { address, cut, task })
    }

    /// Where it listens.
    pub(super) fn address(&self) -> SocketAddr {
        self.address
    }

    /// Whether it is cut.
    pub(super) fn is_cut(&self) -> bool {
        *self.cut.borrow()
    }

    /// Cuts it, or mends it.
    pub(super) fn set_cut(&self, cut: bool) {
        self.cut.send_replace(cut);
    }
}

impl Drop for Proxy {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn serve(listener: TcpListener, to: SocketAddr, cut: watch::Receiver<bool>) {
    let mut connections = JoinSet::new();
    loop {
        // While it is cut the kernel may still take connections, but nobody ever answers on them.
        if until(&cut, false).await.is_err() {
            return;
        }
        tokio::select! {
            accepted = listener.accept(), if connections.len() < CONNECTIONS_MAX => {
                if let Ok((stream, _)) = accepted {
                    connections.spawn(pass(stream, to, cut.clone()));
                }
            }
            Some(_) = connections.join_next() => {}
            _ = until(&cut, true) => {}
        }
    }
}

/// Ends when one side has failed, or both have said all.
async fn pass(agent: TcpStream, to: SocketAddr, cut: watch::Receiver<bool>) -> io::Result<()> {
    let hub = TcpStream::connect(to).await?;
    agent.set_nodelay(true)?;
    hub.set_nodelay(true)?;
    let (agent_read, agent_write) = agent.into_split();
    let (hub_read, hub_write) = hub.into_split();
    tokio::try_join!(pump(agent_read, hub_write, cut.clone()), pump(hub_read, agent_write, cut))?;
    Ok(())
}

async fn pump(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, cut: watch::Receiver<bool>) -> io::Result<()> {
    let mut buffer = vec![0; BUFFER_BYTES];
    loop {
        until(&cut, false).await?;
        let read = tokio::select! {
            read = from.read(&mut buffer) => read?,
            _ = until(&cut, true) => continue,
        };
        // What was read just before the cut waits too.
        until(&cut, false).await?;
        match buffer.get(..read) {
            Some(bytes) if read > 0 => to.write_all(bytes).await?,
            _ => return to.shutdown().await,
        }
    }
}

/// Waits until it is cut, or is not.
async fn until(cut: &watch::Receiver<bool>, wanted: bool) -> io::Result<()> {
    let mut cut = cut.clone();
    let changed = cut.wait_for(|cut| *cut == wanted).await;
    changed.map(drop).map_err(|_| io::ErrorKind::ConnectionAborted.into())
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[tokio::test]
    async fn a_cut_link_passes_nothing_and_a_mended_one_goes_on() {
        let hub = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let proxy = Proxy::start(hub.local_addr().unwrap()).await.unwrap();
        let mut agent = TcpStream::connect(proxy.address()).await.unwrap();
        let (mut hub, _) = hub.accept().await.unwrap();
        let mut byte = [0];
        agent.write_all(b"a").await.unwrap();
        hub.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"a");

        proxy.set_cut(true);
        assert!(proxy.is_cut());
        agent.write_all(b"b").await.unwrap();
        hub.write_all(b"c").await.unwrap();
        let waited = Duration::from_millis(200);
        assert!(
            tokio::time::timeout(waited, hub.read_exact(&mut byte)).await.is_err(),
            "it passed to the hub"
        );
        assert!(
            tokio::time::timeout(waited, agent.read_exact(&mut byte)).await.is_err(),
            "it passed to the agent"
        );

        proxy.set_cut(false);
        hub.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"b");
        agent.read_exact(&mut byte).await.unwrap();
        assert_eq!(&byte, b"c");
        drop(agent);
        assert_eq!(hub.read(&mut byte).await.unwrap(), 0, "an end passes too");
    }
}
