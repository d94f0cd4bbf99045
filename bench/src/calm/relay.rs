//! A relay that passes everything on in its order, each part after a time of its own.

use std::net::{Ipv4Addr, SocketAddr};
use std::time::Duration;

use anyhow::{Context, Result};
use godwit_common::rng::Rng;
use tokio::io::{AsyncRead, AsyncReadExt, AsyncWrite, AsyncWriteExt};
use tokio::net::{TcpListener, TcpStream};
use tokio::sync::mpsc;
use tokio::time::{Instant, sleep_until};

/// Parts that are on their way.
const ON_THE_WAY: usize = 1024;
const PART_BYTES: usize = 16 * 1024;

/// Relays connections from a new port of `here` to a port of this machine. Returns where it listens.
pub(super) async fn serve(here: Ipv4Addr, port: u16, jitter: Duration) -> Result<SocketAddr> {
    let listener = TcpListener::bind((here, 0)).await.context("the relay's port")?;
    let address = listener.local_addr()?;
    tokio::spawn(async move {
        let mut seed = 1;
        while let Ok((near, _)) = listener.accept().await {
            let Ok(far) = TcpStream::connect((Ipv4Addr::LOCALHOST, port)).await else { continue };
            let ((near_in, near_out), (far_in, far_out)) = (near.into_split(), far.into_split());
            tokio::spawn(pass(near_in, far_out, jitter, seed));
            tokio::spawn(pass(far_in, near_out, jitter, seed + 1));
            seed += 2;
        }
    });
    Ok(address)
}

/// One way. When one side ends, the other does.
async fn pass(
    mut from: impl AsyncRead + Unpin,
    mut to: impl AsyncWrite + Send + Unpin + 'static,
    jitter: Duration,
    seed: u64,
) {
    let (later, mut due) = mpsc::channel::<(Instant, Vec<u8>)>(ON_THE_WAY);
    tokio::spawn(async move {
        while let Some((at, part)) = due.recv().await {
            sleep_until(at).await;
            if to.write_all(&part).await.is_err() {
                break;
            }
        }
    });
    let mut rng = Rng::new(seed);
    let mut buffer = vec![0; PART_BYTES];
    while let Ok(length @ 1..) = from.read(&mut buffer).await {
        let delay = jitter.mul_f64(rng.below(1000) as f64 / 1000.0);
        if later.send((Instant::now() + delay, buffer[..length].to_vec())).await.is_err() {
            break;
        }
    }
}
