//! A wire between a cluster and the hub that is slow and unsteady. The kernel's own means for that are a module that few
//! machines have, so it is a process in between, of the tests' own.

use std::net::Ipv4Addr;
use std::sync::Arc;
use std::sync::atomic::{AtomicU64, Ordering};
use std::time::Duration;

use godwit_common::rng::Rng;
use tokio::io::{AsyncReadExt, AsyncWriteExt};
use tokio::net::tcp::{OwnedReadHalf, OwnedWriteHalf};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::task::JoinHandle;
use tokio::time::Instant;

/// Chunks on their way in one direction of one connection: who sends more has to wait, as on a real wire.
const CHUNKS_MAX: usize = 256;
const CHUNK_BYTES: usize = 16 * 1024;

/// Carries connections to the hub. Nothing is lost or reordered, it only takes its time. It ends when dropped.
pub(crate) struct Relay {
    address: String,
    pace: Arc<Pace>,
    task: JoinHandle<()>,
}

/// How long a chunk is on its way, in milliseconds.
#[derive(Default)]
struct Pace {
    least: AtomicU64,
    more: AtomicU64,
}

impl Relay {
    /// Listens beside the hub, under its name.
    pub(crate) async fn start(ip: Ipv4Addr, hub: &str) -> Self {
        let listener = TcpListener::bind((ip, 0)).await.unwrap();
        let address = listener.local_addr().unwrap().to_string();
        let (pace, hub) = (Arc::new(Pace::default()), hub.to_owned());
        let task = tokio::spawn(carry(listener, hub, Arc::clone(&pace)));
        Self { address, pace, task }
    }

    /// `HOST:PORT`.
    pub(crate) fn address(&self) -> &str {
        &self.address
    }

    /// From now on each chunk takes `delay`, and up to `jitter` more.
    pub(crate) fn slow(&self, delay: Duration, jitter: Duration) {
        let millis = |span: Duration| u64::try_from(span.as_millis()).unwrap();
        self.pace.least.store(millis(delay), Ordering::Relaxed);
        self.pace.more.store(millis(jitter), Ordering::Relaxed);
    }
}

impl Drop for Relay {
    fn drop(&mut self) {
        self.task.abort();
    }
}

async fn carry(listener: TcpListener, hub: String, pace: Arc<Pace>) {
    let mut seed = 0;
    loop {
        let Ok((inner, _)) = listener.accept().await else { return };
        // A hub that is away refuses: so does its wire.
        let Ok(outer) = TcpStream::connect(&hub).await else { continue };
        let ((from_agent, to_agent), (from_hub, to_hub)) = (inner.into_split(), outer.into_split());
        for (from, to) in [(from_agent, to_hub), (from_hub, to_agent)] {
            seed += 1;
            one_way(from, to, Arc::clone(&pace), Rng::new(seed));
        }
    }
}

fn one_way(mut from: OwnedReadHalf, mut to: OwnedWriteHalf, pace: Arc<Pace>, mut rng: Rng) {
    let (on_the_way, mut arriving) = mpsc::channel::<(Instant, Vec<u8>)>(CHUNKS_MAX);
    tokio::spawn(async move {
        let mut chunk = vec![0; CHUNK_BYTES];
        while let Ok(read @ 1..) = from.read(&mut chunk).await {
            let jitter = rng.below(pace.more.load(Ordering::Relaxed) + 1);
            let due = Instant::now() + Duration::from_millis(pace.least.load(Ordering::Relaxed) + jitter);
            if on_the_way.send((due, chunk[..read].to_vec())).await.is_err() {
                return;
            }
        }
    });
    tokio::spawn(async move {
        while let Some((due, bytes)) = arriving.recv().await {
            tokio::time::sleep_until(due).await;
            if to.write_all(&bytes).await.is_err() {
                return;
            }
        }
        // The one end has closed: so does the other.
        let _ = to.shutdown().await;
    });
}
