//! A new certificate in time, again and again, without a stream noticing.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use anyhow::Context;
use godwit_certs::KeyRequest;
use godwit_common::backoff::Backoff;
use godwit_common::rng::Rng;
use godwit_proto::v1;
use godwit_rt::dial::Connection;
use godwit_rt::tls::ClientTls;
use tokio::sync::watch;
use tokio::task::spawn_blocking;
use tokio::time::sleep;

use super::FromHub;
use super::ask::{self, Refusal};
use super::enrol;
use super::kept::Kept;
use super::shared::Shared;
use crate::cluster::Cluster;
use crate::session::Live;

/// After an attempt that did not work: a tenth of what is left, within these bounds. With another agent's certificate, which
/// this one is to have no longer than it must, soon, and then less and less often: the hub may not know the cluster yet when
/// the second agent comes a moment after the first.
const RETRY_MIN: Duration = Duration::from_secs(1);
const RETRY_MAX: Duration = Duration::from_secs(300);

pub(super) struct Renewal {
    pub(super) kept: Kept,
    pub(super) shared: Shared,
    pub(super) from: FromHub,
    pub(super) tls: Arc<ClientTls>,
    pub(super) live: Live,
    pub(super) cluster: Cluster,
    /// What the hub says of the certificate.
    pub(super) wanted: watch::Receiver<Duration>,
}

impl Renewal {
    pub(super) async fn run(self) {
        let mut backoff = Backoff::new(RETRY_MIN, RETRY_MAX);
        // Without random numbers the waits are the same everywhere, and nothing else is lost.
        let mut rng = Rng::new(getrandom::u64().unwrap_or_default());
        let mut wait = self.first_wait();
        let mut wanted = self.wanted.clone();
        loop {
            tokio::select! {
                () = sleep(wait) => {}
                // Not all agents at once, which is why the hub says within what time.
                Ok(()) = wanted.changed() => {
                    let within = (*wanted.borrow_and_update()).min(self.left() / 2);
                    tracing::info!(?within, "the hub wants the certificate to be renewed");
                    let millis = u64::try_from(within.as_millis()).unwrap_or(u64::MAX);
                    sleep(Duration::from_millis(rng.below(millis.saturating_add(1)))).await;
                }
            }
            wait = match self.renew().await {
                Ok(next) => next,
                Err(problem) => {
                    let left = self.left();
                    tracing::warn!(%problem, left = ?left, "the certificate is not renewed yet: trying again");
                    match self.kept.is_borrowed() {
                        true => backoff.next(&mut rng),
                        false => (left / 10).clamp(RETRY_MIN, RETRY_MAX),
                    }
                }
            };
        }
    }

    /// Asks for a new certificate, with a new key, and puts it in use. Answers when to ask for the next one, by the hub's
    /// clock: this machine's may be wrong.
    async fn renew(&self) -> Result<Duration, Refusal> {
        let Some(ended) = self.kept.leaf().filter(|_| self.left().is_zero()) else {
            return self.renew_in_time().await;
        };
        enrol::after_the_end(&self.kept, &self.from, &self.cluster, &ended).await?;
        self.use_it().await?;
        Ok(self.left() / 2)
    }

    async fn renew_in_time(&self) -> Result<Duration, Refusal> {
        let request = KeyRequest::create().context("no key can be made")?;
        let answer = ask::renew(self.connection().await?, request.csr_pem).await?;
        let leaf = self.kept.store(&answer, &request.key_pem).await?;
        tracing::info!(serial = %leaf.serial, "the certificate is renewed");
        self.use_it().await?;
        Ok(next(&answer).unwrap_or_else(|| self.left() / 2))
    }

    async fn use_it(&self) -> anyhow::Result<()> {
        let tls = Arc::clone(&self.tls);
        spawn_blocking(move || tls.reload()).await.context("the certificate was not taken over")?;
        self.shared.publish(&self.kept, None).await;
        Ok(())
    }

    /// The connection that stands, so that it lasts as long as the new certificate; or one of its own, as those that stand by
    /// need it.
    async fn connection(&self) -> anyhow::Result<Connection> {
        match self.live.connection() {
            Some(connection) => Ok(connection),
            None => ask::dial_any(&self.from.hubs, &self.tls.current()).await,
        }
    }

    /// A certificate that was there before is renewed half way, too; another agent's at once.
    fn first_wait(&self) -> Duration {
        if self.kept.is_borrowed() {
            return Duration::ZERO;
        }
        let Some(leaf) = self.kept.leaf() else { return Duration::ZERO };
        let lasts = leaf.not_after.duration_since(leaf.issued()).unwrap_or_default();
        self.left().saturating_sub(lasts / 2)
    }

    fn left(&self) -> Duration {
        let end = self.kept.leaf().map(|leaf| leaf.not_after);
        end.and_then(|end| end.duration_since(SystemTime::now()).ok()).unwrap_or_default()
    }
}

fn next(answer: &v1::Certificate) -> Option<Duration> {
    Duration::try_from(answer.renew_after?).ok().map(|wait| wait.max(RETRY_MIN))
}
